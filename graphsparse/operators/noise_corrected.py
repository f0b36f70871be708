"""The noise-corrected backbone: weights that exceed what the strengths of both ends explain."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeVar

import numpy as np

from graphsparse.graph import Graph
from graphsparse.operators.method import Array
from graphsparse.operators.scored import ScoreMethod, positive_weights, run

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoiseCorrectedMethod(ScoreMethod):
    """Options of :func:`noise_corrected`."""

    name: ClassVar[str] = "noise_corrected"
    own: ClassVar[str] = "delta"
    delta: float = 1.64

    def scores(self, pool: Graph) -> Array:
        """Return ``lift - delta * standard deviation``."""
        lift, deviation = lift_and_deviation(pool)
        return lift - self.delta * deviation

    def rule(self, pool: Graph, scores: Array) -> Array:
        """Keep lifts that lie delta standard deviations above 0."""
        mask: Array = scores > 0.0
        return mask


def lift_and_deviation(graph: Graph) -> tuple[Array, Array]:
    """Return the lift of each edge in (-1, 1) and its standard deviation.

    Raises
    ------
    ValueError
        If a weight is not positive, or all weights together are below 2.
    """
    w = positive_weights("noise_corrected", graph)
    (u, v), n = graph.edges(), graph.num_nodes
    out, into = np.bincount(u, w, n), np.bincount(v, w, n)
    if not graph.directed:
        out = into = out + into
    total = float(w.sum()) * (1.0 if graph.directed else 2.0)
    if len(w) and total < 2.0:
        raise ValueError(f"noise_corrected needs weights that add up to 2 or more, got {total}")
    a, b = out[u], into[v]
    p, q = a * b, (total - a) * (total - b)
    mean, factor = p / total**2, total / p
    x = factor * w
    lift = (x - 1.0) / (x + 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        count = (1.0 - mean) * (total - 1.0) * total**2 / q - 1.0
        posterior = np.where(q > 0, (mean * count + w) / (count + total), mean)
    slope = 1.0 / p - total * (a + b) / p**2
    spread = np.sqrt(total * posterior * np.maximum(1.0 - posterior, 0.0))
    deviation = spread * np.abs(2.0 * (factor + w * slope) / (x + 1.0) ** 2)
    return lift, deviation


def noise_corrected(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    delta: float = 1.64,
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep the edges whose weight is surely above what their ends' strengths let expect.

    Weights should be counts of something: doubling them all makes every edge surer.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`; in a digraph the tail's
        outgoing and the head's incoming strength count.  Without a budget the edges are kept whose
        lift lies ``delta`` standard deviations above 0.
    delta : float
        Standard deviations that are taken off the lift.

    Returns
    -------
    same type as ``graph``
        Same nodes; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a budget out of range, a weight that is not positive, or a total below 2.

    Notes
    -----
    O(m).  The prior of a weight is a Beta distribution with the moments of the hypergeometric.

    References
    ----------
    M. Coscia, F. Neffke, Network backboning with noisy data, ICDE 2017.

    Examples
    --------
    >>> edges = [(0, 1), (0, 2), (1, 2), (2, 3)]
    >>> graph = Graph.from_edges(edges, weights=[9.0, 1.0, 1.0, 9.0])
    >>> noise_corrected(graph).num_edges
    2
    """
    method = NoiseCorrectedMethod(delta=delta, connected=connected, tie_break=tie_break, seed=seed)
    return run(method, graph, keep, num_edges)
