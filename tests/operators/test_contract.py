"""What every sparsifier promises, checked for all of them on the same graphs."""

from __future__ import annotations

import numpy as np
import pytest

import graphsparse
from graphsparse import Graph, sparsify
from graphsparse.operators.sparsify import METHODS

GENERATOR = np.random.default_rng(60_013)
GRAPHS = {
    "empty": Graph.from_edges([], num_nodes=0),
    "one node": Graph.from_edges([], num_nodes=1),
    "no edge": Graph.from_edges([], num_nodes=5),
    "only loops": Graph.from_edges([(0, 0), (2, 2)], num_nodes=4),
    "edge": Graph.from_edges([(0, 1)], num_nodes=2),
    "disconnected": Graph.from_edges([(0, 1), (2, 3), (3, 4), (4, 2)], num_nodes=8),
    "parallel": Graph.from_edges([(0, 1), (0, 1), (1, 2), (2, 0), (1, 0)], num_nodes=3),
    "loops": Graph.from_edges([(0, 0), (0, 1), (1, 2), (2, 0), (2, 2)], num_nodes=3),
    "star": Graph.from_edges([(0, i) for i in range(1, 40)]),
    "clique": Graph.from_edges([(u, v) for u in range(12) for v in range(u)]),
    "path": Graph.from_edges([(i, i + 1) for i in range(500)]),
    "weighted": Graph.from_edges(
        GENERATOR.integers(0, 30, (200, 2)), num_nodes=30, weights=GENERATOR.uniform(0.1, 9, 200)
    ),
    "directed": Graph.from_edges(GENERATOR.integers(0, 50, (300, 2)), num_nodes=60, directed=True),
}
ALL = pytest.mark.parametrize(
    ("method", "name"), [(method, name) for method in METHODS for name in GRAPHS]
)


UNDIRECTED = {"baswana_sen", "er", "grass", "random_node_edges", "spanner", "spanning_forests"}


def undirected_only(method: str, graph: Graph) -> bool:
    """Tell whether the method refuses this graph; add such methods here by name."""
    return graph.directed and method in UNDIRECTED


def edge_set(graph: Graph) -> set[tuple]:
    u, v = graph.edges()
    weights = graph.edge_weights()
    w = np.zeros(len(u)) if weights is None else weights
    return set(zip(u.tolist(), v.tolist(), w.tolist(), strict=True))


@ALL
def test_contract(method, name):
    graph = GRAPHS[name]
    if undirected_only(method, graph):
        with pytest.raises(ValueError, match="directed"):
            sparsify(graph, method, keep=0.5)
        return
    before = Graph(graph.indptr.copy(), graph.indices.copy(), graph.weights, graph.directed)
    whole = sparsify(graph, method, keep=1.0)
    assert whole.graph == graph
    previous = edge_set(graph)
    for keep in (0.9, 0.5, 0.2):
        try:
            result = sparsify(graph, method, keep=keep, seed=31)
        except ValueError as error:
            assert "forest" in str(error)  # noqa: PT017 - a method that keeps a forest may need more
            continue
        kept = result.graph
        total = result.num_candidates
        assert result.num_kept == total - int((1 - keep) * total + 1e-6)
        assert kept.num_nodes == graph.num_nodes
        assert kept.directed == graph.directed
        assert kept.num_self_loops == graph.num_self_loops
        assert kept.directed or kept.is_symmetric()
        assert kept.indices.dtype == graph.indices.dtype
        assert {e[:2] for e in edge_set(kept)} <= {e[:2] for e in edge_set(graph)}
        again = sparsify(graph, method, keep=keep, seed=31)
        assert again.graph == kept
        if method not in {"er", "grass"}:
            assert edge_set(kept) <= previous  # nested
            previous = edge_set(kept)
    assert graph == before


@ALL
def test_exact_number_of_candidates(method, name):
    graph = GRAPHS[name]
    if undirected_only(method, graph):
        return
    total = sparsify(graph, method, keep=1.0).num_candidates
    for count in {0, total // 2, total}:
        try:
            result = sparsify(graph, method, num_edges=count)
        except ValueError as error:
            assert "forest" in str(error)  # noqa: PT017
            continue
        assert result.num_kept == count
        if not graph.directed:
            distinct = {e[:2] for e in edge_set(result.graph) if e[0] != e[1]}
            assert len(distinct) == count


@pytest.mark.parametrize("method", METHODS)
def test_bad_budgets(method):
    graph = GRAPHS["clique"]
    for keep in (0.0, -0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=r"keep must be in \(0, 1\]"):
            sparsify(graph, method, keep=keep)
    with pytest.raises(TypeError, match="keep must be a number, got str"):
        sparsify(graph, method, keep="0.5")
    if method not in ("noise_corrected", "baswana_sen"):  # which have a rule of their own
        with pytest.raises(ValueError, match="exactly one of keep and num_edges"):
            sparsify(graph, method)
    with pytest.raises(ValueError, match="exactly one of keep and num_edges"):
        sparsify(graph, method, keep=0.5, num_edges=3)
    with pytest.raises(ValueError, match=r"num_edges must be in \[0, 66\], got 67"):
        sparsify(graph, method, num_edges=67)
    with pytest.raises(TypeError, match="num_edges must be an integer"):
        sparsify(graph, method, num_edges=3.0)
    with pytest.raises(TypeError, match="has no option 'speed'"):
        sparsify(graph, method, keep=0.5, speed=2)


def test_unknown_method_is_named():
    with pytest.raises(ValueError, match=r"method must be one of .*'teddy'.*, got 'tedy'"):
        sparsify(GRAPHS["clique"], "tedy", keep=0.5)


@pytest.mark.parametrize("method", METHODS)
def test_connected_keeps_components(method):
    import scipy.sparse.csgraph as csgraph

    graph = GRAPHS["disconnected"]
    kept = sparsify(graph, method, num_edges=3, connected=True).graph
    before = csgraph.connected_components(graph.to_scipy())[0]
    assert csgraph.connected_components(kept.to_scipy())[0] == before
    with pytest.raises(ValueError, match=r"the 3 edges of a spanning forest.* is 2 edges"):
        sparsify(graph, method, num_edges=2, connected=True)


def test_connected_refuses_arcs():
    with pytest.raises(ValueError, match="connected=True needs an undirected graph"):
        sparsify(GRAPHS["directed"], "random", keep=0.9, connected=True)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("threads", [1, 2, 16])
def test_threads_do_not_change_the_result(method, threads):
    rng = np.random.default_rng(4_111)
    graph = Graph.from_edges(rng.zipf(1.7, (50_000, 2)) % 7001, num_nodes=7001)
    want = sparsify(graph, method, keep=0.6, seed=5).graph
    graphsparse.set_num_threads(threads)
    try:
        assert sparsify(graph, method, keep=0.6, seed=5).graph == want
    finally:
        graphsparse.set_num_threads(0)
