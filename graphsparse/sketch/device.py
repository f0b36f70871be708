"""FastRP on a graph of the GPU: CuPy arrays in, CuPy arrays out, 1e-5 of the CPU's result.

Degrees, factors and the row scale are made on the host by the CPU's code (a few bytes per node);
projection, powers, merge and standardisation run on the device.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphsparse.errors import BackendError
from graphsparse.graph import Graph
from graphsparse.launch import MAX_GRID, cupy, launch
from graphsparse.sketch.options import FastRPOptions
from graphsparse.sketch.projection import Inputs, Projection, amplitude
from graphsparse.sketch.state import FastRPState
from graphsparse.sketch.transition import transition

_TILE = 128  # columns that a warp takes at once
_MOST_WIDTH = 4 * _TILE
_BLOCK_ROW, _HUB_ROW = 512, 16_384  # arcs from which on a block, and pieces, take a row
_PIECE = 4096
_UNIT, _LOOP, _FRESH, _QUADS = 1, 2, 4, 8
_ROUNDING = 10.0
_ROWS = 1 << 16  # rows that statistics look at together


def check_supported(graph: Graph, options: FastRPOptions) -> None:
    """Raise BackendError for what runs on the CPU only."""
    reason = ""
    if options.dim > _MOST_WIDTH:
        reason = f"dim above {_MOST_WIDTH}, got {options.dim}"
    elif options.storage_dtype is not None:
        reason = f"storage_dtype={options.storage_dtype!r}"
    elif options.direction == "both":
        reason = "direction='both'"
    elif graph.indices.dtype != np.int32:
        reason = "a graph with int64 node ids"
    if reason:
        raise BackendError(f"fastrp runs on the CPU only with {reason}: pass graph.to('cpu')")


@dataclasses.dataclass(frozen=True)
class _Matrix:
    """Rows on the device, and which of them a warp, a block, or pieces take."""

    begin: Any
    end: Any
    indices: Any
    values: Any
    scale: Any
    warp_rows: Any
    block_rows: Any
    hub_rows: Any
    hub_first: Any  # (hubs + 1,) first piece of each
    cuts: Any  # (pieces, 2)


def _matrix(begin: Any, end: Any, indices: Any, values: Any, scale: Any) -> _Matrix:
    module = cupy()
    degree = end - begin
    hubs = module.flatnonzero(degree > _HUB_ROW)
    first, cuts = _pieces(begin[hubs].get(), end[hubs].get())
    return _Matrix(
        begin, end, indices, values, scale,
        module.flatnonzero(degree <= _BLOCK_ROW),
        module.flatnonzero((degree > _BLOCK_ROW) & (degree <= _HUB_ROW)),
        hubs, module.asarray(first), module.asarray(cuts),
    )  # fmt: skip


def _pieces(begin: Any, end: Any) -> tuple[Any, Any]:
    """Return the first piece of each row and the arcs of each piece."""
    counts = -(-(end - begin) // _PIECE)
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    row = np.repeat(np.arange(len(counts)), counts)
    low = begin[row] + (np.arange(len(row)) - first[row]) * _PIECE
    cuts = np.stack([low, np.minimum(low + _PIECE, end[row])], 1)
    return first, np.ascontiguousarray(cuts, dtype=np.int64)


def _pointer(array: Any) -> int:
    return 0 if array is None else int(array.data.ptr)


class _Run:
    """One run on the device."""

    def __init__(self, options: FastRPOptions, projection: Projection, matrix: _Matrix) -> None:
        self.options, self.projection, self.matrix = options, projection, matrix
        self.module = cupy()
        self.n = len(matrix.begin)
        self.name = "float" if options.dtype == "float32" else "double"
        tiles = next(t for t in (1, 2, 4) if options.dim <= t * _TILE)
        self.type = f"{self.name}, {tiles}"
        self.sums = self.module.empty(
            max(1, len(matrix.cuts)) * tiles * _TILE, np.dtype(options.dtype)
        )
        self.merged: Any = None
        self.powers: list[Any] = []

    def start(self) -> Any:
        """Return ``X_0 = L R``; drawn here, or made on the host where it is given."""
        projection, options = self.projection, self.options
        if not projection.is_packed:
            return self.module.asarray(projection.dense())
        x = self.module.empty((self.n, options.dim), np.dtype(options.dtype))
        ids, threshold = projection.inputs.node_ids, options.threshold(self.n)
        ell = self.module.asarray(projection.ell)
        launch(
            "sketch.cu",
            f"projection_kernel<{self.name}>",
            x.size // 4 + self.n,
            *(np.uint64(projection.seed), np.uint32(threshold), np.bool_(ids is not None)),
            ell if ids is None else self.module.asarray(ids),
            *(ell, np.float64(amplitude(threshold, options.dim))),
            *(np.int64(self.n), np.int64(options.dim), x),
        )
        return x

    def run(self, keep_powers: bool) -> Any:
        """Return the merged powers, before standardisation."""
        options, x = self.options, self.start()
        if options.self_influence:
            self._merge_start(x)
        spare: Any = None
        for k in range(options.num_powers):
            last = k + 1 == options.num_powers
            power = None
            if keep_powers or not last:
                power = self.module.empty_like(x) if spare is None else spare
            self._power(x, k, power)
            if power is None:
                break
            spare, x = (None if keep_powers else x), power
            if keep_powers:
                self.powers.append(power)
        return self.merged

    def _merge_start(self, x: Any) -> None:
        """Add ``self_influence * N(X_0)``: the product with the identity."""
        module, n = self.module, self.n
        rows = module.arange(n + 1).astype(np.int64)
        same = _matrix(rows[:-1], rows[1:], rows[:-1].astype(np.int32), None, None)
        self.merged = module.empty((n, self.options.dim), x.dtype)
        unit = _UNIT if self.options.row_norm is not None else 0
        self._launch(same, x, None, 0, self.options.self_influence, unit | _FRESH)

    def _power(self, x: Any, k: int, power: Any) -> None:
        options = self.options
        joined = options.combine == "concat"
        alpha = 1.0 if joined else options.weights[k]
        first = self.merged is None
        if alpha and first:
            self.merged = self.module.empty((self.n, options.columns), x.dtype)
        norm = {"merge": _UNIT, "loop": _LOOP}.get(options.row_norm or "", 0)
        flags = norm | (_FRESH if joined or first else 0)
        column = k * options.dim if joined else 0
        self._launch(self.matrix, x, power, column, alpha, flags)

    def _launch(
        self, matrix: _Matrix, x: Any, power: Any, column: int, alpha: float, flags: int
    ) -> None:
        dim = self.options.dim
        merged = self.merged if alpha else None
        to = _pointer(merged) + (column * x.dtype.itemsize if alpha else 0)
        flags |= _QUADS if dim % 4 == 0 else 0
        arrays = (matrix.begin, matrix.end, matrix.indices, x, matrix.values, matrix.scale, power)
        job = np.array([*map(_pointer, arrays), to, dim, self.options.columns, 0, flags], np.uint64)
        job[10:11].view(np.float64)[0] = alpha
        sent = self.module.asarray(job)
        # The longest rows first: the others fill the gaps that they leave.
        hubs, pieces = len(matrix.hub_rows), len(matrix.cuts)
        if hubs:
            self._start("hub_pieces_kernel", pieces, sent, matrix.cuts, np.int64(pieces), self.sums)
            rows = (matrix.hub_rows, matrix.hub_first, np.int64(hubs), self.sums)
            self._start("hub_rows_kernel", -(-hubs // 8), sent, *rows)
        for name, rows, share in (
            ("block_rows_kernel", matrix.block_rows, 1),
            ("warp_rows_kernel", matrix.warp_rows, 8),
        ):
            if len(rows):
                self._start(name, -(-len(rows) // share), sent, rows, np.int64(len(rows)))

    def _start(self, name: str, blocks: int, *arguments: Any) -> None:
        launch("sketch.cu", f"{name}<{self.type}>", 0, *arguments, grid=min(blocks, MAX_GRID))


def _statistics(x: Any) -> tuple[Any, Any, int]:
    """Return means, deviations (0: constant) and the number of zero rows; float64, on the host."""
    module, n = cupy(), max(len(x), 1)
    parts: Sequence[Any] = [x[at : at + _ROWS] for at in range(0, len(x), _ROWS)]
    mean, square, most = (module.zeros(x.shape[1], np.float64) for _ in range(3))
    zeros = 0
    for part in parts:
        mean += part.astype(np.float64).sum(axis=0)
        most = module.maximum(most, abs(part).max(axis=0).astype(np.float64))
        zeros += int((~(part != 0).any(axis=1)).sum())
    mean = mean / np.float64(n)
    for part in parts:
        gap = part.astype(np.float64) - mean
        square += (gap * gap).sum(axis=0)
    std = module.sqrt(square / np.float64(n)).get()
    std[std <= _ROUNDING * np.finfo(str(x.dtype)).eps * most.get()] = 0.0
    return mean.get(), std, zeros


def _standardize(x: Any, mean: Any, std: Any) -> None:
    module = cupy()
    inverse = np.divide(1.0, std, out=np.zeros(len(std)), where=std > 0)
    low, scale = (module.asarray(part.astype(str(x.dtype))) for part in (mean, inverse))
    for at in range(0, len(x), _ROWS):
        x[at : at + _ROWS] = (x[at : at + _ROWS] - low) * scale


def embed_on_device(
    graph: Graph, options: FastRPOptions, inputs: Inputs, *, keep_powers: bool = False
) -> FastRPState:
    """Return the state of a run on a graph of the GPU; embedding and powers are CuPy arrays.

    Raises
    ------
    BackendError
        For options that run on the CPU only.
    """
    check_supported(graph, options)
    module = cupy()
    host = graph.to("cpu")
    made = transition(host, options)
    rows = made.rows
    own = rows.indices is host.indices  # no arc was added or turned round
    begin, end = (module.asarray(part) for part in (rows.begin, rows.end))
    indices = graph.indices if own else module.asarray(rows.indices)
    scale = rows.scale_for(1.0, options.dtype)
    moved = [None if part is None else module.asarray(part) for part in (rows.values, scale)]
    matrix = _matrix(begin, end, indices, *moved)
    run = _Run(options, Projection(options, inputs, made.ell), matrix)
    merged = run.run(keep_powers)
    mean, std, zeros = _statistics(merged)
    if options.standard:
        _standardize(merged, mean, std)
    return FastRPState(
        merged,
        options,
        made.degree,
        made.ell,
        tuple(run.powers),
        mean if options.standard else None,
        std if options.standard else None,
        zeros,
        {},
    )
