"""``graphsparse bench``: the table and what a leaderboard asks for."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch_geometric")

from graphsparse.training.submission import submission

Call = Callable[..., tuple[int, str, str]]
RECIPE = """
[data]
name = "digits"
[model]
hidden = 8
[train]
epochs = 3
[weights]
keep = 0.25
"""


def test_bench_writes_table_and_submission(call: Call, tmp_path: Path) -> None:
    recipe = tmp_path / "quick.toml"
    recipe.write_text(RECIPE)
    out = tmp_path / "runs"
    status, text, err = call("bench", recipe, "--seeds", "0-2", "--out", out, "--json")
    printed = json.loads(text)
    facts = json.loads((out / "ogb_submission.json").read_text())
    assert (status, err) == (0, "")
    assert printed == {**facts, "seconds": printed["seconds"]}
    scores = facts["test"]["scores"]
    assert facts["seeds"] == [0, 1, 2]
    assert facts["test"]["mean"] == pytest.approx(sum(scores) / 3)
    assert facts["test"]["std"] == pytest.approx(statistics.stdev(scores))
    weights = facts["matrix_weights"]
    assert weights["kept"] + weights["zeroed"] == weights["total"]
    assert weights["kept"] == weights["total"] // 4
    assert facts["parameters"] >= weights["total"]
    assert set(facts["versions"]) >= {"python", "graphsparse", "torch"}
    assert facts["hardware"]["cores"] >= 1
    assert facts["synthetic"] is False
    assert "digits gcn | 3 |" in (out / "results.md").read_text()
    status, text, _ = call("bench", recipe, "--seeds", "0-2", "--out", out, "--quiet")
    assert status == 0
    assert "over 3 seeds" in text


def test_one_run_has_no_deviation_and_none_is_refused() -> None:
    result = {
        "test": 0.5, "val": 0.6, "weights_kept": 3, "weights_total": 4, "edges_kept": 1,
        "edges_total": 2, "seconds": {"train": 1.0}, "metric": "hits@20",
    }  # fmt: skip
    recipe = {"data": {"name": "synthetic-ogbn-like"}, "model": {"name": "gcn"}, "train": {}}
    facts = submission([{"seed": 4, "recipe": recipe, "result": result}], ["graphsparse"])
    assert facts["test"] == {"mean": 0.5, "std": None, "scores": [0.5]}
    assert facts["metric"] == "hits@20"
    assert facts["synthetic"] is True
    with pytest.raises(ValueError, match="runs must not be empty"):
        submission([], [])
