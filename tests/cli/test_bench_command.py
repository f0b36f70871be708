"""``graphsparse bench``: the table and what a leaderboard asks for."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch_geometric")

from graphsparse.training.submission import submission
from graphsparse.training.summary import Summary, markdown_table, pareto_front, score_text

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


def test_bench_of_shares_draws_the_front(call: Call, tmp_path: Path) -> None:
    recipe = tmp_path / "quick.toml"
    recipe.write_text(RECIPE)
    out = tmp_path / "runs"
    shares = ("--edges", "1,0.5", "--weights", "1,0.2")
    status, text, err = call("bench", recipe, "--seeds", "0,1", *shares, "--out", out, "--json")
    assert (status, err) == (0, "")
    arms = json.loads(text)["arms"]
    assert json.loads((out / "ogb_submission.json").read_text()) == arms
    kept = [(arm["edges"]["kept"], arm["matrix_weights"]["zeroed"] > 0) for arm in arms]
    whole = arms[0]["edges"]["total"]
    fewer = kept[2][0]  # TEDDY keeps or drops both arcs of a pair
    assert whole / 2 <= fewer < 0.52 * whole
    assert kept == [(whole, False), (whole, True), (fewer, False), (fewer, True)]
    drawing = (out / "front.svg").read_text()
    assert drawing.count("<circle") >= 4 + 1  # four arms, and a ring round the front
    assert "100% of the edges" in drawing
    assert "51% of the edges" in drawing
    table = (out / "results.md").read_text()
    assert table.count("| 2 |") == 4
    assert "**" in table
    for wrong in ("0", "2", "0.5,0.5", "x"):
        status, _, err = call("bench", recipe, "--edges", wrong, "--out", out)
        assert status != 0
        assert "--edges must list fractions in (0, 1] once" in err


def arm_of(edges: float, weights: float, score: float, metric: str = "accuracy") -> Summary:
    """Return a summary with those figures."""
    return Summary("a", 1, metric, 0.5, score, math.nan, edges, weights, math.nan, 1.0, 1.0)


def test_front_is_what_no_arm_dominates() -> None:
    arms = [arm_of(10, 9, 0.8), arm_of(5, 9, 0.8), arm_of(5, 3, 0.7), arm_of(6, 3, 0.7),
            arm_of(5, 3, 0.7), arm_of(2, 9, 0.1), arm_of(2, 1, 0.1)]  # fmt: skip
    assert pareto_front(arms) == [False, True, True, False, True, False, True]
    errors = [arm_of(10, 9, 1.5, "rmse"), arm_of(5, 9, 1.2, "rmse")]
    assert pareto_front(errors) == [False, True]
    assert score_text(errors[1]) == "1.200"
    assert markdown_table(arms).count("**") == 8


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
