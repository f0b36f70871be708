"""Sources: every form, going on from every offset, bad rows counted, and nothing read twice."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphsparse.errors import GraphFormatError
from graphsparse.streaming import open_source
from graphsparse.streaming.sources import Piece
from graphsparse.streaming.sources.line_reader import MOST_LINE
from graphsparse.streaming.sources.lines import LineParser

NEVER = lambda: False  # noqa: E731
ROWS = [
    ("insert", 0, 1, 2.5, 1.0), ("+", 1, 2, None, 2.0), ("delete", 0, 1, None, 3.0),
    ("reweight", 1, 2, 0.25, 4.0), ("fly", 1, 2, None, 5.0), ("insert", 5, 5, 1.0, 6.0),
    ("insert", -1, 2, 1.0, 7.0), ("=", 1, 2, None, 8.0), ("-", 3, 9, None, 9.0),
    ("insert", 7, 8, 1e301, 10.0), ("insert", 7, 8, 3.0, 11.0),
]  # fmt: skip
BAD = {4, 6, 7, 9}


def text_of(value: object) -> str:
    return "" if value is None else str(value)


def write(folder: Path, form: str) -> Path:
    """Write the rows in a form; return the file."""
    lines = ["# comment", ""]
    if form == "jsonl":
        names = ("op", "u", "v", "w", "time")
        for row in ROWS:
            full = dict(zip(names, row, strict=True))
            lines.append(json.dumps({n: x for n, x in full.items() if x is not None}))
    elif form == "text":
        lines += [" ".join(["0" if x is None else str(x) for x in row]) for row in ROWS]
        lines = [x.replace("= 1 2 0", "= 1 2 none").replace("+ 1 2 0", "+ 1 2 1") for x in lines]
    elif form == "parquet":
        file = folder / "rows.parquet"
        names = ("op", "u", "v", "w", "time")
        table = pa.table({n: [row[k] for row in ROWS] for k, n in enumerate(names)})
        pq.write_table(table, file, row_group_size=4)
        return file
    else:
        between = "," if form == "csv" else "\t"
        lines += [between.join(map(text_of, row)) for row in ROWS]
    text = "\n".join(lines) + "\n"
    suffix = {"text": "txt"}.get(form, form)
    file = folder / f"rows.{suffix}"
    file.write_text(text)
    return file


def rows_of(piece: Piece) -> list[tuple[float | None, ...]]:
    times = [None if time != time else time for time in piece.time.tolist()]
    columns = (piece.op, piece.u, piece.v, piece.w)
    return list(zip(*(column.tolist() for column in columns), times, strict=True))


def read_all(source: Any, offset: Any = None, size: int = 4) -> tuple[list[Any], int, list[Piece]]:
    pieces = list(source.pieces(offset, size, 1e9, NEVER))
    rows = [row for piece in pieces for row in rows_of(piece)]
    return rows, sum(len(piece.rejects) for piece in pieces), pieces


WANT = [
    (0, 0, 1, 2.5, 1.0), (0, 1, 2, 1.0, 2.0), (1, 0, 1, 1.0, 3.0), (2, 1, 2, 0.25, 4.0),
    (0, 5, 5, 1.0, 6.0), (1, 3, 9, 1.0, 9.0), (0, 7, 8, 3.0, 11.0),
]  # fmt: skip


def same_rows(got: list[Any]) -> bool:
    return [r if r[0] != 1 else (*r[:3], 1.0, r[4]) for r in got] == WANT  # w of deletes is free


@pytest.mark.parametrize("form", ["csv", "tsv", "text", "jsonl", "parquet"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_forms_and_offsets(tmp_path: Path, form: str, size: int) -> None:
    file = write(tmp_path, form)
    got, bad, pieces = read_all(open_source(file), size=size)
    assert same_rows(got)
    assert bad == len(BAD)
    assert sum(piece.read for piece in pieces) == len(ROWS)
    for at, piece in enumerate(pieces):
        later, more, _ = read_all(open_source(str(file)), json.loads(json.dumps(piece.offset)))
        count = sum(len(p.op) for p in pieces[: at + 1])
        assert later == got[count:]
        assert more == bad - sum(len(p.rejects) for p in pieces[: at + 1])
    reasons = " ".join(r.reason for p in pieces for r in p.rejects)
    for words in ("op must be one of", "u must be a node id", "w must be given", "w must be 0 or"):
        assert words in reasons or form == "text"
    where = next(r.where for p in pieces for r in p.rejects)
    assert where == f"{file}:{5 if form == 'parquet' else 7}"


def test_packed_files_and_folders(tmp_path: Path) -> None:
    plain = write(tmp_path, "csv").read_bytes()
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_bytes(plain)
    (folder / "b.csv.gz").write_bytes(gzip.compress(plain))
    (folder / "c.csv.bz2").write_bytes(bz2.compress(plain))
    (folder / ".hidden").write_text("?")
    source = open_source(folder)
    got, bad, pieces = read_all(source)
    assert (len(got), bad) == (3 * len(WANT), 3 * len(BAD))
    for at, piece in enumerate(pieces):
        later = read_all(open_source(folder), piece.offset)[0]
        assert later == got[sum(len(p.op) for p in pieces[: at + 1]) :]
    (folder / "d.csv").write_bytes(plain)
    assert len(read_all(open_source(folder), pieces[-1].offset)[0]) == len(WANT)
    (folder / "aa.csv").write_bytes(plain)
    with pytest.raises(GraphFormatError, match=r"expected 2 files before 'c.csv.bz2'.*got 3"):
        read_all(open_source(folder), pieces[-1].offset)
    (folder / "c.csv.bz2").unlink()
    with pytest.raises(GraphFormatError, match=r"'c.csv.bz2', read before, is gone"):
        read_all(open_source(folder), pieces[-1].offset)
    (folder / "e.xyz").write_text("?")
    with pytest.raises(GraphFormatError, match=r"e.xyz: its format must be given"):
        open_source(folder)


def test_headers_columns_and_quotes(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('OP,"w",v,u\ninsert,2.5,1,0\n"+",,2,1\n-,,1,"0"\nset,0.25,2,1\n')
    got, bad, pieces = read_all(open_source(file), size=2)
    assert [row[:3] for row in got] == [(0, 0, 1), (0, 1, 2), (1, 0, 1), (2, 1, 2)]
    assert bad == 0
    assert read_all(open_source(file), pieces[0].offset)[0] == got[len(pieces[0].op) :]
    events = tmp_path / "events.txt"
    events.write_text("3 4 zz 10\n4 5 zz 11\n")
    got, bad, _ = read_all(open_source(events, columns="u v skip time"))
    assert got == [(0, 3, 4, 1.0, 10.0), (0, 4, 5, 1.0, 11.0)]
    with pytest.raises(ValueError, match="columns must name u and v"):
        open_source(events, columns="u time")
    (tmp_path / "b.csv").write_text("op,u,w\n")
    with pytest.raises(GraphFormatError, match=r"b.csv:1: expected columns among"):
        read_all(open_source(tmp_path / "b.csv"))


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "csv")
    offset = read_all(open_source(file), size=100)[2][-1].offset
    text = file.read_text()
    with file.open("a") as out:
        out.write("insert,0,1\n")
    assert len(read_all(open_source(file), offset)[0]) == 1
    file.write_text(text.replace("3.0", "4.0"))
    with pytest.raises(GraphFormatError, match="is another file than was read"):
        read_all(open_source(file), offset)
    file.write_text(text[:-30])
    with pytest.raises(GraphFormatError, match="ends at byte"):
        read_all(open_source(file), offset)
    small = write(tmp_path, "parquet")
    with pytest.raises(GraphFormatError, match="has 11 rows, but 12 were read before"):
        read_all(open_source(small), {"row": 12})


def test_a_line_that_was_not_complete(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("insert,0,1\ninsert,1,2")
    got, _, pieces = read_all(open_source(file))
    assert len(got) == 2
    assert read_all(open_source(file), pieces[-1].offset)[0] == []
    file.write_text("insert,0,1\ninsert,1,2\ninsert,2,3\n")
    assert read_all(open_source(file), pieces[-1].offset)[0] == [(0, 2, 3, 1.0, None)]
    file.write_text("insert,0,1\ninsert,1,23\n")
    with pytest.raises(GraphFormatError, match="line 2 was read before it was complete"):
        read_all(open_source(file), pieces[-1].offset)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_long_lines_are_cut_and_counted(tmp_path: Path, form: str) -> None:
    good = "insert,0,1\n" if form == "csv" else '["insert", 0, 1]\n'
    long = "insert,0,1," + "1" * (3 * MOST_LINE) + "\n"
    file = tmp_path / f"a.{form}"
    file.write_text(good + long + good + "x" * (20 * MOST_LINE) + "\n" + good)
    got, bad, pieces = read_all(open_source(file), size=1)
    assert (len(got), bad) == (3, 2)
    assert pieces[-1].offset["byte"] == file.stat().st_size
    for at, piece in enumerate(pieces):
        more = read_all(open_source(file), piece.offset)
        assert len(more[0]) + more[1] == len(pieces) - at - 1
    assert all(len(r.text) <= 200 for p in pieces for r in p.rejects)


def test_a_pipe_gives_what_came_in_time() -> None:
    out, into = os.pipe()
    with os.fdopen(out, "rb") as raw:
        source = open_source(raw, format="csv")
        os.write(into, b"insert,0,1\ninsert,1,2\nins")
        pieces = source.pieces(None, 1000, 0.05, NEVER)
        assert len(next(pieces).op) == 2
        os.write(into, b"ert,2,3\n")
        third = next(pieces)
        assert rows_of(third)[0][:3] == (0, 2, 3)
        os.close(into)
        assert list(pieces) == []


@pytest.mark.parametrize("continued", [False, True])
def test_a_pipe_goes_on(continued: bool) -> None:
    text = b"".join(b"insert,%d,%d\n" % (k, k + 1) for k in range(9))
    offset = None
    seen = []
    for _ in range(3):
        at = offset["byte"] if continued and offset else 0
        source = open_source(io.BytesIO(text[at:]), format="csv", continued=continued)
        piece = next(source.pieces(offset, 3, 1e9, NEVER))
        offset = piece.offset
        seen += piece.u.tolist()
    assert seen == list(range(9))


def test_a_growing_file_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("insert,0,1\n")
    stop = threading.Event()
    seen: list[int] = []

    def follow() -> None:
        for piece in open_source(file, follow=True).pieces(None, 100, 0.05, stop.is_set):
            seen.extend(piece.v.tolist())

    thread = threading.Thread(target=follow)
    thread.start()
    for number in (2, 3):
        time.sleep(0.3)
        with file.open("a") as out:
            out.write(f"insert,0,{number}\n")
    deadline = time.monotonic() + 20
    while len(seen) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    thread.join(20)
    assert seen == [1, 2, 3]


TOKENS = [
    "insert", "delete", "+", "-", "=", "set", " Insert ", "fly", "", "0", "1", "17", "-1", "0x10",
    "+5", " 5", "1e3", "1.5", "nan", "NaN", "inf", "NA", "null", "1_0", "2147483647", "é", '"a"',
    "99999999999999999999", "1e400", "1e-320", "0.0", '"1"', "#", "\x00", "1" * 50,
    "\r", "1\r2", "2\r", "\x1c", "\x0b3",
]  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "tsv", "text"])
@pytest.mark.parametrize(
    "order", [("op", "u", "v", "w", "time"), ("u", "v", "time"), ("u", "skip", "v", "w")]
)
def test_columns_and_single_lines_agree(form: str, order: tuple[str, ...]) -> None:
    rng = random.Random(repr((form, order)))
    parser = LineParser(form, order)
    between = {"csv": ",", "tsv": "\t", "text": " "}[form]
    kinds = set()
    for _ in range(200):
        lines = []
        for _ in range(rng.randrange(1, 30)):
            wild = rng.random() < 0.1
            fields = [
                rng.choice(("insert", "-", "set")) if n == "op" else str(rng.randrange(50))
                for n in order
            ]
            if wild:
                fields = [rng.choice(TOKENS) for _ in range(rng.randrange(1, 7))]
            lines.append(between.join(fields[: rng.randrange(2, 7)]).encode())
        columns, wrong = parser.many(lines)
        for at, line in enumerate(lines):
            alone = parser.single(line)
            kinds.add(type(alone))
            if isinstance(alone, str):
                assert wrong[at] == alone
                continue
            assert at not in wrong
            got = [column[at].item() for column in columns]
            want = [*alone[:4], np.nan if alone[4] is None else alone[4]]
            np.testing.assert_array_equal(got, want)
    assert kinds == {str, tuple}


@pytest.mark.parametrize("form", ["csv", "tsv", "text", "jsonl"])
def test_fuzzed_bytes_are_all_accounted_for(form: str) -> None:
    count = int(os.environ.get("GRAPHSPARSE_FUZZ", "3000"))
    rng = random.Random(form)
    good = {"csv": b"insert,1,2,3", "tsv": b"insert\t1\t2", "text": b"+ 1 2", "jsonl": b'["+",1,2]'}
    lines = []
    for _ in range(count):
        line = bytearray(good[form])
        for _ in range(rng.choice((0, 0, 1, 2, 8))):
            line[rng.randrange(len(line))] = rng.randrange(256)
        if rng.random() < 0.05:
            line = bytearray(rng.randbytes(rng.randrange(60)))
        lines.append(bytes(line).replace(b"\n", b"?"))
    rows = sum(not x.startswith(b"#") and bool(x) and not x.isspace() for x in lines)
    source = open_source(io.BytesIO(b"\n".join(lines) + b"\n"), format=form)
    got, bad, pieces = read_all(source, size=997)
    assert len(got) + bad == rows == sum(piece.read for piece in pieces)
    assert got
    assert bad


def test_fuzzed_tables(tmp_path: Path) -> None:
    count = int(os.environ.get("GRAPHSPARSE_FUZZ", "3000"))
    rng = np.random.default_rng(4)
    op = rng.choice(["insert", "delete", "set", "fly", None], count)
    u = rng.choice([0, 5, -1, 2**31, 2**62], count, p=[0.4, 0.4, 0.1, 0.05, 0.05])
    w = rng.choice([1.0, 0.0, np.nan, -1.0, 1e305], count, p=[0.7, 0.1, 0.1, 0.05, 0.05])
    table = pa.table({"op": op.tolist(), "u": u, "v": rng.integers(0, 9, count), "w": w})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=700)
    got, bad, _ = read_all(open_source(tmp_path / "a.parquet"), size=100)
    assert len(got) + bad == count
    assert min(len(got), bad) > 0
    floats = pa.table({"op": ["+", "+"], "u": [1.0, 1.5], "v": [2.0, 3.0], "w": ["1", "x"]})
    pq.write_table(floats, tmp_path / "b.parquet")
    assert read_all(open_source(tmp_path / "b.parquet"))[:2] == (
        [(0, 1, 2, 1.0, None)],
        1,
    )
    (tmp_path / "c.parquet").write_bytes(b"PAR1 no table PAR1")
    with pytest.raises(GraphFormatError, match="expected a Parquet file"):
        read_all(open_source(tmp_path / "c.parquet"))


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a server of its own on a socket file."""
    pytest.importorskip("redis", reason="needs the Python package redis")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server (Debian: apt-get install redis-server)")
    folder = tmp_path_factory.mktemp("redis")
    socket = folder / "s"
    command = [program, "--port", "0", "--unixsocket", str(socket), "--dir", str(folder)]
    with subprocess.Popen([*command, "--save", ""], stdout=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 30
        while not socket.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield f"unix://{socket}"
        server.terminate()


def test_a_redis_stream(redis_url: str) -> None:
    import redis

    client = redis.Redis.from_url(redis_url)
    client.delete("events")
    assert read_all(open_source(f"{redis_url}#events")) == ([], 0, [])
    names = ("op", "u", "v", "w", "time")
    for row in ROWS:
        client.xadd("events", {n: str(x) for n, x in zip(names, row, strict=True) if x is not None})
    client.xadd("events", {b"\xff": b"1"})
    got, bad, pieces = read_all(open_source(f"{redis_url}#events"))
    assert same_rows(got)
    assert bad == len(BAD) + 1
    for at, piece in enumerate(pieces):
        later = read_all(open_source(f"{redis_url}#events"), piece.offset)[0]
        assert later == got[sum(len(p.op) for p in pieces[: at + 1]) :]
    client.xtrim("events", maxlen=2, approximate=False)
    assert read_all(open_source(f"{redis_url}#events"), pieces[-1].offset)[2] == []
    with pytest.raises(GraphFormatError, match=r"6 entries after .* were deleted before they"):
        read_all(open_source(f"{redis_url}#events"), pieces[0].offset)
    client.delete("events")
    with pytest.raises(GraphFormatError, match="is another stream than was read"):
        read_all(open_source(f"{redis_url}#events"), pieces[0].offset)
    client.close()


def test_redis_is_followed_and_errors_are_told(redis_url: str) -> None:
    import redis

    from graphsparse.errors import BackendError

    client = redis.Redis.from_url(redis_url)
    pieces = open_source(f"{redis_url}#live", follow=True).pieces(None, 10, 0.05, NEVER)
    client.xadd("live", {"op": "insert", "u": "0", "v": "1"})
    assert next(pieces).u.tolist() == [0]
    client.xadd("live", {"op": "insert", "u": "3", "v": "1"})
    assert next(pieces).u.tolist() == [3]
    pieces.close()
    client.close()
    with pytest.raises(BackendError, match="cannot be read"):
        read_all(open_source(redis_url + "-none#live"))
    with pytest.raises(ValueError, match="URL#KEY"):
        open_source("redis://localhost")


def test_sources_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(GraphFormatError, match="is neither a file nor a folder"):
        open_source(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="format must be one of"):
        open_source(io.BytesIO(), format="parquet")
