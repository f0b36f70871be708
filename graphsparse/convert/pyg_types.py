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
    from torch_geometric.data import Data

_ADJACENCIES = ("adj_t", "adj")


def is_data(obj: Any) -> bool:
    """Tell whether ``obj`` is a PyG ``Data``; torch-geometric is not imported for it."""
    return _is_instance(obj, "Data")


def is_hetero(obj: Any) -> bool:
    """Tell whether ``obj`` is a ``HeteroData``."""
    return _is_instance(obj, "HeteroData")


matches = is_data


def read_entries(obj: Data, num_nodes: int | None) -> Entries:
    """Return the columns of ``edge_index``, or the entries of ``adj_t`` or ``adj``.

    Weights are ``edge_weight``, a one-dimensional float ``edge_attr``, or the adjacency's values.
    """
    count = count_store_nodes(obj._store)
    if num_nodes is not None and num_nodes != count:
        raise ValueError(f"num_nodes must be {count}, as in data, got {num_nodes}")
    return read_store(obj._store, count, "data")


def keep_entries(obj: Data, keep: Array) -> Data:
    """Return a shallow copy with every edge-level attribute filtered."""
    out = copy.copy(obj)
    filtered = keep_store(out._store, keep)
    slices = out._store.__dict__.get("_slice_dict")  # a Batch: where each of its graphs begins
    if slices is not None:
        out._slice_dict = kept_slices(slices, filtered, keep)
    return out


def read_store(store: Any, num_nodes: int | None, name: str) -> Entries:
    """Return the entries of one store of a ``Data`` or ``HeteroData``, ids as they are."""
    keys = structure_keys(store)
    if not keys:
        raise GraphFormatError(
            f"{name} must have edge_index, adj_t or adj, got {list(store.keys())}"
        )
    row, col, values = _coordinates(store, keys[0])
    for key in keys[1:]:
        own = _code(*_coordinates(store, key)[:2])
        if not np.array_equal(np.unique(_code(row, col)), np.unique(own)):
            raise GraphFormatError(f"{name}.{key} must hold the edges of {name}.{keys[0]}")
    if values is None or "edge_weight" in store:
        values = _edge_weights(store, len(row))
    n = max(row.max(), col.max()) + 1 if num_nodes is None and len(row) else num_nodes or 0
    return Entries(row, col, int(n), values, name=f"{name}.{keys[0]}")


def keep_store(store: Any, keep: Array) -> list[str]:
    """Filter every edge-level attribute of a store that is ours to change; return their names."""
    import torch
    from torch_geometric.utils import select

    store.__dict__.pop("_cached_attr", None)  # what PyG found out about the unfiltered store
    at = torch.from_numpy(np.flatnonzero(keep))
    filtered: dict[str, Any] = {}
    for key in edge_level_keys(store):
        value, dim = store[key], _cat_dim(store, key)
        if isinstance(value, np.ndarray):
            filtered[key] = np.compress(keep, value, axis=dim)
        else:
            filtered[key] = select(value, at, dim=dim)
    names = list(filtered)
    filtered |= _kept_adjacencies(store, keep)
    pointers = {key: store[key] for name in names if (key := f"{name}_ptr") in store}
    filtered |= kept_slices(pointers, list(pointers), keep)
    if "num_edges" in store:
        filtered["num_edges"] = int(np.count_nonzero(keep))
    for key, value in filtered.items():
        store[key] = value
    store.__dict__.pop("_cached_attr", None)
    return names


def count_store_nodes(store: Any) -> int | None:
    """Return the nodes of a store, or None where nothing tells."""
    with warnings.catch_warnings():  # PyG warns where only edge_index tells the count
        warnings.simplefilter("ignore", UserWarning)
        count = store.num_nodes
    return None if count is None else int(count)


def kept_slices(slices: dict[str, Any], filtered: list[str], keep: Array) -> dict[str, Any]:
    """Return the ``_slice_dict`` of a ``Batch`` after its edge-level attributes were filtered."""
    import torch

    before = torch.from_numpy(np.concatenate(([0], np.cumsum(keep))))
    return {
        key: before[value].to(value.dtype) if key in filtered else value
        for key, value in slices.items()
    }


def structure_keys(store: Any) -> list[str]:
    """Return which of ``edge_index`` and sparse ``adj_t`` and ``adj`` the store has."""
    import torch

    present = [key for key in ("edge_index", *_ADJACENCIES) if store.get(key) is not None]
    dense = [
        key
        for key in present
        if torch_types.matches(store[key]) and store[key].layout == torch.strided
    ]
    return [key for key in present if key == "edge_index" or key not in dense]


def weight_key(store: Any) -> str | None:
    """Return which attribute holds one weight per edge: ``edge_weight``, a float ``edge_attr``."""
    for key in ("edge_weight", "edge_attr"):
        value: Any = store.get(key)
        if not torch_types.matches(value) or value.ndim != 1:
            continue
        if key == "edge_weight" or value.is_floating_point():
            return key
    return None


def edge_level_keys(store: Any) -> list[str]:
    """Return the attributes that have one row per edge, as PyG sees it.

    Left out are adjacency matrices and what belongs to edges of its own: ``edge_label``,
    ``edge_label_index``, ``pos_edge_index`` and the like, which may have as many rows by chance.
    """
    keys = [key for key in store.keys() if not _own_edges(key)]  # noqa: SIM118 - no mapping
    with warnings.catch_warnings():  # PyG warns where only edge_index tells the node count
        warnings.simplefilter("ignore", UserWarning)
        return [key for key in keys if key == "edge_index" or store.is_edge_attr(key)]


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
    if not is_data(data):
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


def _is_instance(obj: Any, class_name: str) -> bool:
    module = sys.modules.get("torch_geometric.data")
    cls = getattr(module, class_name, None)
    return cls is not None and isinstance(obj, cls)


def _coordinates(store: Any, key: str) -> tuple[Array, Array, Array | None]:
    import torch

    value = store[key]
    tensor = torch_types.matches(value)
    if key == "edge_index":
        if not tensor or value.layout != torch.strided:
            raise TypeError(f"edge_index must be a dense tensor, got {type(value).__name__}")
        entries = torch_types.read_entries(value, None)
        return entries.row, entries.col, None
    if not tensor:
        raise TypeError(
            f"{key} must be a sparse torch tensor, got {type(value).__name__}; "
            "a torch_sparse matrix converts with .to_torch_sparse_csr_tensor()"
        )
    row, col, values = torch_types.sparse_coordinates(value)
    weights = matrix_weights(values) if values.ndim == 1 else None
    return (row, col, weights) if key == "adj" else (col, row, weights)


def _kept_adjacencies(store: Any, keep: Array) -> dict[str, Any]:
    """Return ``adj_t`` and ``adj`` filtered; beside another structure by its pairs."""
    first, *others = structure_keys(store)
    kept: dict[str, Any] = {}
    if first != "edge_index":
        kept[first] = torch_types.keep_entries(store[first], keep)
    for key in others:
        row, col, _ = _coordinates(store, first)
        codes = _code(row[keep], col[keep])
        mine = np.isin(_code(*_coordinates(store, key)[:2]), codes)
        kept[key] = torch_types.keep_entries(store[key], mine)
    return kept


def _edge_weights(store: Any, count: int) -> Array | None:
    key = weight_key(store)
    if key is None:
        return None
    if len(store[key]) != count:
        raise GraphFormatError(f"{key} must have {count} entries, got {len(store[key])}")
    return torch_types.to_numpy(key, store[key])


def _own_edges(key: str) -> bool:
    return (
        key in _ADJACENCIES
        or "edge_label" in key
        or (key.endswith("edge_index") and key != "edge_index")
    )


def _cat_dim(store: Any, key: str) -> int:
    value = store[key]
    return 0 if isinstance(value, list | tuple) else store._parent().__cat_dim__(key, value, store)


def _code(row: Array, col: Array) -> Array:
    return row.astype(np.int64) << 32 | col  # PyG's ids fit: its tensors have an entry per node
