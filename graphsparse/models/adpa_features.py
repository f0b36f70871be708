"""Features propagated along the six directed patterns of ADPA, before any training."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphsparse.backend import native
from graphsparse.checks import check_choice, check_count, check_ids
from graphsparse.graph import Graph
from graphsparse.models.adpa_operators import FACTORS, Operators
from graphsparse.models.sparse import SparseMatrix

Array = np.ndarray[Any, np.dtype[Any]]

PATTERNS = tuple(FACTORS)
SYMMETRIC_PATTERNS = ("A", "AA")  # all that is distinct where A equals its transpose
NORMS = ("row_col", "reference")
HOP_SCALES = ("log", "one")
_FORMAT = 1  # of cached files


def beta(hop: int) -> float:
    """Return the published factor of the features that enter a hop, counted from 1."""
    return 1.0 + math.log(1.0 / hop) + 1e-6


@dataclasses.dataclass(frozen=True)
class Propagation:
    """How features are propagated.

    Parameters
    ----------
    num_hops : int
        Steps along each pattern, ``K``.
    r : float
        Exponent of the normalisation, in [0, 1]: 0 averages over rows, 1 over columns.
    norm : {"row_col", "reference"}
        Scale by row sums on the left and column sums on the right; or, as the authors' code does,
        by row sums on both sides, which erases columns whose own row is empty.
    patterns : sequence of str
        Some of ``A``, ``AT``, ``AA``, ``AAT``, ``ATA``, ``ATAT``.
    hop_scale : {"log", "one"}
        Factor of the features that enter hop k: ``1 - ln k + 1e-6`` as published, which leaves 31 %
        of the second hop and 3 % of the third; or 1, where far hops should be heard.
    """

    num_hops: int = 2
    r: float = 0.5
    norm: str = "row_col"
    patterns: tuple[str, ...] = PATTERNS
    hop_scale: str = "log"

    def __post_init__(self) -> None:
        check_count("num_hops", self.num_hops, low=1)
        check_choice("hop_scale", self.hop_scale, HOP_SCALES)
        if not 0.0 <= self.r <= 1.0:
            raise ValueError(f"r must be in [0, 1], got {self.r!r}")
        check_choice("norm", self.norm, NORMS)
        object.__setattr__(self, "patterns", tuple(self.patterns))
        if not self.patterns or len(set(self.patterns)) < len(self.patterns):
            raise ValueError(f"patterns must be one or more, each once, got {self.patterns}")
        for name in self.patterns:
            check_choice("patterns", name, PATTERNS)

    def factor(self, hop: int) -> float:
        """Return the factor of the features that enter a hop, counted from 1."""
        return beta(hop) if self.hop_scale == "log" else 1.0

    @property
    def num_blocks(self) -> int:
        """Feature vectors of a node: its own, then hops 1..K of each pattern."""
        return 1 + len(self.patterns) * self.num_hops


def propagate(
    graph: Graph,
    x: Any,
    options: Propagation | None = None,
    *,
    out: Array | None = None,
    columns: int | None = None,
    rows: Any = None,
    dtype: Any = np.float32,
) -> Array:
    """Return the features of every node and of what each pattern leads to, hop by hop.

    Parameters
    ----------
    graph : Graph
        ``n`` nodes; an undirected one is its own reverse.
    x : array, tensor, SciPy matrix or SparseMatrix, shape (n, f)
        Finite features.
    options : Propagation, optional
        Hops, normalisation, patterns.
    out : array or memmap, shape (len(rows), blocks, f), optional
        Filled and returned; blocks are the node's own features, then hops 1..K of each pattern.
    columns : int, optional
        Features that are propagated together, 64 when left out: memory beside ``out`` is three
        times ``n * columns`` values.
    rows : array of int, optional
        Nodes whose features are kept; all when left out.
    dtype : numpy dtype
        float32 or float64; that of ``out`` if given.

    Returns
    -------
    array, shape (len(rows), 1 + len(patterns) * K, f)

    Raises
    ------
    ValueError
        If shapes do not fit, a feature is not finite, or a weight is negative.

    Notes
    -----
    O(10 K m f) multiply-adds for six patterns: a pattern of two steps is two sparse products in
    sequence.
    """
    options = Propagation() if options is None else options
    graph.require_host("propagate")
    source = _Source(x, graph.num_nodes)
    picked = None if rows is None else check_ids("rows", rows)
    if picked is not None and len(picked):
        bad = native.first_bad_id(picked, picked, graph.num_nodes)
        if bad >= 0:
            raise ValueError(f"rows must be in [0, {graph.num_nodes}), got {picked[bad]}")
    count = graph.num_nodes if picked is None else len(picked)
    shape = (count, options.num_blocks, source.width)
    if out is None:
        out = np.empty(shape, dtype)
    elif out.shape != shape or out.dtype not in (np.float32, np.float64):
        raise ValueError(
            f"out must be float32 or float64 of shape {shape}, got {out.dtype} {out.shape}"
        )
    operators = Operators(graph, out.dtype)
    _remark_symmetric(operators, options)
    scales = {name: _scales(operators, name, options) for name in options.patterns}
    step = check_count("columns", 64 if columns is None else columns, low=1)
    for start in range(0, source.width, step):
        stop = min(start + step, source.width)
        block = source.block(start, stop, out.dtype)
        for at, features in enumerate(_hops(operators, block, scales, options)):
            out[:, at, start:stop] = features if picked is None else features[picked]
    return out


def cached_features(
    folder: str | Path,
    graph: Graph,
    x: Any,
    options: Propagation | None = None,
    *,
    columns: int | None = None,
    dtype: Any = np.float32,
) -> Array:
    """Return :func:`propagate` of all nodes from a file, which is made if it is not there.

    Parameters
    ----------
    folder : path
        Gets ``adpa-<key>.npy``; the key is a hash of graph, features, hops, exponent,
        normalisation, patterns, factors and type.
    graph, x, options, columns, dtype
        As in :func:`propagate`.

    Returns
    -------
    memmap, read-only
    """
    options = Propagation() if options is None else options
    source = _Source(x, graph.num_nodes)
    path = Path(folder) / f"adpa-{feature_key(graph, x, options, dtype)}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        shape = (graph.num_nodes, options.num_blocks, source.width)
        out = np.lib.format.open_memmap(part, "w+", np.dtype(dtype), shape)
        try:
            propagate(graph, x, options, out=out, columns=columns)
            out.flush()
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    stored: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    return stored


def feature_key(graph: Graph, x: Any, options: Propagation, dtype: Any = np.float32) -> str:
    """Return a hash of everything that propagated features depend on."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((_FORMAT, graph.directed, options, np.dtype(dtype).str)).encode())
    for array in (graph.indptr, graph.indices, graph.weights):
        digest.update(b"-" if array is None else np.ascontiguousarray(array).data)
    source = _Source(x, graph.num_nodes)
    for start in range(0, source.width, 256):
        block = source.block(start, min(start + 256, source.width), np.dtype(np.float64))
        digest.update(block.data)
    return digest.hexdigest()


class _Source:
    """Features of any kind, dense a block of columns at a time."""

    def __init__(self, x: Any, num_nodes: int) -> None:
        if isinstance(x, SparseMatrix):
            x = x.to_dense()
        if isinstance(x, Tensor):
            x = x.detach().cpu().numpy()
        if not hasattr(x, "tocsc"):
            x = np.asarray(x)
        if x.ndim != 2 or x.shape[0] != num_nodes or x.shape[1] == 0:
            raise ValueError(f"x must have shape ({num_nodes}, features), got {x.shape}")
        self._x = x.tocsc() if hasattr(x, "tocsc") else x
        self.width = int(x.shape[1])

    def block(self, start: int, stop: int, dtype: Any) -> Array:
        """Return columns as a contiguous array that the caller may change."""
        part = self._x[:, start:stop]
        dense = np.array(part.toarray() if hasattr(part, "toarray") else part, dtype, order="C")
        if not np.isfinite(dense).all():
            row, col = np.argwhere(~np.isfinite(dense))[0]
            raise ValueError(
                f"x must be finite, got {dense[row, col]} at node {row}, feature {start + col}"
            )
        return dense


def _scales(operators: Operators, pattern: str, options: Propagation) -> tuple[Array, Array]:
    """Factors of the rows and of the columns of a pattern, shape (n, 1); 0 to a power < 0 is 0."""
    row, col = operators.sums(pattern)
    right = row if options.norm == "reference" else col
    pair = (_power(row, options.r - 1.0), _power(right, -options.r))
    return pair[0][:, None].astype(operators.dtype), pair[1][:, None].astype(operators.dtype)


def _power(sums: Array, exponent: float) -> Array:
    if exponent == 0.0:
        return np.ones_like(sums)
    powers: Array = np.power(sums, exponent, out=np.zeros_like(sums), where=sums > 0)
    return powers


def _hops(
    operators: Operators,
    x: Array,
    scales: dict[str, tuple[Array, Array]],
    options: Propagation,
) -> Iterator[Array]:
    """Own features, then the hops; an array is overwritten when the next one is asked for."""
    yield x
    features, spare = np.empty_like(x), np.empty_like(x)
    for name in options.patterns:
        left, right = scales[name]
        for hop in range(1, options.num_hops + 1):
            entering = x if hop == 1 else features
            np.multiply(entering, (options.factor(hop) * right).astype(x.dtype), out=features)
            features, spare = operators.apply(name, features, spare)
            features *= left
            yield features


def _remark_symmetric(operators: Operators, options: Propagation) -> None:
    steps = [len(FACTORS[name]) for name in options.patterns]
    if operators.symmetric and operators.num_arcs and len(set(steps)) < len(steps):
        warnings.warn(
            f"the graph is symmetric: of the patterns {', '.join(options.patterns)} only those "
            f"of one step and of two differ; patterns={SYMMETRIC_PATTERNS} is enough",
            stacklevel=3,
        )


def as_tensor(features: Array) -> Tensor:
    """Return features as a tensor that shares their memory, read-only memmaps too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has no read-only tensors
        return torch.from_numpy(features)
