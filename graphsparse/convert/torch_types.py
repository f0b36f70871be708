"""PyTorch tensors as graphs: ``edge_index`` and sparse adjacencies (COO, CSR, CSC)."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsparse.checks import require
from graphsparse.convert.entries import Array, Entries, count_nodes, lossless_graph
from graphsparse.convert.scipy_types import check_square, kept_indptr, matrix_weights
from graphsparse.errors import BackendError
from graphsparse.graph import Graph

if TYPE_CHECKING:
    from torch import Tensor


def matches(obj: Any) -> bool:
    """Tell whether ``obj`` is a tensor; torch is not imported for it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(obj, torch.Tensor)


def read_entries(obj: Tensor, num_nodes: int | None) -> Entries:
    """Return the columns of an ``edge_index``, or the stored entries of a sparse tensor."""
    import torch

    if obj.layout == torch.strided:
        return _read_edge_index(obj, num_nodes)
    check_square("adjacency", tuple(obj.shape[:2]), num_nodes)
    row, col, values = sparse_coordinates(obj)
    weights = matrix_weights(values) if values.ndim == 1 else None
    return Entries(row, col, obj.shape[0], weights, name="adjacency")


def keep_entries(obj: Tensor, keep: Array) -> Tensor:
    """Return a tensor of the same layout, dtype and device with the entries marked."""
    import torch

    at = torch.from_numpy(np.flatnonzero(keep)).to(obj.device)
    if obj.layout == torch.strided:
        return obj.index_select(1, at)
    if obj.layout == torch.sparse_coo:
        return torch.sparse_coo_tensor(
            obj._indices().index_select(1, at),
            obj._values().index_select(0, at),
            obj.shape,
            is_coalesced=obj.is_coalesced(),
        )
    by_row = obj.layout == torch.sparse_csr
    pointer = obj.crow_indices() if by_row else obj.ccol_indices()
    minor = obj.col_indices() if by_row else obj.row_indices()
    pointer = torch.from_numpy(kept_indptr(pointer.numpy(), keep))
    build = torch.sparse_csr_tensor if by_row else torch.sparse_csc_tensor
    return build(pointer, minor.index_select(0, at), obj.values().index_select(0, at), obj.shape)


def from_edge_index(
    edge_index: Any,
    *,
    num_nodes: int | None = None,
    weights: Any = None,
    directed: bool | None = None,
) -> Graph:
    """Build a graph from an ``edge_index`` (tensor or array of shape (2, M)) or (m, 2) pairs.

    Parameters
    ----------
    edge_index : tensor or array of int
        One arc per column; an undirected edge has two columns, a self-loop one.
    num_nodes : int, optional
        The largest id + 1 when left out.
    weights : tensor or array, shape (M,), optional
        One weight per column.
    directed : bool, optional
        Left out: undirected exactly if every arc has its reverse with the same weight.

    Returns
    -------
    Graph
        Every column; equal columns become parallel edges.
    """
    from graphsparse.convert import array_types

    if matches(edge_index):
        entries = _read_edge_index(edge_index, num_nodes)
    else:
        entries = array_types.read_entries(np.asarray(edge_index), num_nodes)
    if weights is not None:
        values = to_numpy("weights", weights) if matches(weights) else np.asarray(weights)
        entries = Entries(entries.row, entries.col, entries.num_nodes, values)
    return lossless_graph(entries, directed)


def to_edge_index(graph: Graph) -> Tensor:
    """Return the arcs as an int64 tensor of shape (2, num_arcs).

    An undirected edge has two columns, so PyG's ``num_edges`` of it is ``graph.num_arcs``.
    """
    torch: Any = require("torch", "gnn", "to_edge_index")
    graph.require_host("to_edge_index")
    ends = np.empty((2, graph.num_arcs), np.int64)
    ends[0], ends[1] = graph.arc_rows(), graph.indices
    tensor: Tensor = torch.from_numpy(ends)
    return tensor


def from_torch_sparse(matrix: Tensor, *, directed: bool | None = None) -> Graph:
    """Build a graph from a square sparse tensor (COO, CSR or CSC).

    Entry ``(u, v)`` is the arc ``u -> v``; a PyG ``adj_t`` is the transpose of that.  Values
    that are all 1 give no weights.

    Parameters
    ----------
    matrix : sparse tensor, shape (n, n)
        On the CPU.
    directed : bool, optional
        Left out: undirected exactly if the matrix is symmetric.
    """
    import torch

    if not matches(matrix) or matrix.layout == torch.strided:
        raise TypeError(f"matrix must be a sparse tensor, got {type(matrix).__name__}")
    return lossless_graph(read_entries(matrix, None), directed)


def to_torch_sparse(graph: Graph) -> Tensor:
    """Return the adjacency as a sparse CSR tensor; unweighted arcs become float32 1.0."""
    torch: Any = require("torch", "gnn", "to_torch_sparse")
    graph.require_host("to_torch_sparse")
    values = np.ones(graph.num_arcs, np.float32) if graph.weights is None else graph.weights
    parts = (graph.indptr, graph.indices.astype(np.int64), values)
    n = graph.num_nodes
    with warnings.catch_warnings():  # "Sparse CSR tensor support is in beta state"
        warnings.simplefilter("ignore", UserWarning)
        matrix: Tensor = torch.sparse_csr_tensor(*(torch.tensor(p) for p in parts), (n, n))
    return matrix


def sparse_coordinates(matrix: Tensor) -> tuple[Array, Array, Array]:
    """Return ``(row, col, values)`` of a sparse tensor in its own order."""
    import torch

    if matrix.layout == torch.sparse_coo:
        row, col = to_numpy("adjacency", matrix._indices())
        return row, col, to_numpy("adjacency", matrix._values())
    if matrix.layout not in (torch.sparse_csr, torch.sparse_csc):
        raise TypeError(f"adjacency must be COO, CSR or CSC, got layout {matrix.layout}")
    by_row = matrix.layout == torch.sparse_csr
    pointer = to_numpy("adjacency", matrix.crow_indices() if by_row else matrix.ccol_indices())
    minor = to_numpy("adjacency", matrix.col_indices() if by_row else matrix.row_indices())
    major = np.repeat(np.arange(len(pointer) - 1, dtype=minor.dtype), np.diff(pointer))
    row, col = (major, minor) if by_row else (minor, major)
    return row, col, to_numpy("adjacency", matrix.values())


def to_numpy(name: str, tensor: Tensor) -> Array:
    """Return the numbers of a CPU tensor, without a copy where NumPy knows its dtype."""
    import torch

    if tensor.device.type != "cpu":
        raise BackendError(
            f"{name} must be on the CPU, got device {str(tensor.device)!r}; "
            "sparsifying on the GPU is not there yet: call .cpu() first"
        )
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.to(torch.float32)
    array: Array = tensor.detach().numpy()
    return array


def _read_edge_index(obj: Tensor, num_nodes: int | None) -> Entries:
    if obj.ndim != 2 or obj.shape[0] != 2:
        raise ValueError(
            f"edge_index must have shape (2, M), got {tuple(obj.shape)}; "
            "for pairs of shape (m, 2) pass pairs.t()"
        )
    if obj.is_floating_point() or obj.is_complex():
        raise TypeError(f"edge_index must hold integers, got dtype {obj.dtype}")
    row, col = to_numpy("edge_index", obj)
    return Entries(row, col, count_nodes(row, col) if num_nodes is None else num_nodes)
