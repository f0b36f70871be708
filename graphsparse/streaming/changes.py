"""From a batch of updates to the arcs whose weight differs afterwards."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.streaming.arc_pool import ArcPool
from graphsparse.streaming.batch import INSERT, EdgeBatch

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True)
class Changes:
    """Arcs with new weights, both directions of an undirected edge.

    Attributes
    ----------
    tail, head : array of int64
        Ends.
    weight : array of float
        New weights; 0 is removed.
    num_edges : int
        Edges, an undirected one counted once.
    ignored : int
        Updates of loops, and of edges that end as they were.
    """

    tail: Array
    head: Array
    weight: Array
    num_edges: int
    ignored: int


def net_changes(batch: EdgeBatch, pool: ArcPool, directed: bool) -> Changes:
    """Return what a batch changes in total; the batch is checked as a whole first.

    Raises
    ------
    IndexError
        If a node id is not below the number of nodes.
    ValueError
        If a weight is too large for the type of the pool.
    """
    n = len(pool.begin)
    for name, ends in (("u", batch.u), ("v", batch.v)):
        if len(ends) and int(ends.max()) >= n:
            at = int(np.argmax(ends >= n))
            raise IndexError(f"{name} must be below {n}, got {ends[at]} at update {at}")
    before: dict[tuple[int, int], float] = {}
    after: dict[tuple[int, int], float] = {}
    counts: dict[tuple[int, int], int] = {}
    columns = (batch.op.tolist(), batch.u.tolist(), batch.v.tolist(), batch.w.tolist())
    for op, u, v, w in zip(*columns, strict=True):
        pair = (u, v) if directed or u <= v else (v, u)
        if u == v:
            continue
        if pair not in before:
            before[pair] = after[pair] = pool.weight(*pair)
        counts[pair] = counts.get(pair, 0) + 1
        after[pair] = after[pair] + w if op == INSERT else w
    kind = pool.values.dtype.type
    for pair, w in after.items():
        if not w <= float(np.finfo(kind).max):
            raise ValueError(f"w must be finite in {kind.__name__}, got {w} on edge {pair}")
    pairs = {p: kind(w) for p, w in after.items() if kind(w) != kind(before[p])}
    ignored = len(batch) - sum(counts[pair] for pair in pairs)
    ends = np.array(list(pairs), np.int64).reshape(-1, 2)
    weight = np.array(list(pairs.values()), pool.values.dtype)
    tail, head = ends[:, 0], ends[:, 1]
    if not directed:
        tail, head = np.r_[tail, head], np.r_[head, tail]
        weight = np.r_[weight, weight]
    return Changes(tail, head, weight, len(pairs), ignored)


def apply_changes(pool: ArcPool, tail: Array, head: Array, weight: Array) -> Array:
    """Change the rows of ``tail`` in a pool; return them, ascending."""
    if len(tail) == 0:
        return np.zeros(0, np.int64)
    order = np.argsort(tail, kind="stable")
    rows, starts = np.unique(tail[order], return_index=True)
    for row, part in zip(rows, np.split(order, starts[1:]), strict=True):
        pool.set_row(int(row), head[part].astype(pool.indices.dtype), weight[part])
    return rows
