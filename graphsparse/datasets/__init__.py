"""Data sets by name: bundled ones offline, others through PyG and OGB, with stored splits."""

from __future__ import annotations

from pathlib import Path

from graphsparse.datasets import bundled, catalogue, memory
from graphsparse.datasets.catalogue import Entry
from graphsparse.datasets.dataset import Dataset
from graphsparse.datasets.download import is_offline
from graphsparse.datasets.splits import Split

__all__ = ["Dataset", "Entry", "Split", "describe_dataset", "list_datasets", "load_dataset"]


def load_dataset(
    name: str,
    *,
    root: str | Path | None = None,
    split: str | None = None,
    offline: bool | None = None,
    check_memory: bool = True,
) -> Dataset:
    """Load a data set.

    Parameters
    ----------
    name : str
        One of :func:`list_datasets`; capitals do not matter, nor ``-`` against ``_``.
    root : path, optional
        Folder of data sets; ``$GRAPHSPARSE_DATA`` or ``~/.cache/graphsparse`` when left out.
        A root of PyG or OGB that holds the set already is used as it is.  Bundled sets need none.
    split : str, optional
        Family of splits, one of ``describe_dataset(name).splits``: ``"public"``, ``"geom-gcn"``,
        ``"random"`` (ten seeds: 20 of each class / 500 / rest, or 60/20/20 % of a small set).
        The first when left out.
    offline : bool, optional
        True: never use the network.  Left out: what ``GRAPHSPARSE_OFFLINE`` says.
    check_memory : bool
        Refuse a set whose :attr:`Entry.memory` is more than the machine has free.

    Returns
    -------
    Dataset
        ``.graph`` is a :class:`~graphsparse.Graph`, ``.to_pyg(split=0)`` a PyG ``Data`` with
        masks, ``.splits`` the divisions.

    Raises
    ------
    ValueError
        If there is no such set, or it has no such splits.
    DownloadError
        If it is not there and cannot be downloaded.
    GraphFormatError
        If a file is not what it should be.
    DatasetTooLargeError
        If it does not fit into memory.
    MissingDependencyError
        If it needs torch-geometric or ogb, which are not installed.

    Examples
    --------
    >>> digits = load_dataset("digits")
    >>> digits.graph.num_nodes, digits.num_classes, len(digits.splits)
    (1797, 10, 10)
    """
    entry = catalogue.entry(name)
    family = entry.splits[0] if split is None and entry.splits else split
    if split is not None and split not in entry.splits:
        known = ", ".join(map(repr, entry.splits)) or "none"
        raise ValueError(f"split of {entry.name!r} must be one of: {known}; got {split!r}")
    if check_memory:
        memory.check_memory(entry.name, entry.memory)
    if entry.origin == "bundled":
        return bundled.load(entry.name)
    folder = catalogue.default_root() if root is None else Path(root).expanduser()
    if entry.origin == "pyg":
        from graphsparse.datasets.pyg_sets import load
    elif entry.origin == "ogb":
        from graphsparse.datasets.ogb_sets import load
    else:
        from graphsparse.datasets.file_sets import load
    return load(entry, folder.resolve(), family or "", is_offline(offline))


def list_datasets(task: str | None = None) -> list[str]:
    """Return the names of all data sets, or of those for one task; bundled ones come first."""
    return [one.name for one in catalogue.entries() if task in (None, one.task)]


def describe_dataset(name: str) -> Entry:
    """Return what is known of a data set without loading it: task, metric, splits, source."""
    return catalogue.entry(name)
