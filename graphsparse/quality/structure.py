"""Figures of components, degrees, distances and triangles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphsparse.graph import Graph
from graphsparse.linalg.components import component_labels
from graphsparse.operators.similarity import triangles
from graphsparse.quality.pair import Array, Figure, Pair, weights_of
from graphsparse.quality.ranking import spearman


def connectivity(pair: Pair) -> Figure:
    """Return the share of connected pairs of nodes that still are (weakly, in a digraph)."""
    sizes = [_sizes(part) for part in (pair.g, pair.h)]
    joined = [float((s * (s - 1.0)).sum()) for s in sizes]
    isolated = int(((_degrees(pair.h) == 0) & (_degrees(pair.g) > 0)).sum())
    raw: dict[str, Any] = {
        "components": [len(s) for s in sizes],
        "new_isolated": isolated,
        "largest_component": float(sizes[1].max(initial=0)) / max(pair.n, 1),
    }
    if pair.g.directed:
        raw["strong_components"] = [_strong(part) for part in (pair.g, pair.h)]
    return Figure(_ratio(joined[1], joined[0]), raw=raw)


def degree(pair: Pair) -> Figure:
    """Return 1 minus the largest gap between the distributions of degrees over their mean."""
    first, second = _degrees(pair.g), _degrees(pair.h)
    m_g, m_h = pair.g.num_edges, pair.h.num_edges
    shape = _largest_gap(first * m_h, second * m_g)
    weight = float(weights_of(pair.h).sum()), float(weights_of(pair.g).sum())
    raw = {
        "degree_ks": _largest_gap(first, second),
        "degree_spearman": spearman(first, second),
        "total_variation": _variation(first, second),
        "weight_kept": _ratio(*weight),
    }
    if m_g and not m_h:
        return Figure(0.0, raw=raw)
    return Figure(1.0 - shape, raw=raw)


def distance(pair: Pair) -> Figure:
    """Return the mean of distance in G over distance in H, 0 where H has no way."""
    dist_g, dist_h = pair.hops
    reach = dist_g > 0
    both = reach & (dist_h > 0)
    stretch = dist_h[both] / dist_g[both]
    ratio = np.where(both, dist_g / np.where(both, dist_h, 1), 0.0)
    a, b = (ratio * reach).sum(1), reach.sum(1).astype(np.float64)
    total = b.sum()
    if total == 0:
        return Figure(1.0, raw={"unreachable": 0.0})
    value = float(a.sum() / total)
    count = len(a)
    error = 0.0
    if 1 < count < pair.n:
        spread = ((a - value * b) ** 2).sum() / (count * (count - 1))
        error = math.sqrt((1 - count / pair.n) * spread) / float(b.mean())
    raw = {"unreachable": 1.0 - len(stretch) / total}
    if len(stretch):
        raw |= {
            "stretch_mean": float(stretch.mean()),
            "stretch_median": float(np.median(stretch)),
            "stretch_p95": float(np.quantile(stretch, 0.95)),
            "stretch_max": float(stretch.max()),
        }
    return Figure(value, error, count, raw, np.stack([a, b]))


def clustering(pair: Pair) -> Figure:
    """Return 1 minus the relative change of the mean local clustering coefficient."""
    g, h = pair.undirected
    c_g, t_g = pair.of_full("clustering", lambda: _coefficients(g))
    c_h, t_h = _coefficients(h)
    top = max(c_g, c_h)
    value = 1.0 if top == 0 else 1.0 - abs(c_g - c_h) / top
    return Figure(value, raw={"clustering": [c_g, c_h], "transitivity": [t_g, t_h]})


def _coefficients(graph: Graph) -> tuple[float, float]:
    """Return the mean local coefficient and the transitivity."""
    if graph.num_nodes == 0:
        return 0.0, 0.0
    u, v = graph.edges()
    count = triangles(graph)
    twice = np.bincount(u, count, graph.num_nodes) + np.bincount(v, count, graph.num_nodes)
    d = graph.degree.astype(np.float64)
    wedges = d * (d - 1.0)
    local = np.where(wedges > 0, twice / np.where(wedges > 0, wedges, 1.0), 0.0)
    return float(local.mean()), _ratio(float(twice.sum()), float(wedges.sum()), empty=0.0)


def _degrees(graph: Graph) -> Array:
    """Return degrees, in + out of a digraph."""
    degrees = graph.degree.astype(np.int64)
    if graph.directed:
        degrees = degrees + np.bincount(graph.indices, minlength=graph.num_nodes)
    return degrees


def _sizes(graph: Graph) -> Array:
    return np.bincount(component_labels(graph)[1]).astype(np.float64)


def _strong(graph: Graph) -> int:
    from scipy.sparse.csgraph import connected_components

    return int(connected_components(graph.to_scipy(), directed=True, connection="strong")[0])


def _largest_gap(first: Array, second: Array) -> float:
    """Return the largest difference of the two distribution functions."""
    points = np.union1d(first, second)
    shares = [
        np.searchsorted(np.sort(x), points, side="right") / max(len(x), 1) for x in (first, second)
    ]
    return float(np.abs(shares[0] - shares[1]).max(initial=0.0))


def _variation(first: Array, second: Array) -> float:
    top = int(max(first.max(initial=0), second.max(initial=0))) + 1
    counts = [np.bincount(x, minlength=top) / max(len(x), 1) for x in (first, second)]
    return float(np.abs(counts[0] - counts[1]).sum() / 2)


def _ratio(part: float, whole: float, empty: float = 1.0) -> float:
    return part / whole if whole else empty
