"""The heaviest edges: a threshold on weights, to an exact budget."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeVar

from graphsparse.graph import Graph
from graphsparse.operators.method import Array
from graphsparse.operators.scored import ScoreMethod, positive_weights, run

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeaviestMethod(ScoreMethod):
    """Options of :func:`heaviest`."""

    name: ClassVar[str] = "heaviest"
    own: ClassVar[str] = "threshold"
    threshold: float | None = None

    def scores(self, pool: Graph) -> Array:
        """Return the weights."""
        return positive_weights(self.name, pool)

    def rule(self, pool: Graph, scores: Array) -> Array:
        """Keep weights from the threshold on."""
        mask: Array = scores >= self.threshold
        return mask


def heaviest(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    threshold: float | None = None,
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep the edges of largest weight.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`; arcs of a digraph are
        ranked one by one.
    threshold : float
        Instead of a budget: keep weights of at least this.

    Returns
    -------
    same type as ``graph``
        Same nodes; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a budget out of range, or a weight that is not positive.

    Notes
    -----
    O(m).

    Examples
    --------
    >>> graph = Graph.from_edges([(0, 1), (1, 2), (2, 0)], weights=[1.0, 3.0, 2.0])
    >>> heaviest(graph, num_edges=1).edges()[0].tolist()
    [1]
    """
    method = HeaviestMethod(
        threshold=threshold, connected=connected, tie_break=tie_break, seed=seed
    )
    return run(method, graph, keep, num_edges)
