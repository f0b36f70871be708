"""Sampling by effective resistance (Spielman, Srivastava, SIAM J. Comput. 2011)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np

from graphsparse.backend import native
from graphsparse.checks import check_choice, check_count
from graphsparse.convert.scaling import check_scalable
from graphsparse.graph import Graph
from graphsparse.linalg.conductance import check_undirected, conductances
from graphsparse.linalg.resistance import edge_leverages
from graphsparse.linalg.tree import spanning_tree
from graphsparse.operators.method import Array, Choice, Sparsifier
from graphsparse.operators.sparsify import trim
from graphsparse.rng import tie_hash
from graphsparse.selection import Candidates

T = TypeVar("T")
RESISTANCES = ("auto", "exact", "jl")
Resistances = Literal["auto", "exact", "jl"]
_PHASE = 3  # of the walk counter: draws of this method


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResistanceMethod(Sparsifier):
    """Options of :func:`sample_by_resistance`."""

    name: ClassVar[str] = "er"
    resistances: Resistances = "auto"
    dim: int | None = None
    exact_count: bool = True
    reweight: bool = True
    connected: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("resistances", self.resistances, RESISTANCES)
        if self.dim is not None:
            check_count("dim", self.dim, low=1)

    def check_input(self, graph: Any) -> None:
        """Refuse types that cannot hold the new weights."""
        if self.reweight:
            check_scalable(graph)

    def candidates(self, graph: Graph) -> Candidates:
        """Return the pairs of an undirected graph."""
        check_undirected(graph, "graph")
        return super().candidates(graph)

    def choose(self, graph: Graph, pool: Graph, count: int, lap: Callable[[str], None]) -> Choice:
        """Draw the edges and give the inverse of their probabilities."""
        g = conductances(pool)
        forest = self._forest(g, count)
        leverages, used = edge_leverages(g, self.resistances, dim=self.dim, seed=self.seed)
        p, scale = inclusion_probabilities(leverages, count, forest)
        lap("score")
        draw = systematic_sample if self.exact_count else independent_sample
        mask = draw(p, count, self.seed)
        factors = np.divide(1.0, p, out=np.ones_like(p), where=mask) if self.reweight else None
        details = {"resistances": used, "scale": scale, "forest_edges": len(forest)}
        return Choice(mask, {**details, "drawn": int(mask.sum())}, factors)

    def _forest(self, g: Graph, count: int) -> Array:
        if not self.connected:
            return np.zeros(0, np.int64)
        forest = spanning_tree(g, kind="max_weight", seed=self.seed).edges
        if len(forest) > count:
            raise ValueError(
                f"connected=True needs at least the {len(forest)} edges of a spanning forest, "
                f"but the budget is {count} edges"
            )
        return forest


def sample_by_resistance(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    resistances: Resistances = "auto",
    dim: int | None = None,
    exact_count: bool = True,
    reweight: bool = True,
    connected: bool = False,
    seed: int = 0,
) -> T:
    """Draw edges with probability ``min(1, C w R)`` and divide their weights by it.

    ``w R`` is the probability that an edge lies in a random spanning tree: bridges are always
    kept, edges of dense parts seldom.  The Laplacian of the result has that of the graph as its
    expectation.  Meant for dense graphs; at few edges per node :func:`graphsparse.grass` is far
    better.

    Parameters
    ----------
    graph : Graph, PyG Data, SciPy matrix, torch sparse tensor, networkx graph
        Undirected; weights are conductances, positive.  ``m`` edges; parallel edges count once
        with their summed weight, self-loops are not counted and always kept.
    keep : float
        Fraction of the edges kept, in (0, 1]: exactly ``m - floor((1 - keep) * m + 1e-6)``.
    num_edges : int
        Edges kept, instead of ``keep``.
    resistances : {"auto", "exact", "jl"}
        How to find R, see :func:`graphsparse.effective_resistance`; ``"auto"`` is exact where
        that is cheap, else a random projection.
    dim : int, optional
        Projections of ``"jl"``; ``ceil(8 ln n)`` when left out.
    exact_count : bool
        Draw exactly the budget (systematic sampling, the probabilities are the same); with False
        each edge is drawn for itself, and the budget is the expected number.
    reweight : bool
        With False the weights stay as they are.
    connected : bool
        Keep a maximum-weight spanning forest with probability 1.
    seed : int
        Same seed, same edges, with any number of threads.

    Returns
    -------
    same type as ``graph``
        Same nodes; an unweighted graph becomes weighted.

    Raises
    ------
    ValueError
        For a directed graph, a weight that is not positive, or a budget out of range.
    TypeError
        For a type that cannot hold weights, unless ``reweight=False``.

    Notes
    -----
    ``n log n / eps^2`` edges keep all quadratic forms within ``1 +- eps``, with high probability.
    C is set so that the probabilities add up to the budget.

    References
    ----------
    D. Spielman, N. Srivastava, Graph sparsification by effective resistances, SIAM J. Comput. 40,
    2011, arXiv:0803.0929.

    Examples
    --------
    >>> clique = Graph.from_edges([(u, v) for u in range(6) for v in range(u)])
    >>> sample = sample_by_resistance(clique, num_edges=9, seed=5)
    >>> sample.num_edges, float(sample.edge_weights().sum().round(9))
    (9, 15.0)
    """
    method = ResistanceMethod(
        resistances=resistances,
        dim=dim,
        exact_count=exact_count,
        reweight=reweight,
        connected=connected,
        seed=seed,
    )
    kept: T = trim(graph, keep, num_edges, method).graph
    return kept


def inclusion_probabilities(
    leverages: Array, count: int, forest: Array
) -> tuple[Array, float | None]:
    """Return ``min(1, C leverage)`` with sum ``count``, 1 on the forest; and C (None: all are 1).

    Parameters
    ----------
    leverages : array of float64, shape (m,)
        Positive.
    count : int
        At least ``len(forest)``, at most ``m``.
    forest : array of int64
        Edges that are kept in any case.
    """
    p = np.ones_like(leverages)
    if count >= len(leverages):
        return p, None
    others = np.ones(len(leverages), bool)
    others[forest] = False
    left = count - len(forest)
    values = leverages[others]
    order = np.sort(values)[::-1]
    # The k largest saturate: C = (left - k) / (sum of the rest), for the first k that is enough.
    rest = np.cumsum(order[::-1])[::-1]
    k = np.arange(min(left + 1, len(order)))
    scales = (left - k) / rest[k]
    scale = float(scales[np.argmax(scales * order[k] <= 1.0)])
    p[others] = np.minimum(1.0, scale * values)
    return p, scale


def systematic_sample(p: Array, count: int, seed: int) -> Array:
    """Return a mask of exactly ``count`` items, item e with probability ``p_e``.

    Items in hash order lie end to end on a line of length ``count``; those that hold one of the
    points ``u, u + 1, ...`` are taken.
    """
    order = np.argsort(tie_hash(seed, np.arange(len(p), dtype=np.uint64)), kind="stable")
    ends = np.cumsum(p[order])
    ends[-1] = count
    hits = np.diff(np.ceil(np.concatenate(([0.0], ends)) - uniform(seed, 1)[0])).astype(np.int64)
    for at in np.flatnonzero(hits > 1):  # rounding let an item of length 1 hold two points
        free = np.flatnonzero(hits == 0)
        hits[free[np.argmin(np.abs(free - at))]] = 1
    mask = np.zeros(len(p), bool)
    mask[order[hits > 0]] = True
    return mask


def independent_sample(p: Array, count: int, seed: int) -> Array:
    """Return a mask that holds each item with its own probability."""
    drawn: Array = uniform(seed, len(p)) < p
    return drawn


def uniform(seed: int, count: int) -> Array:
    """Return one number in (0, 1) for each of the ids 0 .. count - 1."""
    words = native.phase_words(seed, np.arange(count, dtype=np.uint64), _PHASE)
    numbers: Array = (words + 0.5) / 2.0**32
    return numbers
