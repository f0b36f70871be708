"""Looking after the file of a durable stream: versions for readers, verification, repair."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from pathlib import Path
from typing import Any, Literal

from graphsparse.errors import StoreDamagedError, StoreError
from graphsparse.graph import Graph
from graphsparse.io.streams import create_text
from graphsparse.linalg import ConditionNumber
from graphsparse.streaming.batch import OPERATIONS
from graphsparse.streaming.event_window import EventWindow
from graphsparse.streaming.journal import Journal, database_file, next_database_file
from graphsparse.streaming.lock import WriterLock
from graphsparse.streaming.packing import unpack_batch
from graphsparse.streaming.recovery import (
    Finding,
    Recovered,
    Recovery,
    reach,
    recover,
    verify_rows,
)


class StoreVersion:
    """What a store held when it was read; the writer goes on without it.

    Attributes
    ----------
    num_batches : int
        Batches that are in it.
    offset : any
        Offset of the source after them.
    rows : (int, int)
        Rows read from the source, and those of them that were rejected.
    window : EventWindow or None
        Live events, where updates are events.
    recovery : Recovery
        How it was put together.
    """

    def __init__(self, found: Recovered, recovery: Recovery) -> None:
        self._stream = found.stream
        self.window: EventWindow | None = found.window
        self.num_batches = found.mark.number
        self.offset: Any = found.mark.source
        self.rows = (found.mark.read, found.mark.rejected)
        self.recovery = recovery

    def graph(self) -> Graph:
        """Return the graph."""
        return self._stream.graph()

    def sparsifier(self) -> Graph:
        """Return its sparsifier."""
        return self._stream.sparsifier()

    def kappa(self, **options: Any) -> ConditionNumber:
        """Return the condition number of the two."""
        return self._stream.kappa(**options)

    def state(self) -> dict[str, Any]:
        """Return what :meth:`DynamicSparsifier.from_state` takes."""
        return self._stream.state()

    def __repr__(self) -> str:
        return f"StoreVersion(num_batches={self.num_batches}, {self._stream!r})"


@dataclasses.dataclass(frozen=True)
class Verification:
    """Result of :meth:`Store.verify`.

    Attributes
    ----------
    batches, snapshots : int
        Rows of each kind.
    findings : tuple of Finding
        What is damaged; empty if nothing is.
    """

    batches: int
    snapshots: int
    findings: tuple[Finding, ...]


@dataclasses.dataclass(frozen=True)
class Repair:
    """Result of :meth:`Store.repair`.

    Attributes
    ----------
    batch : int
        The store stands after this batch now.
    offset : any
        The source has to go on from here.
    first : int
        Batches are kept after this one.
    lost_batches, lost_updates : int
        What is no longer there.
    old_file : str
        The damaged file, kept as it was; None if nothing had to be done.
    """

    batch: int
    offset: Any
    first: int
    lost_batches: int
    lost_updates: int
    old_file: str | None


def holds_stream(folder: Path) -> bool:
    """Tell whether a folder holds a store; one that was killed while it was made is none."""
    file = database_file(folder)
    if file is None:
        return False
    journal = Journal(file, reader=True)
    try:
        return journal.version > 0
    finally:
        journal.close()


def open_reader(folder: Path) -> Journal:
    """Return the journal of a store to read from."""
    file = database_file(folder)
    if file is None:
        raise StoreError(f"{folder} holds no stream; Store.create makes one")
    journal = Journal(file, reader=True)
    journal.check_version()
    return journal


def read_store(folder: Path) -> StoreVersion:
    """Return the version that is on disk now."""
    journal = open_reader(folder)
    try:
        with journal.reading():
            found = recover_or_tell(folder, journal)
    finally:
        journal.close()
    assert found.report is not None  # recovery always reports
    return StoreVersion(found, found.report)


def verify_store(folder: Path) -> Verification:
    """Check every row, and replay from the oldest snapshot that leads to the end."""
    journal = open_reader(folder)
    try:
        with journal.reading():
            findings = verify_rows(journal)
            numbers = journal.batch_numbers(lenient=True)
            snapshots = journal.snapshot_numbers(lenient=True)
            if not findings:
                try:
                    recover(journal, oldest=True)
                except StoreDamagedError as error:
                    findings.append(Finding("replay", error.batch or 0, str(error)))
    finally:
        journal.close()
    return Verification(len(numbers), len(snapshots), tuple(findings))


def repair_store(folder: Path) -> Repair:
    """Copy what is whole into a new file, up to the last batch that can be had.

    The damaged file stays beside it.  The new one counts from the moment it has its name.
    """
    file = database_file(folder)
    if file is None:
        raise StoreError(f"{folder} holds no stream; Store.create makes one")
    lock = WriterLock(folder)
    journal = Journal(file, reader=True)
    try:
        journal.check_version()
        found, base, last = _best(folder, journal)
        end = found.mark.number
        intact = end == last and not verify_rows(journal)
        lost = 0 if end == last else journal.updates_after(end)
        if not intact:
            _copy(journal, next_database_file(folder), base, end)
        old = None if intact else file.name
        first = min(journal.snapshot_numbers(lenient=True)) if intact else base
        return Repair(end, found.mark.source, first, last - end, lost, old)
    finally:
        journal.close()
        lock.release()


def _best(folder: Path, journal: Journal) -> tuple[Recovered, int, int]:
    """Return the latest state that can be had, where its rows start, and the last number."""
    last = end = journal.last_number(lenient=True)
    while True:
        end, base = reach(journal, end)
        if end < 0:
            raise StoreDamagedError(f"{folder}: no snapshot is whole; nothing can be recovered")
        try:
            return recover(journal, upto=end, lenient=True), base, last
        except StoreDamagedError as error:  # rows are whole, but replay to another state
            end = (error.batch or end) - 1


def _copy(journal: Journal, target: Path, base: int, end: int) -> None:
    """Write rows ``base .. end`` to a new file that takes its name when it is on disk."""
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    fresh = Journal(part)
    with fresh.transaction():
        fresh.migrate()
        fresh.set_meta(journal.meta())
        for number in journal.snapshot_numbers(lenient=True):
            with contextlib.suppress(StoreDamagedError):  # one that is whole is there: base
                if base <= number <= end:
                    row = journal.snapshot(number)
                    fresh.add_snapshot(row.mark, row.arrays, row.seconds)
        for number in range(base + 1, end + 1):
            fresh.add_batches([journal.batch(number)])
    fresh.finish()
    os.replace(part, target)
    handle = os.open(target.parent, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def recover_or_tell(
    folder: Path, journal: Journal, device: Literal["cpu", "cuda"] = "cpu"
) -> Recovered:
    """Recover, or say what is damaged, and what a repair would lose."""
    try:
        return recover(journal, device=device)
    except StoreDamagedError as error:
        last = journal.last_number(lenient=True)
        end = reach(journal, last)[0]
        if error.batch is not None:
            end = min(end, error.batch - 1)
        if end < 0:
            raise StoreDamagedError(f"{folder}: {error}; nothing can be recovered") from error
        raise StoreDamagedError(
            f"{folder}: {error}; 'graphsparse stream repair {folder}' goes back to batch {end} and "
            f"loses {last - end} batches with {journal.updates_after(end)} updates, which the "
            "source must give again",
            error.batch,
        ) from error


def export_updates(folder: Path, target: Path) -> int:
    """Write the updates of all stored batches as a stream file; return how many there are."""
    names = {code: word for word, code in reversed(OPERATIONS.items()) if word.isalpha()}
    journal = open_reader(folder)
    count = 0
    try:
        with journal.reading(), create_text(target) as out:
            out.write(b"op,u,v,w,time\n")
            for number in journal.batch_numbers():
                batch = unpack_batch(journal.batch(number).data)
                times = [""] * len(batch) if batch.time is None else batch.time.tolist()
                columns = (batch.op.tolist(), batch.u.tolist(), batch.v.tolist(), batch.w.tolist())
                rows = zip(*columns, times, strict=True)
                lines = [f"{names[op]},{u},{v},{w!r},{time}\n" for op, u, v, w, time in rows]
                out.write("".join(lines).encode())
                count += len(batch)
    finally:
        journal.close()
    return count
