"""Where a foreign type becomes a Graph, and a mask of edges becomes that type again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from graphsparse.convert import array_types, networkx_types, pyg_types, scipy_types, torch_types
from graphsparse.convert.entries import Array, simple_graph
from graphsparse.convert.pyg_types import EdgeType
from graphsparse.errors import BackendError
from graphsparse.graph import Graph, Hypergraph

T = TypeVar("T")
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
    """

    graph: Graph
    directed_detected: bool
    num_entries: int
    _rebuild: Callable[[Array], Any]
    _num_merged: Callable[[], int]

    @property
    def num_merged(self) -> int:
        """Number of entries that are further copies of an edge of ``graph``."""
        return self._num_merged()

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
        mask = np.ascontiguousarray(edge_mask)
        if mask.dtype != np.bool_ or mask.shape != (self.graph.num_edges,):
            raise ValueError(
                f"edge_mask must be bool of shape ({self.graph.num_edges},), "
                f"got {mask.dtype} {mask.shape}"
            )
        return self._rebuild(mask)

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
    return _entries_border(entries, directed, lambda keep: reader.keep_entries(obj, keep))


def hetero_borders(data: Any, *, directed: bool | None = None) -> dict[EdgeType, Border]:
    """See each edge type of a PyG ``HeteroData`` as a :class:`Border`.

    ``restore`` of each gives a ``HeteroData`` in which that edge type alone is filtered.  An edge
    type between two kinds of nodes is an undirected bipartite graph (source nodes first).
    """
    if not pyg_types.is_hetero(data):
        raise TypeError(f"data must be a HeteroData, got {type(data).__name__}")
    return {
        kind: _entries_border(
            pyg_types.hetero_entries(data, kind), directed, _hetero_rebuild(data, kind)
        )
        for kind in data.edge_types
    }


def filter_edges(obj: T, choose: Callable[[Graph], Any], *, directed: bool | None = None) -> T:
    """Return ``obj`` with the edges that ``choose`` keeps: the frame of every sparsifier.

    Parameters
    ----------
    obj : any known type, see :func:`as_border`
        Of a ``HeteroData`` each edge type is filtered by itself.
    choose : callable
        From a Graph without parallel edges to a bool mask of shape (num_edges,).
    directed : bool, optional
        See :func:`as_border`.

    Returns
    -------
    object
        Of the type given; ``obj`` itself is not changed.
    """
    if not pyg_types.is_hetero(obj):
        border = as_border(obj, directed=directed)
        kept: T = border.restore(choose(border.graph))
        return kept
    borders = hetero_borders(obj, directed=directed)
    return restore_hetero(obj, borders, {kind: choose(b.graph) for kind, b in borders.items()})


def restore_hetero(data: T, borders: Mapping[EdgeType, Border], masks: Mapping[EdgeType, Any]) -> T:
    """Return a ``HeteroData`` with each edge type of ``masks`` filtered."""
    out = data
    for kind, mask in masks.items():
        filtered = borders[kind].restore(mask)
        if out is data:
            out = filtered
        else:
            for key, value in filtered[kind].items():
                out[kind][key] = value  # type: ignore[index]
    return out


def _entries_border(entries: Any, directed: bool | None, rebuild: Callable[[Array], Any]) -> Border:
    graph, edge_of = simple_graph(entries, directed)
    stored = len(edge_of)

    def num_merged() -> int:
        both = not graph.directed and not entries.pairs
        arcs = entries.row.astype(np.int64) * max(graph.num_nodes, 1) + entries.col
        return stored - (len(np.unique(arcs)) if both else graph.num_edges)

    detected = directed is None and entries.directed is None and not entries.pairs
    return Border(graph, detected, stored, lambda mask: rebuild(mask[edge_of]), num_merged)


def _graph_border(obj: Graph, directed: bool | None, num_nodes: int | None) -> Border:
    if num_nodes is not None and num_nodes != obj.num_nodes:
        raise ValueError(f"num_nodes must be {obj.num_nodes}, as in the graph, got {num_nodes}")
    if not obj.has_parallel_edges and directed in (None, obj.directed):
        return Border(obj, False, obj.num_edges, obj.edge_subgraph, lambda: 0)
    from graphsparse.convert.entries import Entries

    u, v = obj.edges()
    entries = Entries(
        u, v, obj.num_nodes, obj.edge_weights(), obj.directed, not obj.directed, "the graph"
    )
    return _entries_border(entries, directed, obj.edge_subgraph)


def _hetero_rebuild(data: Any, kind: EdgeType) -> Callable[[Array], Any]:
    import copy

    def rebuild(keep: Array) -> Any:
        out = copy.copy(data)
        pyg_types.keep_store(out[kind], keep)
        return out

    return rebuild


def _reader(obj: Any) -> Any:
    for reader in _READERS:
        if reader.matches(obj):
            return reader
    if isinstance(obj, Hypergraph):
        raise TypeError("graph must be a graph, got a Hypergraph; edges of two nodes only here")
    if pyg_types.is_hetero(obj):
        raise TypeError(
            "graph is a HeteroData, which is one graph per edge type; "
            "use hetero_borders(data) or filter_edges(data, choose)"
        )
    if type(obj).__module__.split(".")[0] == "cupy":
        raise BackendError("CuPy arrays are not supported here yet: pass array.get()")
    raise TypeError(f"graph must be one of: {KNOWN}; got {type(obj).__name__}")
