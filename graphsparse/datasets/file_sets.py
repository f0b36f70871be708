"""Sets that are one or two plain NumPy, SciPy or MATLAB files: no extra needed to read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from graphsparse.convert import from_edge_index, from_scipy
from graphsparse.datasets.catalogue import Entry
from graphsparse.datasets.checksums import sha256_of
from graphsparse.datasets.dataset import Dataset
from graphsparse.datasets.download import fetch
from graphsparse.datasets.splits import Split, by_fraction, from_masks, per_class
from graphsparse.errors import DownloadError
from graphsparse.graph import Graph

Array = np.ndarray[Any, np.dtype[Any]]
Parts = tuple[Graph, dict[str, Array], tuple[Split, ...], int]


def load(entry: Entry, root: Path, family: str, offline: bool) -> Dataset:
    """Return a set of plain files, downloaded below ``root`` if they are not there."""
    paths = [_file(entry, root, name, url, offline) for name, url in entry.files.items()]
    read: dict[str, Callable[..., Parts]] = {
        "citeseer_directed": _citeseer,
        "telegram": _telegram,
        "blogcatalog": _blogcatalog,
    }
    graph, arrays, splits, num_classes = read.get(entry.name, _filtered)(*paths)
    return Dataset(
        name=entry.name,
        task=entry.task,
        content=graph,
        arrays=arrays,
        splits=splits,
        num_classes=num_classes,
        metric=entry.metric,
        card={"source": entry.source, "licence": entry.licence, "split": family},
    )


def _file(entry: Entry, root: Path, name: str, url: str | None, offline: bool) -> Path:
    for folder in (root / entry.collection, root / entry.name, root / "raw", root):
        if (folder / name).is_file():
            return folder / name
    if url is None:
        raise DownloadError(
            f"{name} must lie in {root / entry.name}, and is not there; there is no address to "
            f"get it from ({entry.source})"
        )
    return fetch(
        url, root / entry.name, name=name, sha256=sha256_of(entry.name, name), offline=offline
    )


def _citeseer(path: Path) -> Parts:
    with np.load(path, allow_pickle=False) as stored:
        adjacency, features = (
            sp.csr_array(
                tuple(stored[f"{key}_{part}"] for part in ("data", "indices", "indptr")),
                shape=tuple(stored[f"{key}_shape"]),
            )
            for key in ("adj", "attr")
        )
        labels = stored["labels"].astype(np.int64)
    adjacency.data[:] = 1.0
    x = features.toarray().astype(np.float32)
    return from_scipy(adjacency, directed=True), {"x": x, "y": labels}, per_class(labels), 6


def _telegram(adjacency: Path, labels: Path) -> Parts:
    y = np.load(labels, allow_pickle=False).astype(np.int64)
    graph = from_scipy(sp.load_npz(adjacency), directed=True)
    return graph, {"y": y}, by_fraction(len(y)), int(y.max()) + 1


def _filtered(path: Path) -> Parts:
    with np.load(path, allow_pickle=False) as stored:
        x, y = stored["node_features"], stored["node_labels"].astype(np.int64)
        edges = stored["edges"]
        masks = [stored[f"{part}_masks"].T for part in ("train", "val", "test")]
    graph = from_edge_index(np.ascontiguousarray(edges.T), num_nodes=len(y), directed=True)
    if not path.stem.endswith("_directed"):
        graph = graph.symmetrize()  # the undirected copies store each edge once
    return graph, {"x": x, "y": y}, from_masks("stored", *masks), int(y.max()) + 1


def _blogcatalog(path: Path) -> Parts:
    import scipy.io

    stored = scipy.io.loadmat(path)
    y = stored["group"].toarray().astype(np.int64)
    return from_scipy(stored["network"], directed=False), {"y": y}, (), y.shape[1]
