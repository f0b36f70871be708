"""Edges that the spectrum itself asks for: power steps on the pencil of a graph and its part."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.graph import Graph
from graphsparse.linalg.pcg import make_solver
from graphsparse.linalg.products import START_VECTORS, apply_laplacian, dots, random_vectors
from graphsparse.linalg.tree import SpanningTree, recover_edges

Array = np.ndarray[Any, np.dtype[Any]]
_VECTORS = 8
_STEPS = 5


def critical_edges(
    graph: Graph, part: Array, budget: int, *, alpha: float, radius: int = 2, seed: int = 0
) -> Array:
    """Return the edges that lower ``lambda_max`` of a graph and a part of it the most.

    Parameters
    ----------
    graph : Graph
        Simple, float64 weights.
    part : array of int64
        Edges of the part; it has the components of the graph.
    budget : int
        Most edges to return.
    alpha, radius, seed
        As in :func:`graphsparse.linalg.tree.recover_edges`, which spreads the choice.

    Returns
    -------
    array of int64
        None of ``part``, in the order of choice.

    Notes
    -----
    A few power steps ``x <- L_part^+ L_G x`` turn random vectors towards the eigenvectors of
    largest eigenvalue; the score of an edge is its share ``w (x_u - x_v)^2`` of their energy
    (GRASS: Feng, arXiv:1911.04382).  One factorisation of the part and 5 solves of 8 vectors.
    """
    mask = np.zeros(graph.num_edges, bool)
    mask[part] = True
    h = graph.edge_subgraph(mask)
    solve, _ = make_solver(h, "refine", tol=1e-3, seed=seed)
    x = random_vectors(graph.num_nodes, _VECTORS, seed, START_VECTORS)
    for _ in range(_STEPS):
        x = solve(apply_laplacian(graph, x))
        x /= np.sqrt(dots(x, apply_laplacian(h, x)))
    u, v = graph.edges()
    score = np.asarray(graph.edge_weights()) * ((x[u] - x[v]) ** 2).sum(axis=1)
    current = SpanningTree("part", part, score, float(score.sum()))
    return recover_edges(graph, current, budget, alpha=alpha, radius=radius, seed=seed)
