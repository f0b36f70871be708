"""``graphsparse amud`` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsparse import Graph, amud
from graphsparse.io import read_graph, write_graph

N = 90


@pytest.fixture
def case(tmp_path: Path) -> tuple[Path, Graph, np.ndarray]:
    """Arcs that mostly lead to the next of three classes."""
    rng = np.random.default_rng(6)
    arcs = rng.integers(0, N, (3000, 2))
    arcs = np.unique(arcs[((arcs[:, 1] - arcs[:, 0]) % 3 == 1) | (arcs[:, 0] < 9)], axis=0)
    arcs = arcs[arcs[:, 0] != arcs[:, 1]]
    graph = Graph.from_edges(arcs, num_nodes=N, directed=True)
    write_graph(graph, tmp_path / "g.npz")
    return tmp_path / "g.npz", graph, np.arange(N) % 3


def test_report_and_json(call: Any, case: Any, tmp_path: Path) -> None:
    file, graph, y = case
    labels = tmp_path / "labels.txt"
    labels.write_text("# class of each node\n" + "".join(f"{'abc'[c]}\n" for c in y))
    status, out, err = call("amud", file, "--labels", labels, "--out", tmp_path / "kept.npz", "-q")
    assert (status, err) == (0, "")
    assert out.startswith("directed: the patterns differ by more than 0.5, and significantly")
    assert read_graph(tmp_path / "kept.npz") == graph
    status, out, _ = call("amud", file, "--labels", labels, "--json", "--boot", "5", "-q")
    facts = json.loads(out)
    want = amud(graph, y, n_boot=5)
    assert (status, facts["decision"], facts["confidence"]) == (0, "directed", want.confidence)
    assert facts["patterns"]["AA"]["pairs"] == want.patterns["AA"].pairs
    assert facts["z"] == pytest.approx(want.z)


def test_some_nodes_only(call: Any, case: Any, tmp_path: Path) -> None:
    file, graph, y = case
    (tmp_path / "y.csv").write_text("".join(f"{v},{y[v]}\n" for v in range(0, N, 2)))
    np.save(tmp_path / "y.npy", y)
    (tmp_path / "train.txt").write_text("".join(f"{v}\n" for v in range(0, N, 2)))
    np.save(tmp_path / "train.npy", np.arange(N) % 2 == 0)
    given = [
        ("y.csv", None),
        ("y.npy", "train.txt"),
        ("y.npy", "train.npy"),
    ]
    found = []
    for labels, mask in given:
        options = [] if mask is None else ["--mask", tmp_path / mask]
        status, out, _ = call("amud", file, "--labels", tmp_path / labels, *options, "--json", "-q")
        assert status == 0
        found.append(json.loads(out)["patterns"])
    assert found[0] == found[1] == found[2]
    assert (
        found[0]["AA"]["pairs"] == amud(graph, y, mask=np.arange(N) % 2 == 0).patterns["AA"].pairs
    )


def test_undirected_output(call: Any, case: Any, tmp_path: Path) -> None:
    file, graph, _ = case
    np.save(tmp_path / "y.npy", np.zeros(N))
    out_file = tmp_path / "both.npz"
    status, out, _ = call("amud", file, "--labels", tmp_path / "y.npy", "--out", out_file, "-q")
    assert status == 0
    assert out.startswith("undirected: ")
    assert "note: the 90 nodes that may be used do not decide" in out
    assert read_graph(out_file) == graph.symmetrize()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\nb\n", "labels.txt: one label per node is needed (90), got 2"),
        ("0 a\n90 b\n", "labels.txt:2: expected a node in [0, 90) and its label, got '90 b'"),
        ("0 a\n1\n", "labels.txt:2: expected a node in [0, 90) and its label, got '1'"),
    ],
)
def test_bad_labels(call: Any, case: Any, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labels.txt").write_text(text)
    status, _, err = call("amud", case[0], "--labels", tmp_path / "labels.txt", "-q")
    assert status == 3
    assert message in err
    (tmp_path / "bad.npy").write_bytes(b"no array")
    assert call("amud", case[0], "--labels", tmp_path / "bad.npy", "-q")[0] == 3
    np.save(tmp_path / "y.npy", np.zeros(N))
    (tmp_path / "ids.txt").write_text("90\n")
    status, _, err = call(
        "amud", case[0], "--labels", tmp_path / "y.npy", "--mask", tmp_path / "ids.txt", "-q"
    )
    assert status == 3
    assert "node ids must be in [0, 90)" in err
