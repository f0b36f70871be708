"""Second-order walks and skip-gram features against slow twins."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import graphsparse
from graphsparse import Hypergraph
from graphsparse.operators.hypergraph_walks import (
    EXPONENT,
    RATES,
    _alias_table,
    _largest_of_neighbours,
    hypergraph_walk_features,
    hypergraph_walks,
)
from graphsparse.rng import HYPERGRAPH_WALKS, SKIP_GRAM, draw, uniform

P, Q = 2.0, 0.25


def draw_hypergraph(rng: np.random.Generator) -> Hypergraph:
    n, m, rows = (int(rng.integers(low, high)) for low, high in ((1, 9), (1, 9), (0, 25)))
    return Hypergraph(rng.integers(0, n, rows), rng.integers(0, m, rows), n, m)


def weights(h: Hypergraph, t: int, c: int) -> np.ndarray:
    """Weights of the next node as the definition reads; t = -1 in the first step."""
    members = [h.nodes[h.hyperedges == e].tolist() for e in range(h.num_hyperedges)]
    degree = np.bincount(h.nodes, minlength=h.num_nodes)
    found = np.zeros(h.num_nodes)
    for w in range(h.num_nodes):
        if w == c:
            continue
        common = sum(e.count(c) * e.count(w) / len(e) for e in members if c in e and w in e)
        kappa = 1.0
        if t >= 0:
            kappa = 1 / Q
            if any(t in e and c in e and w in e for e in members):
                kappa /= P
            if w == t or any(t in e and w in e for e in members):
                kappa *= Q
        if common:
            found[w] = kappa * degree[w] ** -0.5 * common
    return found


def test_walks_take_possible_steps_only():
    rng = np.random.default_rng(9_310)
    for _ in range(200):
        h = draw_hypergraph(rng)
        paths = hypergraph_walks(h, 2, 6, seed=int(rng.integers(1 << 40)))
        assert paths.shape == (2 * h.num_nodes, 6)
        assert np.array_equal(paths[:, 0], np.repeat(np.arange(h.num_nodes), 2))
        for path in paths.tolist():
            before = -1
            for c, w in itertools.pairwise(path):
                allowed = weights(h, before, c)
                assert allowed[w] > 0 if allowed.any() else w == c
                before = c


def test_steps_are_as_frequent_as_their_weights():
    h = Hypergraph([0, 1, 2, 2, 3, 3, 4, 0, 4, 1, 1], [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4], 5, 5)
    paths = hypergraph_walks(h, 20_000, 3, return_p=P, in_out_q=Q, seed=3)
    for t, c in ((0, 1), (2, 3), (3, 4), (4, 0)):
        after = paths[(paths[:, 0] == t) & (paths[:, 1] == c), 2]
        want = weights(h, t, c)
        want /= want.sum()
        got = np.bincount(after, minlength=5) / len(after)
        assert np.abs(got - want).max() < 4.5 * np.sqrt(0.25 / len(after))
    first = np.bincount(paths[paths[:, 0] == 2, 1], minlength=5) / 20_000
    want = weights(h, -1, 2)
    assert np.abs(first - want / want.sum()).max() < 0.016


def test_the_bound_is_that_of_the_other_members():
    rng = np.random.default_rng(31)
    for _ in range(200):
        h = draw_hypergraph(rng)
        scale = rng.integers(1, 4, h.num_nodes) / 4
        got = _largest_of_neighbours(h, scale)
        for v in range(h.num_nodes):
            near = np.isin(h.hyperedges, h.hyperedges[h.nodes == v]) & (h.nodes != v)
            assert got[v] == scale[h.nodes[near]].max(initial=0.0)


def test_alias_table_has_the_given_chances():
    rng = np.random.default_rng(32)
    for _ in range(200):
        w = rng.integers(0, 5, int(rng.integers(1, 30))) + (rng.random() < 0.5)
        if not w.sum():
            continue
        keep, alias = _alias_table(w.astype(float))
        share = keep / 2.0**32
        got = share.copy()
        np.add.at(got, alias, 1.0 - share)
        np.testing.assert_allclose(got / len(w), w / w.sum(), atol=1e-8)


def slow_skip_gram(paths, dim, window, negatives, seed, n):
    """Return the features by loops over places, pairs and negatives."""
    items = np.arange(n * dim, dtype=np.uint64)
    x = (uniform(seed, items, 1, HYPERGRAPH_WALKS) - 0.5).reshape(n, dim) / dim
    y = np.zeros((n, dim))
    keep, alias = _alias_table(np.bincount(paths.ravel(), minlength=n) ** EXPONENT)
    tokens, length = paths.ravel(), paths.shape[1]

    def word(token, slot):
        return int(draw(seed, np.array([token], np.uint64), slot, SKIP_GRAM)[0])

    for token, center in enumerate(tokens):
        rate = RATES[0] + (RATES[1] - RATES[0]) * token / len(tokens)
        reach = 1 + word(token, 0) % window
        begin = token // length * length
        low, high = max(begin, token - reach), min(begin + length, token + reach + 1)
        for other in (o for o in range(low, high) if o != token):
            row, change = x[tokens[other]], np.zeros(dim)
            targets = [center]
            for k in range(negatives):
                bits = word(token, (other - low) * (negatives + 1) + k + 1)
                entry = (bits >> 32) * n >> 32
                targets.append(entry if bits & 0xFFFFFFFF < keep[entry] else alias[entry])
            for k, target in enumerate(targets):
                if k and target == center:
                    continue
                pull = rate * ((k == 0) - 1 / (1 + np.exp(-row @ y[target])))
                change += pull * y[target]
                y[target] += pull * row
            row += change
    return x


def test_features_equal_the_slow_twin():
    rng = np.random.default_rng(12)
    for dim, window, negatives in ((5, 3, 2), (17, 10, 5), (16, 1, 0)):
        h = draw_hypergraph(rng)
        options = {"window": window, "negatives": negatives, "seed": int(rng.integers(1 << 30))}
        got = hypergraph_walk_features(h, dim, walks=3, length=9, **options)
        paths = hypergraph_walks(h, 3, 9, seed=options["seed"])
        want = slow_skip_gram(paths, dim, n=h.num_nodes, **options)
        np.testing.assert_allclose(got, want, atol=2e-6)


def test_nodes_that_meet_are_closer():
    groups = [list(range(k, k + 6)) for k in (0, 6, 12)]
    rng = np.random.default_rng(2)
    members = [rng.choice(group, 3, replace=False) for group in groups for _ in range(30)]
    h = Hypergraph(np.concatenate(members), np.repeat(np.arange(90), 3))
    x = hypergraph_walk_features(h, 16, walks=60, length=40, seed=1)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    near = (x @ x.T)[np.equal.outer(np.arange(18) // 6, np.arange(18) // 6)].mean()
    assert near > (x @ x.T).mean() + 0.2


def test_any_number_of_threads_walks_the_same_way():
    rng = np.random.default_rng(4)
    h = Hypergraph(rng.integers(0, 300, 2000), rng.integers(0, 500, 2000), 300, 500)
    outcomes = []
    for threads in (1, 2, 3):
        graphsparse.set_num_threads(threads)
        outcomes.append(hypergraph_walks(h, 5, 30, seed=8))
    graphsparse.set_num_threads(0)
    assert np.array_equal(outcomes[0], outcomes[1])
    assert np.array_equal(outcomes[0], outcomes[2])


def test_degenerate_and_wrong_arguments():
    alone = Hypergraph([0, 1, 1], [0, 1, 1], 3, 2)
    assert hypergraph_walks(alone, 1, 3).tolist() == [[0] * 3, [1] * 3, [2] * 3]
    empty = Hypergraph(np.zeros(0, np.int64), np.zeros(0, np.int64), 0, 0)
    assert hypergraph_walk_features(empty, 4).shape == (0, 4)
    with pytest.raises(ValueError, match="return_p must be above 0 and finite, got 0.0"):
        hypergraph_walks(alone, return_p=0.0)
    with pytest.raises(ValueError, match="in_out_q must be above 0 and finite, got inf"):
        hypergraph_walks(alone, in_out_q=float("inf"))
    with pytest.raises(ValueError, match="dim"):
        hypergraph_walk_features(alone, 0)
