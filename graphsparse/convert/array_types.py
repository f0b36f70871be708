"""NumPy arrays as graphs: ``edge_index`` of shape (2, M), pairs of shape (m, 2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.checks import check_ids
from graphsparse.convert.entries import Array, Entries, count_nodes


def matches(obj: Any) -> bool:
    """Tell whether ``obj`` is a NumPy array."""
    return isinstance(obj, np.ndarray)


def read_entries(obj: Array, num_nodes: int | None) -> Entries:
    """Return the columns of an ``edge_index``, or the rows of an array of pairs."""
    if obj.ndim != 2 or 2 not in obj.shape:
        raise ValueError(
            f"edge_index must have shape (2, M), or (m, 2) for pairs, got {obj.shape}; "
            "an adjacency matrix is to be given as a SciPy sparse array"
        )
    ends = check_ids("edge_index", obj if _is_edge_index(obj) else obj.T, ndim=2)
    row, col = ends
    return Entries(row, col, count_nodes(row, col) if num_nodes is None else num_nodes)


def keep_entries(obj: Array, keep: Array) -> Array:
    """Return the array with the entries that ``keep`` marks."""
    return obj[:, keep] if _is_edge_index(obj) else obj[keep]


def _is_edge_index(obj: Array) -> bool:
    return len(obj) == 2  # also of (2, 2): an edge_index of two entries
