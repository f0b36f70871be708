"""Streams against their slow twin: every decision, path and row order on random graphs."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
from oracles_dygrass import Pair, Rules, Twin, pair

from graphsparse import Graph
from graphsparse.streaming import DynamicSparsifier, EdgeBatch
from graphsparse.streaming.report import HOW


def random_start(rng: random.Random, unit: bool) -> tuple[int, dict[Pair, float], set[Pair]]:
    """Return a graph of one of several shapes and a spanning forest with some edges more."""
    n = rng.randrange(2, 26)
    shape = rng.choice(["sparse", "dense", "path", "star", "parts", "none"])
    pairs = [(u, v) for u in range(n) for v in range(u + 1, n)]
    share = {"sparse": 2.5 / n, "dense": 0.6, "parts": 1.2 / n}.get(shape, 0.0)
    edges = [e for e in pairs if rng.random() < share]
    if shape == "path":
        edges = [(k, k + 1) for k in range(n - 1)]
    if shape == "star":
        edges = [(0, k) for k in range(1, n)]
    weights = {e: 1.0 if unit else math.exp(rng.gauss(0, 0.8)) for e in edges}
    parent = list(range(n))

    def find(x: int) -> int:
        while parent[x] != x:
            x = parent[x]
        return x

    sparse = set()
    for u, v in rng.sample(edges, len(edges)):
        if find(u) != find(v) or rng.random() < 0.15:
            parent[find(u)] = find(v)
            sparse.add((u, v))
    return n, weights, sparse


def random_operations(rng: random.Random, n: int, edges: list[Pair], unit: bool) -> list[Any]:
    ops = []
    for _ in range(rng.randrange(0, 26)):
        name = rng.choice(["insert", "insert", "delete", "set"])
        known = edges and rng.random() < (0.8 if name != "insert" else 0.2)
        u, v = rng.choice(edges) if known else (rng.randrange(n), rng.randrange(n))
        if rng.random() < 0.5:
            u, v = v, u
        w = rng.choice([0.5, 1.0, 2.0]) if unit else math.exp(rng.gauss(0, 0.8))
        ops.append((name, u, v, 0.0 if name == "delete" or rng.random() < 0.08 else w))
    return ops


def graph_of(n: int, weights: dict[Pair, float], edges: Any) -> Graph:
    order = sorted(edges)
    ends = np.array(order, np.int64).reshape(-1, 2)
    return Graph.from_edges(ends, num_nodes=n, weights=np.array([weights[e] for e in order]))


def stream_of(n: int, weights: dict[Pair, float], sparse: set[Pair], rules: Rules, **more: Any):
    return DynamicSparsifier(
        graph_of(n, weights, weights),
        graph_of(n, weights, sparse),
        K=rules.K,
        seed=rules.seed,
        space=rules.space,
        walkers=rules.walkers,
        max_steps=rules.max_steps,
        both_ends=rules.both_ends,
        recheck=rules.first_chunk > 0,
        first_chunk=max(1, rules.first_chunk),
        sub_batch=rules.sub_batch or None,
        engine=rules.engine,
        recovery_walkers=rules.recovery_walkers,
        recovery_steps=rules.recovery_steps,
        **more,
    )


def assert_same_rows(stream: DynamicSparsifier, twin: Twin) -> None:
    state = stream.state()
    for name, rows in (("graph", twin.g), ("sparsifier", twin.h)):
        ids, at = state[f"{name}_edges"], state[f"{name}_indptr"]
        flat = [e for row in rows for e in row]
        assert np.diff(at).tolist() == [len(row) for row in rows]
        got = zip(state["edge_u"][ids].tolist(), state["edge_v"][ids].tolist(), strict=True)
        assert list(got) == flat
    weight = {
        (u, v): w
        for u, v, w in zip(
            state["edge_u"].tolist(),
            state["edge_v"].tolist(),
            state["edge_w"].tolist(),
            strict=True,
        )
        if u >= 0
    }
    assert weight == twin.weight


def assert_same_report(report: Any, want: dict[str, Any], ties: bool) -> None:
    assert len(report.tests) == len(want["tests"])
    for got, row in zip(report.tests, want["tests"], strict=True):
        assert (got["id"], (got["u"], got["v"]), got["w"]) == (row["id"], row["edge"], row["w"])
        assert got["accepted"] == row["accepted"]
        assert HOW[got["how"]] == row["how"]
        assert got["walker"] == (-1 if row["walker"] is None else row["walker"])
        assert math.isnan(got["R"]) if row["R"] is None else got["R"] == row["R"]
    for k, (got, row) in enumerate(zip(report.deletions, want["deletions"], strict=True)):
        assert (got["id"], (got["u"], got["v"])) == (row["id"], row["edge"])
        assert got["in_sparsifier"] == row["in_H"]
        if not row["in_H"]:
            continue
        assert got["walker"] == (-1 if row["walker"] is None else row["walker"])
        assert got["disconnected"] == (row["R"] is None)
        if row["R"] is not None:
            assert got["R"] == pytest.approx(row["R"], rel=1e-12)
        if not ties:
            assert report.path(k).tolist() == row["path"]
            assert [(e["u"], e["v"]) for e in report.added(k)] == row["added"]
    assert [(e["u"], e["v"]) for e in report.repaired] == want["repaired"]
    assert [
        (c["id"], (c["u"], c["v"]), c["before"], c["after"], c["in_sparsifier"])
        for c in report.changes
    ] == want["changes"]


def random_rules(rng: random.Random) -> Rules:
    return Rules(
        K=rng.choice([0.5, 2.0, 5.0, 20.0, math.inf]),
        seed=rng.getrandbits(64),
        space=rng.choice(["core", "core", "full"]),
        walkers=rng.choice([32, 64]),
        max_steps=rng.choice([3, 30]),
        both_ends=rng.random() < 0.7,
        first_chunk=rng.choice([0, 1, 2, 5]),
        sub_batch=rng.choice([0, 1, 4, 9]),
        engine=rng.choice(["exact", "walk"]),
        recovery_steps=rng.choice([4, 20]),
    )


@pytest.mark.parametrize("block", range(8))
@pytest.mark.usefixtures("walker")
def test_same_as_the_twin(block: int) -> None:
    for case in range(30):
        rng = random.Random(1000 * block + case)
        n, weights, sparse = random_start(rng, unit=False)
        rules = random_rules(rng)
        first = rng.choice([0, 17, 2**33 + 5])
        stream = stream_of(n, weights, sparse, rules, first_update_id=first)
        twin = Twin(n, weights, sparse, rules)
        twin.next_id = first
        assert_same_rows(stream, twin)
        for _ in range(3):
            ops = random_operations(rng, n, sorted(twin.weight), unit=False)
            report = stream.update(EdgeBatch.from_operations(ops))
            assert_same_report(report, twin.update(ops), ties=False)
            assert stream._store.check() == ""
            assert_same_rows(stream, twin)


@pytest.mark.parametrize("block", range(2))
@pytest.mark.usefixtures("walker")
def test_same_as_the_twin_with_unit_weights(block: int) -> None:
    # Shortest paths tie here, and any of them may be put back: walks only, long enough to arrive.
    compared = 0
    for case in range(30):
        rng = random.Random(5000 * (block + 1) + case)
        n, weights, sparse = random_start(rng, unit=True)
        rules = random_rules(rng)
        rules.engine, rules.recovery_steps = "walk", 60
        stream, twin = stream_of(n, weights, sparse, rules), Twin(n, weights, sparse, rules)
        for _ in range(3):
            ops = random_operations(rng, n, sorted(twin.weight), unit=True)
            report = stream.update(EdgeBatch.from_operations(ops))
            want = twin.update(ops)
            found = report.deletions["fallback"] & ~report.deletions["disconnected"]
            assert stream._store.check() == ""
            if found.any():
                break  # an exact search among ties: the two may go apart from here
            compared += 1
            assert_same_report(report, want, ties=False)
            assert_same_rows(stream, twin)
    assert compared > 60


def test_recovery_is_a_shortest_path_among_ties() -> None:
    for case in range(40):
        rng = random.Random(90_000 + case)
        n, weights, sparse = random_start(rng, unit=True)
        rules = random_rules(rng)
        rules.engine = "exact"
        stream, twin = stream_of(n, weights, sparse, rules), Twin(n, weights, sparse, rules)
        doomed = rng.sample(sorted(weights), len(weights) // 2)
        rules.sub_batch = len(doomed) or 1
        stream = stream_of(n, weights, sparse, rules)
        report = stream.update(deletes=doomed)
        want = twin.update([("delete", u, v, 0.0) for u, v in doomed])
        for k, (got, row) in enumerate(zip(report.deletions, want["deletions"], strict=True)):
            if not row["in_H"] or row["R"] is None:
                continue
            path = report.path(k).tolist()
            assert (path[0], path[-1]) == row["edge"]
            assert got["R"] == row["R"] == len(path) - 1
            assert all(pair(*e) in twin.weight for e in itertools.pairwise(path))
        assert stream._store.check() == ""


def test_repair_is_kruskal_over_all_edges() -> None:
    repaired = 0
    for case in range(150):
        rng = random.Random(70_000 + case)
        n = rng.randrange(6, 40)
        tree = [(rng.randrange(max(0, k - 4), k), k) for k in range(1, n)]
        extra = [pair(*rng.sample(range(n), 2)) for _ in range(rng.randrange(1, n))]
        weights = {e: math.exp(rng.gauss(0, 0.8)) for e in {*tree, *extra}}
        rules = Rules(K=4, seed=case, space=rng.choice(["core", "full"]), sub_batch=1000)
        stream, twin = stream_of(n, weights, set(tree), rules), Twin(n, weights, set(tree), rules)
        doomed = [("delete", *e, 0.0) for e in rng.sample(tree, rng.randrange(2, len(tree)))]
        report = stream.update(EdgeBatch.from_operations(doomed))
        assert_same_report(report, twin.update(doomed), ties=False)
        assert stream._store.check() == ""
        repaired += len(report.repaired)
    assert repaired > 100
