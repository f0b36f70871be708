"""Hypergraphs from lists of members and PyTorch Geometric ``HyperGraphData``, and back.

PyG's ``num_edges`` is the largest hyperedge id + 1, found by a loop in Python: trailing empty
hyperedges get lost.  Both counts are carried explicitly here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsparse.checks import require
from graphsparse.errors import GraphFormatError
from graphsparse.graph import Hypergraph

if TYPE_CHECKING:
    from torch_geometric.data.hypergraph_data import HyperGraphData


def from_hyperedges(
    hyperedges: Iterable[Sequence[int]], *, num_nodes: int | None = None
) -> Hypergraph:
    """Build a hypergraph from the node ids of each hyperedge, kept in the order given.

    Examples
    --------
    >>> from_hyperedges([[0, 1], [], [1]]).num_hyperedges
    3
    """
    members = [np.asarray(list(one), dtype=np.int64).reshape(-1) for one in hyperedges]
    sizes = [len(one) for one in members]
    return Hypergraph(
        np.concatenate([np.zeros(0, np.int64), *members]),
        np.repeat(np.arange(len(sizes)), sizes),
        -1 if num_nodes is None else num_nodes,
        len(sizes),
    )


def from_hypergraph_data(data: HyperGraphData, *, num_hyperedges: int | None = None) -> Hypergraph:
    """Build a hypergraph from the columns (node, hyperedge) of ``data.edge_index``.

    Parameters
    ----------
    data : HyperGraphData
        Its ``num_nodes`` where it is set or follows from ``x``, else the largest id + 1.
    num_hyperedges : int, optional
        Where the last ones are empty; else ``data.num_hyperedges`` if there is such an attribute,
        the rows of ``hyperedge_attr`` or ``edge_attr``, or the largest id + 1.

    Returns
    -------
    Hypergraph
        Incidence ``i`` is column ``i``.
    """
    index = data.edge_index
    if index is None or index.dim() != 2 or index.shape[0] != 2:
        shape = None if index is None else tuple(index.shape)
        raise GraphFormatError(f"data.edge_index must have shape (2, n), got {shape}")
    nodes, hyperedges = index.cpu().numpy()
    return Hypergraph(nodes, hyperedges, _nodes(data), _hyperedges(data, num_hyperedges))


def to_hypergraph_data(hypergraph: Hypergraph, **attributes: Any) -> HyperGraphData:
    """Return a PyG ``HyperGraphData`` with ``edge_index``, ``num_nodes`` and ``num_hyperedges``.

    Parameters
    ----------
    hypergraph : Hypergraph
        Column ``i`` is incidence ``i``.
    **attributes
        Further attributes of the result: ``x``, ``y``, ...
    """
    module = require("torch_geometric.data.hypergraph_data", "gnn", "to_hypergraph_data")
    import torch

    h = hypergraph
    index = torch.from_numpy(np.stack([h.nodes, h.hyperedges]))
    data: HyperGraphData = module.HyperGraphData(edge_index=index, **attributes)
    data.num_nodes = h.num_nodes
    data.num_hyperedges = h.num_hyperedges
    return data


def _nodes(data: HyperGraphData) -> int:
    # Not data.num_nodes: PyG guesses again where it equals the number of hyperedges.
    store = data._store
    if "num_nodes" in store:
        return int(store["num_nodes"])
    return len(data.x) if data.x is not None else -1


def _hyperedges(data: HyperGraphData, given: int | None) -> int:
    if given is not None:
        return given
    store = data._store
    if "num_hyperedges" in store:
        return int(store["num_hyperedges"])
    for key in ("hyperedge_attr", "edge_attr"):
        if store.get(key) is not None:
            return len(store[key])
    return -1
