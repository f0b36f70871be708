"""Linear diffusion of incidences: worked example, dense oracle, invariances, errors."""

from __future__ import annotations

import numpy as np
import pytest

from graphsparse import Hypergraph
from graphsparse.operators.co_diffuse import co_diffuse

EXAMPLE = Hypergraph([0, 1, 1], [0, 0, 1])


def dense_means(ids: np.ndarray) -> np.ndarray:
    same = (ids[:, None] == ids[None, :]).astype(float)
    return same / same.sum(axis=1, keepdims=True) if len(ids) else same


def test_worked_example():
    steps = [co_diffuse(EXAMPLE, [1.0, 2.0, 4.0], 1.0, 0.5, k, 0.5).tolist() for k in range(4)]
    assert steps[0] == [1.0, 2.0, 4.0]
    assert steps[1:] == [
        [1.25, 2.0, 3.75],
        [1.3125, 2.03125, 3.65625],
        [1.3359375, 2.0390625, 3.625],
    ]
    end = co_diffuse(EXAMPLE, [1.0, 2.0, 4.0], 1.0, 0.5, 200, 0.5)
    np.testing.assert_allclose(end, [1.34782609, 2.04347826, 3.60869565], atol=1e-8)


def test_reaches_the_solution_of_the_linear_system():
    rng = np.random.default_rng(404)
    for _ in range(200):
        nodes, edges, n = (int(v) for v in rng.integers((1, 1, 0), (7, 7, 18)))
        h = Hypergraph(rng.integers(0, nodes, n), rng.integers(0, edges, n), nodes, edges)
        a, (lam, gam) = rng.standard_normal((n, 2)), rng.random(2)
        system = (1 + lam + gam) * np.eye(n)
        system -= lam * dense_means(h.hyperedges) + gam * dense_means(h.nodes)
        got = co_diffuse(h, a, lam, gam, 300, 1.0 / (1.0 + lam + gam))
        np.testing.assert_allclose(got, np.linalg.solve(system, a), atol=1e-9)
        assert got.shape == a.shape


def test_errors():
    with pytest.raises(ValueError, match=r"a must have shape \(3,\) or \(3, k\), got \(2,\)"):
        co_diffuse(EXAMPLE, [1.0, 2.0], 1.0, 1.0, 1, 0.1)
    with pytest.raises(ValueError, match="a must be finite, got nan"):
        co_diffuse(EXAMPLE, [1.0, np.nan, 0.0], 1.0, 1.0, 1, 0.1)
    with pytest.raises(ValueError, match="lam must be finite and >= 0, got -1.0"):
        co_diffuse(EXAMPLE, [1.0, 2.0, 3.0], -1.0, 1.0, 1, 0.1)
    with pytest.raises(ValueError, match=r"alpha must be in .*, got 1.0"):
        co_diffuse(EXAMPLE, [1.0, 2.0, 3.0], 1.0, 1.0, 1, 1.0)
