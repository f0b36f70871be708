"""The commands as a person calls them: output, JSON, exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphs
import pytest

import graphsparse
from graphsparse import launch
from graphsparse.cli import main
from graphsparse.io import read_graph, write_graph

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def karate(tmp_path: Path) -> Path:
    """Zachary's karate club as an edge list."""
    file = tmp_path / "karate.txt"
    write_graph(graphs.karate(), file)
    return file


def test_info(call: Call, karate: Path) -> None:
    status, out, err = call("info", karate, "--json")
    facts = json.loads(out)
    assert (status, err) == (0, "")
    assert (facts["num_nodes"], facts["num_edges"], facts["num_arcs"]) == (34, 78, 156)
    assert facts["degree"] == {"min": 1, "median": 3.0, "mean": 156 / 34, "max": 17}
    assert (facts["components"], facts["largest_component"], facts["weights"]) == (1, 34, None)
    assert (facts["directed"], facts["symmetric"], facts["isolated_nodes"]) == (False, True, 0)
    status, out, _ = call("info", karate)
    assert status == 0
    assert "edges           78  (each pair counted once)" in out
    assert "156  (columns of PyG's edge_index)" in out


@pytest.mark.parametrize("name", sorted(graphs.TOYS))
def test_info_of_toys(call: Call, tmp_path: Path, name: str) -> None:
    graph = graphs.TOYS[name]()
    write_graph(graph, tmp_path / "toy.npz")
    status, out, _ = call("info", tmp_path / "toy.npz", "--json")
    facts = json.loads(out)
    assert status == 0
    assert facts["num_edges"] == graph.num_edges
    assert facts["parallel_edges"] == len(list(zip(*graph.edges(), strict=True))) - len(
        {
            (min(e), max(e)) if not graph.directed else e
            for e in zip(*map(list, graph.edges()), strict=True)
        }
    )
    assert call("info", tmp_path / "toy.npz")[0] == 0


def test_isolated_nodes_and_components(call: Call, tmp_path: Path) -> None:
    graph = graphsparse.Graph.from_edges([(0, 1), (2, 2), (4, 3)], num_nodes=6, directed=True)
    write_graph(graph, tmp_path / "g.npz")
    facts = json.loads(call("info", tmp_path / "g.npz", "--json")[1])
    assert facts["isolated_nodes"] == 2  # node 2 has only itself, node 5 nothing
    assert facts["components"] == 4
    assert facts["self_loops"] == 1


def test_convert(call: Call, karate: Path, tmp_path: Path) -> None:
    status, out, _ = call("convert", karate, tmp_path / "k.mtx.gz", "--json")
    assert status == 0
    assert json.loads(out)["num_edges"] == 78
    assert call("convert", tmp_path / "k.mtx.gz", tmp_path / "k.npz", "-q")[:2] == (0, "")
    assert read_graph(tmp_path / "k.npz") == graphs.karate()
    assert call("convert", karate, tmp_path / "k.data", "--to", "npz")[0] == 0
    assert call("info", tmp_path / "k.data", "--from", "npz")[0] == 0


def test_sparsify_json(call: Call, karate: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.npz"
    status, out, err = call("sparsify", karate, output, "--keep", 0.5, "--json")
    facts = json.loads(out)
    assert (status, err) == (0, "")
    expected = graphsparse.teddy(graphs.karate(), 0.5)
    assert read_graph(output) == expected
    assert (facts["num_edges"], facts["num_kept"]) == (78, 39)
    assert facts["candidates"] == {"asked": 0.5, "total": 78, "kept": 39, "keep": 0.5}
    assert (facts["method"], facts["parameters"]["g"]) == ("teddy", "inv_sqrt")
    assert facts["before"] == {"isolated_nodes": 0, "components": 1}
    assert facts["after"]["isolated_nodes"] == int((expected.degree == 0).sum())
    assert facts["version"] == graphsparse.__version__
    assert set(facts["seconds"]) >= {"read", "score", "select", "write"}
    assert facts["peak_memory_bytes"] > 2**20
    assert (facts["input"], facts["output"]) == (str(karate), str(output))


def test_sparsify_options(call: Call, karate: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    options = ["-m", "random", "--num-edges", 40, "--seed", 7, "--connected"]
    status, out, _ = call("sparsify", karate, output, *options)
    assert status == 0
    assert "40 of 78 (51.3%)" in out
    kept = read_graph(output, num_nodes=34)
    assert kept == graphsparse.random_edges(graphs.karate(), num_edges=40, seed=7, connected=True)
    options = ["--keep", 0.6, "--set", "hops=2", "--set", "g=inv", "--protect", "top1"]
    facts = json.loads(call("sparsify", karate, output, *options, "--json")[1])
    chosen = {"hops": 2, "g": "inv", "protect": "top1"}
    assert {key: facts["parameters"][key] for key in chosen} == chosen
    assert call("sparsify", karate, output, "--keep", 1, "-q") == (0, "", "")
    assert read_graph(output, num_nodes=34) == graphs.karate()


def test_directedness_is_told(call: Call, karate: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.npz"
    facts = json.loads(call("sparsify", karate, output, "--keep", 0.5, "--json", "--directed")[1])
    assert (facts["directed"], facts["directed_from"]) == (True, "the command line")
    facts = json.loads(call("info", output, "--json")[1])
    assert (facts["directed"], facts["directed_from"]) == (True, "the file")


def test_astro_ph(call: Call, shared_data: Path, tmp_path: Path) -> None:
    file, output = shared_data / "graphs/network/astro-ph.graph.gz", tmp_path / "out.npz"
    facts = json.loads(call("sparsify", file, output, "--keep", 0.5, "--json")[1])
    assert (facts["num_edges"], facts["num_kept"]) == (121_251, 60_626)
    assert read_graph(output).num_edges == 60_626


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give exactly one of keep and num_edges, got neither"),
        (("--keep", 0.5, "--num-edges", 3), "give exactly one of keep and num_edges, got both"),
        (("--keep", 1.5), "keep must be in (0, 1], got 1.5"),
        (("--num-edges", 79), "num_edges must be in [0, 78], got 79"),
        (("--keep", 0.5, "-m", "magic"), "method must be one of"),
        (("--keep", 0.5, "-m", "grass", "--protect", "top1"), "has no option 'protect'"),
        (("--keep", 0.5, "--set", "hops"), "must look like NAME=VALUE"),
        (("--keep", 0.5, "--set", "hops=-1"), "hops must be >= 0, got -1"),
        (("--keep", 0.5, "--read", "colour=red"), "no option is called 'colour'"),
        (("--keep", 0.1, "--connected"), "connected=True needs at least the 33 edges"),
        (("--keep", 0.5, "--to", "word"), "must be one of"),
        (("--keep", 0.5, "--nonsense"), "No such option"),
    ],
)
def test_wrong_usage(
    call: Call, karate: Path, tmp_path: Path, arguments: tuple[object, ...], message: str
) -> None:
    status, out, err = call("sparsify", karate, tmp_path / "out.npz", *arguments)
    assert (status, out) == (2, "")
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert not (tmp_path / "out.npz").exists()


def test_wrong_files(call: Call, karate: Path, tmp_path: Path) -> None:
    assert "does not exist" in call("info", tmp_path / "none.txt")[2]
    assert call("info", tmp_path / "none.txt")[0] == 2
    status, _, err = call("convert", karate, tmp_path / "no" / "k.npz")
    assert (status, "does not exist" in err) == (2, True)
    status, _, err = call("convert", karate, tmp_path / "k.doc")
    assert (status, "--to is needed for the name 'k.doc'" in err) == (2, True)


def test_bad_data_has_its_own_status(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "bad.txt"
    file.write_text("0 1\n1 x\n")
    status, out, err = call("info", file, "--read", "ids=integer")
    assert (status, out) == (3, "")
    assert err.startswith(f"graphsparse: error: {file}:2: ")
    assert err.count("\n") == 1


def test_debug_shows_tracebacks(
    call: Call, karate: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRAPHSPARSE_DEBUG", "1")
    with pytest.raises(ValueError, match="keep must be"):
        main(["sparsify", str(karate), str(tmp_path / "o.npz"), "--keep", "2"])


def test_interrupt_in_process(call: Call, karate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("graphsparse.io.read_graph_with_report", interrupted)
    status, out, err = call("info", karate)
    assert (status, out, err.strip()) == (130, "", "")


def command_line(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """Start the program as a process of its own."""
    command = [sys.executable, "-m", "graphsparse", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **options)


def test_ctrl_c(tmp_path: Path) -> None:
    fifo = tmp_path / "endless.txt"
    os.mkfifo(fifo)
    process = command_line("info", fifo, stdout=subprocess.PIPE)
    writer = os.open(fifo, os.O_WRONLY)  # returns when the reader has opened the other end
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    os.close(writer)
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err


def test_broken_pipe(karate: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = command_line("info", karate, stdout=writer, stdin=subprocess.DEVNULL)
    os.close(writer)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")


def test_doctor(call: Call) -> None:
    status, out, _ = call("doctor", "--json")
    facts = json.loads(out)
    assert status == 0
    assert facts["graphsparse"] == graphsparse.__version__
    assert facts["threads"] == graphsparse.num_threads()
    assert Path(facts["bundled_data"]).is_dir()
    for extra, state in facts["extras"].items():
        assert state["install"] == f"pip install 'graphsparse[{extra}]'"
        assert state["complete"] == all(state["packages"].values())
    assert "threads" in call("doctor")[1]


def test_doctor_names_what_the_gpu_lacks(
    call: Call, gpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = json.loads(call("doctor", "--json")[1])["gpu"]
    assert (found["usable"], found["devices"], found["nvrtc"]) == (True, ["emulated"], "13.0")
    monkeypatch.setattr(gpu.cuda.runtime, "getDeviceCount", lambda: 0)
    launch.forget()
    found = json.loads(call("doctor", "--json")[1])["gpu"]
    assert not found["usable"]
    assert "nvidia-smi" in found["reason"]
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert "pip install 'graphsparse[cuda13]'" in call("doctor")[1]


def test_version_and_help(call: Call) -> None:
    assert call("--version") == (0, f"graphsparse {graphsparse.__version__}\n", "")
    for command in ("", "info", "convert", "sparsify", "train", "datasets", "doctor"):
        status, out, err = call(*command.split(), "--help")
        assert (status, err) == (0, "")
        assert out.startswith(f"Usage: graphsparse {command}".rstrip())
    assert call()[0] == 2
