"""Baswana-Sen spanner: clusters that grow, no distances."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, TypeVar

import numpy as np

from graphsparse.checks import check_choice, check_count
from graphsparse.graph import Graph
from graphsparse.operators.local_filter import tie_places
from graphsparse.operators.method import Array
from graphsparse.operators.scored import ScoreMethod, run
from graphsparse.operators.spanner import LENGTHS, edge_lengths
from graphsparse.rng import BASWANA_SEN, uniform

T = TypeVar("T")
_NEVER = np.iinfo(np.int64).max


@dataclasses.dataclass(frozen=True, kw_only=True)
class BaswanaSenMethod(ScoreMethod):
    """Options of :func:`baswana_sen`."""

    name: ClassVar[str] = "baswana_sen"
    own: ClassVar[str] = "t"
    undirected: ClassVar[bool] = True
    t: int = 3
    lengths: str = "inverse"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("lengths", self.lengths, LENGTHS)
        if check_count("t", self.t, low=1) % 2 == 0:
            raise ValueError(f"t must be odd, got {self.t}")

    def scores(self, pool: Graph) -> Array:
        """Return minus the place at which each edge arrives: phase by phase, then the rest."""
        place, phase = self.phases(pool)
        arrival = np.empty(pool.num_edges, np.float64)
        arrival[np.lexsort((place, phase))] = np.arange(pool.num_edges)
        return -arrival

    def rule(self, pool: Graph, scores: Array) -> Array:
        """Keep the spanner."""
        mask: Array = self.phases(pool)[1] < _NEVER
        return mask

    def details(self, pool: Graph, keys: Array, mask: Array) -> dict[str, Any]:
        """Tell the stretch that is sure: t, if the whole spanner is kept."""
        whole = bool(mask[self.phases(pool)[1] < _NEVER].all())
        return {"stretch_bound": float(self.t) if whole else None}

    def phases(self, pool: Graph) -> tuple[Array, Array]:
        """Return each edge's place by (length, tie, number), and the phase that adds it."""
        length = edge_lengths(self.name, pool, self.lengths)
        ties = tie_places(pool, self.tie_break, self.seed)
        order = np.lexsort((ties, np.ones(pool.num_edges) if length is None else length))
        place = np.empty(pool.num_edges, np.int64)
        place[order] = np.arange(pool.num_edges)
        growth = _Growth(pool, place, (self.t + 1) // 2, self.seed)
        return place, growth.run()


class _Growth:
    """Clusters, the edges that are left, and the phase in which each edge was added."""

    def __init__(self, pool: Graph, place: Array, k: int, seed: int) -> None:
        self._src, self._dst, self._edge = pool.arc_rows(), pool.indices, pool.arc_edges()
        self._place, self._k, self._seed = place, k, seed
        self._used = int(np.count_nonzero(pool.degree))
        self._cluster = np.arange(pool.num_nodes)
        self._left = np.ones(pool.num_edges, bool)
        self._phase = np.full(pool.num_edges, _NEVER)

    def run(self) -> Array:
        """Return the phase of each edge; that of edges outside the spanner is the last number."""
        for phase in range(1, self._k):
            self._grow(phase)
        edge, _, _, first = self._least(self._left[self._edge])
        self._add(edge[first], self._k)
        return self._phase

    def _grow(self, phase: int) -> None:
        n = len(self._cluster)
        u = uniform(self._seed, np.arange(n, dtype=np.uint64), phase, BASWANA_SEN)
        chance = u.copy()
        for _ in range(self._k - 1):
            chance *= u
        keeps = chance * self._used < 1.0  # u < used^(-1/k), of a centre
        inside = (self._cluster >= 0) & keeps[self._cluster]
        edge, src, other, first = self._least(self._left[self._edge] & ~inside[self._src])
        place = self._place[edge[first]]
        # The least edge to a kept cluster decides: all groups up to it are added and dropped.
        star = np.full(n, _NEVER)
        kept = keeps[other[first]]
        np.minimum.at(star, src[first][kept], place[kept])
        taken = place <= star[src[first]]
        self._add(edge[first][taken], phase)
        self._left[edge[taken[np.cumsum(first) - 1]]] = False
        joins = place == star[src[first]]
        cluster = np.where(inside, self._cluster, -1)
        cluster[src[first][joins]] = other[first][joins]
        self._cluster = cluster
        ends = cluster[self._src] == cluster[self._dst]
        self._left[self._edge[ends]] = False

    def _least(self, arcs: Array) -> tuple[Array, Array, Array, Array]:
        """Return edge, source and other cluster of arcs by groups, and which are least in one."""
        at = np.flatnonzero(arcs)
        edge, src, other = self._edge[at], self._src[at], self._cluster[self._dst[at]]
        order = np.lexsort((self._place[edge], other, src))
        edge, src, other = edge[order], src[order], other[order]
        first = np.ones(len(order), bool)
        first[1:] = (src[1:] != src[:-1]) | (other[1:] != other[:-1])
        return edge, src, other, first

    def _add(self, edges: Array, phase: int) -> None:
        np.minimum.at(self._phase, edges, phase)


def baswana_sen(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    t: int = 3,
    lengths: str = "inverse",
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep a spanner of stretch t that random clusters grow, then the shortest other edges.

    For graphs on which :func:`~graphsparse.operators.spanner.spanner` takes too long: no distance
    is computed.  About ``k n^(1 + 1/k)`` edges, ``t = 2k - 1``, are the spanner.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`; undirected graphs only.
        Without a budget the spanner is kept.
    t : int
        Odd: every edge, and so every pair of nodes, has a path of at most t times its length in
        the spanner.  ``details`` of :func:`~graphsparse.sparsify` tells whether it is kept whole.
    lengths : {"inverse", "weight", "hops"}
        Length of an edge: one over its weight, its weight, or 1 (so for unweighted graphs).

    Returns
    -------
    same type as ``graph``
        Same nodes; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a budget or an option out of range, a directed graph, or a weight that is not positive.

    Notes
    -----
    ``k`` sorts of the edges that are left.  A cluster goes on with odds of ``n^(-1/k)``, n the
    nodes that have an edge.

    References
    ----------
    S. Baswana, S. Sen, A simple and linear time randomized algorithm for computing sparse spanners
    in weighted graphs, Random Structures & Algorithms 2007.

    Examples
    --------
    >>> graph = Graph.from_edges([(u, v) for u in range(9) for v in range(u)])
    >>> baswana_sen(graph).num_edges < graph.num_edges
    True
    """
    method = BaswanaSenMethod(
        t=t, lengths=lengths, connected=connected, tie_break=tie_break, seed=seed
    )
    return run(method, graph, keep, num_edges)
