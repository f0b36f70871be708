"""The adjacency of a sampled batch: the whole graph's normalisation on the arcs that were drawn."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch

from graphsparse.graph import Graph
from graphsparse.models.adjacency import Adjacency
from graphsparse.models.layers import Features
from graphsparse.models.sparse import Pattern, SparseMatrix
from graphsparse.operators.neighbor_sampling import NeighborSample, NeighborTable

Array = np.ndarray[Any, np.dtype[Any]]


class SampledAdjacency(Adjacency):
    """What a batch of nodes receives from the arcs that were drawn for it.

    Parameters
    ----------
    whole : Adjacency
        The graph that was drawn from, by the table of :func:`table_of`.
    sample : NeighborSample
        Of that table, in one piece (no disjoint trees).
    kept : array of bool, shape (arcs,), optional
        Arcs of the sample that are used; all when left out.

    Notes
    -----
    Sums over a row are scaled by its degree over the arcs drawn, so that they are right in the
    mean; means are over the arcs drawn.  With fan-outs of -1 every row of the seeds equals that of
    the whole graph: ``gcn`` takes the degrees of the whole graph, not those of the batch.
    """

    def __init__(self, whole: Adjacency, sample: NeighborSample, kept: Array | None = None) -> None:
        if sample.trees is not None:
            raise ValueError("sample must not have disjoint trees, got some")
        self.device, self._whole, self._sample = whole.device, whole, sample
        keep = slice(None) if kept is None else kept
        self.sources, self._targets = sample.row[keep], sample.col[keep]
        self._entries = sample.entries[keep]
        self._looped = None
        self._cache = {}
        ends = np.cumsum(np.bincount(self._targets, minlength=len(sample.nodes)))
        indptr = np.concatenate([[0], ends]).astype(np.int64)
        self.pattern = Pattern(indptr, self.sources.astype(np.int32), len(sample.nodes))
        self._weights = whole.pattern_weights[self._entries]

    @cached_property
    def graph(self) -> Graph:  # type: ignore[override]
        """The arcs drawn, as a directed graph on the nodes of the batch."""
        weights = None if self._whole.graph.weights is None else self._weights
        ends, n = (self.sources, self._targets), len(self._sample.nodes)
        return Graph.from_edges(ends, num_nodes=n, weights=weights, directed=True)

    @property
    def num_nodes(self) -> int:
        """Number of nodes of the batch."""
        return len(self._sample.nodes)

    @property
    def num_seeds(self) -> int:
        """Nodes that the batch is about; they are the first ones."""
        return self._sample.nodes_of_hop[0]

    def layer(self, at: int, layers: int) -> Adjacency:
        """Return what the layer ``at`` of ``layers`` reads: only nodes that later ones need."""
        hops = self._sample.nodes_of_hop
        if layers != len(hops) - 1:
            raise ValueError(
                f"a network of {layers} layers needs {layers} fan-outs, got {len(hops) - 1}"
            )
        return _Layer(self, sum(hops[: layers - at]), sum(hops[: layers - at + 1]))

    @cached_property
    def _scale(self) -> Array:
        """Degree in the whole graph over the arcs drawn, of every row; 1 where none were drawn."""
        degree = np.diff(self._whole.pattern.indptr)[self._sample.nodes]
        drawn = np.diff(self.pattern.indptr)
        return np.divide(degree, drawn, out=np.ones(len(drawn)), where=drawn > 0)

    def _sum_values(self) -> tuple[Pattern, Array]:
        return self.pattern, self._weights * self._scale[self._targets]

    def _gcn_values(self) -> tuple[Pattern, Array]:
        pattern, weights, entry = self._with_loops()
        rows = pattern.rows()
        factor = np.where(entry >= 0, self._scale[rows], 1.0)
        root = self._whole.gcn_roots[self._sample.nodes]
        values = weights * factor * (root[rows] * root[pattern.indices])
        return pattern, values

    def _loop_weights(self) -> Array:
        return self._whole.loop_weights[self._sample.nodes]


class _Layer(Adjacency):
    """The first rows of a batch's matrices, on the nodes that these rows read."""

    def __init__(self, batch: SampledAdjacency, rows: int, cols: int) -> None:
        self.device, self._batch = batch.device, batch
        self._rows, self._cols = rows, cols
        self._cache = {}

    def _cut(self, matrix: SparseMatrix) -> SparseMatrix:
        pattern = matrix.pattern
        end = int(pattern.indptr[self._rows])
        cut = Pattern(pattern.indptr[: self._rows + 1], pattern.indices[:end], self._cols)
        return SparseMatrix(cut, matrix.values[:end])

    def sum(self, dtype: torch.dtype = torch.float32) -> SparseMatrix:
        """Return the rows of the adjacency."""
        return self._cut(self._batch.sum(dtype))

    def mean(self, dtype: torch.dtype = torch.float32) -> SparseMatrix:
        """Return the rows of the means."""
        return self._cut(self._batch.mean(dtype))

    def gcn(self, dtype: torch.dtype = torch.float32) -> SparseMatrix:
        """Return the rows of the normalised adjacency."""
        return self._cut(self._batch.gcn(dtype))

    @property
    def num_nodes(self) -> int:
        """Rows."""
        return self._rows


def table_of(adjacency: Adjacency) -> NeighborTable:
    """Return the table to draw an adjacency's rows from: its entries, all equally likely.

    Parameters
    ----------
    adjacency : Adjacency
        Of a whole graph.
    """
    pattern = adjacency.pattern
    arcs = np.arange(pattern.nnz, dtype=np.int64)
    return NeighborTable(pattern.indptr, pattern.indices, arcs, None, False, None, None)


def part_of(sample: NeighborSample, start: int, stop: int) -> NeighborSample:
    """Return what a sample holds for the seeds ``start:stop``, with the arcs that were drawn.

    Parameters
    ----------
    sample : NeighborSample
        Of a table of :func:`table_of`, in one piece.
    start, stop : int
        Places of the seeds.
    """
    ends = np.cumsum(np.bincount(sample.col, minlength=len(sample.nodes)))
    indptr = np.concatenate([[0], ends]).astype(np.int64)  # arcs are in the order of their targets
    place = np.full(len(sample.nodes), -1, np.int64)
    hops, arcs, count = [np.arange(start, stop)], [np.zeros(0, np.int64)], 0
    for _ in sample.arcs_of_hop:
        place[hops[-1]] = np.arange(count, count + len(hops[-1]))
        count += len(hops[-1])
        arcs.append(members_of(indptr, hops[-1]))
        reached = sample.row[arcs[-1]]
        fresh, first = np.unique(reached[place[reached] < 0], return_index=True)
        hops.append(fresh[np.argsort(first)])
    place[hops[-1]] = np.arange(count, count + len(hops[-1]))
    took = np.concatenate(arcs)
    return NeighborSample(
        sample.nodes[np.concatenate(hops)],
        None,
        place[sample.row[took]],
        place[sample.col[took]],
        sample.entries[took],
        sample.arcs[took],
        [len(hop) for hop in hops],
        [len(hop) for hop in arcs[1:]],
    )


def members_of(indptr: Array, rows: Array) -> Array:
    """Return the entries of some rows, one row after another."""
    sizes = indptr[rows + 1] - indptr[rows]
    before = np.cumsum(sizes) - sizes
    return np.arange(sizes.sum()) + np.repeat(indptr[rows] - before, sizes)


def rows_of(x: Features, ids: Array) -> Features:
    """Return some rows (int64 ids) of dense or sparse features."""
    return x.select_rows(ids) if isinstance(x, SparseMatrix) else x[torch.from_numpy(ids)]
