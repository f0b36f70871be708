"""Keep the edges that matter most by scores that come from elsewhere, such as attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.checks import check_weights, edge_budget
from graphsparse.graph import Graph
from graphsparse.selection import candidates, select

Array = np.ndarray[Any, np.dtype[Any]]


def keep_by_scores(
    graph: Graph, scores: Array, keep: float | None = None, *, num_edges: int | None = None
) -> Graph:
    """Drop the edges of lowest score; the best edge of each receiver goes last.

    Parameters
    ----------
    graph : Graph
        ``m`` edges.
    scores : array of float, one per stored arc
        Importance of the message along each stored arc, >= 0.  An undirected pair has the mean of
        its two directions.
    keep : float, optional
        Fraction of the edges to keep, in (0, 1]; exactly
        ``m - floor((1 - keep) * m + 1e-6)`` edges stay.
    num_edges : int, optional
        Edges to keep, instead of ``keep``.

    Returns
    -------
    Graph
        Same nodes; weights of kept edges are unchanged.  Self-loops are always kept.

    Raises
    ------
    ValueError
        If there are other than ``num_arcs`` scores, or one is negative or not finite.
    BackendError
        If the graph lies on a GPU.

    Notes
    -----
    O(m log m).  Each node keeps the best of the edges that it receives messages along, as long as
    the budget allows.

    Examples
    --------
    >>> path = Graph.from_edges([(0, 1), (1, 2), (2, 3)])
    >>> keep_by_scores(path, [0.9, 0.9, 0.1, 0.1, 0.8, 0.8], num_edges=2).edges()[0].tolist()
    [0, 2]
    """
    graph.require_host("keep_by_scores")
    values = check_weights("scores", scores, graph.num_arcs).astype(np.float64)
    if len(values) and values.min() < 0.0:
        at = int(values.argmin())
        raise ValueError(f"scores must be >= 0, got {values[at]} at arc {at}")
    pool = candidates(graph)
    count = edge_budget(keep, num_edges, pool.graph.num_edges)
    edge = graph.arc_edges()
    if pool.candidate_of_edge is not None:
        edge = pool.candidate_of_edge[edge]
    proper = edge >= 0
    total = pool.graph.num_edges
    copies = np.bincount(edge[proper], minlength=total)
    mean = np.bincount(edge[proper], values[proper], minlength=total) / np.maximum(copies, 1)
    keys = (mean + 0.0).view(np.uint64)  # not negative, no -0.0: bits order as values do
    best = _best_incoming(graph.indices[proper], edge[proper], mean)
    keys[best] |= np.uint64(1 << 63)
    mask = select(pool.graph, keys, count, tie_break="index", seed=0)
    return graph.edge_subgraph(pool.expand(mask))


def _best_incoming(receiver: Array, edge: Array, score: Array) -> Array:
    """The edge of largest score among those into each receiver; of equal ones the lower number."""
    order = np.lexsort((edge, -score[edge], receiver))
    ordered = receiver[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return edge[order[first]]
