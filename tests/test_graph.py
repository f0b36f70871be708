"""The graph type: invariants at the door, verbs against dense twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsparse import Graph, GraphFormatError, Hypergraph
from graphsparse.backend import native
from graphsparse.graph import format_bytes


@st.composite
def edge_lists(draw):
    n = draw(st.integers(1, 12))
    node = st.integers(0, n - 1)
    pairs = draw(st.lists(st.tuples(node, node), max_size=40))
    weights = [draw(st.integers(1, 9)) / 2 for _ in pairs]
    return n, pairs, weights, draw(st.booleans())


def dense(graph: Graph) -> np.ndarray:
    out = np.zeros((graph.num_nodes, graph.num_nodes))
    weights = np.ones(graph.num_arcs) if graph.weights is None else graph.weights
    np.add.at(out, (graph.arc_rows(), graph.indices), weights)
    return out


@settings(max_examples=300, deadline=None)
@given(edge_lists())
def test_from_edges_and_verbs_against_dense_matrices(case):
    n, pairs, weights, directed = case
    graph = Graph.from_edges(pairs, num_nodes=n, weights=weights, directed=directed)
    want = np.zeros((n, n))
    for (u, v), w in zip(pairs, weights, strict=True):
        want[u, v] += w
        if not directed and u != v:
            want[v, u] += w
    assert np.array_equal(dense(graph), want)
    assert graph.num_edges == len(pairs)
    assert graph.num_self_loops == sum(u == v for u, v in pairs)
    assert graph.degree.sum() == graph.num_arcs
    assert np.array_equal(dense(graph.reverse()), want.T)
    merged = graph.coalesce()
    assert np.array_equal(dense(merged), want)
    assert not merged.has_parallel_edges
    assert merged.num_arcs == np.count_nonzero(want)
    both = graph.symmetrize()
    expected = want + want.T - np.diag(np.diag(want)) if directed else want
    assert np.allclose(dense(both), expected)
    assert not both.directed
    loopless = graph.without_self_loops()
    assert np.array_equal(dense(loopless), want - np.diag(np.diag(want)))
    rebuilt = Graph(graph.indptr, graph.indices, graph.weights, directed)
    assert rebuilt == graph
    assert np.array_equal(graph.to_scipy().toarray(), want)


@settings(max_examples=300, deadline=None)
@given(edge_lists(), st.integers(0, 2**32))
def test_edge_subgraph_keeps_the_masked_edges(case, seed):
    n, pairs, weights, directed = case
    graph = Graph.from_edges(pairs, num_nodes=n, weights=weights, directed=directed)
    mask = np.random.default_rng(seed).random(graph.num_edges) < 0.5
    u, v = graph.edges()
    kept = graph.edge_subgraph(mask)
    assert graph.edge_weights() is not None
    again = Graph.from_edges(
        (u[mask], v[mask]), num_nodes=n, weights=graph.edge_weights()[mask], directed=directed
    )
    assert kept == again
    edge_of_arc = graph.arc_edges()
    rows = graph.arc_rows()
    for arc, edge in enumerate(edge_of_arc):
        ends = {int(rows[arc]), int(graph.indices[arc])}
        assert ends == {int(u[edge]), int(v[edge])}
        assert graph.weights[arc] == graph.edge_weights()[edge]


@pytest.mark.parametrize("reduce", ["sum", "max", "min", "first"])
def test_symmetrize_and_coalesce_reduce(reduce):
    arcs = [(0, 1), (1, 0), (2, 1), (0, 1)]
    graph = Graph.from_edges(arcs, weights=[5.0, 2.0, 3.0, 1.0], directed=True)
    pick = {"sum": 8.0, "max": 5.0, "min": 1.0, "first": 5.0}[reduce]
    assert graph.symmetrize(reduce).edge_weights().tolist() == [pick, 3.0]
    pick = {"sum": 6.0, "max": 5.0, "min": 1.0, "first": 5.0}[reduce]
    assert graph.coalesce(reduce).weights.tolist() == [pick, 2.0, 3.0]


def test_dtypes_are_kept_or_widened():
    pairs = [(0, 1), (1, 2)]
    assert Graph.from_edges(pairs, weights=np.ones(2, np.float32)).weights.dtype == np.float32
    assert Graph.from_edges(pairs, weights=[1, 2]).weights.dtype == np.float64
    graph = Graph.from_edges(np.array(pairs, dtype=np.uint8))
    assert graph.indices.dtype == np.int32
    assert graph.indptr.dtype == np.int64


def test_wide_ids_build_the_same_graph():
    rng = np.random.default_rng(13_007)
    row, col = rng.integers(0, 500, (2, 4000))
    for mirror in (False, True):
        narrow = native.coo_to_csr32(row, col, 500, mirror, 1)
        wide = native.coo_to_csr64(row, col, 500, mirror, 2)
        for a, b in zip(narrow, wide, strict=True):
            assert np.array_equal(a, b)
    indptr, indices, _ = wide
    assert native.is_symmetric(indptr, indices)
    assert np.array_equal(
        native.edge_ids(indptr, indices), native.edge_ids(indptr, indices.astype(np.int32))
    )


def test_arrays_are_frozen_but_the_callers_are_not():
    indptr, indices = np.array([0, 1, 2]), np.array([1, 0])
    graph = Graph(indptr, indices)
    with pytest.raises(ValueError, match="read-only"):
        graph.indptr[0] = 1
    with pytest.raises(AttributeError):
        graph.directed = True  # type: ignore[misc]
    assert indptr.flags.writeable
    assert indices.flags.writeable


@pytest.mark.parametrize(
    ("indptr", "indices", "options", "message"),
    [
        ([], [], {}, "n \\+ 1 >= 1 entries, got an empty array"),
        ([0, 2], [0], {}, "run from 0 to len\\(indices\\) = 1, got 0 to 2"),
        ([1, 1], [0], {}, "run from 0"),
        ([0, 2, 1, 2], [0, 1], {}, "must not decrease"),
        ([0, 1, 2], [1, 2], {}, "indices must be in \\[0, 2\\), got 2 at arc 1"),
        ([0, 1, 2], [1, -1], {}, "got -1 at arc 1"),
        ([0, 2, 2], [1, 0], {"directed": True}, "ascend in each row, got 0 after 1 at arc 1"),
        ([0, 1, 1], [1], {}, "undirected graph must hold every edge in both directions"),
        ([0, 1, 2], [1, 0], {"weights": [1.0, 2.0]}, "in both directions with one weight"),
    ],
)
def test_broken_arrays_are_named(indptr, indices, options, message):
    with pytest.raises(GraphFormatError, match=message):
        Graph(np.array(indptr, np.int64), np.array(indices, np.int64), **options)


@pytest.mark.parametrize(
    ("edges", "options", "error", "message"),
    [
        ([(0, 3)], {"num_nodes": 3}, GraphFormatError, r"got \(0, 3\) at edge 0"),
        ([(0, 1), (-1, 0)], {}, GraphFormatError, r"got \(-1, 0\) at edge 1"),
        ([(0.5, 1)], {}, TypeError, "must hold integers, got dtype float64"),
        ([(0, 1, 2)], {}, ValueError, r"must have shape \(m, 2\), got \(1, 3\)"),
        ([(0, 1)], {"weights": [np.nan]}, ValueError, "finite, got nan at position 0"),
        ([(0, 1)], {"weights": [1, 2]}, ValueError, r"shape \(1,\), got \(2,\)"),
        ([(0, 1)], {"weights": ["a"]}, TypeError, "must hold real numbers"),
        ([(0, 1)], {"num_nodes": -2}, ValueError, "num_nodes must be >= 0, got -2"),
        (([0, 1], [1]), {}, ValueError, "two arrays of one length, got 2 and 1"),
        (np.array([[2**64 - 1, 0]], np.uint64), {}, ValueError, "must be below 2\\^63"),
    ],
)
def test_bad_edges_are_named(edges, options, error, message):
    with pytest.raises(error, match=message):
        Graph.from_edges(edges, **options)


def test_bad_masks_are_named():
    graph = Graph.from_edges([(0, 1), (1, 2)])
    for mask in ([True], [1, 0], [[True, False]]):
        with pytest.raises(ValueError, match=r"mask must be bool of shape \(2,\)"):
            graph.edge_subgraph(mask)


def test_equality_and_repr():
    graph = Graph.from_edges([(0, 1), (1, 2)], weights=[1, 2])
    assert graph == Graph.from_edges([(1, 2), (0, 1)], weights=[2, 1])
    assert graph != Graph.from_edges([(0, 1), (1, 2)])
    assert graph != Graph.from_edges([(0, 1), (1, 2)], weights=[1, 3])
    assert graph != Graph.from_edges([(0, 1), (1, 2)], weights=[1, 2], num_nodes=4)
    assert graph != "graph"
    with pytest.raises(TypeError):
        hash(graph)
    assert repr(graph) == (
        "Graph(num_nodes=3, num_edges=2, directed=False, weighted=True, memory=80 B)"
    )
    assert [format_bytes(x) for x in (999, 1500, 2e6, 3e9, 4e12)] == [
        "999 B",
        "1.5 kB",
        "2.0 MB",
        "3.0 GB",
        "4.0 TB",
    ]


def test_hypergraph_keeps_rows_and_duplicates():
    nodes, hyperedges = [3, 0, 3, 3, 1], [1, 0, 1, 0, 0]
    hyper = Hypergraph(np.array(nodes), np.array(hyperedges), num_nodes=5)
    assert (hyper.num_nodes, hyper.num_hyperedges, hyper.num_incidences) == (5, 2, 5)
    indptr, rows = hyper.by_node
    assert indptr.tolist() == [0, 1, 2, 2, 5, 5]
    assert rows.tolist() == [1, 4, 0, 2, 3]
    indptr, rows = hyper.by_hyperedge
    assert indptr.tolist() == [0, 3, 5]
    assert rows.tolist() == [1, 3, 4, 0, 2]
    assert hyper == Hypergraph(np.array(nodes), np.array(hyperedges), 5, 2)
    assert hyper != Hypergraph(np.array(nodes), np.array(hyperedges[::-1]), 5, 2)
    assert "num_incidences=5" in repr(hyper)
    with pytest.raises(GraphFormatError, match=r"nodes must be in \[0, 3\), got 3 at incidence 0"):
        Hypergraph(np.array(nodes), np.array(hyperedges), num_nodes=3)
    with pytest.raises(GraphFormatError, match="one length, got 5 and 4"):
        Hypergraph(np.array(nodes), np.array(hyperedges[:4]))


def test_empty_graphs():
    for n in (0, 1, 7):
        graph = Graph.from_edges([], num_nodes=n)
        assert (graph.num_nodes, graph.num_edges, graph.num_arcs) == (n, 0, 0)
        assert graph.coalesce() == graph == graph.symmetrize() == graph.reverse()
        assert graph.edge_subgraph(np.zeros(0, bool)) == graph
