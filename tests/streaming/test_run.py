"""Runs: from a source into a store, exactly once, with windows, rejects and consumers."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from graphsparse import EdgeBatch, Graph
from graphsparse.errors import GraphFormatError
from graphsparse.streaming import (
    BatchReport,
    DynamicSparsifier,
    InMemory,
    Store,
    StreamRun,
    open_source,
    sliding_window,
)


def ring(n: int = 30) -> DynamicSparsifier:
    graph = Graph.from_edges([(k, (k + 1) % n) for k in range(n)], num_nodes=n)
    return DynamicSparsifier(graph, graph, K=5)


def updates(count: int, seed: int = 0) -> str:
    """Return lines of which every seventh is bad in one of several ways."""
    rng = np.random.default_rng(seed)
    lines = []
    for k in range(count):
        u, v = rng.integers(0, 30, 2)
        word = ("insert", "delete", "insert")[k % 3]
        lines.append(f"{word},{u},{v},{1 + k % 4 / 2},{k}")
        if k % 7 == 3:
            lines[-1] = ("insert,1,99,1,0", "fly,1,2", "insert,1,2,-3", "+,1")[k % 4]
    return "\n".join(lines) + "\n"


def bad_rows(text: str) -> int:
    return sum(x.startswith(("insert,1,99", "fly", "+,1")) or ",-3" in x for x in text.split())


def test_a_run_in_memory_counts_every_row(tmp_path: Path) -> None:
    text = updates(500)
    rejects = tmp_path / "bad.jsonl"
    run = StreamRun(
        ring(), open_source(io.BytesIO(text.encode()), format="csv"), batch_size=60, rejects=rejects
    )
    steps = list(run.steps())
    assert (steps[-1].read, steps[-1].rejected) == (500, bad_rows(text))
    assert sum(step.rows for step in steps) == 500
    lines = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert len(lines) == bad_rows(text)
    reasons = {line["reason"].split(",")[0][:22] for line in lines}
    assert {"node ids must be below", "op must be one of inse"} <= reasons
    for line in lines:
        number = int(line["where"].rsplit(":", 1)[1])
        assert text.split("\n")[number - 1] == line["text"]


def test_the_first_bad_row_can_stop_the_run() -> None:
    source = open_source(io.BytesIO(updates(50).encode()), format="csv")
    with pytest.raises(GraphFormatError, match=r":4: "):
        list(StreamRun(ring(), source, batch_size=5).steps())


@pytest.mark.parametrize("size", [7, 64])
def test_a_run_that_stops_goes_on(tmp_path: Path, size: int) -> None:
    file = tmp_path / "a.csv"
    file.write_text(updates(400))
    whole = InMemory(ring())
    list(StreamRun(whole, open_source(file), batch_size=size, rejects=tmp_path / "w").steps())
    store = Store.create(tmp_path / "s", ring(), snapshot_every=4)
    for breaks in (3, 1, 5, 1000):
        run = StreamRun(store, open_source(file), batch_size=size, rejects=tmp_path / "r")
        count = [0]

        def stop(count: list[int] = count, breaks: int = breaks) -> bool:
            return count[0] >= breaks

        for _ in run.steps(stop):
            count[0] += 1
        with (tmp_path / "r").open("a") as junk:
            junk.write("what was written before a crash, but never committed\n")
        store.close()
        store = Store.open(tmp_path / "s")
    assert store.rows == whole.rows == (400, bad_rows(file.read_text()))
    mine, other = store.stream.state(), whole.stream.state()
    assert all(np.array_equal(mine[name], other[name]) for name in mine)
    StreamRun(store, open_source(file), rejects=tmp_path / "r")
    assert (tmp_path / "r").read_text() == (tmp_path / "w").read_text()
    store.close()


def test_a_window_deletes_what_has_ended(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    u, v = rng.integers(0, 30, (2, 200))
    time = np.sort(rng.integers(0, 100, 200))
    lines = [f"{a} {b} {t}" for a, b, t in zip(u, v, time, strict=True)]
    lines[50:50] = ["3 4 -5", "3 4 inf", "3 99 20"]
    file = tmp_path / "events.txt"
    file.write_text("\n".join(lines))
    none = Graph.from_edges([], num_nodes=30)
    store = Store.create(tmp_path / "s", DynamicSparsifier(none, none, K=5), window=10.0)
    source = open_source(file, columns="u v time")
    steps = list(StreamRun(store, source, batch_size=33, rejects=tmp_path / "r").steps())
    assert (steps[-1].read, steps[-1].rejected) == (203, 3)
    want = DynamicSparsifier(none, none, K=5)
    for batch in sliding_window(u, v, time, window=10.0, batch_size=33):
        want.update(batch)
    assert store.stream.graph() == want.graph()
    store.close()


class Follower:
    name = "follower"

    def __init__(self) -> None:
        self.count = 0

    def update(self, batch: EdgeBatch, report: BatchReport) -> None:
        assert report.num_updates == len(batch)
        self.count += len(batch)

    def facts(self) -> dict[str, int]:
        return {"count": self.count}


def test_consumers_see_every_update() -> None:
    follower = Follower()
    source = open_source(io.BytesIO(b"insert,0,5\ninsert,0,6\ndelete,0,1\n"), format="csv")
    list(StreamRun(ring(), source, batch_size=2, consumers=[follower]).steps())
    assert follower.facts() == {"count": 3}


def test_weights_that_add_up_to_too_much_are_rejected(tmp_path: Path) -> None:
    source = open_source(
        io.BytesIO(b"insert,0,5,9e299\ninsert,0,5,9e299\ninsert,2,9\n"), format="csv"
    )
    run = StreamRun(ring(), source, rejects=tmp_path / "r")
    (step,) = run.steps()
    assert (step.read, step.rejected, step.report.num_edges) == (3, 1, 32)
    assert "add up to 1e300" in (tmp_path / "r").read_text()


def test_an_error_of_the_source_arrives(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(b"\x1f\x8bnot gzip")
    with pytest.raises(GraphFormatError, match="gzip"):
        list(StreamRun(ring(), open_source(tmp_path / "a.csv.gz")).steps())
    with pytest.raises(ValueError, match="seconds must be above 0"):
        StreamRun(ring(), open_source(io.BytesIO(), format="csv"), seconds=0)
    (tmp_path / "r").write_text("short")
    store = Store.create(tmp_path / "s", ring())
    store.update(inserts=[(0, 5)], offset={"source": None, "rejects": 99})
    with pytest.raises(GraphFormatError, match="expected 99 bytes or more, got 5"):
        StreamRun(store, open_source(io.BytesIO(), format="csv"), rejects=tmp_path / "r")
    store.close()


def test_an_offset_of_somebody_else_is_refused(tmp_path: Path) -> None:
    with Store.create(tmp_path / "s", ring()) as store:
        store.update(inserts=[(0, 5)], offset={"line": 3})
        with pytest.raises(ValueError, match=r"offset of a run or none, got {'line': 3}"):
            StreamRun(store, open_source(io.BytesIO(), format="csv"))
