"""The tree sparsifier's core: spanning trees, stretch, recovery."""

from __future__ import annotations

import math

import numpy as np
import pytest
from graphs import TOYS, random_graph
from oracles_spectral import slow_recovery, slow_tree
from vectors_dygrass import graph_of, load

import graphsparse
from graphsparse import Graph
from graphsparse.linalg.conductance import conductances
from graphsparse.linalg.tree import recover_edges, spanning_tree

CASES = load("static")["cases"]


def case_id(case: dict) -> str:
    return f"{case['name']}-{case['tree']}"


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_vectors(case):
    graph = graph_of(case["n"], case["edges"])
    tree = spanning_tree(graph, kind=case["tree"], seed=case["seed"])
    assert tree.kind == case["chosen_tree"]
    assert sorted(tree.edges) == sorted(case["tree_edges"])
    assert np.allclose(tree.stretch, case["stretch"], rtol=1e-12, atol=0)
    assert tree.total_stretch == pytest.approx(case["total_stretch"], rel=1e-12)
    budget = math.floor(case["alpha"] * case["n"] + 1e-6)
    recovered = recover_edges(
        graph, tree, budget, alpha=case["alpha"], radius=case["radius"], seed=case["seed"]
    )
    assert recovered.tolist() == case["recovered_in_order"]


def test_worked_example():
    pairs = [(0, 1), (0, 3), (0, 5), (1, 2), (1, 4), (2, 3), (2, 4), (3, 4), (3, 5)]
    weights = [1, 1, 1, 2, 1, 1, 0.5, 4, 1.5]
    graph = Graph.from_edges(pairs, num_nodes=6, weights=weights)
    tree = spanning_tree(graph, kind="effective")
    assert sorted(tree.edges) == [1, 3, 5, 7, 8]
    assert np.allclose(tree.stretch, [2.5, 1, 5 / 3, 1, 1.75, 1, 0.625, 1, 1], rtol=1e-14)
    assert tree.total_stretch == pytest.approx(11.541667, abs=1e-6)
    assert recover_edges(graph, tree, 2, alpha=0.34).tolist() == [0, 4]


def random_cases(count: int):
    rng = np.random.default_rng(70_309)
    for _ in range(count):
        n = int(rng.integers(1, 24))
        graph = random_graph(
            int(rng.integers(2**31)), n, int(rng.integers(0, 4 * n)), weighted=bool(rng.integers(2))
        )
        yield conductances(graph), int(rng.integers(2**62)), rng


def test_slow_twin_on_random_graphs():
    for graph, seed, rng in random_cases(200):
        kind = ("effective", "max_weight")[int(rng.integers(2))]
        tree = spanning_tree(graph, kind=kind, seed=seed)
        edges, stretch = slow_tree(graph, kind, seed)
        assert tree.edges.tolist() == edges
        assert np.allclose(tree.stretch, stretch, rtol=1e-9, atol=2e-9)
        budget, alpha = int(rng.integers(0, 9)), float(rng.choice([0.05, 0.1, 0.2, 0.5]))
        radius = int(rng.integers(0, 4))
        recovered = recover_edges(graph, tree, budget, alpha=alpha, radius=radius, seed=seed)
        want = slow_recovery(graph, edges, stretch, budget, alpha, radius, seed)
        assert recovered.tolist() == want


@pytest.mark.parametrize("name", [name for name in TOYS if not name.startswith("directed")])
def test_toy_graphs(name):
    graph = conductances(TOYS[name]())
    for kind in ("effective", "max_weight"):
        edges, stretch = slow_tree(graph, kind, 9)
        tree = spanning_tree(graph, kind=kind, seed=9)
        assert tree.edges.tolist() == edges
        assert np.allclose(tree.stretch, stretch, rtol=1e-9)
        recovered = recover_edges(graph, tree, graph.num_edges, alpha=0.3, seed=9)
        assert recovered.tolist() == slow_recovery(graph, edges, stretch, 10**6, 0.3, 2, 9)
        assert len(recovered) + len(tree.edges) == graph.num_edges


def test_auto_takes_the_smaller_total_stretch():
    graph = conductances(random_graph(88, 60, 200, weighted=True))
    totals = {k: spanning_tree(graph, kind=k).total_stretch for k in ("effective", "max_weight")}
    auto = spanning_tree(graph)
    assert auto.kind == min(totals, key=totals.__getitem__)
    assert auto.total_stretch == min(totals.values())


def test_path_and_star_have_no_stretch_to_lose():
    star = conductances(Graph.from_edges([(0, v) for v in range(1, 4000)]))
    line = conductances(Graph.from_edges([(v, v + 1) for v in range(20_000)]))
    for graph in (star, line):
        tree = spanning_tree(graph)
        assert (tree.stretch == 1).all()
        assert len(recover_edges(graph, tree, 5, alpha=0.1)) == 0


def test_long_cycle():
    n = 30_000
    graph = conductances(Graph.from_edges([(v, (v + 1) % n) for v in range(n)]))
    tree = spanning_tree(graph, seed=3)
    assert sorted(tree.stretch)[-2:] == [1.0, n - 1.0]
    assert recover_edges(graph, tree, 5, alpha=0.1).tolist() == [int(np.argmax(tree.stretch))]


@pytest.mark.parametrize("threads", [2, 16])
def test_threads_do_not_change_the_result(threads):
    rng = np.random.default_rng(409)
    graph = conductances(
        Graph.from_edges(rng.integers(0, 9000, (60_000, 2)), weights=rng.random(60_000) + 0.01)
    )
    want = spanning_tree(graph, seed=5)
    graphsparse.set_num_threads(threads)
    try:
        got = spanning_tree(graph, seed=5)
    finally:
        graphsparse.set_num_threads(0)
    assert np.array_equal(got.edges, want.edges)
    assert np.array_equal(got.stretch, want.stretch)


def test_extreme_weights_keep_the_budget():
    # Resistances of 1e300 and 1e-300 side by side: depths absorb, yet nothing turns negative.
    rng = np.random.default_rng(77)
    edges = rng.integers(0, 40, (120, 2))
    graph = conductances(
        Graph.from_edges(edges, num_nodes=40, weights=10.0 ** rng.uniform(-299, 299, 120))
    )
    tree = spanning_tree(graph, kind="max_weight")
    assert (tree.stretch >= 0).all()
    assert len(recover_edges(graph, tree, 7, alpha=0.2)) == 7
