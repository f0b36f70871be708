"""Figures of the Laplacian: resistances, quadratic forms, eigenvalues, smoothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.graph import Graph
from graphsparse.linalg import condition_number, effective_resistance, quadratic_form
from graphsparse.linalg.components import component_labels
from graphsparse.linalg.factor import plan_factor
from graphsparse.linalg.products import random_vectors
from graphsparse.quality.pair import Array, Figure, Pair, weights_of
from graphsparse.rng import REPORT, draw

PAIRS = 64
VECTORS = 100
WALK_STEPS = 10
SIGNS = 32
_DENSE = 2000  # nodes up to which a dense inverse does
_OPERATIONS = 2e10  # of a factorisation: about a quarter of a minute


def resistance(pair: Pair) -> Figure:
    """Return the mean of resistance in G over resistance in H, 0 where H falls apart."""
    g, h = (conducting(part) for part in pair.undirected)
    if pair.n < 2 or g.num_edges == 0:
        return Figure(1.0)
    labels = component_labels(g)[1]
    ends = pair.random_pairs(16 * PAIRS)
    ends = ends[labels[ends[:, 0]] == labels[ends[:, 1]]][:PAIRS]
    edges = pair.random_edges(g, PAIRS)
    both = np.concatenate([ends, edges])
    above = pair.of_full("resistance", lambda: _resistances(g, both))
    ratios = np.split(above / _resistances(h, both), [len(ends)])
    chosen = ratios[0] if len(ends) else ratios[1]
    raw = {"edges": float(ratios[1].mean()), "edges_error": _error(ratios[1])}
    return Figure(float(chosen.mean()), _error(chosen), len(chosen), raw, chosen)


def _resistances(graph: Graph, ends: Array) -> Array:
    """Return resistances from a factor, or by one solve a pair where it would fill in."""
    fills = graph.num_nodes > _DENSE and plan_factor(graph).operations > _OPERATIONS
    return effective_resistance(graph, ends, method="solve" if fills else "exact")


def quadratic(pair: Pair) -> Figure:
    """Return 1 minus the spread of quadratic forms of smooth random vectors, relative to the mean.

    A factor that is the same for all vectors is scale, not error.
    """
    g, h = (conducting(part) for part in pair.undirected)
    if g.num_edges == 0:
        return Figure(1.0)
    rough = pair.of_full("vectors", lambda: random_vectors(pair.n, VECTORS, pair.seed, REPORT))
    smooth = pair.of_full("smooth vectors", lambda: lazy_walk(g, rough))
    q = _form_ratios(pair.of_full("smooth forms", lambda: _forms(g, smooth)), h, smooth)
    if len(q) < 2:
        return Figure(1.0)  # the walk has smoothed everything away
    raw = {
        "mean": float(q.mean()),
        "min": float(q.min()),
        "max": float(q.max()),
        "rough_mean": float(_form_ratios(_forms(g, rough), h, rough).mean()),
    }
    return Figure(_evenness(q), _jackknife(q), len(q), raw, q)


def _forms(graph: Graph, x: Array) -> Array:
    """Return ``x'L x`` of every column, 0 where x differs along no edge but for rounding."""
    forms = np.asarray(quadratic_form(graph, x))
    return np.where(forms > 1e-14 * (x * x).sum(0), forms, 0.0)


def _form_ratios(first: Array, h: Graph, x: Array) -> Array:
    """Return ``x'L_h x / x'L_g x`` of the columns that differ along some edge of g."""
    there = first > 0
    ratios: Array = np.asarray(quadratic_form(h, x))[there] / first[there]
    return ratios


def lazy_walk(graph: Graph, x: Array) -> Array:
    """Return ``((I + D^-1 A) / 2)^10 x``; nodes without edges keep their value."""
    import scipy.sparse as sp

    n, w = graph.num_nodes, weights_of(graph)
    strength = np.bincount(graph.arc_rows(), w, n)
    alone = np.flatnonzero(strength == 0)
    walk = sp.csr_array((w / strength[graph.arc_rows()], graph.indices, graph.indptr), shape=(n, n))
    for _ in range(WALK_STEPS):
        y = walk @ x
        y[alone] = x[alone]
        x = (x + y) / 2
    return x


def spectral(pair: Pair) -> Figure:
    """Return one over the relative condition number of the Laplacians; 0 if H falls apart."""
    g, h = (conducting(part) for part in pair.undirected)
    if g.num_edges == 0:
        return Figure(1.0)
    whole = condition_number(g, h) if h.num_edges else None
    raw: dict[str, float | None] = {
        "kappa": whole.kappa if whole is not None and np.isfinite(whole.kappa) else None
    }
    if raw["kappa"] is not None and whole is not None:
        raw |= {"lambda_min": whole.lambda_min, "lambda_max": whole.lambda_max}
        return Figure(1.0 / whole.kappa, raw=raw)
    inside = _inside(g, h)
    within = condition_number(inside, h).kappa if h.num_edges else None
    return Figure(0.0, raw=raw | {"kappa_within": within})


def propagation(pair: Pair) -> Figure:
    """Return ``1 / (1 + err)``, err the relative change of two steps of GCN smoothing."""
    g, h = pair.undirected
    nodes = np.arange(pair.n, dtype=np.uint64)
    bits = [draw(pair.seed, nodes, 16 + j, REPORT) >> np.uint64(63) for j in range(SIGNS)]
    signs = 2.0 * np.stack(bits, axis=1).astype(np.float64) - 1.0
    if pair.n == 0:
        return Figure(1.0)
    first = pair.of_full("propagation", lambda: smooth_twice(g, signs))
    change, original = ((first - smooth_twice(h, signs)) ** 2).sum(0), (first**2).sum(0)
    if not original.any():
        return Figure(1.0)
    total = float(np.sqrt(change.sum() / original.sum()))
    there = original > 0  # the signs of a column may cancel each other
    each = 1.0 / (1.0 + np.sqrt(change[there] / original[there]))
    return Figure(1.0 / (1.0 + total), _error(each), SIGNS, {"error": total}, each)


def smooth_twice(graph: Graph, z: Any) -> Any:
    """Return ``S^2 z`` with ``S = D^-1/2 (A + I) D^-1/2``, degrees those of A + I.

    ``z`` may be a sparse array.
    """
    import scipy.sparse as sp

    n, w = graph.num_nodes, weights_of(graph)
    root = 1.0 / np.sqrt(1.0 + np.bincount(graph.arc_rows(), w, n))
    scaled = w * root[graph.arc_rows()] * root[graph.indices]
    s = sp.csr_array((scaled, graph.indices, graph.indptr), shape=(n, n))
    s = s + sp.dia_array((root[None, :] ** 2, [0]), shape=(n, n))
    return s @ (s @ z)


def conducting(graph: Graph) -> Graph:
    """Return the graph with float64 weights, ones where it has none."""
    if graph.weights is not None and graph.weights.dtype == np.float64:
        return graph
    return Graph(graph.indptr, graph.indices, weights_of(graph))


def _inside(g: Graph, h: Graph) -> Graph:
    """Return the edges of g that lie inside the components of h."""
    labels = component_labels(h)[1]
    u, v = g.edges()
    return g.edge_subgraph(labels[u] == labels[v])


def _error(values: Array) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _evenness(q: Array) -> float:
    mean = float(q.mean())
    return 1.0 - min(1.0, float(q.std(ddof=1)) / mean) if mean > 0 else 0.0


def _jackknife(q: Array) -> float:
    count = len(q)
    left = np.array([_evenness(np.delete(q, k)) for k in range(count)])
    return float(np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum()))
