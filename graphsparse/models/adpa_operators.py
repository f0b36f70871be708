"""The six directed patterns as sparse products in sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.graph import Graph

Array = np.ndarray[Any, np.dtype[Any]]

# Factors from left to right: "+" is A, "-" its transpose.
FACTORS = {"A": "+", "AT": "-", "AA": "++", "AAT": "+-", "ATA": "-+", "ATAT": "--"}
_TURN = {"+": "-", "-": "+"}


class Operators:
    """The patterns of a digraph as products of its arcs; none is ever formed.

    Parameters
    ----------
    graph : Graph
        Self-loops are left out and parallel arcs merged by sum; weights must not be negative.
    dtype : numpy dtype
        float32 or float64.
    """

    def __init__(self, graph: Graph, dtype: Any = np.float32) -> None:
        if graph.num_nodes > 2**31 - 1:
            raise ValueError(f"graph must have fewer than 2^31 nodes, got {graph.num_nodes}")
        simple = graph.without_self_loops().coalesce("sum")
        if simple.weights is not None and len(simple.weights) and simple.weights.min() < 0:
            arc = int(np.argmin(simple.weights))
            raise ValueError(
                f"graph must have weights that are not negative, got {simple.weights[arc]} "
                f"at arc {arc}"
            )
        self.num_nodes, self.dtype = graph.num_nodes, np.dtype(dtype)
        self.num_arcs = simple.num_arcs
        self.symmetric = not graph.directed or simple.is_symmetric()
        self._sides = {"+": self._values(simple), "-": self._values(simple.reverse())}

    def _values(self, graph: Graph) -> tuple[Array, Array, Array]:
        ones = np.ones(graph.num_arcs) if graph.weights is None else graph.weights
        return graph.indptr, graph.indices.astype(np.int32, copy=False), ones.astype(self.dtype)

    def step(self, side: str, x: Array, loops: float = 0.0, out: Array | None = None) -> Array:
        """Return ``A x`` or ``A' x`` plus ``loops * x``, for x of shape (n, width)."""
        result = np.empty_like(x) if out is None else out
        native.spmm(*self._sides[side], x, result, loops, False, requested_threads())
        return result

    def apply(self, pattern: str, x: Array, spare: Array) -> tuple[Array, Array]:
        """Return ``Q x`` and the array that is free then; patterns of one step have self-loops.

        Both ``x`` and ``spare``, of its shape, are overwritten.
        """
        factors = FACTORS[pattern]
        if len(factors) == 1:
            return self.step(factors, x, 1.0, spare), x
        return self.step(factors[0], self.step(factors[1], x, out=spare), out=x), spare

    def sums(self, pattern: str) -> tuple[Array, Array]:
        """Return the row and column sums of ``Q``, float64 of shape (n,)."""
        ones, factors = np.ones(self.num_nodes), FACTORS[pattern]
        turned = "".join(_TURN[f] for f in reversed(factors))
        return self._row_sums(factors, ones), self._row_sums(turned, ones)

    def _row_sums(self, factors: str, ones: Array) -> Array:
        total = ones
        for side in reversed(factors):
            total = self._weighted_degree(side, total)
        return total + 1.0 if len(factors) == 1 else total

    def _weighted_degree(self, side: str, x: Array) -> Array:
        indptr, indices, values = self._sides[side]
        out, column = np.empty((self.num_nodes, 1)), np.ascontiguousarray(x[:, None])
        wide = values.astype(np.float64, copy=False)
        native.spmm(indptr, indices, wide, column, out, 0.0, False, requested_threads())
        flat: Array = out[:, 0]
        return flat
