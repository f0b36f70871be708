"""Which incidences a batch of hyperedges needs: one hop per layer and the targets themselves."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.checks import check_count, check_ids
from graphsparse.graph import Hypergraph
from graphsparse.operators.groups import Groups
from graphsparse.rng import INCIDENCE_SAMPLING, draw

Array = np.ndarray[Any, np.dtype[Any]]
Index = tuple[Array, Array]  # (indptr, incidences) of the nodes or of the hyperedges


@dataclasses.dataclass(frozen=True, eq=False)
class Side:
    """Rows that one operator reads, as places in the rows before the layer, in groups.

    Attributes
    ----------
    rows : array of int64 or None
        Places; None means all of them in order.
    groups : Groups
        Of these rows.
    keep : array of int64 or None
        Places among ``rows`` whose results go on; None means all.
    """

    rows: Array | None
    groups: Groups
    keep: Array | None


@dataclasses.dataclass(frozen=True, eq=False)
class Hop:
    """What one layer does: two sides, and which of the rows before it remain after it."""

    edge: Side
    node: Side
    keep: Array | None


@dataclasses.dataclass(frozen=True, eq=False)
class IncidenceBatch:
    """Rows and groups of every layer for some target incidences.

    Attributes
    ----------
    rows : array of int64
        Incidences that the first layer reads.
    nodes, hyperedges : array of int64
        Their nodes and hyperedges, ids of the whole hypergraph.
    hops : tuple of Hop
        One per layer.
    targets : array of int64
        Incidences that remain after the last layer, ascending.
    """

    rows: Array
    nodes: Array
    hyperedges: Array
    hops: tuple[Hop, ...]
    targets: Array


def full_batch(hypergraph: Hypergraph, layers: int) -> IncidenceBatch:
    """Return the batch of all incidences: every layer computes every row."""
    hop = Hop(
        Side(None, Groups.by_hyperedge(hypergraph), None),
        Side(None, Groups.by_node(hypergraph), None),
        None,
    )
    everything = np.arange(hypergraph.num_incidences)
    return IncidenceBatch(
        everything, hypergraph.nodes, hypergraph.hyperedges, (hop,) * layers, everything
    )


def incidence_blocks(
    hypergraph: Hypergraph,
    hyperedges: Any,
    layers: int,
    *,
    fan_members: int = -1,
    fan_hyperedges: int = -1,
    seed: int = 0,
    step: int = 0,
) -> IncidenceBatch:
    """Collect what ``layers`` layers read to compute the incidences of some hyperedges.

    Parameters
    ----------
    hypergraph : Hypergraph
        The whole one.
    hyperedges : array of int
        Targets.
    layers : int
        Hops to go back.
    fan_members, fan_hyperedges : int
        Most members sampled of a hyperedge, most hyperedges of a node; -1 takes all, and the
        result then equals that of the whole hypergraph.  Rows wanted later are always in, so a
        group may be larger.
    seed, step : int
        Of the choice; a group is sampled anew in every step and hop.

    Returns
    -------
    IncidenceBatch
        ``targets`` are the incidences of ``hyperedges``, ascending.
    """
    check_count("layers", layers)
    check_count("fan_members", fan_members, low=-1)
    check_count("fan_hyperedges", fan_hyperedges, low=-1)
    chosen = check_ids("hyperedges", hyperedges).astype(np.int64, copy=False)
    if len(chosen) and not 0 <= chosen.min() <= chosen.max() < hypergraph.num_hyperedges:
        bad = chosen[(chosen < 0) | (chosen >= hypergraph.num_hyperedges)][0]
        raise ValueError(f"hyperedges must be in [0, {hypergraph.num_hyperedges}), got {bad}")
    h = hypergraph
    targets = np.sort(_rows_of(h.by_hyperedge, np.unique(chosen)))
    wanted, reversed_hops = targets, []
    for hop in range(layers):
        keys = (seed, step * layers + hop)
        touched_edges = np.unique(h.hyperedges[wanted])
        touched_nodes = np.unique(h.nodes[wanted])
        edge = np.union1d(wanted, _sampled(h.by_hyperedge, touched_edges, fan_members, *keys))
        node = np.union1d(wanted, _sampled(h.by_node, touched_nodes, fan_hyperedges, *keys))
        before = np.union1d(edge, node)
        reversed_hops.append(
            Hop(
                _side(edge, h.hyperedges, before, wanted),
                _side(node, h.nodes, before, wanted),
                np.searchsorted(before, wanted),
            )
        )
        wanted = before
    hops = tuple(reversed(reversed_hops))
    return IncidenceBatch(wanted, h.nodes[wanted], h.hyperedges[wanted], hops, targets)


def _side(rows: Array, ids: Array, before: Array, wanted: Array) -> Side:
    return Side(
        np.searchsorted(before, rows),
        Groups.from_ids(ids[rows]),
        np.searchsorted(rows, wanted),
    )


def _rows_of(index: Index, groups: Array) -> Array:
    indptr, order = index
    first, size = indptr[groups], indptr[groups + 1] - indptr[groups]
    offset = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    rows: Array = order[np.repeat(first, size) + offset]
    return rows


def _sampled(index: Index, groups: Array, fan: int, seed: int, step: int) -> Array:
    """All rows of the groups, or at most ``fan`` of each, uniformly without replacement."""
    rows = _rows_of(index, groups)
    if fan < 0:
        return rows
    size = index[0][groups + 1] - index[0][groups]
    group = np.repeat(np.arange(len(groups)), size)
    bits = draw(seed, rows.astype(np.uint64), step, INCIDENCE_SAMPLING)
    order = np.lexsort((bits, group))
    place = np.arange(len(rows)) - np.repeat(np.cumsum(size) - size, size)
    chosen: Array = rows[order[place < fan]]
    return chosen
