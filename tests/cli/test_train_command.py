"""``graphsparse train``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch_geometric")

RECIPE = """
[data]
name = "digits"
[model]
hidden = 8
[train]
epochs = 4
[edges]
keep = 0.5
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A quick recipe."""
    file = tmp_path / "quick.toml"
    file.write_text(RECIPE)
    return file


def test_train(call: Callable[..., tuple[int, str, str]], recipe: Path, tmp_path: Path) -> None:
    options = ["--seeds", "3,7", "--out", tmp_path / "runs", "--set", "weights.keep=0.25"]
    status, out, err = call("train", recipe, *options, "--json")
    facts = json.loads(out)
    assert (status, err) == (0, "")
    assert [run["seed"] for run in facts["runs"]] == [3, 7]
    assert facts["recipe"]["weights"]["keep"] == 0.25
    tests = [run["test"] for run in facts["runs"]]
    assert facts["test_mean"] == pytest.approx(sum(tests) / 2)
    assert facts["test_std"] == pytest.approx(abs(tests[0] - tests[1]) / 2**0.5)
    for run in facts["runs"]:
        assert run["weights_kept"] == run["weights_total"] // 4
        assert run["epochs"] == 4
    assert len(list((tmp_path / "runs").glob("*.json"))) == 2
    status, out, _ = call("train", recipe, *options)
    assert status == 0
    assert "seed 7        test " in out
    assert f"mean          test {100 * facts['test_mean']:.1f} ± " in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "edges.keap=1"], "unknown key edges.keap"),
        (["--set", "edges.keep=2"], "edges.keep must be in (0, 1], got 2.0"),
        (["--seeds", "3-"], "--seeds must look like"),
        (["--set", 'data.name="digit"'], "no data set is called 'digit'; did you mean digits?"),
    ],
)
def test_wrong_recipes(
    call: Callable[..., tuple[int, str, str]], recipe: Path, options: list[str], message: str
) -> None:
    status, out, err = call("train", recipe, *options)
    assert (status, out) == (2, "")
    assert message in " ".join(err.split())


def test_without_torch(
    call: Callable[..., tuple[int, str, str]], recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("graphsparse.training")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    status, out, err = call("train", recipe)
    assert (status, out) == (4, "")
    assert "pip install 'graphsparse[gnn]'" in err
