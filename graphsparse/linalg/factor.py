"""Sparse factorisation of a Laplacian: solves and exact resistances."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.graph import Graph, format_bytes
from graphsparse.linalg.components import component_labels, grounded_nodes
from graphsparse.linalg.conductance import conductances

Array = np.ndarray[Any, np.dtype[Any]]
MAX_BYTES = 4 * 2**30  # of a factor, unless the caller allows more
_ENTRY_BYTES = 12


@dataclasses.dataclass(frozen=True, eq=False)
class FactorPlan:
    """Elimination order of a grounded Laplacian, and what the factorisation will take.

    Attributes
    ----------
    graph : Graph
        Simple, float64 weights.
    grounded : array of bool, shape (n,)
        One node per component, whose row and column are left out: the solution is 0 there.
    order : array of int32, shape (n - c,)
        Nodes in the order of elimination.
    parent : array of int32, shape (n - c,)
        Elimination tree, by position; -1 at a root.
    counts : array of int64, shape (n - c,)
        Entries below the diagonal in each column of the factor; empty where the plan is too large.
    nbytes : int
        Memory of the factor (a close upper bound).
    operations : float
        Multiplications of the factorisation; inf where the plan is too large.
    """

    graph: Graph
    grounded: Array
    order: Array
    parent: Array
    counts: Array
    nbytes: int
    operations: float


@dataclasses.dataclass(frozen=True, eq=False)
class LaplacianFactor:
    """``L D L'`` of a grounded Laplacian.  Made by :func:`factorize`."""

    plan: FactorPlan
    _ptr: Array
    _rows: Array
    _values: Array
    _diagonal: Array

    @property
    def nnz(self) -> int:
        """Entries of the factor below the diagonal."""
        return len(self._rows)

    def solve(self, b: Array) -> Array:
        """Return ``x`` with ``L x = b``, zero at the grounded nodes.

        Parameters
        ----------
        b : array of float, shape (n,) or (n, k)
            In each component it must sum to zero for ``L x = b`` to hold at the grounded node.
        """
        factor = (self._ptr, self._rows, self._values, self._diagonal)
        return solve_factored(self.plan.graph.num_nodes, self.plan.order, factor, b)

    def resistances(self, u: Array, v: Array) -> Array:
        """Return the effective resistance of node pairs that lie in one component each.

        Exact to rounding.  A pair costs the columns of the factor on the paths from its ends to
        the root of the elimination tree.
        """
        position = self._positions()
        found: Array = native.ldl_resistances(
            self._ptr, self._rows, self._values, self._diagonal, self.plan.parent, position[u],
            position[v], requested_threads(),
        )  # fmt: skip
        return found

    def edge_resistances(self) -> Array:
        """Return the effective resistance of every edge of the graph, shape (m,).

        All at once, from the entries of the inverse where the factor has entries: 2-4 times the
        work of the factorisation.  Absolute error about 1e-16 of the largest potential.
        """
        position = self._positions()
        u, v = self.plan.graph.edges()
        found: Array = native.ldl_edge_resistances(
            self._ptr, self._rows, self._values, self._diagonal, position[u], position[v]
        )
        return found

    def _positions(self) -> Array:
        position = np.full(self.plan.graph.num_nodes, -1, np.int32)
        position[self.plan.order] = np.arange(len(self.plan.order), dtype=np.int32)
        return position


def solve_factored(
    num_nodes: int, order: Array, factor: tuple[Array, Array, Array, Array], b: Array
) -> Array:
    """Return the solution of a factored grounded system, 0 at nodes that are not in ``order``.

    Parameters
    ----------
    num_nodes : int
        ``n``.
    order : array of int32, shape (rows,)
        Node of each row.
    factor : tuple of arrays
        ``ptr, rows, values, diagonal``: unit lower triangle by columns, and the pivots.
    b : array of float, shape (n,) or (n, k)
        Right-hand sides.
    """
    right = np.ascontiguousarray(b, np.float64)
    if right.ndim not in (1, 2) or right.shape[0] != num_nodes:
        raise ValueError(f"b must have shape ({num_nodes},) or ({num_nodes}, k), got {right.shape}")
    width = 1 if right.ndim == 1 else right.shape[1]
    x: Array = native.ldl_solve(*factor, order, right.ravel(), width, requested_threads())
    return x.reshape(right.shape)


def plan_factor(graph: Graph, max_bytes: int = MAX_BYTES) -> FactorPlan:
    """Return the elimination order of a simple graph with float64 weights, factor not made yet.

    Parameters
    ----------
    graph : Graph
        As :func:`graphsparse.linalg.conductance.conductances` returns it.
    max_bytes : int
        A plan above it is not worked out further than its size.
    """
    grounded = grounded_nodes(graph, *component_labels(graph))
    limit = max_bytes / _ENTRY_BYTES
    order, parent, counts, fill = native.elimination_order(
        graph.indptr, graph.indices, grounded, limit
    )
    made = fill <= limit
    operations = float((counts.astype(np.float64) ** 2).sum()) if made else np.inf
    entries = int(counts.sum()) if made else int(fill)
    return FactorPlan(graph, grounded, order, parent, counts, entries * _ENTRY_BYTES, operations)


def factorize(graph: Graph | FactorPlan, *, max_bytes: int = MAX_BYTES) -> LaplacianFactor:
    """Return the sparse factor of the Laplacian of a graph.

    Parameters
    ----------
    graph : Graph
        Undirected, positive weights; any number of components.  Or a plan made before.
    max_bytes : int
        Largest factor that may be made.

    Returns
    -------
    LaplacianFactor
        For solves and exact resistances.

    Raises
    ------
    ValueError
        If the factor would need more than ``max_bytes``; the message holds the figure.

    Notes
    -----
    One node of each component is grounded.  Approximate minimum degree order; leaves first.  For
    a tree with a few per cent of further edges the factor has 2-4 entries per node, for a planar
    mesh O(n log n); for an expander O(n^2).

    Examples
    --------
    >>> path = Graph.from_edges([(0, 1), (1, 2)])
    >>> factor = factorize(path)
    >>> factor.resistances(np.array([0]), np.array([2]))
    array([2.])
    """
    plan = graph if isinstance(graph, FactorPlan) else plan_factor(conductances(graph), max_bytes)
    if plan.nbytes > max_bytes or not np.isfinite(plan.operations):
        raise ValueError(
            f"the factor of this Laplacian would need about {format_bytes(plan.nbytes)}, more "
            f"than max_bytes={max_bytes} ({format_bytes(max_bytes)}); use an iterative method"
        )
    g = plan.graph
    ptr = np.zeros(len(plan.order) + 1, np.int64)
    np.cumsum(plan.counts, out=ptr[1:])
    rows, values, diagonal, bad = native.ldl_factor(
        g.indptr, g.indices, g.weights, plan.order, plan.parent, ptr
    )
    if bad >= 0:
        raise ValueError(
            f"the Laplacian is singular to working precision at node {bad}: its weights differ "
            "by more than 16 orders of magnitude"
        )
    return LaplacianFactor(plan, ptr, rows, values, diagonal)
