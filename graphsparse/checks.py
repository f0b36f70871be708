"""Argument checks for the public door: each names the argument, what was expected, what came."""

from __future__ import annotations

import importlib
import importlib.util
import math
import numbers
from collections.abc import Collection, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from graphsparse.errors import MissingDependencyError


def check_fraction(name: str, value: float, *, zero: bool = False) -> float:
    """Return ``value`` as a float in (0, 1], or in [0, 1] with ``zero=True``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {type(value).__name__} {value!r}")
    number = float(value)
    if not (0.0 <= number <= 1.0) or (number == 0.0 and not zero):
        raise ValueError(f"{name} must be in {'[' if zero else '('}0, 1], got {value!r}")
    return number


def check_count(name: str, value: int, *, low: int = 0, high: int | None = None) -> int:
    """Return ``value`` as an int between ``low`` and ``high``, both included."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__} {value!r}")
    number = int(value)
    if number < low or (high is not None and number > high):
        bound = f">= {low}" if high is None else f"in [{low}, {high}]"
        raise ValueError(f"{name} must be {bound}, got {number}")
    return number


def check_choice(name: str, value: str, choices: Collection[str]) -> str:
    """Return ``value`` if it is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def check_seed(seed: int) -> int:
    """Return a seed in [0, 2^64)."""
    return check_count("seed", seed, high=2**64 - 1)


def edge_budget(keep: float | None, num_edges: int | None, total: int) -> int:
    """Return how many of ``total`` edges to keep.

    Exactly one of ``keep`` and ``num_edges`` is given.  ``keep`` leaves
    ``total - floor((1 - keep) * total + 1e-6)`` edges: the slack stops 0.29 of 100 from
    becoming 28.
    """
    if (keep is None) == (num_edges is None):
        given = "both" if keep is not None else "neither"
        raise ValueError(
            f"give exactly one of keep and num_edges, got {given}: {keep=}, {num_edges=}"
        )
    if num_edges is not None:
        return check_count("num_edges", num_edges, high=total)
    fraction = check_fraction("keep", keep)  # type: ignore[arg-type]
    return total - math.floor((1.0 - fraction) * total + 1e-6)


def check_ids(name: str, ids: Any, *, ndim: int = 1) -> np.ndarray[Any, np.dtype[Any]]:
    """Return node or edge ids as a contiguous int32 or int64 array."""
    array = np.asarray(ids)
    if array.size == 0 and array.dtype.kind not in "iu":
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got dtype {array.dtype}")
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {array.shape}")
    if array.dtype == np.uint64 and array.size and int(array.max()) >= 2**63:
        raise ValueError(f"{name} must be below 2^63, got {int(array.max())}")
    if array.dtype not in (np.int32, np.int64):
        array = array.astype(np.int64)
    return np.ascontiguousarray(array)


def check_weights(name: str, weights: Any, size: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Return finite weights of shape ``(size,)``: float32 stays float32, all else is float64."""
    array = np.asarray(weights)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    if array.shape != (size,):
        raise ValueError(f"{name} must have shape ({size},), got {array.shape}")
    if array.dtype != np.float32:
        array = array.astype(np.float64)
    finite = np.isfinite(array)
    if not finite.all():
        at = int(np.argmin(finite))
        raise ValueError(f"{name} must be finite, got {array[at]} at position {at}")
    return np.ascontiguousarray(array)


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional module, or say which pip line installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingDependencyError(
            f"{purpose} needs the package {module.split('.')[0]!r}, which is not installed: "
            f"pip install 'graphsparse[{extra}]'"
        ) from None


def available(modules: Sequence[str]) -> bool:
    """Tell whether all ``modules`` can be found, without importing them."""
    return all(importlib.util.find_spec(module) is not None for module in modules)
