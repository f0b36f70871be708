"""The CUDA kernels under the names of the native ones: CuPy arrays in, CuPy arrays out.

``kernels(array)`` is what an operator calls: the native module for NumPy arrays, this module for
CuPy arrays.  Thread counts are accepted and ignored here.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from graphsparse.backend import native
from graphsparse.launch import cupy, is_device_array, launch
from graphsparse.radix import Ranking

_INDEX = {"int32": "int", "int64": "long long"}


def kernels(array: Any) -> Any:
    """Return the kernels for an array: the native module, or this one for CuPy arrays."""
    return sys.modules[__name__] if is_device_array(array) else native


def array_module(array: Any) -> Any:
    """Return NumPy, or CuPy for a CuPy array."""
    return sys.modules["cupy"] if is_device_array(array) else np


def _typed(name: str, indices: Any) -> str:
    return f"{name}<{_INDEX[str(indices.dtype)]}>"


def _prefix(counts: Any) -> Any:
    module = cupy()
    out = module.zeros(len(counts) + 1, np.int64)
    module.cumsum(counts, out=out[1:])
    return out


def _rows(indptr: Any) -> int:
    return len(indptr) - 1


def by_degree(indptr: Any, table: Any) -> Any:
    """Return ``table[degree]`` of every row, int64 of shape (n,)."""
    return cupy().asarray(table)[indptr[1:] - indptr[:-1]]


def node_scores(indptr: Any, indices: Any, c: Any, unit: float, threads: int) -> tuple[Any, Any]:
    """Return node scores (n,) and the prefix counts (n + 1,) of arcs with column > row."""
    module, n = cupy(), _rows(indptr)
    t, above = module.empty(n, np.float64), module.empty(n, np.int64)
    arguments = (np.int64(n), indptr, indices, c, np.float64(unit), t, above)
    launch("trim.cu", _typed("node_scores_kernel", indices), 32 * n, *arguments)
    return t, _prefix(above)


def node_scores_by_degree(
    indptr: Any, indices: Any, table: Any, unit: float, threads: int
) -> tuple[Any, Any]:
    """Return :func:`node_scores` for ``c = table[degree]``."""
    return node_scores(indptr, indices, by_degree(indptr, table), unit, threads)


def neighbour_mean(indptr: Any, indices: Any, c: Any, threads: int) -> Any:
    """Return the rounded mean of ``c`` over the neighbours, int64 of shape (n,)."""
    n = _rows(indptr)
    out = cupy().empty(n, np.int64)
    name = _typed("neighbour_mean_kernel", indices)
    launch("trim.cu", name, 32 * n, np.int64(n), indptr, indices, c, out)
    return out


def pair_scores(indptr: Any, indices: Any, t: Any, upper: Any, threads: int) -> Any:
    """Return ``t_u * t_v`` of the pairs u < v, float64."""
    n = _rows(indptr)
    out = cupy().empty(int(upper[-1]), np.float64)
    name = _typed("pair_keys_kernel", indices)
    launch("trim.cu", name, 32 * n, np.int64(n), indptr, indices, t, upper, out)
    return out


def arc_scores(indptr: Any, indices: Any, t_out: Any, t_in: Any, threads: int) -> Any:
    """Return ``t_out_u * t_in_v`` of every arc, float64."""
    n = _rows(indptr)
    out = cupy().empty(len(indices), np.float64)
    name = _typed("arc_scores_kernel", indices)
    launch("trim.cu", name, 32 * n, np.int64(n), indptr, indices, t_out, t_in, out)
    return out


def kth_largest(keys: Any, k: int, threads: int) -> tuple[int, int, int]:
    """Return the k-th largest key, and how many keys lie above it and equal it."""
    least = k >= len(keys)  # nothing to search for
    threshold = int(keys.min()) if least else Ranking.of_keys(keys).find(k).threshold()
    above = int((keys > np.uint64(threshold)).sum())
    return threshold, above, int((keys == np.uint64(threshold)).sum())


def select_largest(keys: Any, k: int, threads: int) -> Any:
    """Return the mask of the ``k`` largest keys; among equal ones the lower position first."""
    return Ranking.of_keys(keys).find(k).mask()


def _upper(indptr: Any, indices: Any, or_equal: bool) -> Any:
    n = _rows(indptr)
    above = cupy().empty(n, np.int64)
    name = _typed("upper_counts_kernel", indices)
    launch("select.cu", name, n, np.int64(n), indptr, indices, np.bool_(or_equal), above)
    return _prefix(above)


def edge_codes(indptr: Any, indices: Any, upper_only: bool) -> Any:
    """Return ``u << 32 | v`` of every arc, or of those with u < v."""
    n = _rows(indptr)
    upper = _upper(indptr, indices, False) if upper_only else indptr
    out = cupy().empty(int(upper[-1]), np.uint64)
    name = _typed("edge_codes_kernel", indices)
    launch("select.cu", name, n, np.int64(n), indptr, indices, upper, out)
    return out


def arc_mask(indptr: Any, indices: Any, edge_mask: Any) -> Any:
    """Return the arc mask of an edge mask of an undirected graph without parallel edges."""
    n = _rows(indptr)
    upper = _upper(indptr, indices, True)
    out = cupy().empty(len(indices), np.bool_)
    name = _typed("arc_mask_kernel", indices)
    launch("select.cu", name, 32 * n, np.int64(n), indptr, indices, upper, edge_mask, out)
    return out


def inspect(indptr: Any, indices: Any) -> tuple[int, int, int]:
    """Return the first arc out of order (or -1), and the numbers of parallel arcs and loops."""
    n, most = _rows(indptr), 2**64 - 1
    found = cupy().asarray(np.array([most, 0, 0], np.uint64))
    name = _typed("inspect_kernel", indices)
    launch("select.cu", name, 32 * n, np.int64(n), indptr, indices, found)
    first, parallel, loops = (int(value) for value in found.get())
    return -1 if first == most else first, parallel, loops


def arc_rows(indptr: Any, num_arcs: int) -> Any:
    """Return the row of every arc, int64."""
    module = cupy()
    return module.searchsorted(indptr[1:], module.arange(num_arcs), side="right")


def filter(  # noqa: A001 - the native kernel's name
    indptr: Any, indices: Any, mask: Any, want_arcs: bool, threads: int
) -> tuple[Any, Any, Any]:
    """Return the CSR of the arcs that a mask keeps, and their numbers if wanted."""
    module, n = cupy(), _rows(indptr)
    counts = module.empty(n, np.int64)
    launch("select.cu", "kept_counts_kernel", 32 * n, np.int64(n), indptr, mask, counts)
    kept = _prefix(counts)
    columns = module.empty(int(kept[-1]), indices.dtype)
    arcs = module.empty(len(columns) if want_arcs else 1, np.int64)
    arguments = (indptr, indices, mask, kept, columns, np.bool_(want_arcs), arcs)
    launch("select.cu", _typed("filter_kernel", indices), 32 * n, np.int64(n), *arguments)
    return kept, columns, arcs if want_arcs else None


def draw_a(seed: int, items: Any, step: int, domain: int, threads: int) -> Any:
    """Return the first 64 random bits of each item."""
    out = cupy().empty(len(items), np.uint64)
    size, where = np.int64(len(items)), (np.uint32(step), np.uint32(domain))
    launch("select.cu", "draw_kernel", len(items), np.uint64(seed), items, size, *where, out)
    return out


def tie_hashes(seed: int, codes: Any, threads: int) -> Any:
    """Return the hash that orders edges of equal score."""
    out = cupy().empty(len(codes), np.uint64)
    size = np.int64(len(codes))
    launch("select.cu", "tie_hash_kernel", len(codes), np.uint64(seed), codes, size, out)
    return out


def best_edges(u: Any, v: Any, keys: Any, ties: Any, n: int) -> Any:
    """Return the mask of edges that are the best of one of their ends."""
    module, m = cupy(), len(keys)
    if len(ties) == 0:
        ties = module.zeros(m, np.uint64)
    most = np.uint64(2**64 - 1)
    best_key = module.zeros(n, np.uint64)
    best_tie, best_edge = (module.full(n, most, np.uint64) for _ in range(2))
    size = np.int64(m)
    launch("select.cu", "best_key_kernel", m, u, v, keys, size, best_key)
    launch("select.cu", "best_tie_kernel", m, u, v, keys, ties, size, best_key, best_tie)
    arguments = (u, v, keys, ties, size, best_key, best_tie, best_edge)
    launch("select.cu", "best_edge_kernel", m, *arguments)
    mask = module.zeros(m, np.bool_)
    mask[best_edge[best_edge != most].astype(np.int64)] = True
    return mask
