"""What a sparsifier is: options, a budget, and a choice among the candidate edges."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from graphsparse.checks import check_choice, check_seed, edge_budget
from graphsparse.graph import Graph
from graphsparse.selection import TIE_BREAKS, Candidates, candidates, select

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a sparsifier decided about the candidate edges.

    Attributes
    ----------
    mask : array of bool, shape (m,)
        The edges to keep.
    details : dict
        What else there is to tell.
    factors : array of float64, shape (m,), optional
        What to multiply the weight of each kept edge by; None leaves weights as they are.
    """

    mask: Array
    details: dict[str, Any] = dataclasses.field(default_factory=dict)
    factors: Array | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sparsifier:
    """Options that every sparsifier has; subclasses add their own and the choice."""

    name: ClassVar[str]
    connected: bool
    seed: int

    def __post_init__(self) -> None:
        check_seed(self.seed)

    def check_input(self, graph: Any) -> None:
        """Refuse, before any work, a type of graph that the result cannot be given in."""

    def check_budget(self, keep: float | None, num_edges: int | None) -> None:
        """Check what can be checked of a budget before the graph is known."""
        edge_budget(keep, num_edges, sys.maxsize)

    def candidates(self, graph: Graph) -> Candidates:
        """Return the edges that may be removed."""
        return candidates(graph)

    def budget(self, pool: Graph, keep: float | None, num_edges: int | None) -> int | None:
        """Return how many edges of ``pool`` to keep; None if the method's own options decide."""
        return edge_budget(keep, num_edges, pool.num_edges)

    def choose(self, graph: Graph, pool: Graph, count: Any, lap: Callable[[str], None]) -> Choice:
        """Choose ``count < m`` of the edges of ``pool``; ``lap("score")`` ends the first phase.

        ``count`` is None only where :meth:`budget` was.
        """
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method(Sparsifier):
    """A sparsifier that gives each edge a key and keeps the largest."""

    tie_break: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("tie_break", self.tie_break, TIE_BREAKS)

    def keys(self, graph: Graph, pool: Graph) -> Array:
        """Return one uint64 key per edge of ``pool``; larger is kept first."""
        raise NotImplementedError

    def details(self, pool: Graph, keys: Array, mask: Array) -> dict[str, Any]:
        """Return what else there is to tell about a finished selection."""
        return {}

    def choose(self, graph: Graph, pool: Graph, count: Any, lap: Callable[[str], None]) -> Choice:
        """Keep the ``count`` edges of largest key."""
        keys = self.keys(graph, pool)
        lap("score")
        mask = select(
            pool,
            keys,
            count,
            tie_break=self.tie_break,
            seed=self.seed,
            connected=self.connected,
        )
        return Choice(mask, self.details(pool, keys, mask))
