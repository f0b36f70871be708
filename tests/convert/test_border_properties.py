"""Borders on random multigraphs against a slow twin made of dictionaries."""

from __future__ import annotations

from collections import defaultdict

import networkx as nx
import numpy as np
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data

from graphsparse import Graph
from graphsparse.convert import as_border, from_networkx, from_scipy, to_networkx, to_scipy

Pair = tuple[int, int]


@st.composite
def arc_lists(draw: st.DrawFn) -> tuple[int, list[Pair], list[float], int]:
    """Return (nodes, entries, weights, seed of a mask); half of the lists are symmetric."""
    n = draw(st.integers(0, 7))
    ids = st.integers(0, max(n - 1, 0))
    arcs = draw(st.lists(st.tuples(ids, ids), max_size=0 if n == 0 else 14))
    weights = draw(
        st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=len(arcs), max_size=len(arcs))
    )
    if draw(st.booleans()):
        mirrored = [(v, u) for u, v in arcs if u != v]
        weights += [w for (u, v), w in zip(arcs, weights, strict=True) if u != v]
        arcs = arcs + mirrored
        order = draw(st.permutations(range(len(arcs))))
        arcs, weights = [arcs[i] for i in order], [weights[i] for i in order]
    return n, arcs, weights, draw(st.integers(2, 10**6))


def slow_border(
    arcs: list[Pair], weights: list[float] | None, directed: bool | None
) -> tuple[bool, dict[Pair, float], list[Pair]]:
    """Return (directed, weight of each edge, edge of each entry), one entry at a time."""
    total: dict[Pair, float] = defaultdict(float)
    for i, arc in enumerate(arcs):
        total[arc] += 0.0 if weights is None else weights[i]
    if directed is None:
        directed = any(total.get((v, u)) != w for (u, v), w in total.items())
    if directed:
        return True, dict(total), arcs
    edges: dict[Pair, float] = {}
    for u, v in total:
        both = [total[a] for a in {(u, v), (v, u)} if a in total]
        edges[min(u, v), max(u, v)] = sum(both) / len(both)
    return False, edges, [(min(a), max(a)) for a in arcs]


def edge_array(arcs: list[Pair], dtype: type = np.int64) -> np.ndarray:
    return np.array(arcs, dtype).reshape(-1, 2).T.copy()


def check(obj, arcs, weights, seed, directed=None, num_nodes=None):
    """Compare with the twin; return (restored object, numbers of the entries that stay)."""
    border = as_border(obj, directed=directed, num_nodes=num_nodes)
    want_directed, edges, edge_of = slow_border(arcs, weights, directed)
    graph = border.graph
    assert graph.directed == want_directed
    assert list(zip(*(e.tolist() for e in graph.edges()), strict=True)) == sorted(edges)
    assert not graph.has_parallel_edges
    Graph(graph.indptr, graph.indices, graph.weights, graph.directed)  # passes the checks
    if weights is not None and graph.weights is not None:
        np.testing.assert_allclose(graph.edge_weights(), [edges[e] for e in sorted(edges)])
    mask = np.random.default_rng(seed).random(len(edges)) < 0.5
    kept = {edge for edge, stays in zip(sorted(edges), mask, strict=True) if stays}
    return border.restore(mask), [i for i, edge in enumerate(edge_of) if edge in kept]


@settings(max_examples=220, deadline=None)
@given(arc_lists(), st.sampled_from([None, True, False]), st.sampled_from([np.int32, np.int64]))
def test_edge_index(case, directed, dtype):
    n, arcs, _, seed = case
    array = edge_array(arcs, dtype)
    before = array.copy()
    kept, at = check(array, arcs, None, seed, directed, n)
    np.testing.assert_array_equal(kept, array[:, at])
    assert kept.dtype == dtype
    np.testing.assert_array_equal(array, before)
    tensor, _ = check(torch.from_numpy(array), arcs, None, seed, directed, n)
    assert torch.equal(tensor, torch.from_numpy(array[:, at]))


@settings(max_examples=220, deadline=None)
@given(arc_lists(), st.sampled_from(["csr", "csc", "coo"]), st.booleans())
def test_scipy(case, layout, as_array):
    n, arcs, weights, seed = case
    if n == 0:
        return
    row, col = edge_array(arcs)
    build = sp.coo_array if as_array else sp.coo_matrix
    matrix = build((np.array(weights), (row, col)), shape=(n, n))
    if layout != "coo":
        matrix = matrix.asformat(layout)  # sums duplicates
        row, col = matrix.tocoo().coords
        arcs, weights = list(zip(row.tolist(), col.tolist(), strict=True)), list(matrix.data)
    dense = matrix.toarray()
    plain = all(w == 1.0 for w in weights)
    kept, at = check(matrix, arcs, None if plain else weights, seed)
    assert type(kept) is type(matrix)
    want = np.zeros((n, n))
    for i in at:
        want[arcs[i]] += weights[i]
    np.testing.assert_array_equal(kept.toarray(), want)
    np.testing.assert_array_equal(matrix.toarray(), dense)


@settings(max_examples=220, deadline=None)
@given(arc_lists(), st.sampled_from([None, True, False]))
def test_pyg_data(case, directed):
    n, arcs, weights, seed = case
    data = Data(
        edge_index=torch.from_numpy(edge_array(arcs)),
        edge_weight=torch.tensor(weights, dtype=torch.float64),
        edge_attr=torch.arange(3 * len(arcs)).view(-1, 3),
        num_nodes=n,
    )
    kept, at = check(data, arcs, weights, seed, directed)
    assert type(kept) is Data
    assert kept.num_nodes == n
    for key in ("edge_weight", "edge_attr"):
        assert torch.equal(kept[key], data[key][at])
    assert torch.equal(kept.edge_index, data.edge_index[:, at])
    assert data.edge_index.shape == (2, len(arcs))


@settings(max_examples=220, deadline=None)
@given(arc_lists(), st.booleans(), st.booleans())
def test_networkx(case, directed, multi):
    n, arcs, weights, seed = case
    classes = [[nx.Graph, nx.MultiGraph], [nx.DiGraph, nx.MultiDiGraph]]
    graph = classes[directed][multi](name="mine")
    graph.add_nodes_from((f"node {u}", {"number": u}) for u in range(n))
    for (u, v), w in zip(arcs, weights, strict=True):
        graph.add_edge(f"node {u}", f"node {v}", weight=w, tag=(u, v))
    before = graph.copy()
    border = as_border(graph)
    assert border.graph.directed == directed
    assert not border.directed_detected
    stored = {tuple(data["tag"]) for *_, data in graph.edges(data=True)}
    edges = sorted(stored if directed else {(min(e), max(e)) for e in stored})
    assert list(zip(*(e.tolist() for e in border.graph.edges()), strict=True)) == edges
    mask = np.random.default_rng(seed).random(len(edges)) < 0.5
    kept = border.restore(mask)
    assert type(kept) is type(graph)
    assert kept.graph == {"name": "mine"}
    assert list(kept.nodes(data=True)) == list(graph.nodes(data=True))
    alive = {edge for edge, stays in zip(edges, mask, strict=True) if stays}

    def survives(tag: Pair) -> bool:
        return (tag if directed else (min(tag), max(tag))) in alive

    every = {"keys": True} if multi else {}
    wanted = [e for e in graph.edges(data=True, **every) if survives(e[-1]["tag"])]
    assert list(kept.edges(data=True, **every)) == wanted
    assert nx.utils.graphs_equal(graph, before)


@settings(max_examples=220, deadline=None)
@given(arc_lists(), st.booleans(), st.booleans())
def test_graph_and_round_trips(case, directed, weighted):
    n, arcs, weights, seed = case
    graph = Graph.from_edges(
        np.array(arcs, np.int64).reshape(-1, 2),
        num_nodes=n,
        weights=weights if weighted and arcs else None,
        directed=directed,
    )
    border = as_border(graph)
    mask = np.random.default_rng(seed).random(border.graph.num_edges) < 0.5
    ends = zip(*(e.tolist() for e in border.graph.edges()), strict=True)
    alive = {pair for pair, stays in zip(ends, mask, strict=True) if stays}
    kept = border.restore(mask)
    u, v = graph.edges()
    stays = [pair in alive for pair in zip(u.tolist(), v.tolist(), strict=True)]
    assert kept == graph.edge_subgraph(np.array(stays, bool))
    assert from_networkx(to_networkx(graph)) == graph
    if not graph.has_parallel_edges and graph.is_symmetric() is not directed:
        back = from_scipy(to_scipy(graph))
        plain = graph.weights is None or bool((graph.weights == 1).all())
        assert np.array_equal(back.indptr, graph.indptr)
        assert back.directed == directed
        assert plain or np.array_equal(back.weights, graph.weights)
