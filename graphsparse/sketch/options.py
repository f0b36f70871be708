"""Options of FastRP, checked when they are made."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphsparse.backend import requested_threads
from graphsparse.checks import check_choice, check_count, check_fraction

MOST_S = 2**31
_CHOICES: dict[str, tuple[str | None, ...]] = {
    "projection": ("sparse", "gaussian", "given"),
    "matrix": ("transition", "adjacency"),
    "row_norm": ("merge", "loop", None),
    "combine": ("sum", "concat"),
    "degree": ("out", "in", "total"),
    "degree_scale": ("plain", "paper"),
    "dangling": ("zero", "self"),
    "direction": ("out", "in", "both", "undirected"),
    "dtype": ("float32", "float64"),
    "storage_dtype": ("bfloat16", None),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class FastRPOptions:
    """Options of :func:`graphsparse.fastrp`, which says what each of them means."""

    dim: int = 256
    weights: Sequence[float] = (0.0, 0.0, 1.0, 6.67)
    beta: float = -0.5
    s: float | str = 3.0
    projection: str = "sparse"
    matrix: str = "transition"
    row_norm: str | None = "merge"
    standardize: bool = True
    combine: str = "sum"
    self_influence: float = 0.0
    feature_ratio: float = 0.0
    degree: str = "out"
    degree_scale: str = "plain"
    dangling: str = "zero"
    direction: str = "out"
    add_self_loops: bool = False
    allow_negative: bool = False
    seed: int = 42
    dtype: str = "float32"
    storage_dtype: str | None = None
    n_threads: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", np.dtype(self.dtype).name)
        for name, choices in _CHOICES.items():
            check_choice(name, getattr(self, name), choices)  # type: ignore[arg-type]
        object.__setattr__(self, "dim", check_count("dim", self.dim, low=1, high=2**31 - 1))
        object.__setattr__(self, "weights", _weights(self.weights))
        for name in ("beta", "self_influence"):
            object.__setattr__(self, name, check_finite(name, getattr(self, name)))
        check_fraction("feature_ratio", self.feature_ratio, zero=True)
        check_count("seed", self.seed, low=-(2**63), high=2**64 - 1)
        if self.n_threads is not None:
            check_count("n_threads", self.n_threads)
        _check_s(self.s)
        self._check_together()

    def _check_together(self) -> None:
        if not any(self.weights) and self.self_influence == 0.0:
            kind = "all zero" if self.weights else "empty"
            raise ValueError(
                f"weights must have a non-zero entry unless self_influence has, got {self.weights} "
                f"({kind})"
            )
        if self.combine == "concat" and not self.weights:
            raise ValueError(f"weights must have an entry per power to join, got {self.weights}")
        if self.combine == "concat" and self.self_influence:
            raise ValueError(
                f"self_influence must be 0 with combine='concat', got {self.self_influence}"
            )
        if self.storage_dtype is not None and self.dtype != "float32":
            raise ValueError(
                f"storage_dtype must be None with dtype={self.dtype!r}, got {self.storage_dtype!r}"
            )

    @property
    def threads(self) -> int:
        """Threads to call kernels with; 0 leaves the choice to OpenMP."""
        return requested_threads() if self.n_threads is None else self.n_threads

    @property
    def num_powers(self) -> int:
        """Powers to compute: those after the last weight are not needed."""
        if self.combine == "concat":
            return len(self.weights)
        return max((k + 1 for k, alpha in enumerate(self.weights) if alpha), default=0)

    @property
    def columns(self) -> int:
        """Columns of the result."""
        return self.dim * (self.num_powers if self.combine == "concat" else 1)

    @property
    def feature_dim(self) -> int:
        """Columns that start from node properties."""
        return math.floor(self.feature_ratio * self.dim)

    @property
    def standard(self) -> bool:
        """Whether columns are standardised: never those of joined powers."""
        return self.standardize and self.combine == "sum"

    def threshold(self, num_nodes: int) -> int:
        """Return ``T = round(2^31 / s)``: a word below it is +1, below twice that -1."""
        s = self.s
        if s == "auto":
            s = max(1.0, min(math.sqrt(num_nodes), self.dim / 8))
        return max(1, round(MOST_S / float(s)))


def _weights(weights: Any) -> tuple[float, ...]:
    array = np.asarray(weights, dtype=object)
    if array.ndim != 1:
        raise ValueError(f"weights must be a sequence of numbers, got {weights!r}")
    return tuple(check_finite(f"weights[{k}]", value) for k, value in enumerate(array))


def check_finite(name: str, value: Any) -> float:
    """Return ``value`` as a finite float."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {type(value).__name__} {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return float(value)


def _check_s(s: Any) -> None:
    if isinstance(s, str) and s == "auto":
        return
    if isinstance(s, str) or not 1.0 <= check_finite("s", s) <= MOST_S:
        raise ValueError(f"s must be 'auto' or in [1, 2^31], got {s!r}")
