"""Matrices whose rows repeat: a product with them costs what its distinct rows cost."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from graphsparse.models import segment_torch

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True, eq=False)
class SharedRows:
    """The matrix ``base[index]``.

    Attributes
    ----------
    base : Tensor, shape (distinct, dim)
        Rows.
    index : array of int64, shape (n,)
        Which of them each row is.
    """

    base: Tensor
    index: Array

    def dense(self) -> Tensor:
        """Return the matrix itself, shape (n, dim)."""
        return take(self.base, self.index)


Matrix = Tensor | SharedRows


def dense(x: Matrix) -> Tensor:
    """Return a matrix with a row of memory for each row."""
    return x.dense() if isinstance(x, SharedRows) else x


def choose(x: Matrix, rows: Array | None) -> Matrix:
    """Return some rows of a matrix, all of them for None."""
    if isinstance(x, SharedRows):
        return x if rows is None else SharedRows(x.base, x.index[rows])
    return take(x, rows)


def take(x: Tensor, rows: Array | None) -> Tensor:
    """Return some rows of a matrix, all of them for None."""
    if rows is None:
        return x
    return F.embedding(segment_torch.indices(rows, x), x)
