"""Approximate factor of a Laplacian by sampled elimination: a preconditioner without fill."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.backend import native
from graphsparse.graph import Graph
from graphsparse.linalg.factor import solve_factored

Array = np.ndarray[Any, np.dtype[Any]]
ELIMINATION = 22  # domain of random numbers, see graphsparse.rng


@dataclasses.dataclass(frozen=True, eq=False)
class ApproximateFactor:
    """``L D L'`` close to a Laplacian.  Made by :func:`approximate_factor`.

    Attributes
    ----------
    num_nodes : int
        Nodes of the graph.
    order : array of int32
        Nodes in the order of elimination; the last one of each component is grounded.
    ptr, rows, values, diagonal : arrays
        Unit lower triangle by columns, and the pivots.
    """

    num_nodes: int
    order: Array
    ptr: Array
    rows: Array
    values: Array
    diagonal: Array

    @property
    def nnz(self) -> int:
        """Entries below the diagonal."""
        return len(self.rows)

    def solve(self, b: Array) -> Array:
        """Return the approximate solution for ``b`` of shape (n,) or (n, k)."""
        factor = (self.ptr, self.rows, self.values, self.diagonal)
        return solve_factored(self.num_nodes, self.order, factor, b)


def approximate_factor(graph: Graph, seed: int = 0) -> ApproximateFactor:
    """Return an approximate factor of the Laplacian of a graph.

    Parameters
    ----------
    graph : Graph
        Simple, float64 weights, as :func:`graphsparse.linalg.conductance.conductances` returns it.
    seed : int
        Same seed, same factor.

    Notes
    -----
    Nodes go by degree, smallest first.  The clique that elimination leaves on ``d`` neighbours is
    replaced by ``d - 1`` edges with that clique as their expectation, so the number of edges never
    grows: O(m log n) time, 2-6 entries per edge.  As a preconditioner it takes 13-41 steps of
    conjugate gradients to 1e-8 on meshes, random and scale-free graphs of 10^5 to 10^6 nodes.

    References
    ----------
    R. Kyng, S. Sachdeva, Approximate Gaussian elimination for Laplacians, FOCS 2016,
    arXiv:1605.02353; Y. Gao, R. Kyng, D. Spielman, arXiv:2303.00709.
    """
    parts = native.approximate_factor(graph.indptr, graph.indices, graph.weights, seed, ELIMINATION)
    return ApproximateFactor(graph.num_nodes, *parts)
