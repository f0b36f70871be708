"""Jaccard index of neighbourhoods (G-Spar) and its local form (L-Spar)."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeVar

from graphsparse.checks import check_choice
from graphsparse.graph import Graph
from graphsparse.operators.local_degree import by_exponent
from graphsparse.operators.local_filter import COMBINE, MODES, filter_scores
from graphsparse.operators.method import Array
from graphsparse.operators.scan import scan_scores
from graphsparse.operators.scored import ScoreMethod, run
from graphsparse.operators.similarity import jaccard_index, on_support

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class JaccardMethod(ScoreMethod):
    """Options of :func:`jaccard`."""

    name: ClassVar[str] = "jaccard"
    own: ClassVar[str] = "threshold"
    threshold: float | None = None
    weighted: bool = False

    def scores(self, pool: Graph) -> Array:
        """Return the index of each pair."""
        return on_support(pool, lambda graph: jaccard_index(graph, self.weighted))

    def rule(self, pool: Graph, scores: Array) -> Array:
        """Keep indices from the threshold on."""
        mask: Array = scores >= self.threshold
        return mask


@dataclasses.dataclass(frozen=True, kw_only=True)
class LocalSimilarityMethod(ScoreMethod):
    """Options of :func:`local_similarity`."""

    name: ClassVar[str] = "local_similarity"
    own: ClassVar[str] = "exponent"
    exponent: float | None = None
    similarity: str = "jaccard"
    mode: str = "log"
    combine: str = "max"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("similarity", self.similarity, ("jaccard", "scan"))
        check_choice("mode", self.mode, MODES)
        check_choice("combine", self.combine, COMBINE)

    def scores(self, pool: Graph) -> Array:
        """Return the local score of each pair by its similarity."""
        return on_support(pool, self._local)

    def _local(self, graph: Graph) -> Array:
        measure = jaccard_index if self.similarity == "jaccard" else scan_scores
        options = (self.mode, self.combine, self.tie_break, self.seed)
        return filter_scores(graph, measure(graph), *options)

    def rule(self, pool: Graph, scores: Array) -> Array:
        """Keep the ``floor(d ** exponent)`` most similar neighbours of each node."""
        if self.mode != "log":
            raise ValueError(f"exponent needs mode='log', got {self.mode!r}")
        return by_exponent(scores, self.exponent)


def jaccard(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    threshold: float | None = None,
    weighted: bool = False,
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep the edges whose ends share most of their neighbours (G-Spar).

    The score is ``T / (d_u + d_v - T)`` with T triangles through the edge.  Dense groups keep
    everything and bridges go first, so many nodes end up alone; see :func:`local_similarity`.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`; both arcs of a pair of a
        digraph have the score of the pair in the undirected support.
    threshold : float
        Instead of a budget: keep indices of at least this.
    weighted : bool
        Sum of the smaller over the sum of the larger weights to each neighbour.

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
    V. Satuluri, S. Parthasarathy, Y. Ruan, Local graph sparsification for scalable clustering,
    SIGMOD 2011.

    Examples
    --------
    >>> graph = Graph.from_edges([(0, 1), (1, 2), (0, 2), (2, 3)])
    >>> jaccard(graph, num_edges=3).edges()[1].tolist()
    [1, 2, 2]
    """
    method = JaccardMethod(
        threshold=threshold,
        weighted=weighted,
        connected=connected,
        tie_break=tie_break,
        seed=seed,
    )
    return run(method, graph, keep, num_edges)


def local_similarity(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    exponent: float | None = None,
    similarity: str = "jaccard",
    mode: str = "log",
    combine: str = "max",
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep, at every node, the edges to its most similar neighbours (L-Spar).

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`jaccard`.
    exponent : float
        Instead of a budget: keep the ``floor(d ** exponent)`` best edges of each node.
    similarity : {"jaccard", "scan"}
        What neighbours are ranked by.
    mode, combine
        See :func:`~graphsparse.operators.local_filter.local_filter`.

    Returns
    -------
    same type as ``graph``
        Same nodes; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a budget or an option out of range.

    Notes
    -----
    O(m^1.5) time at worst; no node loses its last edge once the budget covers the best edge of
    each.

    References
    ----------
    V. Satuluri, S. Parthasarathy, Y. Ruan, Local graph sparsification for scalable clustering,
    SIGMOD 2011.

    Examples
    --------
    >>> graph = Graph.from_edges([(0, 1), (1, 2), (0, 2), (2, 3)])
    >>> local_similarity(graph, num_edges=3, seed=1).num_edges
    3
    """
    method = LocalSimilarityMethod(
        exponent=exponent,
        similarity=similarity,
        mode=mode,
        combine=combine,
        connected=connected,
        tie_break=tie_break,
        seed=seed,
    )
    return run(method, graph, keep, num_edges)
