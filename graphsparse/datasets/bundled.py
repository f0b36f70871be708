"""The data sets that come with the package: no network, no extra, checked before use."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from graphsparse.backend import bundled_data
from graphsparse.datasets.dataset import Dataset
from graphsparse.datasets.splits import PARTS, from_masks
from graphsparse.errors import GraphFormatError
from graphsparse.graph import Graph, Hypergraph

Array = np.ndarray[Any, np.dtype[Any]]


def names() -> list[str]:
    """Return the names of the bundled sets."""
    return sorted(meta.parent.name for meta in bundled_data().glob("*/meta.json"))


def read_meta(name: str) -> dict[str, Any]:
    """Return ``meta.json`` of a bundled set."""
    meta: dict[str, Any] = json.loads((bundled_data() / name / "meta.json").read_text("utf-8"))
    return meta


def load(name: str) -> Dataset:
    """Return a bundled set.

    Raises
    ------
    GraphFormatError
        If its file is not the one whose SHA-256 stands in ``meta.json``.
    """
    folder, meta = bundled_data() / name, read_meta(name)
    arrays: dict[str, Array] = {}
    for file, facts in meta["files"].items():
        check_sha256(folder / file, facts["sha256"])
        with np.load(folder / file, allow_pickle=False) as stored:
            arrays |= {key: stored[key] for key in stored.files}
    masks = [arrays.pop(f"{part}_mask", None) for part in PARTS]
    splits = () if masks[0] is None else from_masks("stored", *masks)
    return Dataset(
        name=name,
        task=meta["task"],
        content=_content(meta, arrays),
        arrays=arrays,
        splits=splits,
        num_classes=meta["num_classes"],
        metric=meta["metric"],
        card={**meta, "text": (folder / "card.md").read_text("utf-8")},
    )


def check_sha256(path: Path, expected: str) -> None:
    """Check a file against its SHA-256."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise GraphFormatError(f"{path}: its SHA-256 must be {expected}, got {found}")


def _content(meta: dict[str, Any], arrays: dict[str, Array]) -> Graph | Hypergraph:
    """Take the structure out of the arrays; a set with a ``base`` stands on another's graph."""
    if "base" in meta:
        return load(meta["base"]).graph
    if meta["content"] == "hypergraph":
        nodes, hyperedges = arrays.pop("nodes"), arrays.pop("hyperedges")
        return Hypergraph(nodes, hyperedges, meta["num_nodes"], meta["num_hyperedges"])
    return Graph(arrays.pop("indptr"), arrays.pop("indices"), directed=meta["directed"])
