"""``protect="top1"`` of the static family: the best edge of each node goes last."""

from __future__ import annotations

import numpy as np
import pytest

from graphsparse import Graph, sparsify
from graphsparse.operators.scored import ScoreMethod, edge_scores, order_keys
from graphsparse.operators.sparsify import METHODS, make_method
from graphsparse.rng import tie_hash
from graphsparse.selection import edge_codes

NAMES = [name for name in METHODS if isinstance(make_method(name, {}), ScoreMethod)]


def random_graph(seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 25))
    ends = rng.integers(0, n, (int(rng.integers(1, 3 * n)), 2))
    ends = np.unique(np.sort(ends[ends[:, 0] != ends[:, 1]], axis=1), axis=0)
    if not len(ends):
        ends = np.array([[0, 1]])
    return Graph.from_edges(ends, num_nodes=n, weights=rng.integers(1, 4, len(ends)).astype(float))


def expected_order(graph: Graph, name: str, tie_break: str, seed: int) -> list[int]:
    """Return the edges from first kept to last: best ones of a node, score, tie, number."""
    keys = order_keys(edge_scores(graph, name, seed=seed, tie_break=tie_break)).tolist()
    ties = [0] * len(keys)
    if tie_break == "hash":
        ties = tie_hash(seed, edge_codes(graph)).tolist()
    plain = sorted(range(len(keys)), key=lambda e: (-keys[e], ties[e], e))
    u, v = (ends.tolist() for ends in graph.edges())
    seen: set[int] = set()
    first = []
    for e in plain:
        if not {u[e], v[e]} <= seen:
            first.append(e)
        seen |= {u[e], v[e]}
    return first + [e for e in plain if e not in set(first)]


@pytest.mark.parametrize("name", NAMES)
def test_order_is_that_of_a_slow_twin(name: str) -> None:
    assert len(NAMES) >= 15
    for seed in range(12):
        graph = random_graph(100 + seed)
        tie_break = ("hash", "index")[seed % 2]
        order = expected_order(graph, name, tie_break, seed)
        codes = edge_codes(graph)
        for count in {1, len(order) // 2 or 1, len(order)}:
            options = {"protect": "top1", "tie_break": tie_break, "seed": seed}
            kept = sparsify(graph, name, num_edges=count, **options).graph
            assert sorted(codes[order[:count]].tolist()) == sorted(edge_codes(kept).tolist())


@pytest.mark.parametrize("name", ["jaccard", "scan", "random"])
def test_no_node_is_cut_off_once_the_best_edges_fit(name: str) -> None:
    for seed in range(20):
        graph = random_graph(300 + seed)
        best = len([v for v in range(graph.num_nodes) if graph.degree[v]])
        count = min(best, graph.num_edges)
        kept = sparsify(graph, name, num_edges=count, protect="top1", seed=seed).graph
        assert np.array_equal(kept.degree > 0, graph.degree > 0)


def test_what_protect_takes() -> None:
    graph = random_graph(1)
    with pytest.raises(ValueError, match="protect must be one of 'none', 'top1', got 'forest'"):
        sparsify(graph, "jaccard", 0.5, protect="forest")
    with pytest.raises(ValueError, match="protect=top1 needs keep or num_edges, got exponent"):
        sparsify(graph, "local_degree", exponent=0.5, protect="top1")
