"""The powers of one walk, each a fused pass over the arcs, and their sum."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.backend import native
from graphsparse.sketch.options import FastRPOptions
from graphsparse.sketch.projection import Projection
from graphsparse.sketch.rows import Rows, Sink, Source, fresh, multiply

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass
class Run:
    """Powers of one matrix, at most two of them in memory unless they are kept.

    Attributes
    ----------
    rows : Rows
        ``M``.
    projection : Projection
        ``X_0``.
    keep : bool
        Keep every power.
    """

    rows: Rows
    projection: Projection
    keep: bool = False
    powers: list[Array] = dataclasses.field(default_factory=list)
    merged: Array | None = None
    _is_first: bool = False  # nothing has been merged yet

    @property
    def options(self) -> FastRPOptions:
        """The options of the run."""
        return self.projection.options

    def run(self) -> Array:
        """Return the merged powers, before standardisation."""
        options, n = self.options, len(self.rows.begin)
        source = self._start()
        spare: Array | None = None
        for k in range(options.num_powers):
            last = k + 1 == options.num_powers
            power = None
            if self.keep or not last:
                kind = np.uint16 if options.storage_dtype else np.dtype(options.dtype)
                power = fresh(n, options.dim, kind) if spare is None else spare
            elif self.merged is None and spare is not None and spare.dtype == options.dtype:
                self.merged, self._is_first = spare, True
            self._multiply(source, k, power)
            if power is None:
                break
            spare = self._spare(source, power)
            source = Source(power)
            if self.keep:
                self.powers.append(power)
        return self._result()

    def _is_deferred(self, k: int) -> bool:
        """Whether power ``k`` is merged with the last one, from what that gathers.

        It is then not merged while it is made, and the result can lie where an older power was.
        """
        options = self.options
        simple = options.combine == "sum" and options.storage_dtype is None and not self.keep
        return simple and k >= 0 and k + 2 == options.num_powers and options.weights[k] != 0.0

    def _spare(self, source: Source, power: Array) -> Array | None:
        """Return the matrix that the next power may overwrite."""
        same = source.x.shape == power.shape and source.x.dtype == power.dtype
        return source.x if same and not self.keep else None

    def _start(self) -> Source:
        """Return ``X_0``, and merge it if it has a weight."""
        influence = self.options.self_influence
        source = self.projection.source()
        if influence:
            x = self.projection.dense() if self.projection.is_packed else source.x
            self.merged = fresh(len(x), self.options.dim, x.dtype) if x is source.x else x
            unit = self.options.row_norm is not None
            native.merge_rows(x, None, self.merged, influence, unit, True, self.options.threads)
        return source

    def _multiply(self, source: Source, k: int, power: Array | None) -> None:
        options = self.options
        joined = options.combine == "concat"
        alpha = 1.0 if joined else options.weights[k]
        if self._is_deferred(k):
            alpha = 0.0
        is_first = self.merged is None or self._is_first
        if alpha and self.merged is None:
            self.merged = fresh(len(self.rows.begin), options.columns, options.dtype)
        sink = Sink(
            power=power,
            merged=self.merged if alpha else None,
            column=k * options.dim if joined else 0,
            alpha=alpha,
            earlier=options.weights[k - 1] if self._is_deferred(k - 1) else 0.0,
            unit=options.row_norm == "merge",
            loop=options.row_norm == "loop",
            fresh=joined or is_first,
        )
        multiply(self.rows, source, options.dim, sink, options.threads, dtype=options.dtype)

    def _result(self) -> Array:
        assert self.merged is not None
        return self.merged
