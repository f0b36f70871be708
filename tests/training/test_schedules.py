"""Schedules against their formulas and the worked examples."""

from __future__ import annotations

import math

import pytest

from graphsparse.training import Schedule


def removed(schedule: Schedule, step: int, keep: float) -> float:
    return 1.0 - schedule.keep_at(step, keep)


def test_constant() -> None:
    schedule = Schedule(start=3, every=2)
    assert [step for step in range(9) if schedule.is_due(step)] == [3, 5, 7]
    assert [schedule.keep_at(step, 0.3) for step in (0, 2, 3, 900)] == [1.0, 1.0, 0.3, 0.3]


def test_cubic_worked_example() -> None:
    schedule = Schedule("cubic", end=10)
    shares = [0, 0.2439, 0.4392, 0.5913, 0.7056, 0.7875, 0.8424, 0.8757, 0.8928, 0.8991, 0.9]
    counts = [0, 244, 440, 592, 706, 788, 843, 876, 893, 900, 900]
    for step, (share, count) in enumerate(zip(shares, counts, strict=True)):
        s = removed(schedule, step, 0.1)
        assert s == pytest.approx(share, abs=1e-12)
        assert math.ceil(s * 1000 - 1e-6) == count
    assert schedule.keep_at(11, 0.1) == 0.1


def test_linear_and_initial_keep() -> None:
    schedule = Schedule("linear", start=10, end=20, initial_keep=0.8)
    assert schedule.keep_at(9, 0.4) == 1.0
    assert [schedule.keep_at(t, 0.4) for t in (10, 15, 20, 21)] == pytest.approx(
        [0.8, 0.6, 0.4, 0.4]
    )
    cubic = Schedule("cubic", start=10, end=20, initial_keep=0.8)
    assert cubic.keep_at(15, 0.4) == pytest.approx(0.4 + 0.4 / 8)


def test_end_is_reached_between_two_applications() -> None:
    schedule = Schedule("linear", start=1, end=9, every=3)
    assert [step for step in range(15) if schedule.is_due(step)] == [1, 4, 7, 9, 10, 13]
    assert schedule.keep_at(9, 0.25) == 0.25


def test_rounds() -> None:
    schedule = Schedule("rounds", start=2, every=5, rate=0.1)
    for i in range(1, 12):
        step = 2 + 5 * (i - 1)
        assert schedule.is_due(step)
        assert removed(schedule, step, 0.4) == pytest.approx(min(0.6, 1 - 0.9**i))
    early = Schedule("rounds", rate=0.1, end=3)
    assert [early.keep_at(t, 0.5) for t in (0, 2, 3)] == pytest.approx([0.9, 0.729, 0.5])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"kind": "cosine"}, "schedule must be one of"),
        ({"start": -1}, "start must be >= 0, got -1"),
        ({"every": 0}, "every must be >= 1, got 0"),
        ({"kind": "linear"}, "needs end"),
        ({"kind": "cubic", "start": 5, "end": 5}, "end must be above start=5, got 5"),
        ({"end": 5}, "has no end, got end=5"),
        ({"kind": "rounds"}, "rate belongs to schedule='rounds', got None"),
        ({"kind": "linear", "end": 5, "rate": 0.1}, "got 0.1 with 'linear'"),
        ({"kind": "rounds", "rate": 1.5}, r"rate must be in \(0, 1\], got 1.5"),
        ({"initial_keep": 0.5}, "belongs to linear and cubic"),
        ({"kind": "linear", "end": 5, "initial_keep": 0.0}, r"initial_keep must be in \(0, 1\]"),
    ],
)
def test_bad_schedules(options: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Schedule(**options)
