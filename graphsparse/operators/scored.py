"""Sparsifiers that score every edge and keep the best: what the static family shares."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np

from graphsparse.checks import check_choice, edge_budget
from graphsparse.convert import as_border
from graphsparse.graph import Graph
from graphsparse.operators.method import Array, Choice, Method
from graphsparse.operators.protect import best_first
from graphsparse.operators.sparsify import make_method, trim
from graphsparse.selection import Candidates

T = TypeVar("T")
_TOP_BIT = np.uint64(1 << 63)
_MANY_TIES = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoreMethod(Method):
    """Options of a method with one score per edge; larger is kept first.

    ``own`` names the option that says how much to keep in the method's own terms, if it has one:
    then every edge is kept that the published rule keeps, instead of a budget.  ``protect="top1"``
    takes the best edge of each node away last.
    """

    own: ClassVar[str] = ""
    undirected: ClassVar[bool] = False
    tie_break: str = "hash"
    connected: bool = False
    protect: str = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("protect", self.protect, ("none", "top1"))

    def scores(self, pool: Graph) -> Array:
        """Return float64 or uint64 scores of the edges of ``pool``."""
        raise NotImplementedError

    def rule(self, pool: Graph, scores: Array) -> Array:
        """Return the mask of the edges that the method's own parameter keeps."""
        raise NotImplementedError

    def keys(self, graph: Graph, pool: Graph) -> Array:
        """Return the scores as uint64 that order alike."""
        keys = order_keys(self.scores(pool))
        if self.protect == "none":
            return keys
        graph.require_host(f"{self.name} with protect={self.protect!r}")
        return best_first(pool, keys, self.tie_break, self.seed)

    def candidates(self, graph: Graph) -> Candidates:
        """Return the edges; methods for undirected graphs refuse others."""
        graph.require_host(self.name)
        if self.undirected and graph.directed:
            raise ValueError(
                f"{self.name} needs an undirected graph, got a directed one; symmetrize it first"
            )
        return super().candidates(graph)

    def _own_value(self) -> Any:
        return getattr(self, self.own) if self.own else None

    def check_budget(self, keep: float | None, num_edges: int | None) -> None:
        """Check that there is one budget, or the method's own parameter instead."""
        if not self.by_rule(keep, num_edges):
            super().check_budget(keep, num_edges)

    def by_rule(self, keep: float | str | None, num_edges: int | None) -> bool:
        """Tell whether the own parameter decides; it cannot be given beside a budget."""
        default = next((f.default for f in dataclasses.fields(self) if f.name == self.own), None)
        value = self._own_value()
        if keep is None and num_edges is None:
            return value is not None
        if value is not None and default is None:
            raise ValueError(
                f"give exactly one of keep, num_edges and {self.own}, "
                f"got {keep=}, {num_edges=}, {self.own}={value!r}"
            )
        return False

    def budget(self, pool: Graph, keep: float | None, num_edges: int | None) -> int | None:
        """Return how many edges to keep; None where the own parameter decides."""
        if self.by_rule(keep, num_edges):
            return None
        return edge_budget(keep, num_edges, pool.num_edges)

    def choose(
        self, graph: Graph, pool: Graph, count: int | None, lap: Callable[[str], None]
    ) -> Choice:
        """Keep the ``count`` best edges, or those of the own rule."""
        if count is not None:
            return super().choose(graph, pool, count, lap)
        for option, plain in (("connected", False), ("protect", "none")):
            value = getattr(self, option)
            if value != plain:
                raise ValueError(f"{option}={value} needs keep or num_edges, got {self.own} alone")
        mask = self.rule(pool, self.scores(pool))
        lap("score")
        return Choice(mask)

    def details(self, pool: Graph, keys: Array, mask: Array) -> dict[str, Any]:
        """Tell how many edges share the score at which the budget cuts."""
        if not mask.any() or mask.all():
            return {}
        tied = int(np.count_nonzero(keys == keys[mask].min()))
        found: dict[str, Any] = {"tied_at_cut": tied}
        if tied > _MANY_TIES * len(keys):
            found["note"] = (
                f"scores carry little information: {tied} of {len(keys)} edges tie at the cut"
            )
        return found


def order_keys(scores: Array) -> Array:
    """Return uint64 keys in the order of the scores."""
    if scores.dtype == np.uint64:
        return scores
    bits = (np.ascontiguousarray(scores, np.float64) + 0.0).view(np.uint64)
    keys: Array = np.where(bits & _TOP_BIT, ~bits, bits | _TOP_BIT)
    return keys


def run(method: ScoreMethod, graph: T, keep: float | None, num_edges: int | None) -> T:
    """Return the graph that a method keeps, of the type given."""
    kept: T = trim(graph, keep, num_edges, method).graph
    return kept


def scores_of(method: ScoreMethod, graph: Any) -> Array:
    """Return the scores of a graph of any type, in the order of its converted graph's edges.

    Self-loops, which are never removed, have the largest value there is.
    """
    chosen = method.candidates(as_border(graph).graph)
    scores = method.scores(chosen.graph)
    if chosen.candidate_of_edge is None:
        return scores
    most = np.iinfo(np.uint64).max if scores.dtype == np.uint64 else np.inf
    spread: Array = np.append(scores, np.array(most, scores.dtype))[chosen.candidate_of_edge]
    return spread


def edge_scores(graph: Any, method: str, **options: Any) -> Array:
    """Return the score that a method of the static family gives to every edge.

    Parameters
    ----------
    graph : Graph, PyG Data, edge_index, SciPy matrix, networkx graph, ...
        ``m`` edges.
    method : str
        Such as "jaccard"; see ``graphsparse sparsify --help``.
    **options
        Options of the method.

    Returns
    -------
    array of float64 or uint64, shape (m,)
        Larger is kept first; in the order of ``graph.edges()``, for other types in that of their
        converted graph.  Self-loops, which are never removed, have the largest value there is.

    Raises
    ------
    ValueError
        If the method has no scores, as "er" and "grass".

    Examples
    --------
    >>> edge_scores(Graph.from_edges([(0, 1), (1, 2), (0, 2)]), "scan").tolist()
    [1.0, 1.0, 1.0]
    """
    made = make_method(method, options)
    if not isinstance(made, ScoreMethod):
        raise ValueError(f"method must be one of the static family, got {method!r}")
    return scores_of(made, graph)


def positive_weights(name: str, graph: Graph) -> Array:
    """Return the weight of every edge as float64, ones where there are none.

    Raises
    ------
    ValueError
        If a weight is not positive and finite.
    """
    weights = graph.edge_weights()
    if weights is None:
        return np.ones(graph.num_edges)
    w = weights.astype(np.float64)
    good = (w > 0) & (w < np.inf)
    if not good.all():
        at = int(np.argmin(good))
        u, v = (int(ends[at]) for ends in graph.edges())
        raise ValueError(f"{name} needs weights > 0, got {w[at]} on the edge ({u}, {v})")
    return w
