"""Successive spanning forests: every cut keeps some of its edges."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeVar

import numpy as np

from graphsparse.backend import native
from graphsparse.checks import check_count
from graphsparse.graph import Graph
from graphsparse.operators.local_filter import score_places
from graphsparse.operators.method import Array
from graphsparse.operators.scored import ScoreMethod, positive_weights, run

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpanningForestsMethod(ScoreMethod):
    """Options of :func:`spanning_forests`."""

    name: ClassVar[str] = "spanning_forests"
    own: ClassVar[str] = "num_forests"
    undirected: ClassVar[bool] = True
    num_forests: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_forests is not None:
            check_count("num_forests", self.num_forests)

    def scores(self, pool: Graph) -> Array:
        """Return minus the place at which each edge arrives: forest by forest."""
        order, levels = self.levels(pool)
        arrival = np.empty(len(order), np.float64)
        arrival[order[np.argsort(levels[order], kind="stable")]] = np.arange(len(order))
        return -arrival

    def levels(self, pool: Graph) -> tuple[Array, Array]:
        """Return Kruskal's order of the edges, and the forest of each, from 1."""
        weights = positive_weights(self.name, pool)
        order = np.argsort(score_places(pool, weights, self.tie_break, self.seed), kind="stable")
        place = np.empty(pool.num_nodes, np.int32)
        place[np.argsort(-pool.degree, kind="stable")] = np.arange(pool.num_nodes)
        # wide[j]: nodes of degree j or more.
        wide = np.cumsum(np.bincount(pool.degree, minlength=1)[::-1])[::-1].astype(np.int64)
        u, v = (place[ends] for ends in pool.edges())
        most = pool.num_edges if self.num_forests is None else self.num_forests
        levels: Array = native.forest_levels(order, u, v, wide, most)
        return order, levels

    def rule(self, pool: Graph, scores: Array) -> Array:
        """Keep the first ``num_forests`` forests."""
        mask: Array = self.levels(pool)[1] <= (self.num_forests or 0)
        return mask


def spanning_forests(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    num_forests: int | None = None,
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep a maximum-weight spanning forest, then one of what is left, and so on.

    The first j forests keep ``min(j, size)`` edges of every cut.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`; undirected graphs only.
    num_forests : int
        Instead of a budget: keep that many whole forests.

    Returns
    -------
    same type as ``graph``
        Same nodes; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a budget out of range, a directed graph, or a weight that is not positive.

    Notes
    -----
    O(m log m); 4 bytes per edge end for the union-finds of all forests together.

    References
    ----------
    H. Nagamochi, T. Ibaraki, A linear-time algorithm for finding a sparse k-connected spanning
    subgraph of a k-connected graph, Algorithmica 1992.

    Examples
    --------
    >>> graph = Graph.from_edges([(0, 1), (1, 2), (0, 2), (2, 3)])
    >>> spanning_forests(graph, num_forests=1).num_edges
    3
    """
    method = SpanningForestsMethod(
        num_forests=num_forests, connected=connected, tie_break=tie_break, seed=seed
    )
    return run(method, graph, keep, num_edges)
