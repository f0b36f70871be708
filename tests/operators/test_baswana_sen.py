"""Baswana-Sen spanners: stretch, size, phases."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from graphs import clique, random_graph
from oracles_static import Case, growth
from static_graphs import pairs, simple

from graphsparse import Graph, sparsify
from graphsparse.operators.baswana_sen import baswana_sen


@pytest.mark.parametrize("lengths", ["hops", "inverse", "weight"])
@pytest.mark.parametrize("t", [1, 3, 5, 7])
def test_every_detour_is_bounded(lengths: str, t: int) -> None:
    kind = {"hops": lambda w: 1.0, "inverse": lambda w: 1.0 / w, "weight": lambda w: w}[lengths]
    for seed in range(60):
        graph = random_graph(seed, n=10 + seed % 30, m=60 + 2 * seed, weighted=True)
        graph = graph.coalesce("sum").without_self_loops()
        kept = baswana_sen(graph, t=t, lengths=lengths, seed=seed)
        near = nx.Graph()
        near.add_weighted_edges_from(
            (a, b, kind(w)) for (a, b), w in zip(pairs(kept), kept.edge_weights(), strict=True)
        )
        for (a, b), w in zip(pairs(graph), graph.edge_weights(), strict=True):
            assert nx.dijkstra_path_length(near, a, b) <= t * kind(w) * (1 + 1e-12)
        if t == 1:
            assert kept == graph


def test_the_spanner_is_that_of_the_twin_and_comes_first() -> None:
    for seed in range(80):
        graph = simple(seed)
        case = Case(graph, seed)
        for k in (1, 2, 3, 4):
            inside, rest = growth(case, k)
            kept = baswana_sen(graph, t=2 * k - 1, seed=seed)
            assert pairs(kept) == [case.edges[e] for e in sorted(inside)]
            count = len(inside)
            same = sparsify(graph, "baswana_sen", num_edges=count, t=2 * k - 1, seed=seed)
            assert same.graph == kept
            if 0 < count < graph.num_edges:
                assert same.details["stretch_bound"] == 2 * k - 1
                less = sparsify(graph, "baswana_sen", num_edges=count - 1, t=2 * k - 1, seed=seed)
                assert less.details["stretch_bound"] is None
            assert len(inside) + len(rest) == graph.num_edges


def test_large_graphs_become_sparse() -> None:
    sizes = [baswana_sen(clique(200), t=3, seed=seed).num_edges for seed in range(10)]
    assert float(np.mean(sizes)) < 1.5 * 2 * 200**1.5  # k n^(1 + 1/k)
    assert max(sizes) < clique(200).num_edges / 2
    longer = [baswana_sen(clique(200), t=7, seed=seed).num_edges for seed in range(10)]
    assert float(np.mean(longer)) < float(np.mean(sizes))


def test_edge_cases_and_bad_options() -> None:
    for graph in (Graph.from_edges([], num_nodes=0), Graph.from_edges([(1, 1)], num_nodes=3)):
        assert baswana_sen(graph) == graph
        assert baswana_sen(graph, keep=0.5) == graph
    with pytest.raises(ValueError, match="t must be odd, got 4"):
        baswana_sen(clique(4), t=4)
    with pytest.raises(ValueError, match="t must be >= 1, got 0"):
        baswana_sen(clique(4), t=0)
    with pytest.raises(ValueError, match="lengths must be one of 'inverse'"):
        baswana_sen(clique(4), lengths="miles")
    with pytest.raises(ValueError, match="baswana_sen needs weights > 0"):
        baswana_sen(Graph.from_edges([(0, 1), (1, 2)], weights=[1.0, -1.0]))
    with pytest.raises(ValueError, match="needs an undirected graph"):
        baswana_sen(Graph.from_edges([(0, 1)], directed=True))
