"""``graphsparse datasets``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

Call = Callable[..., tuple[int, str, str]]


def test_list(call: Call) -> None:
    status, out, _ = call("datasets", "list", "--json")
    entries = json.loads(out)["datasets"]
    assert status == 0
    names = [entry["name"] for entry in entries]
    assert {"digits", "delaunay", "cora"} <= set(names)
    status, out, _ = call("datasets", "list", "--task", "node classification")
    assert status == 0
    assert out.startswith("name ")
    assert "delaunay" not in out
    status, out, err = call("datasets", "list", "--task", "cooking")
    assert (status, out) == (2, "")
    assert "task must be one of " in err


def test_info(call: Call) -> None:
    status, out, _ = call("datasets", "info", "cora", "--json")
    facts = json.loads(out)
    assert (status, facts["name"], facts["task"]) == (0, "cora", "node classification")
    assert "public" in facts["splits"]
    assert "node classification" in call("datasets", "info", "Cora")[1]
    status, _, err = call("datasets", "info", "coro")
    assert status == 2
    assert "no data set is called 'coro'; did you mean" in err


def test_get(call: Call, tmp_path: Path) -> None:
    status, out, _ = call("datasets", "get", "digits", "--json")
    facts = json.loads(out)
    assert status == 0
    assert (facts["num_classes"], facts["arrays"]["x"]) == (10, [1797, 64])
    assert "num_nodes=1797" in call("datasets", "get", "digits")[1]


def test_get_offline(call: Call, tmp_path: Path) -> None:
    status, out, err = call("datasets", "get", "Cora", "--root", tmp_path, "--offline")
    assert (status, out) == (4, "")
    assert "is not there and the network is not to be used" in err


def test_make_writes_a_synthetic_folder(call: Call, tmp_path: Path) -> None:
    sizes = ("--nodes", 200, "--edges", 400, "--features", 4, "--classes", 3)
    status, out, _ = call("datasets", "make", "ogbn-like", *sizes, "--out", tmp_path, "--json")
    facts = json.loads(out)
    assert status == 0
    assert facts["synthetic"] is True
    assert (facts["num_nodes"], facts["num_arcs"]) == (200, 400)
    assert (tmp_path / "synthetic_ogbn_like" / "raw" / "data.npz").is_file()
    assert call("datasets", "make", "ogbn-like", *sizes, "--out", tmp_path)[0] == 2
    status, _, err = call("datasets", "make", "ogbg", "--out", tmp_path)
    assert status == 2
    assert "kind must be one of 'ogbn-like', got 'ogbg'" in err
