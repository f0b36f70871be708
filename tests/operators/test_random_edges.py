"""Random edges: exact counts, uniformity, and independence of everything but the seed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from oracles import draw_a, first_edges, kept_count, tie_hash

from graphsparse import Graph, random_edges, rng
from graphsparse.checks import edge_budget

VECTORS = Path(__file__).parents[1] / "vectors" / "static-family"


def load(name: str) -> tuple[dict, Graph]:
    case = json.loads((VECTORS / f"{name}.json").read_text())
    return case, Graph.from_edges(
        case["edges"], num_nodes=case["n"], weights=case["weights"], directed=case["directed"]
    )


def test_draws_and_tie_hashes():
    expected = json.loads((VECTORS / "rng.json").read_text())
    for case in expected["cases"]:
        code = np.array([case["u"] << 32 | case["v"]], dtype=np.uint64)
        assert int(rng.tie_hash(case["seed"], code)[0]) == int(case["tie_hash"])
        assert int(rng.draw(case["seed"], code, 0, 1)[0]) == int(case["draw_step0_domain1"][0])
        assert int(rng.draw(case["seed"], code, 3, 5)[0]) == int(case["draw_step3_domain5"][0])
        assert draw_a(case["seed"], int(code[0]), 3, 5) == int(case["draw_step3_domain5"][0])
        assert tie_hash(case["seed"], int(code[0])) == int(case["tie_hash"])
    for case in expected["kept_count"]:
        assert edge_budget(case["keep"], None, case["m"]) == case["kept"]
        assert kept_count(case["keep"], case["m"]) == case["kept"]


@pytest.mark.parametrize("name", ["karate", "toy6", "toy6w", "lesmis", "dir8"])
def test_vectors(name):
    case, graph = load(name)
    ends = list(zip(*(x.tolist() for x in graph.edges()), strict=True))
    for seed, values in case["seeds"].items():
        for budget, kept in values["kept_ids"].get("random_edges", {}).items():
            connected = budget.endswith("connected")
            keep = float(budget.split()[0])
            if isinstance(kept, str):
                with pytest.raises(ValueError, match="spanning forest"):
                    random_edges(graph, keep, connected=connected, seed=int(seed))
                continue
            got = random_edges(graph, keep, connected=connected, seed=int(seed))
            got_ends = list(zip(*(x.tolist() for x in got.edges()), strict=True))
            assert got_ends == [ends[i] for i in kept]


def test_equals_the_slow_twin():
    numbers = np.random.default_rng(5003)
    for trial in range(200):
        n = int(numbers.integers(2, 30))
        pairs = sorted(
            {(int(min(a, b)), int(max(a, b))) for a, b in numbers.integers(0, n, (40, 2)) if a != b}
        )
        codes = [u << 32 | v for u, v in pairs]
        keys = [draw_a(trial, code, 0, 1) for code in codes]
        count = int(numbers.integers(0, len(pairs) + 1))
        got = random_edges(Graph.from_edges(pairs, num_nodes=n), num_edges=count, seed=trial)
        want = [pairs[i] for i in first_edges(keys, codes, count, "hash", trial)]
        assert list(zip(*(x.tolist() for x in got.edges()), strict=True)) == want


def test_uniform_over_edges():
    graph = Graph.from_edges([(u, v) for u in range(6) for v in range(u)])
    hits = np.zeros(15)
    for seed in range(3000):
        u, v = random_edges(graph, num_edges=5, seed=seed).edges()
        hits[v * (v - 1) // 2 + u] += 1
    # 15 counts of mean 1000; the largest of 15 normal deviates is below 4.5 with p > 0.9999
    assert abs(hits - 1000).max() < 4.5 * np.sqrt(1000 * (1 - 1 / 3))


def test_an_edge_does_not_feel_the_others():
    rng_ = np.random.default_rng(77)
    pairs = rng_.integers(0, 300, (900, 2))
    big = Graph.from_edges(pairs[pairs[:, 0] != pairs[:, 1]], num_nodes=300).coalesce()
    u, v = big.edges()
    part = Graph.from_edges((u[::2], v[::2]), num_nodes=500)
    order = {}
    for graph in (big, part):
        ends = list(zip(*(x.tolist() for x in graph.edges()), strict=True))
        keys = rng.draw(9, np.array([a << 32 | b for a, b in ends], dtype=np.uint64), 0, 1)
        for end, key in zip(ends, keys.tolist(), strict=True):
            assert order.setdefault(end, key) == key
