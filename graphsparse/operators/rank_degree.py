"""Rank degree: seeds that walk to the neighbours of highest degree, round by round."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeVar

import numpy as np

from graphsparse.backend import native
from graphsparse.checks import check_count, check_fraction
from graphsparse.graph import Graph
from graphsparse.operators.local_degree import hub_keys
from graphsparse.operators.local_filter import ranks, sides, tie_places
from graphsparse.operators.method import Array
from graphsparse.operators.scored import ScoreMethod, run
from graphsparse.rng import tie_hash

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RankDegreeMethod(ScoreMethod):
    """Options of :func:`rank_degree`."""

    name: ClassVar[str] = "rank_degree"
    rho: float = 0.1
    num_seeds: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fraction("rho", self.rho)
        check_count("num_seeds", self.num_seeds, low=1)

    def scores(self, pool: Graph) -> Array:
        """Return minus the place at which each edge arrives."""
        n = pool.num_nodes
        into = np.bincount(pool.indices, minlength=n) if pool.directed else pool.degree
        rows, ties = next(sides(pool)), tie_places(pool, self.tie_break, self.seed)
        rank = ranks(rows, hub_keys(rows, into), ties)
        place = rows.indptr[pool.arc_rows()] + rank - 1
        other, edge = np.empty((2, len(place)), np.int32)
        other[place], edge[place] = rows.other, rows.edge
        cycle = np.argsort(tie_hash(self.seed, np.arange(n, dtype=np.uint64)), kind="stable")
        arrival: Array = native.rank_degree_order(
            rows.indptr, other, edge, ties, cycle.astype(np.int32), float(self.rho),
            self.num_seeds, pool.directed,
        )  # fmt: skip
        return -arrival.astype(np.float64)


def rank_degree(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    rho: float = 0.1,
    num_seeds: int = 10,
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep the edges that seeds take first on their way to hubs.

    In each round every seed takes the share ``rho`` of its remaining edges that lead to the nodes
    of highest degree; their ends are the next seeds.  When none has an edge left, new random seeds
    are set.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`; in a digraph seeds take
        outgoing arcs by in-degree.
    rho : float
        Share of its remaining edges that a seed takes, at least one; in (0, 1].
    num_seeds : int
        Seeds that are set at the start and when all are stuck.

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
    O(m log m).

    References
    ----------
    E. Voudigari et al., Rank degree: an efficient algorithm for graph sampling, ASONAM 2016.

    Examples
    --------
    >>> graph = Graph.from_edges([(0, 1), (1, 2), (0, 2), (2, 3)])
    >>> rank_degree(graph, num_edges=2, seed=1).num_edges
    2
    """
    method = RankDegreeMethod(
        rho=rho, num_seeds=num_seeds, connected=connected, tie_break=tie_break, seed=seed
    )
    return run(method, graph, keep, num_edges)
