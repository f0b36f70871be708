"""Neighbour sampling in the native core: hops of arcs, the same on any number of threads."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.checks import check_choice, check_count, check_ids, check_seed, check_weights
from graphsparse.graph import Graph, build_csr

Array = np.ndarray[Any, np.dtype[Any]]
DIRECTIONS = ("in", "out", "both")
STRATEGIES = ("uniform", "last")
_NOTHING = np.zeros(0, np.int64)


@dataclasses.dataclass(frozen=True, eq=False)
class NeighborTable:
    """What a sampler draws from: the candidate arcs of every node, in compressed rows.

    Attributes
    ----------
    indptr : array of int64, shape (n + 1,)
        Row ``u`` holds the entries ``indptr[u]:indptr[u + 1]``.
    indices : array of int32 or int64
        Node at the far end of each entry.
    arcs : array of int64
        Number of the arc of each entry, as the caller counts arcs.
    backward : array of bool, or None
        Entries whose arc leaves the row's node; None: those of a table in one direction.
    outward : bool
        Of a table in one direction: whether its arcs leave the row's node.
    weights, times : array of float64 and of int64, or None
        Of each entry.  With times each row is in order of time.
    """

    indptr: Array
    indices: Array
    arcs: Array
    backward: Array | None
    outward: bool
    weights: Array | None
    times: Array | None

    @classmethod
    def from_graph(cls, graph: Graph, *, direction: str = "in") -> NeighborTable:
        """Return the table of a graph's stored arcs and their weights.

        Parameters
        ----------
        graph : Graph
            Arcs are numbered as they are stored: row by row.
        direction : {"in", "out", "both"}
            As in :meth:`from_arcs`.
        """
        source = graph.arc_rows()
        return cls.from_arcs(
            source, graph.indices, graph.num_nodes, direction=direction, weights=graph.weights
        )

    @classmethod
    def from_arcs(
        cls,
        source: Any,
        target: Any,
        num_nodes: int,
        *,
        direction: str = "in",
        weights: Any = None,
        times: Any = None,
    ) -> NeighborTable:
        """Return the table of arcs given by their ends.

        Parameters
        ----------
        source, target : array of int, shape (m,)
            Ends of each arc.
        num_nodes : int
            ``n``, below 2^31.
        direction : {"in", "out", "both"}
            A node draws from the arcs that enter it, that leave it, or from both together.
        weights : array of float, shape (m,), optional
            Not negative; arcs are drawn in proportion to them.
        times : array of int, shape (m,), optional
            Arcs later than the time of a tree are never drawn in it.
        """
        n = check_count("num_nodes", num_nodes, high=2**31 - 1)
        check_choice("direction", direction, DIRECTIONS)
        u, v = _ends(source, target, n)
        m = len(u)
        number = np.arange(m, dtype=np.int64)
        here, there = (u, v) if direction == "out" else (v, u)
        backward = None
        if direction == "both":
            here, there = np.concatenate((v, u)), np.concatenate((u, v))
            number = np.concatenate((number, number))
            backward = np.repeat([False, True], m)
        pattern, entry = build_csr(here, there, n, mirror=False)
        if times is not None:
            given = check_ids("times", times).astype(np.int64, copy=False)
            _check_size("times", given, m)
            rows = pattern.arc_rows()
            entry = entry[np.lexsort((given[number[entry]], rows))]
        arcs = number[entry]
        return cls(
            pattern.indptr,
            pattern.indices if times is None else there[entry].astype(pattern.indices.dtype),
            arcs,
            None if backward is None else backward[entry],
            direction == "out",
            None if weights is None else _checked_weights(weights, m)[arcs],
            None if times is None else given[arcs],
        )

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return len(self.indptr) - 1

    @cached_property
    def degree(self) -> Array:
        """Entries of each row, int64 of shape (n,)."""
        return np.diff(self.indptr)

    @cached_property
    def sums(self) -> Array:
        """Running sums of the weights in each row, float64; empty without weights."""
        if self.weights is None:
            return np.zeros(0)
        sums = np.empty(len(self.weights))
        native.row_sums(self.indptr, self.weights, sums)
        return sums


@dataclasses.dataclass(frozen=True, eq=False)
class NeighborSample:
    """A batch of nodes with the arcs that were drawn for them.

    Attributes
    ----------
    nodes : array of int64
        Seeds first, then the others in the order in which they were reached.
    trees : array of int64, or None
        Seed whose tree each node belongs to, where trees are disjoint.
    row, col : array of int64
        Source and target of each arc, as places in ``nodes``.
    entries, arcs : array of int64
        Entry of the table, and number of the arc, of each.
    nodes_of_hop : list of int
        Seeds, then the nodes that each hop reached first.
    arcs_of_hop : list of int
        Arcs of each hop; within a hop they are in the order of the nodes that drew them.
    """

    nodes: Array
    trees: Array | None
    row: Array
    col: Array
    entries: Array
    arcs: Array
    nodes_of_hop: list[int]
    arcs_of_hop: list[int]


def sample_neighbors(
    table: NeighborTable,
    seeds: Any,
    fanouts: Sequence[int],
    *,
    replace: bool = False,
    disjoint: bool = False,
    seed_times: Any = None,
    strategy: str = "uniform",
    seed: int = 0,
    batch: int = 0,
    threads: int | None = None,
) -> NeighborSample:
    """Draw arcs for some nodes, then for the nodes at their far ends, hop after hop.

    Parameters
    ----------
    table : NeighborTable
        What to draw from; its weights and times, if any, are used.
    seeds : array of int
        Nodes to begin with, distinct unless trees are disjoint.
    fanouts : sequence of int
        Arcs drawn for each node of each hop; -1 takes all.
    replace : bool
        An arc may be drawn more than once.
    disjoint : bool
        Every seed grows a tree of its own; always with ``seed_times``.
    seed_times : array of int, shape (seeds,), optional
        No arc of a tree is later than its seed's time; the table must have times.
    strategy : {"uniform", "last"}
        Draw among the arcs in time, or take the latest of them.
    seed, batch : int
        Each node of each batch has draws of its own: same seed and batch number, same sample.
    threads : int, optional
        Instead of those of :func:`graphsparse.set_num_threads`.

    Returns
    -------
    NeighborSample

    Notes
    -----
    O(arcs drawn) time; without replacement above 64 arcs of a node, or with weights, O(degree).
    """
    chosen = check_ids("seeds", seeds).astype(np.int64, copy=False)
    _check_nodes("seeds", chosen, table.num_nodes)
    bounds = _bounds(table, seed_times, len(chosen))
    disjoint = disjoint or table.times is not None
    check_choice("strategy", strategy, STRATEGIES)
    if strategy == "last" and table.times is None:
        raise ValueError("strategy must be 'uniform' for a table without times, got 'last'")
    fans = np.array([check_count("fanouts", fan, low=-1) for fan in fanouts], np.int64)
    if not disjoint and len(np.unique(chosen)) < len(chosen):
        raise ValueError(f"seeds must be distinct unless disjoint=True, got {len(chosen)} seeds "
                         f"of which {len(np.unique(chosen))} differ")  # fmt: skip
    nodes, trees, row, col, entries, hops, counts = native.sample_neighbors(
        table.indptr,
        table.indices,
        chosen,
        fans,
        table.sums,
        _NOTHING if table.times is None else table.times,
        bounds,
        disjoint,
        bool(replace),
        strategy == "last",
        check_seed(seed),
        check_count("batch", batch, high=2**32 - 1),
        requested_threads() if threads is None else threads,
    )
    row, col = _oriented(table, entries, row, col)
    return NeighborSample(
        nodes,
        trees if disjoint else None,
        row,
        col,
        entries,
        table.arcs[entries],
        hops.tolist(),
        counts.tolist(),
    )


def induced_sample(table: NeighborTable, nodes: Any) -> NeighborSample:
    """Return all arcs between some distinct nodes, as one hop.

    Parameters
    ----------
    table : NeighborTable
        In one direction.
    nodes : array of int
        Distinct.
    """
    if table.backward is not None:
        raise ValueError("table must have one direction for an induced sample, got 'both'")
    chosen = check_ids("nodes", nodes).astype(np.int64, copy=False)
    _check_nodes("nodes", chosen, table.num_nodes)
    row, col, entries = native.induced_arcs(table.indptr, table.indices, chosen)
    row, col = _oriented(table, entries, row, col)
    arcs = table.arcs[entries]
    return NeighborSample(chosen, None, row, col, entries, arcs, [len(chosen)], [len(arcs)])


def _oriented(table: NeighborTable, entries: Array, far: Array, near: Array) -> tuple[Array, Array]:
    """Source and target of arcs that were drawn at their near end."""
    if table.backward is None:
        return (near, far) if table.outward else (far, near)
    leaves = table.backward[entries]
    return np.where(leaves, near, far), np.where(leaves, far, near)


def _ends(source: Any, target: Any, n: int) -> tuple[Array, Array]:
    u, v = check_ids("source", source), check_ids("target", target)
    _check_size("target", v, len(u))
    for name, ids in (("source", u), ("target", v)):
        _check_nodes(name, ids, n)
    kind = np.result_type(u, v)
    return u.astype(kind, copy=False), v.astype(kind, copy=False)


def _check_size(name: str, values: Array, size: int) -> None:
    if len(values) != size:
        raise ValueError(f"{name} must have shape ({size},), got {values.shape}")


def _check_nodes(name: str, ids: Array, n: int) -> None:
    if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < n:
        bad = int(ids.min()) if int(ids.min()) < 0 else int(ids.max())
        raise ValueError(f"{name} must hold node ids in [0, {n}), got {bad}")


def _checked_weights(weights: Any, m: int) -> Array:
    checked = check_weights("weights", weights, m).astype(np.float64)
    if len(checked) and checked.min() < 0.0:
        raise ValueError(f"weights must not be negative to draw by them, got {checked.min()}")
    return checked


def _bounds(table: NeighborTable, seed_times: Any, count: int) -> Array:
    if (seed_times is None) != (table.times is None):
        given = "without" if seed_times is None else "with"
        raise ValueError(f"seed_times must be given for a table with times and no other, "
                         f"got a table {'with' if given == 'without' else 'without'} times "
                         f"{given} seed_times")  # fmt: skip
    if seed_times is None:
        return _NOTHING
    bounds = check_ids("seed_times", seed_times).astype(np.int64, copy=False)
    _check_size("seed_times", bounds, count)
    return bounds
