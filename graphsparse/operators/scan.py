"""Similarity of closed neighbourhoods, as in SCAN."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeVar

import numpy as np

from graphsparse.checks import check_count
from graphsparse.graph import Graph
from graphsparse.operators.method import Array
from graphsparse.operators.scored import ScoreMethod, run
from graphsparse.operators.similarity import on_support, scan_cosine, triangles

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScanMethod(ScoreMethod):
    """Options of :func:`scan`."""

    name: ClassVar[str] = "scan"
    own: ClassVar[str] = "epsilon"
    epsilon: float | None = None
    weighted: bool = False
    offset: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("offset", self.offset, high=2)

    def scores(self, pool: Graph) -> Array:
        """Return the similarity of each pair."""
        if self.weighted:
            return on_support(pool, scan_cosine)
        return on_support(pool, lambda graph: scan_scores(graph, self.offset))

    def rule(self, pool: Graph, scores: Array) -> Array:
        """Keep similarities from epsilon on."""
        mask: Array = scores >= self.epsilon
        return mask


def scan_scores(graph: Graph, offset: int = 2) -> Array:
    """Return ``(T + offset) / sqrt((d_u + 1) (d_v + 1))`` of a simple undirected graph."""
    u, v = graph.edges()
    size = (graph.degree + 1).astype(np.float64)
    return (triangles(graph) + float(offset)) / np.sqrt(size[u] * size[v])


def scan(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    epsilon: float | None = None,
    weighted: bool = False,
    offset: int = 2,
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep the edges whose ends have similar closed neighbourhoods.

    The score is ``(T + 2) / sqrt((d_u + 1) (d_v + 1))``: with itself among its neighbours each
    end is common to both.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`; both arcs of a pair of a
        digraph have the score of the pair in the undirected support.
    epsilon : float
        Instead of a budget: keep similarities of at least this.
    weighted : bool
        Cosine of the rows of weights, with 1 for the node itself.
    offset : int
        Common members beside the T: 2 by the definition, 1 as NetworKit counts.

    Returns
    -------
    same type as ``graph``
        Same nodes; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a budget out of range, or with ``weighted`` for a weight that is not positive.

    Notes
    -----
    O(m^1.5) time at worst.

    References
    ----------
    X. Xu et al., SCAN: a structural clustering algorithm for networks, KDD 2007.

    Examples
    --------
    >>> graph = Graph.from_edges([(0, 1), (1, 2), (0, 2), (2, 3)])
    >>> scan(graph, num_edges=1).edges()[1].tolist()
    [1]
    """
    method = ScanMethod(
        epsilon=epsilon,
        weighted=weighted,
        offset=offset,
        connected=connected,
        tie_break=tie_break,
        seed=seed,
    )
    return run(method, graph, keep, num_edges)
