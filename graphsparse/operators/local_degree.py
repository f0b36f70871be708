"""Local degree: every node keeps its edges to hubs."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeVar

import numpy as np

from graphsparse.graph import Graph
from graphsparse.operators.local_filter import Rows, combine_ends, rank_scores, sides, tie_hashes
from graphsparse.operators.method import Array
from graphsparse.operators.scored import ScoreMethod, run

T = TypeVar("T")
SLACK = 1e-12  # of comparisons with an exponent


@dataclasses.dataclass(frozen=True, kw_only=True)
class LocalDegreeMethod(ScoreMethod):
    """Options of :func:`local_degree`."""

    name: ClassVar[str] = "local_degree"
    own: ClassVar[str] = "exponent"
    exponent: float | None = None

    def scores(self, pool: Graph) -> Array:
        """Return the local score by the degree of the other end."""
        ties = tie_hashes(pool, self.tie_break, self.seed)
        degrees = [pool.degree]
        if pool.directed:
            into = np.bincount(pool.indices, minlength=pool.num_nodes)
            degrees = [into, pool.degree]
        views = []
        for rows, degree in zip(sides(pool), degrees, strict=True):
            views.append((rows, rank_scores(rows, hub_keys(rows, degree), ties, "log")))
        return combine_ends(pool, views, "max")

    def rule(self, pool: Graph, scores: Array) -> Array:
        """Keep the ``floor(d ** exponent)`` best edges of each node."""
        return by_exponent(scores, self.exponent)


def by_exponent(scores: Array, exponent: float | None) -> Array:
    """Return the mask of the edges that some end has among its ``floor(d ** exponent)`` best."""
    if exponent is None or not 0.0 <= exponent <= 1.0:
        raise ValueError(f"exponent must be in [0, 1], got {exponent!r}")
    mask: Array = scores >= 1.0 - exponent - SLACK
    return mask


def hub_keys(rows: Rows, degree: Array) -> Array:
    """Return keys of the entries that put hubs first."""
    most = degree.max(initial=0)
    keys: Array = (most - degree).astype(np.uint64)[rows.other]
    return keys


def local_degree(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    exponent: float | None = None,
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep, at every node, the edges to its neighbours of highest degree.

    Short paths mostly run over hubs, so distances and connectivity survive well.  The edge of
    rank r at a node of degree d scores ``1 - ln r / ln d`` there, and the better of its two
    values counts.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`.  In a digraph tails rank
        their heads by in-degree and heads rank their tails by out-degree.
    exponent : float
        Instead of a budget: keep the ``floor(d ** exponent)`` best edges of each node.

    Returns
    -------
    same type as ``graph``
        Same nodes; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a budget or an exponent out of range.

    Notes
    -----
    O(m log m); no node loses its last edge once the budget covers the best edge of each.

    References
    ----------
    M. Hamann et al., Structure-preserving sparsification methods for social networks, SNAM 2016,
    arXiv:1601.00286.

    Examples
    --------
    >>> star = Graph.from_edges([(0, 1), (0, 2), (0, 3), (2, 3)])
    >>> u, v = local_degree(star, num_edges=3).edges()
    >>> list(zip(u.tolist(), v.tolist()))
    [(0, 1), (0, 2), (0, 3)]
    """
    method = LocalDegreeMethod(
        exponent=exponent, connected=connected, tie_break=tie_break, seed=seed
    )
    return run(method, graph, keep, num_edges)
