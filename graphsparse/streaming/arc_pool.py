"""Rows of arcs that change: a CSR with room, whose kernels are those of a CSR."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.graph import Graph

Array = np.ndarray[Any, np.dtype[Any]]


class ArcPool:
    """Sorted rows in one pool of arcs; a row that outgrows its place moves to the end.

    Parameters
    ----------
    graph : Graph
        Without parallel arcs.
    dtype : str
        Type of the weights.

    Attributes
    ----------
    begin, end : array of int64, shape (n,)
        Row ``u`` is ``indices[begin[u]:end[u]]``.
    indices, values : array
        Heads and weights; beyond rows lie old ones.
    num_arcs : int
        Arcs in rows.
    """

    def __init__(self, graph: Graph, dtype: str) -> None:
        self.begin, self.end = graph.indptr[:-1].copy(), graph.indptr[1:].copy()
        self._limit = self.end.copy()  # where the room of each row ends
        self.num_arcs = self._top = graph.num_arcs
        room = self._top + self._top // 8 + 64
        self.indices = np.zeros(room, graph.indices.dtype)
        self.values = np.zeros(room, dtype)
        self.indices[: self._top] = graph.indices
        self.values[: self._top] = 1.0 if graph.weights is None else graph.weights

    def add_rows(self, count: int) -> None:
        """Add empty rows at the end."""
        more = np.full(count, self._top, self.begin.dtype)
        self.begin = np.concatenate((self.begin, more))
        self.end = np.concatenate((self.end, more))
        self._limit = np.concatenate((self._limit, more))

    def positions(self, rows: Array) -> tuple[Array, Array]:
        """Return where the arcs of some rows are, row after row, and how many each has."""
        sizes = self.end[rows] - self.begin[rows]
        first = np.cumsum(sizes) - sizes
        at: Array = np.arange(int(sizes.sum())) + np.repeat(self.begin[rows] - first, sizes)
        return at, sizes

    def weight(self, u: int, v: int) -> float:
        """Return the weight of the arc from ``u`` to ``v``, 0 if there is none."""
        begin, end = self.begin[u], self.end[u]
        at = begin + np.searchsorted(self.indices[begin:end], v)
        return float(self.values[at]) if at < end and self.indices[at] == v else 0.0

    def set_row(self, u: int, heads: Array, weights: Array) -> None:
        """Set the weights of the arcs from ``u`` to ``heads``; 0 removes an arc."""
        begin, end = int(self.begin[u]), int(self.end[u])
        stay = ~np.isin(self.indices[begin:end], heads)
        new = weights != 0
        columns = np.concatenate((self.indices[begin:end][stay], heads[new]))
        values = np.concatenate((self.values[begin:end][stay], weights[new]))
        order = np.argsort(columns, kind="stable")
        size = len(columns)
        self.num_arcs += size - (end - begin)
        if size > self._limit[u] - begin:
            begin = self._move(u, size)
        self.indices[begin : begin + size] = columns[order]
        self.values[begin : begin + size] = values[order]
        self.end[u] = begin + size

    def _move(self, u: int, size: int) -> int:
        """Give row ``u`` a place at the end with room to grow; return where it starts."""
        room = size + size // 2 + 4
        if self._top + room > len(self.indices):
            more = max(room, len(self.indices) // 4)
            self.indices = np.concatenate((self.indices, np.zeros(more, self.indices.dtype)))
            self.values = np.concatenate((self.values, np.zeros(more, self.values.dtype)))
        start = self._top
        self._top += room
        self.begin[u], self._limit[u] = start, start + room
        return start

    def graph(self, directed: bool) -> Graph:
        """Return the graph as it is now."""
        sizes = self.end - self.begin
        indptr = np.zeros(len(sizes) + 1, np.int64)
        np.cumsum(sizes, out=indptr[1:])
        at = np.arange(indptr[-1]) + np.repeat(self.begin - indptr[:-1], sizes)
        values = self.values[at]
        weights = None if (values == 1).all() else values
        return Graph._trusted(indptr, self.indices[at], weights, directed)
