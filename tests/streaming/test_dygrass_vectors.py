"""Published decisions of dyGRASS: walkers, resistances, paths and the order of every row."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsparse import Graph
from graphsparse.backend import native
from graphsparse.streaming import DynamicSparsifier, EdgeBatch
from graphsparse.streaming.report import HOW

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "dygrass"


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


def cases(name: str) -> list[Any]:
    found = load(name)["cases"]
    return [pytest.param(case, id=f"{k} {case.get('name', '')}") for k, case in enumerate(found)]


def graph_of(n: int, edges: list[list[float]]) -> Graph:
    table = np.array(edges, dtype=float).reshape(-1, 3)
    return Graph.from_edges(
        (table[:, 0].astype(int), table[:, 1].astype(int)), num_nodes=n, weights=table[:, 2]
    )


def triples(graph: Graph) -> list[list[float]]:
    u, v = graph.edges()
    weights = graph.edge_weights()
    assert weights is not None
    return [[int(a), int(b), float(w)] for a, b, w in zip(u, v, weights, strict=True)]


def rules(case: dict[str, Any]) -> native.StreamRules:
    made = native.StreamRules()
    made.seed = int(case["seed"])
    made.limit = case["K"]
    made.walkers = 512
    made.max_steps = case["T"]
    made.both_ends = False
    return made


def close(got: float, want: float | None, exact: bool) -> bool:
    if want is None:
        return math.isnan(got)
    return got == want if exact else got == pytest.approx(want, rel=1e-12)


def rows_of(stream: DynamicSparsifier) -> list[list[int]]:
    state = stream.state()
    ends = state["edge_u"][state["sparsifier_edges"]], state["edge_v"][state["sparsifier_edges"]]
    at = state["sparsifier_indptr"]
    return [
        [int(a + b - x) for a, b in zip(*(e[at[x] : at[x + 1]] for e in ends), strict=True)]
        for x in range(stream.num_nodes)
    ]


def check_tests(report: Any, want: list[Any]) -> None:
    tests = report.tests
    assert tests["id"].tolist() == [row["update"] for row in want]
    assert tests["accepted"].tolist() == [row["accepted"] for row in want]
    for got, row in zip(tests, want, strict=True):
        walker = -1 if row["walker"] is None else row["walker"]
        assert got["walker"] == walker, row
        assert close(got["R"], row["R"], exact=walker >= 0), row
        assert HOW[got["how"]] == row.get("how", "walk"), row
        if not row["accepted"]:
            assert bool(got["rechecked"]) == row.get("rechecked", False), row


def check_deletions(report: Any, want: list[Any], pairs: list[list[int]]) -> None:
    assert report.deletions["id"].tolist() == [row["update"] for row in want]
    for k, (got, row) in enumerate(zip(report.deletions, want, strict=True)):
        assert sorted(pairs[k]) == [got["u"], got["v"]]
        assert bool(got["in_sparsifier"]) == row["in_H"]
        if not row["in_H"]:
            assert len(report.path(k)) == 0
            continue
        walker = -1 if row["walker"] is None else row["walker"]
        assert got["walker"] == walker
        assert close(got["R"], row["R"], exact=walker >= 0), row
        assert report.path(k).tolist() == row["path"]
        assert [[int(e["u"]), int(e["v"]), float(e["w"])] for e in report.added(k)] == row["added"]
        assert (bool(got["fallback"]), bool(got["disconnected"])) == (
            row["fallback"],
            row["disconnected"],
        )


def repairs(report: Any) -> list[list[float]]:
    return [[int(e["u"]), int(e["v"]), float(e["w"])] for e in report.repaired]


def check_end(stream: DynamicSparsifier, case: dict[str, Any]) -> None:
    assert triples(stream.sparsifier()) == case["H_after"]
    if "G_after" in case:
        assert triples(stream.graph()) == case["G_after"]
    if case.get("adjacency_after") is not None:
        assert rows_of(stream) == case["adjacency_after"]
    assert stream._store.check() == ""


@pytest.mark.parametrize(
    "walk", load("walks")["walks"], ids=lambda w: f"{w['graph']}-{w['walker']}"
)
def test_walk(walk: dict[str, Any]) -> None:
    made = load("walks")["graphs"][walk["graph"]]
    graph = graph_of(made["n"], made["edges"])
    stream = DynamicSparsifier(graph, graph, K=1, space="full")
    hit, resistance, nodes = stream._store.walk(
        True,
        walk["p"],
        walk["q"],
        walk["w"],
        0.0,
        rules(walk),
        walk["phase"],
        int(walk["update"]),
        walk["walker"],
    )
    assert hit == walk["hit"]
    assert float(resistance).hex() == float.fromhex(walk["R_hex"]).hex()
    assert nodes.view(np.int32).tolist() == walk["nodes"]


@pytest.mark.parametrize("case", cases("hitprob"))
def test_hit_probability(case: dict[str, Any]) -> None:
    graph = graph_of(case["n"], case["edges"])
    stream = DynamicSparsifier(graph, graph, K=1, space="full")
    count, made = 4000, rules({**case, "seed": 71})
    hits = sum(
        stream._store.walk(True, case["p"], case["q"], case["w"], 0.0, made, 0, 5, walker)[0]
        for walker in range(count)
    )
    spread = math.sqrt(case["prob"] * (1 - case["prob"]) / count)
    assert abs(hits / count - case["prob"]) <= 4 * spread


@pytest.mark.parametrize("case", cases("decisions"))
def test_path_resistance_decides(case: dict[str, Any]) -> None:
    sparsifier = graph_of(case["n"], case["H"])
    stream = DynamicSparsifier(sparsifier, sparsifier, K=1)
    u, v, w = (np.array(column) for column in zip(*case["updates"], strict=True))
    paths = stream._store.path_resistances(True, u.astype(np.int64), v.astype(np.int64), 1)
    np.testing.assert_allclose(w * paths, case["w_R_path"], rtol=1e-12)
    assert (w * paths >= case["K"]).tolist() == case["accept_path"]


@pytest.mark.parametrize("case", load("core")["cases"], ids=lambda c: c["name"])
def test_core(case: dict[str, Any]) -> None:
    graph = graph_of(case["n"], case["edges"])
    stream = DynamicSparsifier(graph, graph, K=1)
    top, off, anchored = stream._store.climb(np.arange(case["n"], dtype=np.int64))
    want = [-1 if anchor is None else anchor for anchor in case["anchor"]]
    assert np.where(anchored, top, -1).tolist() == want
    for x in np.flatnonzero(anchored):
        assert off[x] == pytest.approx(case["offset"][x], rel=1e-12)
    assert ((top == np.arange(case["n"])) & anchored).tolist() == case["in_core"]


@pytest.mark.parametrize(
    ("case", "space"),
    [
        pytest.param(*case.values, space, id=f"{space} {case.id}")
        for name, space in (("incremental", "full"), ("core_stream", "core"))
        for case in cases(name)
    ],
)
@pytest.mark.usefixtures("walker")
def test_insertions(case: dict[str, Any], space: Any) -> None:
    start = graph_of(case["n"], case["H"])
    stream = DynamicSparsifier(
        start,
        start,
        K=case["K"],
        seed=int(case["seed"]),
        space=space,
        walkers=case["W"],
        max_steps=case["T"],
        both_ends=case["both_ends"],
        recheck=case["recheck_first_chunk"] > 0,
        first_chunk=max(1, case["recheck_first_chunk"]),
        sub_batch=case["sub_batch"],
        first_update_id=case["first_update_id"],
    )
    report = stream.update(inserts=np.array(case["stream"]))
    check_tests(report, case["results"])
    check_end(stream, case)
    if "core_deg_after" in case:
        top, _, anchored = stream._store.climb(np.arange(case["n"], dtype=np.int64))
        core = (top == np.arange(case["n"])) & anchored
        got = [sum(core[y] for y in row) if core[x] else 0 for x, row in enumerate(rows_of(stream))]
        assert got == case["core_deg_after"]


@pytest.mark.parametrize("case", [*cases("decremental"), *cases("repair"), *cases("recovery_walk")])
@pytest.mark.usefixtures("walker")
def test_deletions(case: dict[str, Any]) -> None:
    stream = DynamicSparsifier(
        graph_of(case["n"], case["G"]),
        graph_of(case["n"], case["H"]),
        K=5,
        seed=int(case["seed"]),
        engine=case["engine"],
        both_ends=case.get("both_ends", True),
        recovery_walkers=case.get("W", 32),
        recovery_steps=case.get("T", 30),
        sub_batch=case["sub_batch"],
        first_update_id=case["first_update_id"],
    )
    report = stream.update(deletes=case["deletions"])
    check_deletions(report, case["log"], case["deletions"])
    assert repairs(report) == case["repair_edges"]
    check_end(stream, case)


@pytest.mark.parametrize("case", cases("mixed_batches"))
@pytest.mark.usefixtures("walker")
def test_mixed_batches(case: dict[str, Any]) -> None:
    stream = DynamicSparsifier(
        graph_of(case["n"], case["G"]),
        graph_of(case["n"], case["H"]),
        K=case["K"],
        seed=int(case["seed"]),
        space=case["space"],
        walkers=case["W"],
        max_steps=case["T"],
        both_ends=case["both_ends"],
        recheck=case["recheck_first_chunk"] > 0,
        first_chunk=max(1, case["recheck_first_chunk"]),
        sub_batch=case["sub_batch"],
        engine=case["engine"],
        recovery_walkers=case["W_recovery"],
        recovery_steps=case["T_recovery"],
        first_update_id=case["batches"][0]["first_update_id"],
    )
    for batch in case["batches"]:
        assert stream.next_update_id == batch["first_update_id"]
        report = stream.update(EdgeBatch.from_operations(batch["ops"]))
        assert report.ignored["self_loops"] + report.ignored["missing"] == len(batch["ignored"])
        check_deletions(report, batch["deletions"], [d["edge"] for d in batch["deletions"]])
        assert repairs(report) == batch["repair_edges"]
        assert [
            [int(c["id"]), [int(c["u"]), int(c["v"])], c["before"], c["after"], c["in_sparsifier"]]
            for c in report.changes
        ] == [
            [c["update"], c["edge"], c["w_before"], c["w_after"], c["in_H"]]
            for c in batch["changes"]
        ]
        assert report.changes["tested"].tolist() == [c["tested"] for c in batch["changes"]]
        check_tests(report, batch["insertions"])
        edges = [[int(t["u"]), int(t["v"]), float(t["w"])] for t in report.tests]
        assert edges == [row["edge"] for row in batch["insertions"]]
        assert triples(stream.sparsifier()) == batch["H_after"]
        assert stream.kappa().kappa == pytest.approx(batch["kappa_after"], rel=1e-9)
    check_end(stream, {**case, "H_after": case["batches"][-1]["H_after"]})
