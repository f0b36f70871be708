"""Sampling by effective resistance: vectors, probabilities, unbiasedness."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import TOYS, clique, random_graph
from oracles import philox
from oracles_spectral import components, dense_laplacian, resistances
from vectors_dygrass import graph_of, load

import graphsparse
from graphsparse import Graph, condition_number, sample_by_resistance, sparsify
from graphsparse.convert import to_edge_index, to_networkx
from graphsparse.linalg import effective_resistance
from graphsparse.linalg.conductance import conductances
from graphsparse.operators.resistance_sampling import (
    inclusion_probabilities,
    independent_sample,
    systematic_sample,
    uniform,
)

CASES = load("er_exact")["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_vectors(case):
    graph, seed = graph_of(case["n"], case["edges"]), int(case["seed"])
    count, weights = case["num_edges"], graph.edge_weights()
    assert np.allclose(effective_resistance(graph), case["R"], rtol=1e-10)
    p, scale = inclusion_probabilities(weights * case["R"], count, np.array(case["forest"], int))
    assert np.allclose(p, case["p"], rtol=1e-10)
    assert scale == (None if case["C"] is None else pytest.approx(case["C"], rel=1e-10))
    assert uniform(seed, 1)[0] == case["u"]
    part = sample_by_resistance(graph, num_edges=count, connected=case["connected"], seed=seed)
    kept = np.argsort(case["kept"])
    u, v = graph.edges()
    assert np.array_equal(part.edges()[0], u[np.sort(case["kept"])])
    assert np.array_equal(part.edges()[1], v[np.sort(case["kept"])])
    assert np.allclose(part.edge_weights(), np.array(case["weights"])[kept], rtol=1e-10)
    alone = independent_sample(np.array(case["p"]), count, seed)
    assert np.flatnonzero(alone).tolist() == sorted(case["kept_independent"])


def test_uniforms_are_the_walk_counters():
    seed = 0x1234_5678_9ABC_DEF0
    for id_ in (0, 1, 7):
        word = philox((0, 0, id_, 3 << 28), (seed & 0xFFFFFFFF, seed >> 32))[0]
        assert uniform(seed, 8)[id_] == (word + 0.5) / 2**32


def test_probabilities_add_up():
    rng = np.random.default_rng(77_017)
    for _ in range(300):
        m = int(rng.integers(1, 60))
        leverages = rng.exponential(size=m) ** rng.integers(1, 4)
        forest = rng.choice(m, int(rng.integers(0, m)), replace=False)
        count = int(rng.integers(len(forest), m))
        p, scale = inclusion_probabilities(leverages, count, forest)
        assert p.sum() == pytest.approx(count, rel=1e-12)
        assert (p[forest] == 1).all()
        others = np.setdiff1d(np.arange(m), forest)
        assert np.allclose(p[others], np.minimum(1, scale * leverages[others]), rtol=1e-12)


def test_exact_count_is_exact_and_has_the_probabilities():
    rng = np.random.default_rng(3_907)
    leverages = rng.exponential(size=40)
    p, _ = inclusion_probabilities(leverages, 13, np.zeros(0, int))
    found = np.zeros(40)
    for seed in range(4000):
        mask = systematic_sample(p, 13, seed)
        assert mask.sum() == 13
        found += mask
    error = found / 4000 - p
    assert np.abs(error).max() < 4.5 * np.sqrt(0.25 / 4000)


def test_exact_count_survives_rounding():
    p = np.full(7, 1.0)
    p[:2] = 0.5 + 1e-9, 0.5 - 1e-9
    p[3] = 1 + 4e-9  # longer than one by an error far above rounding: it may hold two points
    for seed in range(300):
        assert systematic_sample(p, 6, seed).sum() == 6


def test_unbiased():
    graph = random_graph(404, n=14, m=60, weighted=True)
    want = dense_laplacian(graph)
    for exact in (True, False):
        mean = np.zeros((14, 14))
        for seed in range(250):
            part = sample_by_resistance(graph, keep=0.5, exact_count=exact, seed=seed)
            mean += dense_laplacian(part) / 250
        assert np.abs(mean - want).max() < 0.12 * want.max()


def test_bridges_are_always_kept():
    barbell = TOYS["barbell"]()
    for seed in range(30):
        part = sample_by_resistance(barbell, num_edges=8, seed=seed)
        u, v = part.edges()
        at = int(np.flatnonzero((u == 3) & (v == 4))[0])
        assert part.edge_weights()[at] == 1.0


@pytest.mark.parametrize("name", [name for name in TOYS if not name.startswith("directed")])
def test_connected(name):
    graph = TOYS[name]()
    forest = graph.num_nodes - len(components(graph))
    if conductances(graph).num_edges > forest:
        for seed in range(10):
            part = sample_by_resistance(graph, num_edges=forest + 1, connected=True, seed=seed)
            assert components(part) == components(graph)
    if forest:
        with pytest.raises(ValueError, match=rf"the {forest} edges of a spanning forest.* is 0"):
            sample_by_resistance(graph, num_edges=0, connected=True)


def test_quality_on_a_dense_graph():
    rng = np.random.default_rng(99)
    u, v = np.triu_indices(200, 1)
    graph = Graph.from_edges((u, v), weights=rng.uniform(0.5, 2, len(u)))
    part = sample_by_resistance(graph, num_edges=6000, seed=1)
    number = condition_number(graph, part)
    assert 0.4 < number.lambda_min < 1 < number.lambda_max < 2.2


def test_projection_is_used_where_asked():
    graph = random_graph(12, n=80, m=900, weighted=True)
    simple = conductances(graph)
    exact = resistances(simple)[simple.edges()] * simple.edge_weights()
    result = sparsify(graph, "er", keep=0.3, resistances="jl", dim=3000, seed=4)
    assert result.details["resistances"] == "jl"
    assert conductances(result.graph).num_edges == result.num_kept
    want, _ = inclusion_probabilities(exact, result.num_kept, np.zeros(0, int))
    p = result.details["scale"] * exact
    assert np.allclose(np.minimum(p, 1), want, rtol=0.05)


def test_independent_draws_meet_the_budget_on_average():
    graph = clique(40)
    counts = [
        sample_by_resistance(graph, num_edges=300, exact_count=False, seed=seed).num_edges
        for seed in range(200)
    ]
    assert len(set(counts)) > 10
    assert np.mean(counts) == pytest.approx(300, rel=0.02)


def test_without_reweighting():
    graph = clique(9)
    part = sample_by_resistance(graph, num_edges=20, reweight=False, seed=5)
    assert part.weights is None
    columns = sample_by_resistance(to_edge_index(graph), num_edges=20, reweight=False, seed=5)
    assert columns.shape == (2, 40)


def test_types_come_back_reweighted():
    graph = clique(9)
    want = sample_by_resistance(graph, num_edges=20, seed=5)
    network = sample_by_resistance(to_networkx(graph), num_edges=20, seed=5)
    assert network.number_of_edges() == 20
    weights = [d["weight"] for *_, d in sorted(network.edges(data=True))]
    assert np.allclose(weights, want.edge_weights())
    matrix = sample_by_resistance(graph.to_scipy(), num_edges=20, seed=5)
    assert np.allclose(matrix.toarray(), want.to_scipy().toarray())


@pytest.mark.parametrize("threads", [2, 16])
def test_threads_do_not_change_the_result(threads):
    graph = random_graph(77, n=500, m=4000, weighted=True)
    want = [sample_by_resistance(graph, keep=0.4, resistances=r, seed=2) for r in ("exact", "jl")]
    graphsparse.set_num_threads(threads)
    try:
        got = [
            sample_by_resistance(graph, keep=0.4, resistances=r, seed=2) for r in ("exact", "jl")
        ]
    finally:
        graphsparse.set_num_threads(0)
    assert got == want


def test_bad_arguments():
    graph = clique(6)
    with pytest.raises(ValueError, match="resistances must be one of 'auto', 'exact', 'jl'"):
        sample_by_resistance(graph, keep=0.5, resistances="solve")
    with pytest.raises(ValueError, match="dim must be >= 1, got 0"):
        sample_by_resistance(graph, keep=0.5, dim=0)
    with pytest.raises(TypeError, match="an edge_index has no place"):
        sample_by_resistance(to_edge_index(graph), keep=0.5)
    with pytest.raises(TypeError, match="an edge_index has no place"):
        sample_by_resistance(np.array([[0, 1, 1, 2], [1, 0, 2, 1]]), keep=0.5)
    with pytest.raises(ValueError, match="graph must be undirected"):
        sample_by_resistance(TOYS["directed cycle"](), keep=0.5)
    with pytest.raises(ValueError, match="must be conductances"):
        sample_by_resistance(Graph.from_edges([(0, 1), (1, 2)], weights=[1, 0]), num_edges=1)
