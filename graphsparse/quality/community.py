"""Whether a community search finds the same groups."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from graphsparse.graph import Graph
from graphsparse.quality.pair import Array, Figure, Pair

RUNS = 3


def community(pair: Pair) -> Figure:
    """Return the agreement of Louvain's groups in H and G over that of its runs on G alone."""
    g, h = pair.undirected
    runs_g = pair.of_full("louvain", lambda: [louvain(g, pair.seed + k) for k in range(RUNS)])
    runs_h = [louvain(h, pair.seed + k) for k in range(RUNS)]
    floor = float(np.mean([nmi(a, b) for a, b in itertools.combinations(runs_g, 2)]))
    between = np.array([nmi(a, b) for a in runs_g for b in runs_h])
    value = min(1.0, float(between.mean()) / floor) if floor > 0 else 1.0
    raw: dict[str, Any] = {"nmi": float(between.mean()), "floor": floor}
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
