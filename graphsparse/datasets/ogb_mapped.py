"""An OGB node set in binary files, read by memory map: only what is touched is in memory.

``raw/data.npz`` is an archive and cannot be mapped; each of its arrays is copied once to a file of
its own, ``mapped/NAME.npy``, a piece at a time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsparse.datasets.download import fetch
from graphsparse.errors import GraphFormatError

if TYPE_CHECKING:
    from torch_geometric.data import Data

Array = np.ndarray[Any, np.dtype[Any]]
_PIECE = 1 << 24
_PARTS = {"train": "train", "val": "valid", "test": "test"}


def load_mapped(folder: Path, url: str, *, offline: bool) -> tuple[Data, dict[str, Array]]:
    """Return the graph of a binary OGB set and its split by time.

    Parameters
    ----------
    folder : Path
        ``ogbn_papers100M`` and the like; fetched and unpacked if ``raw/data.npz`` is missing.
    url : str
        The archive of the set.
    offline : bool
        Never use the network.

    Returns
    -------
    Data
        ``edge_index``, ``x`` and ``node_*`` lie in mapped files, pages are read when they are
        used and writes to them stay in memory.  ``y`` is int64, -1 for nodes without a label.
    dict of str to array of int64
        Node ids of ``train``, ``val`` and ``test``.

    Raises
    ------
    GraphFormatError
        If an array is missing or of the wrong shape.
    """
    import torch
    from torch_geometric.data import Data

    raw = folder / "raw"
    if not (raw / "data.npz").is_file():
        _fetch_archive(url, folder, offline)
    arrays = {path.stem: path for path in _as_files(raw / "data.npz", folder / "mapped")}
    for name in ("edge_index", "node_feat"):
        if name not in arrays:
            raise GraphFormatError(f"{raw / 'data.npz'} must hold {name!r}, got {sorted(arrays)}")
    mapped = {name: np.load(path, mmap_mode="c") for name, path in arrays.items()}
    labels = np.load(raw / "node-label.npz")["node_label"].reshape(-1)
    n = len(mapped["node_feat"])
    if mapped["edge_index"].ndim != 2 or len(mapped["edge_index"]) != 2 or len(labels) != n:
        shape = mapped["edge_index"].shape
        raise GraphFormatError(
            f"{raw}: edge_index must have shape (2, arcs) and there must be {n} labels, "
            f"got {shape} and {len(labels)}"
        )
    known = {"edge_index": "edge_index", "node_feat": "x"}
    content = Data(num_nodes=n, y=torch.from_numpy(_whole(labels)))
    for name, array in mapped.items():
        if name in known or name.startswith("node_"):
            content[known.get(name, name)] = torch.from_numpy(array)
    return content, {part: _ids(folder, stem, n) for part, stem in _PARTS.items()}


def _whole(labels: Array) -> Array:
    """Return labels as int64; what is not a number becomes -1."""
    if labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    return np.where(np.isnan(labels), -1, labels).astype(np.int64)


def _ids(folder: Path, stem: str, num_nodes: int) -> Array:
    path = folder / "split" / "time" / f"{stem}.csv.gz"
    ids: Array = np.sort(np.loadtxt(path, dtype=np.int64, ndmin=1))
    if len(ids) and not 0 <= ids[0] <= ids[-1] < num_nodes:
        raise GraphFormatError(f"{path} must hold node ids in [0, {num_nodes}), got {ids[-1]}")
    return ids


def _as_files(archive: Path, folder: Path) -> list[Path]:
    """Copy the arrays of an archive to files of their own where they are not there yet."""
    folder.mkdir(exist_ok=True)
    found = []
    with zipfile.ZipFile(archive) as arrays:
        for member in arrays.infolist():
            path = folder / Path(member.filename).name
            found.append(path)
            if _is_copied(path, archive, member.file_size):
                continue
            with arrays.open(member) as source:
                _copy(source, path)
    return found


def _is_copied(path: Path, archive: Path, size: int) -> bool:
    """Tell whether an array was copied whole, and since the archive was written."""
    if not path.is_file():
        return False
    found = path.stat()
    return found.st_size == size and found.st_mtime >= archive.stat().st_mtime


def _copy(source: Any, path: Path) -> None:
    handle, part = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            shutil.copyfileobj(source, out, _PIECE)
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)


def _fetch_archive(url: str, folder: Path, offline: bool) -> None:
    """Fetch an archive, unpack it beside its place and move what it holds there.

    An archive that lay there already is the user's and stays.
    """
    given = (folder.parent / url.rsplit("/", 1)[-1]).exists()
    archive = fetch(url, folder.parent, sha256=None, offline=offline)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(place)
        (inner,) = Path(place).iterdir()
        os.replace(inner, folder)
    if not given:
        archive.unlink()
