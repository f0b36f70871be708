"""Connected components against a search in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import TOYS, random_graph
from oracles_spectral import components

from graphsparse import Graph
from graphsparse.linalg.components import component_labels


def by_search(graph: Graph) -> list[set[int]]:
    u, v = graph.edges()
    return components(Graph.from_edges((u, v), num_nodes=graph.num_nodes))


def check(graph: Graph) -> None:
    count, labels = component_labels(graph)
    assert labels.dtype == np.int32
    assert labels.shape == (graph.num_nodes,)
    parts = [set(np.flatnonzero(labels == c).tolist()) for c in range(count)]
    assert parts == by_search(graph)  # both by smallest node


@pytest.mark.parametrize("name", TOYS)
def test_toy_graphs(name):
    check(TOYS[name]())


@pytest.mark.parametrize("directed", [False, True])
def test_random_graphs(directed):
    """Few edges, so that there are many components; directions do not matter."""
    rng = np.random.default_rng(771)
    for _ in range(200):
        n = int(rng.integers(1, 60))
        check(random_graph(int(rng.integers(2**31)), n, int(rng.integers(0, n)), directed=directed))


def test_a_long_path_in_random_order():
    """The forest of the search is as deep as it gets."""
    order = np.random.default_rng(9).permutation(50_000)
    count, labels = component_labels(Graph.from_edges((order[:-1], order[1:])))
    assert count == 1
    assert not labels.any()
