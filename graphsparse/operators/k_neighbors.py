"""k-neighbour: every node names k of its edges, at random or by weight."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeVar

import numpy as np

from graphsparse.checks import check_choice, check_count
from graphsparse.graph import Graph
from graphsparse.operators.local_filter import (
    Rows,
    combine_ends,
    ranks,
    sides,
    tie_hashes,
)
from graphsparse.operators.method import Array
from graphsparse.operators.scored import ScoreMethod, order_keys, positive_weights, run
from graphsparse.rng import K_NEIGHBORS, draw

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class KNeighborsMethod(ScoreMethod):
    """Options of :func:`k_neighbors`."""

    name: ClassVar[str] = "k_neighbors"
    own: ClassVar[str] = "k"
    k: int | None = None
    by: str = "random"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("by", self.by, ("random", "weight"))
        if self.k is not None:
            check_count("k", self.k)

    def scores(self, pool: Graph) -> Array:
        """Return minus the better rank of an edge at its ends, at its tail in a digraph."""
        rows = next(sides(pool))
        ties = tie_hashes(pool, self.tie_break, self.seed)
        found = -ranks(rows, self._keys(pool, rows), ties).astype(np.float64)
        return found if pool.directed else combine_ends(pool, [(rows, found)], "max")

    def _keys(self, pool: Graph, rows: Rows) -> Array:
        if self.by == "weight":
            weights = positive_weights(self.name, pool)
            return ~order_keys(weights)[rows.edge]
        codes = pool.arc_rows().astype(np.uint64) << np.uint64(32) | rows.other.astype(np.uint64)
        return draw(self.seed, codes, 0, K_NEIGHBORS)

    def rule(self, pool: Graph, scores: Array) -> Array:
        """Keep the edges that an end names among its first k."""
        mask: Array = -scores <= (self.k or 0)
        return mask


def k_neighbors(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    k: int | None = None,
    by: str = "random",
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep the edges that one of their ends names among its first k.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`; in a digraph tails choose.
    k : int
        Instead of a budget: edges that each node names, all where it has fewer.
    by : {"random", "weight"}
        In a random order, or the heaviest first.

    Returns
    -------
    same type as ``graph``
        Same nodes; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a budget or an option out of range, or by weight for one that is not positive.

    Notes
    -----
    O(m log d); no node loses its last edge once the budget covers the first choice of each.

    References
    ----------
    V. Sadhanala, Y.-X. Wang, R. J. Tibshirani, Graph sparsification approaches for Laplacian
    smoothing, AISTATS 2016.

    Examples
    --------
    >>> star = Graph.from_edges([(0, 1), (0, 2), (0, 3), (2, 3)])
    >>> k_neighbors(star, k=3).num_edges
    4
    """
    method = KNeighborsMethod(k=k, by=by, connected=connected, tie_break=tie_break, seed=seed)
    return run(method, graph, keep, num_edges)
