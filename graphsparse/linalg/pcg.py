"""Conjugate gradients on a Laplacian, preconditioned by the factor of a sparser graph."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from graphsparse.checks import check_count
from graphsparse.errors import GraphsparseError
from graphsparse.graph import Graph
from graphsparse.linalg.approximate import approximate_factor
from graphsparse.linalg.components import component_labels, remove_component_means
from graphsparse.linalg.conductance import conductances
from graphsparse.linalg.factor import MAX_BYTES, LaplacianFactor, factorize, plan_factor
from graphsparse.linalg.products import apply_laplacian, dots
from graphsparse.linalg.tree import recover_edges, spanning_tree

Array = np.ndarray[Any, np.dtype[Any]]
Named = Literal["approximate", "tree"]
Preconditioner = Named | Graph | LaplacianFactor | Callable[[Array], Array] | None
_ALPHAS = (0.1, 0.03, 0.01, 0.0)
_OPERATIONS = 2e9  # of the preconditioner's factorisation
CHEAP_OPERATIONS = 2e10  # of a factorisation that is started unasked: about a quarter of a minute


@dataclasses.dataclass(frozen=True, eq=False)
class PcgResult:
    """Solution of a Laplacian system.

    Attributes
    ----------
    x : array of float64, shape (n,) or (n, k)
        Solution of least norm: it sums to zero in every component.
    iterations : int
        Steps taken.
    residual : float
        Largest ``||b - L x|| / ||b||`` of a column, computed from ``x`` itself.
    converged : bool
        Whether ``residual`` is at most ``tol`` (up to a factor of 2 for rounding).
    """

    x: Array
    iterations: int
    residual: float
    converged: bool


class LaplacianSolver:
    """``L^+ b`` for one graph and many right-hand sides.

    Parameters
    ----------
    graph : Graph
        Simple, float64 weights.
    preconditioner
        As in :func:`pcg`.
    tol, max_iterations, seed
        As in :func:`pcg`.
    """

    def __init__(
        self,
        graph: Graph,
        preconditioner: Preconditioner = "approximate",
        *,
        tol: float = 1e-8,
        max_iterations: int = 1000,
        seed: int = 0,
    ) -> None:
        self.graph = graph
        self.tol = tol
        self.max_iterations = max_iterations
        self._count, self._labels = component_labels(graph)
        self._precondition = _preconditioner(graph, preconditioner, seed)

    def solve(self, b: Array) -> PcgResult:
        """Return the solution for the part of ``b``, shape (n,) or (n, k), that L can reach."""
        right = self._project((b if b.ndim == 2 else b[:, None]).astype(np.float64))
        x, iterations = self._iterate(right)
        x = self._project(x)
        norms = np.sqrt(dots(right, right))
        rest = right - apply_laplacian(self.graph, x)
        ratios = np.sqrt(dots(rest, rest)) / np.where(norms > 0, norms, 1.0)
        residual = float(ratios.max(initial=0.0))
        return PcgResult(x.reshape(b.shape), iterations, residual, residual <= 2 * self.tol)

    def _project(self, x: Array) -> Array:
        return remove_component_means(x, self._count, self._labels)

    def _iterate(self, b: Array) -> tuple[Array, int]:
        x, r = np.zeros_like(b), b.copy()
        goal = self.tol**2 * dots(b, b)
        p = np.zeros_like(b)
        rho = np.ones(b.shape[1])
        for step in range(self.max_iterations):
            active = dots(r, r) > goal  # a column that is done stands still
            if not active.any():
                return x, step
            z = self._project(self._precondition(r))
            rho, last = dots(r, z), rho
            p = z + p * _ratio(rho, last, active if step else np.zeros_like(active))
            q = apply_laplacian(self.graph, p)
            length = _ratio(rho, dots(p, q), active)
            x += length * p
            r -= length * q
        return x, self.max_iterations


def pcg(
    graph: Graph,
    b: Array,
    *,
    preconditioner: Preconditioner = "approximate",
    tol: float = 1e-8,
    max_iterations: int = 1000,
    seed: int = 0,
) -> PcgResult:
    """Solve ``L x = b`` for the Laplacian of a graph.

    Parameters
    ----------
    graph : Graph
        Undirected, positive weights, any number of components; ``n`` nodes.
    b : array of float, shape (n,) or (n, k)
        Right-hand sides.  What sums to other than zero in a component is out of reach of ``L`` and
        left out: the result is ``L^+ b``.
    preconditioner : "approximate", "tree", Graph, LaplacianFactor, callable or None
        A factor by sampled elimination; the factor of a tree sparsifier of ``graph`` (as many
        off-tree edges as factor cheaply), of a graph given, or one made before; any approximate
        solve of shape (n, k) -> (n, k); or nothing.
    tol : float
        Largest ``||b - L x|| / ||b||``.
    max_iterations : int
        Steps at most; each costs one product with L and one preconditioner solve.
    seed : int
        Draws of the sampled elimination, ties in the tree.

    Returns
    -------
    PcgResult
        Solution, iterations, residual, and whether ``tol`` was met.

    Notes
    -----
    About ``sqrt(kappa) ln(2 / tol) / 2`` steps, kappa the condition number of the graph and its
    preconditioner.

    Examples
    --------
    >>> pcg(Graph.from_edges([(0, 1), (1, 2)]), np.array([1.0, 0.0, -1.0])).x.round(12).tolist()
    [1.0, 0.0, -1.0]
    """
    g = conductances(graph)
    right = np.asarray(b, dtype=np.float64)
    n = g.num_nodes
    if right.ndim not in (1, 2) or right.shape[0] != n:
        raise ValueError(f"b must have shape ({n},) or ({n}, k), got {right.shape}")
    if not np.isfinite(right).all():
        raise ValueError("b must be finite, got NaN or infinity")
    check_tolerance(tol)
    check_count("max_iterations", max_iterations, low=1)
    solver = LaplacianSolver(g, preconditioner, tol=tol, max_iterations=max_iterations, seed=seed)
    return solver.solve(right)


def make_solver(
    graph: Graph,
    caller: str,
    *,
    tol: float,
    max_bytes: int = MAX_BYTES,
    operations: float = CHEAP_OPERATIONS,
    seed: int = 0,
) -> tuple[Callable[[Array], Array], str]:
    """Return a function that solves ``L x = b``, and what it is: "factor" or "iterative".

    Parameters
    ----------
    graph : Graph
        Simple, float64 weights.
    caller : str
        What messages say did not converge.
    tol : float
        Of the iteration, which is used where a factor would take too much.
    max_bytes, operations
        What a factor may take.
    """
    if operations > 0:
        plan = plan_factor(graph, max_bytes)
        if plan.nbytes <= max_bytes and plan.operations <= operations:
            return factorize(plan, max_bytes=max_bytes).solve, "factor"
    solver = LaplacianSolver(graph, tol=tol, seed=seed)
    return lambda b: converged_solution(solver, b, caller), "iterative"


def converged_solution(solver: LaplacianSolver, b: Array, caller: str) -> Array:
    """Return the solution; GraphsparseError if the iteration stopped short of it."""
    result = solver.solve(b)
    if not result.converged:
        raise GraphsparseError(
            f"{caller} did not converge: residual {result.residual:.1e} > tol={solver.tol:.1e} "
            f"after {result.iterations} steps of conjugate gradients"
        )
    return result.x


def check_tolerance(tol: float) -> None:
    """Refuse a tolerance outside (0, 1)."""
    if not 0.0 < tol < 1.0:
        raise ValueError(f"tol must be in (0, 1), got {tol!r}")


def tree_factor(graph: Graph, seed: int = 0) -> LaplacianFactor:
    """Return the factor of a tree sparsifier of a simple graph with float64 weights.

    As many off-tree edges are taken as still factor cheaply: 10, 3, 1 or 0 % of the nodes.
    """
    n, m = graph.num_nodes, graph.num_edges
    tree = spanning_tree(graph, seed=seed)
    for alpha in _ALPHAS:
        mask = np.zeros(m, bool)
        mask[tree.edges] = True
        mask[recover_edges(graph, tree, math.floor(alpha * n), alpha=alpha or 1.0, seed=seed)] = (
            True
        )
        plan = plan_factor(graph.edge_subgraph(mask), MAX_BYTES)
        if plan.operations <= _OPERATIONS or alpha == 0.0:
            break
    return factorize(plan)


def _preconditioner(graph: Graph, given: Preconditioner, seed: int) -> Callable[[Array], Array]:
    if given is None:
        return lambda r: r
    if isinstance(given, str):
        if given not in ("approximate", "tree"):
            raise ValueError(
                "preconditioner must be 'approximate', 'tree', a Graph, a LaplacianFactor, "
                f"a callable or None, got {given!r}"
            )
        make = tree_factor if given == "tree" else approximate_factor
        return make(graph, seed).solve
    if isinstance(given, LaplacianFactor):
        _check_size(given.plan.graph, graph)
        return given.solve
    if isinstance(given, Graph):
        _check_size(given, graph)
        return factorize(given).solve
    return given


def _check_size(given: Graph, graph: Graph) -> None:
    if given.num_nodes != graph.num_nodes:
        raise ValueError(
            f"preconditioner must have {graph.num_nodes} nodes as the graph, got {given.num_nodes}"
        )


def _ratio(a: Array, b: Array, where: Array) -> Array:
    return np.divide(a, b, out=np.zeros_like(a), where=where & (b > 0))
