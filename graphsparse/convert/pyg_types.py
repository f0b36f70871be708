"""PyTorch Geometric ``Data`` and ``HeteroData`` as graphs.

PyG counts both directions: ``data.num_edges`` of an undirected graph is ``graph.num_arcs``.
"""

from __future__ import annotations

import copy
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsparse.checks import require
from graphsparse.convert import torch_types
from graphsparse.convert.entries import Array, Entries, lossless_graph
from graphsparse.convert.scipy_types import matrix_weights
from graphsparse.errors import GraphFormatError
from graphsparse.graph import Graph

if TYPE_CHECKING:
    from torch_geometric.data import Data, HeteroData

EdgeType = tuple[str, str, str]
_ADJACENCIES = ("adj_t", "adj")


def matches(obj: Any) -> bool:
    """Tell whether ``obj`` is a ``Data``; torch-geometric is not imported for it."""
    return _is_instance(obj, "Data")


def is_hetero(obj: Any) -> bool:
    """Tell whether ``obj`` is a ``HeteroData``."""
    return _is_instance(obj, "HeteroData")


def read_entries(obj: Data, num_nodes: int | None) -> Entries:
    """Return the columns of ``edge_index``, or the entries of ``adj_t`` or ``adj``.

    Weights are ``edge_weight``, a one-dimensional float ``edge_attr``, or the adjacency's values.
    """
    count = _num_nodes(obj._store)
    if num_nodes is not None and num_nodes != count:
        raise ValueError(f"num_nodes must be {count}, as in data, got {num_nodes}")
    return read_store(obj._store, count, "data")


def keep_entries(obj: Data, keep: Array) -> Data:
    """Return a shallow copy with every edge-level attribute filtered."""
    out = copy.copy(obj)
    keep_store(out._store, keep)
    return out


def read_store(store: Any, num_nodes: int | None, name: str) -> Entries:
    """Return the entries of one store of a ``Data`` or ``HeteroData``, ids as they are."""
    keys = [key for key in ("edge_index", *_ADJACENCIES) if key in store]
    if not keys:
        raise GraphFormatError(
            f"{name} must have edge_index, adj_t or adj, got {list(store.keys())}"
        )
    row, col, values = _coordinates(store, keys[0])
    for key in keys[1:]:
        if not np.array_equal(_codes(row, col), _codes(*_coordinates(store, key)[:2])):
            raise GraphFormatError(f"{name}.{key} must hold the edges of {name}.{keys[0]}")
    if values is None or "edge_weight" in store:
        values = _edge_weights(store, len(row))
    n = max(row.max(), col.max()) + 1 if num_nodes is None and len(row) else num_nodes or 0
    return Entries(row, col, int(n), values, name=f"{name}.{keys[0]}")


def keep_store(store: Any, keep: Array) -> None:
    """Filter every edge-level attribute of a store that is ours to change."""
    import torch
    from torch_geometric.utils import select

    keys = [key for key in ("edge_index", *_ADJACENCIES) if key in store]
    at = torch.from_numpy(np.flatnonzero(keep))
    filtered: dict[str, Any] = {}
    for key in edge_level_keys(store):
        value = store[key]
        if isinstance(value, np.ndarray):
            filtered[key] = np.compress(keep, value, axis=_cat_dim(store, key))
        else:
            filtered[key] = select(value, at, dim=_cat_dim(store, key))
    if keys[0] != "edge_index":
        filtered[keys[0]] = torch_types.keep_entries(store[keys[0]], keep)
    if keys[1:]:
        kept_codes = _codes(*(ends[keep] for ends in _coordinates(store, keys[0])[:2]))
    for key in keys[1:]:
        row, col, _ = _coordinates(store, key)
        mine = np.isin(_code(row, col), kept_codes)
        filtered[key] = torch_types.keep_entries(store[key], mine)
    if "num_edges" in store:
        filtered["num_edges"] = int(np.count_nonzero(keep))
    for key, value in filtered.items():
        store[key] = value


def edge_level_keys(store: Any) -> list[str]:
    """Return the attributes that have one row per edge, as PyG sees it.

    Left out are adjacency matrices and what belongs to edges of its own: ``edge_label``,
    ``edge_label_index``, ``pos_edge_index`` and the like, which may have as many rows by chance.
    """
    keys = list(store.keys())
    return [key for key in keys if not _own_edges(key) and _is_edge_level(store, key)]


def from_pyg(data: Data, *, directed: bool | None = None) -> Graph:
    """Build a graph from a PyG ``Data``.

    Parameters
    ----------
    data : Data
        Its ``edge_index`` (or ``adj_t``); weights are ``edge_weight`` or a one-dimensional
        float ``edge_attr``.  PyG counts both directions of an undirected edge, Graph counts one.
    directed : bool, optional
        Left out: undirected exactly if every arc has its reverse with the same weight.

    Returns
    -------
    Graph
        ``data.num_nodes`` nodes, isolated ones included.
    """
    if not matches(data):
        raise TypeError(f"data must be a torch_geometric.data.Data, got {type(data).__name__}")
    return lossless_graph(read_entries(data, None), directed)


def to_pyg(graph: Graph, **attributes: Any) -> Data:
    """Return a PyG ``Data`` with ``edge_index``, ``edge_weight`` if weighted, and ``num_nodes``.

    Parameters
    ----------
    graph : Graph
        An undirected edge becomes two columns: ``data.num_edges == graph.num_arcs``.
    **attributes
        Further attributes of the result: ``x``, ``y``, ...
    """
    geometric = require("torch_geometric.data", "gnn", "to_pyg")
    import torch

    if graph.weights is not None:
        attributes.setdefault("edge_weight", torch.tensor(graph.weights))
    return geometric.Data(
        edge_index=torch_types.to_edge_index(graph), num_nodes=graph.num_nodes, **attributes
    )


def hetero_entries(data: HeteroData, edge_type: EdgeType) -> Entries:
    """Return the entries of one edge type.

    A type from a kind of nodes to itself is read like a ``Data``.  Between two kinds the graph
    has the source nodes first, then the destination nodes, and each entry is one edge.
    """
    store = data[edge_type]
    name = f"data[{edge_type}]"
    source, target = (_num_nodes(data[kind]) for kind in (edge_type[0], edge_type[2]))
    if edge_type[0] == edge_type[2]:
        return read_store(store, source, name)
    entries = read_store(store, None, name)
    source = int(entries.row.max(initial=-1)) + 1 if source is None else source
    target = int(entries.col.max(initial=-1)) + 1 if target is None else target
    for side, ids, count in (("source", entries.row, source), ("target", entries.col, target)):
        if len(ids) and int(ids.max()) >= count:
            at = int(np.argmax(ids >= count))
            raise GraphFormatError(
                f"{entries.name} must hold {side} ids in [0, {count}), got {ids[at]} at entry {at}"
            )
    row, col = entries.row.astype(np.int64), entries.col.astype(np.int64) + source
    return Entries(row, col, source + target, entries.weights, pairs=True, name=entries.name)


def _is_instance(obj: Any, class_name: str) -> bool:
    module = sys.modules.get("torch_geometric.data")
    cls = getattr(module, class_name, None)
    return cls is not None and isinstance(obj, cls)


def _num_nodes(store: Any) -> int | None:
    with warnings.catch_warnings():  # PyG warns where only edge_index tells the count
        warnings.simplefilter("ignore", UserWarning)
        count = store.num_nodes
    return None if count is None else int(count)


def _coordinates(store: Any, key: str) -> tuple[Array, Array, Array | None]:
    value = store[key]
    if key == "edge_index":
        entries = torch_types.read_entries(value, None) if value.layout is _strided() else None
        if entries is None:
            raise TypeError("edge_index must be a dense tensor of shape (2, M), got a sparse one")
        return entries.row, entries.col, None
    if not torch_types.matches(value) or value.layout is _strided():
        raise TypeError(
            f"{key} must be a sparse torch tensor, got {type(value).__name__}; "
            "a torch_sparse matrix converts with .to_torch_sparse_csr_tensor()"
        )
    row, col, values = torch_types.sparse_coordinates(value)
    weights = matrix_weights(values) if values.ndim == 1 else None
    return (row, col, weights) if key == "adj" else (col, row, weights)


def _edge_weights(store: Any, count: int) -> Array | None:
    for key in ("edge_weight", "edge_attr"):
        value: Any = store.get(key)
        if not torch_types.matches(value) or value.ndim != 1:
            continue
        if key == "edge_weight" or value.is_floating_point():
            if len(value) != count:
                raise GraphFormatError(f"{key} must have {count} entries, got {len(value)}")
            return torch_types.to_numpy(key, value)
    return None


def _own_edges(key: str) -> bool:
    return (
        key in _ADJACENCIES
        or "edge_label" in key
        or (key.endswith("edge_index") and key != "edge_index")
    )


def _is_edge_level(store: Any, key: str) -> bool:
    if key == "edge_index":
        return True
    cached = store.__dict__.pop("_cached_attr", None)  # PyG's answers for the unfiltered store
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return bool(store.is_edge_attr(key))
    finally:
        store.__dict__.pop("_cached_attr", None)
        if cached is not None:
            store.__dict__["_cached_attr"] = cached


def _cat_dim(store: Any, key: str) -> int:
    value = store[key]
    return 0 if isinstance(value, list | tuple) else store._parent().__cat_dim__(key, value, store)


def _code(row: Array, col: Array) -> Array:
    width = int(max(col.max(initial=0), row.max(initial=0))) + 1
    return row.astype(np.int64) * width + col


def _codes(row: Array, col: Array) -> Array:
    return np.unique(_code(row, col))


def _strided() -> Any:
    import torch

    return torch.strided
