"""Effective resistance between nodes: exact, by single solves, or by random projection."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from graphsparse.backend import native
from graphsparse.checks import check_choice, check_count, check_ids, check_seed
from graphsparse.graph import Graph
from graphsparse.linalg.components import component_labels, grounded_nodes
from graphsparse.linalg.conductance import conductances
from graphsparse.linalg.factor import MAX_BYTES, FactorPlan, factorize, plan_factor
from graphsparse.linalg.pcg import (
    CHEAP_OPERATIONS,
    LaplacianSolver,
    check_tolerance,
    converged_solution,
    make_solver,
)
from graphsparse.linalg.products import RESISTANCE_SKETCH

Array = np.ndarray[Any, np.dtype[Any]]
Method = Literal["exact", "jl", "solve"]
METHODS = ("exact", "jl", "solve")
DENSE_LIMIT = 2000
_CALLER = "effective_resistance"
_BLOCK = 16  # right-hand sides at a time
_CHUNK = 1 << 18  # pairs at a time


def effective_resistance(
    graph: Graph,
    pairs: Any = None,
    *,
    method: Method = "exact",
    dim: int | None = None,
    tol: float = 1e-8,
    max_bytes: int = MAX_BYTES,
    seed: int = 0,
) -> Array:
    """Return the effective resistance between pairs of nodes.

    Parameters
    ----------
    graph : Graph
        Undirected; weights are conductances, positive.  ``n`` nodes, ``m`` edges.
    pairs : array of int, shape (k, 2), optional
        Node pairs; every edge of the graph, in the order of ``graph.edges()``, when left out.
    method : {"exact", "jl", "solve"}
        From a factor of the Laplacian, exact to rounding (for small, dense graphs of up to 2,000
        nodes from the inverse); by random projection, with a relative error of about
        ``sqrt(2 / dim)``; or one preconditioned conjugate-gradient solve per pair.
    dim : int, optional
        Projections of ``"jl"``; ``ceil(8 ln n)`` when left out.
    tol : float
        Residual of the solves of ``"solve"``.
    max_bytes : int
        Largest factor that may be made.
    seed : int
        Random signs of ``"jl"``.

    Returns
    -------
    array of float64, shape (k,)
        inf across components, 0 from a node to itself.

    Raises
    ------
    ValueError
        For a directed graph, a weight that is not positive, ids out of range, or a factor larger
        than ``max_bytes`` (the message holds the figure).

    Notes
    -----
    ``sum of w_e R_e`` over all edges is ``n - c``, c the number of components (Foster).

    References
    ----------
    D. Spielman, N. Srivastava, Graph sparsification by effective resistances, SIAM J. Comput. 40,
    2011, arXiv:0803.0929.

    Examples
    --------
    >>> square = Graph.from_edges([(0, 1), (1, 2), (2, 3), (3, 0)])
    >>> effective_resistance(square, [(0, 1), (0, 2)]).round(12).tolist()
    [0.75, 1.0]
    """
    check_choice("method", method, METHODS)
    check_tolerance(tol)
    check_seed(seed)
    if dim is not None:
        check_count("dim", dim, low=1)
    g = conductances(graph)
    u, v = _pairs(graph, pairs)
    labels = component_labels(g)[1]
    out = np.where(labels[u] == labels[v], 0.0, np.inf)
    open_pairs = np.flatnonzero((out == 0.0) & (u != v))
    if not len(open_pairs):
        return out
    u, v = u[open_pairs], v[open_pairs]
    if method == "exact":
        out[open_pairs] = _exact(g, u, v, pairs is None, max_bytes)
    elif method == "jl":
        k = dim if dim is not None else math.ceil(8 * math.log(g.num_nodes))
        out[open_pairs] = _projected(g, u, v, k, max_bytes, seed)
    else:
        out[open_pairs] = _solved(g, u, v, tol, seed)
    return out


def edge_leverages(
    graph: Graph, method: Literal["auto", "exact", "jl"], *, dim: int | None, seed: int
) -> tuple[Array, Method]:
    """Return ``w_e R_e`` of the edges of a simple graph with float64 weights, and the method.

    ``"auto"`` is ``"exact"`` where that is cheap, else ``"jl"``.
    """
    chosen: Method = "jl" if method == "jl" else "exact"
    if method == "auto" and graph.num_nodes > DENSE_LIMIT:
        chosen = "exact" if plan_factor(graph).operations <= CHEAP_OPERATIONS else "jl"
    leverages: Array = effective_resistance(graph, method=chosen, dim=dim, seed=seed)
    leverages *= np.asarray(graph.edge_weights())
    return leverages, chosen


def _pairs(graph: Graph, pairs: Any) -> tuple[Array, Array]:
    if pairs is None:
        return graph.edges()
    array = np.asarray(pairs)
    if array.size == 0:
        array = array.reshape(0, 2)
    array = check_ids("pairs", array, ndim=2)
    if array.shape[1] != 2:
        raise ValueError(f"pairs must have shape (k, 2), got {array.shape}")
    u, v = np.ascontiguousarray(array[:, 0]), np.ascontiguousarray(array[:, 1])
    bad = native.first_bad_id(u, v, graph.num_nodes)
    if bad >= 0:
        raise ValueError(
            f"pairs must hold nodes in [0, {graph.num_nodes}), got ({u[bad]}, {v[bad]}) "
            f"at position {bad}"
        )
    return u, v


def _exact(g: Graph, u: Array, v: Array, all_edges: bool, max_bytes: int) -> Array:
    plan = plan_factor(g, max_bytes)
    small = g.num_nodes <= DENSE_LIMIT
    work = 3 * plan.operations if all_edges else plan.operations + _path_work(plan, u, v)
    if small and work > 0.05 * g.num_nodes**3:
        return _dense(g, u, v)
    factor = factorize(plan, max_bytes=max_bytes)
    if all_edges:
        return factor.edge_resistances()[_edge_numbers(g, u, v)]
    parts = [
        factor.resistances(u[at : at + _CHUNK], v[at : at + _CHUNK])
        for at in range(0, len(u), _CHUNK)
    ]
    return np.concatenate(parts)


def _edge_numbers(g: Graph, u: Array, v: Array) -> Array:
    n = np.int64(g.num_nodes)
    eu, ev = g.edges()
    return np.searchsorted(eu * n + ev, u * n + v)


def _path_work(plan: FactorPlan, u: Array, v: Array) -> float:
    """Return the multiplications of walking up the elimination tree from each pair."""
    if not np.isfinite(plan.operations):
        return np.inf
    position = np.full(plan.graph.num_nodes, -1)
    position[plan.order] = np.arange(len(plan.order))
    cost = np.append(plan.counts + 1.0, 0.0)  # the last entry stands for grounded nodes
    total: Array = native.sum_to_root(cost, plan.parent)
    return float(total[position[u]].sum() + total[position[v]].sum())


def _dense(g: Graph, u: Array, v: Array) -> Array:
    """Resistances from the inverse of the grounded Laplacian."""
    from scipy.linalg import cho_factor, cho_solve

    n = g.num_nodes
    rows = np.flatnonzero(~grounded_nodes(g, *component_labels(g)))
    matrix = -g.to_scipy().toarray()
    matrix[np.diag_indices(n)] = -matrix.sum(axis=1)
    inverse = np.zeros((n, n))
    inverse[np.ix_(rows, rows)] = cho_solve(
        cho_factor(matrix[np.ix_(rows, rows)]), np.eye(len(rows))
    )
    found: Array = inverse[u, u] + inverse[v, v] - (inverse[u, v] + inverse[v, u])
    return found


def _projected(g: Graph, u: Array, v: Array, k: int, max_bytes: int, seed: int) -> Array:
    """``||z_u - z_v||^2`` for ``Z = Q W^1/2 B L^+``, Q random signs over sqrt(k)."""
    solve, _ = make_solver(
        g, _CALLER, tol=1e-5, max_bytes=max_bytes, operations=CHEAP_OPERATIONS, seed=seed
    )
    eu, ev = g.edges()
    roots = np.sqrt(g.edge_weights())  # type: ignore[arg-type]
    out = np.zeros(len(u))
    for block in range(0, k, _BLOCK):
        width = min(_BLOCK, k - block)
        right = native.sign_projection(
            eu, ev, roots, g.num_nodes, seed, block // _BLOCK, RESISTANCE_SKETCH, width
        )
        z = solve(right.reshape(-1, width))
        for at in range(0, len(u), _CHUNK):
            part = slice(at, at + _CHUNK)
            out[part] += ((z[u[part]] - z[v[part]]) ** 2).sum(axis=1)
    return out / k


def _solved(g: Graph, u: Array, v: Array, tol: float, seed: int) -> Array:
    solver = LaplacianSolver(g, tol=tol, seed=seed)
    out = np.empty(len(u))
    for at in range(0, len(u), _BLOCK):
        p, q = u[at : at + _BLOCK], v[at : at + _BLOCK]
        column = np.arange(len(p))
        b = np.zeros((g.num_nodes, len(p)))
        b[p, column], b[q, column] = 1.0, -1.0
        x = converged_solution(solver, b, _CALLER)
        out[at : at + _BLOCK] = x[p, column] - x[q, column]
    return out
