"""The entries of a foreign object, and the simple graph that they describe."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.backend import native
from graphsparse.checks import check_count, check_ids, check_weights
from graphsparse.errors import GraphFormatError
from graphsparse.graph import Graph, build_csr

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True, eq=False)
class Entries:
    """Node pairs in the order of the object that they were read from.

    Parameters
    ----------
    row, col : array of int, shape (num_entries,)
        Ends of each entry.
    num_nodes : int
        ``n``; every id lies in ``[0, n)``.
    weights : array of float, shape (num_entries,), optional
        One finite weight per entry.
    directed : bool or None
        What the container says; None where only its entries can tell.
    pairs : bool
        Each entry is a whole undirected edge, rather than one of its two directions.
    name : str
        What messages call the entries.
    """

    row: Array
    col: Array
    num_nodes: int
    weights: Array | None = None
    directed: bool | None = None
    pairs: bool = False
    name: str = "edge_index"

    def __post_init__(self) -> None:
        row, col = check_ids(f"{self.name}[0]", self.row), check_ids(f"{self.name}[1]", self.col)
        if len(row) != len(col):
            raise GraphFormatError(
                f"{self.name} must give two ends for each entry, got {len(row)} and {len(col)}"
            )
        if row.dtype != col.dtype:
            row, col = row.astype(np.int64), col.astype(np.int64)
        n = check_count("num_nodes", self.num_nodes)
        bad = native.first_bad_id(row, col, n)
        if bad >= 0:
            raise GraphFormatError(
                f"{self.name} must hold node ids in [0, {n}), "
                f"got ({row[bad]}, {col[bad]}) at entry {bad}"
            )
        object.__setattr__(self, "row", row)
        object.__setattr__(self, "col", col)
        if self.weights is not None:
            weights = check_weights(f"weights of {self.name}", self.weights, len(row))
            object.__setattr__(self, "weights", weights)


@dataclasses.dataclass(frozen=True, eq=False)
class Simple:
    """A graph without parallel edges, and how the entries fall on it.

    Parameters
    ----------
    graph : Graph
        Weights of equal entries are summed.
    entry_edges : array of int64, shape (num_entries,)
        Edge number of each entry.
    num_merged : int
        Entries that are further copies of another one.
    """

    graph: Graph
    entry_edges: Array
    num_merged: int


def count_nodes(row: Array, col: Array) -> int:
    """Return the largest id + 1."""
    return max(int(row.max()), int(col.max()), -1) + 1 if len(row) else 0


def lossless_graph(entries: Entries, directed: bool | None) -> Graph:
    """Return the graph of all entries, parallel edges included; nothing is merged.

    Raises
    ------
    GraphFormatError
        If ``directed=False`` and some entry lacks its reverse or has another weight there.
    """
    directed = _directedness(entries, directed)
    if entries.pairs:
        return Graph.from_edges(
            (entries.row, entries.col), num_nodes=entries.num_nodes, weights=entries.weights
        )
    pattern, order = build_csr(entries.row, entries.col, entries.num_nodes, mirror=False)
    weights = None if entries.weights is None else entries.weights[order]
    graph = Graph._trusted(pattern.indptr, pattern.indices, weights, True)
    if directed:
        return graph
    if graph.is_symmetric():
        return Graph._trusted(graph.indptr, graph.indices, weights, False)
    if directed is None:
        return graph
    raise GraphFormatError(
        f"{entries.name} does not hold every edge in both directions with one weight, but "
        "directed=False was given; leave directed out and call .symmetrize() on the result"
    )


def simple_graph(entries: Entries, directed: bool | None) -> Simple:
    """Return the graph without parallel edges, and the edge that each entry belongs to.

    Parameters
    ----------
    entries : Entries
        ``M`` entries.
    directed : bool or None
        None: undirected exactly if every arc has its reverse with the same weight.

    Returns
    -------
    Simple
        With ``directed=False`` a pair has the mean of the weights of the directions there are.

    Notes
    -----
    O(n + M) time but for sorting inside rows.
    """
    directed = _directedness(entries, directed)
    if entries.pairs:
        graph, entry_edges = _pair_graph(
            entries.row, entries.col, entries.weights, entries.num_nodes, mean=False
        )
        return Simple(graph, entry_edges, len(entry_edges) - graph.num_edges)
    pattern, order = build_csr(entries.row, entries.col, entries.num_nodes, mirror=False)
    weights = None if entries.weights is None else entries.weights[order]
    arcs, arc_of = _merge_parallel(pattern, weights)
    if not directed and arcs.is_symmetric():
        graph = Graph._trusted(arcs.indptr, arcs.indices, arcs.weights, False)
        edge_of = graph.arc_edges()
    elif directed is False:
        graph, edge_of = _pair_graph(
            arcs.arc_rows(), arcs.indices, arcs.weights, arcs.num_nodes, mean=True
        )
    else:
        graph, edge_of = arcs, arcs.arc_edges()
    entry_edges = np.empty(len(order), np.int64)
    entry_edges[order] = edge_of if arc_of is None else edge_of[arc_of]
    return Simple(graph, entry_edges, len(order) - arcs.num_arcs)


def _directedness(entries: Entries, directed: bool | None) -> bool | None:
    if directed is not None and not isinstance(directed, bool | np.bool_):
        raise TypeError(f"directed must be True, False or None, got {directed!r}")
    if directed and entries.directed is False:
        raise ValueError(
            f"directed=True, but {entries.name} is undirected: it stores each edge once; "
            "make it a directed object first"
        )
    return entries.directed if directed is None else bool(directed)


def _merge_parallel(pattern: Graph, weights: Array | None) -> tuple[Graph, Array | None]:
    """Merge equal arcs, summing weights; also the merged arc of each arc (None: the same)."""
    if not pattern.has_parallel_edges:
        return Graph._trusted(pattern.indptr, pattern.indices, weights, True), None
    starts, run = _runs(pattern.arc_rows(), pattern.indices)
    merged = None if weights is None else _sum_runs(weights, starts, run)
    indptr = np.searchsorted(starts, pattern.indptr).astype(np.int64)
    return Graph._trusted(indptr, pattern.indices[starts], merged, True), run


def _pair_graph(
    row: Array, col: Array, weights: Array | None, num_nodes: int, *, mean: bool
) -> tuple[Graph, Array]:
    """Return the undirected graph of all pairs, and the edge number of each of them."""
    upper, order = build_csr(
        np.minimum(row, col), np.maximum(row, col), num_nodes, mirror=False
    )  # its runs are the edges u <= v in the order of their numbers
    low, high = upper.arc_rows(), upper.indices
    starts, run = _runs(low, high)
    merged = None
    if weights is not None:
        merged = _sum_runs(weights[order], starts, run)
        if mean:
            merged = (merged / np.bincount(run, minlength=len(starts))).astype(weights.dtype)
    graph = Graph.from_edges((low[starts], high[starts]), num_nodes=num_nodes, weights=merged)
    entry_edges = np.empty(len(order), np.int64)
    entry_edges[order] = run
    return graph, entry_edges


def _runs(row: Array, col: Array) -> tuple[Array, Array]:
    """Return the first position of each run of equal pairs, and the run of each position."""
    first = np.ones(len(row), np.bool_)
    first[1:] = (row[1:] != row[:-1]) | (col[1:] != col[:-1])
    return np.flatnonzero(first), np.cumsum(first) - 1


def _sum_runs(weights: Array, starts: Array, run: Array) -> Array:
    if len(starts) == 0:
        return weights
    # Ascending inside a run: u -> v and v -> u round alike, whatever their order was.
    ordered = weights[np.lexsort((weights, run))].astype(np.float64)
    return np.add.reduceat(ordered, starts).astype(weights.dtype)
