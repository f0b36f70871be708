"""What a run on edge-dependent node labels needs: structure, features, encoding, labels, rows."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphsparse.checks import check_choice, check_count
from graphsparse.datasets import load_dataset
from graphsparse.graph import Graph, Hypergraph
from graphsparse.io import LabelledHypergraph, is_enc_folder, read_enc
from graphsparse.operators.centrality import centralities, star_expansion, within_order_pe
from graphsparse.operators.fastrp import fastrp
from graphsparse.operators.hypergraph_walks import hypergraph_walk_features

Array = np.ndarray[Any, np.dtype[Any]]
FEATURES = ("fastrp", "walks", "random")


@dataclasses.dataclass(frozen=True, eq=False)
class IncidenceTask:
    """Edge-dependent node classification on one hypergraph.

    Parameters
    ----------
    data : LabelledHypergraph
        Structure, labels and split.
    x : Tensor, shape (N, f)
        Node features.
    pe : Tensor, shape (n, k), optional
        Positional encoding of the incidences.
    """

    data: LabelledHypergraph
    x: Tensor
    pe: Tensor | None = None

    @property
    def hypergraph(self) -> Hypergraph:
        """The structure."""
        return self.data.hypergraph

    @property
    def num_classes(self) -> int:
        """Largest label + 1."""
        return self.data.num_classes

    @cached_property
    def y(self) -> Tensor:
        """Labels of the incidences, int64 of shape (n,)."""
        return torch.tensor(self.data.y)

    def rows(self, part: str) -> Tensor:
        """Return the labelled incidences of ``"train"``, ``"val"`` or ``"test"``."""
        return torch.from_numpy(self.data.rows(part))


def load_incidence_task(
    name: str,
    *,
    root: str | Path | None = None,
    features: str = "fastrp",
    dim: int = 44,
    pe: bool = True,
    seed: int = 0,
) -> IncidenceTask:
    """Load a bundled set, or a folder with ``hypergraph.txt``, with features and encoding.

    Parameters
    ----------
    name : str
        A folder, below ``root`` if that is given, else a data set by name.
    features : {"fastrp", "walks", "random"}
        FastRP vectors of the star expansion, skip-gram vectors of second-order walks, or normal
        numbers.
    dim : int
        Columns of the features.
    pe : bool
        Compute the four centralities and the ranks they give.
    seed : int
        Of the features and of the members' order.
    """
    check_choice("features", features, FEATURES)
    data = _read(name, root, seed)
    encoding = None
    if pe:
        ranks = within_order_pe(data.hypergraph, centralities(data.hypergraph))
        encoding = torch.from_numpy(ranks).float()
    x = node_features(data.hypergraph, features, check_count("dim", dim, low=1), seed)
    return IncidenceTask(data, x, encoding)


def node_features(hypergraph: Hypergraph, kind: str, dim: int, seed: int) -> Tensor:
    """Return standardised features of all nodes, float32 of shape (N, dim)."""
    if kind == "random":
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(hypergraph.num_nodes, dim, generator=generator)
    if kind == "walks":
        vectors = hypergraph_walk_features(hypergraph, dim, seed=seed)
    else:
        u, v, count = star_expansion(hypergraph)
        star = Graph.from_edges((u, v), num_nodes=count)
        vectors = fastrp(star, dim, weights=(0.0, 1.0, 0.0, 1.0), self_influence=0.5, seed=seed)
    x = torch.from_numpy(np.ascontiguousarray(vectors[: hypergraph.num_nodes]))
    spread = x.std(dim=0, unbiased=False)
    return (x - x.mean(dim=0)) / torch.where(spread == 0, torch.ones_like(spread), spread)


def _read(name: str, root: str | Path | None, seed: int) -> LabelledHypergraph:
    folder = Path(name) if root is None else Path(root).expanduser() / name
    if is_enc_folder(folder):
        return read_enc(folder, seed=seed)
    dataset = load_dataset(name, root=root)
    if not isinstance(dataset.content, Hypergraph) or "y" not in dataset.arrays:
        raise ValueError(
            f"data.name must be a folder with hypergraph.txt or a labelled hypergraph, got {name!r}"
        )
    part = np.full(dataset.content.num_hyperedges, -1, np.int64)
    for code, piece in enumerate(("train", "val", "test")):
        part[dataset.splits[0].mask(piece, len(part))] = code
    whole = LabelledHypergraph(dataset.content, dataset.arrays["y"].astype(np.int64), part)
    return whole.shuffle_within(seed)
