"""Streams of updates leave the vectors that a rebuild gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from graphs import TOYS, random_graph
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphsparse import EdgeBatch, FastRP, FastRPStream, Graph, fastrp
from graphsparse.graph import build_csr
from graphsparse.streaming.arc_pool import ArcPool

pytestmark = pytest.mark.filterwarnings("ignore:.*have no signal")
VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "fastrp" / "incremental.json"
many = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def random_batch(rng: np.random.Generator, graph: Graph, size: int) -> EdgeBatch:
    """Inserts, deletes and reweights, some of missing edges, loops, and edges twice."""
    n = graph.num_nodes
    rows = []
    u, v = graph.edges()
    for _ in range(size):
        kind = rng.integers(0, 4)
        if kind >= 2 and len(u):
            e = rng.integers(0, len(u))
            a, b = int(u[e]), int(v[e])
        else:
            a, b = (int(x) for x in rng.integers(0, n, 2))
        weight = float(rng.choice([0.5, 1.0, 2.25]))
        rows.append(
            [("insert", a, b, weight), ("set", a, b, weight), ("delete", a, b)][rng.integers(0, 3)]
        )
    return EdgeBatch.from_operations(rows)


def rebuilt(stream: FastRPStream, **options):
    """Powers of the graph as the stream has it."""
    return FastRP(**options).fit(stream.graph(), keep_powers=True).state_.powers


@many
@given(
    st.integers(0, 10**6),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["sparse", "gaussian"]),
    st.sampled_from(["float32", "float64"]),
    st.sampled_from(["out", "in", "total"]),
    st.sampled_from([0.0, -0.5]),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_exact_updates_have_the_bits_of_a_rebuild(
    seed, directed, weighted, projection, dtype, degree, beta, full_above
) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(seed, int(rng.integers(2, 30)), 40, directed=directed, weighted=weighted)
    options = {
        "dim": 6, "weights": (1, 0, 2), "projection": projection, "dtype": dtype,
        "degree": degree, "beta": beta, "self_influence": 0.5,
    }  # fmt: skip
    stream = FastRPStream(graph, full_above=full_above, **options)
    for _ in range(3):
        old = [power.copy() for power in stream.powers]
        report = stream.update(random_batch(rng, stream.graph(), int(rng.integers(1, 6))))
        for got, want in zip(stream.powers, rebuilt(stream, **options), strict=True):
            assert np.array_equal(got, want)
        for before, after, rows in zip(old, stream.powers, report.predicted, strict=True):
            changed = np.flatnonzero((before != after).any(1))
            assert np.isin(changed, rows).all()
    stream.refresh()
    z = fastrp(stream.graph(), **options)
    assert np.allclose(stream.embedding, z, atol=1e-5)


@pytest.mark.parametrize("case", json.loads(VECTORS.read_text()), ids=lambda case: case["name"])
def test_vectors(case) -> None:
    table = np.array(case["edges"])
    row, col = (np.ascontiguousarray(table[:, k].astype(np.int64)) for k in (0, 1))
    pattern, entry = build_csr(row, col, case["n"], mirror=False)
    graph = Graph(pattern.indptr, pattern.indices, table[entry, 2], directed=False)
    stream = FastRPStream(
        graph,
        case["dim"],
        weights=[1] * case["q"],
        full_above=1.0,
        dtype="float64",
        **{name: case[name] for name in ("beta", "seed", "s")},
    )
    for got, want in zip(stream.powers, case["U_before"], strict=True):
        assert np.abs(got - np.array(want)).max() < 1e-10
    before = [power.copy() for power in stream.powers]
    names = {"set": "set", "del": "delete"}
    operations = [(names[op], u, v, w) for op, u, v, w in case["ops"]]
    report = stream.update(EdgeBatch.from_operations(operations))
    for k, want in enumerate(case["U_after"]):
        assert np.abs(stream.powers[k] - np.array(want)).max() < 1e-10
        moved = np.flatnonzero((np.abs(stream.powers[k] - before[k]) > 1e-14).any(1))
        assert moved.tolist() == case["rows_changed"][k]
        predicted = set(report.predicted[k].tolist())
        assert set(case["rows_changed"][k]) <= predicted <= set(case["rows_predicted"][k])


@pytest.mark.slow
@pytest.mark.parametrize("prune", [0.0, 0.01])
def test_a_thousand_batches(prune: float) -> None:
    rng = np.random.default_rng(77)
    graph = random_graph(3, 60, 180)
    options = {"dim": 16, "weights": (1, 1, 1, 1), "beta": -0.64}
    stream = FastRPStream(graph, prune=prune, full_above=1.0, **options)
    pruned = 0
    for number in range(1000):
        report = stream.update(random_batch(rng, stream.graph(), int(rng.integers(1, 4))))
        pruned += sum(map(len, report.predicted)) - sum(report.recomputed)
        if number % 20 and prune == 0.0 and number > 100:
            continue
        for k, want in enumerate(rebuilt(stream, **options), 1):
            if prune:
                error = np.linalg.norm(stream.powers[k - 1] - want, axis=1).max()
                assert error <= k * prune * (1 + 1e-5) + 1e-6
            else:
                scale = np.abs(want).max()
                assert np.abs(stream.powers[k - 1] - want).max() <= 1e-5 * scale
    assert pruned > 1000 if prune else pruned == 0


def test_frozen_degrees_are_those_of_the_start() -> None:
    graph = TOYS["karate"]()
    stream = FastRPStream(graph, 8, weights=(1, 2), freeze_degree=True, dtype="float64")
    ell = stream.projection.ell.copy()
    report = stream.update(inserts=[(0, 9)])
    assert np.array_equal(stream.projection.ell, ell)
    assert report.predicted[0].tolist() == [0, 9]
    start = stream.projection.dense() / ell[:, None]
    changed = stream.graph()
    own = FastRP(8, weights=(1, 2), dtype="float64", beta=0, projection=start * ell[:, None]).fit(
        changed, keep_powers=True
    )
    for got, want in zip(stream.powers, own.state_.powers, strict=True):
        assert np.abs(got - want).max() < 1e-12


def test_statistics_stay_until_refreshed() -> None:
    stream = FastRPStream(TOYS["karate"](), 8)
    before = stream.embedding.copy()
    assert np.array_equal(before, fastrp(TOYS["karate"](), 8))
    report = stream.update(inserts=[(0, 9), (4, 20)], deletes=[(33, 32)])
    assert np.abs(stream.embedding - before).max() > 0.01
    assert len(report.changed) == 34
    stream.refresh()
    assert np.array_equal(stream.embedding, fastrp(stream.graph(), 8))


def test_reports_and_empty_batches() -> None:
    stream = FastRPStream(TOYS["karate"](), 4)
    before = stream.embedding.copy()
    report = stream.update(deletes=[(0, 9)], inserts=[(3, 3)])
    assert (report.num_edges, report.ignored) == (0, 2)
    assert report.recomputed == (0, 0, 0, 0)
    assert stream.update().num_edges == 0
    assert np.array_equal(stream.embedding, before)
    report = stream.update(reweights=[(0, 1, 1.0), (0, 2, 3.0), (0, 3, 0.0)])
    assert (report.num_edges, report.ignored) == (2, 1)
    assert stream.graph().num_edges == 77
    assert report.full_from == 1
    assert "full_from=1" in repr(report)
    assert "num_nodes=34, num_arcs=154" in repr(stream)


def test_parallel_edges_are_merged() -> None:
    graph = TOYS["parallel edges"]()
    stream = FastRPStream(graph, 4)
    assert stream.graph().weights.tolist() == [3.0, 3.0, 1.0, 1.0]
    assert np.allclose(stream.embedding, fastrp(graph, 4), atol=1e-6)


def test_rows_grow_and_move() -> None:
    rng = np.random.default_rng(5)
    graph = Graph.from_edges([(0, 1)], num_nodes=300)
    pool = ArcPool(graph, "float64")
    want = np.zeros((300, 300))
    want[0, 1] = want[1, 0] = 1.0
    for _ in range(400):
        u = int(rng.integers(0, 5))
        heads = np.unique(rng.integers(0, 300, 3)).astype(np.int32)
        weights = rng.choice([0.0, 1.5, 2.5], len(heads))
        want[u, heads] = weights
        pool.set_row(u, heads, weights)
    assert np.array_equal(pool.graph(True).to_scipy().toarray(), want)
    assert pool.num_arcs == np.count_nonzero(want)
    assert pool.weight(0, int(np.argmax(want[0]))) == want[0].max()


def test_a_batch_is_checked_before_anything_changes() -> None:
    stream = FastRPStream(TOYS["karate"](), 4)
    before, graph = stream.embedding.copy(), stream.graph()
    with pytest.raises(IndexError, match="v must be below 34, got 34 at update 1"):
        stream.update(inserts=[(0, 9), (0, 34)])
    with pytest.raises(ValueError, match="w must be finite in float32, got 1e"):
        stream.update(inserts=[(0, 20, 1e200)])
    with pytest.raises(TypeError, match="got both"):
        stream.update(EdgeBatch.of([(0, 1)]), inserts=[(0, 2)])
    assert stream.graph() == graph
    assert np.array_equal(stream.embedding, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"row_norm": "loop"}, "row_norm must be 'merge' or None for a stream, got 'loop'"),
        ({"combine": "concat"}, "combine must be 'sum' for a stream"),
        ({"direction": "in"}, "direction must be 'out' for a stream"),
        ({"dangling": "self"}, "dangling must be 'zero' for a stream"),
        ({"storage_dtype": "bfloat16"}, "storage_dtype must be None for a stream"),
        ({"prune": -1}, "prune must not be negative, got -1"),
        ({"prune": 0.1, "matrix": "adjacency"}, "prune must be 0 with matrix='adjacency'"),
        ({"full_above": 2}, r"full_above must be in \[0, 1\], got 2"),
    ],
)
def test_what_a_stream_cannot_do(options, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FastRPStream(TOYS["karate"](), 4, **options)


def test_other_starts_and_matrices() -> None:
    graph = random_graph(6, 20, 60)
    features = np.random.default_rng(1).random((20, 3))
    for options in (
        {"matrix": "adjacency", "row_norm": None, "standardize": False, "self_influence": 1.0},
        {"features": features, "feature_ratio": 0.5},
        {"projection": np.random.default_rng(2).random((20, 8))},
    ):
        stream = FastRPStream(graph, 8, **options)
        stream.update(inserts=[(0, 5, 2.0)], deletes=[(1, 2)])
        stream.refresh()
        assert np.allclose(stream.embedding, fastrp(stream.graph(), 8, **options), atol=1e-4)
