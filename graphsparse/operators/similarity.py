"""How much the neighbourhoods of the ends of an edge have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.convert import as_border
from graphsparse.graph import Graph
from graphsparse.operators.method import Array
from graphsparse.operators.scored import positive_weights
from graphsparse.selection import candidates

_MOST = 2**31 - 1


def on_support(pool: Graph, score: Callable[[Graph], Array]) -> Array:
    """Return ``score`` of an undirected graph; arcs of a digraph get the value of their pair."""
    if not pool.directed:
        return score(pool)
    pairs = candidates(pool, undirected=True)
    values = score(pairs.graph)
    if pairs.candidate_of_edge is None:
        return values
    spread: Array = values[pairs.candidate_of_edge]
    return spread


def csr_arguments(graph: Graph) -> tuple[Array, Array, Array]:
    """Return offsets, neighbours and edge numbers as the kernels take them."""
    if graph.num_nodes > _MOST or graph.num_arcs > _MOST:
        raise ValueError(
            f"graph must have below 2^31 nodes and arcs, got {graph.num_nodes} and {graph.num_arcs}"
        )
    return (
        graph.indptr,
        graph.indices.astype(np.int32, copy=False),
        graph.arc_edges().astype(np.int32),
    )


def triangles(graph: Graph) -> Array:
    """Return the number of triangles through each edge of a simple undirected graph."""
    found: Array = native.edge_triangles(*csr_arguments(graph), requested_threads())
    return found


def jaccard_index(graph: Graph, weighted: bool = False) -> Array:
    """Return ``T / (d_u + d_v - T)``, or the sum of minima over that of maxima."""
    u, v = graph.edges()
    if weighted:
        common, size = _overlaps(graph, product=False), _strengths(graph)
    else:
        common, size = triangles(graph).astype(np.float64), graph.degree
    index: Array = common / (size[u] + size[v] - common)
    return index


def scan_cosine(graph: Graph) -> Array:
    """Return the cosine of the rows of the weight matrix with ones on its diagonal."""
    u, v = graph.edges()
    w = positive_weights("scan", graph)
    square = 1.0 + np.bincount(u, w * w, graph.num_nodes) + np.bincount(v, w * w, graph.num_nodes)
    return (2.0 * w + _overlaps(graph, product=True)) / np.sqrt(square[u] * square[v])


def prefix_jaccard(graph: Graph) -> Array:
    """Return the largest Jaccard index of neighbourhoods cut at one rank of triangles.

    The rank of a neighbour is the number of neighbours whose edge has strictly more triangles.
    """
    indptr, indices, edge = csr_arguments(graph)
    count = triangles(graph)[edge].astype(np.int64)
    order = np.lexsort((-count, graph.arc_rows()))
    count, row = count[order], graph.arc_rows()[order]
    first = np.ones(len(order), bool)
    first[1:] = (row[1:] != row[:-1]) | (count[1:] != count[:-1])
    start = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    rank = (start - indptr[row]).astype(np.int32)
    u, v = (ends.astype(np.int32) for ends in graph.edges())
    best: Array = native.prefix_overlaps(indptr, indices[order], rank, u, v, requested_threads())
    return best


def _overlaps(graph: Graph, *, product: bool) -> Array:
    positive_weights("weighted similarity", graph)
    indptr, indices, _ = csr_arguments(graph)
    weights = np.ones(graph.num_arcs) if graph.weights is None else graph.weights
    u, v = (ends.astype(np.int32) for ends in graph.edges())
    sums: Array = native.edge_overlaps(
        indptr, indices, weights.astype(np.float64), u, v, product, requested_threads()
    )
    return sums


def _strengths(graph: Graph) -> Array:
    return np.bincount(graph.arc_rows(), graph.weights, graph.num_nodes)


def edge_triangles(graph: Any) -> Array:
    """Return the number of triangles through each edge.

    Parameters
    ----------
    graph : Graph, PyG Data, edge_index, SciPy matrix, networkx graph, ...
        ``m`` edges without parallel ones and self-loops; arcs count those of their pair.

    Returns
    -------
    array of int32, shape (m,)
        In the order of ``graph.edges()``.

    Notes
    -----
    O(m^1.5) time at worst; 4 bytes per node and thread and 12 per edge of scratch memory.

    Examples
    --------
    >>> edge_triangles(Graph.from_edges([(0, 1), (1, 2), (0, 2), (2, 3)])).tolist()
    [1, 1, 1, 0]
    """
    whole = as_border(graph).graph
    if candidates(whole).candidate_of_edge is not None:
        raise ValueError("graph must have neither parallel edges nor self-loops; coalesce it first")
    return on_support(whole, triangles)
