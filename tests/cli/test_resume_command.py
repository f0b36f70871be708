"""``graphsparse train --resume``, killed from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch_geometric")

RECIPE = """
[data]
name = "digits"
[model]
hidden = 16
[train]
epochs = 120
deterministic = true
checkpoint_every = 10
[weights]
keep = 0.25
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe that takes a second or two."""
    file = tmp_path / "recipe.toml"
    file.write_text(RECIPE)
    return file


def command(recipe: Path, out: Path) -> list[str]:
    options = ["--save-weights", "--resume", "--json", "--out", str(out)]
    return [sys.executable, "-m", "graphsparse", "train", str(recipe), *options]


@pytest.mark.slow
def test_killed_command_goes_on(recipe: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole = subprocess.run(
        command(recipe, tmp_path / "whole"), env=environment, capture_output=True, check=True
    )
    child = subprocess.Popen(
        command(recipe, tmp_path / "killed"), env=environment, stdout=subprocess.DEVNULL
    )
    while not list((tmp_path / "killed").glob("*.ckpt.safetensors")) and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    rest = subprocess.run(
        command(recipe, tmp_path / "killed"), env=environment, capture_output=True, check=True
    )
    assert b"going on after epoch" in rest.stderr
    one, two = (json.loads(done.stdout)["runs"][0] for done in (whole, rest))
    assert one["epochs"] == two["epochs"] == 120
    assert (one["test"], one["best_epoch"]) == (two["test"], two["best_epoch"])
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "killed").iterdir())
    weights = next(name for name in names if name.endswith(".weights.safetensors"))
    assert (tmp_path / "whole" / weights).read_bytes() == (
        tmp_path / "killed" / weights
    ).read_bytes()


def test_remarks_go_to_stderr_and_errors_have_a_status(
    call: Callable[..., tuple[int, str, str]], recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    options = ["--set", "train.epochs=2", "--out", out, "--json"]
    assert call("train", recipe, *options)[0] == 0
    (result,) = out.iterdir()
    left = result.with_suffix(".ckpt.safetensors")
    for command_ in ("train", "bench"):
        result.unlink()
        left.write_bytes(b"no checkpoint")
        status, _, err = call(command_, recipe, *options, "--seeds", "0", "--resume")
        assert (status, err.count("not a whole safetensors file")) == (2, 1)
        status, text, err = call(command_, recipe, *options, "--seeds", "0")
        assert (status, err.count("is left from a run that was stopped")) == (0, 1)
        assert json.loads(text)
        assert not left.exists()


def test_event_files_lie_below_the_folder_that_was_named(
    call: Callable[..., tuple[int, str, str]], recipe: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    options = ["--set", "train.epochs=2", "--out", tmp_path / "runs", "--seeds", "0,1"]
    assert call("train", recipe, *options, "--tensorboard", tmp_path / "events")[0] == 0
    runs = sorted(path.stem for path in (tmp_path / "runs").iterdir())
    assert sorted(path.name for path in (tmp_path / "events").iterdir()) == runs
    assert all(list(folder.glob("events*")) for folder in (tmp_path / "events").iterdir())
