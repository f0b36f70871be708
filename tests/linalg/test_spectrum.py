"""Reports on quadratic forms and the low end of the spectrum."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import TOYS, karate, path, random_graph
from oracles_spectral import components, dense_laplacian, pencil_eigenvalues

from graphsparse import Graph
from graphsparse.linalg import compare_quadratic_forms, compare_spectra, quadratic_form
from graphsparse.linalg import spectrum as module


def test_quadratic_form_is_that_of_the_matrix():
    rng = np.random.default_rng(27)
    for seed in range(50):
        graph = random_graph(seed, weighted=True)
        x = rng.standard_normal((12, 4))
        want = np.einsum("ik,ij,jk->k", x, dense_laplacian(graph), x)
        assert np.allclose(quadratic_form(graph, x), want, rtol=1e-12)
        assert quadratic_form(graph, x[:, 2]) == pytest.approx(want[2], rel=1e-12)


def test_ratios_lie_between_the_eigenvalues():
    heavier = Graph.from_edges(karate().edges(), weights=np.linspace(0.5, 2, 78))
    values = pencil_eigenvalues(karate(), heavier)
    report = compare_quadratic_forms(karate(), heavier, count=200, seed=77)
    assert report.ratios.shape == (200,)
    assert values[0] <= report.minimum <= report.mean <= report.maximum <= values[-1]
    assert report.minimum == report.ratios.min()
    again = compare_quadratic_forms(karate(), heavier, count=200, seed=77)
    assert np.array_equal(again.ratios, report.ratios)


def test_vectors_of_the_caller():
    x = np.array([[0.0, 1.0, 1.0], [0.0, 1.0, 2.0], [0.0, 1.0, 3.0], [5.0, 1.0, 3.0]])
    whole, part = path(4), Graph.from_edges([(0, 1), (1, 2)], num_nodes=4)
    report = compare_quadratic_forms(whole, part, x)
    assert report.ratios[0] == np.inf
    assert np.isnan(report.ratios[1])
    assert report.minimum == report.mean == report.maximum == report.ratios[2] == 1.0
    none = compare_quadratic_forms(whole, part, x[:, :2])
    assert np.isnan([none.minimum, none.mean, none.maximum]).all()


@pytest.mark.parametrize("dense", [True, False])
def test_smallest_eigenvalues(dense, monkeypatch):
    if not dense:
        monkeypatch.setattr(module, "_DENSE_LIMIT", 0)
    for seed in (61, 62, 63):
        graph = random_graph(seed, n=60, m=90, weighted=True)
        half = Graph.from_edges(graph.edges(), num_nodes=60, weights=graph.edge_weights() / 2)
        report = compare_spectra(graph, half, 6)
        zero = len(components(graph))
        want = np.linalg.eigvalsh(dense_laplacian(graph))[zero : zero + 6]
        assert np.allclose(report.graph, want, rtol=1e-9)
        assert np.allclose(report.sparsifier, want / 2, rtol=1e-9)
        assert np.allclose(report.relative_error, 0.5, rtol=1e-8)


def test_a_long_path():
    n = 2000
    report = compare_spectra(path(n), path(n), 3)
    want = 2 - 2 * np.cos(np.pi * np.arange(1, 4) / n)
    assert np.allclose(report.graph, want, rtol=1e-6)


@pytest.mark.parametrize("name", ["empty", "one node", "no edge", "one edge", "disconnected"])
def test_few_eigenvalues(name):
    graph = TOYS[name]()
    report = compare_spectra(graph, graph, 50)
    assert len(report.graph) == graph.num_nodes - len(components(graph))
    assert (report.relative_error == 0).all()


def test_bad_arguments():
    with pytest.raises(ValueError, match="must have the same nodes, got 34 and 5"):
        compare_spectra(karate(), path(5))
    with pytest.raises(ValueError, match="must have the same nodes, got 34 and 5"):
        compare_quadratic_forms(karate(), path(5))
    with pytest.raises(ValueError, match=r"x must have shape \(5,\) or \(5, k\), got \(4,\)"):
        quadratic_form(path(5), np.zeros(4))
    with pytest.raises(ValueError, match="count must be >= 1, got 0"):
        compare_spectra(path(5), path(5), 0)
    rng = np.random.default_rng(3)
    expander = Graph.from_edges(rng.integers(0, 900, (4000, 2)))
    with pytest.raises(ValueError, match=r"would need about .* more than max_bytes=1000"):
        compare_spectra(expander, expander, max_bytes=1000)
