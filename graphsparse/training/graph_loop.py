"""The training loop for sets of graphs: shuffled batches, evaluation after each epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_count
from graphsparse.training.callbacks import EarlyStopping
from graphsparse.training.distributed import Replicas
from graphsparse.training.epochs import Scores, best_of, descend, open_run, run_epochs
from graphsparse.training.graphs import GraphBatch, GraphTask
from graphsparse.training.heap import keep_freed_memory
from graphsparse.training.loop import adam
from graphsparse.training.metrics import roc_auc
from graphsparse.training.state import Best, Callback, Stateful, TrainState

_EVALUATE = 512  # graphs of a batch without gradients


@dataclasses.dataclass(frozen=True, eq=False)
class GraphTrainResult:
    """What a run gave.

    Attributes
    ----------
    best_epoch : int
        First epoch of the best validation score, counted from 1.
    val, test : float
        Scores after that epoch.
    epochs : int
        Epochs run.
    history : dict of str to list of float
        ``loss``, ``val``, ``test`` and ``seconds`` per epoch.
    """

    best_epoch: int
    val: float
    test: float
    epochs: int
    history: dict[str, list[float]]


@keep_freed_memory()
def train_graphs(
    model: nn.Module,
    task: GraphTask,
    *,
    epochs: int = 100,
    batch_size: int = 32,
    optimizer: torch.optim.Optimizer | None = None,
    patience: int = 0,
    callbacks: Sequence[Callback] = (),
    stateful: dict[str, Stateful] | None = None,
    resume: str | Path | None = None,
    replicas: Replicas | None = None,
) -> GraphTrainResult:
    """Train on a set of graphs and remember the best validation epoch.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(x, edge_index, edge_attr, ptr)``; returns (graphs, tasks): logits of
        binary targets, or values.
    task : GraphTask
        Graphs, targets, splits, metric.
    epochs : int
        Passes over the training graphs.
    batch_size : int
        Graphs of a step; the last, smaller batch of an epoch is used too unless it is a single
        graph, or has fewer graphs than there are replicas.
    optimizer : torch.optim.Optimizer, optional
        Adam with lr 1e-3 when left out.
    patience : int
        Stop after that many epochs without a better validation score; 0 never.
    callbacks, stateful, resume, replicas
        As in :func:`train`.

    Returns
    -------
    GraphTrainResult

    Raises
    ------
    FloatingPointError
        If the loss is NaN or infinite.
    """
    check_count("epochs", epochs, low=1)
    check_count("batch_size", batch_size, low=1)
    optimizer = adam(model, 1e-3, 0.0) if optimizer is None else optimizer
    callbacks = with_patience(callbacks, patience)
    state = TrainState(model, optimizer, task, stateful=dict(stateful or {}))
    replicas = Replicas() if replicas is None else replicas
    open_run(state, callbacks, resume, replicas)
    run_epochs(
        state,
        epochs,
        lambda state: _epoch(state, batch_size, replicas),
        _evaluate,
        callbacks=callbacks,
        replicas=replicas,
    )
    return result_of(state)


def with_patience(callbacks: Sequence[Callback], patience: int) -> list[Callback]:
    """Return the callbacks, and one that stops after so many epochs; none for 0."""
    return [*callbacks, *([EarlyStopping(patience)] if patience else [])]


def result_of(state: TrainState) -> GraphTrainResult:
    """Return what a finished run gave."""
    top = best_of(state)
    return GraphTrainResult(top.epoch, top.val, top.test, state.epoch, state.history)


def _evaluate(state: TrainState) -> Scores:
    task = state.data
    val, test = (evaluate_graphs(state.model, task, ids) for ids in (task.val, task.test))
    sign = -1.0 if task.metric == "rmse" else 1.0
    if state.best is None or sign * val > sign * state.best.val:
        state.best = Best(state.epoch, val, test)
    return val, test


@torch.no_grad()
def evaluate_graphs(model: nn.Module, task: GraphTask, ids: Tensor) -> float:
    """Return the score of a model on some graphs of a task."""
    model.eval()
    outputs = [_call(model, task.batch(part)) for part in ids.split(_EVALUATE)]
    return score_graphs(torch.cat(outputs), task.whole.y[ids], task.metric)


def score_graphs(output: Tensor, y: Tensor, metric: str) -> float:
    """Return the score of outputs (graphs, tasks); targets that are NaN do not count.

    Parameters
    ----------
    output, y : Tensor, shape (graphs, tasks)
        Logits or values, and targets.
    metric : {"roc_auc", "rmse"}
        A task without both classes does not count for ``"roc_auc"``.
    """
    if metric == "rmse":
        known = ~y.isnan()
        return float((output - y)[known].double().square().mean().sqrt())
    scores = []
    for logits, target in zip(output.T, y.T, strict=True):
        known = ~target.isnan()
        label = target[known].long()
        if 0 < int(label.sum()) < len(label):
            pair = torch.stack([torch.zeros_like(logits[known]), logits[known]], dim=1)
            scores.append(roc_auc(pair, label))
    if not scores:
        raise ValueError("roc_auc needs both classes in one task at least")
    return sum(scores) / len(scores)


def _call(model: nn.Module, batch: GraphBatch) -> Tensor:
    output: Tensor = model(batch.x, batch.edge_index, batch.edge_attr, batch.ptr)
    return output


def _batches(ids: Tensor, size: int, least: int) -> Iterator[Tensor]:
    for part in ids[torch.randperm(len(ids))].split(size):
        if len(part) >= least and (len(part) > 1 or size == 1 or len(ids) == 1):
            yield part


def _epoch(state: TrainState, size: int, replicas: Replicas) -> float:
    task, model = state.data, state.model
    model.train()
    total, count = 0.0, 0
    for ids in _batches(task.train, size, replicas.size):
        batch = task.batch(replicas.shard(ids))
        state.optimizer.zero_grad()
        known = ~batch.y.isnan()
        kind = F.mse_loss if task.metric == "rmse" else F.binary_cross_entropy_with_logits
        with replicas.own_draws():
            loss = kind(_call(model, batch)[known], batch.y[known])
        number = descend(state, loss, int(known.sum()), replicas)
        total, count = total + number * len(ids), count + len(ids)
    return total / count
