"""Centralities and within-hyperedge ranks: vectors, published sums, slow twins."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from graphsparse import Hypergraph
from graphsparse.convert import from_hyperedges
from graphsparse.io import read_enc
from graphsparse.operators.centrality import centralities, clique_expansion, within_order_pe

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "conhd" / "structure.json").read_text()
)
ORDER = ("degree", "eigenvec", "pagerank", "kcore")
# Of the published files: k-core sum and largest, eigenvector sum, PageRank largest, PE sums.
PUBLISHED = {
    "StackOverflowBiology": (
        (28873, 117, 42.28396736, 0.02109482361),
        (40371.721861, 40486.093867, 40504.877201, 39062.993543),
    ),
    "DBLP": (
        (146051, 20, 12.59303469, 0.0003726301191),
        (179608.110592, 185153.702550, 186593.628709, 127437.061898),
    ),
}


def small() -> Hypergraph:
    return from_hyperedges(VECTORS["hyperedges"])


def test_vectors():
    h, want = small(), VECTORS["centrality"]
    got = centralities(h)
    for column, name in zip(got.T, ORDER, strict=True):
        np.testing.assert_allclose(column, want[name], rtol=0, atol=1e-14)
    np.testing.assert_allclose(within_order_pe(h, got), VECTORS["pe_rounded10"], atol=1e-15)
    published = np.stack([want[name] for name in ORDER], axis=1)
    np.testing.assert_allclose(
        within_order_pe(h, published, digits=None), VECTORS["pe"], atol=1e-15
    )


@pytest.mark.parametrize("case", VECTORS["dense_rank"], ids=str)
def test_dense_ranks(case):
    size = len(case["values"])
    h = Hypergraph(np.arange(size), np.zeros(size, int))
    got = within_order_pe(h, np.array(case["values"])[:, None])[:, 0]
    np.testing.assert_allclose(got, case["pe"], atol=1e-15)


def slow_core(h: Hypergraph) -> list[int]:
    members = [[] for _ in range(h.num_hyperedges)]
    for v, e in zip(h.nodes.tolist(), h.hyperedges.tolist(), strict=True):
        members[e].append(v)
    degree = np.bincount(h.nodes, minlength=h.num_nodes).tolist()
    core, left, alive = [0] * h.num_nodes, set(range(h.num_nodes)), set(range(h.num_hyperedges))
    while left:
        v = min(left, key=lambda u: degree[u])
        left.remove(v)
        core[v] = degree[v]
        for e in [e for e in alive if v in members[e]]:
            alive.remove(e)
            for w in members[e]:
                degree[w] -= degree[w] > core[v]
    return core


def slow_rank(h: Hypergraph, values: np.ndarray) -> list[float]:
    out = []
    for v, e in zip(h.nodes, h.hyperedges, strict=True):
        group = h.nodes[h.hyperedges == e]
        out.append(len({values[u] for u in group if values[u] <= values[v]}) / len(group))
    return out


def random_hypergraph(rng: np.random.Generator) -> Hypergraph:
    nodes, edges = int(rng.integers(1, 12)), int(rng.integers(1, 12))
    n = int(rng.integers(0, 40))
    return Hypergraph(rng.integers(0, nodes, n), rng.integers(0, edges, n), nodes, edges)


def test_agrees_with_slow_twins_on_random_hypergraphs():
    rng = np.random.default_rng(90125)
    for _ in range(200):
        h = random_hypergraph(rng)
        degree, core = centralities(h, ["degree", "kcore"]).T
        assert degree.tolist() == np.bincount(h.nodes, minlength=h.num_nodes).tolist()
        assert core.tolist() == slow_core(h)
        values = rng.integers(0, 4, h.num_nodes).astype(float)
        got = within_order_pe(h, values[:, None])[:, 0]
        np.testing.assert_allclose(got, slow_rank(h, values), atol=1e-15)


def test_pagerank_and_eigenvector_are_those_of_networkx():
    rng = np.random.default_rng(1729)
    for _ in range(20):
        h = random_hypergraph(rng)
        graph = nx.Graph(nx.from_scipy_sparse_array(clique_expansion(h)))
        n = h.num_nodes
        rank = nx.pagerank(graph)
        got = centralities(h, ["pagerank", "eigenvec"])
        np.testing.assert_allclose(got[:, 0], [rank[v] for v in range(n)], atol=1e-12)
        vector = nx.eigenvector_centrality(graph, weight=None, nstart=dict.fromkeys(range(n), 1.0))
        np.testing.assert_allclose(got[:, 1], [vector[v] for v in range(n)], atol=1e-12)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sums(shared_data, name):
    (core_sum, core_max, vector_sum, rank_max), pe_sums = PUBLISHED[name]
    h = read_enc(shared_data / "hypergraph" / name, shuffle_within=False).hypergraph
    values = centralities(h)
    assert (values[:, 3].sum(), values[:, 3].max()) == (core_sum, core_max)
    assert values[:, 1].sum() == pytest.approx(vector_sum, rel=1e-9)
    assert values[:, 2].max() == pytest.approx(rank_max, rel=1e-9)
    pe = within_order_pe(h, values)
    np.testing.assert_allclose(pe.sum(axis=0), pe_sums, atol=2e-6)
    assert 0.0 < pe.min() <= pe.max() <= 1.0


def test_edges_of_the_domain():
    assert centralities(Hypergraph([], [])).shape == (0, 4)
    alone = Hypergraph([0], [0], 3, 2)
    assert np.isfinite(centralities(alone)).all()
    assert within_order_pe(alone, np.zeros((3, 2))).tolist() == [[1.0, 1.0]]
    assert centralities(alone, []).shape == (3, 0)


def test_errors():
    h = Hypergraph([0, 1], [0, 0])
    with pytest.raises(ValueError, match="which must be one of"):
        centralities(h, ["betweenness"])
    with pytest.raises(ValueError, match=r"values must have shape \(2, k\), got \(3, 1\)"):
        within_order_pe(h, np.zeros((3, 1)))
    with pytest.raises(ValueError, match=r"values must be finite, got nan at \(1, 0\)"):
        within_order_pe(h, [[0.0], [np.nan]])
