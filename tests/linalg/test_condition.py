"""Condition numbers: vectors, three engines, a dense twin, components."""

from __future__ import annotations

import math

import numpy as np
import pytest
from graphs import TOYS, clique, karate, path, random_graph
from oracles_spectral import components, pencil_eigenvalues, resistances
from vectors_dygrass import graph_of, load

import graphsparse
from graphsparse import Graph
from graphsparse.errors import GraphsparseError
from graphsparse.linalg import condition as module
from graphsparse.linalg import condition_number, spanning_tree
from graphsparse.linalg.conductance import conductances
from graphsparse.linalg.tree import recover_edges

ENGINES = ("auto", "dense", "factor", "iterative")
PAIRS = load("kappa")["pairs"] + load("kappa_disconnected")["pairs"]


def tree_sparsifier(graph: Graph, alpha: float = 0.1, seed: int = 0) -> Graph:
    simple = conductances(graph)
    tree = spanning_tree(simple, seed=seed)
    mask = np.zeros(simple.num_edges, bool)
    mask[tree.edges] = True
    budget = math.floor(alpha * simple.num_nodes + 1e-6)
    mask[recover_edges(simple, tree, budget, alpha=alpha, seed=seed)] = True
    return simple.edge_subgraph(mask)


def mesh(side: int, seed: int) -> Graph:
    at = np.arange(side * side).reshape(side, side)
    across = np.stack((at[:, :-1].ravel(), at[:, 1:].ravel()), axis=1)
    down = np.stack((at[:-1].ravel(), at[1:].ravel()), axis=1)
    edges = np.concatenate((across, down))
    weights = np.exp(np.random.default_rng(seed).standard_normal(len(edges)))
    return Graph.from_edges(edges, weights=weights)


@pytest.mark.parametrize("method", ENGINES)
@pytest.mark.parametrize("case", PAIRS, ids=lambda case: case["name"])
def test_vectors(case, method):
    graph, sparsifier = graph_of(case["n"], case["G"]), graph_of(case["n"], case["H"])
    found = condition_number(graph, sparsifier, method=method, tol=1e-7, per_component=True)
    if case["kappa"] == "inf":
        assert found.kappa == math.inf
        assert found.method == "components"
        assert math.isnan(found.lambda_min)
        return
    assert found.kappa == pytest.approx(case["kappa"], rel=1e-9)
    if case["lambda_max"] is not None:
        assert found.lambda_max == pytest.approx(case["lambda_max"], rel=1e-9)
        assert found.lambda_min == pytest.approx(case["lambda_min"], rel=1e-9)
    for part, want in zip(found.components, case.get("per_component", []), strict=False):
        assert part.kappa == pytest.approx(want["kappa"], rel=1e-9)
    assert len(found.components) == len(case.get("components", [0]))


def random_pairs(count: int):
    """Graphs with equal components: H is a reweighted part of G plus edges inside components."""
    rng = np.random.default_rng(55_291)
    while count:
        n = int(rng.integers(2, 25))
        graph = random_graph(
            int(rng.integers(2**31)), n, int(rng.integers(1, 4 * n)), weighted=True
        )
        u, v = graph.edges()
        tree = spanning_tree(conductances(graph), kind="max_weight")
        tu, tv = (x[tree.edges] for x in conductances(graph).edges())
        some = rng.random(len(u)) < rng.random()
        weights = rng.uniform(0.1, 3, len(tu) + int(some.sum()))
        edges = (np.concatenate((tu, u[some])), np.concatenate((tv, v[some])))
        yield graph, Graph.from_edges(edges, num_nodes=n, weights=weights)
        count -= 1


def test_dense_twin_on_random_pairs():
    for graph, sparsifier in random_pairs(200):
        values = pencil_eigenvalues(graph, sparsifier)
        for method in ("factor", ("dense", "iterative")[graph.num_edges % 2]):
            found = condition_number(graph, sparsifier, method=method, tol=1e-7)
            if len(values) == 0:
                assert found.kappa == 1
                continue
            assert found.lambda_min == pytest.approx(values[0], rel=1e-8)
            assert found.lambda_max == pytest.approx(values[-1], rel=1e-8)
            assert found.kappa == pytest.approx(values[-1] / values[0], rel=1e-8)
            assert found.residual <= 1e-7


def test_exact_one_only_where_the_rest_falls_apart():
    for graph, _ in random_pairs(120):
        simple = conductances(graph)
        rng = np.random.default_rng(simple.num_edges)
        mask = rng.random(simple.num_edges) < 0.4
        mask[spanning_tree(simple).edges] = True
        part = simple.edge_subgraph(mask)
        rest = simple.edge_subgraph(~mask)
        found = condition_number(simple, part, method="factor")
        values = pencil_eigenvalues(simple, part)
        if len(values) and len(components(rest)) > len(components(simple)):
            assert found.lambda_min == 1.0
        if len(values):
            assert found.lambda_min == pytest.approx(values[0], rel=1e-9)


@pytest.mark.parametrize("seed", [311, 312])
def test_engines_agree(seed):
    graph = mesh(31, seed)
    sparsifier = tree_sparsifier(graph)
    found = {m: condition_number(graph, sparsifier, method=m) for m in ENGINES}
    for name, number in found.items():
        assert number.kappa == pytest.approx(found["dense"].kappa, rel=1e-6), name
        assert number.residual <= 1e-6
    assert found["iterative"].method == "iterative"
    assert found["factor"].method == found["auto"].method == "factor"
    swapped = condition_number(sparsifier, graph, method="factor")
    assert swapped.lambda_max == pytest.approx(1 / found["dense"].lambda_min, rel=1e-6)
    assert swapped.lambda_min == pytest.approx(1 / found["dense"].lambda_max, rel=1e-6)


def test_closed_forms():
    for n in (4, 7, 30):
        cycle = Graph.from_edges([(v, (v + 1) % n) for v in range(n)])
        assert condition_number(cycle, path(n)).kappa == pytest.approx(n, rel=1e-9)
        hub = Graph.from_edges([(0, v) for v in range(1, n)])
        assert condition_number(clique(n), hub).kappa == pytest.approx(n, rel=1e-9)
    heavier = Graph.from_edges(karate().edges(), weights=np.full(78, 2.5))
    found = condition_number(karate(), heavier)
    assert found.lambda_max == pytest.approx(0.4, rel=1e-12)
    assert found.kappa == pytest.approx(1.0, rel=1e-12)


def test_leaving_out_an_edge_costs_at_most_its_distortion():
    rng = np.random.default_rng(919)
    for graph, _ in random_pairs(60):
        simple = conductances(graph)
        keep = np.ones(simple.num_edges, bool)
        off = np.setdiff1d(np.arange(simple.num_edges), spanning_tree(simple).edges)
        if not len(off):
            continue
        e = int(rng.choice(off))
        keep[e] = False
        part = simple.edge_subgraph(keep)
        u, v = (int(x[e]) for x in simple.edges())
        bound = 1 + simple.edge_weights()[e] * resistances(part)[u, v]
        assert condition_number(simple, part).lambda_max <= bound * (1 + 1e-9)


@pytest.mark.parametrize("name", [name for name in TOYS if not name.startswith("directed")])
def test_a_graph_against_itself(name):
    graph = TOYS[name]()
    found = condition_number(graph, graph, per_component=True)
    assert found.kappa == pytest.approx(1.0, rel=1e-12)
    assert len(found.components) == len(components(graph))
    assert all(part.kappa == pytest.approx(1.0, rel=1e-12) for part in found.components)


def test_many_components():
    rng = np.random.default_rng(606)
    blocks, edges, kept, weights = 120, [], [], []
    for block in range(blocks):
        base, size = 6 * block, int(rng.integers(1, 7))
        ring = [(base + i, base + (i + 1) % size) for i in range(size)] if size > 2 else []
        edges += ring
        kept += ring[:-1]
        weights += list(rng.uniform(0.5, 2, max(len(ring) - 1, 0)))
    graph = Graph.from_edges(edges, num_nodes=6 * blocks)
    sparsifier = Graph.from_edges(kept, num_nodes=6 * blocks, weights=weights)
    found = condition_number(graph, sparsifier, per_component=True)
    parts = [part for part in found.components if not math.isnan(part.lambda_max)]
    assert found.lambda_max == pytest.approx(max(p.lambda_max for p in parts), rel=1e-9)
    assert found.lambda_min == pytest.approx(min(p.lambda_min for p in parts), rel=1e-9)
    assert len(found.components) == len(components(graph))


@pytest.mark.parametrize("threads", [2, 16])
@pytest.mark.parametrize("method", ["factor", "iterative"])
def test_threads_do_not_change_the_result(method, threads):
    graph = mesh(120, 5)
    sparsifier = tree_sparsifier(graph)
    want = condition_number(graph, sparsifier, method=method, tol=1e-4)
    graphsparse.set_num_threads(threads)
    try:
        assert condition_number(graph, sparsifier, method=method, tol=1e-4) == want
    finally:
        graphsparse.set_num_threads(0)


def test_an_expander_takes_the_iterative_engine(monkeypatch):
    monkeypatch.setattr(module, "_OPERATIONS", 1e5)
    graph = random_graph(41, 900, 5000)
    sparsifier = tree_sparsifier(graph, alpha=0.5)
    found = condition_number(graph, sparsifier)
    assert found.method == "iterative"
    assert found.kappa == pytest.approx(
        condition_number(graph, sparsifier, method="dense").kappa, rel=1e-6
    )


def test_no_convergence_is_told(monkeypatch):
    graph = mesh(25, 8)
    monkeypatch.setattr(module.largest_eigenvalue, "__kwdefaults__", {"max_steps": 3})
    with pytest.raises(GraphsparseError, match=r"did not converge: residual .* after 3 steps"):
        condition_number(graph, tree_sparsifier(graph), method="factor")


def test_bad_arguments():
    with pytest.raises(ValueError, match="must have the same nodes, got 34 and 5"):
        condition_number(karate(), path(5))
    with pytest.raises(ValueError, match="sparsifier must be undirected"):
        condition_number(TOYS["triangle"](), TOYS["directed cycle"]())
    with pytest.raises(ValueError, match="weights of sparsifier must be conductances"):
        condition_number(path(2), Graph.from_edges([(0, 1)], weights=[-1.0]))
    with pytest.raises(ValueError, match=r"method must be one of 'auto', .*got 'lobpcg'"):
        condition_number(karate(), karate(), method="lobpcg")
    with pytest.raises(ValueError, match="tol must be in"):
        condition_number(karate(), karate(), tol=1.0)
    big = Graph.from_edges([], num_nodes=3001)
    with pytest.raises(ValueError, match=r"at most 3000 nodes, got 3001: .* 288.2 MB"):
        condition_number(big, big, method="dense")
    dense = random_graph(3, 500, 9000)
    with pytest.raises(ValueError, match=r"would need about .* more than max_bytes=1000"):
        condition_number(dense, dense, method="factor", max_bytes=1000)
    with pytest.raises(ValueError, match=r"seed must be in \[0, .*got -1"):
        condition_number(karate(), karate(), seed=-1)
