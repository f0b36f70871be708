"""SciPy sparse matrices and arrays as graphs: entry (u, v) is the arc u -> v."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from graphsparse.convert.entries import Array, Entries
from graphsparse.graph import Graph


def matches(obj: Any) -> bool:
    """Tell whether ``obj`` is a SciPy sparse matrix or array."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(obj))


def read_entries(obj: Any, num_nodes: int | None) -> Entries:
    """Return the stored entries; values that are all 1 are no weights."""
    check_square("adjacency", obj.shape, num_nodes)
    matrix = obj if obj.format in ("csr", "csc", "coo") else obj.tocsr()
    row, col = _coordinates(matrix)
    return Entries(row, col, obj.shape[0], matrix_weights(matrix.data), name="adjacency")


def keep_entries(obj: Any, keep: Array) -> Any:
    """Return a matrix of the same class and format with the entries that ``keep`` marks."""
    matrix = obj if obj.format in ("csr", "csc", "coo") else obj.tocsr()
    if matrix.format == "coo":
        kept = type(matrix)(
            (matrix.data[keep], (matrix.row[keep], matrix.col[keep])), shape=matrix.shape
        )
        kept.has_canonical_format = matrix.has_canonical_format
        return kept
    indptr = kept_indptr(matrix.indptr, keep)
    kept = type(matrix)((matrix.data[keep], matrix.indices[keep], indptr), shape=matrix.shape)
    return kept if matrix is obj else kept.asformat(obj.format)


def from_scipy(matrix: Any, *, directed: bool | None = None) -> Graph:
    """Build a graph from a square SciPy sparse matrix or array.

    Parameters
    ----------
    matrix : sparse matrix or array, shape (n, n)
        Entry ``(u, v)`` is the arc ``u -> v``; values that are all 1 give no weights.  An
        explicit zero is an edge of weight 0.
    directed : bool, optional
        Left out: undirected exactly if the matrix is symmetric.

    Returns
    -------
    Graph
        Every stored entry; duplicates of a COO matrix become parallel edges.
    """
    from graphsparse.convert.entries import lossless_graph

    if not matches(matrix):
        raise TypeError(f"matrix must be a SciPy sparse matrix, got {type(matrix).__name__}")
    return lossless_graph(read_entries(matrix, None), directed)


def to_scipy(graph: Graph) -> Any:
    """Return the adjacency as a ``scipy.sparse.csr_array``; unweighted arcs become 1.0."""
    return graph.to_scipy()


def check_square(name: str, shape: tuple[int, ...], num_nodes: int | None) -> None:
    """Check that an adjacency has one row and one column per node."""
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"{name} must be square, got shape {tuple(shape)}")
    if num_nodes is not None and num_nodes != shape[0]:
        raise ValueError(f"num_nodes must be {shape[0]}, the rows of {name}, got {num_nodes}")


def matrix_weights(values: Array) -> Array | None:
    """Return the values as weights, or None where all are 1: a plain pattern."""
    return None if values.dtype == np.bool_ or bool((values == 1).all()) else values


def kept_indptr(indptr: Array, keep: Array) -> Array:
    """Return the row pointer after the entries that ``keep`` leaves out are gone."""
    before = np.zeros(len(keep) + 1, np.int64)
    np.cumsum(keep, out=before[1:])
    return before[indptr].astype(indptr.dtype, copy=False)


def _coordinates(matrix: Any) -> tuple[Array, Array]:
    if matrix.format == "coo":
        return matrix.row, matrix.col
    major = np.repeat(
        np.arange(matrix.shape[0], dtype=matrix.indices.dtype), np.diff(matrix.indptr)
    )
    return (major, matrix.indices) if matrix.format == "csr" else (matrix.indices, major)
