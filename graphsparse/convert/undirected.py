"""A symmetrised copy of a graph, of the type that was given."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.checks import require
from graphsparse.convert import array_types, networkx_types, pyg_types, scipy_types, torch_types
from graphsparse.graph import Graph


def to_undirected(obj: Any, graph: Graph) -> Any:
    """Return ``obj`` with every arc in both directions, and the larger of two weights.

    Parameters
    ----------
    obj : Graph, PyG Data, edge_index, pairs, torch sparse tensor, SciPy matrix, networkx graph
        Left as it is.
    graph : Graph
        The same graph, as ``as_border(obj).graph`` gives it.

    Returns
    -------
    object
        Of the type given; of a networkx ``DiGraph`` a ``Graph``.  Edge attributes of a ``Data``
        go along; where a pair has both arcs, the larger entry stays.
    """
    if pyg_types.is_data(obj):
        transforms = require("torch_geometric.transforms", "gnn", "to_undirected")
        return transforms.ToUndirected(reduce="max")(obj)
    if networkx_types.matches(obj):
        return obj.to_undirected()
    both = graph.symmetrize("max")
    if scipy_types.matches(obj):
        return _matrix_like(obj, both)
    if array_types.matches(obj):
        if len(obj) == 2:
            return np.stack([both.arc_rows(), both.indices]).astype(obj.dtype)
        return np.stack(both.edges(), axis=1).astype(obj.dtype)
    if torch_types.matches(obj):
        return _tensor_like(obj, both)
    return both


def _matrix_like(obj: Any, graph: Graph) -> Any:
    matrix = type(obj)(graph.to_scipy().astype(obj.dtype))
    return matrix.asformat(obj.format)


def _tensor_like(obj: Any, graph: Graph) -> Any:
    import torch

    if obj.layout == torch.strided:
        return torch_types.to_edge_index(graph).to(obj.dtype)
    sparse = torch_types.to_torch_sparse(graph).to(obj.dtype)
    return sparse.to_sparse(layout=obj.layout)
