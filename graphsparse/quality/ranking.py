"""Figures of rankings: who is central in the sparse graph too."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.graph import Graph
from graphsparse.quality.pair import Array, Figure, Pair, weights_of

DAMPING = 0.85
_MOST_STEPS = 1000
_GROUPS = 8  # of pivots, for the jackknife
_DENSE = 64  # nodes up to which all eigenvectors are found


def pagerank(pair: Pair) -> Figure:
    """Return the rank correlation of PageRank, along the arcs and by weight."""
    return _compare(pair, pagerank_of)


def degree_rank(pair: Pair) -> Figure:
    """Return the rank correlation of strengths (degrees where there are no weights)."""

    def strength(graph: Graph) -> Array:
        w = weights_of(graph)
        total = np.bincount(graph.arc_rows(), w, graph.num_nodes)
        return total + np.bincount(graph.indices, w, graph.num_nodes) if graph.directed else total

    return _compare(pair, strength)


def closeness(pair: Pair) -> Figure:
    """Return the rank correlation of harmonic closeness, from the sources of the distances."""
    first = pair.of_full("closeness", lambda: _nearness(pair.hops[0]))
    return _from_pivots(first, _nearness(pair.hops[1]), pair)


def _nearness(dist: Array) -> Array:
    """Return sums of one over distance, a row for each group of sources."""
    near = np.where(dist > 0, 1.0 / np.maximum(dist, 1), 0.0)
    return np.stack([near[k::_GROUPS].sum(0) for k in range(_GROUPS)])


def betweenness(pair: Pair) -> Figure:
    """Return the rank correlation of the share of shortest paths (hops) through each node.

    Paths start at the sources of the distances and end at any node.
    """
    first = pair.of_full("betweenness", lambda: _dependencies(pair.g, pair.sources))
    return _from_pivots(first, _dependencies(pair.h, pair.sources), pair)


def _dependencies(graph: Graph, sources: Array) -> Array:
    indices = graph.indices.astype(np.int32, copy=False)
    flat: Array = native.path_dependencies(
        graph.indptr, indices, sources, _GROUPS, requested_threads()
    )
    return flat.reshape(_GROUPS, graph.num_nodes)


def eigenvector(pair: Pair) -> Figure:
    """Return the rank correlation of the main eigenvector of the adjacency, by weight.

    Of a digraph it is that of the symmetrised graph.
    """
    g, h = pair.undirected
    first = pair.of_full("eigenvector", lambda: eigenvector_of(g))
    return _figure(first, eigenvector_of(h), pair.n)


def eigenvector_of(graph: Graph) -> Array:
    """Return the part of the vector of ones in the largest eigenvalue's space, not negative."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import eigsh

    n = graph.num_nodes
    if graph.num_edges == 0:
        return np.zeros(n)
    a = sp.csr_array((weights_of(graph), graph.indices, graph.indptr), shape=(n, n))
    if n > _DENSE:
        main: Array = eigsh(a, k=1, which="LA", v0=np.ones(n), tol=1e-12)[1][:, 0]
        return np.asarray(np.abs(main))
    values, vectors = np.linalg.eigh(a.toarray())
    best = vectors[:, values > values[-1] * (1 - 1e-9)]
    return np.asarray(np.abs(best @ best.sum(0)))


def pagerank_of(graph: Graph) -> Array:
    """Return PageRank with damping 0.85 and uniform jumps from nodes without a way out."""
    import scipy.sparse as sp

    n, w = graph.num_nodes, weights_of(graph)
    if n == 0:
        return np.zeros(0)
    strength = np.bincount(graph.arc_rows(), w, n)
    share = w / strength[graph.arc_rows()]
    step = sp.csr_array((share, graph.indices, graph.indptr), shape=(n, n)).T.tocsr()
    hanging = strength == 0
    x = np.full(n, 1.0 / n)
    for _ in range(_MOST_STEPS):
        spread = DAMPING * float(x[hanging].sum()) + 1.0 - DAMPING
        new: Array = DAMPING * (step @ x) + spread / n
        if np.abs(new - x).sum() < 1e-12:
            return new
        x = new
    return x


def spearman(first: Array, second: Array) -> float:
    """Return Spearman's rank correlation with mean ranks; 1 if neither ranks anything."""
    from scipy.stats import rankdata

    ranks = [rankdata(x) for x in (first, second)]
    centred = [r - r.mean() if len(r) else r for r in ranks]
    norms = [float(np.sqrt((c * c).sum())) for c in centred]
    if norms[0] == 0 or norms[1] == 0:
        return 1.0 if norms[0] == norms[1] else 0.0
    return float((centred[0] * centred[1]).sum() / (norms[0] * norms[1]))


def _compare(pair: Pair, measure: Callable[[Graph], Array]) -> Figure:
    first = pair.of_full(f"ranking {measure.__name__}", lambda: measure(pair.g))
    return _figure(first, measure(pair.h), pair.n)


def _from_pivots(first: Array, second: Array, pair: Pair) -> Figure:
    """Compare sums over groups of sources; the error is the jackknife over the groups."""
    whole = _figure(first.sum(0), second.sum(0), pair.n, min(pair.samples, pair.n))
    error = 0.0
    if pair.samples < pair.n and pair.samples >= _GROUPS:
        left = [
            spearman(_rounded(first.sum(0) - a), _rounded(second.sum(0) - b))
            for a, b in zip(first, second, strict=True)
        ]
        share = (_GROUPS - 1) / _GROUPS * (1 - pair.samples / pair.n)
        error = math.sqrt(share * ((np.array(left) - np.mean(left)) ** 2).sum())
    return dataclasses.replace(whole, error=error)


def _figure(first: Array, second: Array, n: int, samples: int = 0) -> Figure:
    first, second = (_rounded(x) for x in (first, second))
    rho = spearman(first, second)
    top = min(max(10, n // 100), max(1, n // 3))
    best = [set(np.lexsort((np.arange(n), -x))[:top].tolist()) for x in (first, second)]
    share = len(best[0] & best[1]) / top if n else 1.0
    error = (1 - rho * rho) / math.sqrt(n - 3) if n > 3 else 0.0
    return Figure(max(0.0, rho), error, samples, {"spearman": rho, "top": [top, share]})


def _rounded(values: Array) -> Array:
    """Return the values to 12 digits, so that rounding does not rank equals."""
    scale = float(np.abs(values).max(initial=0.0)) or 1.0
    return np.round(values / scale, 12)
