"""A limit on the wall time of a figure."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def check_limit(seconds: float | None) -> float | None:
    """Return a limit that is None or above 0."""
    if seconds is not None and not 0.0 < seconds < float("inf"):
        raise ValueError(f"max_seconds must be above 0, got {seconds!r}")
    return seconds


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise ``TimeoutError`` in the block once it has taken so many seconds; None: no limit.

    Python is interrupted between two of its steps, so a native kernel ends first.

    Raises
    ------
    ValueError
        If there is a limit and this is not the main thread, which alone has a timer.
    """
    if seconds is None:
        yield
        return
    if threading.current_thread() is not threading.main_thread():
        raise ValueError(f"max_seconds needs the main thread, got {seconds!r} in another one")

    def stop(number: int, frame: Any) -> None:
        raise TimeoutError(f"not finished within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
