"""The adjacency that graph layers share: one CSR pattern, each normalisation made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphsparse.graph import Graph
from graphsparse.models.sparse import Pattern, ScaledMatrix, SparseMatrix

Array = np.ndarray[Any, np.dtype[Any]]


class Adjacency:
    """Adjacency of a graph with cached normalisations and transposes.

    Row ``i`` holds the sources of the messages that node ``i`` receives: an arc ``u -> v`` of a
    directed graph carries a message from ``u`` to ``v``.

    Parameters
    ----------
    graph : Graph
        Weights, if any, enter the ``sum``, ``mean`` and ``gcn`` forms.
    device : torch.device or str, optional
        Where the matrices live; left out, where the graph does.

    Examples
    --------
    >>> path = Adjacency(Graph.from_edges([(0, 1), (1, 2)], num_nodes=3))
    >>> path.mean().to_dense()[1].tolist()
    [0.5, 0.0, 0.5]
    """

    def __init__(self, graph: Graph, device: torch.device | str | None = None) -> None:
        if graph.num_nodes > 2**31 - 1:
            raise ValueError(f"graph must have fewer than 2^31 nodes, got {graph.num_nodes}")
        self.device = torch.device(graph.device if device is None else device)
        self.graph = graph = graph.to("cpu")
        incoming = graph.reverse()
        self.pattern = Pattern(
            incoming.indptr,
            incoming.indices.astype(np.int32, copy=False),
            graph.num_nodes,
            symmetric=not graph.directed,
        )
        weights = incoming.weights
        self._weights = np.ones(self.pattern.nnz) if weights is None else weights.astype(np.float64)
        self._looped: tuple[Pattern, Array, Array] | None = None
        self._cache: dict[tuple[str, torch.dtype], SparseMatrix] = {}

    @classmethod
    def from_edge_index(
        cls, edge_index: Tensor, num_nodes: int, device: torch.device | str = "cpu"
    ) -> Adjacency:
        """Build from a PyG ``edge_index``, int64 of shape (2, arcs), sources in row 0."""
        source, target = edge_index.cpu().numpy()
        graph = Graph.from_edges((source, target), num_nodes=num_nodes, directed=True)
        if graph.is_symmetric():
            graph = Graph(graph.indptr, graph.indices)
        return cls(graph, device)

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return self.graph.num_nodes

    def layer(self, at: int, layers: int) -> Adjacency:
        """Return what the layer ``at`` of ``layers`` reads: of a whole graph always everything."""
        del at, layers
        return self

    def sum(self, dtype: torch.dtype = torch.float32) -> SparseMatrix:
        """Return the adjacency itself."""
        return self._cached("sum", dtype, self._sum_values)

    def mean(self, dtype: torch.dtype = torch.float32) -> SparseMatrix:
        """Return ``D^-1 A``: rows sum to one, or hold nothing."""
        return self._cached("mean", dtype, self._mean_values)

    def gcn(self, dtype: torch.dtype = torch.float32) -> SparseMatrix:
        """Return ``D^-1/2 (A + I) D^-1/2`` with the degrees of ``A + I``.

        A node that has a self-loop already keeps its weight instead of 1.
        """
        return self._cached("gcn", dtype, self._gcn_values)

    def directed(self, dtype: torch.dtype = torch.float32) -> SparseMatrix:
        """Return the incoming arcs scaled by the roots of both degrees: ``(Do^-1/2 A Di^-1/2)'``.

        Its transpose holds the outgoing arcs.
        """
        return self._cached("directed", dtype, self._directed_values)

    def entry_edges(self) -> Array:
        """Return the edge number of every entry of ``pattern``; a self-loop has ``num_edges``."""
        graph = self.graph
        edge = graph.arc_edges()
        if graph.directed:
            out = Pattern(graph.indptr, graph.indices.astype(np.int32), graph.num_nodes)
            edge = edge[out.transpose[1]]
        loops = self.pattern.rows() == self.pattern.indices
        return np.where(loops, graph.num_edges, edge)

    @property
    def pattern_weights(self) -> Array:
        """Weight of every entry of ``pattern``, float64; ones for a graph without weights."""
        return self._weights

    @cached_property
    def gcn_roots(self) -> Array:
        """``D^-1/2`` of the adjacency with self-loops, float64 of shape (n,)."""
        if self.graph.weights is None:  # counts: no pattern with loops has to be made
            indptr, loops = self.pattern.indptr, self.pattern.rows() == self.pattern.indices
            stored = np.bincount(self.pattern.indices[loops], minlength=self.num_nodes)
            degree = np.diff(indptr) - stored + 1.0
        else:
            pattern, weights, _ = self._with_loops()
            degree = _row_sums(pattern, weights)
        roots: Array = 1.0 / np.sqrt(degree)
        return roots

    @cached_property
    def loop_weights(self) -> Array:
        """Weight of each node's self-loop, stored or added, float64 of shape (n,)."""
        return self._loop_weights()

    def with_self_loops(self) -> Pattern:
        """Return the pattern with exactly one self-loop at every node."""
        return self._with_loops()[0]

    def edge_factors(self) -> Tensor | None:
        """Return the factor of every entry of :meth:`with_self_loops`; None stands for ones."""
        return None

    def _cached(
        self, name: str, dtype: torch.dtype, make: Callable[[], tuple[Pattern, Array]]
    ) -> SparseMatrix:
        if (name, dtype) not in self._cache:
            pattern, values = make()
            tensor = torch.from_numpy(values).to(dtype).to(self.device)
            self._cache[name, dtype] = SparseMatrix(pattern, tensor)
        return self._cache[name, dtype]

    def _sum_values(self) -> tuple[Pattern, Array]:
        return self.pattern, self._weights

    def _loop_weights(self) -> Array:
        rows, cols = self.pattern.rows(), self.pattern.indices
        loops = rows == cols
        weight = np.ones(self.num_nodes)
        weight[rows[loops]] = self._weights[loops]
        return weight

    def _mean_values(self) -> tuple[Pattern, Array]:
        total = _row_sums(self.pattern, self._weights)
        return self.pattern, self._weights / total[self.pattern.rows()]

    def _gcn_values(self) -> tuple[Pattern, Array]:
        pattern, weights, _ = self._with_loops()
        root = self.gcn_roots
        return pattern, weights * (root[pattern.rows()] * root[pattern.indices])

    def _directed_values(self) -> tuple[Pattern, Array]:
        rows, cols = self.pattern.rows(), self.pattern.indices
        into = _row_sums(self.pattern, self._weights)
        out = np.bincount(cols, self._weights, minlength=self.num_nodes)
        return self.pattern, self._weights / np.sqrt(into[rows] * out[cols])

    def _with_loops(self) -> tuple[Pattern, Array, Array]:
        """Pattern with a loop everywhere, its weights, the entry of `pattern` or -1 for a loop."""
        if self._looped is None:
            rows, cols, n = self.pattern.rows(), self.pattern.indices, self.num_nodes
            loops, loop_weight = rows == cols, self._loop_weights()
            row = np.concatenate([rows[~loops], np.arange(n)])
            col = np.concatenate([cols[~loops], np.arange(n, dtype=np.int32)])
            weights = np.concatenate([self._weights[~loops], loop_weight])
            entry = np.concatenate([np.flatnonzero(~loops), np.full(n, -1)])
            order = np.lexsort((col, row))
            indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))])
            pattern = Pattern(indptr.astype(np.int64), col[order], n, self.pattern.symmetric)
            self._looped = pattern, weights[order], entry[order]
        return self._looped

    def __repr__(self) -> str:
        return f"Adjacency(num_nodes={self.num_nodes}, num_edges={self.graph.num_edges})"


class MaskedAdjacency(Adjacency):
    """An adjacency whose messages are multiplied by one trainable factor per edge.

    Normalisations are those of the graph without factors.  Self-loops, stored or added, have
    the factor 1.

    Parameters
    ----------
    adjacency : Adjacency
        The graph; what it has cached is shared.
    mask : Tensor, shape (num_edges,)
        Factor of each edge in the order of ``graph.edges()``: both directions of an undirected
        edge have one.
    """

    def __init__(self, adjacency: Adjacency, mask: Tensor) -> None:
        if mask.shape != (adjacency.graph.num_edges,):
            raise ValueError(
                f"mask must have shape ({adjacency.graph.num_edges},), got {tuple(mask.shape)}"
            )
        self.__dict__.update(adjacency.__dict__)
        self._plain, self.mask = adjacency, mask
        edge = adjacency.entry_edges()
        one = torch.ones(1, dtype=mask.dtype, device=mask.device)
        self._factors = torch.cat([mask, one])[torch.from_numpy(edge).to(mask.device)]

    def sum(self, dtype: torch.dtype = torch.float32) -> SparseMatrix:
        """Return the adjacency times the factors."""
        return ScaledMatrix(self._plain.sum(dtype), self._factors)

    def mean(self, dtype: torch.dtype = torch.float32) -> SparseMatrix:
        """Return ``D^-1 A`` times the factors."""
        return ScaledMatrix(self._plain.mean(dtype), self._factors)

    def gcn(self, dtype: torch.dtype = torch.float32) -> SparseMatrix:
        """Return the normalised adjacency times the factors."""
        factors = self.edge_factors()
        return ScaledMatrix(self._plain.gcn(dtype), factors)

    def directed(self, dtype: torch.dtype = torch.float32) -> SparseMatrix:
        """Return the scaled incoming arcs times the factors."""
        return ScaledMatrix(self._plain.directed(dtype), self._factors)

    def edge_factors(self) -> Tensor:
        """Return the factor of every entry of :meth:`with_self_loops`."""
        entry = torch.from_numpy(self._plain._with_loops()[2]).to(self._factors.device)
        one = torch.ones(1, dtype=self._factors.dtype, device=self._factors.device)
        return torch.cat([self._factors, one])[entry]  # -1 is the last one: a loop


def _row_sums(pattern: Pattern, weights: Array) -> Array:
    return np.bincount(pattern.rows(), weights, minlength=pattern.shape[0])
