"""The tree sparsifier: vectors, budgets, quality, refinement."""

from __future__ import annotations

import math

import numpy as np
import pytest
from graphs import TOYS, random_graph
from oracles_spectral import components, slow_recovery, slow_tree
from vectors_dygrass import graph_of, load

import graphsparse
from graphsparse import Graph, condition_number, grass, sparsify
from graphsparse.convert import to_edge_index, to_networkx
from graphsparse.linalg.conductance import conductances

CASES = load("static")["cases"]


def edge_numbers(whole: Graph, part: Graph) -> list[int]:
    number = {pair: e for e, pair in enumerate(zip(*whole.edges(), strict=True))}
    return sorted(number[pair] for pair in zip(*part.edges(), strict=True))


def grid(side: int, seed: int | None = None) -> Graph:
    at = np.arange(side * side).reshape(side, side)
    across = np.stack((at[:, :-1].ravel(), at[:, 1:].ravel()), axis=1)
    down = np.stack((at[:-1].ravel(), at[1:].ravel()), axis=1)
    edges = np.concatenate((across, down))
    weights = None
    if seed is not None:
        weights = np.exp(np.random.default_rng(seed).standard_normal(len(edges)))
    return Graph.from_edges(edges, weights=weights)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['name']}-{case['tree']}")
def test_vectors(case):
    graph = graph_of(case["n"], case["edges"])
    options = {"tree": case["tree"], "radius": case["radius"], "seed": case["seed"]}
    part = grass(graph, alpha=case["alpha"], **options)
    want = sorted([*case["tree_edges"], *case["recovered_in_order"]])
    assert edge_numbers(graph, part) == want
    assert np.array_equal(part.edge_weights(), graph.edge_weights()[want])
    details = sparsify(graph, "grass", alpha=case["alpha"], **options).details
    assert details["tree"] == case["chosen_tree"]
    assert details["total_stretch"] == pytest.approx(case["total_stretch"], rel=1e-12)
    assert details["off_tree_edges"] == len(case["recovered_in_order"])


def test_budgets_take_their_alpha_from_the_count():
    for seed in range(40):
        graph = random_graph(seed, n=20, m=70, weighted=True)
        simple = conductances(graph)
        forest = 20 - len(components(graph))
        for count in range(forest, simple.num_edges, 7):
            part = grass(graph, num_edges=count, tree="effective", seed=seed)
            tree, stretch = slow_tree(simple, "effective", seed)
            left = count - forest
            chosen = slow_recovery(simple, tree, stretch, left, left / 20, 2, seed) if left else []
            u, v = part.edges()
            distinct = {(a, b) for a, b in zip(u.tolist(), v.tolist(), strict=True) if a != b}
            pairs = list(zip(*(x.tolist() for x in simple.edges()), strict=True))
            assert distinct == {pairs[e] for e in [*tree, *chosen]}


def test_a_budget_below_the_forest():
    graph = random_graph(5, n=30, m=80, weighted=True)
    forest = 30 - len(components(graph))
    with pytest.raises(ValueError, match=rf"the {forest} edges of a spanning forest.* is 4 edges"):
        grass(graph, num_edges=4)
    part = grass(graph, num_edges=4, connected=False, tree="max_weight", seed=11)
    simple = conductances(graph)
    first = slow_tree(simple, "max_weight", 11)[0][:4]
    assert edge_numbers(simple, conductances(part)) == sorted(first)


def test_alpha_keeps_all_there_is_at_most():
    triangle = TOYS["triangle"]()
    assert grass(triangle, alpha=50.0) == triangle
    assert grass(triangle, alpha=0.0).num_edges == 2
    assert grass(TOYS["disconnected"](), alpha=0.0).num_edges == 5


@pytest.mark.parametrize("name", [name for name in TOYS if not name.startswith("directed")])
def test_components_stay(name):
    graph = TOYS[name]()
    part = grass(graph, alpha=0.2, refine=2, seed=3)
    assert components(part) == components(graph)
    assert part.num_self_loops == graph.num_self_loops


def test_kappa_of_a_unit_grid():
    # With ties in index order it would be 80,422 at 316 x 316.
    graph = grid(100)
    for tree, limit in (("auto", 120), ("effective", 170), ("max_weight", 140)):
        part = grass(graph, alpha=0.1, tree=tree, seed=7)
        assert part.num_edges == 9999 + 1000
        found = condition_number(graph, part).kappa
        assert found < limit
        bunched = grass(graph, alpha=0.1, tree=tree, radius=0, seed=7)
        assert condition_number(graph, bunched).kappa > 1.3 * found  # what the balls are for


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_refinement_lowers_kappa(seed):
    graph = grid(70, seed)
    plain, refined = (grass(graph, alpha=0.1, refine=r, seed=seed) for r in (0, 3))
    assert plain.num_edges == refined.num_edges == 4899 + 490
    before, after = (condition_number(graph, part).kappa for part in (plain, refined))
    assert after < 0.8 * before


def test_refinement_keeps_the_budget_however_small():
    graph = grid(12)
    for extra in range(9):
        part = grass(graph, num_edges=143 + extra, refine=4)
        assert part.num_edges == 143 + extra
        assert len(components(part)) == 1


def test_better_than_random_edges_on_a_tree():
    graph = grid(60)
    part = grass(graph, alpha=0.1)
    tree = grass(graph, alpha=0.0, tree="max_weight")
    rest = np.setdiff1d(np.arange(graph.num_edges), edge_numbers(graph, tree))
    chosen = np.random.default_rng(15).choice(rest, 360, replace=False)
    mask = np.zeros(graph.num_edges, bool)
    mask[[*edge_numbers(graph, tree), *chosen]] = True
    other = graph.edge_subgraph(mask)
    assert other.num_edges == part.num_edges
    ours, theirs = (condition_number(graph, x).kappa for x in (part, other))
    assert ours < theirs / 4


def test_types_come_back():
    graph = grid(9)
    network = to_networkx(graph)
    part = grass(network, alpha=0.1)
    assert type(part) is type(network)
    assert part.number_of_edges() == 80 + 8
    assert grass(to_edge_index(graph), alpha=0.1).shape == (2, 176)
    assert grass(graph.to_scipy(), alpha=0.1).nnz == 176


@pytest.mark.parametrize("threads", [2, 16])
def test_threads_do_not_change_the_result(threads):
    graph = grid(80, 33)
    want = grass(graph, alpha=0.1, refine=2, seed=5)
    graphsparse.set_num_threads(threads)
    try:
        assert grass(graph, alpha=0.1, refine=2, seed=5) == want
    finally:
        graphsparse.set_num_threads(0)


def test_scaling_by_powers_of_two_changes_nothing():
    graph = random_graph(91, n=60, m=240, weighted=True)
    want = grass(graph, alpha=0.2, seed=9)
    for power in (-300, -1, 7, 200):
        scaled = Graph.from_edges(
            graph.edges(), num_nodes=60, weights=graph.edge_weights() * 2.0**power
        )
        got = grass(scaled, alpha=0.2, seed=9)
        assert np.array_equal(got.indices, want.indices)
        assert np.array_equal(got.indptr, want.indptr)


def test_bad_arguments():
    graph = grid(5)
    for options, message in (
        ({}, "exactly one of keep and num_edges, or alpha, got none"),
        ({"keep": 0.5, "alpha": 0.1}, "keep=0.5, num_edges=None, alpha=0.1"),
        ({"alpha": -0.1}, "alpha must be finite and >= 0, got -0.1"),
        ({"alpha": math.inf}, "alpha must be finite and >= 0, got inf"),
        ({"alpha": math.nan}, "alpha must be finite and >= 0, got nan"),
        ({"keep": 0.9, "tree": "bfs"}, "tree must be one of 'auto', 'effective', 'max_weight'"),
        ({"keep": 0.9, "radius": -1}, r"radius must be in \[0, 2147483647\], got -1"),
        ({"keep": 0.9, "refine": -2}, "refine must be >= 0, got -2"),
        ({"keep": 0.9, "seed": -2}, "seed must be in"),
    ):
        with pytest.raises(ValueError, match=message):
            grass(graph, **options)
    with pytest.raises(TypeError, match="alpha must be a number, got str 'x'"):
        grass(graph, alpha="x")
    for keep in (0.5, 1.0):
        with pytest.raises(ValueError, match="graph must be undirected, got a directed graph"):
            grass(TOYS["directed cycle"](), keep=keep)
    negative = Graph.from_edges([(0, 1), (1, 2), (2, 0)], weights=[1.0, -1.0, 1.0])
    with pytest.raises(ValueError, match=r"got -1.0 at edge 2 = \(1, 2\)"):
        grass(negative, num_edges=2)
