"""Sparse factors of Laplacians against dense algebra."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import TOYS, random_graph
from oracles_spectral import dense_laplacian, resistances

import graphsparse
from graphsparse import Graph
from graphsparse.linalg import factorize
from graphsparse.linalg.conductance import conductances
from graphsparse.linalg.factor import plan_factor

UNDIRECTED = [name for name in TOYS if not name.startswith("directed")]


def graphs_to_factor():
    yield from (TOYS[name]() for name in UNDIRECTED)
    rng = np.random.default_rng(5_021)
    for _ in range(200):
        n = int(rng.integers(1, 32))
        yield random_graph(int(rng.integers(2**31)), n, int(rng.integers(0, 5 * n)), weighted=True)


def test_solves_and_resistances():
    rng = np.random.default_rng(611)
    for graph in graphs_to_factor():
        factor = factorize(graph)
        plan = factor.plan
        assert sorted([*plan.order, *np.flatnonzero(plan.grounded)]) == list(range(graph.num_nodes))
        laplacian, matrix = dense_laplacian(graph), resistances(graph)
        b = laplacian @ rng.standard_normal((graph.num_nodes, 11))
        x = factor.solve(b)
        assert np.allclose(laplacian @ x, b, atol=1e-10 * (1 + np.abs(b).max(initial=0)))
        assert (x[plan.grounded] == 0).all()
        assert np.array_equal(factor.solve(b[:, 4]), x[:, 4])  # columns do not see each other
        u, v = np.nonzero(np.isfinite(matrix))
        assert np.allclose(factor.resistances(u, v), matrix[u, v], rtol=1e-9, atol=1e-12)
        u, v = conductances(graph).edges()
        assert np.allclose(factor.edge_resistances(), matrix[u, v], rtol=1e-9)


def test_elimination_tree_and_counts():
    for graph in graphs_to_factor():
        plan = plan_factor(conductances(graph))
        k = len(plan.order)
        assert ((plan.parent == -1) | (plan.parent > np.arange(k))).all()
        assert factorize(plan).nnz == plan.counts.sum() <= plan.nbytes / 12
        # The dense factor of the permuted matrix has no entry outside the counted pattern.
        matrix = dense_laplacian(graph)[np.ix_(plan.order, plan.order)]
        if k:
            filled = np.abs(np.linalg.cholesky(matrix)) > 1e-13
            assert (filled.sum(axis=0) - 1 <= plan.counts).all()


def test_trees_make_no_fill():
    rng = np.random.default_rng(17)
    tree = Graph.from_edges([(v, int(rng.integers(0, v))) for v in range(1, 5000)])
    plan = plan_factor(conductances(tree))
    assert plan.counts.sum() <= 4999
    assert plan.operations <= 4999


def test_mesh_fill_is_that_of_a_good_order():
    side = 64
    at = np.arange(side * side).reshape(side, side)
    across = np.stack((at[:, :-1].ravel(), at[:, 1:].ravel()), axis=1)
    down = np.stack((at[:-1].ravel(), at[1:].ravel()), axis=1)
    plan = plan_factor(conductances(Graph.from_edges(np.concatenate((across, down)))))
    assert plan.counts.sum() < 17 * side * side  # the natural order has 64 per node


def test_hubs_do_not_make_the_order_quadratic():
    n = 60_000
    hub = [(0, v) for v in range(1, n)]
    ring = [(v, v + 1) for v in range(1, n - 1)]
    plan = plan_factor(conductances(Graph.from_edges([*hub, *ring])))
    assert plan.counts.sum() < 4 * n


def test_memory_is_refused_with_the_figure():
    rng = np.random.default_rng(23)
    expander = Graph.from_edges(rng.integers(0, 3000, (9000, 2)))
    with pytest.raises(
        ValueError, match=r"would need about \d+\.\d MB, more than max_bytes=100000"
    ):
        factorize(expander, max_bytes=100_000)


def test_a_plan_bounds_the_factor_it_announces():
    rng = np.random.default_rng(24)
    graph = conductances(Graph.from_edges(rng.integers(0, 700, (2000, 2))))
    real = 12 * factorize(graph).nnz
    assert real <= plan_factor(graph, max_bytes=0).nbytes <= 1.2 * real


@pytest.mark.parametrize("shape", [(3,), (5, 2, 2), ()])
def test_bad_right_hand_side(shape):
    factor = factorize(TOYS["path"]())
    with pytest.raises(ValueError, match=r"b must have shape \(5,\) or \(5, k\), got"):
        factor.solve(np.zeros(shape))


def test_bad_graphs():
    with pytest.raises(ValueError, match=r"graph must be undirected.*symmetrize"):
        factorize(TOYS["directed cycle"]())
    bad = Graph.from_edges([(0, 1), (1, 2)], weights=[1.0, -2.0])
    with pytest.raises(ValueError, match=r"got -2.0 at edge 1 = \(1, 2\)"):
        factorize(bad)
    with pytest.raises(ValueError, match=r"\[1e-300, 1e\+300\], got 0.0"):
        factorize(Graph.from_edges([(0, 1)], weights=[0.0]))
    uneven = Graph.from_edges([(0, 1), (1, 2), (2, 0)], weights=[1e-200, 1e200, 1e-200])
    with pytest.raises(ValueError, match="singular to working precision at node"):
        factorize(uneven)


@pytest.mark.parametrize("threads", [2, 16])
def test_threads_do_not_change_the_result(threads):
    graph = conductances(random_graph(91, 500, 1200, weighted=True))
    b = np.random.default_rng(3).standard_normal((500, 19))
    u, v = graph.edges()

    def everything():
        factor = factorize(graph)
        return [factor.solve(b), factor.resistances(u, v), factor.edge_resistances()]

    want = everything()
    graphsparse.set_num_threads(threads)
    try:
        got = everything()
    finally:
        graphsparse.set_num_threads(0)
    assert all(np.array_equal(a, b) for a, b in zip(got, want, strict=True))
