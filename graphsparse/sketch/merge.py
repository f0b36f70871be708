"""Statistics of columns, and columns of mean 0 and deviation 1."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.backend import native

Array = np.ndarray[Any, np.dtype[Any]]

_ROUNDING = 10.0  # deviations below so many rounding errors of the largest entry count as zero


@dataclasses.dataclass(frozen=True)
class ColumnStatistics:
    """Means and population deviations of columns; a deviation of 0 means constant.

    Attributes
    ----------
    mean, std : array of float64, shape (columns,)
    num_zero_rows : int
        Rows without a non-zero entry.
    """

    mean: Array
    std: Array
    num_zero_rows: int

    def apply(self, x: Array, threads: int) -> None:
        """Standardise the columns of ``x`` in place; constant columns become 0."""
        inverse = np.divide(1.0, self.std, out=np.zeros(len(self.std)), where=self.std > 0)
        native.standardize(x, self.mean.astype(x.dtype), inverse.astype(x.dtype), threads)


def column_statistics(x: Array, threads: int) -> ColumnStatistics:
    """Return the statistics of the columns of ``x``; sums in float64, block by block in order."""
    mean, std, most = (np.empty(x.shape[1]) for _ in range(3))
    zeros = int(native.column_statistics(x, mean, std, most, threads))
    std[std <= _ROUNDING * np.finfo(x.dtype).eps * most] = 0.0
    return ColumnStatistics(mean, std, zeros)
