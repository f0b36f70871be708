"""Runs that were stopped go on with the same bits, in every loop; checkpoints are named."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import killing
import pytest
import torch

from graphsparse.models import SAGE, LinkModel, LinkPredictor, NodeEmbedding
from graphsparse.training import (
    Checkpoint,
    CheckpointError,
    JsonLog,
    L0Projection,
    adam,
    set_seed,
    train,
    train_graphs,
    train_links,
)
from graphsparse.training import experiment as experiments
from graphsparse.training.checkpoint import checkpoint_run
from graphsparse.training.experiment import Experiment
from graphsparse.training.graph_experiment import build_graph_model
from graphsparse.training.incidence_recipe import IncidenceRecipe, run_name
from graphsparse.training.recipe import Recipe, RecipeError
from graphsparse.training.run_files import RunOptions
from graphsparse.training.sweep import Arm, run_key, sweep

SMALL = Recipe.from_dict(
    {"model": {"hidden": 8}, "train": {"epochs": 6, "checkpoint_every": 2, "deterministic": True}}
)


@pytest.fixture(autouse=True)
def any_operation_again() -> Any:
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*killing.RECIPES, "incidences"])
def test_killed_runs_end_with_the_same_bits(name: str, tmp_path: Path) -> None:
    job = killing.Job(name)
    seconds = killing.uninterrupted(job, tmp_path / "whole")
    killing.killed(job, tmp_path / "killed", seconds, random.Random(len(name)))
    assert job.outcome(tmp_path / "killed") == job.outcome(tmp_path / "whole")


def graphs(**options: Any) -> tuple[torch.nn.Module, Any]:
    set_seed(3)
    task = killing.graph_task(40)
    model = build_graph_model(killing.RECIPES["graphs"].model, task)
    return model, train_graphs(model, task, batch_size=8, **projected(model), **options)


def links(**options: Any) -> tuple[torch.nn.Module, Any]:
    set_seed(3)
    task = killing.link_task(80)
    model = LinkModel(SAGE(8, 8, 8), LinkPredictor(8), NodeEmbedding(80, 8))
    options = {"batch_size": 90, "evaluate_every": 2, **options}
    return model, train_links(model, task, **projected(model), **options)


def projected(model: torch.nn.Module) -> dict[str, Any]:
    optimizer = adam(model)
    projection = L0Projection(model, 0.3, scope="layer", schedule="cubic", end=12, freeze_after=20)
    return {"optimizer": optimizer, "stateful": {"projection": projection.attach(optimizer)}}


@pytest.mark.parametrize("loop", [graphs, links])
def test_loops_resume_with_the_same_bits(loop: Callable[..., Any], tmp_path: Path) -> None:
    path, log = tmp_path / "state", tmp_path / "log"
    whole, want = loop(epochs=8)
    loop(epochs=5, callbacks=[Checkpoint(path, 3, at_end=False), JsonLog(log)])
    assert checkpoint_run(path) == ("", 3)
    model, got = loop(epochs=8, resume=path, callbacks=[JsonLog(log)])
    for key in ("loss", "val", "test"):
        assert got.history[key] == want.history[key]
    assert (got.best_epoch, got.val, got.test) == (want.best_epoch, want.val, want.test)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name
    assert len(log.read_text().splitlines()) == 8


def test_checkpoints_by_time(tmp_path: Path) -> None:
    path, data = tmp_path / "state", killing.node_task(100)
    for seconds, there in ((0.0, True), (1e9, False), (None, False)):
        saving = Checkpoint(path, 0, seconds=seconds, at_end=False)
        train(SAGE(16, 4, 3), data, epochs=2, callbacks=[saving])
        assert path.exists() == there
        path.unlink(missing_ok=True)
    train(SAGE(16, 4, 3), data, epochs=2, callbacks=[Checkpoint(path, 0, run="mine")])
    assert checkpoint_run(path) == ("mine", 2)
    with pytest.raises(RecipeError, match="train.checkpoint_every must be >= 0, got -1"):
        SMALL.replace(train={"checkpoint_every": -1})


class Stopped(Exception):
    """Stands for the end of a process."""


def stopped_sweep(recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stop a run after its training and before its result; return the checkpoint."""

    def stop(*_: Any, **__: Any) -> Any:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(experiments, "run_figures", stop)
        with pytest.raises(Stopped):
            sweep(Experiment(killing.node_task(100)), [Arm("a", recipe)], [1], folder)
    return folder / f"{run_key(recipe, 1)}.ckpt.safetensors"


def again(recipe: Recipe, folder: Path, resume: bool = True) -> tuple[dict[str, Any], list[str]]:
    notes: list[str] = []
    options = RunOptions(resume, save_weights=True, note=notes.append)
    data = killing.node_task(100)
    (run,) = sweep(Experiment(data), [Arm("a", recipe)], [1], folder, options=options)
    return {k: v for k, v in run["result"].items() if k != "seconds"}, notes


def test_a_run_that_had_come_to_its_end_trains_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = SMALL.replace(train={"epochs": 300, "patience": 3, "checkpoint_every": 1})
    path = stopped_sweep(recipe, tmp_path / "a", monkeypatch)
    _, epoch = checkpoint_run(path)
    got, notes = again(recipe, tmp_path / "a")
    assert notes == [f"{run_key(recipe, 1)}: going on after epoch {epoch}"]
    assert epoch < 300
    assert got == again(recipe, tmp_path / "b")[0]
    assert got["epochs"] == epoch
    assert not path.exists()


def test_without_resume_a_checkpoint_is_told_and_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stopped_sweep(SMALL, tmp_path, monkeypatch)
    part = tmp_path / f".{path.name}.77.part"
    part.write_bytes(b"half")
    (note,) = again(SMALL, tmp_path, resume=False)[1]
    assert note.startswith(f"{path} is left from a run that was stopped: starting anew")
    assert not path.exists()
    assert not part.exists()


def test_a_result_that_is_there_clears_what_is_left(tmp_path: Path) -> None:
    again(SMALL, tmp_path)
    key = run_key(SMALL, 1)
    left = tmp_path / f"{key}.ckpt.safetensors"
    left.write_bytes(b"written before the result")
    (tmp_path / f"{key}.weights.safetensors").unlink()
    _, notes = again(SMALL, tmp_path)
    assert not left.exists()
    assert notes == [f"{tmp_path / key}.json is there without weights: delete it to run again"]


def test_checkpoints_of_other_recipes_and_damaged_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stopped_sweep(SMALL, tmp_path, monkeypatch)
    other = SMALL.replace(train={"lr": 0.5})
    theirs = tmp_path / f"{run_key(other, 1)}.ckpt.safetensors"
    path.rename(theirs)
    with pytest.raises(CheckpointError, match=f"is of the run '{run_key(SMALL, 1)}', expected"):
        again(other, tmp_path)
    theirs.write_bytes(theirs.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        again(other, tmp_path)


def test_checkpoints_change_no_name_of_a_run() -> None:
    plain = Recipe.from_dict({"data": {"name": "Cora"}})
    assert run_key(plain.replace(train={"checkpoint_every": 9}), 3) == run_key(plain, 3)
    assert run_key(plain, 3) == "Cora-gcn-3-7e5b39233ce8"
    incidences = IncidenceRecipe.from_dict({"train": {"checkpoint_every": 4}})
    assert (
        run_name(incidences, 3)
        == run_name(IncidenceRecipe(), 3)
        == "hypergraph-conhd-3-78768780d17c"
    )
