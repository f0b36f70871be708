"""Some 210 small graphs of every shape for the contract of the static family."""

from __future__ import annotations

from functools import cache

import numpy as np
from graphs import TOYS, clique, path, star

from graphsparse import Graph

SHAPES = {
    "long path": lambda: path(60),
    "star": lambda: star(20),
    "clique": lambda: clique(9),
}


@cache
def mixed(seed: int) -> Graph:
    """Return a graph with loops, parallel edges, isolated nodes; integer weights in each third."""
    rng = np.random.default_rng([77, seed])
    n, m = int(rng.integers(2, 15)), int(rng.integers(0, 40))
    weights = rng.integers(1, 10, m).astype(float) if seed % 3 == 0 else None
    ends = rng.integers(0, n, (m, 2))
    return Graph.from_edges(ends, num_nodes=n, weights=weights, directed=seed % 4 == 1)


@cache
def simple(seed: int, *, directed: bool = False, weighted: bool = True) -> Graph:
    """Return a graph without loops and parallel edges; integer weights add up exactly."""
    rng = np.random.default_rng([99, seed])
    n, m = int(rng.integers(3, 15)), int(rng.integers(1, 40))
    ends = rng.integers(0, n, (m, 2))
    ends = ends[ends[:, 0] != ends[:, 1]]
    if not directed:
        ends = np.sort(ends, axis=1)
    ends = np.unique(ends, axis=0) if len(ends) else np.array([[0, 1]])
    w = rng.integers(1, 10, len(ends)).astype(float) if weighted else None
    return Graph.from_edges(ends, num_nodes=n, weights=w, directed=directed)


def every() -> list[tuple[str, Graph]]:
    """Return named graphs: toys, shapes and random ones."""
    found = [(name, make()) for name, make in (TOYS | SHAPES).items()]
    return found + [(f"mixed {seed}", mixed(seed)) for seed in range(190)]


def pairs(graph: Graph) -> list[tuple[int, int]]:
    """Return the edges in the order of their numbers."""
    u, v = graph.edges()
    return list(zip(u.tolist(), v.tolist(), strict=True))
