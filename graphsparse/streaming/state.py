"""The saved form of a stream: NumPy arrays and one JSON text, no pickle."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

_VERSION = 1
_ARRAYS = {
    "edge_u": np.int32,
    "edge_v": np.int32,
    "edge_w": np.float64,
    "graph_indptr": np.int64,
    "graph_edges": np.int32,
    "sparsifier_indptr": np.int64,
    "sparsifier_edges": np.int32,
}


def pack_state(header: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    """Return the saved form: the arrays, and the rest as one JSON text."""
    return {"header": np.array(json.dumps({"version": _VERSION, **header})), **arrays}


def read_state(state: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and arrays of a saved form, each of the right type and length."""
    missing = [name for name in ("header", *_ARRAYS) if name not in state]
    if missing:
        raise ValueError(f"state must hold {', '.join(missing)}")
    header = json.loads(str(state["header"]))
    if header.get("version") != _VERSION:
        raise ValueError(f"state must be of version {_VERSION}, got {header.get('version')!r}")
    arrays = {name: np.ascontiguousarray(state[name]) for name in _ARRAYS}
    for name, dtype in _ARRAYS.items():
        if arrays[name].dtype != dtype or arrays[name].ndim != 1:
            raise ValueError(
                f"state[{name!r}] must be 1-d {np.dtype(dtype)}, "
                f"got {arrays[name].ndim}-d {arrays[name].dtype}"
            )
    for first, other in (("edge_u", "edge_v"), ("edge_u", "edge_w")):
        if len(arrays[first]) != len(arrays[other]):
            raise ValueError(
                f"state[{other!r}] must have {len(arrays[first])} entries, got {len(arrays[other])}"
            )
    rows = [len(arrays[name]) for name in ("graph_indptr", "sparsifier_indptr")]
    if rows[0] != rows[1] or rows[0] == 0:
        raise ValueError(
            f"state must have offsets of n + 1 rows twice, got {rows[0]} and {rows[1]}"
        )
    return header, arrays
