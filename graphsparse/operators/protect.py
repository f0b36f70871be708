"""Edges that go last: the best one of each node."""

from __future__ import annotations

import numpy as np

from graphsparse.device import array_module, kernels
from graphsparse.graph import Graph
from graphsparse.operators.method import Array
from graphsparse.rng import tie_hash
from graphsparse.selection import edge_codes


def best_edges(pool: Graph, keys: Array, tie_break: str, seed: int) -> Array:
    """Return the mask of the edges that are the best of one of their ends.

    Parameters
    ----------
    pool : Graph
        ``m`` edges.
    keys : array of uint64, shape (m,)
        Larger is better.
    tie_break : {"hash", "index"}
        Which of equal edges is the best.
    seed : int
        Of the hash.
    """
    ties = array_module(keys).zeros(0, np.uint64)
    if tie_break == "hash":
        ties = tie_hash(seed, edge_codes(pool))
    u, v = (ends.astype(np.int64) for ends in pool.edges())
    best: Array = kernels(keys).best_edges(u, v, keys, ties, pool.num_nodes)
    return best


def best_first(pool: Graph, keys: Array, tie_break: str, seed: int) -> Array:
    """Return keys by which the best edge of each node stands before all others.

    Equal keys stay equal.  O(m log m).
    """
    places = np.unique(keys, return_inverse=True)[1].astype(np.uint64)
    best = best_edges(pool, keys, tie_break, seed)
    first: Array = places | (best.astype(np.uint64) << np.uint64(63))
    return first
