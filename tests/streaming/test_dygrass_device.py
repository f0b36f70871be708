"""Streams whose walks run on a GPU: the CPU's decisions, and no more traffic than promised.

The GPU is the emulator of tests/cuda; test_on_gpu.py asks a real one.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest
from test_dygrass import mesh, random_batch

from graphsparse import BackendError, DynamicSparsifier, EdgeBatch, Graph
from graphsparse.cli import main
from graphsparse.io import write_graph


def decisions(report: Any) -> list[bytes]:
    parts = [report.tests, report.deletions, report.changes, report.repaired, report._added]
    return [part.tobytes() for part in (*parts, report._path_nodes)]


def state(stream: DynamicSparsifier) -> dict[str, bytes]:
    return {name: np.asarray(value).tobytes() for name, value in stream.state().items()}


def with_new_node(batch: EdgeBatch, node: int) -> EdgeBatch:
    parts = [np.array(part) for part in (batch.op, batch.u, batch.v, batch.w)]
    for part, value in zip(parts, (0, 0, node, 1.5), strict=True):
        part[0] = value
    return EdgeBatch(*parts)


OPTIONS = [
    {},
    {"space": "full"},
    {"engine": "walk"},
    {"engine": "walk", "recovery_steps": 3, "redundancy_check": True, "sub_batch": 9},
    {"preset": "paper"},
    {"sub_batch": 4, "first_chunk": 1},
    {"grow": True, "engine": "walk"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("seed", [7, 411])
def test_same_decisions_and_state(gpu: Any, options: Any, seed: int) -> None:
    graph, start = mesh(9, seed)
    on_cpu = DynamicSparsifier(graph, start, K=6, seed=seed, **options)
    on_gpu = DynamicSparsifier(graph, start, K=6, seed=seed, device="cuda", **options)
    rng = np.random.default_rng(seed)
    for size in (40, 1, 0, 90, 25, 60):
        batch = random_batch(on_cpu.graph(), rng, size)
        if options.get("grow") and size:
            batch = with_new_node(batch, on_cpu.num_nodes + 3)
        assert decisions(on_gpu.update(batch)) == decisions(on_cpu.update(batch))
        assert state(on_gpu) == state(on_cpu)
    assert decisions(on_gpu.refresh()) == decisions(on_cpu.refresh())
    assert on_gpu.sparsifier() == on_cpu.sparsifier()
    assert on_gpu._store.check() == ""


def test_copies_follow_the_lists(gpu: Any) -> None:
    # After any number of batches each row that a walker can see equals the host's.
    graph, start = mesh(8, 19)
    stream = DynamicSparsifier(graph, start, K=6, device="cuda", engine="walk", grow=True)
    seen: list[Any] = []
    inner = stream._walks

    def spy(work: Any) -> int:
        steps = inner(work)
        rows = inner._rows[work.sparse]
        record = np.dtype([("beg", "i8"), ("deg", "i4"), ("core", "i4")])
        nodes = work.nodes.view(record)
        copy = rows.nodes.get()[: work.nodes.nbytes].view(record)
        assert (copy == nodes).all()
        pool, theirs = work.pool.reshape(-1, 16), rows.pool.get()[: work.pool.nbytes]
        for node in nodes:
            used = slice(node["beg"], node["beg"] + node["deg"])
            assert (theirs.reshape(-1, 16)[used] == pool[used]).all()
        seen.append((work.sparse, bool(work.everything)))
        return steps

    stream._store.set_walks(spy)
    rng = np.random.default_rng(23)
    for _ in range(25):
        stream.update(random_batch(stream.graph(), rng, 40))
    assert {side for side, _ in seen} == {True, False}
    assert sum(whole for _, whole in seen) <= 6 < len(seen)


def test_traffic_is_what_changed(gpu: Any) -> None:
    graph, start = mesh(30, 3)
    stream = DynamicSparsifier(graph, start, K=6, device="cuda", sub_batch=50)
    stream.update(inserts=[(0, 31, 1.0), (5, 66, 1.0)])
    before = stream.transfers
    assert before is not None
    assert before.full_copies == 1
    before = type(before)(**vars(before))
    rng = np.random.default_rng(5)
    pairs = np.stack([rng.integers(0, 900, 100), rng.integers(0, 900, 100)], 1)
    report = stream.update(inserts=pairs)
    after = stream.transfers
    assert after is not None
    assert after.full_copies == 1
    launches = after.launches - before.launches
    walked = int((report.tests["how"] == 0).sum()) + int(report.tests["rechecked"].sum())
    assert after.bytes_down - before.bytes_down <= 16 * (walked + launches)
    whole = 16 * (900 + stream._store.pool_size(True))
    assert 0 < after.bytes_up - before.bytes_up < whole
    assert stream.transfers is not DynamicSparsifier(graph, start, K=6).transfers is None


def test_state_goes_from_device_to_device(gpu: Any) -> None:
    graph, start = mesh(7, 31)
    rng = np.random.default_rng(2)
    batches = [random_batch(graph, rng, 30) for _ in range(4)]
    want = DynamicSparsifier(graph, start, K=5, engine="walk")
    here = DynamicSparsifier(graph, start, K=5, engine="walk", device="cuda")
    for k, batch in enumerate(batches):
        assert decisions(here.update(batch)) == decisions(want.update(batch))
        other: Any = "cpu" if k % 2 == 0 else "cuda"
        here = DynamicSparsifier.from_state(here.state(), device=other)
        assert here.device == other


def test_a_graph_on_the_device_says_where_to_walk(gpu: Any) -> None:
    graph, start = mesh(6, 41)
    stream = DynamicSparsifier(graph.to("cuda"), start.to("cuda"), K=5)
    want = DynamicSparsifier(graph, start, K=5)
    assert (stream.device, want.device) == ("cuda", "cpu")
    batch = random_batch(graph, np.random.default_rng(9), 30)
    assert decisions(stream.update(batch)) == decisions(want.update(batch))
    assert stream.sparsifier().device == stream.graph().device == "cuda"
    assert stream.sparsifier().to("cpu") == want.sparsifier()
    assert stream.kappa().kappa == want.kappa().kappa
    with pytest.raises(ValueError, match="device must be"):
        DynamicSparsifier(graph, start, device="tpu")  # type: ignore[arg-type]


def test_an_error_of_the_device_breaks_the_stream(gpu: Any) -> None:
    graph, start = mesh(6, 43)
    stream = DynamicSparsifier(graph, start, K=5, device="cuda", space="full")
    saved = stream.state()

    def fail(work: Any) -> int:
        raise RuntimeError("cudaErrorIllegalAddress")

    stream._store.set_walks(fail)
    with pytest.raises(RuntimeError, match="cudaErrorIllegalAddress"):
        stream.update(inserts=[(0, 20, 1.0)])
    with pytest.raises(RuntimeError, match="restore it with from_state"):
        stream.update(inserts=[(0, 20, 1.0)])
    again = DynamicSparsifier.from_state(saved, device="cuda")
    assert len(again.update(inserts=[(0, 20, 1.0)]).tests) == 1


def test_without_a_gpu_the_line_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, start = mesh(4, 1)
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(BackendError, match=r"pip install 'graphsparse\[cuda13\]'"):
        DynamicSparsifier(graph, start, device="cuda")


def test_command_line(gpu: Any, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    graph, _ = mesh(6, 47)
    write_graph(graph, tmp_path / "graph.npz")
    (tmp_path / "updates.csv").write_text("op,u,v,w\ninsert,0,20,1.5\ninsert,3,30,0.5\n")
    lines = []
    for device in ("cpu", "cuda"):
        out = tmp_path / f"{device}.npz"
        paths = [str(tmp_path / "graph.npz"), str(tmp_path / "updates.csv"), str(out)]
        with pytest.raises(SystemExit) as stop:
            main(["stream", *paths, "--device", device, "--quiet"])
        assert stop.value.code in (None, 0)
        lines.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
    for left, right in zip(*lines, strict=True):
        for costs in ("seconds", "steps"):
            left.pop(costs), right.pop(costs)
        assert left == right


def test_graphs_are_checked_before_the_device() -> None:
    with pytest.raises(TypeError, match="graph must be a Graph"):
        DynamicSparsifier(None, Graph.from_edges([(0, 1)]))  # type: ignore[arg-type]
