"""Where a foreign type becomes a Graph, and a mask of edges becomes that type again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from graphsparse.convert import array_types, networkx_types, pyg_types, scipy_types, torch_types
from graphsparse.convert.entries import Array, Entries, lossless_graph, simple_graph
from graphsparse.errors import BackendError
from graphsparse.graph import Graph, Hypergraph
from graphsparse.launch import is_device_array

_READERS: tuple[Any, ...] = (pyg_types, torch_types, scipy_types, networkx_types, array_types)
KNOWN = (
    "Graph, PyG Data or HeteroData, edge_index (tensor or array of shape (2, M)), pairs (array of "
    "shape (m, 2)), torch sparse tensor, SciPy sparse matrix or array, networkx graph"
)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Border:
    """A foreign object seen as a simple graph, and the way back.

    Made by :func:`as_border`.  The object itself is never changed.

    Attributes
    ----------
    graph : Graph
        No parallel edges: equal entries of the object are one edge, their weights summed.
    directed_detected : bool
        Whether ``graph.directed`` was found by comparing the entries with their reverses, rather
        than told by the container or the caller.
    num_entries : int
        Entries of the object, ``M``.
    num_merged : int
        Entries that are further copies of another one.
    """

    graph: Graph
    directed_detected: bool
    num_entries: int
    num_merged: int
    _rebuild: Callable[[Array], Any]

    def restore(self, edge_mask: Any) -> Any:
        """Return an object of the type given with the edges that the mask keeps.

        Parameters
        ----------
        edge_mask : array of bool, shape (graph.num_edges,)
            In the order of ``graph.edges()``.  All entries of an edge share its fate.

        Returns
        -------
        object
            Nodes and the order of the entries stay; every edge-level attribute is filtered along.
        """
        return self._rebuild(self.check_mask(edge_mask))

    def check_mask(self, edge_mask: Any) -> Array:
        """Return ``edge_mask`` if it is bool of shape (graph.num_edges,)."""
        mask = edge_mask if is_device_array(edge_mask) else np.ascontiguousarray(edge_mask)
        if mask.dtype != np.bool_ or mask.shape != (self.graph.num_edges,):
            raise ValueError(
                f"edge_mask must be bool of shape ({self.graph.num_edges},), "
                f"got {mask.dtype} {mask.shape}"
            )
        return mask

    def __repr__(self) -> str:
        return (
            f"Border({self.graph!r}, num_entries={self.num_entries}, "
            f"directed_detected={self.directed_detected})"
        )


def as_border(obj: Any, *, directed: bool | None = None, num_nodes: int | None = None) -> Border:
    """See a graph of any known type as a :class:`Border`.

    Parameters
    ----------
    obj : Graph, Data, edge_index, pairs, torch sparse tensor, SciPy sparse matrix, networkx graph
        An array of shape (2, 2) is an ``edge_index``: pass its transpose for two pairs.  PyG's
        ``num_edges`` counts both directions of an undirected edge, ``graph.num_edges`` one.
    directed : bool, optional
        Left out, it is what the container says; where it says nothing, the graph is undirected
        exactly if every arc has its reverse (with the same weight, if there are weights).  With
        ``False`` both directions of a pair are one edge, also where only one of them is there.
    num_nodes : int, optional
        Nodes of an ``edge_index`` or of pairs; the largest id + 1 when left out.

    Returns
    -------
    Border
        ``.graph`` for the operator, ``.restore(edge_mask)`` for its caller.

    Raises
    ------
    TypeError, ValueError
        If the type is not known, or its entries are not node ids; the first bad one is named.
    BackendError
        If a tensor is not on the CPU.

    Notes
    -----
    O(n + M) time, 24 bytes of scratch memory per entry.

    Examples
    --------
    >>> import numpy as np
    >>> border = as_border(np.array([[0, 1, 1, 2], [1, 0, 2, 1]]))
    >>> border.graph.num_edges, border.graph.directed
    (2, False)
    >>> border.restore([True, False])
    array([[0, 1],
           [1, 0]])
    """
    if isinstance(obj, Graph):
        return _graph_border(obj, directed, num_nodes)
    reader = _reader(obj)
    entries = reader.read_entries(obj, num_nodes)
    return entries_border(entries, directed, lambda keep: reader.keep_entries(obj, keep))


def as_graph(obj: Any, *, directed: bool | None = None, num_nodes: int | None = None) -> Graph:
    """See a graph of any known type as a :class:`Graph`; nothing is merged.

    Parameters
    ----------
    obj : Graph, Data, edge_index, pairs, torch sparse tensor, SciPy sparse matrix, networkx graph
        As for :func:`as_border`.
    directed, num_nodes : optional
        As for :func:`as_border`; a Graph is returned as it is.

    Returns
    -------
    Graph
        Equal entries are parallel edges.
    """
    if isinstance(obj, Graph):
        return obj
    return lossless_graph(_reader(obj).read_entries(obj, num_nodes), directed)


def entries_border(
    entries: Entries, directed: bool | None, keep_entries: Callable[[Array], Any]
) -> Border:
    """Return the border of entries, given what rebuilds their object from a mask of entries."""
    simple = simple_graph(entries, directed)
    return Border(
        simple.graph,
        directed is None and entries.directed is None,
        len(simple.entry_edges),
        simple.num_merged,
        lambda mask: keep_entries(mask[simple.entry_edges]),
    )


def _graph_border(obj: Graph, directed: bool | None, num_nodes: int | None) -> Border:
    if num_nodes is not None and num_nodes != obj.num_nodes:
        raise ValueError(f"num_nodes must be {obj.num_nodes}, as in the graph, got {num_nodes}")
    if not obj.has_parallel_edges and directed in (None, obj.directed):
        return Border(obj, False, obj.num_edges, 0, obj.edge_subgraph)
    u, v = obj.edges()
    pairs = not obj.directed
    entries = Entries(u, v, obj.num_nodes, obj.edge_weights(), obj.directed, pairs, "the graph")
    return entries_border(entries, directed, obj.edge_subgraph)


def _reader(obj: Any) -> Any:
    for reader in _READERS:
        if reader.matches(obj):
            return reader
    if isinstance(obj, Hypergraph):
        raise TypeError("graph must have edges of two nodes, got a Hypergraph")
    if pyg_types.is_hetero(obj):
        raise TypeError(
            "graph is a HeteroData, which is one graph per edge type; use hetero_borders(data)"
        )
    if type(obj).__module__.split(".")[0] == "cupy":
        raise BackendError("CuPy arrays are not supported here yet: pass array.get()")
    raise TypeError(f"graph must be one of: {KNOWN}; got {type(obj).__name__}")
