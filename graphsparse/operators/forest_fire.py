"""Forest fire: edges by how often random fires burn them."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeVar

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.checks import check_count
from graphsparse.graph import Graph
from graphsparse.operators.method import Array
from graphsparse.operators.scored import ScoreMethod, run
from graphsparse.operators.similarity import csr_arguments
from graphsparse.rng import FOREST_FIRE

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForestFireMethod(ScoreMethod):
    """Options of :func:`forest_fire`."""

    name: ClassVar[str] = "forest_fire"
    burn_probability: float = 0.6
    burnt_ratio: float = 5.0
    chunk: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.burn_probability <= 1.0:
            raise ValueError(f"burn_probability must be in (0, 1], got {self.burn_probability!r}")
        if not 0.0 < self.burnt_ratio < float("inf"):
            raise ValueError(f"burnt_ratio must be above 0, got {self.burnt_ratio!r}")
        check_count("chunk", self.chunk, low=1)

    def scores(self, pool: Graph) -> Array:
        """Return how often each edge burnt."""
        counts: Array = self.fires(pool)[0].astype(np.float64)
        return counts

    def fires(self, pool: Graph) -> tuple[Array, int]:
        """Return how often each edge burnt, and the number of fires."""
        nodes = np.flatnonzero(pool.degree).astype(np.int32)
        found: tuple[Array, int] = native.forest_fire(
            *csr_arguments(pool), nodes, pool.num_edges, self.seed, FOREST_FIRE,
            float(self.burn_probability), self.burnt_ratio * pool.num_edges, self.chunk,
            requested_threads(),
        )  # fmt: skip
        return found


def forest_fire(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    burn_probability: float = 0.6,
    burnt_ratio: float = 5.0,
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep the edges that random fires burn most often.

    A fire starts at a random node and spreads from each node it reaches to a geometric number of
    neighbours that it has not reached, ``p / (1 - p)`` on average.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`; fires follow the arcs of a
        digraph.
    burn_probability : float
        Probability p to burn one more edge of a node, in (0, 1].
    burnt_ratio : float
        Fires go on until this many times the number of edges have burnt.

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
    About ``burnt_ratio * m`` burnt edges, each with a look at its node's row.  The result does not
    depend on the number of threads.

    References
    ----------
    J. Leskovec, C. Faloutsos, Sampling from large graphs, KDD 2006; M. Hamann et al.,
    arXiv:1601.00286.

    Examples
    --------
    >>> graph = Graph.from_edges([(0, 1), (1, 2), (0, 2), (2, 3)])
    >>> forest_fire(graph, num_edges=2, seed=1).num_edges
    2
    """
    method = ForestFireMethod(
        burn_probability=burn_probability,
        burnt_ratio=burnt_ratio,
        connected=connected,
        tie_break=tie_break,
        seed=seed,
    )
    return run(method, graph, keep, num_edges)
