"""Events that end by themselves: against a slow twin, and taken back."""

from __future__ import annotations

import numpy as np
import pytest

from graphsparse import EdgeBatch
from graphsparse.streaming import EventWindow, sliding_window


def events(rng: np.random.Generator, count: int, start: float) -> EdgeBatch:
    time = start + np.sort(rng.integers(0, 12, count)) / 2.0
    return EdgeBatch(
        np.zeros(count, np.uint8),
        rng.integers(0, 5, count),
        rng.integers(0, 5, count),
        rng.choice([0.1, 1.0, 2.5], count),
        time,
    )


def twin(history: list[EdgeBatch], length: float) -> dict[tuple[int, int], float]:
    """Return the weights that the events of all batches leave at the end."""
    rows = [
        row
        for batch in history
        for row in zip(*(getattr(batch, n).tolist() for n in ("u", "v", "w", "time")), strict=True)
    ]
    now = max((row[3] for row in rows), default=0.0)
    weights: dict[tuple[int, int], float] = {}
    for u, v, w, time in rows:
        if u != v and now < time + length:
            pair = (min(u, v), max(u, v))
            weights[pair] = weights.get(pair, 0.0) + w
    return weights


def follow(weights: dict[tuple[int, int], float], batch: EdgeBatch) -> None:
    columns = (getattr(batch, name).tolist() for name in ("op", "u", "v", "w"))
    for op, u, v, w in zip(*columns, strict=True):
        pair = (min(u, v), max(u, v))
        if u == v:
            continue
        if op == 1:
            del weights[pair]
        else:
            weights[pair] = weights.get(pair, 0.0) + w if op == 0 else w


def same(a: EventWindow, b: EventWindow) -> bool:
    mine, other = a.state(), b.state()
    return all(np.array_equal(mine[name], other[name]) for name in mine)


@pytest.mark.parametrize("seed", range(200))
def test_the_weights_are_those_of_the_live_events(seed: int) -> None:
    rng = np.random.default_rng(seed)
    length = float(rng.choice([0.5, 3.0, 20.0]))
    window, replayed = EventWindow(length), EventWindow(length)
    weights: dict[tuple[int, int], float] = {}
    history: list[EdgeBatch] = []
    start = 0.0
    for _ in range(6):
        batch = events(rng, int(rng.integers(0, 20)), start)
        start += 4.0 if len(batch) == 0 else float(batch.time[-1]) - start
        before = EventWindow.from_state(window.state())
        updates = window.advance(batch)
        window.undo()
        assert same(window, before)
        again = window.advance(batch)
        assert again.op.tolist() == updates.op.tolist()
        assert again.w.tolist() == updates.w.tolist()
        history.append(batch)
        follow(weights, updates)
        replayed.replay(updates)
        assert same(window, replayed)
        if len(batch):
            assert weights == twin(history, length)


def test_sliding_window_says_the_same() -> None:
    batch = events(np.random.default_rng(1), 50, 0.0)
    ours = EventWindow(2.0).advance(batch)
    loops = ours.u == ours.v
    theirs = next(
        sliding_window(batch.u, batch.v, batch.time, window=2.0, w=batch.w, batch_size=500)
    )
    for name in ("op", "u", "v", "w", "time"):
        assert getattr(ours, name)[~loops].tolist() == getattr(theirs, name).tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"op": [0, 1, 0]}, "op must be insert"),
        ({"time": None}, "time must be a finite number"),
        ({"time": [0.0, np.inf, 1.0]}, "time must be a finite number"),
        ({"time": [0.0, 2.0, 1.0]}, "time must not be before 2.0, that of an earlier event"),
        ({"w": [1.0, 0.0, 1.0]}, "w must be above 0"),
    ],
)
def test_what_is_no_event_changes_nothing(change: dict[str, object], message: str) -> None:
    window = EventWindow(1.0)
    columns: dict[str, object] = {
        "op": [0, 0, 0], "u": [0, 1, 2], "v": [1, 2, 3], "w": [1.0, 1.0, 1.0],
        "time": [0.0, 1.0, 2.0],
    }  # fmt: skip
    wrong = EdgeBatch(**{**columns, **change})  # type: ignore[arg-type]
    before = window.state()
    with pytest.raises(ValueError, match=message):
        window.advance(wrong)
    assert all(np.array_equal(before[name], window.state()[name]) for name in before)


def test_a_length_that_is_none() -> None:
    for length in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="window must be above 0"):
            EventWindow(length)


def test_replay_refuses_what_does_not_follow() -> None:
    window = EventWindow(1.0)
    with pytest.raises(ValueError, match="does not end the oldest event"):
        window.replay(EdgeBatch([1], [0], [1], [0.0], [3.0]))
    with pytest.raises(ValueError, match="must have times"):
        window.replay(EdgeBatch([0], [0], [1], [1.0]))
