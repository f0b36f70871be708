"""State of a run between epochs, and what a callback may see and do."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import torch
from torch import Tensor, nn


def _nothing() -> Tensor:
    return torch.zeros(0)


@dataclasses.dataclass
class Best:
    """The epoch with the best validation score so far.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    val, test : float
        Scores after that epoch.
    logits : Tensor, shape (n, classes)
        Evaluation-mode logits of all nodes; empty when they were not asked for.
    weights : dict of str to Tensor
        Copy of the model's ``state_dict``; empty when copies were not asked for.
    """

    epoch: int
    val: float
    test: float
    logits: Tensor = dataclasses.field(default_factory=_nothing)
    weights: dict[str, Tensor] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class TrainState:
    """Everything that a resumed run needs, and everything that a callback may look at.

    Attributes
    ----------
    model, optimizer, data
        What is being trained, by what, on what: a :class:`NodeData`, a :class:`GraphTask`, ...
    epoch : int
        Epochs finished.
    history : dict of str to list of float
        ``loss``, ``val``, ``test`` and ``seconds`` of every finished epoch.
    best : Best or None
        Best epoch so far.
    stateful : dict of str to Stateful
        Other objects whose state belongs to the run, such as a projection's schedule.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    data: Any
    epoch: int = 0
    history: dict[str, list[float]] = dataclasses.field(
        default_factory=lambda: {"loss": [], "val": [], "test": [], "seconds": []}
    )
    best: Best | None = None
    stateful: dict[str, Stateful] = dataclasses.field(default_factory=dict)


class Stateful(Protocol):
    """An object whose state is a dictionary that JSON can hold."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the state back."""


class Callback:
    """Base of callbacks: every method does nothing."""

    def on_start(self, state: TrainState) -> None:
        """Run before the first epoch, or before the first one after a resume."""

    def on_epoch(self, state: TrainState) -> bool:
        """Run after each epoch; return True to stop."""
        return False

    def is_over(self, state: TrainState) -> bool:
        """Tell whether a run that is resumed in this state had come to its end."""
        return False

    def on_end(self, state: TrainState) -> None:
        """Run after the last epoch."""
