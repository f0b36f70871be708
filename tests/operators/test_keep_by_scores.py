"""Edges kept by given scores: exact budgets, pairs as one, the best edge of each receiver."""

from __future__ import annotations

import math

import numpy as np
import pytest

from graphsparse.graph import Graph
from graphsparse.operators.keep_by_scores import keep_by_scores


def slow(arcs: list[tuple[int, int]], scores: list[float], count: int, directed: bool) -> set:
    """Names of the kept edges: a set per pair, the best of each receiver in front."""
    groups: dict[tuple[int, int], list[float]] = {}
    for (u, v), score in zip(arcs, scores, strict=True):
        if u != v:
            name = (u, v) if directed else (min(u, v), max(u, v))
            groups.setdefault(name, []).append(score)
    mean = {name: math.fsum(found) / len(found) for name, found in groups.items()}
    number = {name: i for i, name in enumerate(sorted(mean))}
    best = set()
    for node in range(max((max(a) for a in arcs), default=0) + 1):
        into = [e for e in mean if e[1] == node or (not directed and e[0] == node)]
        if into:
            best.add(min(into, key=lambda e: (-mean[e], number[e])))
    return set(sorted(mean, key=lambda e: (e not in best, -mean[e], number[e]))[:count])


@pytest.mark.parametrize("directed", [False, True])
def test_equals_the_loop(directed: bool) -> None:
    rng = np.random.default_rng(517)
    for _ in range(220):
        n, m = int(rng.integers(1, 10)), int(rng.integers(0, 25))
        graph = Graph.from_edges(rng.integers(0, n, (m, 2)), num_nodes=n, directed=directed)
        scores = rng.integers(0, 5, graph.num_arcs) / 4.0
        arcs = list(zip(graph.arc_rows().tolist(), graph.indices.tolist(), strict=True))
        total = len({a if directed else (min(a), max(a)) for a in arcs if a[0] != a[1]})
        keep = float(rng.choice([1.0, 0.5, 0.29, 0.01]))
        kept = keep_by_scores(graph, scores, keep)
        u, v = kept.edges()
        found = [
            (int(a), int(b)) if directed else (int(min(a, b)), int(max(a, b)))
            for a, b in zip(u, v, strict=True)
            if a != b
        ]
        count = total - math.floor((1 - keep) * total + 1e-6)
        assert set(found) == slow(arcs, scores.tolist(), count, directed)
        assert kept.num_self_loops == graph.num_self_loops


def test_bad_scores() -> None:
    path = Graph.from_edges([(0, 1), (1, 2)])
    with pytest.raises(ValueError, match=r"scores must have shape \(4,\), got \(2,\)"):
        keep_by_scores(path, [1.0, 2.0], 0.5)
    with pytest.raises(ValueError, match=r"scores must be >= 0, got -1.0 at arc 2"):
        keep_by_scores(path, [1.0, 2.0, -1.0, 0.0], 0.5)
