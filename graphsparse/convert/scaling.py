"""Multiplying the weights of a foreign object, for sparsifiers that reweight what they keep."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from graphsparse.convert import networkx_types, pyg_types, scipy_types, torch_types
from graphsparse.convert.entries import Array, Entries, simple_graph
from graphsparse.graph import Graph


def scale_weights(obj: Any, factors: Array) -> Any:
    """Return a copy of an undirected graph with each weight multiplied by the factor of its edge.

    Parameters
    ----------
    obj : Graph, Data, SciPy sparse matrix, torch sparse tensor or networkx graph
        Entries without a weight have weight 1.  It is not changed.
    factors : array of float64, shape (m,)
        One per edge of the simple graph that :func:`graphsparse.convert.as_border` sees.

    Returns
    -------
    object
        Of the type given.  Integer weights become float64; floating ones keep their dtype.

    Raises
    ------
    TypeError
        If the type has no place for a weight, as an ``edge_index`` alone.
    """
    if isinstance(obj, Graph):
        return _scaled_graph(obj, factors)
    for matches, scale in (
        (pyg_types.matches, _scaled_data),
        (torch_types.matches, _scaled_tensor),
        (scipy_types.matches, _scaled_matrix),
        (networkx_types.matches, _scaled_networkx),
    ):
        if matches(obj):
            return scale(obj, factors)
    raise TypeError(_no_place(type(obj).__name__))


def check_scalable(obj: Any) -> None:
    """Refuse types that have no place for a weight."""
    if isinstance(obj, np.ndarray) or (torch_types.matches(obj) and _is_dense(obj)):
        raise TypeError(_no_place("an edge_index"))
    if pyg_types.is_hetero(obj):
        raise TypeError(
            "a sparsifier that changes weights takes one graph at a time, got a HeteroData; "
            "pass its edge types one by one"
        )


def _no_place(what: str) -> str:
    return (
        f"the method changes weights, and {what} has no place for them; pass a Graph, PyG Data, "
        "SciPy matrix, torch sparse tensor or networkx graph, or reweight=False"
    )


def _is_dense(tensor: Any) -> bool:
    import torch

    return bool(tensor.layout == torch.strided)


def _entry_factors(entries: Entries, factors: Array) -> Array:
    scaled: Array = factors[simple_graph(entries, False).entry_edges]
    return scaled


def _times(values: Array, factors: Array) -> Array:
    if values.dtype.kind != "f":
        return values * factors
    return (values * factors).astype(values.dtype)


def _scaled_graph(graph: Graph, factors: Array) -> Graph:
    u, v = graph.edges()
    entries = Entries(u, v, graph.num_nodes, None, False, True, "the graph")
    edge_factors = _entry_factors(entries, factors)
    values = np.ones(graph.num_edges) if graph.weights is None else graph.edge_weights()
    weights = _times(values, edge_factors)  # type: ignore[arg-type]
    return Graph._trusted(graph.indptr, graph.indices, weights[graph.arc_edges()], False)


def _scaled_matrix(matrix: Any, factors: Array) -> Any:
    if matrix.format not in ("csr", "csc", "coo"):
        return _scaled_matrix(matrix.tocsr(), factors).asformat(matrix.format)
    out = matrix.copy()
    out.data = _times(matrix.data, _entry_factors(scipy_types.read_entries(matrix, None), factors))
    return out


def _scaled_tensor(tensor: Any, factors: Array) -> Any:
    import torch

    if _is_dense(tensor):
        raise TypeError(_no_place("an edge_index"))
    by_entry = _entry_factors(torch_types.read_entries(tensor, None), factors)
    if tensor.layout == torch.sparse_coo:
        values = _times_tensor(tensor._values(), by_entry)
        indices, coalesced = tensor._indices(), tensor.is_coalesced()
        return torch.sparse_coo_tensor(indices, values, tensor.shape, is_coalesced=coalesced)
    values = _times_tensor(tensor.values(), by_entry)
    if tensor.layout == torch.sparse_csr:
        ends = (tensor.crow_indices(), tensor.col_indices())
        return torch.sparse_csr_tensor(*ends, values, tensor.shape)
    ends = (tensor.ccol_indices(), tensor.row_indices())
    return torch.sparse_csc_tensor(*ends, values, tensor.shape)


def _times_tensor(values: Any, factors: Array) -> Any:
    import torch

    scale = torch.from_numpy(factors)
    scale = scale.reshape(-1, *[1] * (values.ndim - 1))
    product = values * scale
    return product.to(values.dtype) if values.is_floating_point() else product


def _scaled_data(data: Any, factors: Array) -> Any:
    """Scale the weights of edges and adjacencies; without any, add ``edge_weight``."""
    import torch

    out = copy.copy(data)
    store = data._store
    by_entry = _entry_factors(pyg_types.read_entries(data, None), factors)
    adjacencies = [key for key in pyg_types.structure_keys(store) if key != "edge_index"]
    for key in adjacencies:
        out[key] = _scaled_tensor(data[key], factors)
    held = pyg_types.weight_key(store)
    if held is not None:
        out[held] = _times_tensor(data[held], by_entry)
    elif "edge_weight" in store:
        raise ValueError(
            f"edge_weight must have one dimension, got {tuple(data.edge_weight.shape)}"
        )
    elif not adjacencies:
        out.edge_weight = torch.from_numpy(by_entry).to(torch.get_default_dtype())
        _add_slices(out, "edge_weight")
    return out


def _add_slices(data: Any, key: str) -> None:
    """Tell a ``Batch`` that a new attribute has one row per edge."""
    slices = data._store.__dict__.get("_slice_dict")
    if slices is not None:
        data._slice_dict = {**slices, key: slices["edge_index"]}
        data._inc_dict = {**data._inc_dict, key: slices["edge_index"][:-1] * 0}


def _scaled_networkx(graph: Any, factors: Array) -> Any:
    by_entry = _entry_factors(networkx_types.read_entries(graph, None), factors)
    out = graph.copy()
    edges = out.edges(keys=True) if out.is_multigraph() else out.edges
    for edge, factor in zip(list(edges), by_entry.tolist(), strict=True):
        attributes = out.edges[edge]
        attributes["weight"] = attributes.get("weight", 1.0) * factor
    return out
