"""Effective resistances: vectors, closed forms, theorems, a dense twin."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import TOYS, clique, path, random_graph, star
from oracles_spectral import components, conductance_edges, resistances
from vectors_dygrass import graph_of, load

import graphsparse
from graphsparse import Graph
from graphsparse.errors import GraphsparseError
from graphsparse.linalg import effective_resistance
from graphsparse.linalg import resistance as module

GRAPHS = load("resistance")["graphs"]


@pytest.mark.parametrize("case", GRAPHS, ids=lambda case: case["name"])
@pytest.mark.parametrize("method", ["exact", "solve"])
def test_vectors(case, method):
    graph = graph_of(case["n"], case["edges"])
    pairs = [row[:2] for row in case["pairs"]]
    found = effective_resistance(graph, pairs, method=method, tol=1e-12)
    assert np.allclose(found, [row[2] for row in case["pairs"]], rtol=1e-10, atol=0)
    total = graph.edge_weights() @ effective_resistance(graph)
    assert total == pytest.approx(case["sum_w_R"], rel=1e-12)


def random_graphs(count: int):
    rng = np.random.default_rng(81_533)
    for _ in range(count):
        n = int(rng.integers(1, 30))
        yield random_graph(
            int(rng.integers(2**31)), n, int(rng.integers(0, 4 * n)), weighted=bool(rng.integers(2))
        )


@pytest.mark.parametrize("dense", [True, False])
def test_all_pairs_of_random_graphs(dense, monkeypatch):
    if not dense:
        monkeypatch.setattr(module, "DENSE_LIMIT", 0)
    for graph in random_graphs(200):
        u, v = (x.ravel() for x in np.indices((graph.num_nodes,) * 2))
        found = effective_resistance(graph, np.stack((u, v), axis=1))
        assert np.allclose(found, resistances(graph)[u, v], rtol=1e-9, atol=1e-12)
        assert (found[u == v] == 0).all()
        of_edges = effective_resistance(graph)
        assert np.allclose(of_edges, resistances(graph)[graph.edges()], rtol=1e-9, atol=1e-12)


def test_foster():
    for graph in random_graphs(100):
        edges = conductance_edges(graph)
        found = effective_resistance(graph, list(edges))
        total = float(np.dot(list(edges.values()), found)) if edges else 0.0
        assert total == pytest.approx(graph.num_nodes - len(components(graph)), rel=1e-9, abs=1e-9)


def test_rayleigh():
    # Resistances fall when an edge is added or made heavier.
    rng = np.random.default_rng(1_613)
    for graph in random_graphs(60):
        if graph.num_edges == 0:
            continue
        u, v = graph.edges()
        weights = np.ones(len(u)) if graph.weights is None else graph.edge_weights()
        heavier = weights * (1 + rng.random(len(u)))
        extra = rng.integers(0, graph.num_nodes, (1, 2))
        edges = np.concatenate((np.stack((u, v), axis=1), extra))
        more = Graph.from_edges(edges, num_nodes=graph.num_nodes, weights=[*heavier, 0.7])
        pairs = rng.integers(0, graph.num_nodes, (40, 2))
        before, after = effective_resistance(graph, pairs), effective_resistance(more, pairs)
        assert (after <= before * (1 + 1e-12)).all()


def test_closed_forms():
    n = 9
    ends = np.array([(0, v) for v in range(n)])
    assert np.allclose(effective_resistance(path(n), ends), np.arange(n), rtol=1e-13)
    assert np.allclose(effective_resistance(clique(n)), 2 / n, rtol=1e-13)
    assert np.allclose(effective_resistance(star(n), [(1, 2), (0, 3)]), [2, 1], rtol=1e-13)
    cycle = Graph.from_edges([(v, (v + 1) % n) for v in range(n)])
    k = np.arange(n)
    assert np.allclose(effective_resistance(cycle, ends), k * (n - k) / n, rtol=1e-13)
    parallel = Graph.from_edges([(0, 1), (0, 1), (0, 1)], weights=[1.0, 2.0, 5.0])
    assert np.allclose(effective_resistance(parallel), 1 / 8, rtol=1e-13)
    bipartite = Graph.from_edges([(a, 3 + b) for a in range(3) for b in range(5)])
    assert np.allclose(effective_resistance(bipartite), (3 + 5 - 1) / (3 * 5), rtol=1e-13)


def test_long_path_is_exact():
    n = 100_000
    line = Graph.from_edges([(v, v + 1) for v in range(n - 1)])
    found = effective_resistance(line, [(0, n - 1), (17, 50_017)])
    assert np.allclose(found, [n - 1, 50_000], rtol=1e-11)


def test_projection_has_the_promised_error():
    rng = np.random.default_rng(2_477)
    graph = Graph.from_edges(rng.integers(0, 400, (1600, 2)), num_nodes=400)
    pairs = rng.integers(0, 400, (3000, 2))
    exact = effective_resistance(graph, pairs)
    keep = np.isfinite(exact) & (exact > 0)
    for dim in (64, 512):
        found = effective_resistance(graph, pairs, method="jl", dim=dim, seed=dim)
        error = found[keep] / exact[keep] - 1
        assert np.sqrt(np.mean(error**2)) == pytest.approx(np.sqrt(2 / dim), rel=0.35)
    default = effective_resistance(graph, pairs, method="jl", seed=9)
    assert np.abs(default[keep] / exact[keep] - 1).max() < 1
    assert (default[~keep] == exact[~keep]).all()


def test_projection_without_a_factor(monkeypatch):
    rng = np.random.default_rng(2_478)
    graph = Graph.from_edges(rng.integers(0, 300, (900, 2)), num_nodes=300)
    with_factor = effective_resistance(graph, method="jl", dim=40, seed=3)
    monkeypatch.setattr(module, "CHEAP_OPERATIONS", 0.0)
    assert np.allclose(
        effective_resistance(graph, method="jl", dim=40, seed=3), with_factor, rtol=1e-3
    )


@pytest.mark.parametrize("name", [name for name in TOYS if not name.startswith("directed")])
@pytest.mark.parametrize("method", ["exact", "jl", "solve"])
def test_toy_graphs(name, method):
    graph = TOYS[name]()
    found = effective_resistance(graph, method=method, dim=4000, seed=11)
    want = resistances(graph)[graph.edges()]
    assert np.allclose(found, want, rtol=0.2 if method == "jl" else 1e-7)


@pytest.mark.parametrize("threads", [2, 16])
@pytest.mark.parametrize("method", ["exact", "jl", "solve"])
def test_threads_do_not_change_the_result(method, threads):
    graph = random_graph(733, 300, 900, weighted=True)
    pairs = np.random.default_rng(7).integers(0, 300, (40, 2))
    want = effective_resistance(graph, pairs, method=method, seed=3)
    graphsparse.set_num_threads(threads)
    try:
        got = effective_resistance(graph, pairs, method=method, seed=3)
    finally:
        graphsparse.set_num_threads(0)
    assert np.array_equal(got, want)


def test_memory_is_refused_with_the_figure(monkeypatch):
    monkeypatch.setattr(module, "DENSE_LIMIT", 0)
    graph = random_graph(734, 900, 4000)
    with pytest.raises(ValueError, match=r"would need about .*MB, more than max_bytes=50000"):
        effective_resistance(graph, [(0, 1)], max_bytes=50_000)


def test_solves_that_do_not_converge_are_told(monkeypatch):
    monkeypatch.setattr(module.LaplacianSolver, "_iterate", lambda self, b: (np.zeros_like(b), 1))
    with pytest.raises(GraphsparseError, match=r"did not converge: residual 1.0e.00"):
        effective_resistance(path(5), [(0, 4)], method="solve")


def test_bad_arguments():
    graph = path(5)
    with pytest.raises(ValueError, match=r"pairs must hold nodes in \[0, 5\), got \(1, 5\)"):
        effective_resistance(graph, [(0, 1), (1, 5)])
    with pytest.raises(ValueError, match=r"pairs must have shape \(k, 2\), got \(1, 3\)"):
        effective_resistance(graph, [(0, 1, 2)])
    with pytest.raises(TypeError, match="pairs must hold integers"):
        effective_resistance(graph, [(0.0, 1.5)])
    with pytest.raises(ValueError, match="method must be one of 'exact', 'jl', 'solve'"):
        effective_resistance(graph, method="pinv")
    with pytest.raises(ValueError, match="dim must be >= 1, got 0"):
        effective_resistance(graph, method="jl", dim=0)
    with pytest.raises(ValueError, match="must be undirected"):
        effective_resistance(TOYS["directed cycle"]())
    assert effective_resistance(graph, []).shape == (0,)
