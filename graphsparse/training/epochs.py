"""What all training loops share: resuming, epochs, their history, evaluations, callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from graphsparse.checks import check_count
from graphsparse.training.checkpoint import load_checkpoint
from graphsparse.training.distributed import Replicas
from graphsparse.training.projection import L0Projection
from graphsparse.training.state import Best, Callback, TrainState

Scores = tuple[float, float]  # validation, test


def open_run(
    state: TrainState,
    callbacks: Sequence[Callback],
    resume: str | Path | None,
    replicas: Replicas | None = None,
) -> None:
    """Put the state of a checkpoint back, if one is given, and tell the callbacks."""
    if resume is not None:
        load_checkpoint(resume, state)
    if replicas is not None:
        replicas.start(state.model)
    for callback in callbacks if replicas is None or replicas.is_first else ():
        callback.on_start(state)


def descend(state: TrainState, loss: Tensor | None, count: int, replicas: Replicas) -> float:
    """Take a step down the mean loss of a batch, of which ``count`` items are this replica's.

    Raises
    ------
    FloatingPointError
        If the loss is NaN or infinite; the weights stay as they were.
    """
    number = replicas.descend(state.model.parameters(), loss, count)
    check_finite(number, state.epoch + 1)
    state.optimizer.step()
    return number


def check_finite(loss: float, epoch: int) -> None:
    """Refuse a loss that is NaN or infinite."""
    if not abs(loss) < float("inf"):
        raise FloatingPointError(f"loss must be finite, got {loss} in epoch {epoch}")


def run_epochs(
    state: TrainState,
    epochs: int,
    step: Callable[[TrainState], float],
    evaluate: Callable[[TrainState], Scores],
    *,
    callbacks: Sequence[Callback] = (),
    every: int = 1,
    replicas: Replicas | None = None,
) -> None:
    """Run the epochs that are missing.

    Parameters
    ----------
    state : TrainState
        Changed in place.
    epochs : int
        In all.
    step : callable
        Trains for one epoch and returns its loss; ``state.epoch`` epochs are finished then.
    evaluate : callable
        Returns the scores after ``state.epoch`` epochs, and keeps the best in ``state.best``.
    callbacks : sequence of Callback
        Asked after each epoch whether to stop.
    every : int
        Epochs between evaluations, and the last one; between them scores repeat.
    replicas : Replicas, optional
        Who share the batches out.  Callbacks and evaluations run on the first only.
    """
    check_count("evaluate_every", every, low=1)
    replicas = Replicas() if replicas is None else replicas
    over = state.epoch > 0 and replicas.agree(lambda: any(c.is_over(state) for c in callbacks))
    while state.epoch < epochs and not over:
        start = time.perf_counter()
        replicas.start_epoch(state.epoch)
        loss = step(state)
        state.epoch += 1
        _check_same(state, replicas)
        due = state.epoch % every == 0 or state.epoch == epochs
        val, test = _scores(state, evaluate, replicas) if due else _last(state)
        seconds = time.perf_counter() - start
        for name, value in (("loss", loss), ("val", val), ("test", test), ("seconds", seconds)):
            state.history[name].append(value)
        over = replicas.agree(lambda: _told(state, callbacks))
    for callback in callbacks if replicas.is_first else ():
        callback.on_end(state)


def _told(state: TrainState, callbacks: Sequence[Callback]) -> bool:
    """Tell all callbacks that an epoch is done; return whether one of them stops the run."""
    stops = [callback.on_epoch(state) for callback in callbacks]
    return any(stops)


def _check_same(state: TrainState, replicas: Replicas) -> None:
    """Refuse replicas that have come apart, supports of projections first."""
    if replicas.size == 1:
        return
    for name, item in state.stateful.items():
        if isinstance(item, L0Projection):
            replicas.check_same(f"epoch {state.epoch}: masks of {name}", item.export_mask())
    replicas.check_same(f"epoch {state.epoch}: weights", state.model.state_dict())


def _scores(
    state: TrainState, evaluate: Callable[[TrainState], Scores], replicas: Replicas
) -> Scores:
    """Evaluate on the first replica; the others get the scores and the best epoch from it."""

    def first() -> list[float]:
        scores, top = evaluate(state), best_of(state)
        return [*scores, top.epoch, top.val, top.test]

    if replicas.size == 1:
        return evaluate(state)
    val, test, *best = replicas.agree(first)
    if not replicas.is_first:
        state.best = Best(*best)
    return val, test


def best_of(state: TrainState) -> Best:
    """Return the best epoch of a run that is done."""
    if state.best is None:
        raise ValueError("epochs must exceed the epochs of the checkpoint, which has no best epoch")
    return state.best


def _last(state: TrainState) -> Scores:
    val, test = (state.history[name] for name in ("val", "test"))
    return (val[-1], test[-1]) if val else (0.0, 0.0)
