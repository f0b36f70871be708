"""The four graph classes of networkx: nodes are numbered in their own order."""

from __future__ import annotations

import sys
from itertools import compress
from typing import Any

import numpy as np

from graphsparse.convert.entries import Array, Entries, lossless_graph
from graphsparse.graph import Graph


def matches(obj: Any) -> bool:
    """Tell whether ``obj`` is a networkx graph; networkx is not imported for it."""
    networkx = sys.modules.get("networkx")
    return networkx is not None and isinstance(obj, networkx.Graph)


def read_entries(obj: Any, num_nodes: int | None) -> Entries:
    """Return the edges in the order of ``obj.edges``; the attribute ``weight`` is the weight.

    An edge without the attribute has weight 1, as everywhere in networkx.
    """
    if num_nodes is not None and num_nodes != len(obj):
        raise ValueError(f"num_nodes must be {len(obj)}, the nodes of the graph, got {num_nodes}")
    number = {node: i for i, node in enumerate(obj)}
    count = obj.number_of_edges()
    row = np.fromiter((number[e[0]] for e in obj.edges), np.int64, count)
    col = np.fromiter((number[e[1]] for e in obj.edges), np.int64, count)
    values = [data.get("weight") for *_, data in obj.edges(data=True)]
    weights = None
    if any(value is not None for value in values):
        weights = np.asarray([1.0 if value is None else value for value in values])
    directed = obj.is_directed()
    return Entries(row, col, len(obj), weights, directed, pairs=not directed, name="the graph")


def keep_entries(obj: Any, keep: Array) -> Any:
    """Return a copy of the graph, all attributes included, with the edges that ``keep`` marks."""
    kept = obj.copy()
    edges = obj.edges(keys=True) if obj.is_multigraph() else obj.edges
    kept.remove_edges_from(list(compress(edges, ~keep)))
    return kept


def from_networkx(graph: Any, *, directed: bool | None = None) -> Graph:
    """Build a graph from a networkx graph; node ``i`` is the ``i``-th of ``graph.nodes``.

    Parameters
    ----------
    graph : networkx.Graph, DiGraph, MultiGraph or MultiDiGraph
        The edge attribute ``weight``, where there is one, is the weight.
    directed : bool, optional
        Left out: what the class says.

    Returns
    -------
    Graph
        Every edge; those of a multigraph become parallel edges.
    """
    if not matches(graph):
        raise TypeError(f"graph must be a networkx graph, got {type(graph).__name__}")
    return lossless_graph(read_entries(graph, None), directed)


def to_networkx(graph: Graph) -> Any:
    """Return a networkx graph with nodes ``0 .. n-1`` and weights as ``weight``.

    A ``Graph`` or ``DiGraph``; a ``MultiGraph`` or ``MultiDiGraph`` if there are parallel edges.
    """
    import networkx as nx

    graph.require_host("to_networkx")
    if graph.has_parallel_edges:
        out = nx.MultiDiGraph() if graph.directed else nx.MultiGraph()
    else:
        out = nx.DiGraph() if graph.directed else nx.Graph()
    out.add_nodes_from(range(graph.num_nodes))
    u, v = (ends.tolist() for ends in graph.edges())
    weights = graph.edge_weights()
    if weights is None:
        out.add_edges_from(zip(u, v, strict=True))
    else:
        out.add_weighted_edges_from(zip(u, v, weights.tolist(), strict=True))
    return out
