"""Training on edge-dependent node labels: whole hypergraph or batches of hyperedges."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_count, check_fraction
from graphsparse.loaders import IncidenceNeighborLoader
from graphsparse.models.conhd import CoNHD
from graphsparse.training.epochs import best_of, open_run
from graphsparse.training.heap import keep_freed_memory
from graphsparse.training.incidence_task import IncidenceTask
from graphsparse.training.metrics import F1Scores, f1_scores
from graphsparse.training.projection import L0Projection
from graphsparse.training.state import Best, Callback, Stateful, TrainState

# Weights that may be projected: maps between states, never biases, norms, points, encodings, head.
_PROJECTED = ("in_proj", "msg.", "upd.", ".q.", ".k.", ".v.", ".out.", ".update.")


@dataclasses.dataclass(frozen=True)
class IncidenceOptions:
    """How to train; the defaults are those of the published code, but for whole-graph steps.

    Parameters
    ----------
    epochs : int
        Most epochs.
    lr, decay : float
        Learning rate, and its factor after each epoch.
    weight_decay, eps : float
        Of Adam; the decay is coupled and acts on everything.
    clip : float
        Largest gradient norm of each of features, head and body; 0 for none.
    batch_size : int
        Hyperedges per step; 0 takes all training hyperedges at once.
    fan_members, fan_hyperedges : int
        Limits of the sampler in training, -1 for none.  Scores always see whole neighbourhoods.
    every : int
        Epochs between validations.
    patience : int
        Validations without a better score before the end; 0 for none.
    train_features : bool
        Train the node features, too.
    keep : float
        Fraction of the weights kept by the l0 projection after each step.
    projection : dict
        Further options of :class:`~graphsparse.training.L0Projection`, such as ``scope``.
    split_update : bool
        Project the blocks of the update apart, as ``...update.weight.state``, ``.edge``,
        ``.node`` and ``.source``, each with its own budget; no ``freeze_after`` then.
    reference_quirks : bool
        Give the features of node 0 no gradient, as the published code does.
    checkpoint_every : int
        Epochs between checkpoints of a recipe's run; 0: one a minute.  No result depends on it.
    """

    epochs: int = 100
    lr: float = 1e-3
    decay: float = 0.99
    weight_decay: float = 1e-4
    eps: float = 1e-4
    clip: float = 1.0
    batch_size: int = 0
    fan_members: int = -1
    fan_hyperedges: int = 40
    every: int = 5
    patience: int = 6
    train_features: bool = True
    keep: float = 1.0
    projection: dict[str, Any] = dataclasses.field(default_factory=dict)
    split_update: bool = False
    reference_quirks: bool = False
    checkpoint_every: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "every"):
            check_count(f"train.{name}", getattr(self, name), low=1)
        for name in ("batch_size", "patience", "checkpoint_every"):
            check_count(f"train.{name}", getattr(self, name))
        check_fraction("train.keep", self.keep)
        if self.split_update and self.projection.get("freeze_after") is not None:
            frozen = self.projection["freeze_after"]
            raise ValueError(
                f"train.projection.freeze_after must be left out with split_update, got {frozen}"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class IncidenceResult:
    """What a run gave, at the epoch of the best validation score.

    Attributes
    ----------
    best_epoch, epochs : int
        Counted from 1; epochs run.
    val, test : F1Scores
        Scores at that epoch, whole neighbourhoods.
    x : Tensor
        Node features then.
    weights : dict of str to Tensor
        The model's ``state_dict`` then.
    history : dict of str to list of float
        ``loss`` and ``seconds`` per epoch, ``val`` per validation.
    """

    best_epoch: int
    epochs: int
    val: F1Scores
    test: F1Scores
    x: Tensor
    weights: dict[str, Tensor]
    history: dict[str, list[float]]


@keep_freed_memory()
def train_incidences(
    model: nn.Module,
    task: IncidenceTask,
    options: IncidenceOptions | None = None,
    *,
    seed: int = 0,
    on_epoch: Callable[[int, dict[str, list[float]]], None] | None = None,
    callbacks: Sequence[Callback] = (),
    resume: str | Path | None = None,
) -> IncidenceResult:
    """Train a classifier of incidences and return its scores at the best validation.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(hypergraph or batch, x, pe)``; returns logits of the incidences or of
        the batch's targets.  With ``batch_size`` above 0 a CoNHD.
    task : IncidenceTask
        Data.
    options : IncidenceOptions, optional
        How.
    seed : int
        Of dropout, order and sampling; the weights are the caller's.
    on_epoch : callable, optional
        Called with the epoch and the history.
    callbacks, resume
        As in :func:`~graphsparse.training.train`; the state's model has ``x`` beside ``model``.

    Raises
    ------
    ValueError
        If there is no labelled training incidence.
    FloatingPointError
        If the loss is NaN or infinite.
    """
    options = IncidenceOptions() if options is None else options
    if len(task.rows("train")) == 0:
        raise ValueError("task must have labelled training incidences, got none")
    torch.manual_seed(seed)
    x = nn.Parameter(task.x.clone(), requires_grad=options.train_features)
    groups = parameter_groups(model, x)
    optimizer = torch.optim.Adam(
        [p for group in groups for p in group],
        lr=options.lr,
        eps=options.eps,
        weight_decay=options.weight_decay,
        fused=True,
    )
    stateful: dict[str, Stateful] = {}
    if options.keep < 1.0:
        stateful["projection"] = _project(model, optimizer, options)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, options.decay)
    stateful["schedule"] = schedule
    history: dict[str, list[float]] = {"loss": [], "val": [], "seconds": []}
    state = TrainState(_Trained(model, x), optimizer, task, history=history, stateful=stateful)
    open_run(state, callbacks, resume)
    run = _Run(model, options, x, groups, state)
    batches = _batches(model, task, options, seed)
    over = run.is_over() or (state.epoch > 0 and any(c.is_over(state) for c in callbacks))
    while state.epoch < options.epochs and not over:
        start = time.perf_counter()
        run.epoch(batches(state.epoch))
        schedule.step()
        state.epoch += 1
        history["seconds"].append(time.perf_counter() - start)
        if state.epoch % options.every == 0 or state.epoch == options.epochs:
            run.validate()
        if on_epoch is not None:
            on_epoch(state.epoch, history)
        stops = [callback.on_epoch(state) for callback in callbacks]
        over = run.is_over() or any(stops)
    for callback in callbacks:
        callback.on_end(state)
    return run.result()


class _Trained(nn.Module):
    """Everything that a checkpoint holds weights of."""

    def __init__(self, model: nn.Module, x: nn.Parameter) -> None:
        super().__init__()
        self.model, self.x = model, x


def parameter_groups(model: nn.Module, x: nn.Parameter) -> list[list[nn.Parameter]]:
    """Return features, body and head: what is clipped apart.  Frozen parameters are left out."""
    body: list[nn.Parameter] = []
    head: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (head if name.startswith("head.") else body).append(parameter)
    return [group for group in ([x] if x.requires_grad else [], body, head) if group]


def _project(
    model: nn.Module, optimizer: torch.optim.Optimizer, options: IncidenceOptions
) -> L0Projection:
    """Project after every step of the optimiser; return the projection."""
    weights = projectable(model, split_update=options.split_update)
    projection = L0Projection(weights, options.keep, **options.projection)
    if options.split_update:  # blocks are views, which no optimiser knows
        optimizer.register_step_post_hook(lambda *_: projection.step())
    else:
        projection.attach(optimizer)
    return projection


def projectable(model: nn.Module, *, split_update: bool = False) -> dict[str, Tensor]:
    """Return the weight matrices that the l0 projection may touch, by name.

    With ``split_update`` the update of a CoNHD stands there as views of its blocks.
    """
    found: dict[str, Tensor] = {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.dim() == 2
        and name.endswith("weight")
        and any(part in f".{name}" or name.startswith(part) for part in _PROJECTED)
    }
    if not found:
        raise ValueError("model must have maps between states to project, got none")
    if not split_update:
        return found
    for name in [name for name in found if name.endswith("update.weight")]:
        whole = found.pop(name).detach()
        blocks = whole.split(len(whole), dim=1)
        kinds = ("state", "edge", "node", "source")[-len(blocks) :]
        found |= {f"{name}.{kind}": block for kind, block in zip(kinds, blocks, strict=True)}
    return found


@dataclasses.dataclass
class _Run:
    model: nn.Module
    options: IncidenceOptions
    x: nn.Parameter
    groups: list[list[nn.Parameter]]
    state: TrainState

    def epoch(self, batches: Iterator[tuple[Any, Tensor, Tensor]]) -> None:
        """Take one step per batch: (what the model gets, rows of its logits, their labels)."""
        self.model.train()
        total, count = 0.0, 0
        for data, rows, y in batches:
            self.state.optimizer.zero_grad()
            logits = self.model(data, self.x, self.state.data.pe)
            loss = F.cross_entropy(logits[rows], y)
            value = float(loss.detach())
            if not abs(value) < float("inf"):
                raise FloatingPointError(f"loss must be finite, got {value}")
            loss.backward()
            if self.options.reference_quirks and self.x.grad is not None:
                self.x.grad[0] = 0.0
            if self.options.clip:
                for group in self.groups:
                    nn.utils.clip_grad_norm_(group, self.options.clip)
            self.state.optimizer.step()
            total, count = total + value * len(y), count + len(y)
        self.state.history["loss"].append(total / count)

    @torch.no_grad()
    def validate(self) -> None:
        """Score the present weights; keep them if they are the best so far."""
        self.model.eval()
        state, task = self.state, self.state.data
        logits = self.model(task.hypergraph, self.x, task.pe)
        val = f1_scores(logits, task.y, task.rows("val")).micro
        state.history["val"].append(val)
        if state.best is None or val > state.best.val:
            weights = {n: t.detach().clone() for n, t in state.model.state_dict().items()}
            test = f1_scores(logits, task.y, task.rows("test")).micro
            state.best = Best(state.epoch, val, test, logits, weights)

    def is_over(self) -> bool:
        """Tell whether so many validations in a row were no better that the run ends."""
        if self.state.best is None or not self.options.patience:
            return False
        stale = (self.state.epoch - self.state.best.epoch) // self.options.every
        return stale >= self.options.patience

    def result(self) -> IncidenceResult:
        """Return the scores and weights of the best epoch."""
        state, task, best = self.state, self.state.data, best_of(self.state)
        val, test = (f1_scores(best.logits, task.y, task.rows(part)) for part in ("val", "test"))
        weights = {
            name.removeprefix("model."): tensor
            for name, tensor in best.weights.items()
            if name != "x"
        }
        return IncidenceResult(
            best.epoch, state.epoch, val, test, best.weights["x"], weights, state.history
        )


def _batches(
    model: nn.Module, task: IncidenceTask, options: IncidenceOptions, seed: int
) -> Callable[[int], Iterator[tuple[Any, Tensor, Tensor]]]:
    rows = task.rows("train")
    if options.batch_size == 0:
        return lambda epoch: iter([(task.hypergraph, rows, task.y[rows])])
    if not isinstance(model, CoNHD):
        raise ValueError(
            f"train.batch_size must be 0 for {type(model).__name__}, which takes no batches, "
            f"got {options.batch_size}"
        )
    loader = IncidenceNeighborLoader(
        task.hypergraph,
        np.flatnonzero(task.data.part == 0),
        model.layers,
        fan_members=options.fan_members,
        fan_hyperedges=options.fan_hyperedges,
        batch_size=options.batch_size,
        seed=seed,
    )

    def each(epoch: int) -> Iterator[tuple[Any, Tensor, Tensor]]:
        loader.set_epoch(epoch)
        for batch in loader:
            y = task.y[torch.from_numpy(batch.targets)]
            labelled = (y >= 0).nonzero()[:, 0]
            if len(labelled):
                yield batch, labelled, y[labelled]

    return each
