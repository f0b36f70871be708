"""``graphsparse stream`` with a store: going on, signals, damage, export, metrics."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import graphs
import pytest

from graphsparse.io import read_graph, write_graph
from graphsparse.streaming import Store
from graphsparse.streaming.journal import database_file


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    graph, updates = tmp_path / "karate.npz", tmp_path / "updates.csv"
    write_graph(graphs.karate(), graph)
    lines = [f"insert,{k % 34},{(k * 7 + 1) % 34},1" for k in range(40)]
    lines[13], lines[27] = "fly,1,2", "insert,0,99"
    updates.write_text("\n".join(lines) + "\n")
    return graph, updates


def test_a_store_is_made_and_goes_on(call, files, tmp_path):
    graph, updates = files
    text = updates.read_text().splitlines(keepends=True)
    updates.write_text("".join(text[:20]))
    store, whole = tmp_path / "s", tmp_path / "whole.npz"
    status, out, err = call("stream", graph, updates, "--store", store, "-b", 8, "-k", 5)
    assert status == 0, err
    assert [json.loads(line)["batch"] for line in out.splitlines()] == [1, 2, 3]
    assert "1 of 20 rows were rejected" in err
    with updates.open("a") as more:
        more.write("".join(text[20:]))
    status, out, err = call("stream", "--store", store, "--source", updates, "-b", 10)
    assert status == 0, err
    assert "going on after batch 3; snapshot of batch 0 and 3 batches" in err
    last = json.loads(out.splitlines()[-1])
    assert (last["read"], last["rejected_rows"], last["batch"]) == (40, 2, 5)
    bad = [json.loads(line) for line in (store / "rejects.jsonl").read_text().splitlines()]
    assert [line["where"].rsplit(":", 1)[1] for line in bad] == ["14", "28"]
    status, _, err = call(
        "stream", graph, updates, whole, "-k", 5, "--rejects", tmp_path / "r", "-q"
    )
    assert status == 0, err
    status, _, err = call(
        "stream", "export", store, tmp_path / "h.npz", "--graph-out", tmp_path / "g.npz",
        "--updates-out", tmp_path / "u.csv.gz",
    )  # fmt: skip
    assert status == 0, err
    status, _, err = call(
        "stream", graph, tmp_path / "u.csv.gz", tmp_path / "again.npz", "-k", 5, "-q",
        "--graph-out", tmp_path / "g2.npz",
    )  # fmt: skip
    assert status == 0, err
    assert read_graph(tmp_path / "g.npz") == read_graph(tmp_path / "g2.npz")
    assert read_graph(tmp_path / "h.npz").num_edges > 33


def test_a_store_whose_making_was_cut_short_is_made_again(call, files, tmp_path):
    store = tmp_path / "s"
    store.mkdir()
    sqlite3.connect(store / "stream-1.db").close()
    status, _, err = call("stream", *files, "--store", store, "-q")
    assert status == 0, err
    assert Store.read(store).rows == (40, 2)


def test_status_verify_and_repair(call, files, tmp_path):
    graph, updates = files
    store = tmp_path / "s"
    assert call("stream", graph, updates, "--store", store, "-b", 8, "-q")[0] == 0
    status, out, _ = call("stream", "status", store, "--json")
    facts = json.loads(out)
    assert (status, facts["batches"], facts["rows_read"], facts["rows_rejected"]) == (0, 5, 40, 2)
    assert facts["offset"]["line"] == 40
    assert call("stream", "status", store)[1].startswith("batches           5\n")
    assert call("stream", "verify", store)[1].splitlines()[-1] == "damaged    nothing"
    db = sqlite3.connect(database_file(store))
    with db:
        db.execute("UPDATE batch SET crc = crc + 1 WHERE number = 4")
    db.close()
    status, out, _ = call("stream", "verify", store, "--json")
    assert status == 3
    assert json.loads(out)["findings"][0]["number"] == 4
    status, _, err = call("stream", "--store", store, "--source", updates)
    assert status == 3
    assert "stream repair" in err
    assert "goes back to batch 3 and loses 2 batches" in err
    status, out, _ = call("stream", "repair", store, "--json")
    done = json.loads(out)
    assert (status, done["batch"], done["lost_batches"]) == (0, 3, 2)
    status, out, err = call("stream", "--store", store, "--source", updates, "-b", 8)
    assert status == 0, err
    assert json.loads(out.splitlines()[-1])["read"] == 40
    lines = (store / "rejects.jsonl").read_text().splitlines()
    assert len(lines) == 2


def test_a_window_on_the_command_line(call, tmp_path):
    events = tmp_path / "events.txt"
    events.write_text("0 1 0\n1 2 1\n2 3 9\n4 4 9\n3 4 3\n")
    store = tmp_path / "s"
    common = ["--store", store, "--source", events, "--columns", "u v time", "--grow", "-q"]
    status, out, err = call("stream", "--nodes", 0, "--window", 5, *common)
    assert status == 0, err
    last = json.loads(out)
    assert (last["edges"], last["read"], last["rejected_rows"]) == (1, 5, 1)
    status, _, err = call("stream", "--window", 6, *common)
    assert status == 2
    assert "must be 5.0, that of the store" in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["GRAPH", "UPDATES"], 2, "is needed without --store"),
        (["GRAPH", "--store", "S"], 2, "give UPDATES or --source, got neither"),
        (["GRAPH", "UPDATES", "--source", "UPDATES"], 2, "got both"),
        (["--store", "S", "--source", "UPDATES"], 2, "give a graph to start from, or --nodes"),
        (["GRAPH", "UPDATES", "--store", "S", "--stop-at-bad-rows"], 3, "updates.csv:14: op must"),
        (["GRAPH", "UPDATES", "--store", "S", "--history", "none"], 2, "history must be one of"),
        (["GRAPH", "UPDATES", "--store", "S", "--prometheus", "x"], 2, "must be [HOST:]PORT"),
        (["GRAPH", "UPDATES", "--store", "S", "--seconds", "0"], 2, "seconds must be above 0"),
        (["status", "."], 2, "holds no stream"),
    ],
)
def test_what_is_wrong_is_said(call, files, tmp_path, monkeypatch, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    places = {"GRAPH": files[0], "UPDATES": files[1], "S": tmp_path / "s"}
    got, _, err = call("stream", *(places.get(word, word) for word in arguments))
    assert got == status
    assert message in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_batch(files, tmp_path, number):
    graph, _ = files
    store, log = tmp_path / "s", tmp_path / "metrics.jsonl"
    command = [
        sys.executable, "-m", "graphsparse", "stream", graph, "-", "--store", store, "--grow",
        "--seconds", "0.05", "--metrics", log, "--prometheus", "0", "-b", "10", "--quiet",
    ]  # fmt: skip
    environment = {**os.environ, "GRAPHSPARSE_DEBUG": "1"}
    with subprocess.Popen(
        list(map(str, command)), stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as running:
        running.stdin.write(b"insert,0,40\ninsert,1,41\n")
        running.stdin.flush()
        deadline = time.monotonic() + 60
        while not (log.is_file() and log.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        running.send_signal(number)
        error = running.stderr.read()
        assert running.wait(60) == 0, error.decode()
    assert json.loads(log.read_text())["read"] == 2
    assert Store.read(store).rows == (2, 0)


def test_the_page_for_prometheus(files, capsys):
    from graphsparse import grass
    from graphsparse.cli.stream_metrics import Metrics
    from graphsparse.streaming import DynamicSparsifier, StreamRun, open_source

    karate = graphs.karate()
    stream = DynamicSparsifier(karate, grass(karate, alpha=0.2), grow=True)
    metrics = Metrics(None, True, "0")
    host, port = metrics._server.server_address[:2]
    assert host == "127.0.0.1"
    for step in StreamRun(
        stream, open_source(files[1]), batch_size=10, rejects=files[1].with_suffix(".r")
    ).steps():
        metrics.add(step, float("inf"))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/")
    refused.value.close()
    metrics.close()
    rows = dict(line.split() for line in text.splitlines() if not line.startswith("#"))
    assert rows["graphsparse_stream_read"] == "40"
    assert rows["graphsparse_stream_rejected_rows"] == "1"
    assert rows["graphsparse_stream_updates_total"] == "39"
    assert rows["graphsparse_stream_kappa"] == "+Inf"
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["batch"] for line in lines] == [1, 2, 3, 4]


def test_progress_goes_to_stderr(files, capsys, monkeypatch):
    from graphsparse import grass
    from graphsparse.cli import stream_metrics
    from graphsparse.streaming import DynamicSparsifier, StreamRun, open_source

    monkeypatch.setattr(stream_metrics, "_EVERY_FILE", 0.0)
    karate = graphs.karate()
    stream = DynamicSparsifier(karate, grass(karate, alpha=0.2), grow=True)
    metrics = stream_metrics.Metrics(None, False, None)
    for step in StreamRun(
        stream, open_source(files[1]), rejects=files[1].with_suffix(".r")
    ).steps():
        metrics.add(step, 7.25)
    metrics.close()
    err = capsys.readouterr().err
    assert "graphsparse: batch 1: " in err
    for part in ("updates/s, accepted ", "edges per node, kappa 7.25, lag 0, rejected rows 1"):
        assert part in err
