"""A stream from its source into a sparsifier, batch by batch, with or without a store."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from graphsparse.checks import check_count
from graphsparse.streaming.batch import INSERT, BadUpdate, EdgeBatch
from graphsparse.streaming.dygrass import DynamicSparsifier
from graphsparse.streaming.event_window import EventWindow
from graphsparse.streaming.rejects import RejectFile
from graphsparse.streaming.report import BatchReport
from graphsparse.streaming.sources.ahead import Ahead
from graphsparse.streaming.sources.piece import Piece, Source, Stop
from graphsparse.streaming.store import apply_events

_AHEAD = 4  # pieces that are read while one is applied


class Consumer(Protocol):
    """What follows the updates of a stream beside its sparsifier."""

    name: str

    def update(self, batch: EdgeBatch, report: BatchReport) -> Any:
        """Take the updates of one batch, ends of events among them, and what they did."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return figures that JSON can hold."""
        ...


class Target(Protocol):
    """Where batches go: a :class:`Store`, or :class:`InMemory`."""

    stream: DynamicSparsifier
    window: EventWindow | None
    applied: EdgeBatch

    @property
    def offset(self) -> Any: ...

    @property
    def rows(self) -> tuple[int, int]: ...

    @property
    def num_batches(self) -> int: ...

    def update(
        self,
        batch: EdgeBatch,
        *,
        offset: Any = None,
        read: int | None = None,
        rejected: int = 0,
        wait: bool = True,
    ) -> BatchReport: ...

    def flush(self) -> None: ...


class InMemory:
    """A stream that nothing survives, with the face of a store."""

    def __init__(self, stream: DynamicSparsifier, window: float | None = None) -> None:
        self.stream = stream
        self.window = None if window is None else EventWindow(window)
        self.applied = EdgeBatch.of()
        self.offset: Any = None
        self.rows = (0, 0)
        self.num_batches = 0

    def update(
        self,
        batch: EdgeBatch,
        *,
        offset: Any = None,
        read: int | None = None,
        rejected: int = 0,
        wait: bool = True,
    ) -> BatchReport:
        """Apply a batch."""
        report, self.applied = apply_events(self.stream, self.window, batch)
        count = len(batch) + rejected if read is None else read
        self.offset, self.rows = offset, (self.rows[0] + count, self.rows[1] + rejected)
        self.num_batches += 1
        return report

    def flush(self) -> None:
        """Do nothing."""


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """One batch of a run.

    Attributes
    ----------
    number : int
        Batches so far, in the life of the stream.
    report : BatchReport
        What the sparsifier did.
    read, rejected : int
        Rows so far, in the life of the stream; the others were accepted.
    rows : int
        Rows of this batch.
    lag : int
        Rows that were read and wait.
    seconds : float
        Since the run began.
    """

    number: int
    report: BatchReport
    read: int
    rejected: int
    rows: int
    lag: int
    seconds: float


class StreamRun:
    """Read a source into a store or a sparsifier; a store goes on where it was left.

    Parameters
    ----------
    target : Store, InMemory or DynamicSparsifier
        Where batches go.
    source : Source
        Where rows come from.
    batch_size : int
        Most rows of a batch.
    seconds : float
        A batch does not wait longer for rows.
    rejects : path, optional
        File for rows that are no updates; without it the first one is an error.
    consumers : sequence of Consumer
        Follow the same updates.

    Notes
    -----
    A row is read, and either applied or rejected, exactly once into a store: offset, counts and
    state are committed together, and the file of rejects is cut to what was committed.  Nodes out
    of range, and in a window rows that are no events in order, are rejected rows too.

    Examples
    --------
    >>> import io
    >>> from graphsparse.graph import Graph
    >>> from graphsparse.streaming import open_source
    >>> path = Graph.from_edges([(0, 1), (1, 2), (2, 3)], num_nodes=4)
    >>> stream = DynamicSparsifier(path, path, K=4)
    >>> source = open_source(io.BytesIO(b"insert,0,3\\ndelete,0,1\\n"), format="csv")
    >>> [step.report.num_edges for step in StreamRun(stream, source).steps()]
    [3]
    """

    def __init__(
        self,
        target: Target | DynamicSparsifier,
        source: Source,
        *,
        batch_size: int = 1000,
        seconds: float = 1.0,
        rejects: Path | None = None,
        consumers: Sequence[Consumer] = (),
    ) -> None:
        self.target = InMemory(target) if isinstance(target, DynamicSparsifier) else target
        self._source, self._consumers = source, tuple(consumers)
        self._size = check_count("batch_size", batch_size, low=1)
        if not seconds > 0:
            raise ValueError(f"seconds must be above 0, got {seconds!r}")
        self._seconds = seconds
        place = self.target.offset or {"source": None, "rejects": 0}
        if not isinstance(place, dict) or place.keys() != {"source", "rejects"}:
            raise ValueError(f"target must have the offset of a run or none, got {place!r}")
        self._offset = place["source"]
        self._rejects = RejectFile(rejects, place["rejects"])

    def steps(self, stop: Stop = lambda: False) -> Iterator[Step]:
        """Yield after every batch, until the source ends or ``stop()``.

        All that was yielded is on disk when the iteration ends.
        """
        start = time.perf_counter()
        ahead = Ahead(
            lambda halt: self._source.pieces(self._offset, self._size, self._seconds, halt), _AHEAD
        )
        try:
            while (piece := ahead.take(stop)) is not None:
                report, rows = self._apply(piece)
                for consumer in self._consumers:
                    consumer.update(self.target.applied, report)
                seconds = time.perf_counter() - start
                yield Step(
                    self.target.num_batches, report, *self.target.rows, rows, ahead.waiting, seconds
                )
        finally:
            ahead.close()
        self.target.flush()

    def _apply(self, piece: Piece) -> tuple[BatchReport, int]:
        """Apply a piece; rows that the stream cannot take join its rejects."""
        piece = piece.without(self._problems(piece))
        while True:
            try:
                batch = piece.batch()
                self._rejects.add(piece.rejects)
                return self._update(batch, piece), piece.read
            except BadUpdate as error:
                if self.target.window is not None:
                    raise
                self._rejects.take_back()
                piece = piece.without({error.at: str(error)})

    def _update(self, batch: EdgeBatch, piece: Piece) -> BatchReport:
        return self.target.update(
            batch,
            offset={"source": piece.offset, "rejects": self._rejects.size},
            read=piece.read,
            rejected=len(piece.rejects),
            wait=False,
        )

    def _problems(self, piece: Piece) -> dict[int, str]:
        """Return by position why updates cannot be applied."""
        limit = self.target.stream.node_limit
        problems = {
            at: f"node ids must be below {limit}, got ({piece.u[at]}, {piece.v[at]})"
            for at in np.flatnonzero(np.maximum(piece.u, piece.v) >= limit).tolist()
        }
        window = self.target.window
        if window is None or len(piece.op) == 0:
            return problems
        t = piece.time
        events = (piece.op == INSERT).all() and (piece.w > 0).all() and np.isfinite(t).all()
        if events and t[0] >= window.now and (np.diff(t) >= 0).all():
            return problems
        now = window.now
        for at, row in enumerate(zip(piece.op.tolist(), piece.w.tolist(), t.tolist(), strict=True)):
            if at in problems:
                continue
            if problem := window.problem(*row, now):
                problems[at] = problem
            else:
                now = row[2]
        return problems
