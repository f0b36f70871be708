"""What a stream promises: invariants, threads, splits, saved states, errors that change nothing."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from scipy.sparse.csgraph import connected_components

from graphsparse import DynamicSparsifier, EdgeBatch, Graph, set_num_threads
from graphsparse.backend import requested_threads
from graphsparse.streaming import DygrassOptions, paper


def mesh(side: int, seed: int, *, unit: bool = False) -> tuple[Graph, Graph]:
    """Return a triangulated grid with weights, and a random spanning tree of it with extras."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    node = x * side + y
    edges = np.concatenate(
        [
            np.stack([node[:-1, :].ravel(), node[1:, :].ravel()], 1),
            np.stack([node[:, :-1].ravel(), node[:, 1:].ravel()], 1),
            np.stack([node[:-1, :-1].ravel(), node[1:, 1:].ravel()], 1),
        ]
    )
    w = np.ones(len(edges)) if unit else np.exp(rng.normal(0, 0.7, len(edges)))
    graph = Graph.from_edges(edges, num_nodes=side * side, weights=w)
    return graph, spanning(graph, rng)


def spanning(graph: Graph, rng: np.random.Generator) -> Graph:
    u, v = graph.edges()
    parent = list(range(graph.num_nodes))
    mask = rng.random(len(u)) < 0.04

    def find(x: int) -> int:
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for e in rng.permutation(len(u)):
        a, b = find(int(u[e])), find(int(v[e]))
        if a != b:
            parent[a] = b
            mask[e] = True
    return graph.edge_subgraph(mask)


def random_batch(graph: Graph, rng: np.random.Generator, size: int) -> EdgeBatch:
    n = graph.num_nodes
    u, v = graph.edges()
    known = rng.integers(0, len(u), size)
    op = rng.integers(0, 3, size)
    near = np.clip(u[known] + rng.integers(-40, 41, size), 0, n - 1)
    first = np.where(op == 0, near, u[known])
    second = np.where(op == 0, rng.integers(0, n, size) // 7 % n, v[known])
    return EdgeBatch(op, first, second, np.exp(rng.normal(0, 0.7, size)))


def laplacian(graph: Graph) -> np.ndarray:
    a = graph.to_scipy().toarray()
    return np.diag(a.sum(1)) - a


def snapshot(stream: DynamicSparsifier) -> dict[str, bytes]:
    return {name: np.asarray(value).tobytes() for name, value in stream.state().items()}


def records(report: Any) -> list[Any]:
    parts = [report.tests, report.deletions, report.changes, report.repaired, report._added]
    return [part.tobytes() for part in parts] + [report._path_nodes.tobytes(), report.steps]


@pytest.fixture
def threads():
    before = requested_threads()
    yield set_num_threads
    set_num_threads(before)


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize("seed", [5, 83])
def test_invariants_of_a_long_stream(preset: Any, seed: int) -> None:
    graph, start = mesh(9, seed)
    stream = DynamicSparsifier(graph, start, K=6, seed=seed, preset=preset)
    rng = np.random.default_rng(seed)
    for _ in range(60):
        report = stream.update(random_batch(stream.graph(), rng, 25))
        assert stream._store.check() == ""
        now, sparse = stream.graph(), stream.sparsifier()
        weight = dict(zip(zip(*now.edges(), strict=True), now.edge_weights(), strict=True))
        for u, v, w in zip(*sparse.edges(), sparse.edge_weights(), strict=True):
            assert weight[u, v] == w
        parts = [connected_components(g.to_scipy(), directed=False)[0] for g in (now, sparse)]
        assert parts[0] == parts[1]
        assert (report.num_edges, report.num_sparsifier_edges) == (now.num_edges, sparse.num_edges)
    assert stream.num_batches == 60


@pytest.mark.parametrize("space", ["core", "full"])
def test_resistances_of_detours(space: Any) -> None:
    # One test per batch, so that each is decided on the sparsifier that the oracles see.
    rng = np.random.default_rng(67)
    compared = equal = 0
    for case in range(40):
        graph, start = mesh(int(rng.integers(3, 6)), 100 + case)
        stream = DynamicSparsifier(graph, start, K=5, seed=case, space=space)
        for _ in range(6):
            u, v = (int(x) for x in rng.choice(graph.num_nodes, 2, replace=False))
            sparse, w = stream.sparsifier(), float(np.exp(rng.normal()))
            if (np.stack(stream.graph().edges(), 1) == [min(u, v), max(u, v)]).all(1).any():
                continue
            row = stream.update(inserts=[(u, v, w)]).tests[0]
            inverse = np.linalg.pinv(laplacian(sparse), hermitian=True)
            effective = inverse[u, u] + inverse[v, v] - 2 * inverse[u, v]
            ends = np.array([u]), np.array([v])
            path = DynamicSparsifier(sparse, sparse, K=1)._store.path_resistances(True, *ends, 1)[0]
            assert path >= effective * (1 - 1e-9)
            if row["accepted"]:
                continue
            compared += 1
            equal += row["R"] == pytest.approx(path, rel=1e-12)
            assert row["R"] >= path * (1 - 1e-12)
            assert row["R"] * w < 5
    assert compared > 60
    assert equal > compared // 2


def test_a_rejected_edge_costs_at_most_its_distortion() -> None:
    rng = np.random.default_rng(331)
    rejected = 0
    for case in range(12):
        graph, start = mesh(4, 300 + case)
        stream = DynamicSparsifier(graph, start, K=20, seed=case)
        for _ in range(5):
            u, v = (int(x) for x in rng.choice(graph.num_nodes, 2, replace=False))
            before = [laplacian(g)[1:, 1:] for g in (stream.graph(), stream.sparsifier())]
            report = stream.update(inserts=[(u, v, 0.5)])
            if report.rejected == 0:
                continue
            rejected += 1
            after = [laplacian(g)[1:, 1:] for g in (stream.graph(), stream.sparsifier())]
            inverse = np.linalg.pinv(laplacian(stream.sparsifier()), hermitian=True)
            distortion = 0.5 * (inverse[u, u] + inverse[v, v] - 2 * inverse[u, v])
            was, now = (
                scipy.linalg.eigh(*pencil, eigvals_only=True)[-1] for pencil in (before, after)
            )
            assert now <= was + distortion + 1e-9
    assert rejected > 10


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_same_with_any_number_of_threads(threads: Any, preset: Any) -> None:
    graph, start = mesh(30, 11)
    results = []
    for count in (1, 2, 16):
        threads(count)
        stream = DynamicSparsifier(graph, start, K="auto", seed=9, preset=preset)
        rng = np.random.default_rng(12)
        logs = [records(stream.update(random_batch(graph, rng, 400))) for _ in range(4)]
        results.append((stream.K, logs, snapshot(stream)))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("what", ["inserts", "deletes"])
@pytest.mark.parametrize(("size", "cut"), [(1, 1), (8, 8), (8, 24)])
def test_same_when_cut_at_sub_batches(what: str, size: int, cut: int) -> None:
    graph, start = mesh(10, 13)
    rng = np.random.default_rng(14)
    batch = random_batch(graph, rng, 300)
    rows = {"inserts": np.stack(batch.inserts[:2], 1), "deletes": np.stack(start.edges(), 1)}[what]
    rows = rows[(rows[:, 0] != rows[:, 1])]
    rows = np.unique(np.sort(rows, 1), axis=0)[:96]
    known = {tuple(e) for e in np.stack(graph.edges(), 1).tolist()}
    if what == "inserts":
        rows = np.array([row for row in rows.tolist() if tuple(row) not in known])
    rng.shuffle(rows)
    streams = [DynamicSparsifier(graph, start, K=4, seed=3, sub_batch=size) for _ in range(2)]
    streams[0].update(**{what: rows})
    for k in range(0, len(rows), cut):
        streams[1].update(**{what: rows[k : k + cut]})
    first, second = map(snapshot, streams)
    del first["header"], second["header"]  # they count batches
    assert first == second


def test_orientation_and_scale_do_not_matter() -> None:
    graph, start = mesh(8, 17)
    batch = random_batch(graph, np.random.default_rng(18), 200)
    plain = DynamicSparsifier(graph, start, K=5, seed=7)
    swapped = DynamicSparsifier(graph, start, K=5, seed=7)
    want = records(plain.update(batch))
    assert records(swapped.update(EdgeBatch(batch.op, batch.v, batch.u, batch.w))) == want
    scale = 2.0**40

    def scaled(g: Graph) -> Graph:
        return Graph(g.indptr, g.indices, g.weights * scale)

    large = DynamicSparsifier(scaled(graph), scaled(start), K=5, seed=7)
    report = large.update(EdgeBatch(batch.op, batch.u, batch.v, batch.w * scale))
    small = DynamicSparsifier(graph, start, K=5, seed=7).update(batch)
    assert np.array_equal(report.tests["accepted"], small.tests["accepted"])
    assert np.array_equal(report.tests["walker"], small.tests["walker"])
    assert np.array_equal(report.tests["R"] * scale, small.tests["R"], equal_nan=True)


@pytest.mark.parametrize("space", ["core", "full"])
def test_a_saved_stream_goes_on_bit_for_bit(space: Any) -> None:
    graph, start = mesh(12, 19)
    stream = DynamicSparsifier(graph, start, seed=2**63 + 7, space=space, grow=500)
    rng = np.random.default_rng(20)
    for _ in range(5):
        stream.update(random_batch(graph, rng, 60))
        file = io.BytesIO()
        np.savez(file, **stream.state())
        file.seek(0)
        with np.load(file, allow_pickle=False) as saved:
            other = DynamicSparsifier.from_state(saved)
        assert snapshot(other) == snapshot(stream)
        batch = random_batch(graph, rng, 60)
        assert records(other.update(batch)) == records(stream.update(batch))
        assert snapshot(other) == snapshot(stream)
    assert (other.K, other.options, other.notes) == (stream.K, stream.options, stream.notes)


DAMAGE = {
    "edge_w": lambda a: np.where(np.arange(len(a)) == 3, -1.0, a),
    "edge_u": lambda a: np.where(np.arange(len(a)) == 3, 10**6, a),
    "graph_edges": lambda a: np.roll(a, 1),
    "sparsifier_edges": lambda a: np.where(np.arange(len(a)) == 0, -5, a),
    "sparsifier_indptr": lambda a: a[::-1].copy(),
    "graph_indptr": lambda a: a * 2,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_state_is_refused(name: str) -> None:
    graph, start = mesh(4, 23)
    state = DynamicSparsifier(graph, start, K=3).state()
    state[name] = DAMAGE[name](state[name]).astype(state[name].dtype)
    with pytest.raises(ValueError, match="damaged"):
        DynamicSparsifier.from_state(state)


def test_a_state_of_other_shape_is_refused() -> None:
    graph, start = mesh(3, 29)
    state = DynamicSparsifier(graph, start, K=3).state()
    with pytest.raises(ValueError, match="state must hold edge_w"):
        DynamicSparsifier.from_state({k: v for k, v in state.items() if k != "edge_w"})
    with pytest.raises(ValueError, match=r"state\['edge_v'\] must be 1-d int32, got 1-d int64"):
        DynamicSparsifier.from_state({**state, "edge_v": state["edge_v"].astype(np.int64)})
    with pytest.raises(ValueError, match="must have"):
        DynamicSparsifier.from_state({**state, "edge_v": state["edge_v"][:-1]})
    with pytest.raises(ValueError, match="n \\+ 1 rows"):
        DynamicSparsifier.from_state({**state, "graph_indptr": state["graph_indptr"][:-1]})
    header = str(state["header"]).replace('"version": 1', '"version": 7')
    with pytest.raises(ValueError, match="version 1, got 7"):
        DynamicSparsifier.from_state({**state, "header": np.array(header)})


SQUARE = Graph.from_edges([(0, 1), (1, 2), (2, 3), (0, 3)], num_nodes=5, weights=[1, 2, 3, 4.0])
PATH = SQUARE.edge_subgraph([True, False, True, True])
BAD_BATCHES = [
    ({"inserts": [(0, 2, -1.0)]}, ValueError, "got -1.0 at update 0"),
    ({"inserts": [(0, 2, 1.0), (1, 3, math.nan)]}, ValueError, "got nan at update 1"),
    ({"inserts": [(0, 2, math.inf)]}, ValueError, "got inf at update 0"),
    ({"inserts": [(0, 2, 1e-301)]}, ValueError, "got 1e-301 at update 0"),
    ({"reweights": [(0, 1, 2e300)]}, ValueError, "got 2e\\+300 at update 0"),
    ({"inserts": [(0, 2, 9e299), (2, 0, 9e299)]}, ValueError, r"\(2, 0\) at update 1"),
    ({"inserts": [(0, 5)]}, IndexError, r"below 5, got \(0, 5\) at update 0; pass grow=True"),
    ({"deletes": [(0, 1), (-1, 2)]}, IndexError, "u must not be negative, got -1 at update 1"),
    ({"inserts": [(0, 1.5, 1.0)]}, ValueError, "must hold integers, got 1.5 at row 0"),
    ({"inserts": [(0, 1, 2, 3)]}, ValueError, "array of shape"),
    ({"reweights": [(0, 1)]}, ValueError, "rows of two columns"),
    ({"inserts": (np.arange(3), np.arange(2))}, ValueError, "columns of one length"),
]


@pytest.mark.parametrize(("batch", "error", "message"), BAD_BATCHES)
def test_a_bad_batch_changes_nothing(batch: Any, error: Any, message: str) -> None:
    stream = DynamicSparsifier(SQUARE, PATH, K=3, seed=5)
    before = snapshot(stream)
    with pytest.raises(error, match=message):
        stream.update(**batch)
    assert snapshot(stream) == before
    assert stream.update(inserts=[(0, 2)]).num_updates == 1


def test_strict_streams_refuse_what_others_count() -> None:
    strict = DynamicSparsifier(SQUARE, PATH, K=3, strict=True)
    before = snapshot(strict)
    with pytest.raises(ValueError, match=r"no self-loop, got \(2, 2\) at update 0"):
        strict.update(inserts=[(2, 2)])
    with pytest.raises(KeyError, match=r"\(3, 1\) at update 1"):
        strict.update(deletes=[(0, 1), (3, 1), (0, 4)])
    assert snapshot(strict) == before
    lax = DynamicSparsifier(SQUARE, PATH, K=3)
    report = lax.update(
        EdgeBatch.from_operations(
            [("insert", 2, 2), ("delete", 1, 3), ("insert", 0, 2, 0.0), ("set", 0, 1, 1.0)]
        )
    )
    assert report.ignored == {"self_loops": 1, "missing": 1, "zero_inserts": 1, "unchanged": 1}
    assert lax.next_update_id == 4
    assert (lax.graph(), lax.sparsifier()) == (SQUARE, PATH)


BAD_STARTS = [
    ({"graph": Graph.from_edges([(0, 1)], directed=True)}, ValueError, r"graph\.symmetrize\(\)"),
    ({"graph": "SQUARE"}, TypeError, "graph must be a Graph, got str"),
    ({"sparsifier": None}, TypeError, "sparsifier must be a Graph to start from"),
    (
        {"sparsifier": Graph.from_edges([(0, 1)], num_nodes=4)},
        ValueError,
        "5 nodes of graph, got 4",
    ),
    (
        {"sparsifier": Graph.from_edges([(0, 2)], num_nodes=5)},
        ValueError,
        r"sub-graph of graph, but has the edge \(0, 2\)",
    ),
    (
        {"sparsifier": Graph.from_edges([(0, 1), (1, 2), (2, 3)], num_nodes=5)},
        ValueError,
        r"got 1.0 instead of 2.0 on edge \(1, 2\)",
    ),
    (
        {"sparsifier": SQUARE.edge_subgraph([True, True, False, False])},
        ValueError,
        "components of graph, got 3 instead of 2",
    ),
    (
        {"graph": Graph.from_edges([(0, 1)], num_nodes=5, weights=[-2.0])},
        ValueError,
        r"got -2.0 on edge \(0, 1\)",
    ),
    ({"K": 0}, ValueError, "K must be above 0, got 0"),
    ({"K": math.nan}, ValueError, "K must be above 0, got nan"),
    ({"K": "big"}, TypeError, "K must be 'auto' or a number, got 'big'"),
    ({"walkers": 0}, ValueError, "walkers must be in .*, got 0"),
    ({"max_steps": 0}, ValueError, "max_steps must be in .*, got 0"),
    ({"sub_batch": 0}, ValueError, "sub_batch must be >= 1, got 0"),
    ({"space": "tree"}, ValueError, "space must be one of 'core', 'full', got 'tree'"),
    ({"engine": "bfs"}, ValueError, "engine must be one of"),
    ({"preset": "best"}, ValueError, "preset must be one of"),
    ({"walker": 3}, TypeError, r"options must be among .*, got \['walker'\]"),
    ({"recheck": 1}, TypeError, "recheck must be True or False, got 1"),
    ({"seed": -1}, ValueError, "seed must be in"),
    ({"grow": 2**31}, ValueError, "grow must be in"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD_STARTS)
def test_a_bad_start_is_refused(change: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        DynamicSparsifier(**{"graph": SQUARE, "sparsifier": PATH, **change})


def test_what_was_merged_or_rounded_is_noted() -> None:
    graph = Graph.from_edges([(0, 1), (1, 0), (1, 2), (2, 2)], weights=[1.0, 2.0, 4.0, 9.0])
    stream = DynamicSparsifier(graph, graph, K=2, walkers=33, recovery_walkers=64)
    assert stream.notes == (
        "1 self-loops of the graph were left out",
        "1 parallel edges of the graph were merged by sum",
        "1 self-loops of the sparsifier were left out",
        "1 parallel edges of the sparsifier were merged by sum",
        "walkers=33 is rounded up to 64, a multiple of 32",
    )
    assert stream.graph() == Graph.from_edges([(0, 1), (1, 2)], weights=[3.0, 4.0])


def test_nodes_are_added_when_asked() -> None:
    stream = DynamicSparsifier(SQUARE, PATH, K=3, grow=True)
    report = stream.update(inserts=[(1, 9), (9, 7)])
    assert (report.num_nodes, report.accepted) == (10, 2)
    assert stream.graph().num_nodes == stream.sparsifier().num_nodes == 10
    assert stream._store.check() == ""
    bounded = DynamicSparsifier(SQUARE, PATH, K=3, grow=8)
    with pytest.raises(IndexError, match=r"below 8, got \(0, 8\) at update 0$"):
        bounded.update(inserts=[(0, 8)])
    assert bounded.update(inserts=[(0, 7)]).num_nodes == 8


@pytest.mark.parametrize("nodes", [0, 1, 3])
def test_graphs_without_edges(nodes: int) -> None:
    empty = Graph.from_edges([], num_nodes=nodes, weights=[])
    stream = DynamicSparsifier(empty, empty)
    assert stream.K == 10.0
    report = stream.update()
    assert (report.num_updates, report.accepted, report.density) == (0, 0, 0.0)
    if nodes > 1:
        report = stream.update(inserts=[(0, 1, 5.0)])
        assert report.tests["how"].tolist() == [2]
        assert report.accepted == 1
        assert stream.update(deletes=[(0, 1)]).deletions["disconnected"].tolist() == [True]
    assert stream.graph() == stream.sparsifier()
    assert DynamicSparsifier.from_state(stream.state()).num_nodes == nodes


def test_weights_keep_their_type() -> None:
    plain = Graph(SQUARE.indptr, SQUARE.indices)
    stream = DynamicSparsifier(plain, plain, K=3)
    stream.update(inserts=[(0, 2)])
    assert stream.graph().weights is None
    stream.update(inserts=[(0, 2)])
    assert stream.graph().weights.dtype == np.float64
    single = Graph(SQUARE.indptr, SQUARE.indices, SQUARE.weights.astype(np.float32))
    stream = DynamicSparsifier(single, single, K=3)
    stream.update(inserts=[(0, 2, 0.1)])
    assert stream.sparsifier().weights.dtype == np.float32


def test_infinite_threshold_accepts_only_what_walks_cannot_join() -> None:
    stream = DynamicSparsifier(SQUARE, PATH, K=math.inf)
    report = stream.update(inserts=[(0, 2), (0, 4)])
    assert report.tests["accepted"].tolist() == [False, True]


def test_refresh_tests_what_the_sparsifier_lacks() -> None:
    graph, start = mesh(8, 31)
    stream = DynamicSparsifier(graph, start, K=8, seed=4)
    lacking = graph.num_edges - start.num_edges
    report = stream.refresh()
    assert report.num_updates == len(report.tests) == lacking
    assert report.accepted > 0
    assert stream.next_update_id == lacking
    ends = report.tests["u"].astype(int) * 64 + report.tests["v"]
    assert (np.diff(ends) > 0).all()
    assert stream._store.check() == ""
    assert stream.num_sparsifier_edges == start.num_edges + report.accepted
    # Everything that is still left out has a short detour, so another pass finds about the same.
    assert stream.refresh().accepted < report.accepted


def test_redundancy_check_saves_edges() -> None:
    graph, start = mesh(20, 37, unit=True)
    doomed = np.stack(start.edges(), 1)[::9]
    full = DynamicSparsifier(graph, start, K=30, seed=4)
    lean = DynamicSparsifier(graph, start, K=30, seed=4, redundancy_check=True)
    full.update(deletes=doomed)
    report = lean.update(deletes=doomed)
    assert report.deletions["redundant"].any()
    assert (report.deletions["R"][report.deletions["redundant"]] < 30).all()
    assert lean.num_sparsifier_edges < full.num_sparsifier_edges
    assert lean._store.check() == ""


def test_presets_and_options() -> None:
    stream = DynamicSparsifier(SQUARE, PATH, K=3, preset=paper(), walkers=64)
    assert (stream.options.space, stream.options.walkers, stream.options.engine) == (
        "full",
        64,
        "walk",
    )
    assert DynamicSparsifier(SQUARE, PATH, K=3, preset="paper").options == paper()
    assert DynamicSparsifier(SQUARE, PATH, K=3).options == DygrassOptions()


def test_automatic_threshold_is_the_percentile_of_detours() -> None:
    graph, start = mesh(12, 41)
    stream = DynamicSparsifier(graph, start, seed=6)
    u, v = graph.edges()
    kept = {tuple(e) for e in np.stack(start.edges(), 1).tolist()}
    rest = np.array([(a, b) not in kept for a, b in zip(u.tolist(), v.tolist(), strict=True)])
    lengths = start.to_scipy()
    lengths.data = 1.0 / lengths.data
    dist = scipy.sparse.csgraph.dijkstra(lengths, directed=False)
    want = np.percentile(graph.edge_weights()[rest] * dist[u[rest], v[rest]], 99)
    np.testing.assert_allclose(stream.K, want, rtol=1e-12)


def test_pools_are_compacted() -> None:
    # One hub after another gets 300 neighbours and loses them again.
    n = 301
    ring = Graph.from_edges([(k, (k + 1) % n) for k in range(n)], num_nodes=n)
    stream = DynamicSparsifier(ring, ring, K=1e9, space="full", walkers=32, max_steps=1)
    sizes = []
    for hub in range(0, 300, 20):
        spokes = [(hub, (hub + k) % n) for k in range(2, n - 1)]
        stream.update(inserts=spokes)
        stream.update(deletes=spokes)
        assert stream._store.check() == ""
        sizes.append(stream._store.pool_size(False))
    assert max(sizes) <= 2 * 4 * n + 1024
    assert min(np.diff(sizes)) < 0
    assert stream.graph() == ring


def test_the_object_says_what_it_is() -> None:
    stream = DynamicSparsifier(SQUARE, PATH, K=3)
    report = stream.update(inserts=[(0, 2)])
    assert repr(stream) == (
        "DynamicSparsifier(num_nodes=5, num_edges=5, num_sparsifier_edges=3, K=3, num_batches=1)"
    )
    assert "rejected=1" in repr(report)
    assert report.summary()["rejected"] == 1
    with pytest.raises(TypeError, match="batch must be an EdgeBatch, got list"):
        stream.update([(0, 2)])
    with pytest.raises(TypeError, match="got both"):
        stream.update(EdgeBatch.of(), inserts=[(0, 2)])
