"""A batch of edge updates: what happens to which pair, in order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from graphsparse.checks import check_ids

Array = np.ndarray[Any, np.dtype[Any]]

INSERT, DELETE, REWEIGHT = 0, 1, 2
OPERATIONS = {"insert": INSERT, "delete": DELETE, "reweight": REWEIGHT, "set": REWEIGHT}
OPERATIONS |= {"+": INSERT, "-": DELETE, "=": REWEIGHT}
LEAST_WEIGHT, MOST_WEIGHT = 1e-300, 1e300


class BadUpdate(ValueError):
    """An update that fits its columns, but not the graph; ``at`` is its position in the batch."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


@dataclasses.dataclass(frozen=True, eq=False)
class EdgeBatch:
    """Edge updates in the order in which they happen.

    Parameters
    ----------
    op : array of int, shape (k,)
        0 insert, 1 delete, 2 reweight.
    u, v : array of int, shape (k,)
        Ends of each edge, in either order.  A self-loop is allowed and has no effect.
    w : array of float, shape (k,)
        Conductance: added by an insert, set by a reweight (0 deletes), ignored by a delete.
        0, or between 1e-300 and 1e300.
    time : array of float, shape (k,), optional
        Time stamps; carried along, not used.

    Raises
    ------
    ValueError
        If a weight is negative, not finite or out of range, or an operation is unknown; the
        message names the position.
    IndexError
        If a node id is negative.

    Examples
    --------
    >>> batch = EdgeBatch.of(inserts=[(0, 1, 2.0), (1, 2, 1.0)], deletes=[(3, 4)])
    >>> len(batch), batch.op.tolist()
    (3, [1, 0, 0])
    """

    op: Array
    u: Array
    v: Array
    w: Array
    time: Array | None = None

    def __post_init__(self) -> None:
        op = check_ids("op", self.op)
        size = len(op)
        ends = {name: check_ids(name, getattr(self, name)) for name in ("u", "v")}
        columns = {"op": op, **ends, "w": _numbers("w", self.w)}
        if self.time is not None:
            columns["time"] = _numbers("time", self.time)
        for name, column in columns.items():
            if len(column) != size:
                raise ValueError(
                    f"{name} must have one entry per update ({size}), got {len(column)}"
                )
        _check_operations(op)
        for name, ids in ends.items():
            if size and int(ids.min()) < 0:
                at = int(np.argmax(ids < 0))
                raise IndexError(f"{name} must not be negative, got {ids[at]} at update {at}")
        columns["w"] = np.where(op == DELETE, 0.0, columns["w"])
        _check_weights(columns["w"])
        types = {"op": np.uint8, "u": np.int64, "v": np.int64, "w": np.float64, "time": np.float64}
        for name, column in columns.items():
            frozen = np.array(column, dtype=types[name])
            frozen.flags.writeable = False
            object.__setattr__(self, name, frozen)

    @classmethod
    def of(cls, inserts: Any = None, deletes: Any = None, reweights: Any = None) -> EdgeBatch:
        """Build a batch from up to three lists of edges.

        Parameters
        ----------
        inserts, deletes, reweights : optional
            Rows ``(u, v)`` or ``(u, v, w)`` as a list or an array of shape (k, 2) or (k, 3), or a
            tuple of two or three arrays.  A missing weight is 1; reweights must have theirs.

        Returns
        -------
        EdgeBatch
            Deletes first, then reweights, then inserts: an edge that is both deleted and
            inserted ends with the weight of its insert.
        """
        parts = [
            (code, *_columns(name, given))
            for code, name, given in (
                (DELETE, "deletes", deletes),
                (REWEIGHT, "reweights", reweights),
                (INSERT, "inserts", inserts),
            )
            if given is not None
        ]
        if not parts:
            return cls(np.zeros(0, np.uint8), np.zeros(0), np.zeros(0), np.zeros(0))
        op = np.concatenate([np.full(len(u), code, np.uint8) for code, u, _, _ in parts])
        u, v, w = (np.concatenate([part[k] for part in parts]) for k in (1, 2, 3))
        return cls(op, u, v, w)

    @classmethod
    def from_operations(cls, operations: Iterable[tuple[Any, ...]]) -> EdgeBatch:
        """Build a batch from tuples ``(name, u, v[, w])`` with names as in stream files.

        Examples
        --------
        >>> EdgeBatch.from_operations([("insert", 0, 1, 2.0), ("delete", 1, 2)]).w.tolist()
        [2.0, 0.0]
        """
        rows = [tuple(row) for row in operations]
        for at, row in enumerate(rows):
            if len(row) not in (3, 4):
                raise ValueError(f"update {at} must be (name, u, v[, w]), got {row!r}")
            if row[0] not in OPERATIONS:
                raise ValueError(
                    f"update {at} must be one of {', '.join(OPERATIONS)}, got {row[0]!r}"
                )
            if len(row) == 3 and OPERATIONS[row[0]] == REWEIGHT:
                raise ValueError(f"update {at} must have a weight to set, got {row!r}")
        return cls(
            np.array([OPERATIONS[row[0]] for row in rows], np.uint8),
            np.array([row[1] for row in rows]),
            np.array([row[2] for row in rows]),
            np.array([row[3] if len(row) == 4 else 1.0 for row in rows], np.float64),
        )

    def __len__(self) -> int:
        return len(self.op)

    def __getitem__(self, rows: slice) -> EdgeBatch:
        """Return the updates of a slice, in their order."""
        time = None if self.time is None else self.time[rows]
        return EdgeBatch(self.op[rows], self.u[rows], self.v[rows], self.w[rows], time)

    @property
    def inserts(self) -> tuple[Array, Array, Array]:
        """``(u, v, w)`` of the inserts."""
        return self._of(INSERT)

    @property
    def deletes(self) -> tuple[Array, Array]:
        """``(u, v)`` of the deletes."""
        return self._of(DELETE)[:2]

    @property
    def reweights(self) -> tuple[Array, Array, Array]:
        """``(u, v, w)`` of the reweights."""
        return self._of(REWEIGHT)

    def _of(self, code: int) -> tuple[Array, Array, Array]:
        rows = self.op == code
        return self.u[rows], self.v[rows], self.w[rows]

    def __repr__(self) -> str:
        counts = np.bincount(self.op, minlength=3)
        return (
            f"EdgeBatch(inserts={counts[INSERT]}, deletes={counts[DELETE]}, "
            f"reweights={counts[REWEIGHT]})"
        )


def _numbers(name: str, values: Any) -> Array:
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"{name} must have 1 dimension, got shape {array.shape}")
    return array.astype(np.float64)


def _check_operations(op: Array) -> None:
    wrong = (op < INSERT) | (op > REWEIGHT)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"op must be 0, 1 or 2, got {op[at]} at update {at}")


def _check_weights(w: Array) -> None:
    good = (w == 0) | ((w >= LEAST_WEIGHT) & (w <= MOST_WEIGHT))
    if not good.all():
        at = int(np.argmin(good))
        raise ValueError(
            f"w must be 0 or in [{LEAST_WEIGHT:g}, {MOST_WEIGHT:g}], got {w[at]} at update {at}"
        )


def _columns(name: str, given: Any) -> tuple[Array, Array, Array]:
    """Return (u, v, w) of rows or of a tuple of columns."""
    if isinstance(given, tuple) and len(given) in (2, 3) and np.ndim(given[0]) == 1:
        columns = [np.asarray(column) for column in given]
    else:
        table = np.asarray(given)
        if table.size == 0:
            table = table.reshape(0, 3)
        if table.ndim != 2 or table.shape[1] not in (2, 3):
            raise ValueError(
                f"{name} must be rows (u, v) or (u, v, w), got an array of shape {table.shape}"
            )
        columns = list(table.T)
    if name == "reweights" and len(columns) == 2:
        raise ValueError("reweights must be rows (u, v, w), got rows of two columns")
    u, v = (_whole(f"{name}[{k}]", columns[k]) for k in (0, 1))
    w = _numbers(f"{name}[2]", columns[2]) if len(columns) == 3 else np.ones(len(u))
    if not len(u) == len(v) == len(w):
        raise ValueError(f"{name} must be columns of one length, got {[len(c) for c in columns]}")
    return u, v, w


def _whole(name: str, column: Array) -> Array:
    """Return node ids; ids that share an array with float weights arrive as floats."""
    if column.dtype.kind == "f":
        whole = np.floor(column) == column
        if not whole.all():
            at = int(np.argmin(whole))
            raise ValueError(f"{name} must hold integers, got {column[at]} at row {at}")
        column = column.astype(np.int64)
    return check_ids(name, column)
