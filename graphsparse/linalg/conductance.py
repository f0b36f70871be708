"""Border of the spectral functions: an undirected graph whose weights are conductances."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.errors import BackendError
from graphsparse.graph import Graph, build_csr

Array = np.ndarray[Any, np.dtype[Any]]
SMALLEST, LARGEST = 1e-300, 1e300


def conductances(graph: Graph, name: str = "graph") -> Graph:
    """Return the graph that has the Laplacian of ``graph``, simple and with float64 weights.

    Self-loops have no part in a Laplacian and are left out; parallel edges are one edge of their
    summed weight; no weights means 1 everywhere.

    Parameters
    ----------
    graph : Graph
        Undirected, weights in [1e-300, 1e300] so that a resistance 1/w is a normal number.
    name : str
        What messages call the graph.

    Raises
    ------
    ValueError
        If the graph is directed or a weight lies outside the range; the message names the edge.
    BackendError
        If the arrays lie on the GPU.
    """
    check_undirected(graph, name)
    weights = graph.edge_weights()
    u, v = graph.edges()
    if weights is not None:
        weights = weights.astype(np.float64)
        check_conductances(weights, u, v, name)
    if not graph.has_parallel_edges and graph.num_self_loops == 0:
        arcs = np.ones(graph.num_arcs) if graph.weights is None else graph.weights
        return Graph._trusted(graph.indptr, graph.indices, arcs.astype(np.float64), False)
    proper = u != v
    given = np.ones(int(proper.sum())) if weights is None else weights[proper]
    return merge_edges(u[proper], v[proper], given, graph.num_nodes)


def check_undirected(graph: Graph, name: str) -> None:
    """Refuse a directed graph, and one whose arrays lie on the GPU."""
    if graph.device != "cpu":
        raise BackendError(f"{name} lies on the GPU, spectral functions run on the CPU: to('cpu')")
    if graph.directed:
        raise ValueError(f"{name} must be undirected, got a directed graph; use graph.symmetrize()")


def check_conductances(weights: Array, u: Array, v: Array, name: str) -> None:
    """Refuse weights whose inverse is no normal number."""
    good = (weights >= SMALLEST) & (weights <= LARGEST)
    if not good.all():
        e = int(np.argmin(good))
        raise ValueError(
            f"weights of {name} must be conductances in [{SMALLEST:g}, {LARGEST:g}], "
            f"got {weights[e]} at edge {e} = ({u[e]}, {v[e]})"
        )


def merge_edges(u: Array, v: Array, weights: Array, num_nodes: int) -> Graph:
    """Return the simple graph of the pairs, weights of equal pairs summed in the order given."""
    low, high = np.minimum(u, v), np.maximum(u, v)
    rows, entry = build_csr(low, high, num_nodes, mirror=False)
    row, col = rows.arc_rows(), rows.indices
    new = np.ones(len(row), bool)
    new[1:] = (row[1:] != row[:-1]) | (col[1:] != col[:-1])
    sums = np.add.reduceat(weights[entry], np.flatnonzero(new)) if len(row) else weights[:0]
    return Graph.from_edges((row[new], col[new]), num_nodes=num_nodes, weights=sums)
