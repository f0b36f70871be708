"""The disparity filter: weights that are large for one of their ends."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar, TypeVar

import numpy as np

from graphsparse.graph import Graph
from graphsparse.operators.method import Array
from graphsparse.operators.scored import ScoreMethod, positive_weights, run

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DisparityMethod(ScoreMethod):
    """Options of :func:`disparity`."""

    name: ClassVar[str] = "disparity"
    own: ClassVar[str] = "alpha"
    alpha: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alpha is not None and not 0.0 < self.alpha <= 1.0:
            raise ValueError(f"alpha must be in (0, 1], got {self.alpha!r}")

    def scores(self, pool: Graph) -> Array:
        """Return ``-ln alpha`` of each edge, of the end that finds it less likely."""
        w = positive_weights(self.name, pool)
        (u, v), n = pool.edges(), pool.num_nodes
        out, into = np.bincount(u, w, n), np.bincount(v, w, n)
        count_out, count_in = np.bincount(u, minlength=n), np.bincount(v, minlength=n)
        if not pool.directed:
            out = into = out + into
            count_out = count_in = count_out + count_in
        return np.maximum(_surprise(w, out[u], count_out[u]), _surprise(w, into[v], count_in[v]))

    def rule(self, pool: Graph, scores: Array) -> Array:
        """Keep edges that are less likely than alpha."""
        mask: Array = scores > -math.log(self.alpha or 1.0)
        return mask


def _surprise(w: Array, strength: Array, degree: Array) -> Array:
    """Return ``-(k - 1) log(1 - w / s)``; 0 where the edge is the only one."""
    share = np.where(degree > 1, w / strength, 0.0)
    with np.errstate(divide="ignore"):  # a weight that rounds to all of the strength: inf
        surprise: Array = -(degree - 1.0) * np.log1p(-share)
    return np.where(degree > 1, surprise, 0.0)


def disparity(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    alpha: float | None = None,
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep the edges that carry an unexpectedly large share of an end's weight.

    At a node of degree k and strength s an edge of weight w has ``alpha = (1 - w / s)^(k - 1)``;
    the smaller of the two counts.  Scores are ``-ln alpha``, so that the strongest do not tie.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`; in a digraph the tail
        looks at its outgoing and the head at its incoming weights.
    alpha : float
        Instead of a budget: keep edges of smaller alpha.

    Returns
    -------
    same type as ``graph``
        Same nodes; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a budget or alpha out of range, or a weight that is not positive.

    Notes
    -----
    O(m).  An edge that is the only one of both its ends has alpha = 1.

    References
    ----------
    M. A. Serrano, M. Boguna, A. Vespignani, Extracting the multiscale backbone of complex weighted
    networks, PNAS 2009.

    Examples
    --------
    >>> graph = Graph.from_edges([(0, 1), (0, 2), (0, 3)], weights=[8.0, 1.0, 1.0])
    >>> disparity(graph, alpha=0.05).num_edges
    1
    """
    method = DisparityMethod(alpha=alpha, connected=connected, tie_break=tie_break, seed=seed)
    return run(method, graph, keep, num_edges)
