"""Planetoid, CitationFull, WebKB, WikipediaNetwork, Actor, HeterophilousGraphDataset, Airports."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsparse.checks import require
from graphsparse.datasets import compat
from graphsparse.datasets.catalogue import Entry
from graphsparse.datasets.checksums import sha256_of
from graphsparse.datasets.dataset import Dataset
from graphsparse.datasets.download import fetch, remove_empty
from graphsparse.datasets.splits import PARTS, Split, by_fraction, from_masks, per_class

if TYPE_CHECKING:
    from torch_geometric.data import Data

_GEOM_GCN = "https://raw.githubusercontent.com/graphdml-uiuc-jlu/geom-gcn/master/splits"
_ONCE = "Airports"  # stores each undirected edge once


def load(entry: Entry, root: Path, family: str, offline: bool) -> Dataset:
    """Return a set that torch-geometric reads, downloaded below ``root`` if it is not there."""
    require("torch_geometric", "gnn", f"load_dataset({entry.name!r})")
    module = importlib.import_module(f"torch_geometric.datasets.{_module(entry.collection)}")
    folder, key = _find(entry, root)
    arguments: dict[str, Any] = {"root": str(folder)}
    if key:
        arguments["name"] = key
    if entry.collection == "CitationFull":
        arguments["to_undirected"] = False  # as stored; .graph.symmetrize() is one call away

    def get(url: str, target: Path, name: str | None) -> Path:
        checksum = sha256_of(entry.name, url.rsplit("/", 1)[-1])
        return fetch(url, target, name=name, sha256=checksum, offline=offline)

    try:
        with compat.guarded(get, module):
            data = getattr(module, entry.collection)(**arguments)[0]
    finally:
        remove_empty(folder / key, root)
    splits = _take_splits(data, family, entry, folder / key, offline)
    if entry.collection == _ONCE:
        from torch_geometric.utils import to_undirected

        data.edge_index = to_undirected(data.edge_index, num_nodes=data.num_nodes)
    return Dataset(
        name=entry.name,
        task=entry.task,
        content=data,
        splits=splits,
        num_classes=int(data.y.max()) + 1,
        metric=entry.metric,
        card={"source": entry.source, "licence": entry.licence, "split": family},
    )


def _module(collection: str) -> str:
    """Return the module of a class: ``WebKB`` is in ``webkb``, ``CitationFull`` in its own."""
    if collection == "WebKB":
        return "webkb"
    parts = ("_" + c.lower() if c.isupper() else c for c in collection)
    return "".join(parts).lstrip("_")


def _find(entry: Entry, root: Path) -> tuple[Path, str]:
    """Return the folder to give to PyG and the set's name there; what exists is used as it is."""
    folders = [root / "pyg" / entry.collection, root / entry.collection, root]
    keys = dict.fromkeys((entry.key, entry.key.lower()))
    for folder in folders:
        for key in keys:
            kept = [folder / key / "raw", folder / key / "geom_gcn" / "raw"]
            if any(path.is_dir() and any(path.iterdir()) for path in kept):
                return folder, key
    return root / entry.collection, entry.key


def _take_splits(
    data: Data, family: str, entry: Entry, folder: Path, offline: bool
) -> tuple[Split, ...]:
    """Take the stored masks off ``data`` and return the splits of the family asked for."""
    masks = [data[f"{part}_mask"] for part in PARTS if f"{part}_mask" in data]
    for part in PARTS:
        if f"{part}_mask" in data:
            del data[f"{part}_mask"]
    if family == "random":
        labels = data.y.numpy()
        small = len(labels) < 40 * (int(labels.max()) + 1)  # too few for 20 of each class
        small = small or len(labels) < 1500
        return by_fraction(len(labels)) if small else per_class(labels)
    if entry.collection == "Planetoid" and family == "geom-gcn":
        return _geom_gcn(entry.key.lower(), folder, offline)
    return from_masks(family, *masks)


def _geom_gcn(key: str, folder: Path, offline: bool) -> tuple[Split, ...]:
    """Return the ten splits that lie beside a Planetoid set."""
    columns: dict[str, list[np.ndarray[Any, Any]]] = {part: [] for part in PARTS}
    for i in range(10):
        url = f"{_GEOM_GCN}/{key}_split_0.6_0.2_{i}.npz"
        path = fetch(url, folder / "geom-gcn" / "raw", sha256=None, offline=offline)
        with np.load(path, allow_pickle=False) as stored:
            for part in PARTS:
                columns[part].append(stored[f"{part}_mask"].astype(np.bool_))
    return from_masks("geom-gcn", *(np.stack(columns[part], axis=1) for part in PARTS))
