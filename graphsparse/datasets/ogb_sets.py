"""The node, link and graph sets of the Open Graph Benchmark, with their official splits."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from graphsparse.datasets import compat
from graphsparse.datasets.catalogue import Entry
from graphsparse.datasets.dataset import Dataset
from graphsparse.datasets.download import fetch, remove_empty
from graphsparse.datasets.ogb_mapped import load_mapped
from graphsparse.datasets.ogbn_like import read_meta
from graphsparse.datasets.splits import Split
from graphsparse.errors import DownloadError

_CLASSES = {
    "ogb.nodeproppred": "PygNodePropPredDataset",
    "ogb.linkproppred": "PygLinkPropPredDataset",
    "ogb.graphproppred": "PygGraphPropPredDataset",
}


def load(entry: Entry, root: Path, family: str, offline: bool) -> Dataset:
    """Return an OGB set, downloaded below ``root`` if it is not there.

    A folder of OGB that exists is used as it is, also one of an older release.
    """
    del family  # there is one
    package = compat.import_ogb(entry.collection)
    module = compat.import_ogb(f"{entry.collection}.dataset_pyg")
    folder = _find(entry, root)
    if entry.mapped:
        return _mapped(entry, folder, package.__path__[0], offline)

    def get(url: str, target: Path, name: str | None) -> Path:
        return fetch(url, target, name=name, sha256=None, offline=offline)

    try:
        with compat.guarded(get, module):
            options = _options(entry, folder)
            stored = getattr(package, _CLASSES[entry.collection])(entry.key, **options)
            links = entry.collection == "ogb.linkproppred"
            parts = stored.get_edge_split() if links else stored.get_idx_split()
            many = entry.collection == "ogb.graphproppred"
            content = stored if many else stored[0]
        if entry.collection == "ogb.nodeproppred" and "y" in content and content.y.shape[1] == 1:
            content.y = content.y.view(-1)  # one label per node, as in every other set
    finally:
        remove_empty(folder / entry.key.replace("-", "_"), root)
    return Dataset(
        name=entry.name,
        task=entry.task,
        content=content,
        splits=() if links else _official(parts),
        edge_splits=_edge_splits(parts) if links else {},
        num_classes=_num_classes(stored, links),
        metric=entry.metric,
        card={"source": entry.source, "licence": entry.licence, "split": "official"},
    )


def _mapped(entry: Entry, root: Path, package: str, offline: bool) -> Dataset:
    """Return a set whose arrays stay in files."""
    with open(Path(package) / "master.csv", newline="", encoding="utf-8") as table:
        facts = {row[""]: row[entry.key] for row in csv.DictReader(table)}
    folder = root / entry.key.replace("-", "_")
    content, ids = load_mapped(folder, facts["url"], offline=offline)
    return Dataset(
        name=entry.name,
        task=entry.task,
        content=content,
        splits=(Split("official", **ids),),
        num_classes=int(facts["num classes"]),
        metric=entry.metric,
        card={"source": entry.source, "licence": entry.licence, "split": "official"},
    )


def _options(entry: Entry, root: Path) -> dict[str, Any]:
    """Return what ogb's loader is given: a synthetic folder brings its own description."""
    if not entry.synthetic:
        return {"root": str(root)}
    folder = root / entry.key.replace("-", "_")
    meta = read_meta(folder)
    if meta is None:
        raise DownloadError(
            f"{folder} is not there: make it by graphsparse datasets make ogbn-like --out {root}"
        )
    return {"root": str(root), "meta_dict": meta}


def _find(entry: Entry, root: Path) -> Path:
    folder = entry.key.replace("-", "_")
    for candidate in (root / "ogb", root):
        if any((candidate / (folder + end)).is_dir() for end in ("_pyg", "")):
            return candidate
    return root / "ogb"


def _num_classes(stored: Any, links: bool) -> int | None:
    if links:
        return None
    count = int(stored.num_classes)
    return count if count > 0 else None


def _official(parts: Any) -> tuple[Split, ...]:
    """Return the split of nodes or graphs; none where it goes by node type."""
    named = {"train": parts["train"], "val": parts["valid"], "test": parts["test"]}
    if any(isinstance(ids, dict) for ids in named.values()):
        return ()
    return (Split("official", **{part: np.sort(ids.numpy()) for part, ids in named.items()}),)


def _edge_splits(parts: Any) -> dict[str, dict[str, Any]]:
    """Return the parts of a link split with tensors as arrays; lists stay lists."""
    return {
        part: {key: np.asarray(value) for key, value in given.items()}
        for part, given in parts.items()
    }
