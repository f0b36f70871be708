"""What TensorBoard reads back is the history."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import killing
import pytest

pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from graphsparse.errors import MissingDependencyError
from graphsparse.models import SAGE
from graphsparse.training import Checkpoint, TensorBoardLog, set_seed, train, train_graphs
from graphsparse.training.graph_experiment import build_graph_model
from graphsparse.training.incidence import IncidenceOptions, train_incidences
from graphsparse.training.incidence_baselines import IncidenceMLP
from graphsparse.training.incidence_task import load_incidence_task
from graphsparse.training.run_files import RunOptions


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    tags = events.Tags()["scalars"]
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}


def written(history: dict[str, list[float]]) -> dict[str, list[tuple[int, Any]]]:
    return {
        name: [(at, pytest.approx(value, rel=1e-6)) for at, value in enumerate(values, 1)]
        for name, values in history.items()
    }


def test_nodes_with_a_resumed_run(tmp_path: Path) -> None:
    data, path, log = killing.node_task(100), tmp_path / "state", TensorBoardLog(tmp_path / "log")
    train(SAGE(16, 4, 3), data, epochs=5, callbacks=[log, Checkpoint(path, 3, at_end=False)])
    assert [step for step, _ in read(log.folder)["loss"]] == [1, 2, 3, 4, 5]
    again = TensorBoardLog(log.folder)
    result = train(SAGE(16, 4, 3), data, epochs=6, callbacks=[again], resume=path)
    assert read(log.folder) == written(result.history)  # what came after epoch 3 is written anew


def test_graphs_and_incidences(tmp_path: Path) -> None:
    set_seed(3)
    task = killing.graph_task(40)
    model = build_graph_model(killing.RECIPES["graphs"].model, task)
    result = train_graphs(model, task, epochs=2, callbacks=[TensorBoardLog(tmp_path / "graphs")])
    assert read(tmp_path / "graphs") == written(result.history)
    bundled = load_incidence_task("hypergraph", dim=8)
    pe_dim = 0 if bundled.pe is None else bundled.pe.shape[1]
    mlp = IncidenceMLP(8, pe_dim, 8, bundled.num_classes, 0.0)
    options = IncidenceOptions(epochs=4, every=3)
    log = TensorBoardLog(tmp_path / "incidences")
    history = train_incidences(mlp, bundled, options, callbacks=[log]).history
    found = read(tmp_path / "incidences")
    assert found["loss"] == written(history)["loss"]
    assert found["val"][0] == (3, pytest.approx(history["val"][0]))


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    makers: list[Callable[[], Any]] = [
        lambda: TensorBoardLog(tmp_path),
        lambda: RunOptions(tensorboard=tmp_path),
    ]
    for make in makers:
        with pytest.raises(MissingDependencyError, match=r"pip install 'graphsparse\[tensorboard"):
            make()
