"""Spanning tree plus the most critical other edges: the skeleton of a graph's spectrum."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.graph import Graph

Array = np.ndarray[Any, np.dtype[Any]]
TreeKind = Literal["auto", "effective", "max_weight"]
TREES = ("auto", "effective", "max_weight")


@dataclasses.dataclass(frozen=True)
class SpanningTree:
    """Spanning forest of a graph and how far it stretches the edges.

    Attributes
    ----------
    kind : str
        ``"effective"`` or ``"max_weight"``.
    edges : array of int64, shape (n - c,)
        Edge numbers in the order Kruskal's algorithm takes them; ``c`` components.
    stretch : array of float64, shape (m,)
        ``w_e`` times the resistance between the ends of ``e`` along the tree; 1 on the tree.
    total_stretch : float
        Sum of ``stretch``: the trace of ``L_T^+ L_G``.
    """

    kind: str
    edges: Array
    stretch: Array
    total_stretch: float


def spanning_tree(graph: Graph, *, kind: TreeKind = "auto", seed: int = 0) -> SpanningTree:
    """Return a low-stretch spanning forest of a simple graph with float64 weights.

    Parameters
    ----------
    graph : Graph
        As :func:`graphsparse.linalg.conductance.conductances` returns it.
    kind : {"auto", "effective", "max_weight"}
        Kruskal by ``w ln(max degree) / (sum of BFS depths)``, or by ``w``; ``"auto"`` builds both
        and returns the one of smaller total stretch.
    seed : int
        Orders edges of equal key.

    Notes
    -----
    O(m + n log n) time, about 50 bytes per edge of scratch memory.
    """
    graph.require_host("spanning_tree")
    u, v = graph.edges()
    effective, edges, stretch, total = native.spanning_tree(
        graph.indptr, graph.indices, u, v, graph.edge_weights(), kind != "max_weight",
        kind != "effective", seed, requested_threads(),
    )  # fmt: skip
    return SpanningTree("effective" if effective else "max_weight", edges, stretch, total)


def recover_edges(
    graph: Graph, tree: SpanningTree, budget: int, *, alpha: float, radius: int = 2, seed: int = 0
) -> Array:
    """Return the off-tree edges that a tree sparsifier adds, in the order of choice.

    Parameters
    ----------
    graph : Graph
        The graph of ``tree``.
    budget : int
        Most edges to return.
    alpha : float
        Off-tree edges per node that the size of a ball is made for: at most
        ``max(2, floor(0.6 / alpha))`` nodes.
    radius : int
        Hops that a ball reaches in the tree and the edges chosen so far.

    Notes
    -----
    Edges come by stretch, largest first.  One that is taken closes the balls round its ends for
    the rest of the pass; when the list is through, the next pass needs one more closing to refuse.
    """
    if budget == 0:
        return np.zeros(0, np.int64)
    cap = max(2, math.floor(min(0.6 / alpha, 2.0**31) + 1e-6))
    u, v = graph.edges()
    chosen: Array = native.recover_edges(
        u, v, tree.stretch, tree.edges, graph.num_nodes, budget, radius, cap, seed
    )
    return chosen
