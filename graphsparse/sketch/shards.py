"""Out of core: shards of columns, powers on disk, a memory-mapped result.

Every power is linear in the projection, so columns are independent up to the lengths of rows;
these need one number per node and power, which the shards add up.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphsparse.graph import Graph
from graphsparse.sketch.embed import Laps, check_on_host
from graphsparse.sketch.merge import column_statistics
from graphsparse.sketch.options import FastRPOptions
from graphsparse.sketch.projection import Inputs, Projection
from graphsparse.sketch.rows import Rows, Sink, Source, fresh, multiply
from graphsparse.sketch.state import FastRPState
from graphsparse.sketch.transition import transition

Array = np.ndarray[Any, np.dtype[Any]]
Shard = tuple[int, int]

_BLOCK = 1 << 14  # rows merged at once


def embed_shards(
    graph: Graph, options: FastRPOptions, inputs: Inputs, out: Any, *, shard_dim: int = 64
) -> FastRPState:
    """Return the state of a run whose embedding lies in ``out``, a path or a matrix.

    Memory: the graph and ``2 n shard_dim`` numbers.  Beside ``out`` lies, while it runs, one
    matrix of ``n dim`` numbers for each power that is merged.
    """
    check_on_host(graph)
    _check(options, shard_dim)
    laps = Laps()
    matrix = transition(graph, options)
    projection = Projection(options, inputs, matrix.ell)
    target = open_output(out, (graph.num_nodes, options.columns), options.dtype)
    laps.lap("matrix")
    with tempfile.TemporaryDirectory(dir=_folder(out), prefix="fastrp-") as folder:
        store = PowerStore(Path(folder), graph.num_nodes, options)
        for shard in shards(options.dim, shard_dim):
            _run_shard(matrix.rows, projection, shard, store)
        laps.lap("powers")
        for shard in shards(options.dim, shard_dim):
            store.merge(shard, target)
    statistics = column_statistics(target, options.threads)
    if options.standard:
        statistics.apply(target, options.threads)
    laps.lap("merge")
    return FastRPState(
        target,
        options,
        matrix.degree,
        matrix.ell,
        (),
        statistics.mean if options.standard else None,
        statistics.std if options.standard else None,
        statistics.num_zero_rows,
        laps.seconds,
    )


def _check(options: FastRPOptions, shard_dim: int) -> None:
    if options.row_norm == "loop":
        raise ValueError("row_norm must be 'merge' or None with out=..., got 'loop'")
    if options.direction == "both":
        raise ValueError("direction must be 'out', 'in' or 'undirected' with out=..., got 'both'")
    if options.storage_dtype is not None:
        raise ValueError(f"storage_dtype must be None with out=..., got {options.storage_dtype!r}")
    if shard_dim < 4 or shard_dim % 4:
        raise ValueError(f"shard_dim must be a positive multiple of 4, got {shard_dim}")


def open_output(out: Any, shape: tuple[int, int], dtype: str) -> Array:
    """Return the matrix to write to: a new ``.npy`` file mapped into memory, or ``out`` itself."""
    if isinstance(out, np.ndarray):
        if out.shape != shape or out.dtype != np.dtype(dtype) or not out.flags.c_contiguous:
            raise ValueError(
                f"out must be a C-contiguous {dtype} array of shape {shape}, "
                f"got {out.dtype} {out.shape}"
            )
        return out
    path = Path(out)
    if path.suffix != ".npy":
        raise ValueError(f"out must be an array or the path of a .npy file, got {str(path)!r}")
    if 0 in shape:  # nothing can be mapped
        np.save(path, np.zeros(shape, dtype))
        return np.zeros(shape, dtype)
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)


def _folder(out: Any) -> str | None:
    if isinstance(out, np.memmap) and out.filename is not None:
        return str(Path(out.filename).resolve().parent)
    return None if isinstance(out, np.ndarray) else str(Path(out).resolve().parent)


def shards(dim: int, shard_dim: int) -> Iterator[Shard]:
    """Yield the columns ``(first, last)`` of each shard."""
    for first in range(0, dim, shard_dim):
        yield first, min(first + shard_dim, dim)


class PowerStore:
    """The powers that are merged, shard by shard on disk, and the lengths of their rows.

    Parameters
    ----------
    folder : Path
        Where the files go.
    num_nodes : int
        ``n``.
    options : FastRPOptions
        Powers with weights; power 0 is ``X_0``.
    """

    def __init__(self, folder: Path, num_nodes: int, options: FastRPOptions) -> None:
        self.options = options
        joined = options.combine == "concat"
        alphas = [options.self_influence, *options.weights[: options.num_powers]]
        self.alphas = {
            k: 1.0 if joined else alpha
            for k, alpha in enumerate(alphas)
            if alpha or (joined and k > 0)
        }
        self.squares = {k: np.zeros(num_nodes) for k in self.alphas}
        self._folder = folder
        self._shape = num_nodes

    def put(self, k: int, shard: Shard, power: Array, squares: Array) -> None:
        """Store one shard of a power and add up what it says of the lengths."""
        self.squares[k] += squares
        np.save(self._file(k, shard), power)

    def merge(self, shard: Shard, target: Array) -> None:
        """Write the merged columns of a shard, a block of rows at a time."""
        first, last = shard
        dim = self.options.dim
        joined = self.options.combine == "concat"
        for position, (k, alpha) in enumerate(self.alphas.items()):
            power = np.load(self._file(k, shard), mmap_mode="r" if self._shape else None)
            at = first + (k - 1) * dim if joined else first
            for start in range(0, self._shape, _BLOCK):
                rows = slice(start, start + _BLOCK)
                part = power[rows] * self._factors(k, alpha, rows)[:, None]
                if joined or position == 0:
                    target[rows, at : at + last - first] = part
                else:
                    target[rows, at : at + last - first] += part
            del power
            self._file(k, shard).unlink()

    def _factors(self, k: int, alpha: float, rows: slice) -> Array:
        length = np.sqrt(self.squares[k][rows])
        if self.options.row_norm is None:
            return np.full(len(length), alpha, self.options.dtype)
        factor = np.divide(alpha, length, out=np.zeros(len(length)), where=length > 0)
        return factor.astype(self.options.dtype)

    def _file(self, k: int, shard: Shard) -> Path:
        return self._folder / f"{k}-{shard[0]}.npy"


def _run_shard(rows: Rows, projection: Projection, shard: Shard, store: PowerStore) -> None:
    """Compute and store the columns of one shard of every power with a weight."""
    options = projection.options
    n, width = len(rows.begin), shard[1] - shard[0]
    source = projection.source(*shard)
    if 0 in store.alphas:
        start = projection.dense(*shard)
        store.put(0, shard, start, np.einsum("ij,ij->i", start, start, dtype=np.float64))
    squares = np.empty(n)
    spare: list[Array] = []
    for k in range(1, options.num_powers + 1):
        power = spare.pop() if spare else fresh(n, width, options.dtype)
        sink = Sink(power=power, squares=squares)
        multiply(rows, source, width, sink, options.threads, dtype=options.dtype)
        if source.factors is None:
            spare.append(source.x)
        if k in store.alphas:
            store.put(k, shard, power, squares)
        source = Source(power)
