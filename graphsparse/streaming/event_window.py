"""A graph that holds the events of the last while: what arrives is inserted, what ends leaves."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphsparse.streaming.batch import DELETE, INSERT, REWEIGHT, EdgeBatch

Array = np.ndarray[Any, np.dtype[Any]]
Event = tuple[int, int, float, float]  # u, v, w, time
Update = tuple[int, int, int, float, float]  # op, u, v, w, time


class EventWindow:
    """Turn events into updates; an event leaves ``length`` after its time.

    Parameters
    ----------
    length : float
        Above 0, in the unit of the times.  An event stays while ``now < time + length``.

    Examples
    --------
    >>> window = EventWindow(3.0)
    >>> events = EdgeBatch(np.array([0, 0]), np.array([0, 1]), np.array([1, 2]), np.ones(2),
    ...                    np.array([0.0, 5.0]))
    >>> window.advance(events).op.tolist(), len(window)
    ([0, 1, 0], 1)
    """

    def __init__(self, length: float) -> None:
        if not length > 0:
            raise ValueError(f"window must be above 0, got {length!r}")
        self.length = float(length)
        self._events: deque[Event] = deque()
        self._live: dict[tuple[int, int], list[float]] = {}
        self._now = -math.inf
        self._done: list[tuple[bool, Event]] = []  # what advance did: came, or left
        self._before = self._now

    def __len__(self) -> int:
        return len(self._events)

    @property
    def now(self) -> float:
        """Time of the last event; -infinity at the start."""
        return self._now

    def problem(self, op: int, w: float, time: float | None, now: float) -> str:
        """Tell why an update is no event at or after ``now``; "" if it is one."""
        if op != INSERT:
            return "op must be insert in a stream with a window, which deletes by itself"
        if time is None or not math.isfinite(time):
            return f"time must be a finite number in a stream with a window, got {time}"
        if w == 0:
            return "w must be above 0 in a stream with a window, got 0"
        if time < now:
            return f"time must not be before {now!r}, that of an earlier event, got {time!r}"
        return ""

    def advance(self, events: EdgeBatch) -> EdgeBatch:
        """Return the updates that some events bring, those of ended ones among them.

        Parameters
        ----------
        events : EdgeBatch
            Inserts with times that ascend, none before :attr:`now`.

        Returns
        -------
        EdgeBatch
            In order of time.  The end of an event deletes its edge, or sets the weight to the
            sum of the other events of the pair that are left.

        Raises
        ------
        ValueError
            If an update is no such event; nothing was changed then.
        """
        self._check(events)
        self._done, self._before = [], self._now
        rows: list[Update] = []
        if events.time is not None:
            columns = (events.u, events.v, events.w, events.time)
            for u, v, w, time in zip(*(column.tolist() for column in columns), strict=True):
                self.step(u, v, w, time, rows)
                if u == v:  # without effect, but its time counts when the batch is replayed
                    rows.append((INSERT, u, v, w, time))
        return batch_of(rows)

    def undo(self) -> None:
        """Take back the last :meth:`advance`."""
        for came, event in reversed(self._done):
            pair = _pair(event)
            if came:
                self._events.pop()
                weights = self._live[pair]
                weights.pop()
                if not weights:
                    del self._live[pair]
            else:
                self._events.appendleft(event)
                self._live.setdefault(pair, []).insert(0, event[2])
        self._done, self._now = [], self._before

    def forget(self) -> None:
        """Give up what :meth:`undo` needs."""
        self._done = []

    def step(self, u: int, v: int, w: float, now: float, rows: list[Update]) -> None:
        """Add the updates of one event to ``rows``, those of ended ones first."""
        self._now = now
        while self._events and self._events[0][3] + self.length <= now:
            rows.append(self._leave())
        if u != v:
            self._come((u, v, w, now))
            rows.append((INSERT, u, v, w, now))

    def replay(self, updates: EdgeBatch) -> None:
        """Follow updates that :meth:`advance` returned once.

        Raises
        ------
        ValueError
            If they do not follow from the events that are live.
        """
        if len(updates) == 0:
            return
        if updates.time is None:
            raise ValueError("updates must have times")
        columns = (updates.op, updates.u, updates.v, updates.w, updates.time)
        for op, u, v, w, time in zip(*(column.tolist() for column in columns), strict=True):
            self._now = max(self._now, time)
            if op == INSERT:
                if u != v:
                    self._come((u, v, w, time))
            elif not self._events or self._leave()[:4] != (op, u, v, w):
                raise ValueError(f"the update {(op, u, v, w)} does not end the oldest event")
        self._done = []

    def state(self) -> dict[str, Array]:
        """Return the live events as arrays."""
        table = np.array(self._events, np.float64).reshape(-1, 4)
        return {
            "ends": table[:, :2].astype(np.int64),
            "w": table[:, 2].copy(),
            "time": table[:, 3].copy(),
            "clock": np.array([self.length, self._now]),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Array]) -> EventWindow:
        """Return a window that goes on where :meth:`state` was taken."""
        length, now = state["clock"].tolist()
        self = cls(length)
        self._now = now
        ends = state["ends"].tolist()
        for (u, v), w, time in zip(ends, state["w"].tolist(), state["time"].tolist(), strict=True):
            self._come((u, v, w, time))
        self._done = []
        return self

    def _come(self, event: Event) -> None:
        self._events.append(event)
        self._live.setdefault(_pair(event), []).append(event[2])
        self._done.append((True, event))

    def _leave(self) -> Update:
        event = self._events.popleft()
        self._done.append((False, event))
        u, v, _, time = event
        pair = _pair(event)
        weights = self._live[pair]
        del weights[0]
        if weights:  # summed anew, in order: no rounding is carried along
            return REWEIGHT, u, v, sum(weights), time + self.length
        del self._live[pair]
        return DELETE, u, v, 0.0, time + self.length

    def _check(self, events: EdgeBatch) -> None:
        count = len(events)
        times = [None] * count if events.time is None else events.time.tolist()
        now = self._now
        for at, row in enumerate(zip(events.op.tolist(), events.w.tolist(), times, strict=True)):
            if problem := self.problem(*row, now):
                raise ValueError(f"{problem}, at update {at}")
            now = row[2] or 0.0


def batch_of(rows: list[Update]) -> EdgeBatch:
    """Return updates as a batch with times."""
    op, u, v, w, time = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return EdgeBatch(
        np.array(op, np.uint8),
        np.array(u, np.int64),
        np.array(v, np.int64),
        np.array(w, np.float64),
        np.array(time, np.float64),
    )


def _pair(event: Event) -> tuple[int, int]:
    u, v = event[0], event[1]
    return (u, v) if u < v else (v, u)
