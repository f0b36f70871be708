"""Whether a community search finds the same groups."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from graphsparse.graph import Graph
from graphsparse.quality.pair import Array, Figure, Pair, weights_of

RUNS = 3


def community(pair: Pair) -> Figure:
    """Return the agreement of Louvain's groups in H and G over that of its runs on G alone."""
    g, h = pair.undirected
    runs_g = pair.of_full("louvain", lambda: [louvain(g, pair.seed + k) for k in range(RUNS)])
    runs_h = [louvain(h, pair.seed + k) for k in range(RUNS)]
    floor = float(np.mean([nmi(a, b) for a, b in itertools.combinations(runs_g, 2)]))
    between = np.array([nmi(a, b) for a in runs_g for b in runs_h])
    value = min(1.0, float(between.mean()) / floor) if floor > 0 else 1.0
    kept = float(np.mean([modularity(g, groups) for groups in runs_h]))
    own = float(np.mean([modularity(g, groups) for groups in runs_g]))
    raw: dict[str, Any] = {
        "nmi": float(between.mean()),
        "floor": floor,
        "ari": float(np.mean([ari(a, b) for a in runs_g for b in runs_h])),
        "ari_floor": float(np.mean([ari(a, b) for a, b in itertools.combinations(runs_g, 2)])),
        "modularity_ratio": kept / own if own > 0 else None,
    }
    if pair.task is not None:
        labels = np.unique(pair.task.labels, return_inverse=True)[1]
        raw["label_modularity"] = [modularity(part, labels) for part in (g, h)]
        raw["label_homophily"] = [homophily(part, labels) for part in (g, h)]
    error = float(between.std(ddof=1)) / (floor or 1.0)
    return Figure(value, error, RUNS, raw)


def louvain(graph: Graph, seed: int) -> Array:
    """Return the group of each node; Louvain's method of networkx."""
    import networkx as nx

    u, v = graph.edges()
    weights = graph.edge_weights()
    w = np.ones(len(u)) if weights is None else weights
    net = nx.Graph()
    net.add_nodes_from(range(graph.num_nodes))
    net.add_weighted_edges_from(zip(u.tolist(), v.tolist(), w.tolist(), strict=True))
    labels = np.zeros(graph.num_nodes, np.int64)
    for number, group in enumerate(nx.community.louvain_communities(net, seed=seed)):
        labels[list(group)] = number
    return labels


def modularity(graph: Graph, groups: Array) -> float:
    """Return the modularity of a grouping, by weight; 0 where there are no edges."""
    w, row = weights_of(graph), graph.arc_rows()
    total = float(w.sum())
    if total == 0:
        return 0.0
    inside = float(w[groups[row] == groups[graph.indices]].sum())
    strength = np.bincount(groups[row], w)
    return inside / total - float((strength**2).sum()) / total**2


def homophily(graph: Graph, groups: Array) -> float | None:
    """Return the share of edges inside groups; None where there are no edges."""
    u, v = graph.edges()
    return float((groups[u] == groups[v]).mean()) if len(u) else None


def ari(first: Array, second: Array) -> float:
    """Return the adjusted Rand index: pairs of nodes that both groupings join, above chance."""
    pairs = [_pairs(np.bincount(x)) for x in (first, second)]
    both = _pairs(np.unique(first * (int(second.max(initial=0)) + 1) + second,
                            return_counts=True)[1])  # fmt: skip
    every = _pairs(np.array([len(first)]))
    chance = pairs[0] * pairs[1] / every if every else 0.0
    most = (pairs[0] + pairs[1]) / 2
    return (both - chance) / (most - chance) if most != chance else 1.0


def _pairs(sizes: Array) -> float:
    return float((sizes * (sizes - 1.0)).sum()) / 2


def nmi(first: Array, second: Array) -> float:
    """Return the mutual information of two groupings over the mean of their entropies."""
    if len(first) == 0:
        return 1.0
    width = int(second.max()) + 1
    codes, counts = np.unique(first * width + second, return_counts=True)
    rows, cols = codes // width, codes % width
    p = counts / len(first)
    a, b = (np.bincount(x) / len(first) for x in (first, second))
    entropy = [-float((x[x > 0] * np.log(x[x > 0])).sum()) for x in (a, b)]
    if entropy[0] == 0 and entropy[1] == 0:
        return 1.0
    shared = float((p * np.log(p / (a[rows] * b[cols]))).sum())
    return 2 * shared / (entropy[0] + entropy[1])
