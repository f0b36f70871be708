"""Commits in a thread of their own, so that the next batch is applied while the disk syncs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from graphsparse.streaming.journal import BatchRow, Journal

_MOST_WAITING = 16  # batches that may be applied but not yet on disk


class Committer:
    """Write batches in order; those that wait go in one transaction.

    After a failure nothing more is written: a later batch must not stand without an earlier one.

    Parameters
    ----------
    journal : Journal
        Used from the thread of the committer only, while it lives.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._pool = ThreadPoolExecutor(1, "graphsparse-commit")
        self._waiting: list[BatchRow] = []
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._last: Future[None] | None = None
        self.committed = 0

    def add(self, row: BatchRow) -> None:
        """Queue a batch; waits while too many are queued, raises what went wrong before."""
        self._check()
        with self._lock:
            self._waiting.append(row)
            full = len(self._waiting) >= _MOST_WAITING
        if full and self._last is not None:
            self._last.result()
        self.run(self._drain)

    def run(self, job: Callable[[], None]) -> None:
        """Run a job after the commits that are queued, in the thread of the committer."""
        self._check()
        self._last = self._pool.submit(self._guard, job)

    def _guard(self, job: Callable[[], None]) -> None:
        self._check()
        try:
            job()
        except BaseException as error:
            self._error = error
            raise

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _drain(self) -> None:
        with self._lock:
            rows, self._waiting = self._waiting, []
        if rows:
            with self._journal.transaction():
                self._journal.add_batches(rows)
            self.committed = rows[-1].mark.number

    def wait(self) -> None:
        """Return when all that was queued is on disk; raises what went wrong."""
        if self._last is not None:
            self._last.result()

    def close(self) -> None:
        """Let the thread end when its queue is empty."""
        self._pool.shutdown()
