"""Properties of the static family: published rules, invariances, cuts and detours."""

from __future__ import annotations

import itertools
import math
from typing import Any

import networkx as nx
import numpy as np
import pytest
from graphs import clique, karate, path, random_graph, star

import graphsparse as gs
from graphsparse import Graph, sparsify
from graphsparse.operators.local_filter import local_filter
from graphsparse.operators.scored import scores_of
from graphsparse.operators.similarity import edge_triangles
from graphsparse.operators.sparsify import make_method

SCORED = (
    "baswana_sen", "degree_resistance", "disparity", "forest_fire", "heaviest", "jaccard",
    "k_neighbors", "local_degree", "local_similarity", "noise_corrected", "random",
    "random_node_edges", "random_nodes", "rank_degree", "scan", "simmelian", "spanner",
    "spanning_forests",
)  # fmt: skip
SYMMETRIC = ("jaccard", "scan", "simmelian", "degree_resistance", "disparity", "heaviest")
SHAPES = (path(8), star(7), clique(6), karate())


def simple(seed: int, n: int = 14, m: int = 40, *, weighted: bool = True) -> Graph:
    graph = random_graph(seed, n, m, weighted=weighted).coalesce("sum").without_self_loops()
    return Graph.from_edges(
        graph.edges(), num_nodes=n, weights=graph.edge_weights() if weighted else None
    )


def pairs(graph: Graph) -> set[tuple[int, int]]:
    u, v = graph.edges()
    return set(zip(u.tolist(), v.tolist(), strict=True))


def scores(graph: Graph, method: str, **options: Any) -> np.ndarray:
    return scores_of(make_method(method, options), graph)


@pytest.mark.parametrize("seed", range(200))
def test_triangles_and_similarities_by_sets(seed: int) -> None:
    graph = simple(seed, n=4 + seed % 13, m=3 * (seed % 17), weighted=False)
    ptr, near_of = graph.indptr, graph.indices
    near = [set(near_of[ptr[v] : ptr[v + 1]].tolist()) for v in range(graph.num_nodes)]
    edges = sorted(pairs(graph))
    common = [len(near[u] & near[v]) for u, v in edges]
    assert edge_triangles(graph).tolist() == common
    union = [len(near[u] | near[v]) for u, v in edges]
    wanted = [t / total for t, total in zip(common, union, strict=True)]
    assert scores(graph, "jaccard").tolist() == wanted
    closed = [
        (t + 2) / math.sqrt((len(near[u]) + 1) * (len(near[v]) + 1))
        for t, (u, v) in zip(common, edges, strict=True)
    ]
    assert scores(graph, "scan") == pytest.approx(closed, rel=1e-15)


@pytest.mark.parametrize("method", SCORED)
def test_threads_do_not_matter(method: str) -> None:
    rng = np.random.default_rng(5)
    ends = (rng.random((60_000, 2)) ** 2 * 4_000).astype(np.int64)
    graph = Graph.from_edges(ends, num_nodes=4_000).coalesce().without_self_loops()
    graph = Graph(graph.indptr, graph.indices)
    found = []
    try:
        for threads in (1, 2, 8):
            gs.set_num_threads(threads)
            found.append(scores(graph, method, seed=9))
    finally:
        gs.set_num_threads(0)
    assert all((other == found[0]).all() for other in found[1:])


@pytest.mark.parametrize("method", SYMMETRIC)
def test_scores_follow_the_names_of_nodes(method: str) -> None:
    for seed in range(40):
        graph = simple(seed)
        rng = np.random.default_rng(seed)
        name = rng.permutation(graph.num_nodes)
        u, v = graph.edges()
        w = graph.edge_weights()
        other = Graph.from_edges((name[u], name[v]), num_nodes=graph.num_nodes, weights=w)
        wanted = dict(zip(sorted(pairs(graph)), scores(graph, method), strict=True))
        found = dict(zip(sorted(pairs(other)), scores(other, method), strict=True))
        for (a, b), value in wanted.items():
            pair = tuple(sorted((int(name[a]), int(name[b]))))
            assert found[pair] == pytest.approx(value, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("method", [m for m in SCORED if m != "noise_corrected"])
def test_doubling_all_weights_changes_nothing(method: str) -> None:
    options = {"random": {"weighted": True}, "k_neighbors": {"by": "weight"}}.get(method, {})
    for seed in range(20):
        graph = simple(seed)
        w = graph.edge_weights()
        double = Graph.from_edges(graph.edges(), num_nodes=graph.num_nodes, weights=4.0 * w)
        kept = sparsify(graph, method, 0.4, seed=3, **options).graph
        assert pairs(kept) == pairs(sparsify(double, method, 0.4, seed=3, **options).graph)


@pytest.mark.parametrize("method", SCORED)
def test_connected_keeps_components(method: str) -> None:
    for seed in range(12):
        graph = simple(seed, n=16, m=36)
        want = nx.number_connected_components(nx.Graph([*pairs(graph)]))
        isolated = int((graph.degree == 0).sum())
        forest = graph.num_nodes - isolated - want
        for count in (forest, (forest + graph.num_edges) // 2):
            kept = sparsify(graph, method, num_edges=count, connected=True, seed=seed).graph
            assert kept.num_edges == count
            assert nx.number_connected_components(nx.Graph([*pairs(kept)])) == want
            assert int((kept.degree == 0).sum()) == isolated


@pytest.mark.parametrize("method", ["local_degree", "local_similarity", "k_neighbors"])
def test_local_methods_isolate_nobody(method: str) -> None:
    for seed in range(60):
        graph = simple(seed, n=20, m=70, weighted=False)
        best = int(
            (scores(graph, method, seed=seed) == (-1 if method == "k_neighbors" else 1)).sum()
        )
        kept = sparsify(graph, method, num_edges=best, seed=seed).graph
        assert ((kept.degree > 0) == (graph.degree > 0)).all()


def test_own_parameters_keep_what_the_rules_say() -> None:
    for seed in range(60):
        graph = simple(seed, n=12, m=40)
        u, v = graph.edges()
        value = scores(graph, "jaccard")
        kept = sparsify(graph, "jaccard", threshold=0.25).graph
        assert pairs(kept) == {
            (int(a), int(b)) for a, b, s in zip(u, v, value, strict=True) if s >= 0.25
        }
        for exponent in (0.0, 0.3, 0.5, 0.77, 1.0):
            local = local_filter(graph, value, seed=seed)
            kept = sparsify(graph, "local_similarity", exponent=exponent, seed=seed).graph
            best = set()
            for node in range(graph.num_nodes):
                mine = [e for e in range(graph.num_edges) if node in (u[e], v[e])]
                if not mine:
                    continue
                count = int(len(mine) ** exponent + 1e-9)
                # The order of a node is that of its ranks: those with larger local score at it.
                order = sorted(mine, key=lambda e: -value[e])
                cut = value[order[count - 1]]
                best |= {e for e in mine if value[e] > cut}
                assert sum(local[e] >= 1 - exponent - 1e-12 for e in mine) >= count
            kept_ids = {(int(u[e]), int(v[e])) for e in best}
            assert kept_ids <= pairs(kept)
        assert sparsify(graph, "k_neighbors", k=2, seed=seed).graph.degree.min() >= min(
            2, graph.degree.min()
        )
        alpha = sparsify(graph, "disparity", alpha=0.3).graph
        w = graph.edge_weights()
        strength = np.bincount(u, w, 12) + np.bincount(v, w, 12)
        wanted = {
            (int(a), int(b))
            for a, b, x in zip(u, v, w, strict=True)
            if any(
                graph.degree[end] > 1 and (1 - x / strength[end]) ** (graph.degree[end] - 1) < 0.3
                for end in (a, b)
            )
        }
        assert pairs(alpha) == wanted
        nodes = sparsify(graph, "random_nodes", num_nodes=6, seed=seed).graph
        assert int((nodes.degree > 0).sum()) <= 6


@pytest.mark.parametrize("lengths", ["hops", "inverse", "weight"])
def test_spanners_bound_every_detour(lengths: str) -> None:
    for seed in range(60):
        graph = simple(seed, n=16, m=60)
        kind = {"hops": lambda w: 1.0, "inverse": lambda w: 1.0 / w, "weight": lambda w: w}[lengths]
        weight = dict(zip(sorted(pairs(graph)), graph.edge_weights(), strict=True))
        for t in (1.0, 2.0, 3.0, 4.5, 7.0):
            for start in ("forest", "empty"):
                kept = sparsify(
                    graph, "spanner", t=t, lengths=lengths, start=start, seed=seed
                ).graph
                near = nx.Graph()
                near.add_weighted_edges_from((a, b, kind(weight[a, b])) for a, b in pairs(kept))
                for (a, b), w in weight.items():
                    far = nx.dijkstra_path_length(near, a, b)
                    assert far <= t * kind(w) * (1 + 1e-12)
            if lengths == "hops" and start == "empty":
                assert nx.girth(nx.Graph([*pairs(kept)])) > t + 1


def test_stretch_bound_is_told() -> None:
    result = sparsify(karate(), "spanner", num_edges=45)
    assert (
        result.details["stretch_bound"] == 3.0
    )  # all 36 edges of level 3 are there, not the 50 of 2
    assert sparsify(karate(), "spanner", num_edges=33).details["stretch_bound"] == 5.0
    assert sparsify(karate(), "spanner", num_edges=20).details["stretch_bound"] is None


def test_forests_keep_cuts() -> None:
    for seed in range(25):
        graph = simple(seed, n=9, m=30, weighted=False)
        edges = sorted(pairs(graph))
        for count in (1, 2, 3):
            kept = pairs(sparsify(graph, "spanning_forests", num_forests=count, seed=seed).graph)
            for size in range(1, 5):
                for side in itertools.combinations(range(9), size):
                    inside = set(side)
                    cut = [e for e in edges if (e[0] in inside) != (e[1] in inside)]
                    assert len([e for e in cut if e in kept]) >= min(count, len(cut))


def test_random_edges_by_weight_follow_the_weights() -> None:
    graph = Graph.from_edges([(0, i) for i in range(1, 5)], weights=[1.0, 2.0, 3.0, 4.0])
    first = np.zeros(4)
    for seed in range(4000):
        kept = sparsify(graph, "random", num_edges=1, weighted=True, seed=seed).graph
        first[kept.edges()[1][0] - 1] += 1
    expected = 4000 * np.array([0.1, 0.2, 0.3, 0.4])
    assert ((first - expected) ** 2 / expected).sum() < 16.3  # chi-square, 3 degrees, 0.1 %


def test_bad_options_are_named() -> None:
    graph = karate()
    wrong: list[tuple[str, dict[str, Any], str]] = [
        (
            "forest_fire",
            {"burn_probability": 0.0},
            r"burn_probability must be in \(0, 1\], got 0.0",
        ),
        ("forest_fire", {"burnt_ratio": -1.0}, "burnt_ratio must be above 0"),
        ("disparity", {"alpha": 2.0}, r"alpha must be in \(0, 1\], got 2.0"),
        ("rank_degree", {"rho": 0.0}, r"rho must be in \(0, 1\]"),
        ("spanner", {"t": 0.5}, "t must be 1 or more, got 0.5"),
        ("spanner", {"start": "empty"}, "start='empty' needs t"),
        ("k_neighbors", {"by": "age"}, "by must be one of 'random', 'weight', got 'age'"),
        ("local_similarity", {"mode": "cubic"}, "mode must be one of 'log', 'linear'"),
        ("random_node_edges", {"node_share": 1.5}, r"node_share must be in \[0, 1\]"),
    ]
    for method, options, message in wrong:
        with pytest.raises(ValueError, match=message):
            sparsify(graph, method, 0.5, **options)
    with pytest.raises(ValueError, match="give exactly one of keep, num_edges and threshold"):
        sparsify(graph, "jaccard", 0.5, threshold=0.1)
    with pytest.raises(ValueError, match="exponent must be in"):
        sparsify(graph, "local_degree", exponent=1.5)
    with pytest.raises(ValueError, match="noise_corrected needs weights that add up to 2 or more"):
        sparsify(Graph.from_edges([(0, 1), (1, 2)], weights=[0.2, 0.2]), "noise_corrected", 0.5)
    bad = Graph.from_edges([(0, 1), (1, 2)], weights=[1.0, -2.0])
    for method in ("heaviest", "disparity", "spanner", "spanning_forests"):
        with pytest.raises(ValueError, match=rf"{method} needs weights > 0, got -2.0 on the edge"):
            sparsify(bad, method, 0.5)
    with pytest.raises(ValueError, match="spanner needs an undirected graph"):
        sparsify(Graph.from_edges([(0, 1)], directed=True), "spanner", 0.5)
    with pytest.raises(ValueError, match=r"scores must have shape \(78,\), got \(3,\)"):
        local_filter(graph, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="scores must be finite, got nan at edge 2"):
        local_filter(path(4), [1.0, 2.0, math.nan])


def test_ties_are_told() -> None:
    result = sparsify(path(40), "jaccard", 0.5)  # no triangle: all scores are 0
    assert result.details["tied_at_cut"] == 39
    assert "scores carry little information: 39 of 39" in result.details["note"]
    assert result.num_kept == 20
