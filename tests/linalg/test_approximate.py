"""Sampled elimination: exact where there is nothing to sample, right on average, repeatable."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import TOYS, random_graph
from oracles_spectral import components, dense_laplacian

import graphsparse
from graphsparse import Graph
from graphsparse.linalg.approximate import approximate_factor
from graphsparse.linalg.conductance import conductances
from graphsparse.linalg.pcg import LaplacianSolver


def product(factor) -> np.ndarray:
    """Return ``L D L'`` of a factor over all nodes, zero where a node is grounded."""
    k = len(factor.order)
    lower = np.eye(k)
    for j in range(k):
        part = slice(factor.ptr[j], factor.ptr[j + 1])
        assert (np.diff(factor.rows[part]) > 0).all()
        assert (factor.rows[part] > j).all()
        lower[factor.rows[part], j] = factor.values[part]
    whole = np.zeros((factor.num_nodes,) * 2)
    whole[np.ix_(factor.order, factor.order)] = lower * factor.diagonal @ lower.T
    return whole


@pytest.mark.parametrize("name", [name for name in TOYS if not name.startswith("directed")])
def test_one_node_of_each_component_is_grounded(name):
    graph = TOYS[name]()
    factor = approximate_factor(conductances(graph), 3)
    left = set(range(graph.num_nodes)) - set(factor.order.tolist())
    assert [len(part & left) for part in components(graph)] == [1] * len(components(graph))


def test_trees_and_cycles_are_exact():
    rng = np.random.default_rng(71)
    for n in (2, 9, 60):
        tree = [(v, int(rng.integers(0, v))) for v in range(1, n)]
        cycle = [(v, (v + 1) % n) for v in range(n)] if n > 2 else tree
        for edges in (tree, cycle):
            weights = rng.uniform(0.1, 9, len(edges))
            graph = conductances(Graph.from_edges(edges, num_nodes=n, weights=weights))
            factor = approximate_factor(graph, 5)
            rows = np.ix_(factor.order, factor.order)
            assert np.allclose(product(factor)[rows], dense_laplacian(graph)[rows], rtol=1e-12)


def test_the_mean_is_the_laplacian():
    # With node 9 grounded in all of them: it has the largest degree by far.
    hub = [(v, 9) for v in range(9)] * 4
    rng = np.random.default_rng(13)
    edges = [*hub, *rng.integers(0, 9, (18, 2)).tolist()]
    graph = conductances(Graph.from_edges(edges, weights=rng.uniform(0.5, 2, len(edges))))
    total, count = np.zeros((10, 10)), 3000
    for seed in range(count):
        factor = approximate_factor(graph, seed)
        last = (set(range(10)) - set(factor.order.tolist())).pop()
        matrix = product(factor)
        matrix[last] = -matrix.sum(axis=0)  # rows and columns of a Laplacian sum to zero
        matrix[:, last] = -matrix.sum(axis=1)
        total += matrix / count
    want = dense_laplacian(graph)
    assert np.abs(total - want).max() < 0.03 * want.max()


def test_a_good_preconditioner_on_random_graphs():
    rng = np.random.default_rng(2_909)
    for _ in range(60):
        n = int(rng.integers(100, 400))
        graph = conductances(
            random_graph(int(rng.integers(2**31)), n, int(rng.integers(n, 6 * n)), weighted=True)
        )
        result = LaplacianSolver(graph, "approximate").solve(rng.standard_normal(n))
        assert result.converged
        assert result.iterations < 45


def test_uneven_weights():
    rng = np.random.default_rng(31)
    graph = conductances(
        Graph.from_edges(rng.integers(0, 300, (1500, 2)), weights=10.0 ** rng.uniform(-8, 8, 1500))
    )
    b = rng.standard_normal(graph.num_nodes)
    assert LaplacianSolver(graph, tol=1e-6).solve(b).iterations < 80


def test_same_seed_same_factor_with_any_threads():
    graph = conductances(random_graph(5, 2000, 9000, weighted=True))
    want = approximate_factor(graph, 11)
    graphsparse.set_num_threads(16)
    try:
        got = approximate_factor(graph, 11)
    finally:
        graphsparse.set_num_threads(0)
    assert np.array_equal(got.values, want.values)
    assert np.array_equal(got.order, want.order)
    assert not np.array_equal(approximate_factor(graph, 12).values, want.values)
    assert got.nnz == len(want.rows) < 6 * graph.num_edges
