"""Condition number of two graphs: how far their quadratic forms lie apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from graphsparse.checks import check_choice, check_seed
from graphsparse.errors import GraphsparseError
from graphsparse.graph import Graph, format_bytes
from graphsparse.linalg.components import component_labels, grounded_nodes
from graphsparse.linalg.conductance import conductances, merge_edges
from graphsparse.linalg.factor import MAX_BYTES, factorize, plan_factor
from graphsparse.linalg.lanczos import Ritz, largest_eigenvalue
from graphsparse.linalg.pcg import check_tolerance, make_solver
from graphsparse.linalg.products import START_VECTORS, random_vectors

Array = np.ndarray[Any, np.dtype[Any]]
Method = Literal["auto", "dense", "factor", "iterative"]
METHODS = ("auto", "dense", "factor", "iterative")
DENSE_LIMIT = 3000
_DENSE_AUTO = 300  # above it the factor is faster
_OPERATIONS = 2e10  # of a factorisation that "auto" starts: about a quarter of a minute


@dataclasses.dataclass(frozen=True)
class ConditionNumber:
    """Extreme eigenvalues of ``L_G x = lambda L_H x`` outside the common null space.

    Attributes
    ----------
    lambda_min, lambda_max : float
        Hence ``lambda_min x'L_H x <= x'L_G x <= lambda_max x'L_H x`` for every x.  NaN where the
        components of the graphs differ or there is no edge at all.
    kappa : float
        ``lambda_max / lambda_min``: 1 if the graphs are multiples of each other or have no edges,
        inf if their components differ.
    method : str
        Engine: ``"dense"``, ``"factor"`` or ``"iterative"``; ``"components"`` where the
        components settled it.
    residual : float
        Larger of the relative residuals of the two eigenpairs, in the norm of ``L_H^-1`` (of
        ``L_G^-1`` for ``lambda_min``); 0 where a value is known exactly.
    components : tuple of ConditionNumber
        One for each component, by smallest node, if asked for.
    """

    lambda_min: float
    lambda_max: float
    kappa: float
    method: str
    residual: float
    components: tuple[ConditionNumber, ...] = ()


def condition_number(
    graph: Graph,
    sparsifier: Graph,
    *,
    method: Method = "auto",
    tol: float = 1e-6,
    per_component: bool = False,
    max_bytes: int = MAX_BYTES,
    seed: int = 0,
) -> ConditionNumber:
    """Return the relative condition number of the Laplacians of two graphs.

    Parameters
    ----------
    graph, sparsifier : Graph
        G and H: undirected, positive weights, the same ``n`` nodes.  H need not be a part of G.
    method : {"auto", "dense", "factor", "iterative"}
        Dense eigenvalues (``n <= 3000``); Lanczos steps with a sparse factor of H; or Lanczos
        steps with conjugate gradients inside, for graphs whose factor fills in.  ``"auto"`` takes
        the first of them that fits.
    tol : float
        Relative residual of the eigenpairs; the error of the values is of second order in it.
    per_component : bool
        Also give the numbers of each component, in ``components``.
    max_bytes : int
        Largest factor that may be made.
    seed : int
        Start vectors.

    Returns
    -------
    ConditionNumber
        ``(lambda_min, lambda_max, kappa, method, residual)``.

    Raises
    ------
    ValueError
        If the node counts differ, a graph is directed or a weight not positive, or the chosen
        method would need too much memory (the figure is in the message).
    GraphsparseError
        If the iteration does not converge.

    Notes
    -----
    One node per component is grounded, which keeps every finite eigenvalue: there is no shift.
    If no edge of H outweighs its twin in G and the edges of G that are left have more components
    than G, then ``lambda_min`` is 1, exactly; a sparse part of a graph practically always is such
    an H.
    Otherwise ``1 / lambda_min`` is found as the largest eigenvalue with G and H swapped.

    Examples
    --------
    >>> triangle = Graph.from_edges([(0, 1), (1, 2), (2, 0)])
    >>> path = Graph.from_edges([(0, 1), (1, 2)])
    >>> round(condition_number(triangle, path).kappa, 9)
    3.0
    """
    check_choice("method", method, METHODS)
    check_tolerance(tol)
    check_seed(seed)
    if graph.num_nodes != sparsifier.num_nodes:
        raise ValueError(
            "graph and sparsifier must have the same nodes, "
            f"got {graph.num_nodes} and {sparsifier.num_nodes}"
        )
    g, h = conductances(graph), conductances(sparsifier, "sparsifier")
    if method == "dense" and g.num_nodes > DENSE_LIMIT:
        raise ValueError(
            f"method='dense' takes at most {DENSE_LIMIT} nodes, got {g.num_nodes}: its matrices "
            f"would need {format_bytes(32.0 * g.num_nodes**2)}"
        )
    count, labels = component_labels(g)
    if not _same_partition(labels, component_labels(h)[1]):
        return ConditionNumber(np.nan, np.nan, np.inf, "components", 0.0)
    engine = _Engine(method, tol, max_bytes, seed)
    whole = engine.run(g, h)
    if not per_component:
        return whole
    parts = tuple(engine.run(*pair) for pair in _split(g, h, count, labels))
    return dataclasses.replace(whole, components=parts)


@dataclasses.dataclass(frozen=True)
class _Engine:
    """The chosen method with its settings."""

    method: Method
    tol: float
    max_bytes: int
    seed: int

    def run(self, g: Graph, h: Graph) -> ConditionNumber:
        """Return the numbers of two simple graphs with equal components."""
        if g.num_edges == 0:
            return ConditionNumber(np.nan, np.nan, 1.0, "components", 0.0)
        if self.method == "dense" or (self.method == "auto" and g.num_nodes <= _DENSE_AUTO):
            return _dense(g, h)
        top, engine = self._largest(g, h)
        low, residual = 1.0, top.residual
        if not _smallest_is_one(g, h):
            bottom, used = self._largest(h, g)
            low, residual = 1.0 / bottom.value, max(residual, bottom.residual)
            engine = "iterative" if used != engine else engine
        return ConditionNumber(low, top.value, top.value / low, engine, residual)

    def _largest(self, a: Graph, b: Graph) -> tuple[Ritz, str]:
        solve, engine = self._solver(b)
        start = random_vectors(a.num_nodes, 1, self.seed, START_VECTORS)[:, 0]
        ritz = largest_eigenvalue(a, b, solve, start, tol=self.tol)
        if ritz.residual > self.tol:
            raise GraphsparseError(
                f"condition_number did not converge: residual {ritz.residual:.1e} > tol="
                f"{self.tol:.1e} after {ritz.steps} steps (method {engine!r})"
            )
        return ritz, engine

    def _solver(self, b: Graph) -> tuple[Callable[[Array], Array], str]:
        if self.method == "factor":  # one that is too large is an error then, not another engine
            plan = plan_factor(b, self.max_bytes)
            return factorize(plan, max_bytes=self.max_bytes).solve, "factor"
        return make_solver(
            b,
            "condition_number",
            tol=max(1e-3 * self.tol, 1e-11),
            max_bytes=self.max_bytes,
            operations=_OPERATIONS if self.method == "auto" else 0.0,
            seed=self.seed,
        )


def _dense(g: Graph, h: Graph) -> ConditionNumber:
    """Eigenvalues of ``C = R^-T L_G R^-1``, with ``L_H = R'R`` grounded."""
    import scipy.linalg

    rows = np.flatnonzero(~grounded_nodes(h, *component_labels(h)))
    root = scipy.linalg.cholesky(_dense_laplacian(h)[np.ix_(rows, rows)])
    half = scipy.linalg.solve_triangular(root, _dense_laplacian(g)[np.ix_(rows, rows)], trans="T")
    c = scipy.linalg.solve_triangular(root, half.T, trans="T")
    c = (c + c.T) / 2
    values, vectors = scipy.linalg.eigh(c)
    low, high = float(values[0]), float(values[-1])
    ends = vectors[:, [0, -1]]
    residual = float(np.linalg.norm(c @ ends - ends * [low, high], axis=0).max() / low)
    return ConditionNumber(low, high, high / low, "dense", residual)


def _dense_laplacian(graph: Graph) -> Array:
    matrix = -graph.to_scipy().toarray()
    matrix[np.diag_indices_from(matrix)] = -matrix.sum(axis=1)
    return matrix


def _same_partition(a: Array, b: Array) -> bool:
    """Tell whether two labellings, each numbered by first appearance or not, mean the same sets."""
    if len(a) == 0:
        return True
    pairs = np.unique(np.stack((a, b), axis=1), axis=0)
    return bool(len(pairs) == a.max() + 1 == b.max() + 1)


def _smallest_is_one(g: Graph, h: Graph) -> bool:
    """Tell whether ``lambda_min`` is 1 because G covers H and G minus H falls apart.

    The indicator of a component of G minus H, which is cut off from the rest of its component of
    G by edges of H alone, has the same quadratic form in both.
    """
    n = np.int64(g.num_nodes)
    (gu, gv), (hu, hv) = g.edges(), h.edges()
    codes, part = gu * n + gv, hu * n + hv
    at = np.searchsorted(codes, part)
    if (at == len(codes)).any() or not np.array_equal(codes[at], part):
        return False
    weights, part_weights = g.edge_weights(), h.edge_weights()
    if weights is None or part_weights is None or (part_weights > weights[at]).any():
        return False
    rest = np.ones(len(codes), bool)
    rest[at] = part_weights < weights[at]
    return component_labels(g.edge_subgraph(rest))[0] > component_labels(g)[0]


def _split(g: Graph, h: Graph, count: int, labels: Array) -> list[tuple[Graph, Graph]]:
    """Return the pair of graphs of each component, by smallest node."""
    order = np.argsort(labels, kind="stable")
    start = np.searchsorted(labels[order], np.arange(count + 1))
    position = np.empty(len(labels), np.int64)
    position[order] = np.arange(len(labels)) - start[labels[order]]
    parts = [_split_edges(graph, count, labels, position, np.diff(start)) for graph in (g, h)]
    return [(parts[0][c], parts[1][c]) for c in np.argsort(order[start[:-1]])]


def _split_edges(
    graph: Graph, count: int, labels: Array, position: Array, sizes: Array
) -> list[Graph]:
    u, v = graph.edges()
    weights = graph.edge_weights()
    by_component = np.argsort(labels[u], kind="stable")
    cut = np.searchsorted(labels[u][by_component], np.arange(count + 1))
    graphs = []
    for c in range(count):
        edges = by_component[cut[c] : cut[c + 1]]
        graphs.append(
            merge_edges(position[u[edges]], position[v[edges]], weights[edges], int(sizes[c]))  # type: ignore[index]
        )
    return graphs
