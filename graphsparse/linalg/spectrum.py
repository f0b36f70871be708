"""How well a sparsifier keeps quadratic forms and the low end of the spectrum."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.checks import check_count, check_seed
from graphsparse.graph import Graph
from graphsparse.linalg.components import component_labels, remove_component_means
from graphsparse.linalg.conductance import conductances
from graphsparse.linalg.factor import MAX_BYTES, factorize, plan_factor
from graphsparse.linalg.matrices import laplacian
from graphsparse.linalg.products import START_VECTORS, apply_laplacian, dots, random_vectors

Array = np.ndarray[Any, np.dtype[Any]]
_DENSE_LIMIT = 500


@dataclasses.dataclass(frozen=True, eq=False)
class QuadraticFormReport:
    """Ratios ``x'L_G x / x'L_H x`` over a set of vectors.

    Attributes
    ----------
    ratios : array of float64, shape (k,)
        One per vector; inf where only H sees it as constant, NaN where both do.
    minimum, mean, maximum : float
        Over the finite ratios; NaN if there are none.
    """

    ratios: Array
    minimum: float
    mean: float
    maximum: float


@dataclasses.dataclass(frozen=True, eq=False)
class SpectrumReport:
    """Smallest eigenvalues of two Laplacians.

    Attributes
    ----------
    graph, sparsifier : array of float64, shape (k,)
        Smallest eigenvalues that are not zero by reason of a component, ascending.
    relative_error : array of float64, shape (k,)
        ``|sparsifier - graph| / graph``.
    """

    graph: Array
    sparsifier: Array
    relative_error: Array


def quadratic_form(graph: Graph, x: Array) -> Array | float:
    """Return ``x'L x``, the sum of ``w (x_u - x_v)^2`` over the edges.

    Parameters
    ----------
    graph : Graph
        Undirected, positive weights; ``n`` nodes.
    x : array of float, shape (n,) or (n, k)

    Returns
    -------
    float, or array of float64 of shape (k,)

    Examples
    --------
    >>> quadratic_form(Graph.from_edges([(0, 1), (1, 2)]), np.array([0.0, 1.0, 3.0]))
    5.0
    """
    g = conductances(graph)
    vectors = _vectors("x", x, g.num_nodes)
    values = dots(vectors, apply_laplacian(g, vectors))
    return values if vectors.ndim == 2 else float(values[0])


def compare_quadratic_forms(
    graph: Graph, sparsifier: Graph, vectors: Array | None = None, *, count: int = 32, seed: int = 0
) -> QuadraticFormReport:
    """Compare the quadratic forms of two graphs on the same nodes.

    Parameters
    ----------
    graph, sparsifier : Graph
        G and H; undirected, positive weights.
    vectors : array of float, shape (n, k), optional
        For example features; standard normal vectors when left out.
    count : int
        Number of random vectors.
    seed : int
        Of the random vectors.

    Returns
    -------
    QuadraticFormReport

    Notes
    -----
    All ratios lie between the two eigenvalues that :func:`condition_number` finds, random ones
    mostly near the mean: this is an average, not a bound.
    """
    g, h = conductances(graph), conductances(sparsifier, "sparsifier")
    _check_same_nodes(g, h)
    check_seed(seed)
    if vectors is None:
        x = random_vectors(g.num_nodes, check_count("count", count, low=1), seed, START_VECTORS)
    else:
        x = _vectors("vectors", vectors, g.num_nodes).reshape(g.num_nodes, -1)
    top, bottom = dots(x, apply_laplacian(g, x)), dots(x, apply_laplacian(h, x))
    ratios = np.full(x.shape[1], np.nan)
    np.divide(top, bottom, out=ratios, where=bottom > 0)
    ratios[(bottom == 0) & (top > 0)] = np.inf
    finite = ratios[np.isfinite(ratios)]
    if not len(finite):
        return QuadraticFormReport(ratios, np.nan, np.nan, np.nan)
    return QuadraticFormReport(
        ratios, float(finite.min()), float(finite.mean()), float(finite.max())
    )


def compare_spectra(
    graph: Graph, sparsifier: Graph, count: int = 8, *, max_bytes: int = MAX_BYTES, seed: int = 0
) -> SpectrumReport:
    """Compare the smallest non-zero Laplacian eigenvalues of two graphs on the same nodes.

    Parameters
    ----------
    graph, sparsifier : Graph
        G and H; undirected, positive weights.
    count : int
        Eigenvalues; fewer are returned where a graph has fewer that are not zero.
    max_bytes : int
        Largest factor that may be made.
    seed : int
        Start vector.

    Returns
    -------
    SpectrumReport

    Raises
    ------
    ValueError
        If a factor would need more than ``max_bytes``; the message holds the figure.
    """
    g, h = conductances(graph), conductances(sparsifier, "sparsifier")
    _check_same_nodes(g, h)
    check_count("count", count, low=1)
    check_seed(seed)
    parts = [smallest_eigenvalues(x, count, max_bytes=max_bytes, seed=seed) for x in (g, h)]
    k = min(len(parts[0]), len(parts[1]))
    a, b = parts[0][:k], parts[1][:k]
    return SpectrumReport(a, b, np.abs(b - a) / a)


def smallest_eigenvalues(
    graph: Graph, count: int, *, max_bytes: int = MAX_BYTES, seed: int = 0
) -> Array:
    """Return the smallest non-zero Laplacian eigenvalues of a simple graph with float64 weights."""
    n = graph.num_nodes
    components, labels = component_labels(graph)
    k = min(count, n - components)
    if k <= 0:
        return np.zeros(0)
    if n <= _DENSE_LIMIT:
        values: Array = np.linalg.eigvalsh(laplacian(graph).toarray())
        return values[components : components + k]
    from scipy.sparse.linalg import LinearOperator, eigsh

    factor = factorize(plan_factor(graph, max_bytes), max_bytes=max_bytes)

    def project(x: Array) -> Array:
        return remove_component_means(x.reshape(n, -1), components, labels)[:, 0]

    inverse = LinearOperator(
        (n, n), matvec=lambda x: project(factor.solve(project(x))), dtype=np.float64
    )
    start = project(random_vectors(n, 1, seed, START_VECTORS)[:, 0])
    largest = eigsh(inverse, k=k, which="LM", v0=start, return_eigenvectors=False)
    return np.sort(1.0 / largest)


def _check_same_nodes(g: Graph, h: Graph) -> None:
    if g.num_nodes != h.num_nodes:
        raise ValueError(
            f"graph and sparsifier must have the same nodes, got {g.num_nodes} and {h.num_nodes}"
        )


def _vectors(name: str, x: Any, num_nodes: int) -> Array:
    vectors = np.asarray(x, dtype=np.float64)
    if vectors.ndim not in (1, 2) or vectors.shape[0] != num_nodes:
        raise ValueError(
            f"{name} must have shape ({num_nodes},) or ({num_nodes}, k), got {vectors.shape}"
        )
    return vectors
