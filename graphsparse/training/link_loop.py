"""The training loop of link prediction: batches of true pairs, as many false ones, ranking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from graphsparse.checks import check_count
from graphsparse.models.links import LinkModel
from graphsparse.training.distributed import Replicas
from graphsparse.training.epochs import Scores, check_finite, open_run, run_epochs
from graphsparse.training.graph_loop import GraphTrainResult, result_of, with_patience
from graphsparse.training.heap import keep_freed_memory
from graphsparse.training.link_metrics import hits_at, mean_reciprocal_rank, metric_of
from graphsparse.training.links import LinkTask, RankedPairs
from graphsparse.training.loop import adam
from graphsparse.training.state import Best, Callback, Stateful, TrainState

_SCORED = 1 << 16  # pairs that are scored together without gradients
_PART = 1 << 13  # pairs of a step that are scored together
CLIP = 1.0  # largest norm of the gradient of each part, as in ogb's examples


@keep_freed_memory()
def train_links(
    model: LinkModel,
    task: LinkTask,
    *,
    epochs: int = 200,
    batch_size: int = 65536,
    epoch_size: int = 0,
    optimizer: torch.optim.Optimizer | None = None,
    evaluate_every: int = 1,
    patience: int = 0,
    callbacks: Sequence[Callback] = (),
    stateful: dict[str, Stateful] | None = None,
    resume: str | Path | None = None,
    replicas: Replicas | None = None,
) -> GraphTrainResult:
    """Train a link predictor and remember the best validation epoch.

    Parameters
    ----------
    model : LinkModel
        Encodes the whole graph in every step.
    task : LinkTask
        Graph, pairs, metric.
    epochs : int
        Passes over the training pairs.
    batch_size : int
        True pairs of a step; the step draws as many false ones.
    epoch_size : int
        True pairs of an epoch, drawn anew for each; 0: all.
    optimizer : torch.optim.Optimizer, optional
        Adam with lr 0.005 when left out.
    evaluate_every : int
        Epochs between evaluations; the last epoch is always evaluated.
    patience : int
        Stop after that many epochs without a better validation score; 0 never.
    callbacks, stateful, resume, replicas
        As in :func:`train`.

    Returns
    -------
    GraphTrainResult
        ``val`` and ``test`` of an epoch without evaluation repeat those before it.

    Raises
    ------
    FloatingPointError
        If the loss is NaN or infinite.

    Notes
    -----
    The loss is the cross-entropy of true and false pairs; the gradients of encoder,
    predictor and trained vectors are each cut to norm 1.  All
    randomness is torch's generator.  Replicas share the pairs out; each encodes the whole graph.
    """
    check_count("epochs", epochs, low=1)
    optimizer = adam(model, 0.005, 0.0) if optimizer is None else optimizer
    callbacks = with_patience(callbacks, patience)
    state = TrainState(model, optimizer, task, stateful=dict(stateful or {}))
    replicas = Replicas() if replicas is None else replicas
    open_run(state, callbacks, resume, replicas)
    run_epochs(
        state,
        epochs,
        lambda state: _epoch(state, batch_size, epoch_size, replicas),
        _evaluate,
        callbacks=callbacks,
        every=evaluate_every,
        replicas=replicas,
    )
    return result_of(state)


def _evaluate(state: TrainState) -> Scores:
    val, test = evaluate_links(state.model, state.data)  # type: ignore[arg-type]
    if state.best is None or val > state.best.val:
        state.best = Best(state.epoch, val, test)
    return val, test


@torch.no_grad()
def evaluate_links(model: LinkModel, task: LinkTask) -> tuple[float, float]:
    """Return the scores of a model on the validation and the test pairs of a task."""
    model.eval()
    vectors = model.encode(task.x, task.adjacency)
    val, test = (_rank(model, vectors, pairs, task.metric) for pairs in (task.val, task.test))
    return val, test


def _rank(model: LinkModel, vectors: Tensor, pairs: RankedPairs, metric: str) -> float:
    k = metric_of(metric)
    positive = _scores(model, vectors, pairs.positive)
    if k:
        return hits_at(positive, _scores(model, vectors, pairs.negative), k)
    width = pairs.negative.shape[1]
    negative = []
    rows = max(_SCORED // max(width, 1), 1)
    for source, targets in zip(
        pairs.positive[:, 0].split(rows), pairs.negative.split(rows), strict=True
    ):
        both = torch.stack([source[:, None].expand_as(targets), targets], dim=2)
        negative.append(_scores(model, vectors, both.view(-1, 2)).view(targets.shape))
    return mean_reciprocal_rank(positive, torch.cat(negative))


def _scores(model: LinkModel, vectors: Tensor, pairs: Tensor) -> Tensor:
    return torch.cat([model.score(vectors, part) for part in pairs.split(_SCORED)])


def _batches(count: int, size: int, limit: int) -> Iterator[Tensor]:
    order = torch.randperm(count)
    yield from order[: limit or count].split(size)


def _epoch(state: TrainState, size: int, limit: int, replicas: Replicas) -> float:
    task, model = state.data, state.model
    model.train()
    total, count = 0.0, 0
    for ids in _batches(len(task.train), size, limit):
        state.optimizer.zero_grad()
        true, false = task.train[ids], task.false_pairs(len(ids))
        own = [replicas.shard(pairs) for pairs in (true, false)]
        loss = 0.0
        with replicas.own_draws():
            if len(own[0]):
                vectors = model.encode(task.x, task.adjacency)  # type: ignore[operator]
                loss = _descend(model, vectors, torch.cat(own))  # type: ignore[arg-type]
        loss = replicas.average(model.parameters(), loss, len(own[0]))
        check_finite(loss, state.epoch + 1)
        for part in model.children():
            if parameters := list(part.parameters()):
                torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        state.optimizer.step()
        total, count = total + loss * len(ids), count + len(ids)
    return total / count


def _descend(model: LinkModel, vectors: Tensor, pairs: Tensor) -> float:
    """Add the gradients of pairs, the first half of them true, a part at a time; return the loss.

    Parts stay in the cache.  Each costs a pass over the gradient of all vectors.
    """
    leaf = vectors.detach().requires_grad_()
    half = len(pairs) // 2
    sign = torch.ones(len(pairs))
    sign[:half] = -1.0
    size = len(pairs) if model.predictor.kind == "dot" else max(_PART, 2 * len(vectors))
    total = 0.0
    for part, way in zip(pairs.split(size), sign.split(size), strict=True):
        loss = F.softplus(way * model.score(leaf, part)).sum() / half
        loss.backward()
        total += float(loss.detach())
    vectors.backward(leaf.grad)
    return total
