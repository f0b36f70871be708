"""A graph and what is left of it, as the figures of a report see them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.graph import Graph
from graphsparse.rng import REPORT, draw
from graphsparse.selection import candidates, edge_codes

Array = np.ndarray[Any, np.dtype[Any]]
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Task:
    """What a linear probe classifies: features, labels and which nodes to use.

    Attributes
    ----------
    features : array of float, shape (n, f)
    labels : array of int, shape (n,)
    train, val, test : array of int
        Node ids.
    test_on : {"sparse", "full"}
        Graph on which a probe that was fitted on the sparse graph is tested.
    """

    features: Array
    labels: Array
    train: Array
    val: Array
    test: Array
    test_on: str = "sparse"


@dataclasses.dataclass(frozen=True)
class Figure:
    """One number of a report.

    Attributes
    ----------
    value : float
        In [0, 1]; 1 is as good as the full graph.
    error : float
        Standard error of sampling; 0 where nothing was sampled.
    samples : int
        Sources, pairs or vectors; 0 where nothing was sampled.
    raw : dict
        The numbers behind it.
    parts : array, optional
        Per-sample values, the same samples for every sparse graph of one n and seed.
    """

    value: float
    error: float = 0.0
    samples: int = 0
    raw: dict[str, Any] = dataclasses.field(default_factory=dict)
    parts: Array | None = None


class Pair:
    """Two simple graphs over the same nodes, and the samples that all figures share.

    Parameters
    ----------
    graph, sparse : Graph
        Parallel edges are merged by sum and self-loops left out.
    samples : int
        Sources of distances, and half of the pairs of resistances.
    seed : int
        Samples depend on it and on the number of nodes alone.
    task : Task, optional
        For the linear probe.
    full : Pair, optional
        The same graph with itself, samples and seed: what was found for it is not found again.
    """

    def __init__(
        self,
        graph: Graph,
        sparse: Graph,
        samples: int,
        seed: int,
        task: Task | None = None,
        *,
        full: Pair | None = None,
    ) -> None:
        self._full = full
        self._known: dict[str, Any] = {} if full is None else full._known
        self.g: Graph = candidates(graph).graph if full is None else full.g
        self.h = self.g if sparse is graph else candidates(sparse).graph
        self.n, self.samples, self.seed, self.task = graph.num_nodes, samples, seed, task

    def of_full(self, name: str, find: Callable[[], T]) -> T:
        """Return what depends on the full graph and the samples alone, found once."""
        if name not in self._known:
            self._known[name] = find()
        found: T = self._known[name]
        return found

    @cached_property
    def undirected(self) -> tuple[Graph, Graph]:
        """Both graphs without directions; weights of opposite arcs add up."""
        first = _symmetric(self.g) if self._full is None else self._full.undirected[0]
        return first, first if self.h is self.g else _symmetric(self.h)

    @cached_property
    def sources(self) -> Array:
        """Node ids of the sources, int32: those of least draw."""
        bits = draw(self.seed, np.arange(self.n, dtype=np.uint64), 0, REPORT)
        return np.argsort(bits, kind="stable")[: self.samples].astype(np.int32)

    @cached_property
    def hops(self) -> tuple[Array, Array]:
        """Distances from the sources in both graphs, int32 of shape (S, n); -1: no way."""
        if self._full is None:
            first = hop_distances(self.g, self.sources)
        else:
            first = self._full.hops[0]
        return first, first if self.h is self.g else hop_distances(self.h, self.sources)

    def random_pairs(self, count: int) -> Array:
        """Return pairs of different nodes, shape (count, 2)."""
        steps = np.arange(count, dtype=np.uint64)
        first = draw(self.seed, steps, 1, REPORT)
        second: Array = native.draw_b(self.seed, steps, 1, REPORT, requested_threads())
        u, v = _below(first, self.n), _below(second, self.n - 1)
        return np.stack([u, v + (v >= u)], axis=1)

    def random_edges(self, graph: Graph, count: int) -> Array:
        """Return ends of random edges, those of least draw, shape (count, 2)."""
        bits = draw(self.seed, edge_codes(graph), 2, REPORT)
        chosen = np.argsort(bits, kind="stable")[:count]
        u, v = graph.edges()
        return np.stack([u[chosen], v[chosen]], axis=1).astype(np.int64)


def hop_distances(graph: Graph, sources: Array) -> Array:
    """Return the hops from each source to every node along the arcs, -1 where there is no way."""
    flat: Array = native.hop_distances(
        graph.indptr, graph.indices.astype(np.int32, copy=False), sources, requested_threads()
    )
    return flat.reshape(len(sources), graph.num_nodes)


def weights_of(graph: Graph) -> Array:
    """Return the weight of every arc, ones where there are none."""
    if graph.weights is None:
        return np.ones(graph.num_arcs)
    return graph.weights.astype(np.float64)


def _below(bits: Array, count: int) -> Array:
    """Return ``floor(bits * count / 2^64)``, int64, for counts below 2^32."""
    high, low = bits >> np.uint64(32), bits & np.uint64(0xFFFFFFFF)
    k = np.uint64(count)
    scaled: Array = (high * k + ((low * k) >> np.uint64(32))) >> np.uint64(32)
    return scaled.astype(np.int64)


def _symmetric(graph: Graph) -> Graph:
    if not graph.directed:
        return graph
    return candidates(graph, undirected=True).graph
