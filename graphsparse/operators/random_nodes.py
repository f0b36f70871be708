"""Edges by random nodes: among the first nodes of a random order, or drawn through their ends."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeVar

import numpy as np

from graphsparse.checks import check_count, check_fraction
from graphsparse.graph import Graph
from graphsparse.operators.method import Array
from graphsparse.operators.random_edges import race
from graphsparse.operators.scored import ScoreMethod, run
from graphsparse.rng import RANDOM_NODE_EDGES, RANDOM_NODES, draw
from graphsparse.selection import edge_codes

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomNodesMethod(ScoreMethod):
    """Options of :func:`random_nodes`."""

    name: ClassVar[str] = "random_nodes"
    own: ClassVar[str] = "num_nodes"
    num_nodes: int | None = None

    def scores(self, pool: Graph) -> Array:
        """Return the smaller draw of the two ends."""
        bits = self._bits(pool)
        u, v = pool.edges()
        return np.minimum(bits[u], bits[v])

    def rule(self, pool: Graph, scores: Array) -> Array:
        """Keep the edges inside the ``num_nodes`` nodes of largest draw."""
        count = check_count("num_nodes", self.num_nodes or 0, high=pool.num_nodes)
        if count == 0:
            return np.zeros(len(scores), bool)
        least = np.sort(self._bits(pool))[pool.num_nodes - count]
        mask: Array = scores >= least
        return mask

    def _bits(self, pool: Graph) -> Array:
        return draw(self.seed, np.arange(pool.num_nodes, dtype=np.uint64), 0, RANDOM_NODES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomNodeEdgesMethod(ScoreMethod):
    """Options of :func:`random_node_edges`."""

    name: ClassVar[str] = "random_node_edges"
    undirected: ClassVar[bool] = True
    node_share: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fraction("node_share", self.node_share, zero=True)

    def scores(self, pool: Graph) -> Array:
        """Return minus the arrival times of a race with the odds of one pick."""
        (u, v), degree = pool.edges(), pool.degree
        share, used = self.node_share, max(int(np.count_nonzero(degree)), 1)
        rates = share / used * (1.0 / degree[u] + 1.0 / degree[v])
        rates += (1.0 - share) / max(pool.num_edges, 1)
        return race(self.seed, edge_codes(pool), RANDOM_NODE_EDGES, rates)


def random_nodes(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    num_nodes: int | None = None,
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep the edges inside a random set of nodes, as large as the budget allows.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`.
    num_nodes : int
        Instead of a budget: keep the edges inside that many random nodes.

    Returns
    -------
    same type as ``graph``
        All nodes; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a budget out of range.

    Notes
    -----
    O(n + m).

    Examples
    --------
    >>> graph = Graph.from_edges([(0, 1), (1, 2), (0, 2), (2, 3)])
    >>> random_nodes(graph, num_nodes=4).num_edges
    4
    """
    method = RandomNodesMethod(
        num_nodes=num_nodes, connected=connected, tie_break=tie_break, seed=seed
    )
    return run(method, graph, keep, num_edges)


def random_node_edges(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    node_share: float = 0.8,
    connected: bool = False,
    tie_break: str = "hash",
    seed: int = 0,
) -> T:
    """Keep edges drawn through a random node, mixed with edges drawn uniformly.

    A pick takes a random node and one of its edges with probability ``node_share``, else a random
    edge; picks go on without replacement.

    Parameters
    ----------
    graph, keep, num_edges, connected, tie_break, seed
        As in :func:`~graphsparse.operators.random_edges.random_edges`; undirected graphs only.
    node_share : float
        Share of picks that go through a node, in [0, 1].

    Returns
    -------
    same type as ``graph``
        Same nodes; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a budget or share out of range, or a directed graph.

    Notes
    -----
    O(m).

    References
    ----------
    J. Leskovec, C. Faloutsos, Sampling from large graphs, KDD 2006.

    Examples
    --------
    >>> graph = Graph.from_edges([(0, 1), (1, 2), (0, 2), (2, 3)])
    >>> random_node_edges(graph, num_edges=2, seed=1).num_edges
    2
    """
    method = RandomNodeEdgesMethod(
        node_share=node_share, connected=connected, tie_break=tie_break, seed=seed
    )
    return run(method, graph, keep, num_edges)
