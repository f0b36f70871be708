"""Conjugate gradients on Laplacians."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import TOYS, karate, random_graph
from oracles_spectral import dense_laplacian
from scipy.sparse.linalg import LinearOperator

import graphsparse
from graphsparse import Graph
from graphsparse.linalg import factorize, pcg
from graphsparse.linalg.conductance import conductances
from graphsparse.linalg.pcg import tree_factor


def grid(side: int) -> Graph:
    at = np.arange(side * side).reshape(side, side)
    across = np.stack((at[:, :-1].ravel(), at[:, 1:].ravel()), axis=1)
    down = np.stack((at[:-1].ravel(), at[1:].ravel()), axis=1)
    return Graph.from_edges(np.concatenate((across, down)))


def test_pseudo_inverse_on_random_graphs():
    rng = np.random.default_rng(40_993)
    for _ in range(200):
        n = int(rng.integers(1, 40))
        graph = random_graph(
            int(rng.integers(2**31)), n, int(rng.integers(0, 4 * n)), weighted=True
        )
        b = rng.standard_normal((n, 3))
        kind = ("approximate", "tree")[n % 2]
        result = pcg(graph, b, tol=1e-10, preconditioner=kind)
        want = np.linalg.pinv(dense_laplacian(graph), hermitian=True) @ b
        assert np.allclose(result.x, want, rtol=1e-7, atol=1e-8 * (1 + np.abs(want).max()))
        single = pcg(graph, b[:, 1], tol=1e-10, preconditioner=kind)
        assert np.array_equal(single.x, result.x[:, 1])


@pytest.mark.parametrize("name", [name for name in TOYS if not name.startswith("directed")])
def test_toy_graphs(name):
    graph = TOYS[name]()
    b = np.arange(graph.num_nodes, dtype=np.float64)
    result = pcg(graph, b)
    want = np.linalg.pinv(dense_laplacian(graph), hermitian=True) @ b
    assert result.converged
    assert np.allclose(result.x, want, atol=1e-7)


def test_every_kind_of_preconditioner():
    graph = grid(40)
    b = np.random.default_rng(8).standard_normal(1600)
    b -= b.mean()
    exact = factorize(graph)
    jacobi = LinearOperator(
        (1600, 1600), matmat=lambda r: r / graph.degree[:, None], matvec=lambda r: r / graph.degree
    )
    results = {
        "approximate": pcg(graph, b),
        "tree": pcg(graph, b, preconditioner="tree"),
        "none": pcg(graph, b, preconditioner=None),
        "factor": pcg(graph, b, preconditioner=exact),
        "graph": pcg(graph, b, preconditioner=graph),
        "callable": pcg(graph, b, preconditioner=jacobi.matmat),
    }
    want = exact.solve(b)
    for result in results.values():
        assert result.converged
        assert result.residual <= 2e-8
        assert np.allclose(result.x, want - want.mean(), atol=1e-4)
    assert results["factor"].iterations == results["graph"].iterations <= 2
    assert results["tree"].iterations < results["none"].iterations / 2
    assert results["approximate"].iterations < results["none"].iterations / 3


def test_tree_preconditioner_is_a_sparse_part():
    graph = conductances(grid(30))
    part = tree_factor(graph).plan.graph
    assert part.num_edges == 899 + 90
    assert factorize(part).nnz < 4 * 900


def test_an_expander_falls_back_to_fewer_edges():
    rng = np.random.default_rng(3_331)
    graph = conductances(Graph.from_edges(rng.integers(0, 60_000, (240_000, 2))))
    factor = tree_factor(graph)
    assert factor.plan.operations <= 2e9
    assert factor.plan.graph.num_edges >= 59_000


def test_unconverged_is_told():
    result = pcg(grid(60), np.eye(3600)[0], max_iterations=3)
    assert not result.converged
    assert result.iterations == 3
    assert result.residual > 1e-8


@pytest.mark.parametrize("threads", [2, 16])
def test_threads_do_not_change_the_result(threads):
    graph, b = grid(130), np.random.default_rng(5).standard_normal((16_900, 3))
    want = pcg(graph, b, max_iterations=20)
    graphsparse.set_num_threads(threads)
    try:
        got = pcg(graph, b, max_iterations=20)
    finally:
        graphsparse.set_num_threads(0)
    assert np.array_equal(got.x, want.x)


def test_bad_arguments():
    graph = karate()
    with pytest.raises(ValueError, match=r"b must have shape \(34,\) or \(34, k\), got \(3,\)"):
        pcg(graph, np.zeros(3))
    with pytest.raises(ValueError, match="b must be finite"):
        pcg(graph, np.full(34, np.nan))
    with pytest.raises(ValueError, match=r"tol must be in \(0, 1\), got 0"):
        pcg(graph, np.zeros(34), tol=0)
    with pytest.raises(ValueError, match="max_iterations must be >= 1, got 0"):
        pcg(graph, np.zeros(34), max_iterations=0)
    with pytest.raises(ValueError, match=r"preconditioner must be 'approximate', .* got 'amg'"):
        pcg(graph, np.zeros(34), preconditioner="amg")
    with pytest.raises(ValueError, match="preconditioner must have 34 nodes as the graph, got 5"):
        pcg(graph, np.zeros(34), preconditioner=TOYS["path"]())
    with pytest.raises(ValueError, match="must be undirected"):
        pcg(TOYS["directed cycle"](), np.zeros(3))
