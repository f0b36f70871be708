"""Small named graphs: every shape that has ever broken a graph algorithm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphsparse import Graph

# Zachary's karate club, 34 nodes, 78 edges: row u lists its neighbours v > u.
_KARATE = {
    0: [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31],
    1: [2, 3, 7, 13, 17, 19, 21, 30],
    2: [3, 7, 8, 9, 13, 27, 28, 32],
    3: [7, 12, 13],
    4: [6, 10],
    5: [6, 10, 16],
    6: [16],
    8: [30, 32, 33],
    9: [33],
    13: [33],
    14: [32, 33],
    15: [32, 33],
    18: [32, 33],
    19: [33],
    20: [32, 33],
    22: [32, 33],
    23: [25, 27, 29, 32, 33],
    24: [25, 27, 31],
    25: [31],
    26: [29, 33],
    27: [33],
    28: [31, 33],
    29: [32, 33],
    30: [32, 33],
    31: [32, 33],
    32: [33],
}


def path(n: int = 5) -> Graph:
    """Return a path."""
    return Graph.from_edges([(u, u + 1) for u in range(n - 1)], num_nodes=n)


def star(leaves: int = 6) -> Graph:
    """Return a star round node 0."""
    return Graph.from_edges([(0, v + 1) for v in range(leaves)], num_nodes=leaves + 1)


def clique(n: int = 6) -> Graph:
    """Return a complete graph."""
    return Graph.from_edges([(u, v) for u in range(n) for v in range(u + 1, n)], num_nodes=n)


def barbell(n: int = 4) -> Graph:
    """Return two cliques of ``n`` joined by one edge, a bridge."""
    left = [(u, v) for u in range(n) for v in range(u + 1, n)]
    right = [(u + n, v + n) for u, v in left]
    return Graph.from_edges([*left, *right, (n - 1, n)], num_nodes=2 * n)


def karate() -> Graph:
    """Return Zachary's karate club."""
    return Graph.from_edges([(u, v) for u, row in _KARATE.items() for v in row], num_nodes=34)


def random_graph(
    seed: int, n: int = 12, m: int = 30, *, directed: bool = False, weighted: bool = False
) -> Graph:
    """Return ``m`` edges between random ends: loops, parallel edges and isolated nodes happen."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.1, 3.0, m) if weighted else None
    edges = rng.integers(0, n, (m, 2))
    return Graph.from_edges(edges, num_nodes=n, weights=weights, directed=directed)


TOYS: dict[str, Callable[[], Graph]] = {
    "empty": lambda: Graph.from_edges([], num_nodes=0),
    "one node": lambda: Graph.from_edges([], num_nodes=1),
    "no edge": lambda: Graph.from_edges([], num_nodes=4),
    "one loop": lambda: Graph.from_edges([(0, 0)], num_nodes=1),
    "one edge": lambda: Graph.from_edges([(0, 1)], num_nodes=2),
    "isolated": lambda: Graph.from_edges([(1, 3), (3, 4)], num_nodes=7),
    "triangle": lambda: Graph.from_edges([(0, 1), (1, 2), (2, 0)], num_nodes=3),
    "path": path,
    "star": star,
    "clique": clique,
    "barbell": barbell,
    "karate": karate,
    "parallel edges": lambda: Graph.from_edges([(0, 1), (1, 0), (1, 2), (0, 1)], num_nodes=3),
    "loops": lambda: Graph.from_edges([(0, 0), (0, 1), (1, 1), (1, 2), (3, 3)], num_nodes=4),
    "disconnected": lambda: Graph.from_edges(
        [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (6, 7)], num_nodes=8
    ),
    "weighted": lambda: Graph.from_edges(
        [(0, 1), (1, 2), (2, 0), (2, 3)], num_nodes=4, weights=[0.5, 2.0, 1.0, 4.0]
    ),
    "directed cycle": lambda: Graph.from_edges(
        [(0, 1), (1, 2), (2, 0)], num_nodes=3, directed=True
    ),
    "directed both ways": lambda: Graph.from_edges(
        [(0, 1), (1, 0), (1, 2), (3, 1), (3, 3)], num_nodes=5, directed=True
    ),
    "directed weighted": lambda: Graph.from_edges(
        [(0, 1), (1, 0), (2, 1)], num_nodes=3, weights=[1.0, 2.0, 3.0], directed=True
    ),
}
