"""The training loop: best epoch, resume bit for bit, logs, early stopping, losses, metrics."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score

from graphsparse.graph import Graph
from graphsparse.models import GAT, GCN, GIN, SAGE, SparseMatrix
from graphsparse.training import (
    Callback,
    Checkpoint,
    CheckpointError,
    DistillationLoss,
    EarlyStopping,
    JsonLog,
    L0Projection,
    NodeData,
    TrainState,
    adam,
    load_weights,
    save_weights,
    set_seed,
    train,
)
from graphsparse.training.metrics import accuracy, macro_f1, roc_auc

VECTORS = Path(__file__).parents[1] / "vectors" / "teddy" / "l0_and_losses.json"


@pytest.fixture(scope="module")
def data() -> NodeData:
    return toy_data(53)


def toy_data(seed: int, n: int = 60, classes: int = 3) -> NodeData:
    """Two-block features that tell the class, edges mostly inside classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    pairs = rng.integers(0, n, (4 * n, 2))
    good = (pairs[:, 0] < pairs[:, 1]) & (
        (y[pairs[:, 0]] == y[pairs[:, 1]]) | (rng.random(4 * n) < 0.1)
    )
    graph = Graph.from_edges(np.unique(pairs[good], axis=0), num_nodes=n)
    x = torch.from_numpy(rng.random((n, 40)) < 0.05 + 0.2 * (np.arange(40) % classes == y[:, None]))
    ids = torch.from_numpy(rng.permutation(n))
    split = {"train": ids[:20], "val": ids[20:40], "test": ids[40:]}
    return NodeData(graph, x.float(), torch.from_numpy(y), **split, num_classes=classes)


class StopAt(Callback):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch(self, state: TrainState) -> bool:
        return state.epoch == self.epoch


@pytest.mark.parametrize("make", [GCN, GIN, GAT, SAGE])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_resume_equals_uninterrupted_bit_for_bit(
    data: NodeData, make: type, optimizer: str, tmp_path: Path
) -> None:
    def fresh() -> tuple[torch.nn.Module, torch.optim.Optimizer, dict]:
        model = make(40, 16, 3)
        if optimizer == "adam":
            stepper = adam(model)
        else:
            stepper = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        projection = L0Projection(model, 0.3, schedule="cubic", end=15, freeze_after=18)
        return model, stepper, {"projection": projection.attach(stepper)}

    set_seed(5)
    whole, stepper, items = fresh()
    want = train(whole, data, epochs=25, optimizer=stepper, stateful=items)

    set_seed(5)
    model, stepper, items = fresh()
    path = tmp_path / "run.safetensors"
    parts = [Checkpoint(path, every=4), StopAt(8)]
    train(model, data, epochs=25, optimizer=stepper, stateful=items, callbacks=parts)
    set_seed(99)  # everything below must come from the file
    model, stepper, items = fresh()
    got = train(model, data, epochs=25, optimizer=stepper, stateful=items, resume=path)

    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name
    for key in ("loss", "val", "test"):
        assert got.history[key] == want.history[key]
    assert (got.best_epoch, got.val, got.test) == (want.best_epoch, want.val, want.test)
    assert torch.equal(got.logits, want.logits)
    assert all(torch.equal(got.weights[k], want.weights[k]) for k in want.weights)


def test_sparse_features_train_like_dense_ones(data: NodeData) -> None:

    losses = []
    for x in (data.x, SparseMatrix.from_dense(data.x)):
        set_seed(7)
        losses.append(
            train(GIN(40, 16, 3), dataclasses.replace(data, x=x), epochs=10).history["loss"]
        )
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_plain_module_trains_like_a_backbone(data: NodeData) -> None:
    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = GIN(40, 16, 3)

        def forward(self, x: torch.Tensor, adjacency: object) -> torch.Tensor:
            return self.inner(x, adjacency)

    histories = []
    for make in (Plain, lambda: GIN(40, 16, 3)):
        set_seed(11)
        histories.append(train(make(), data, epochs=6).history)
    assert histories[0]["loss"] == histories[1]["loss"]
    assert histories[0]["val"] == histories[1]["val"]


@pytest.mark.parametrize("best", ["first", "last"])
def test_best_epoch_among_equals(data: NodeData, best: str) -> None:
    set_seed(13)
    result = train(GCN(40, 16, 3), data, epochs=40, best=best)
    val = np.array(result.history["val"])
    tops = np.flatnonzero(val == val.max())
    assert len(tops) > 1, "the toy task must have a plateau"
    assert result.best_epoch == (tops[0] if best == "first" else tops[-1]) + 1
    assert result.test == result.history["test"][result.best_epoch - 1]
    model = GCN(40, 16, 3)
    model.load_state_dict(result.weights)
    model.eval()
    assert torch.equal(model(data.x, data.adjacency), result.logits)


def test_early_stopping_counts_from_the_best_epoch(data: NodeData) -> None:
    set_seed(17)
    result = train(GCN(40, 16, 3), data, epochs=300, callbacks=[EarlyStopping(6)])
    assert result.epochs == result.best_epoch + 6


def test_log_has_one_line_per_epoch_after_a_resume(data: NodeData, tmp_path: Path) -> None:
    log, path = tmp_path / "log.jsonl", tmp_path / "run.safetensors"
    set_seed(19)
    train(
        GIN(40, 8, 3),
        data,
        epochs=9,
        callbacks=[JsonLog(log), Checkpoint(path, every=4), StopAt(6)],
    )
    path_at_4 = path  # on_end saved epoch 6
    train(GIN(40, 8, 3), data, epochs=9, callbacks=[JsonLog(log)], resume=path_at_4)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, 10))
    assert {"loss", "val", "test", "seconds"} <= lines[0].keys()


def test_damaged_and_foreign_checkpoints(data: NodeData, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    train(GIN(40, 8, 3), data, epochs=2, callbacks=[Checkpoint(path)])
    with pytest.raises(CheckpointError, match="does not fit the model"):
        train(GIN(40, 9, 3), data, epochs=3, resume=path)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors"):
        train(GIN(40, 8, 3), data, epochs=3, resume=tmp_path / "nowhere.safetensors")
    whole = path.read_bytes()
    for cut in (0, 5, 200, len(whole) - 7):
        path.write_bytes(whole[:cut])
        with pytest.raises(CheckpointError, match="not a whole safetensors file"):
            train(GIN(40, 8, 3), data, epochs=3, resume=path)
    save_weights(GIN(40, 8, 3), path)
    with pytest.raises(CheckpointError, match="format must be"):
        train(GIN(40, 8, 3), data, epochs=3, resume=path)
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


def test_weights_round_trip(tmp_path: Path) -> None:
    first, second = GAT(5, 4, 3), GAT(5, 4, 3)
    save_weights(first, tmp_path / "w.safetensors")
    load_weights(second, tmp_path / "w.safetensors")
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )


def loss_task(labels: list[int], train_ids: list[int]) -> NodeData:
    n = len(labels)
    ids = torch.tensor(train_ids)
    return NodeData(
        Graph.from_edges([(0, 1)], num_nodes=n), torch.zeros(n, 1), torch.tensor(labels), ids, ids,
        ids, num_classes=3,
    )  # fmt: skip


def test_distillation_vectors() -> None:
    case = json.loads(VECTORS.read_text())["distill"]
    task = loss_task(case["labels"], case["train_index"])
    student = torch.tensor(case["student_logits"], dtype=torch.float64, requires_grad=True)
    loss = DistillationLoss(
        torch.tensor(case["teacher_logits"], dtype=torch.float64), case["lambda_dt"]
    )
    total = loss(student, task)
    total.backward()
    assert loss.divergence(student).item() == pytest.approx(case["kl"], abs=1e-10)
    assert total.item() == pytest.approx(case["total"], abs=1e-10)
    np.testing.assert_allclose(student.grad.numpy(), case["grad_student_logits"], atol=1e-10)


def test_distillation_worked_example() -> None:
    student = torch.tensor([[2.0, 0, -1], [0, 1, 1]], dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor([[1.0, 1, 0], [0, 0, 2]], dtype=torch.float64)
    loss = DistillationLoss(teacher, 10.0)(student, loss_task([0, 0], [0]))
    loss.backward()
    assert loss.item() == pytest.approx(4.000559619925, abs=1e-10)
    want = [[1.9512, -1.4264, -0.5248], [0.2443, 1.5791, -1.8233]]
    np.testing.assert_allclose(student.grad.numpy(), want, atol=5e-5)


def test_distillation_on_some_nodes_ignores_the_others() -> None:
    torch.manual_seed(61)
    teacher, student = torch.randn(6, 3), torch.randn(6, 3)
    nodes = torch.tensor([1, 4])
    some = DistillationLoss(teacher, 1.0, nodes).divergence(student)
    assert some.item() == pytest.approx(
        DistillationLoss(teacher[nodes]).divergence(student[nodes]).item()
    )


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_distillation_refuses_odd_weights(weight: float) -> None:
    with pytest.raises(ValueError, match="weight must be finite and >= 0"):
        DistillationLoss(torch.zeros(2, 2), weight)


@pytest.mark.parametrize("seed", [3, 31, 67])
def test_metrics_equal_sklearn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 50)
    logits = np.round(rng.standard_normal((50, 2)), 1)  # rounding makes ties
    score = torch.from_numpy(logits)
    labels = torch.from_numpy(y)
    difference = (score[:, 1] - score[:, 0]).numpy()
    assert roc_auc(score, labels) == pytest.approx(roc_auc_score(y, difference), abs=1e-12)
    predicted = score.argmax(1).numpy()
    assert accuracy(score, labels) == pytest.approx((predicted == y).mean())
    assert macro_f1(score, labels) == pytest.approx(f1_score(y, predicted, average="macro"))


def test_bad_arguments_are_named(data: NodeData) -> None:
    with pytest.raises(ValueError, match=r"metric must be one of .*, got 'f2'"):
        train(GCN(40, 4, 3), data, metric="f2")
    with pytest.raises(ValueError, match=r"train must hold node ids in \[0, 60\), got 60"):
        dataclasses.replace(data, train=torch.tensor([60]))
    with pytest.raises(FloatingPointError, match="loss must be finite, got nan in epoch 1"):
        train(GIN(40, 4, 3), data, loss=lambda logits, _: logits.sum() * float("nan"))
    with pytest.raises(ValueError, match="roc_auc needs both classes"):
        roc_auc(torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64))
