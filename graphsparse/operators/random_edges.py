"""Uniform sample of edges of an exact size: the baseline that every sparsifier must beat."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, TypeVar

import numpy as np

from graphsparse.graph import Graph
from graphsparse.operators.method import Array
from graphsparse.operators.scored import ScoreMethod, positive_weights, run
from graphsparse.rng import RANDOM_EDGES, draw, uniform
from graphsparse.selection import Candidates, candidates, edge_codes

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomEdgesMethod(ScoreMethod):
    """Options of :func:`random_edges`."""

    name: ClassVar[str] = "random"
    weighted: bool = False

    def candidates(self, graph: Graph) -> Candidates:
        """Return the edges; they may lie on the GPU."""
        return candidates(graph)

    def scores(self, pool: Graph) -> Array:
        """Return 64 random bits per edge, which depend on its ends alone."""
        codes = edge_codes(pool)
        if not self.weighted:
            return draw(self.seed, codes, 0, RANDOM_EDGES)
        pool.require_host("random with weighted=True")
        return race(self.seed, codes, RANDOM_EDGES, positive_weights(self.name, pool))

    def details(self, pool: Graph, keys: Array, mask: Array) -> dict[str, Any]:
        """Tell nothing: draws do not tie."""
        return {}


def race(seed: int, codes: Array, domain: int, rates: Array) -> Array:
    """Return minus the arrival times of a race: each next edge comes with odds of its rate."""
    times: Array = np.log(uniform(seed, codes, 0, domain) + 2.0**-54) / rates
    return times


def random_edges(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    weighted: bool = False,
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep a uniform random sample of edges, without replacement and of exact size.

    Undirected pairs are drawn as pairs.  (Drawing single directions, the usual baseline in GNN
    papers, leaves one-way edges behind and is weaker.)

    Parameters
    ----------
    graph : Graph, PyG Data, edge_index, SciPy matrix, networkx graph, ...
        ``m`` edges; parallel edges count once, self-loops are not counted and always kept.
    keep : float
        Fraction of the edges kept, in (0, 1]: exactly ``m - floor((1 - keep) * m + 1e-6)``.
    num_edges : int
        Edges kept, instead of ``keep``.
    weighted : bool
        Draw edges one after the other with odds of their weights, which must be positive.
    connected : bool
        Keep a random spanning forest in any case (undirected graphs only).
    tie_break : {"hash", "index"}
        Order of edges that draw the same 64 bits.
    seed : int
        Same seed, same edges: with any number of threads, and for smaller ``keep`` a subset.

    Returns
    -------
    same type as ``graph``
        Same nodes; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a budget out of range, or one too small for ``connected``.

    Notes
    -----
    O(m) time, 17 bytes of scratch memory per edge.

    Examples
    --------
    >>> triangle = Graph.from_edges([(0, 1), (1, 2), (2, 0)])
    >>> random_edges(triangle, keep=0.7, seed=3).num_edges
    3
    >>> random_edges(triangle, num_edges=2, seed=3).num_edges
    2
    """
    method = RandomEdgesMethod(
        weighted=weighted, tie_break=tie_break, connected=connected, seed=seed
    )
    return run(method, graph, keep, num_edges)
