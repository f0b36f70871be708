"""Spanners: distances grow by a known factor at most."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, ClassVar, TypeVar

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.checks import check_choice
from graphsparse.graph import Graph
from graphsparse.linalg.components import component_labels, grounded_nodes
from graphsparse.operators.local_filter import tie_places
from graphsparse.operators.method import Array
from graphsparse.operators.scored import ScoreMethod, positive_weights, run
from graphsparse.operators.similarity import csr_arguments

T = TypeVar("T")
LEVELS = (15.0, 9.0, 7.0, 5.0, 3.0, 2.0, 1.0)
LENGTHS = ("inverse", "weight", "hops")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpannerMethod(ScoreMethod):
    """Options of :func:`spanner`."""

    name: ClassVar[str] = "spanner"
    own: ClassVar[str] = "t"
    undirected: ClassVar[bool] = True
    t: float | None = None
    lengths: str = "inverse"
    start: str = "forest"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("lengths", self.lengths, LENGTHS)
        check_choice("start", self.start, ("forest", "empty"))
        if self.t is not None and not 1.0 <= self.t < math.inf:
            raise ValueError(f"t must be 1 or more, got {self.t!r}")
        if self.start == "empty" and self.t is None:
            raise ValueError("start='empty' needs t, the stretch of the greedy spanner")

    def by_rule(self, keep: float | str | None, num_edges: int | None) -> bool:
        if self.start == "empty" and (keep is not None or num_edges is not None):
            raise ValueError("start='empty' takes t alone, neither keep nor num_edges")
        return super().by_rule(keep, num_edges)

    def scores(self, pool: Graph) -> Array:
        """Return minus the place at which each edge arrives."""
        arrival = np.empty(pool.num_edges, np.float64)
        order = np.concatenate([part for _, part in self.parts(pool)])
        arrival[order] = np.arange(len(order))
        return -arrival

    def rule(self, pool: Graph, scores: Array) -> Array:
        """Keep what has arrived after the level of ``t``."""
        mask = np.zeros(pool.num_edges, bool)
        for t, part in self.parts(pool):
            if t < (self.t or math.inf):
                break
            mask[part] = True
        return mask

    def details(self, pool: Graph, keys: Array, mask: Array) -> dict[str, Any]:
        """Tell the stretch that is sure: that of the last level which is there as a whole."""
        bound = None
        for t, part in self.parts(pool):
            if not mask[part].all():
                break
            bound = t
        return {"stretch_bound": bound if bound is not None and bound < math.inf else None}

    def parts(self, pool: Graph) -> Iterator[tuple[float, Array]]:
        """Yield each level's stretch and the edges that arrive with it; the forest has infinity."""
        length = edge_lengths(self.name, pool, self.lengths)
        ties = tie_places(pool, self.tie_break, self.seed)
        plain = np.zeros(0) if length is None else length
        u, v = (ends.astype(np.int32) for ends in pool.edges())
        taken = native.Spanner(pool.indptr, u, v, plain)
        rest = np.lexsort((ties, np.ones(pool.num_edges) if length is None else length))
        if self.start == "forest":
            forest = _forest(pool, plain, ties)
            yield math.inf, forest
            taken.add(forest)
            inside = np.zeros(pool.num_edges, bool)
            inside[forest] = True
            rest = rest[~inside[rest]]
        for t in self._levels():
            added = taken.level(rest, t, requested_threads())
            yield t, rest[added]
            rest = rest[~added]
        yield 0.0, rest

    def _levels(self) -> list[float]:
        if self.start == "empty":
            return [float(self.t or 1.0)]
        if self.t is None:
            return list(LEVELS)
        return [t for t in LEVELS if t > self.t] + [float(self.t)]


def edge_lengths(name: str, pool: Graph, kind: str) -> Array | None:
    """Return the length of each edge by one of ``LENGTHS``, None for ones."""
    if kind == "hops" or pool.weights is None:
        return None
    weights = positive_weights(name, pool)
    lengths: Array = 1.0 / weights if kind == "inverse" else weights
    return lengths


def _forest(pool: Graph, length: Array, ties: Array) -> Array:
    """Return the edges of shortest paths from the root of each component, by distance."""
    if pool.num_edges == 0:
        return np.zeros(0, np.int64)
    dist = native.shortest_path_forest(*csr_arguments(pool), length, _roots(pool))
    row, edge, degree = pool.arc_rows(), pool.arc_edges(), pool.degree
    span = length[edge] if len(length) else 1.0
    leads = np.flatnonzero(dist[pool.indices] + span == dist[row])
    # For each node the best arc to a parent: highest degree, then the tie of the edge.
    child, parent = row[leads], pool.indices[leads]
    order = np.lexsort((ties[edge[leads]], -degree[parent], child))
    first = np.ones(len(order), bool)
    first[1:] = child[order][1:] != child[order][:-1]
    best = leads[order[first]]
    found: Array = edge[best][np.lexsort((ties[edge[best]], dist[row[best]]))]
    return found


def _roots(pool: Graph) -> Array:
    """Return the node of highest degree of each component that has edges, lowest id first."""
    roots = np.flatnonzero(grounded_nodes(pool, *component_labels(pool)))
    return roots[pool.degree[roots] > 0].astype(np.int32)


def spanner(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    t: float | None = None,
    lengths: str = "inverse",
    start: str = "forest",
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep shortest paths from a hub of each component, then the edges with the longest detours.

    After the level of t (15, 9, 7, 5, 3, 2, 1) every edge, and so every pair, has a path of at
    most t times its length; ``details`` of :func:`~graphsparse.sparsify` names the level reached.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`; undirected graphs only.
    t : float
        Instead of a budget: keep all that the stretch t needs, 1 or more.
    lengths : {"inverse", "weight", "hops"}
        Length of an edge: one over its weight, its weight, or 1 (so for unweighted graphs).
    start : {"forest", "empty"}
        Before the levels: a shortest-path forest, or nothing, the classical greedy spanner of one
        ``t``.

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
    Up to m searches per level, each bounded by t times the length of its edge.

    References
    ----------
    I. Althoefer et al., On sparse spanners of weighted graphs, Discrete & Computational Geometry
    1993.

    Examples
    --------
    >>> ring = Graph.from_edges([(0, 1), (1, 2), (2, 3), (3, 0)])
    >>> spanner(ring, t=3).num_edges, spanner(ring, t=2).num_edges
    (3, 4)
    """
    method = SpannerMethod(
        t=t,
        lengths=lengths,
        start=start,
        connected=connected,
        tie_break=tie_break,
        seed=seed,
    )
    return run(method, graph, keep, num_edges)
