"""Generators: exact counts, the same graph for a seed, the shapes that they promise."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

import graphsparse
from graphsparse import Graph
from graphsparse.datasets.splits import Split, by_fraction, from_masks, per_class
from graphsparse.datasets.synthetic import (
    coauthorship,
    delaunay_mesh,
    grid,
    local_stream,
    planted_partition,
    power_law,
)
from graphsparse.errors import GraphFormatError


def assert_simple(graph: Graph) -> None:
    assert graph.num_self_loops == 0
    assert not graph.has_parallel_edges
    Graph(graph.indptr, graph.indices, graph.weights, graph.directed)


def test_grid() -> None:
    graph = grid(3, 4)
    edges = set(zip(*(e.tolist() for e in graph.edges()), strict=True))
    want = {(4 * r + c, 4 * r + c + 1) for r in range(3) for c in range(3)}
    want |= {(4 * r + c, 4 * r + c + 4) for r in range(2) for c in range(4)}
    assert edges == want
    assert grid(1, 1).num_edges == grid(0, 5).num_nodes == 0


def test_delaunay_mesh_is_a_triangulation() -> None:
    graph, points = delaunay_mesh(300, seed=17)
    assert points.shape == (300, 2)
    assert_simple(graph)
    from scipy.spatial import ConvexHull

    hull = len(ConvexHull(points).vertices)
    assert graph.num_edges == 3 * 300 - 3 - hull  # Euler
    assert delaunay_mesh(300, seed=17)[0] == graph
    assert delaunay_mesh(300, seed=18)[0] != graph


@pytest.mark.parametrize(("n", "blocks", "homophily"), [(100, 4, 0.8), (103, 5, 1.0), (50, 1, 1.0)])
def test_planted_partition_counts_are_exact(n: int, blocks: int, homophily: float) -> None:
    graph, labels = planted_partition(n, blocks, mean_degree=6.0, homophily=homophily, seed=23)
    assert_simple(graph)
    assert graph.num_edges == 3 * n
    u, v = graph.edges()
    assert np.count_nonzero(labels[u] == labels[v]) == round(homophily * 3 * n)
    assert np.bincount(labels).max() - np.bincount(labels).min() <= 1


def test_planted_partition_refuses_too_many_edges() -> None:
    with pytest.raises(ValueError, match="room for 20 edges, got 40"):
        planted_partition(10, 2, mean_degree=10.0, homophily=0.8)
    full, _ = planted_partition(10, 1, mean_degree=9.0, homophily=1.0)
    assert full.num_edges == 45


def test_power_law_has_hubs_and_exact_counts() -> None:
    graph = power_law(20_000, 60_000, exponent=2.3, seed=29)
    assert_simple(graph)
    assert (graph.num_nodes, graph.num_edges) == (20_000, 60_000)
    degree = np.sort(graph.degree)[::-1]
    assert degree[0] > 40 * degree.mean()
    # The tail P(degree >= d) ~ d^(1 - exponent), between the 10th and the 1000th node.
    slope = np.log(1000 / 10) / np.log(degree[9] / degree[999])
    assert abs(slope - 1.3) < 0.2
    assert int(np.argmax(graph.degree)) != 0
    with pytest.raises(ValueError, match=r"exponent must be above 2, got 2.0"):
        power_law(10, 5, exponent=2.0)


def test_seed_decides_and_threads_do_not() -> None:
    want = power_law(5_000, 20_000, seed=31)
    for threads in (1, 3):
        graphsparse.set_num_threads(threads)
        try:
            assert power_law(5_000, 20_000, seed=31) == want
        finally:
            graphsparse.set_num_threads(0)
    assert power_law(5_000, 20_000, seed=32) != want
    # Pinned: the same bits on every machine.
    u, v = planted_partition(40, 4, mean_degree=3.0, seed=7)[0].edges()
    assert int((u.astype(np.int64) * 40 + v).sum()) == PINNED


PINNED = 29_344


def hops(graph: Graph, source: int) -> dict[int, int]:
    """Return the distance to every node that can be reached, by breadth-first search."""
    found, queue = {source: 0}, deque([source])
    while queue:
        u = queue.popleft()
        for v in graph.indices[graph.indptr[u] : graph.indptr[u + 1]].tolist():
            if v not in found:
                found[v] = found[u] + 1
                queue.append(v)
    return found


def test_local_stream_is_local() -> None:
    graph = grid(20, 20)
    stream = local_stream(graph, 60, 12, num_batches=4, num_hops=5, seed=37)
    assert stream["batch"].tolist() == sorted([*range(4)] * 15 + [*range(4, 8)] * 3)
    old = set(zip(*(e.tolist() for e in graph.edges()), strict=True))
    pairs = list(zip(stream["u"].tolist(), stream["v"].tolist(), strict=True))
    for u, v in pairs[:60]:
        assert (u, v) not in old
        assert 1 < hops(graph, u)[v] <= 5
    assert set(pairs[60:]) <= old
    left = graph.degree - np.bincount(np.array(pairs[60:]).ravel(), minlength=400)
    assert left.min() >= 1
    assert len(set(pairs)) == 72
    assert (stream["w"] == 1).all()


def test_deletions_can_hit_the_sparsifier() -> None:
    graph = grid(12, 12)
    part = graph.edge_subgraph(np.arange(graph.num_edges) % 3 > 0)
    stream = local_stream(graph, 10, 90, sparsifier=part, seed=43)
    gone = list(zip(stream["u"][10:].tolist(), stream["v"][10:].tolist(), strict=True))
    assert len(set(gone)) == 90
    assert set(gone) <= set(zip(*(e.tolist() for e in part.edges()), strict=True))


def test_local_stream_refuses_the_impossible() -> None:
    with pytest.raises(ValueError, match="num_deletes must be at most 0 here, got 1"):
        local_stream(Graph.from_edges([(0, 1)]), 0, 1)
    with pytest.raises(ValueError, match="room for 0 edges, got 1"):
        local_stream(Graph.from_edges([(0, 1)]), 1, 0)
    with pytest.raises(ValueError, match="graph must be undirected"):
        local_stream(Graph.from_edges([(0, 1)], directed=True), 1, 0)


def test_coauthorship() -> None:
    hypergraph, labels = coauthorship(60, 200, num_communities=5, seed=41)
    for paper in range(200):
        rows = np.flatnonzero(hypergraph.hyperedges == paper)
        assert len(rows) != 1
        assert len(set(hypergraph.nodes[rows].tolist())) == len(rows) <= 8
        if len(rows):
            assert sorted(labels[rows].tolist()) == [0, *[1] * (len(rows) - 2), 2]
    both = {int(u) for u in np.unique(hypergraph.nodes[labels == 0])}
    assert both & {int(u) for u in np.unique(hypergraph.nodes[labels == 2])}
    empty, none = coauthorship(10, 0, num_communities=2)
    assert (empty.num_incidences, len(none)) == (0, 0)


def test_splits_per_class() -> None:
    labels = np.array([0] * 30 + [1] * 5 + [-1] * 10 + [2] * 40)
    for split in per_class(labels, num_train=8, num_val=20, seeds=[3, 4]):
        counts = np.bincount(labels[split.train], minlength=3)
        assert counts.tolist() == [8, 5, 8]
        everything = np.concatenate((split.train, split.val, split.test))
        assert sorted(everything.tolist()) == np.flatnonzero(labels >= 0).tolist()
        assert len(split.val) == 20
    first, second = per_class(labels, num_train=8, num_val=20, seeds=[3, 4])
    assert first.train.tolist() != second.train.tolist()


def test_splits_by_fraction() -> None:
    (split,) = by_fraction(11, seeds=[5])
    assert (len(split.train), len(split.val), len(split.test)) == (7, 2, 2)
    assert repr(split) == "Split('random/5', train=7, val=2, test=2)"
    assert split.mask("val", 11).nonzero()[0].tolist() == split.val.tolist()
    with pytest.raises(ValueError, match=r"train \+ val must be at most 1"):
        by_fraction(10, train=0.9, val=0.2)


def test_masks_are_checked() -> None:
    train, val = np.array([[1, 0], [0, 1]], bool), np.array([[0, 1], [1, 0]], bool)
    none = np.zeros((2, 2), bool)
    one, two = from_masks("stored", train, val, none)
    assert isinstance(one, Split)
    assert (one.name, one.train.tolist(), two.train.tolist()) == ("stored/0", [0], [1])
    with pytest.raises(GraphFormatError, match="item 0 is in two parts of split stored/0"):
        from_masks("stored", train, train, none)
    with pytest.raises(GraphFormatError, match=r"one shape, got \(2, 2\), \(2, 2\), \(3,\)"):
        from_masks("stored", train, val, np.zeros(3, bool))
