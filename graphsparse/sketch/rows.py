"""Rows of arcs, and the native kernel that multiplies them with a thin matrix."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.backend import native

Array = np.ndarray[Any, np.dtype[Any]]


def fresh(rows: int, columns: int, dtype: Any) -> Array:
    """Return an uninitialised matrix on whole cache lines and huge pages.

    NumPy's own blocks start 16 bytes after a line: each gathered row then touches one line more.
    """
    kind = np.dtype(dtype)
    block: Array = native.fresh_bytes(rows * columns * kind.itemsize)
    matrix: Array = block.view(kind).reshape(rows, columns)
    return matrix


@dataclasses.dataclass(frozen=True)
class Source:
    """The matrix that a power gathers: dense, bfloat16 bits, or packed signs with factors.

    Attributes
    ----------
    x : array of shape (n, dim) or (n, blocks, 16)
        Rows; uint16 are bfloat16 bits in two dimensions and signs in three.
    factors : array of shape (n,), optional
        Magnitude of the signs of each row.
    amplitude : float
        What every entry is to be multiplied by.
    """

    x: Array
    factors: Array | None = None
    amplitude: float = 1.0


@dataclasses.dataclass(frozen=True)
class Rows:
    """A sparse matrix by rows: the arcs of row ``u`` are ``begin[u]:end[u]``.

    Attributes
    ----------
    begin, end : array of int64, shape (n,)
        A CSR has ``end = begin + 1``; a graph that changes has room between rows.
    indices : array of int32 or int64
        Columns.
    values : array, optional
        Entries, of the type that is computed with; None: all are 1.
    scale : array of float64, shape (n,), optional
        Factor of each row.
    """

    begin: Array
    end: Array
    indices: Array
    values: Array | None
    scale: Array | None
    _scales: dict[float, Array] = dataclasses.field(default_factory=dict)

    def scale_for(self, amplitude: float, dtype: Any) -> Array | None:
        """Return the row factors times ``amplitude`` in the type that is computed with."""
        if self.scale is None and amplitude == 1.0:
            return None
        if amplitude not in self._scales:
            own = np.ones(len(self.begin)) if self.scale is None else self.scale
            self._scales[amplitude] = np.asarray(own * amplitude, dtype=dtype)
        return self._scales[amplitude]

    def set_scale(self, rows: Array, values: Array) -> None:
        """Give some rows new factors."""
        if self.scale is not None:
            self.scale[rows] = values
            for amplitude, scales in self._scales.items():
                scales[rows] = values * amplitude


@dataclasses.dataclass(frozen=True)
class Sink:
    """What becomes of the rows of a product.

    Attributes
    ----------
    power : array, optional
        Receives the rows; uint16 receives bfloat16 bits.
    merged : array, optional
        Receives ``alpha`` times the rows in the columns from ``column`` on, written if ``fresh``
        and else added; divided by their lengths if ``unit``.
    earlier : float
        Weight in ``merged`` of the rows that are gathered from, where these are dense.
    squares : array of float64, optional
        Receives the squared lengths.
    loop : bool
        Divide the rows themselves by their lengths first.
    """

    power: Array | None = None
    merged: Array | None = None
    column: int = 0
    squares: Array | None = None
    alpha: float = 1.0
    earlier: float = 0.0
    unit: bool = False
    loop: bool = False
    fresh: bool = False


def multiply(
    rows: Rows,
    source: Source,
    width: int,
    sink: Sink,
    threads: int,
    *,
    dtype: Any,
    subset: Array | None = None,
) -> None:
    """Compute ``scale * (A @ source)``, whole or on the rows of ``subset`` in their order.

    Bits do not depend on threads or subsets: a row is summed in pieces of 4,096 arcs, in order.
    """
    half = sink.power is not None and sink.power.dtype == np.uint16
    native.sketch_power(
        rows.begin,
        rows.end,
        rows.indices,
        rows.values,
        subset,
        rows.scale_for(source.amplitude, dtype),
        source.x,
        source.factors,
        width,
        None if half else sink.power,
        sink.power if half else None,
        sink.merged,
        sink.column,
        sink.squares,
        sink.alpha,
        sink.earlier,
        sink.unit,
        sink.loop,
        sink.fresh,
        threads,
    )
