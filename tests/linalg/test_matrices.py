"""Laplacian and normalised adjacency as matrices."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from graphs import TOYS, karate, random_graph
from oracles_spectral import dense_laplacian

from graphsparse import Graph
from graphsparse.convert import to_networkx
from graphsparse.linalg import laplacian, normalized_adjacency


@pytest.mark.parametrize("name", [name for name in TOYS if not name.startswith("directed")])
def test_laplacian_of_toys(name):
    graph = TOYS[name]()
    matrix = laplacian(graph)
    assert matrix.dtype == np.float64
    assert np.allclose(matrix.toarray(), dense_laplacian(graph), rtol=1e-6)


def test_laplacian_agrees_with_networkx():
    graph = to_networkx(karate())
    nodes = range(34)
    ours = laplacian(karate())
    assert np.array_equal(ours.toarray(), nx.laplacian_matrix(graph, nodes).toarray())
    theirs = nx.normalized_laplacian_matrix(graph, nodes).toarray()
    assert np.allclose(laplacian(karate(), normalized=True).toarray(), theirs, atol=1e-15)


def test_signed_weights_have_a_laplacian():
    graph = Graph.from_edges([(0, 1), (1, 2)], weights=[1.5, -0.5])
    assert laplacian(graph).toarray().tolist() == [[1.5, -1.5, 0], [-1.5, 1.0, 0.5], [0, 0.5, -0.5]]
    with pytest.raises(ValueError, match=r"not negative, got a degree of -0.5 at node 2"):
        laplacian(graph, normalized=True)


def test_laplacian_refuses_arcs():
    with pytest.raises(ValueError, match="must be undirected"):
        laplacian(TOYS["directed cycle"]())


@pytest.mark.parametrize("self_loops", [0.0, 1.0, 0.25])
def test_normalized_adjacency(self_loops):
    for seed in range(40):
        graph = random_graph(seed, weighted=seed % 2 == 0, directed=seed % 3 == 0)
        matrix = np.zeros((12, 12))
        weights = graph.weights if graph.weights is not None else np.ones(graph.num_arcs)
        np.add.at(matrix, (graph.arc_rows(), graph.indices), weights)
        matrix += self_loops * np.eye(12)
        with np.errstate(divide="ignore"):
            out, into = 1 / matrix.sum(axis=1), 1 / matrix.sum(axis=0)
        out[np.isinf(out)], into[np.isinf(into)] = 0, 0
        sym = np.sqrt(out)[:, None] * matrix * np.sqrt(into)[None, :]
        got = normalized_adjacency(graph, self_loops=self_loops).toarray()
        assert np.allclose(got, sym, rtol=1e-12)
        row = normalized_adjacency(graph, norm="row", self_loops=self_loops).toarray()
        assert np.allclose(row, out[:, None] * matrix, rtol=1e-12)


def test_normalized_adjacency_refuses_nonsense():
    with pytest.raises(ValueError, match="norm must be one of 'sym', 'row', got 'col'"):
        normalized_adjacency(karate(), norm="col")
    for value in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="self_loops must be a finite weight >= 0"):
            normalized_adjacency(karate(), self_loops=value)
