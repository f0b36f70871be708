"""The training loop: one epoch, evaluation after it, the best epoch kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graphsparse.checks import check_choice, check_count
from graphsparse.training.data import NodeData
from graphsparse.training.distill import Loss, supervised_loss
from graphsparse.training.distributed import Replicas
from graphsparse.training.edge_plan import EdgePlan
from graphsparse.training.epochs import Scores, best_of, open_run, run_epochs
from graphsparse.training.heap import keep_freed_memory
from graphsparse.training.metrics import Metric, metric_by_name
from graphsparse.training.passes import Passes, make_passes
from graphsparse.training.state import Best, Callback, Stateful, TrainState
from graphsparse.training.weights import is_kept_dense


@dataclasses.dataclass(frozen=True, eq=False)
class TrainResult:
    """What a run gave.

    Attributes
    ----------
    best_epoch : int
        Epoch of the best validation score, counted from 1.
    val, test : float
        Scores after that epoch.
    logits : Tensor, shape (n, classes)
        Evaluation-mode logits at that epoch: the teacher of a distillation; no rows with
        ``keep_logits=False``.
    weights : dict of str to Tensor
        The model's ``state_dict`` at that epoch, or empty with ``keep_weights=False``.
    epochs : int
        Epochs run, all resumed parts together.
    history : dict of str to list of float
        ``loss``, ``val``, ``test`` and ``seconds`` per epoch.  Models of rows are tested at a new
        best epoch only; between those ``test`` repeats.
    """

    best_epoch: int
    val: float
    test: float
    logits: Tensor
    weights: dict[str, Tensor]
    epochs: int
    history: dict[str, list[float]]


def adam(model: nn.Module, lr: float = 0.01, weight_decay: float = 5e-4) -> torch.optim.Adam:
    """Return Adam with coupled weight decay, in its fused form.

    Parameters that their module names in ``no_sparsify`` (biases, gains, ``eps``, ... of
    GIN-attention) have no weight decay.
    """
    named = list(model.named_parameters())
    free = [p for name, p in named if is_kept_dense(model, name)]
    if not free:
        return torch.optim.Adam(model.parameters(), lr=lr, weight_decay=weight_decay, fused=True)
    decayed = [p for name, p in named if not is_kept_dense(model, name)]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.Adam(groups, lr=lr, weight_decay=weight_decay, fused=True)


def set_seed(seed: int, *, deterministic: bool | None = None) -> None:
    """Seed torch; True also forbids operations that are not repeatable, False allows them again."""
    torch.manual_seed(check_count("seed", seed, high=2**63 - 1))
    if deterministic is not None:
        torch.use_deterministic_algorithms(deterministic)


@keep_freed_memory()
def train(
    model: nn.Module,
    data: NodeData,
    *,
    epochs: int = 200,
    optimizer: torch.optim.Optimizer | None = None,
    loss: Loss = supervised_loss,
    metric: str | Metric = "accuracy",
    best: str = "first",
    callbacks: Sequence[Callback] = (),
    stateful: dict[str, Stateful] | None = None,
    keep_weights: bool = True,
    keep_logits: bool = True,
    resume: str | Path | None = None,
    features: Tensor | None = None,
    batch_size: int = 0,
    fanouts: Sequence[int] = (),
    edges: EdgePlan | None = None,
    prefetch_threads: int = 1,
    evaluate_every: int = 1,
    replicas: Replicas | None = None,
) -> TrainResult:
    """Train a node classifier and remember its best validation epoch.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(x, adjacency)``; returns logits of shape (n, classes).  A
        :class:`~graphsparse.models.Backbone` computes what training and evaluation share once.  A
        :class:`~graphsparse.models.RowModel` (ADPA) is called with rows of precomputed features.
    data : NodeData
        Graph, features, labels, splits.
    epochs : int
        Steps in all, the resumed ones included.
    optimizer : torch.optim.Optimizer, optional
        Adam with lr 0.01 and weight decay 5e-4 when left out.  A projection that is to act
        after each step is attached to it.
    loss : callable
        ``loss(logits, data)``; see :class:`~graphsparse.training.DistillationLoss`.
    metric : str or callable
        ``"accuracy"``, ``"roc_auc"``, ``"macro_f1"`` or ``metric(logits, labels)``.
    best : {"first", "last"}
        Which epoch counts among those of equal best validation score.
    callbacks : sequence of Callback
        Early stopping, checkpoints, logs.
    stateful : dict of str to Stateful, optional
        Objects whose state goes into checkpoints.
    keep_weights : bool
        Copy the weights at each new best epoch.
    keep_logits : bool
        Keep the logits of the best epoch; without them checkpoints are small.
    resume : str or Path, optional
        Checkpoint to go on from.
    features : Tensor, optional
        What ``model.precompute`` returns, for a model of rows; computed when left out.
    batch_size : int
        Training nodes of a step, for a model of rows or with fan-outs; 0: all of them.
    fanouts : sequence of int
        Neighbours drawn in each hop for a batch, one hop per layer; -1 takes all.  Evaluation is
        always on the whole graph.
    edges : EdgePlan, optional
        What batches or epochs leave out of the graph; with fan-outs only.
    prefetch_threads : int
        Threads that draw batches ahead; they change no result.
    evaluate_every : int
        Epochs between evaluations, and the last one; between them scores repeat.
    replicas : Replicas, optional
        Processes that share each batch out; see :func:`~graphsparse.training.launched`.  Logits
        and weights of the best epoch are the first one's.

    Returns
    -------
    TrainResult

    Raises
    ------
    FloatingPointError
        If the loss is NaN or infinite.

    Notes
    -----
    Bits depend on torch's seed, not on the number of our threads; a resumed run equals an
    uninterrupted one bit for bit.
    """
    check_count("epochs", epochs, low=1)
    check_choice("best", best, ("first", "last"))
    measure = metric_by_name(metric) if isinstance(metric, str) else metric
    optimizer = adam(model) if optimizer is None else optimizer
    state = TrainState(model, optimizer, data, stateful=dict(stateful or {}))
    open_run(state, callbacks, resume, replicas)
    size = check_count("batch_size", batch_size)
    drawing: dict[str, Any] = {"edges": edges, "threads": prefetch_threads, "replicas": replicas}
    passes = make_passes(model, data, features, size, fanouts, **drawing)
    run_epochs(
        state,
        epochs,
        lambda state: passes.step(state, loss),
        lambda state: _evaluate(state, passes, measure, best, (keep_logits, keep_weights)),
        callbacks=callbacks,
        every=evaluate_every,
        replicas=replicas,
    )
    return _result(state)


def _evaluate(
    state: TrainState, passes: Passes, metric: Metric, best: str, keep: tuple[bool, bool]
) -> Scores:
    """Score the present weights; keep their logits and weights, as told, if they are the best."""
    data, old = state.data, state.best
    val = metric(passes.validate(), data.y[data.val])
    better = old is None or val > old.val or (best == "last" and val == old.val)
    test = old.test if old is not None else 0.0
    if not better and not passes.tests_every_epoch:
        return val, test
    logits = passes.all_logits()
    test = metric(logits[data.test], data.y[data.test])
    if better:
        weights = state.model.state_dict() if keep[1] else {}
        copies = {name: tensor.detach().clone() for name, tensor in weights.items()}
        state.best = Best(state.epoch, val, test, logits if keep[0] else logits[:0].clone(), copies)
    return val, test


def _result(state: TrainState) -> TrainResult:
    top = best_of(state)
    return TrainResult(
        top.epoch, top.val, top.test, top.logits, top.weights, state.epoch, state.history
    )
