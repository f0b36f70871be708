"""Timestamped events as updates: each inserts an edge, and leaves again when its window is over."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from graphsparse.checks import check_count, check_ids, check_weights
from graphsparse.errors import GraphFormatError
from graphsparse.io.streams import PathLike, open_bytes, source_name, split_suffix
from graphsparse.streaming.batch import EdgeBatch
from graphsparse.streaming.event_window import EventWindow, Update, batch_of
from graphsparse.streaming.files import text_rows

Array = np.ndarray[Any, np.dtype[Any]]
_ROLES = ("u", "v", "time", "w", "skip")


@dataclasses.dataclass(frozen=True, eq=False)
class Events:
    """Contacts between nodes, in time order.

    Attributes
    ----------
    u, v : array of int64, shape (k,)
        Ends, numbered from 0.
    time : array of float64, shape (k,)
        Ascending.
    w : array of float64, shape (k,)
        Weights; 1 if the file has none.
    ids : array of int64, shape (n,)
        The id that each node has in the file.
    """

    u: Array
    v: Array
    time: Array
    w: Array
    ids: Array

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return len(self.ids)


def read_events(source: PathLike | BinaryIO, *, columns: str = "u v time") -> Events:
    """Read a temporal edge list.

    Parameters
    ----------
    source : path or binary file
        One event per line; fields apart by commas in ``.csv`` files, by blanks in others.
    columns : str
        What the fields are: "u", "v" and "time", and "w" or "skip" for others.

    Returns
    -------
    Events
        Sorted by time, events of one time in the order of the file; nodes are renumbered.

    Raises
    ------
    GraphFormatError
        If a line does not fit; the message names it.
    """
    roles = columns.split()
    if not {"u", "v", "time"} <= set(roles) <= set(_ROLES):
        raise ValueError(f"columns must name u, v, time, and w or skip, got {columns!r}")
    name = source_name(source)
    form = "csv" if split_suffix(name)[0] == ".csv" else "text"
    found: list[list[float]] = []
    with open_bytes(source) as raw:
        for line, fields in text_rows(raw, name, form):
            if len(fields) != len(roles):
                raise GraphFormatError(
                    f"{name}:{line}: expected {len(roles)} fields ({columns}), got {len(fields)}"
                )
            try:
                by_role = dict(zip(roles, map(float, fields), strict=True))
            except ValueError as error:
                raise GraphFormatError(f"{name}:{line}: {error}") from error
            found.append([by_role[role] for role in ("u", "v", "time")] + [by_role.get("w", 1.0)])
    table = np.array(found, np.float64).reshape(-1, 4)
    if not np.isfinite(table).all() or (table[:, :2] != np.floor(table[:, :2])).any():
        raise GraphFormatError(f"{name}: expected whole node ids and finite numbers")
    table = table[np.argsort(table[:, 2], kind="stable")]
    ids, ends = np.unique(table[:, :2].astype(np.int64), return_inverse=True)
    ends = ends.reshape(-1, 2).astype(np.int64)
    return Events(ends[:, 0], ends[:, 1], table[:, 2], table[:, 3], ids)


def sliding_window(
    u: Any, v: Any, time: Any, *, window: float, w: Any = None, batch_size: int = 1000
) -> Iterator[EdgeBatch]:
    """Yield the updates of a graph that holds the events of the last ``window``.

    Parameters
    ----------
    u, v : array of int, shape (k,)
        Ends of each event; self-loops are left out.
    time : array of float, shape (k,)
        Ascending.  An event stays while ``now < time + window``.
    window : float
        Above 0; infinity keeps every event.
    w : array of float, shape (k,), optional
        Positive weights; 1 when left out.
    batch_size : int
        Updates per batch; the last one may be smaller.

    Yields
    ------
    EdgeBatch
        An event inserts its edge or adds to its weight; one that ends takes its weight away, or
        deletes the edge if no other event of the pair is left.

    Examples
    --------
    >>> batches = sliding_window([0, 1, 0], [1, 2, 2], [0.0, 1.0, 5.0], window=3.0)
    >>> next(batches).op.tolist()
    [0, 0, 1, 1, 0]
    """
    ends = check_ids("u", u).tolist(), check_ids("v", v).tolist()
    times = np.asarray(time, np.float64)
    size = check_count("batch_size", batch_size, low=1)
    if not len(ends[0]) == len(ends[1]) == len(times):
        raise ValueError(
            f"u, v and time must have one length, got {len(ends[0])}, {len(ends[1])}, {len(times)}"
        )
    EventWindow(window)  # refuses a length that is none
    if (np.diff(times) < 0).any() or np.isnan(times).any():
        at = int(np.argmax(~(np.diff(times) >= 0))) + 1
        raise ValueError(f"time must ascend, got {times[at]} at event {at}")
    weights = np.ones(len(times)) if w is None else check_weights("w", w, len(times))
    if (weights <= 0).any():
        at = int(np.argmax(weights <= 0))
        raise ValueError(f"w must be above 0, got {weights[at]} at event {at}")
    return _batched(_updates(*ends, times.tolist(), weights.tolist(), window), size)


def _updates(
    u: list[int], v: list[int], times: list[float], weights: list[float], window: float
) -> Iterator[Update]:
    live = EventWindow(window)
    for k, now in enumerate(times):
        rows: list[Update] = []
        live.step(u[k], v[k], weights[k], now, rows)
        live.forget()
        yield from rows


def _batched(updates: Iterator[Update], size: int) -> Iterator[EdgeBatch]:
    rows: list[Update] = []
    for update in updates:
        rows.append(update)
        if len(rows) == size:
            yield batch_of(rows)
            rows = []
    if rows:
        yield batch_of(rows)
