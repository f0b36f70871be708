"""Simmelian backbone: neighbourhoods ranked by triangles, compared prefix by prefix."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeVar

from graphsparse.graph import Graph
from graphsparse.operators.method import Array
from graphsparse.operators.scored import ScoreMethod, run
from graphsparse.operators.similarity import on_support, prefix_jaccard

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimmelianMethod(ScoreMethod):
    """Options of :func:`simmelian`."""

    name: ClassVar[str] = "simmelian"
    own: ClassVar[str] = "threshold"
    threshold: float | None = None

    def scores(self, pool: Graph) -> Array:
        """Return the best Jaccard index of two prefixes."""
        return on_support(pool, prefix_jaccard)

    def rule(self, pool: Graph, scores: Array) -> Array:
        """Keep indices from the threshold on."""
        mask: Array = scores >= self.threshold
        return mask


def simmelian(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    threshold: float | None = None,
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep the edges whose ends have the same strongest ties.

    Each node ranks its neighbours by the triangles of their edge; the score of an edge is the
    largest Jaccard index of the two neighbourhoods cut at one rank.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`; both arcs of a pair of a
        digraph have the score of the pair in the undirected support.
    threshold : float
        Instead of a budget: keep indices of at least this.

    Returns
    -------
    same type as ``graph``
        Same nodes; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a budget out of range.

    Notes
    -----
    O(m^1.5 + sum over edges of the degrees of their ends).

    References
    ----------
    B. Nick et al., Simmelian backbones: amplifying hidden homophily in Facebook networks, ASONAM
    2013.

    Examples
    --------
    >>> graph = Graph.from_edges([(0, 1), (1, 2), (0, 2), (2, 3)])
    >>> simmelian(graph, threshold=0.5).num_edges
    3
    """
    method = SimmelianMethod(
        threshold=threshold, connected=connected, tie_break=tie_break, seed=seed
    )
    return run(method, graph, keep, num_edges)
