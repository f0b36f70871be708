"""Degree resistance (DSpar): the cheap upper bound of an edge's effective resistance."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeVar

import numpy as np

from graphsparse.graph import Graph
from graphsparse.operators.method import Array
from graphsparse.operators.scored import ScoreMethod, positive_weights, run

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DegreeResistanceMethod(ScoreMethod):
    """Options of :func:`degree_resistance`."""

    name: ClassVar[str] = "degree_resistance"
    weighted: bool = False

    def scores(self, pool: Graph) -> Array:
        """Return ``w (1 / s_u + 1 / s_v)`` with degrees or strengths."""
        (u, v), n = pool.edges(), pool.num_nodes
        w = positive_weights(self.name, pool) if self.weighted else np.ones(pool.num_edges)
        out, into = np.bincount(u, w, n), np.bincount(v, w, n)
        if not pool.directed:
            out = into = out + into
        if self.weighted:
            return w * (1.0 / out[u] + 1.0 / into[v])
        scores: Array = (out[u] + into[v]) / (out[u] * into[v])
        return scores


def degree_resistance(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    weighted: bool = False,
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep the edges between nodes of low degree: ``1 / d_u + 1 / d_v`` is large.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`; in a digraph the tail's
        out-degree and the head's in-degree count.
    weighted : bool
        ``w (1 / s_u + 1 / s_v)`` with strengths.

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
    O(m).  :func:`~graphsparse.operators.resistance_sampling.sample_by_resistance` uses the
    effective resistance itself.

    References
    ----------
    Z. Liu et al., DSpar: an embarrassingly simple strategy for efficient GNN training and inference
    via degree-based sparsification, TMLR 2023.

    Examples
    --------
    >>> star = Graph.from_edges([(0, 1), (0, 2), (0, 3), (2, 3)])
    >>> u, v = degree_resistance(star, num_edges=1).edges()
    >>> int(u[0]), int(v[0])
    (0, 1)
    """
    method = DegreeResistanceMethod(
        weighted=weighted, connected=connected, tie_break=tie_break, seed=seed
    )
    return run(method, graph, keep, num_edges)
