"""Uniform sample of edges of an exact size: the baseline that every sparsifier must beat."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeVar

from graphsparse.graph import Graph
from graphsparse.operators.method import Array, Method
from graphsparse.operators.sparsify import trim
from graphsparse.rng import RANDOM_EDGES, draw
from graphsparse.selection import edge_codes

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomEdgesMethod(Method):
    """Options of :func:`random_edges`."""

    name: ClassVar[str] = "random"
    tie_break: str = "hash"
    connected: bool = False
    seed: int = 0

    def keys(self, graph: Graph, pool: Graph) -> Array:
        """Return 64 random bits per edge, which depend on its ends alone."""
        return draw(self.seed, edge_codes(pool), 0, RANDOM_EDGES)


def random_edges(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
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
    method = RandomEdgesMethod(tie_break=tie_break, connected=connected, seed=seed)
    kept: T = trim(graph, keep, num_edges, method).graph
    return kept
