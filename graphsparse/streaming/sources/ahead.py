"""Read ahead in a thread: parsing overlaps with updates, and a full queue holds the source back."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

from graphsparse.streaming.sources.piece import Piece, Stop

_NAP = 0.1  # seconds between looks at the request to stop


class Ahead:
    """Pieces of a source, read by a thread up to so many ahead.

    Parameters
    ----------
    pieces : callable
        Called with a request to stop, in the thread; yields the pieces.
    depth : int
        Most pieces that wait.
    """

    def __init__(self, pieces: Callable[[Stop], Iterator[Piece]], depth: int) -> None:
        self._queue: queue.Queue[Piece | BaseException | None] = queue.Queue(depth)
        self._stop = threading.Event()
        self._rows = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, args=(pieces,), daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Rows that were read but not taken yet."""
        return self._rows

    def _read(self, pieces: Callable[[Stop], Iterator[Piece]]) -> None:
        last: BaseException | None = None
        try:
            for piece in pieces(self._stop.is_set):
                with self._lock:
                    self._rows += piece.read
                if not self._put(piece):
                    return
        except BaseException as error:
            last = error
        self._put(last)

    def _put(self, item: Piece | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_NAP)
                return True
            except queue.Full:
                continue
        return False

    def take(self, stop: Stop) -> Piece | None:
        """Return the next piece; None at the end, or on a request to stop."""
        while not stop():
            try:
                item = self._queue.get(timeout=_NAP)
            except queue.Empty:
                continue
            if isinstance(item, BaseException):
                raise item
            if item is not None:
                with self._lock:
                    self._rows -= item.read
            return item
        return None

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join(timeout=10 * _NAP)  # a read that blocks ends with the process
