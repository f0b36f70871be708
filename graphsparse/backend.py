"""The native module, the number of threads, and where the package keeps its files."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

from graphsparse.checks import check_count
from graphsparse.errors import BackendError

_PACKAGE = Path(__file__).resolve().parent
_num_threads = 0


def _load() -> ModuleType:
    try:
        from graphsparse import _native
    except ImportError as error:
        raise BackendError(
            f"the compiled part of graphsparse cannot be loaded ({error}); "
            "reinstall with: pip install --force-reinstall --no-deps graphsparse"
        ) from error
    return _native


native = _load()
# GNU OpenMP hangs in a forked child once its parent has run in parallel: one thread there.
os.register_at_fork(after_in_child=native.mark_forked_child)


def num_threads() -> int:
    """Return the threads that kernels use now (1 in a forked child)."""
    return int(native.resolve_threads(_num_threads))


def set_num_threads(count: int) -> None:
    """Set the threads of every kernel; 0 leaves the choice to OpenMP (``OMP_NUM_THREADS``).

    Results never depend on it.
    """
    global _num_threads
    _num_threads = check_count("count", count)


def requested_threads() -> int:
    """Return what kernels are to be called with: 0, or the count that was set."""
    return _num_threads


def _folder(installed: str, in_tree: str) -> Path:
    inside = _PACKAGE / installed
    return inside if inside.is_dir() else _PACKAGE.parent / in_tree


def cuda_sources() -> Path:
    """Return the folder of the C++ and CUDA sources."""
    return _folder("_cuda", "cuda")


def bundled_data() -> Path:
    """Return the folder of the bundled data sets."""
    return _folder("_data", "datasets")
