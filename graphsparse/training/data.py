"""What a node-classification run needs: features, labels, splits and the graph."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphsparse.graph import Graph
from graphsparse.models.adjacency import Adjacency
from graphsparse.models.layers import Features
from graphsparse.models.sparse import SparseMatrix

SPARSE_BELOW = 0.1  # density of features below which the sparse product is the faster one


@dataclasses.dataclass(frozen=True, eq=False)
class NodeData:
    """A graph with node features, labels and splits.

    Parameters
    ----------
    graph : Graph
        ``n`` nodes.
    x : Tensor or SparseMatrix, shape (n, features)
        Node features.
    y : Tensor of int64, shape (n,)
        Class of each node; entries outside the splits are never read.
    train, val, test : Tensor of int64
        Node ids of each split.
    num_classes : int
        Number of classes.
    """

    graph: Graph
    x: Features
    y: Tensor
    train: Tensor
    val: Tensor
    test: Tensor
    num_classes: int

    def __post_init__(self) -> None:
        n = self.graph.num_nodes
        if self.x.shape[0] != n or self.y.shape != (n,):
            raise ValueError(
                f"x and y must have {n} rows, as the graph has nodes, "
                f"got shapes {tuple(self.x.shape)} and {tuple(self.y.shape)}"
            )
        for name in ("train", "val", "test"):
            ids = getattr(self, name)
            if ids.dtype != torch.int64 or ids.dim() != 1:
                raise TypeError(
                    f"{name} must hold node ids (int64, 1-D), got {ids.dtype} {ids.shape}"
                )
            if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < n:
                bad = int(ids.min()) if int(ids.min()) < 0 else int(ids.max())
                raise ValueError(f"{name} must hold node ids in [0, {n}), got {bad}")

    @classmethod
    def from_pyg(
        cls, data: Any, *, split: int = 0, normalize: bool = True, graph: Graph | None = None
    ) -> NodeData:
        """Build from a PyG ``Data`` with ``x``, ``y`` and the three masks.

        Parameters
        ----------
        data : torch_geometric.data.Data
            A symmetric ``edge_index`` becomes an undirected graph, else a directed one.
        split : int
            Column of the masks, where they have several.
        normalize : bool
            Divide each row of the features by its sum (rows of zeros stay).
        graph : Graph, optional
            Take this graph instead of ``data.edge_index``.
        """
        if graph is None:
            graph = Adjacency.from_edge_index(data.edge_index, int(data.num_nodes)).graph
        x = data.x.to(torch.float32)
        if normalize:
            x = row_normalized(x)
        masks = {name: getattr(data, f"{name}_mask") for name in ("train", "val", "test")}
        ids = {
            name: (mask if mask.dim() == 1 else mask[:, split]).nonzero()[:, 0]
            for name, mask in masks.items()
        }
        y = data.y.view(-1)
        return cls(graph, sparse_if_worth(x), y, **ids, num_classes=int(y.max()) + 1)

    @cached_property
    def adjacency(self) -> Adjacency:
        """The adjacency of the graph, on the device of the labels."""
        return Adjacency(self.graph, self.y.device)

    def with_graph(self, graph: Graph) -> NodeData:
        """Return the same task on another graph of the same nodes."""
        return dataclasses.replace(self, graph=graph)

    def to(self, device: torch.device | str) -> NodeData:
        """Return the task with its tensors on ``device``."""
        moved = {
            name: getattr(self, name).to(device) for name in ("x", "y", "train", "val", "test")
        }
        return dataclasses.replace(self, **moved)


def row_normalized(x: Tensor) -> Tensor:
    """Return ``x`` with rows that sum to one; rows whose sum is 0 stay as they are."""
    total = x.sum(dim=1, keepdim=True)
    return x / torch.where(total == 0, torch.ones_like(total), total)


def degree_features(edge_index: Tensor, num_nodes: int) -> Tensor:
    """Return 1 and ``log(1 + in-degree)`` of every node, shape (num_nodes, 2).

    Parameters
    ----------
    edge_index : Tensor of int64, shape (2, arcs)
        Sources, targets.
    num_nodes : int
        Number of nodes.
    """
    degree = torch.bincount(edge_index[1], minlength=num_nodes).to(torch.float32)
    return torch.stack([torch.ones_like(degree), degree.log1p()], dim=1)


def sparse_if_worth(x: Tensor) -> Features:
    """Return ``x`` as a sparse matrix if fewer than a tenth of its entries are not zero.

    Of more than 2^28 entries a part of the rows is looked at: they may lie in a mapped file.
    """
    rows = x[:: max(x.numel() >> 28, 1)]
    filled = int(np.count_nonzero(rows.numpy())) if x.device.type == "cpu" else (rows != 0).sum()
    return SparseMatrix.from_dense(x) if filled < SPARSE_BELOW * rows.numel() else x
