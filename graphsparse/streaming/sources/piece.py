"""What a source gives at a time: updates, the rows that are none, and where to go on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from graphsparse.streaming.batch import EdgeBatch
from graphsparse.streaming.rows import Update

Array = np.ndarray[Any, np.dtype[Any]]
Stop = Callable[[], bool]
_MOST_TEXT = 200  # characters of a bad row that are kept


@dataclasses.dataclass(frozen=True)
class Reject:
    """A row that is no update.

    Attributes
    ----------
    where : str
        Source, and line, row or id in it.
    reason : str
        What was expected and what came.
    text : str
        The start of the row.
    """

    where: str
    reason: str
    text: str


class Source(Protocol):
    """Where updates come from; see :func:`graphsparse.streaming.open_source`."""

    def pieces(self, offset: Any, size: int, seconds: float, stop: Stop) -> Iterator[Piece]:
        """Yield what comes after an offset, up to ``size`` rows or ``seconds`` at a time."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Piece:
    """Rows that were read together.

    Attributes
    ----------
    op, u, v, w, time : array
        Columns of the updates; a time that is missing is NaN.
    rows : array of int64
        Line, row or position of each update in ``texts``' numbering.
    rejects : list of Reject
        Rows that are no updates.
    offset : any
        Where the source goes on, of what JSON can hold.
    describe : callable
        Returns where a row of ``rows`` stands, and its text.
    """

    op: Array
    u: Array
    v: Array
    w: Array
    time: Array
    rows: Array
    rejects: list[Reject]
    offset: Any
    describe: Callable[[int], tuple[str, str]]

    @property
    def read(self) -> int:
        """Rows in all."""
        return len(self.op) + len(self.rejects)

    def batch(self) -> EdgeBatch:
        """Return the updates; with times if all have one."""
        timed = not np.isnan(self.time).any()
        return EdgeBatch(self.op, self.u, self.v, self.w, self.time if timed else None)

    def without(self, reasons: dict[int, str]) -> Piece:
        """Return the piece with some of its updates, by position, refused."""
        if not reasons:
            return self
        stay = np.ones(len(self.op), bool)
        stay[list(reasons)] = False
        more = [
            reject(*self.describe(int(self.rows[at])), why) for at, why in sorted(reasons.items())
        ]
        columns = {n: getattr(self, n)[stay] for n in ("op", "u", "v", "w", "time", "rows")}
        return dataclasses.replace(self, **columns, rejects=[*self.rejects, *more])


def reject(where: str, text: str, reason: str) -> Reject:
    """Return a reject with as much of the row as is kept."""
    return Reject(where, reason, text[:_MOST_TEXT])


def columns_of(updates: Sequence[Update]) -> tuple[Array, Array, Array, Array, Array]:
    """Return the columns of updates; a missing time is NaN."""
    op, u, v, w, time = zip(*updates, strict=True) if updates else ((), (), (), (), ())
    return (
        np.array(op, np.uint8),
        np.array(u, np.int64),
        np.array(v, np.int64),
        np.array(w, np.float64),
        np.array([np.nan if stamp is None else stamp for stamp in time], np.float64),
    )


def piece_of(
    parsed: Sequence[tuple[int, Update | str]],
    offset: Any,
    describe: Callable[[int], tuple[str, str]],
) -> Piece:
    """Return a piece from rows, each with its update or the reason why it is none."""
    good = [(row, update) for row, update in parsed if not isinstance(update, str)]
    bad = [reject(*describe(row), why) for row, why in parsed if isinstance(why, str)]
    columns = columns_of([update for _, update in good])
    return Piece(*columns, np.array([row for row, _ in good], np.int64), bad, offset, describe)
