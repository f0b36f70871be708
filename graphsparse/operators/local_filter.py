"""Ranks of edges at their ends: every node speaks for its best edges."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.checks import check_choice
from graphsparse.convert import as_border
from graphsparse.graph import Graph
from graphsparse.operators.method import Array
from graphsparse.operators.scored import order_keys
from graphsparse.rng import tie_hash
from graphsparse.selection import TIE_BREAKS, candidates, edge_codes

MODES = ("log", "linear")
COMBINE = ("max", "min")


@dataclasses.dataclass(frozen=True)
class Rows:
    """The edges at each node, seen from it.

    Attributes
    ----------
    indptr : array of int64, shape (n + 1,)
        Rows of the nodes.
    edge : array of int64
        Number of the edge of each entry.
    other : array of int
        Its other end.
    """

    indptr: Array
    edge: Array
    other: Array


def sides(graph: Graph) -> Iterator[Rows]:
    """Yield the rows of an undirected graph; of a digraph those of the tails, then of the heads."""
    yield Rows(graph.indptr, graph.arc_edges(), graph.indices)
    if graph.directed:
        order = np.argsort(graph.indices, kind="stable")
        counts = np.bincount(graph.indices, minlength=graph.num_nodes)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        yield Rows(indptr, order, graph.arc_rows()[order])


def tie_places(graph: Graph, tie_break: str, seed: int) -> Array:
    """Return the place of every edge in the order of ties: (tie hash, number) or the number."""
    if tie_break == "index":
        return np.arange(graph.num_edges, dtype=np.uint64)
    return _places(np.argsort(tie_hashes(graph, tie_break, seed), kind="stable"))


def score_places(graph: Graph, scores: Array, tie_break: str, seed: int) -> Array:
    """Return the place of every edge in the order (score descending, tie, number)."""
    order = np.lexsort((tie_places(graph, tie_break, seed), ~order_keys(scores)))
    return _places(order)


def _places(order: Array) -> Array:
    places = np.empty(len(order), np.uint64)
    places[order] = np.arange(len(order), dtype=np.uint64)
    return places


def tie_hashes(graph: Graph, tie_break: str, seed: int) -> Array:
    """Return the hash by which each edge is drawn among equals; nothing for the edge numbers."""
    check_choice("tie_break", tie_break, TIE_BREAKS)
    if tie_break == "index":
        return np.empty(0, np.uint64)
    return tie_hash(seed, edge_codes(graph))


def ranks(rows: Rows, keys: Array, ties: Array) -> Array:
    """Return the rank of each entry in its row from 1, smaller (key, tie of its edge, edge) first.

    Parameters
    ----------
    rows : Rows
        ``k`` entries of ``m`` edges.
    keys : array of uint64, shape (k,)
        Per entry.
    ties : array of uint64, shape (m,) or (0,)
        Per edge.
    """
    found: Array = native.row_ranks(rows.indptr, keys, rows.edge, ties, requested_threads())
    return found


def rank_scores(rows: Rows, keys: Array, ties: Array, mode: str) -> Array:
    """Return ``1 - ln r / ln d`` or ``1 - (r - 1) / (d - 1)`` of every entry; 1 where d = 1."""
    r, count = ranks(rows, keys, ties), np.diff(rows.indptr)
    lost: Array
    if mode == "linear":
        lost = (r - 1.0) / np.repeat(np.maximum(count - 1, 1), count)
    else:
        logs = np.log(np.arange(1, int(count.max(initial=1)) + 1, dtype=np.float64))
        lost = logs[r - 1]
        lost /= np.repeat(np.where(count > 1, logs[count - 1], 1.0), count)
    return np.subtract(1.0, lost, out=lost)


def combine_ends(graph: Graph, views: list[tuple[Rows, Array]], how: str) -> Array:
    """Return the larger or smaller of the two values that an edge has at its ends."""
    pick = np.maximum if how == "max" else np.minimum
    if graph.directed:
        (_, first), (heads, values) = views
        second = np.empty(graph.num_edges)
        second[heads.edge] = values
        return pick(first, second)
    rows, values = views[0]
    upper = graph.arc_rows() < rows.other
    second = np.empty(graph.num_edges)
    second[rows.edge[~upper]] = values[~upper]
    return pick(values[upper], second)


def filter_scores(
    graph: Graph, scores: Array, mode: str, combine: str, tie_break: str, seed: int
) -> Array:
    """Return the local score of the edges of a simple graph."""
    check_choice("mode", mode, MODES)
    check_choice("combine", combine, COMBINE)
    keys, ties = ~order_keys(scores), tie_hashes(graph, tie_break, seed)
    views = [(rows, rank_scores(rows, keys[rows.edge], ties, mode)) for rows in sides(graph)]
    return combine_ends(graph, views, combine)


def local_filter(
    graph: Any,
    scores: Any,
    *,
    mode: str = "log",
    combine: str = "max",
    tie_break: str = "hash",
    seed: int = 0,
) -> Array:
    """Return scores by which every node keeps its best edges first.

    At a node of degree d the edge of rank r has ``1 - ln r / ln d``; an edge has the better of
    its two values.  The best edge of each node has exactly 1, so once a budget covers those (at
    most n) no node loses its last edge.

    Parameters
    ----------
    graph : Graph, PyG Data, edge_index, SciPy matrix, networkx graph, ...
        ``m`` edges, no parallel ones, no self-loops.
    scores : array of float, shape (m,)
        Larger is better.
    mode : {"log", "linear"}
        ``1 - ln r / ln d`` or ``1 - (r - 1) / (d - 1)``.
    combine : {"max", "min"}
        One end's word is enough, or both must agree.
    tie_break : {"hash", "index"}
        Order of equal scores.
    seed : int
        Used by ``tie_break="hash"``.

    Returns
    -------
    array of float64, shape (m,)

    Raises
    ------
    ValueError
        If a score is not finite, or the graph has parallel edges or self-loops.

    Notes
    -----
    O(m log m).

    References
    ----------
    M. Hamann et al., Structure-preserving sparsification methods for social networks, SNAM 2016,
    arXiv:1601.00286.

    Examples
    --------
    >>> path = Graph.from_edges([(0, 1), (1, 2), (1, 3)])
    >>> local_filter(path, [3.0, 2.0, 1.0]).tolist()
    [1.0, 1.0, 1.0]
    """
    whole = as_border(graph).graph
    if candidates(whole).candidate_of_edge is not None:
        raise ValueError("graph must have neither parallel edges nor self-loops; coalesce it first")
    given = np.asarray(scores, np.float64)
    if given.shape != (whole.num_edges,):
        raise ValueError(f"scores must have shape ({whole.num_edges},), got {given.shape}")
    if not np.isfinite(given).all():
        at = int(np.argmin(np.isfinite(given)))
        raise ValueError(f"scores must be finite, got {given[at]} at edge {at}")
    return filter_scores(whole, given, mode, combine, tie_break, seed)
