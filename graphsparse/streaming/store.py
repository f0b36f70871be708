"""A dynamic sparsifier on disk: nothing is lost by a crash, and a restart goes on bit for bit."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from graphsparse.checks import check_choice, check_count
from graphsparse.errors import StoreError
from graphsparse.streaming.batch import EdgeBatch
from graphsparse.streaming.committer import Committer
from graphsparse.streaming.dygrass import DynamicSparsifier
from graphsparse.streaming.event_window import EventWindow
from graphsparse.streaming.journal import (
    BatchRow,
    Journal,
    Mark,
    database_file,
    next_database_file,
)
from graphsparse.streaming.lock import WriterLock
from graphsparse.streaming.maintenance import (
    Repair,
    StoreVersion,
    Verification,
    read_store,
    recover_or_tell,
    repair_store,
    verify_store,
)
from graphsparse.streaming.packing import fingerprint, pack_batch
from graphsparse.streaming.recovery import Recovered, pack_parts
from graphsparse.streaming.report import BatchReport

PathLike = str | os.PathLike[str]
_SHARE = 0.1  # of the time of updates that snapshots may take when they are balanced
_LEAST_REPLAY = 1.0  # seconds of replay below which no snapshot pays
_KEPT_SNAPSHOTS = 2  # the newest, and one more should it be damaged


class Store:
    """A :class:`DynamicSparsifier` whose batches are on disk before they count as done.

    A folder with one SQLite file: a row for every batch, with the offset of its source, and
    snapshots of the state.  Made by :meth:`create`, found again by :meth:`open`.

    Attributes
    ----------
    stream : DynamicSparsifier
        The state in memory; change it through :meth:`update` only.
    window : EventWindow or None
        Where updates are events that end by themselves.
    recovery : Recovery or None
        What :meth:`open` found; None after :meth:`create`.
    applied : EdgeBatch
        Updates of the last batch; in a store with a window, ends of events are among them.

    Notes
    -----
    A batch is applied in memory first, which checks it as a whole, and then committed with
    SQLite's WAL and ``synchronous=FULL``.  If a commit fails, as on a full disk, the store is of no
    use until it is opened again: what was committed before is all there.

    Examples
    --------
    >>> import tempfile
    >>> from graphsparse.graph import Graph
    >>> square = Graph.from_edges([(0, 1), (1, 2), (2, 3)], num_nodes=4)
    >>> folder = tempfile.mkdtemp() + "/square"
    >>> with Store.create(folder, DynamicSparsifier(square, square, K=4)) as store:
    ...     report = store.update(inserts=[(0, 3)], offset={"line": 1})
    >>> with Store.open(folder) as store:
    ...     store.num_batches, store.offset, store.stream.num_edges
    (1, {'line': 1}, 4)
    """

    def __init__(self, folder: Path, lock: WriterLock, journal: Journal, found: Recovered) -> None:
        self.stream, self.window, self.recovery = found.stream, found.window, found.report
        self._folder, self._lock, self._journal, self._mark = folder, lock, journal, found.mark
        self._meta = journal.meta()
        self._committer = Committer(journal)
        self._committer.committed = found.mark.number
        self._snapshots = journal.snapshot_numbers()
        self._snapshot_cost = found.snapshot_seconds
        self._replay_cost = 0.0 if found.report is None else found.report.seconds
        self._broken = ""
        self.applied = EdgeBatch.of()

    @classmethod
    def create(
        cls,
        path: PathLike,
        stream: DynamicSparsifier,
        *,
        window: float | None = None,
        snapshot_every: int | Literal["auto"] = "auto",
        history: Literal["all", "recovery"] = "all",
        notes: dict[str, Any] | None = None,
    ) -> Store:
        """Make a store that starts with a stream as it is.

        Parameters
        ----------
        path : path
            Folder; made when missing.
        stream : DynamicSparsifier
            The store owns it from now on.
        window : float, optional
            Take updates as events with times that end so long after; see :class:`EventWindow`.
        snapshot_every : int or "auto"
            Batches between snapshots; "auto" takes one when the batches since the last took ten
            times as long as it.
        history : {"all", "recovery"}
            Keep all batches, or those that a recovery needs: after the last snapshot but one.
        notes : dict, optional
            Kept with the store as it is: :attr:`notes`.

        Raises
        ------
        StoreError
            If the folder holds a store, or somebody writes to it.
        """
        if snapshot_every != "auto":
            check_count("snapshot_every", snapshot_every, low=1)
        check_choice("history", history, ("all", "recovery"))
        if not isinstance(stream, DynamicSparsifier):
            raise TypeError(f"stream must be a DynamicSparsifier, got {type(stream).__name__}")
        live = None if window is None else EventWindow(window)
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        lock = WriterLock(folder)
        try:
            file = database_file(folder) or next_database_file(folder)
            journal = Journal(file)
            if journal.version:
                journal.close()
                raise StoreError(f"{folder} holds a stream; Store.open goes on with it")
            mark = Mark(0, None, 0, 0, 0)
            start = time.perf_counter()
            with journal.transaction():
                journal.migrate()
                journal.set_meta({"snapshot_every": snapshot_every, "history": history})
                journal.set_meta({"notes": notes or {}})
                journal.add_snapshot(mark, pack_parts(stream, live), 0.0)
            cost = time.perf_counter() - start
        except BaseException:
            lock.release()
            raise
        return cls(folder, lock, journal, Recovered(stream, live, mark, None, cost))

    @classmethod
    def open(cls, path: PathLike, *, device: Literal["cpu", "cuda"] = "cpu") -> Store:
        """Return a store as it was after the last batch that was committed.

        Parameters
        ----------
        path : path
            Folder.
        device : {"cpu", "cuda"}
            Who walks from now on.

        Raises
        ------
        StoreLockedError
            If another process writes to it.
        StoreDamagedError
            If a batch is damaged; the message says what :meth:`repair` would lose.
        StoreError
            If there is no store, or one of a later version.
        """
        folder = Path(path)
        file = database_file(folder)
        if file is None:
            raise StoreError(f"{folder} holds no stream; Store.create makes one")
        lock = WriterLock(folder)
        try:
            journal = Journal(file)
            journal.check_version()
            with journal.transaction():
                journal.migrate()
            found = recover_or_tell(folder, journal, device)
        except BaseException:
            lock.release()
            raise
        return cls(folder, lock, journal, found)

    @staticmethod
    def read(path: PathLike) -> StoreVersion:
        """Return the version that is on disk now; takes no lock, writers go on meanwhile."""
        return read_store(Path(path))

    @staticmethod
    def verify(path: PathLike) -> Verification:
        """Check every row of a store and replay it; takes no lock and changes nothing."""
        return verify_store(Path(path))

    @staticmethod
    def repair(path: PathLike) -> Repair:
        """Go back to the last batch that can be had, if rows are damaged; see :class:`Repair`."""
        return repair_store(Path(path))

    @property
    def path(self) -> Path:
        """The folder."""
        return self._folder

    @property
    def num_batches(self) -> int:
        """Batches so far, those on their way to the disk included."""
        return self._mark.number

    @property
    def num_committed(self) -> int:
        """Batches that are on disk."""
        return self._committer.committed

    @property
    def offset(self) -> Any:
        """Offset of the source after the last batch."""
        return self._mark.source

    @property
    def rows(self) -> tuple[int, int]:
        """Rows read from the source so far, and those of them that were rejected."""
        return self._mark.read, self._mark.rejected

    @property
    def notes(self) -> dict[str, Any]:
        """What :meth:`create` was given to keep."""
        return dict(self._meta["notes"])

    @property
    def snapshot_seconds(self) -> float:
        """What the last snapshot took."""
        return self._snapshot_cost

    def update(
        self,
        batch: EdgeBatch | None = None,
        *,
        inserts: Any = None,
        deletes: Any = None,
        reweights: Any = None,
        offset: Any = None,
        read: int | None = None,
        rejected: int = 0,
        wait: bool = True,
    ) -> BatchReport:
        """Apply one batch, and commit it together with the offset of its source.

        Parameters
        ----------
        batch, inserts, deletes, reweights
            As for :meth:`DynamicSparsifier.update`; events in a store with a window.
        offset : any
            Where the source goes on after this batch, of what JSON can hold.
        read : int, optional
            Rows that were read for the batch; its updates and the rejected ones when left out.
        rejected : int
            Rows of them that were refused.
        wait : bool
            Return when the batch is on disk.  Without, the next batch may be applied meanwhile;
            :meth:`flush` waits, and a crash goes back to a batch that was committed.

        Raises
        ------
        ValueError, IndexError, KeyError
            As :meth:`DynamicSparsifier.update`; the store is as it was.
        TypeError
            If JSON cannot hold the offset.
        StoreError
            If the batch cannot be committed; open the store again then.
        """
        if batch is None:
            batch = EdgeBatch.of(inserts, deletes, reweights)
        elif any(part is not None for part in (inserts, deletes, reweights)):
            raise TypeError("give either batch or inserts, deletes and reweights, got both")
        self._check_usable()
        count = len(batch) + rejected if read is None else read
        check_count("rejected", rejected, high=check_count("read", count))
        json.dumps(offset)  # what JSON cannot hold is refused before anything changes
        self._broken = "a batch was interrupted"  # until it is both applied and on its way to disk
        try:
            report, self.applied = apply_events(self.stream, self.window, batch)
        except (ValueError, IndexError, KeyError):
            self._broken = ""
            raise
        self._commit("batch", report, self.applied, (offset, count, rejected), wait)
        return report

    def refresh(self) -> BatchReport:
        """Do :meth:`DynamicSparsifier.refresh`, and commit that it was done."""
        self._check_usable()
        report = self.stream.refresh()
        self.applied = EdgeBatch.of()
        self._commit("refresh", report, self.applied, (self.offset, 0, 0), True)
        return report

    def _commit(
        self,
        kind: str,
        report: BatchReport,
        batch: EdgeBatch,
        rows: tuple[Any, int, int],
        wait: bool,
    ) -> None:
        last, (offset, read, rejected) = self._mark, rows
        mark = Mark(
            last.number + 1,
            offset,
            last.read + read,
            last.rejected + rejected,
            fingerprint(report, last.fingerprint),
        )
        with self._writing():
            self._committer.add(BatchRow(mark, kind, report.num_updates, pack_batch(batch)))
            self._mark = mark
            self._replay_cost += report.seconds
            if self._is_due():
                self._take_snapshot()
            if wait:
                self._committer.wait()

    def _is_due(self) -> bool:
        every = self._meta["snapshot_every"]
        if every != "auto":
            return bool(self._mark.number >= self._snapshots[-1] + every)
        return self._replay_cost > max(_LEAST_REPLAY, self._snapshot_cost / _SHARE)

    def snapshot(self) -> None:
        """Store the state as it is, so that recovery starts from here."""
        self._check_usable()
        with self._writing():
            if self._snapshots[-1] != self._mark.number:
                self._take_snapshot()
            self._committer.wait()

    def _take_snapshot(self) -> None:
        start = time.perf_counter()
        parts, mark, cost = pack_parts(self.stream, self.window), self._mark, self._snapshot_cost
        kept = [self._snapshots[0]] if self._meta["history"] == "all" else []
        self._snapshots.append(mark.number)
        kept = sorted({*kept, *self._snapshots[-_KEPT_SNAPSHOTS:]})
        self._snapshots = kept
        copied = time.perf_counter() - start

        def write() -> None:
            begin = time.perf_counter()
            with self._journal.transaction():
                self._journal.add_snapshot(mark, parts, cost)
                before = 0 if self._meta["history"] == "all" else kept[0]
                self._journal.prune(kept, before)
            self._snapshot_cost = copied + time.perf_counter() - begin

        self._committer.run(write)
        self._replay_cost = 0.0

    def flush(self) -> None:
        """Return when every batch so far is on disk."""
        self._check_usable()
        with self._writing():
            self._committer.wait()

    def _writing(self) -> _Writing:
        return _Writing(self)

    def _check_usable(self) -> None:
        if self._broken:
            raise StoreError(f"{self._folder}: {self._broken}; open the store again")

    def close(self) -> None:
        """Wait for the disk and let the next writer in; what was committed stays."""
        if self._broken == "it is closed":
            return
        try:
            if not self._broken:
                self.flush()
        finally:
            self._broken = "it is closed"
            self._committer.close()
            self._journal.close()
            self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({str(self._folder)!r}, num_batches={self.num_batches}, {self.stream!r})"


class _Writing:
    """Take a store out of use if its disk fails within the block."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._store._broken = ""
            return
        self._store._broken = f"a commit failed ({kind.__name__}: {error})"
        if issubclass(kind, sqlite3.Error | OSError):
            raise StoreError(
                f"{self._store.path}: batch {self._store.num_batches} could not be committed "
                f"({error}); the {self._store.num_committed} before are safe: open the store again"
            ) from error


def apply_events(
    stream: DynamicSparsifier, window: EventWindow | None, events: EdgeBatch
) -> tuple[BatchReport, EdgeBatch]:
    """Change a state in memory; return the report and the updates that were applied."""
    if window is None:
        return stream.update(events), events
    batch = window.advance(events)
    try:
        report = stream.update(batch)
    except BaseException:
        window.undo()
        raise
    window.forget()
    return report, batch
