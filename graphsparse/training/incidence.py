"""Training on edge-dependent node labels: whole hypergraph or batches of hyperedges."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_count, check_fraction
from graphsparse.loaders import IncidenceNeighborLoader
from graphsparse.models.conhd import CoNHD
from graphsparse.training.heap import keep_freed_memory
from graphsparse.training.incidence_task import IncidenceTask
from graphsparse.training.metrics import F1Scores, f1_scores
from graphsparse.training.projection import L0Projection

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

    def __post_init__(self) -> None:
        for name in ("epochs", "every"):
            check_count(f"train.{name}", getattr(self, name), low=1)
        for name in ("batch_size", "patience"):
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
    if options.keep < 1.0:
        _project(model, optimizer, options)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, options.decay)
    run = _Run(model, task, options, x, groups, optimizer)
    best: IncidenceResult | None = None
    batches = _batches(model, task, options, seed)
    for epoch in range(1, options.epochs + 1):
        start = time.perf_counter()
        run.epoch(batches())
        schedule.step()
        run.history["seconds"].append(time.perf_counter() - start)
        if epoch % options.every == 0 or epoch == options.epochs:
            best = run.validate(epoch, best)
        if on_epoch is not None:
            on_epoch(epoch, run.history)
        if best is not None and options.patience:
            stale = (epoch - best.best_epoch) // options.every
            if stale >= options.patience:
                break
    assert best is not None
    return dataclasses.replace(best, epochs=epoch)


def parameter_groups(model: nn.Module, x: nn.Parameter) -> list[list[nn.Parameter]]:
    """Return features, body and head: what is clipped apart.  Frozen parameters are left out."""
    body: list[nn.Parameter] = []
    head: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (head if name.startswith("head.") else body).append(parameter)
    return [group for group in ([x] if x.requires_grad else [], body, head) if group]


def _project(model: nn.Module, optimizer: torch.optim.Optimizer, options: IncidenceOptions) -> None:
    """Project after every step of the optimiser."""
    weights = projectable(model, split_update=options.split_update)
    projection = L0Projection(weights, options.keep, **options.projection)
    if options.split_update:  # blocks are views, which no optimiser knows
        optimizer.register_step_post_hook(lambda *_: projection.step())
    else:
        projection.attach(optimizer)


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
    task: IncidenceTask
    options: IncidenceOptions
    x: nn.Parameter
    groups: list[list[nn.Parameter]]
    optimizer: torch.optim.Optimizer
    history: dict[str, list[float]] = dataclasses.field(
        default_factory=lambda: {"loss": [], "val": [], "seconds": []}
    )

    def epoch(self, batches: Iterator[tuple[Any, Tensor, Tensor]]) -> None:
        """Take one step per batch: (what the model gets, rows of its logits, their labels)."""
        self.model.train()
        total, count = 0.0, 0
        for data, rows, y in batches:
            self.optimizer.zero_grad()
            logits = self.model(data, self.x, self.task.pe)
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
            self.optimizer.step()
            total, count = total + value * len(y), count + len(y)
        self.history["loss"].append(total / count)

    @torch.no_grad()
    def validate(self, epoch: int, best: IncidenceResult | None) -> IncidenceResult:
        """Score the present weights; return them if they are the best so far."""
        self.model.eval()
        task = self.task
        logits = self.model(task.hypergraph, self.x, task.pe)
        val = f1_scores(logits, task.y, task.rows("val"))
        self.history["val"].append(val.micro)
        if best is not None and not val.micro > best.val.micro:
            return best
        weights = {name: t.detach().clone() for name, t in self.model.state_dict().items()}
        test = f1_scores(logits, task.y, task.rows("test"))
        return IncidenceResult(
            epoch, epoch, val, test, self.x.detach().clone(), weights, self.history
        )


def _batches(
    model: nn.Module, task: IncidenceTask, options: IncidenceOptions, seed: int
) -> Callable[[], Iterator[tuple[Any, Tensor, Tensor]]]:
    rows = task.rows("train")
    if options.batch_size == 0:
        return lambda: iter([(task.hypergraph, rows, task.y[rows])])
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

    def each() -> Iterator[tuple[Any, Tensor, Tensor]]:
        for batch in loader:
            y = task.y[torch.from_numpy(batch.targets)]
            labelled = (y >= 0).nonzero()[:, 0]
            if len(labelled):
                yield batch, labelled, y[labelled]

    return each
