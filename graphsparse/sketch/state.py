"""What a run leaves behind: the embedding, and what updates of it need."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.sketch.options import FastRPOptions

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FastRPState:
    """Result of one run of FastRP.

    Attributes
    ----------
    embedding : array, shape (n, dim), or (n, q * dim) for ``combine="concat"``
        One row per node.
    options : FastRPOptions
        What it was computed with.
    degree, ell : array of float64, shape (n,)
        Degrees and the factors made of them.
    powers : tuple of arrays, shape (n, dim)
        ``U_1 .. U_q``, not normalised, if they were to be kept; bfloat16 as uint16.
    mean, std : array of float64, shape (dim,), or None
        Column statistics that the embedding was standardised with; a std of 0 marks a column
        that is constant up to rounding.
    num_zero_rows : int
        Nodes without any signal: their rows were zero before standardisation.
    seconds : dict of str to float
        Wall time of the phases.
    """

    embedding: Array
    options: FastRPOptions
    degree: Array
    ell: Array
    powers: tuple[Array, ...]
    mean: Array | None
    std: Array | None
    num_zero_rows: int
    seconds: dict[str, float]

    def __repr__(self) -> str:
        return (
            f"FastRPState(embedding={self.embedding.shape} {self.embedding.dtype}, "
            f"powers={len(self.powers)}, num_zero_rows={self.num_zero_rows}, "
            f"seconds={sum(self.seconds.values()):.3g})"
        )
