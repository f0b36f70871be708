"""From a file back to the stream: newest whole snapshot, replay of what came after, repair."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any, Literal

from graphsparse.errors import StoreDamagedError
from graphsparse.streaming.dygrass import DynamicSparsifier
from graphsparse.streaming.event_window import EventWindow
from graphsparse.streaming.journal import Journal, Mark
from graphsparse.streaming.packing import Array, fingerprint, unpack_batch

_STREAM, _WINDOW = "stream/", "window/"


@dataclasses.dataclass(frozen=True)
class Recovery:
    """What opening a store found.

    Attributes
    ----------
    snapshot : int
        The state was taken from the snapshot after so many batches.
    replayed, updates : int
        Batches after it, and updates in them, that were applied again and gave the same state.
    batches : int
        Batches in all.
    seconds : float
        Wall time.
    notes : tuple of str
        What is not as it should be, though nothing is lost.
    """

    snapshot: int
    replayed: int
    updates: int
    batches: int
    seconds: float
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Recovered:
    """A stream as it was after the last batch."""

    stream: DynamicSparsifier
    window: EventWindow | None
    mark: Mark
    report: Recovery | None
    snapshot_seconds: float


def pack_parts(stream: DynamicSparsifier, window: EventWindow | None) -> dict[str, Array]:
    """Return the arrays of a stream and its window under one set of names."""
    parts = {_STREAM + name: array for name, array in stream.state().items()}
    if window is not None:
        parts |= {_WINDOW + name: array for name, array in window.state().items()}
    return parts


def unpack_parts(
    arrays: Mapping[str, Array], device: Literal["cpu", "cuda"] = "cpu"
) -> tuple[DynamicSparsifier, EventWindow | None]:
    """Return the stream and the window of :func:`pack_parts`."""

    def part(prefix: str) -> dict[str, Array]:
        return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}

    live = part(_WINDOW)
    window = EventWindow.from_state(live) if live else None
    return DynamicSparsifier.from_state(part(_STREAM), device=device), window


def recover(
    journal: Journal,
    *,
    device: Literal["cpu", "cuda"] = "cpu",
    upto: int | None = None,
    oldest: bool = False,
    lenient: bool = False,
) -> Recovered:
    """Return the stream after the last batch, or after batch ``upto``.

    It starts from the newest whole snapshot before that, or with ``oldest`` from the first one.

    Raises
    ------
    StoreDamagedError
        If a batch that is needed is damaged or missing, or no snapshot is whole.
    """
    start = time.perf_counter()
    last = journal.last_number() if upto is None else upto
    notes: list[str] = []
    numbers = [n for n in journal.snapshot_numbers(lenient=lenient) if n <= last]
    for number in numbers if oldest else reversed(numbers):
        try:
            row = journal.snapshot(number)
        except StoreDamagedError as error:
            notes.append(f"{error}; an older one was taken")
            continue
        stream, window = unpack_parts(row.arrays, device)
        mark, updates = row.mark, 0
        for at in range(number + 1, last + 1):
            mark, count = _replay(journal, at, stream, window, mark)
            updates += count
        seconds = time.perf_counter() - start
        report = Recovery(number, last - number, updates, last, seconds, tuple(notes))
        return Recovered(stream, window, mark, report, row.seconds)
    raise StoreDamagedError("; ".join([*notes, "no snapshot is whole"]))


def _replay(
    journal: Journal,
    number: int,
    stream: DynamicSparsifier,
    window: EventWindow | None,
    before: Mark,
) -> tuple[Mark, int]:
    """Apply one stored batch; return its mark and the number of its updates."""
    row = journal.batch(number)
    if row.kind == "refresh":
        report = stream.refresh()
    else:
        batch = unpack_batch(row.data)
        if window is not None:
            window.replay(batch)
        report = stream.update(batch)
    found = fingerprint(report, before.fingerprint)
    if found != row.mark.fingerprint:
        raise StoreDamagedError(
            f"batch {number} replays to the state {found:08x}, "
            f"not {row.mark.fingerprint:08x} as when it was stored",
            number,
        )
    return row.mark, row.updates


@dataclasses.dataclass(frozen=True)
class Finding:
    """One damaged row: ``what`` is "batch", "snapshot", "list" (of rows) or "replay"."""

    what: str
    number: int
    problem: str


def verify_rows(journal: Journal) -> list[Finding]:
    """Return the damaged rows of a file, in order: check sums, and numbers that are missing."""
    findings = []
    try:
        snapshots, last = journal.snapshot_numbers(), journal.last_number()
    except StoreDamagedError as error:
        findings.append(Finding("list", 0, str(error)))
        snapshots, last = journal.snapshot_numbers(lenient=True), journal.last_number(lenient=True)
    for number in snapshots:
        try:
            journal.snapshot(number)
        except StoreDamagedError as error:
            findings.append(Finding("snapshot", number, str(error)))
    for number in range(min(snapshots, default=0) + 1, last + 1):
        try:
            journal.batch(number)
        except StoreDamagedError as error:
            findings.append(Finding("batch", number, str(error)))
    return findings


def reach(journal: Journal, last: int) -> tuple[int, int]:
    """Return the last batch up to which a file can be recovered, and the oldest row of use.

    From every whole snapshot batches are read on until one is damaged or missing.
    """
    best = (-1, 0)
    for number in journal.snapshot_numbers(lenient=True):
        if not _is_whole(journal.snapshot, number):
            continue
        end = number
        while end < last and _is_whole(journal.batch, end + 1):
            end += 1
        if end > best[0]:
            best = (end, number)
    return best


def _is_whole(read: Any, number: int) -> bool:
    try:
        read(number)
    except StoreDamagedError:
        return False
    return True
