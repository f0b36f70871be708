"""What all training loops share: resuming, epochs, their history, evaluations, callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from graphsparse.checks import check_count
from graphsparse.training.checkpoint import load_checkpoint
from graphsparse.training.state import Best, Callback, TrainState

Scores = tuple[float, float]  # validation, test


def open_run(state: TrainState, callbacks: Sequence[Callback], resume: str | Path | None) -> None:
    """Put the state of a checkpoint back, if one is given, and tell the callbacks."""
    if resume is not None:
        load_checkpoint(resume, state)
    for callback in callbacks:
        callback.on_start(state)


def run_epochs(
    state: TrainState,
    epochs: int,
    step: Callable[[TrainState], float],
    evaluate: Callable[[TrainState], Scores],
    *,
    callbacks: Sequence[Callback] = (),
    every: int = 1,
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
    """
    check_count("evaluate_every", every, low=1)
    over = state.epoch > 0 and any(callback.is_over(state) for callback in callbacks)
    while state.epoch < epochs and not over:
        start = time.perf_counter()
        loss = step(state)
        state.epoch += 1
        due = state.epoch % every == 0 or state.epoch == epochs
        val, test = evaluate(state) if due else _last(state)
        seconds = time.perf_counter() - start
        for name, value in (("loss", loss), ("val", val), ("test", test), ("seconds", seconds)):
            state.history[name].append(value)
        stops = [callback.on_epoch(state) for callback in callbacks]
        over = any(stops)
    for callback in callbacks:
        callback.on_end(state)


def best_of(state: TrainState) -> Best:
    """Return the best epoch of a run that is done."""
    if state.best is None:
        raise ValueError("epochs must exceed the epochs of the checkpoint, which has no best epoch")
    return state.best


def _last(state: TrainState) -> Scores:
    val, test = (state.history[name] for name in ("val", "test"))
    return (val[-1], test[-1]) if val else (0.0, 0.0)
