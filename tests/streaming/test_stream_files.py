"""Stream files and temporal edge lists: every format, and messages that name the line."""

from __future__ import annotations

import gzip
import io
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphsparse import EdgeBatch, Graph, GraphFormatError
from graphsparse.streaming import DynamicSparsifier, read_events, read_stream, sliding_window

PLAIN = """# a comment
insert,0,1,2.5
+,1,2

delete,0,1
reweight,1,2,0.25,17.5
"""


def joined(batches: list[EdgeBatch]) -> list[list[object]]:
    return [
        np.concatenate([getattr(batch, name) for batch in batches]).tolist()
        for name in ("op", "u", "v", "w")
    ]


WANT = [[0, 0, 1, 2], [0, 1, 0, 1], [1, 2, 1, 2], [2.5, 1.0, 0.0, 0.25]]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_csv(tmp_path: Path, size: int) -> None:
    file = tmp_path / "updates.csv"
    file.write_text(PLAIN)
    batches = list(read_stream(file, batch_size=size))
    assert [len(batch) for batch in batches] == [
        len(WANT[0][k : k + size]) for k in range(0, 4, size)
    ]
    assert joined(batches) == WANT


def test_other_formats_hold_the_same(tmp_path: Path) -> None:
    packed = tmp_path / "updates.csv.gz"
    packed.write_bytes(gzip.compress(PLAIN.encode()))
    tabs = tmp_path / "updates.tsv"
    tabs.write_text(PLAIN.replace(",", "\t"))
    blanks = tmp_path / "updates.txt"
    blanks.write_text(PLAIN.replace(",", "  "))
    named = tmp_path / "named.csv"
    named.write_text(
        'v,OP,"w",u\n1,insert,2.5,0\n2,+,,1\n1,-,,0\n2,set,0.25,1\n'.replace("v,OP", "OP,v")
    )
    for file in (packed, tabs, blanks):
        assert joined(list(read_stream(file))) == WANT, file.name
    with pytest.raises(GraphFormatError, match=r"named.csv:2: op must be one of .* got '1'"):
        list(read_stream(named))
    named.write_text('op,v,"w",u\ninsert,1,2.5,0\n+,2,,1\n-,1,,0\nset,2,0.25,1\n')
    assert joined(list(read_stream(named))) == WANT
    table = pa.table({"u": WANT[1], "v": WANT[2], "op": ["+", "insert", "delete", "set"]})
    table = table.append_column("w", pa.array([2.5, None, None, 0.25]))
    pq.write_table(table, tmp_path / "updates.parquet")
    assert joined(list(read_stream(tmp_path / "updates.parquet", batch_size=3))) == WANT
    stdin = io.BytesIO(PLAIN.encode())
    assert joined(list(read_stream(stdin, format="csv"))) == WANT


def test_time_is_carried_along(tmp_path: Path) -> None:
    file = tmp_path / "updates.csv"
    file.write_text("op,time,u,v,w\n+,3.5,0,1,1\n-,4,0,1,\n")
    (batch,) = read_stream(file)
    assert batch.time is not None
    assert batch.time.tolist() == [3.5, 4.0]


def test_columns_behind_the_ends_may_be_left_out(tmp_path: Path) -> None:
    file = tmp_path / "updates.csv"
    file.write_text("op,u,v,w\ninsert,0,1,2\ndelete,0,1\ninsert,4,5\n")
    (batch,) = read_stream(file)
    assert (batch.op.tolist(), batch.u.tolist(), batch.w.tolist()) == (
        [0, 1, 0],
        [0, 0, 4],
        [2, 0, 1],
    )
    file.write_text("op,w,u,v\ndelete,0,1\n")  # the row ends before v
    with pytest.raises(GraphFormatError, match=r"updates\.csv:2: expected 4 fields, got 3"):
        list(read_stream(file))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("add,0,1,1", "op must be one of insert, .*, got 'add'"),
        ("insert,0", "expected 3 to 5 fields, got 2"),
        ("insert,0,1,1,2,3", "expected 3 to 5 fields, got 6"),
        ("insert,0,x,1", r"v must be a node id in \[0, 2147483646\], got 'x'"),
        ("insert,-3,1,1", "u must be a node id in .*, got '-3'"),
        ("insert,99999999999999999999,1,1", "u must be a node id"),
        ("insert,1_0,1,1", "u must be a node id in .*, got '1_0'"),
        ("insert,0,1,heavy", "w must be a number, got 'heavy'"),
        ("insert,0,1,-1", r"w must be 0 or in \[1e-300, 1e300\], got -1"),
        ("insert,0,1,nan", ".* got nan"),
        ("insert,0,1,1e301", ".* got 1e301"),
        ("reweight,0,1", "w must be given to reweight an edge"),
        ("insert,0,1,1,noon", "time must be a number, got 'noon'"),
        ('insert,0,1,"1', "unexpected end of data"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "updates.csv"
    file.write_text(f"insert,0,1,1\n# note\n\n{line}\n")
    with pytest.raises(
        GraphFormatError, match=rf"updates\.csv:4: {message}|updates\.csv:5: {message}"
    ):
        list(read_stream(file))


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "updates.csv"
    file.write_text("op,u,v,w,colour\n")
    with pytest.raises(GraphFormatError, match=r"updates\.csv:1: expected columns among op, u"):
        list(read_stream(file))
    file.write_bytes(b"insert,0,1,1\n\xff\xfe,0,1,1\n")
    with pytest.raises(GraphFormatError, match="expected UTF-8 text"):
        list(read_stream(file))
    packed = tmp_path / "updates.csv.gz"
    packed.write_bytes(gzip.compress(PLAIN.encode() * 99)[:-40])
    with pytest.raises(GraphFormatError, match="cut short or damaged"):
        list(read_stream(packed))
    table = tmp_path / "updates.parquet"
    table.write_bytes(b"PAR1 but not really")
    with pytest.raises(GraphFormatError, match="expected a Parquet file"):
        list(read_stream(table))
    pq.write_table(pa.table({"op": ["+", "+"], "u": [0, 1], "v": [1, None]}), table)
    with pytest.raises(GraphFormatError, match=r"updates\.parquet:2: v must be a node id"):
        list(read_stream(table))
    pq.write_table(pa.table({"op": ["+"], "u": [0.5], "v": [1.0]}), table)
    with pytest.raises(
        GraphFormatError, match=r"updates\.parquet:1: u must be a node id .* got 0\.5"
    ):
        list(read_stream(table))
    with pytest.raises(ValueError, match=r"format must be given for .*updates\.log"):
        read_stream(tmp_path / "updates.log")
    with pytest.raises(ValueError, match="batch_size must be >= 1, got 0"):
        read_stream(file, batch_size=0)


def test_empty_files_have_no_batches(tmp_path: Path) -> None:
    for text in ("", "\n\n", "# nothing\n", "op,u,v,w\n"):
        file = tmp_path / "updates.csv"
        file.write_text(text)
        assert list(read_stream(file)) == []


def test_events(tmp_path: Path) -> None:
    file = tmp_path / "contacts.txt"
    file.write_text("70 30 5\n30 70 2\n9 30 5\n")
    events = read_events(file)
    assert events.num_nodes == 3
    assert events.ids.tolist() == [9, 30, 70]
    assert (events.u.tolist(), events.v.tolist()) == ([1, 2, 0], [2, 1, 1])
    assert (events.time.tolist(), events.w.tolist()) == ([2.0, 5.0, 5.0], [1.0] * 3)
    rated = tmp_path / "ratings.csv"
    rated.write_text("4,5,0.5,100\n")
    assert read_events(rated, columns="u v w time").w.tolist() == [0.5]
    assert read_events(rated, columns="u v skip time").w.tolist() == [1.0]
    with pytest.raises(
        GraphFormatError, match=r"ratings.csv:1: expected 3 fields \(u v time\), got 4"
    ):
        read_events(rated)
    rated.write_text("4,five,0.5,100\n")
    with pytest.raises(GraphFormatError, match=r"ratings.csv:1: .*five"):
        read_events(rated, columns="u v w time")
    rated.write_text("4,5.5,1,100\n")
    with pytest.raises(GraphFormatError, match="whole node ids"):
        read_events(rated, columns="u v w time")
    with pytest.raises(ValueError, match="columns must name u, v, time"):
        read_events(rated, columns="u v")


def window_graph(
    u: np.ndarray, v: np.ndarray, time: np.ndarray, w: np.ndarray, now: float, window: float
) -> dict[tuple[int, int], float]:
    """Return the slow answer: the sum over the events inside the window."""
    weights: dict[tuple[int, int], float] = {}
    for a, b, t, x in zip(u.tolist(), v.tolist(), time.tolist(), w.tolist(), strict=True):
        if a != b and t <= now < t + window:
            weights[min(a, b), max(a, b)] = weights.get((min(a, b), max(a, b)), 0.0) + x
    return weights


@pytest.mark.parametrize("window", [1.0, 7.5, math.inf])
def test_a_window_holds_its_events(window: float) -> None:
    rng = np.random.default_rng(97)
    n, k = 12, 400
    u, v = rng.integers(0, n, (2, k))
    time, w = np.sort(rng.integers(0, 90, k)).astype(float), rng.integers(1, 5, k) / 4
    empty = Graph.from_edges([], num_nodes=n, weights=[])
    stream = DynamicSparsifier(empty, empty, K=4, strict=True)
    for batch in sliding_window(u, v, time, window=window, w=w, batch_size=1):
        stream.update(batch)
        assert batch.time is not None
        now = float(batch.time[-1])
    graph = stream.graph()
    got = dict(zip(zip(*graph.edges(), strict=True), graph.edge_weights(), strict=True))
    assert got == pytest.approx(window_graph(u, v, time, w, now, window))
    assert stream._store.check() == ""


def test_wrong_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="window must be above 0, got 0"):
        sliding_window([0], [1], [0.0], window=0)
    with pytest.raises(ValueError, match=r"time must ascend, got 1\.0 at event 2"):
        sliding_window([0] * 3, [1] * 3, [0.0, 2.0, 1.0], window=1)
    with pytest.raises(ValueError, match="one length, got 1, 1, 2"):
        sliding_window([0], [1], [0.0, 1.0], window=1)
    with pytest.raises(ValueError, match=r"w must be above 0, got -1\.0 at event 0"):
        sliding_window([0], [1], [0.0], window=1, w=[-1.0])


@pytest.mark.parametrize(
    ("name", "columns", "events"),
    [
        ("CollegeMsg.txt.gz", "u v time", 59_835),
        ("soc-sign-bitcoinalpha.csv.gz", "u v skip time", 24_186),
    ],
)
def test_real_contacts(shared_data: Path, name: str, columns: str, events: int) -> None:
    found = read_events(shared_data / "temporal" / name, columns=columns)
    assert len(found.u) == events
    empty = Graph.from_edges([], num_nodes=found.num_nodes, weights=[])
    stream = DynamicSparsifier(empty, empty, seed=5)
    window = 0.05 * float(found.time[-1] - found.time[0])
    head = slice(0, 8000)
    for batch in sliding_window(found.u[head], found.v[head], found.time[head], window=window):
        report = stream.update(batch)
        assert report.num_sparsifier_edges <= report.num_edges
    assert stream._store.check() == ""
