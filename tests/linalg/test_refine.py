"""Edges chosen by power steps on the pencil."""

from __future__ import annotations

import numpy as np

from graphsparse import Graph
from graphsparse.linalg import condition_number, spanning_tree
from graphsparse.linalg.conductance import conductances
from graphsparse.linalg.refine import critical_edges


def ladder(n: int) -> Graph:
    rails = [(2 * i, 2 * i + 2) for i in range(n - 1)] + [
        (2 * i + 1, 2 * i + 3) for i in range(n - 1)
    ]
    return conductances(Graph.from_edges([*rails, *((2 * i, 2 * i + 1) for i in range(n))]))


def test_a_good_edge_is_found():
    # Two rails joined by one rung at an end: the next rung belongs far from it.
    graph = ladder(40)
    u, v = graph.edges()
    rungs = np.flatnonzero((u % 2 == 0) & (v == u + 1))
    part = np.setdiff1d(np.arange(graph.num_edges), rungs[1:])
    chosen = critical_edges(graph, part, 1, alpha=0.1, seed=3)
    kappas = []
    for rung in rungs[1:]:
        mask = np.zeros(graph.num_edges, bool)
        mask[[*part, rung]] = True
        kappas.append(condition_number(graph, graph.edge_subgraph(mask)).kappa)
    gain = kappas[int(np.flatnonzero(rungs[1:] == chosen[0])[0])]
    assert gain < 0.35 * max(kappas)


def test_never_an_edge_of_the_part_and_never_too_many():
    rng = np.random.default_rng(87)
    for _ in range(30):
        n = int(rng.integers(3, 40))
        graph = conductances(
            Graph.from_edges(
                rng.integers(0, n, (3 * n, 2)), num_nodes=n, weights=rng.uniform(0.1, 5, 3 * n)
            )
        )
        tree = spanning_tree(graph).edges
        budget = int(rng.integers(0, 2 * n))
        chosen = critical_edges(graph, tree, budget, alpha=0.2, seed=int(rng.integers(99)))
        assert len(set(chosen)) == len(chosen) == min(budget, graph.num_edges - len(tree))
        assert not set(chosen) & set(tree)
