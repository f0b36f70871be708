"""While a training runs, freed memory stays with the process: each step allocates it again."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

# Parameters of glibc's mallopt, with its own values for afterwards.
_MMAP_MAX, _MMAP_MAX_DEFAULT = -4, 65536
_TRIM_THRESHOLD, _TRIM_DEFAULT, _NEVER = -1, 64 << 20, -1


class _Users:
    """How many trainings of this process run."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0


_USERS = _Users()


@contextlib.contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Let the heap keep large freed blocks within the context, and return them after it.

    Notes
    -----
    By default glibc maps every block of 32 MiB and more anew and unmaps it when it is freed; the
    kernel then clears each page at its first use (``benchmarks/results/ogb_scale_heap.json``).
    Resident memory stays at the peak of the run until its end.  Other C libraries and allocators
    are left as they are.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    _change(libc, 1)
    try:
        yield
    finally:
        _change(libc, -1)


def _change(libc: Any, step: int) -> None:
    with _USERS.lock:
        _USERS.count += step
        if (_USERS.count, step) == (1, 1):
            libc.mallopt(_MMAP_MAX, 0)
            libc.mallopt(_TRIM_THRESHOLD, _NEVER)
        elif _USERS.count == 0:
            libc.mallopt(_MMAP_MAX, _MMAP_MAX_DEFAULT)
            libc.mallopt(_TRIM_THRESHOLD, _TRIM_DEFAULT)
            libc.malloc_trim(0)


@cache
def _glibc() -> Any:
    """Return the C library, or None where it is not glibc."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") else None
