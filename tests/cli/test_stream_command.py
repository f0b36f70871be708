"""``graphsparse stream`` as a person calls it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import graphs
import numpy as np
import pytest

from graphsparse import DynamicSparsifier, EdgeBatch, condition_number, grass
from graphsparse.io import read_graph, write_graph

UPDATES = "insert,0,9,1\ninsert,4,20,1\ndelete,0,1\nreweight,33,32,3\ninsert,5,29\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    graph, updates = tmp_path / "karate.npz", tmp_path / "updates.csv"
    write_graph(graphs.karate(), graph)
    updates.write_text(UPDATES)
    return graph, updates, tmp_path / "out.npz"


def test_a_stream_from_files(call, files, tmp_path):
    graph, updates, output = files
    whole = tmp_path / "whole.npz"
    status, out, err = call(
        "stream", graph, updates, output, "-b", 3, "--alpha", 0.2, "-k", 5, "--seed", 7,
        "--kappa", 2, "--graph-out", whole, "--set", "walkers=50",
    )  # fmt: skip
    assert status == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    karate = graphs.karate()
    stream = DynamicSparsifier(karate, grass(karate, alpha=0.2, seed=7), K=5, seed=7, walkers=50)
    for k, part in enumerate((slice(0, 3), slice(3, 5))):
        names = [row.split(",") for row in UPDATES.split()[part]]
        rows = [(n[0], int(n[1]), int(n[2]), *map(float, n[3:])) for n in names]
        want = stream.update(EdgeBatch.from_operations(rows)).summary()
        got = dict(lines[k])
        for timing in ("seconds", "batch", "kappa", "read", "rejected_rows", "lag"):
            want.pop(timing, None), got.pop(timing, None)
        assert got == want
    assert (read_graph(output), read_graph(whole)) == (stream.sparsifier(), stream.graph())
    assert "kappa" not in lines[0]
    number = condition_number(stream.graph(), stream.sparsifier()).kappa
    assert lines[1]["kappa"] == pytest.approx(number)
    assert "walkers=50 is rounded up to 64" in err


def test_a_stream_from_stdin_and_a_given_start(call, files, tmp_path, monkeypatch):
    graph, _, output = files
    start = tmp_path / "start.npz"
    write_graph(grass(graphs.karate(), alpha=0.3), start)

    class Stdin:
        buffer = io.BytesIO(b"insert,0,40,1\n")

    monkeypatch.setattr(sys, "stdin", Stdin)
    status, out, err = call("stream", graph, "-", output, "--start", start, "--grow", "--quiet")
    assert (status, err) == (0, "")
    assert json.loads(out)["nodes"] == 41
    assert read_graph(output).num_nodes == 41


@pytest.mark.parametrize(
    ("text", "options", "status", "message"),
    [
        ("insert,0,99,1\n", [], 3, "updates.csv:1: node ids must be below 34, got (0, 99)"),
        ("fly,0,1\n", [], 3, "updates.csv:1: op must be one of"),
        ("delete,0,9\n", ["--strict"], 3, "batch 1: edge to delete must exist, got (0, 9)"),
        (UPDATES, ["-k", "big"], 2, "must be auto or a number"),
        (UPDATES, ["-k", "-1"], 2, "K must be above 0, got -1.0"),
        (UPDATES, ["--batch", "0"], 2, "batch_size must be >= 1, got 0"),
        (UPDATES, ["--set", "wings=2"], 2, "options must be among"),
        (UPDATES, ["--kappa", "-1"], 2, "must not be negative"),
        (UPDATES, ["--updates-format", "xml"], 2, "format must be one of"),
        (UPDATES, ["--preset", "best"], 2, "preset must be one of"),
    ],
)
def test_what_is_wrong_is_said(call, files, text, options, status, message):
    graph, updates, output = files
    updates.write_text(text)
    got, _, err = call("stream", graph, updates, output, *options)
    assert got == status
    assert message in " ".join(err.replace("│", " ").split())
    assert not output.exists()


def test_updates_that_do_not_exist(call, files):
    graph, updates, output = files
    updates.unlink()
    status, _, err = call("stream", graph, updates, output)
    assert status == 2
    assert "does not exist" in err


def test_a_directed_graph_is_refused(call, files, tmp_path):
    _, updates, output = files
    arcs = tmp_path / "arcs.csv"
    arcs.write_text("0,1\n1,2\n")
    status, _, err = call("stream", arcs, updates, output, "--directed")
    assert status == 2
    assert "undirected" in err


def test_an_empty_stream_writes_the_start(call, files):
    graph, updates, output = files
    updates.write_text("op,u,v,w\n")
    status, out, _ = call("stream", graph, updates, output)
    assert (status, out) == (0, "")
    karate = graphs.karate()
    assert np.array_equal(read_graph(output).indices, grass(karate, alpha=0.1).indices)


def test_without_a_gpu_the_status_is_4(call, files, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    status, _, err = call("stream", *files, "--device", "cuda", "-q")
    assert status == 4
    assert "pip install 'graphsparse[cuda13]'" in err
    status, _, err = call("stream", *files, "--device", "tpu", "-q")
    assert status == 2
    assert "device must be one of" in err
