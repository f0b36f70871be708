"""The random projection: a function of seed, node id and column, drawn wherever it is needed."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from graphsparse.backend import native
from graphsparse.sketch.options import MOST_S, FastRPOptions
from graphsparse.sketch.rows import Source, fresh

Array = np.ndarray[Any, np.dtype[Any]]

NODE, PROPERTY, GAUSSIAN = 0, 1, 2
_BLOCK = 128
_PROPERTY_THRESHOLD = round(MOST_S / 3)


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a run is given beside the graph and its options.

    Attributes
    ----------
    node_ids : array of int64, shape (n,), optional
        Stable ids; row numbers when left out.
    features : array or sparse matrix, shape (n, f), optional
        Node properties.
    start : array of shape (n, dim), optional
        The projection ``R`` itself.
    """

    node_ids: Array | None = None
    features: Any = None
    start: Array | None = None


def check_inputs(
    options: FastRPOptions, num_nodes: int, node_ids: Any, features: Any, start: Any
) -> Inputs:
    """Return the inputs with the right types, or say what is wrong with them."""
    if start is not None:
        start = np.asarray(start, dtype=np.float64)
        if start.shape != (num_nodes, options.dim):
            raise ValueError(
                f"projection must have shape ({num_nodes}, {options.dim}), got {start.shape}"
            )
        if not np.isfinite(start).all():
            raise ValueError(f"projection must be finite, got {_first_bad(start)}")
        if options.feature_ratio:
            raise ValueError(
                f"feature_ratio must be 0 with a given projection, got {options.feature_ratio}"
            )
    return Inputs(
        _check_ids(node_ids, num_nodes), _check_features(options, features, num_nodes), start
    )


def _check_ids(node_ids: Any, num_nodes: int) -> Array | None:
    if node_ids is None:
        return None
    ids = np.asarray(node_ids)
    if ids.dtype != np.int64:
        raise ValueError(f"node_ids must be int64, got dtype {ids.dtype}")
    if ids.shape != (num_nodes,):
        raise ValueError(f"node_ids must have shape ({num_nodes},), got {ids.shape}")
    ordered = np.sort(ids)
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(twice):
        raise ValueError(f"node_ids must be unique, got {ordered[twice[0]]} more than once")
    return np.ascontiguousarray(ids)


def _check_features(options: FastRPOptions, features: Any, num_nodes: int) -> Any:
    if features is None:
        if options.feature_ratio:
            raise ValueError(
                f"features must be given with feature_ratio={options.feature_ratio}, got None"
            )
        return None
    if hasattr(features, "tocsr"):
        features = features.tocsr().astype(np.float64)
        values = features.data
    else:
        features = values = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or features.shape[0] != num_nodes:
        raise ValueError(f"features must have shape ({num_nodes}, f), got {features.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"features must be finite, got {_first_bad(values)}")
    return features


def _first_bad(values: Array) -> str:
    at = np.unravel_index(int(np.argmin(np.isfinite(values))), values.shape)
    return f"{values[at]} at {tuple(int(k) for k in at)}"


def amplitude(threshold: int, dim: int) -> float:
    """Return the size of a non-zero entry: ``sqrt(2^31 / T) / sqrt(dim)``."""
    return math.sqrt(MOST_S / threshold) / math.sqrt(dim)


@dataclasses.dataclass(frozen=True)
class Projection:
    """``X_0 = L R`` of one run, drawn by columns and rows as they are asked for.

    Attributes
    ----------
    options : FastRPOptions
        Dimension, sparsity, seed.
    inputs : Inputs
        Ids, properties, or ``R`` itself.
    ell : array of float64, shape (n,)
        Degree factors.
    """

    options: FastRPOptions
    inputs: Inputs
    ell: Array

    @property
    def seed(self) -> int:
        """The seed as an unsigned number of 64 bits."""
        return self.options.seed % 2**64

    @property
    def is_packed(self) -> bool:
        """Whether two bits an entry are enough."""
        options = self.options
        return options.projection == "sparse" and options.feature_dim == 0

    def source(self, first: int = 0, last: int | None = None) -> Source:
        """Return columns [first, last): packed signs where possible, else a dense matrix.

        ``first`` is a multiple of 4.
        """
        last = self.options.dim if last is None else last
        if not self.is_packed:
            return Source(self.dense(first, last))
        blocks = -(-(last - first) // _BLOCK)
        n, threads = len(self.ell), self.options.threads
        threshold = self.options.threshold(n)
        codes = fresh(n, blocks * 16, np.uint16).reshape(n, blocks, 16)
        ids = self.inputs.node_ids
        native.sign_codes(self.seed, threshold, ids, first, last - first, codes, threads)
        size = amplitude(threshold, self.options.dim)
        return Source(codes, self.ell.astype(self.options.dtype), size)

    def dense(self, first: int = 0, last: int | None = None, rows: Array | None = None) -> Array:
        """Return ``X_0`` in the columns [first, last), whole or on some rows."""
        options = self.options
        last = options.dim if last is None else last
        ell = self.ell if rows is None else self.ell[rows]
        out = fresh(len(ell), last - first, options.dtype)
        if self.inputs.start is not None:
            given = self.inputs.start if rows is None else self.inputs.start[rows]
            np.multiply(given[:, first:last], ell[:, None], out=out, casting="same_kind")
            return out
        base = options.dim - options.feature_dim
        if first < base:
            self._fill_base(out, first, min(last, base), ell, rows)
        if last > base:
            at = max(first, base)
            block = self._property_block(at - base, last - base, rows)
            out[:, at - first :] = block
        return out

    def _fill_base(self, out: Array, first: int, last: int, ell: Array, rows: Array | None) -> None:
        options = self.options
        base = options.dim - options.feature_dim
        ids = self.inputs.node_ids
        if rows is not None:
            ids = rows.astype(np.int64) if ids is None else ids[rows]
        if options.projection == "gaussian":
            threshold, tag, size = 0, GAUSSIAN, 1.0 / math.sqrt(base)
        else:
            threshold, tag = options.threshold(len(self.ell)), NODE
            size = amplitude(threshold, base)
        native.projection_fill(
            self.seed, threshold, tag, ids, ell, size, first, last - first, out, 0,
            options.threads,
        )  # fmt: skip

    def _property_block(self, first: int, last: int, rows: Array | None) -> Array:
        """Return ``features @ P`` in the columns [first, last) of the property block."""
        features = self.inputs.features if rows is None else self.inputs.features[rows]
        vectors = np.empty((features.shape[1], last - first))
        native.projection_fill(
            self.seed, _PROPERTY_THRESHOLD, PROPERTY, None, None,
            amplitude(_PROPERTY_THRESHOLD, self.options.feature_dim), first, last - first,
            vectors, 0, self.options.threads,
        )  # fmt: skip
        return np.asarray(features @ vectors)
