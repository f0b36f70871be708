"""The path kernels of AMUD under the native name: CuPy arrays in, the CPU's integers out."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.errors import BackendError
from graphsparse.launch import cupy, launch

Array = np.ndarray[Any, np.dtype[Any]]

MOST_CLASSES = 511  # counted in shared memory
_SUMS = 11


def amud_paths(
    out_ptr: Any,
    out_idx: Any,
    in_ptr: Any,
    in_idx: Any,
    codes: Array,
    classes: int,
    per_node: bool,
    threads: int,
) -> tuple[Array, Array, Array, Array]:
    """Return what the native kernel does, as NumPy arrays; sums must stay below 2^64."""
    if classes > MOST_CLASSES:
        raise BackendError(
            f"path counts on the GPU need at most {MOST_CLASSES} classes, got {classes}: "
            "count on the CPU with graph.to('cpu')"
        )
    module, n = cupy(), len(codes)
    arcs = (np.int64(n), out_ptr, out_idx, in_ptr, in_idx)
    labels = (module.asarray(codes.astype(np.uint32)), np.int64(classes))
    sums = module.zeros(_SUMS, np.uint64)
    counts = module.zeros(3 * n, np.int64)
    matches = module.zeros(3 * n, np.uint64)
    rows = module.zeros(6 * n if per_node else 0, np.int64)
    flag = np.bool_(per_node)
    launch("amud.cu", "path_counts_kernel", 32 * n, *arcs, *labels, flag, sums, counts, matches)
    if per_node:
        launch("amud.cu", "path_rows_kernel", n, *arcs, *labels, counts, matches, rows)
    words = np.zeros(2 * _SUMS, np.uint64)
    words[::2] = sums.get()
    each = counts.get().reshape(n, 3).astype(np.int32)
    return words, each[:, 0].copy(), each[:, 1].copy(), rows.get()
