"""Node features from second-order random walks on a hypergraph and skip-gram vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.checks import check_count, check_seed
from graphsparse.graph import Hypergraph
from graphsparse.rng import HYPERGRAPH_WALKS, SKIP_GRAM, uniform

Array = np.ndarray[Any, np.dtype[Any]]
RATES = (0.025, 1e-4)  # of the skip-gram's first and last step
EXPONENT = 0.75  # of the negatives' frequencies
PAD = 16  # columns of a vector register


def hypergraph_walk_features(
    hypergraph: Hypergraph,
    dim: int = 44,
    *,
    walks: int = 10,
    length: int = 40,
    return_p: float = 2.0,
    in_out_q: float = 0.25,
    window: int = 10,
    negatives: int = 5,
    seed: int = 0,
) -> Array:
    """Return skip-gram vectors of the nodes on second-order walks.

    Parameters
    ----------
    hypergraph : Hypergraph
        ``N`` nodes.
    dim : int
        Columns.
    walks, length, return_p, in_out_q
        Of :func:`hypergraph_walks`.
    window : int
        Largest distance of two nodes of a pair; drawn anew for every place, as word2vec does.
    negatives : int
        Random nodes that a pair is told from, drawn by their frequency to the power 0.75.
    seed : int
        Of walks, start and negatives.

    Returns
    -------
    array of float32, shape (N, dim)
        Not standardised.

    Notes
    -----
    One pass over ``N * walks * length`` places on one thread; frequent nodes are not thinned out.

    References
    ----------
    M. Choe et al., WHATsNet, KDD 2023, arXiv:2306.03032.  T. Mikolov et al., Distributed
    representations of words and phrases, NeurIPS 2013.

    Examples
    --------
    >>> h = Hypergraph([0, 1, 2, 2, 3], [0, 0, 0, 1, 1])
    >>> hypergraph_walk_features(h, 8, walks=2, length=5).shape
    (4, 8)
    """
    check_count("dim", dim, low=1)
    check_count("window", window, low=1)
    check_count("negatives", negatives)
    paths = hypergraph_walks(
        hypergraph, walks, length, return_p=return_p, in_out_q=in_out_q, seed=seed
    )
    n, wide = hypergraph.num_nodes, -(-dim // PAD) * PAD
    start = np.zeros((n, wide), np.float32)
    items = np.arange(n * dim, dtype=np.uint64)
    start[:, :dim] = (uniform(seed, items, 1, HYPERGRAPH_WALKS) - 0.5).reshape(n, dim) / dim
    keep, alias = _alias_table(np.bincount(paths.ravel(), minlength=n) ** EXPONENT)
    output = np.zeros(n * wide, np.float32)
    native.skip_gram(
        paths.ravel(), length, keep, alias, window, negatives, *RATES, check_seed(seed),
        SKIP_GRAM, start.reshape(-1), output,
    )  # fmt: skip
    return np.ascontiguousarray(start[:, :dim])


def hypergraph_walks(
    hypergraph: Hypergraph,
    walks: int = 10,
    length: int = 40,
    *,
    return_p: float = 2.0,
    in_out_q: float = 0.25,
    seed: int = 0,
) -> Array:
    """Return second-order random walks from every node.

    Parameters
    ----------
    hypergraph : Hypergraph
        ``N`` nodes.
    walks, length : int
        Walks from each node, and their nodes.
    return_p, in_out_q : float
        Above 0; large values keep the walk from hyperedges of its last step, and near.
    seed : int
        Same seed, same walks with any number of threads.

    Returns
    -------
    array of int32, shape (N * walks, length)
        A node that shares no hyperedge with another one repeats itself.

    Notes
    -----
    From ``c``, come from ``t``, the weight of ``w`` is ``k deg(w)^-0.5`` times the sum of
    ``1 / |e|`` over common hyperedges of ``c`` and ``w``; ``k = 1 / q``, times ``1 / p`` if a
    hyperedge holds all three, times ``q`` if ``w`` is ``t`` or shares a hyperedge with it.
    Drawn by rejection: no table of pairs, which is what stops the published code at large data.

    Examples
    --------
    >>> hypergraph_walks(Hypergraph([0, 1], [0, 0]), walks=1, length=4).tolist()
    [[0, 1, 0, 1], [1, 0, 1, 0]]
    """
    check_count("walks", walks, low=1)
    check_count("length", length, low=1)
    for name, value in (("return_p", return_p), ("in_out_q", in_out_q)):
        if not 0.0 < value < float("inf"):
            raise ValueError(f"{name} must be above 0 and finite, got {value}")
    h = hypergraph
    (node_ptr, node_rows), (edge_ptr, edge_rows) = h.by_node, h.by_hyperedge
    edges = h.hyperedges[node_rows]
    order = np.lexsort((edges, np.repeat(np.arange(h.num_nodes), np.diff(node_ptr))))
    degree = np.diff(node_ptr)
    scale = np.where(degree > 0, np.maximum(degree, 1.0) ** -0.5, 0.0)
    out = np.empty((h.num_nodes * walks, length), np.int32)
    native.hypergraph_walks(
        node_ptr, np.ascontiguousarray(edges[order]), edge_ptr,
        np.ascontiguousarray(h.nodes[edge_rows]), scale, _largest_of_neighbours(h, scale),
        float(return_p), float(in_out_q), check_seed(seed), HYPERGRAPH_WALKS, walks,
        out.reshape(-1), requested_threads(),
    )  # fmt: skip
    return out


def _largest_of_neighbours(h: Hypergraph, scale: Array) -> Array:
    """Largest ``scale`` of the other nodes in a node's hyperedges, 0 where there is none."""
    best = np.zeros(h.num_hyperedges)
    np.maximum.at(best, h.hyperedges, scale[h.nodes])
    # The best of a hyperedge may be the node itself: then the best among the others counts.
    leaders = scale[h.nodes] == best[h.hyperedges]
    leader = np.full(h.num_hyperedges, -1, np.int64)
    leader[h.hyperedges[leaders]] = h.nodes[leaders]
    second = np.zeros(h.num_hyperedges)
    others = h.nodes != leader[h.hyperedges]
    np.maximum.at(second, h.hyperedges[others], scale[h.nodes[others]])
    seen = np.where(others, best[h.hyperedges], second[h.hyperedges])
    found = np.zeros(h.num_nodes)
    np.maximum.at(found, h.nodes, seen)
    return found


def _alias_table(weights: Array) -> tuple[Array, Array]:
    """Return (keep, alias): entry ``i`` is kept with chance ``keep[i] / 2^32``, else its alias."""
    n, total = len(weights), weights.sum()
    chance = weights * (n / total) if n else weights
    alias = np.arange(n, dtype=np.int32)
    small, large = (list(np.flatnonzero(part)) for part in (chance < 1.0, chance >= 1.0))
    while small and large:
        low, high = small.pop(), large[-1]
        alias[low] = high
        chance[high] -= 1.0 - chance[low]
        if chance[high] < 1.0:
            small.append(large.pop())
    chance[[*small, *large]] = 1.0
    return np.minimum(np.rint(chance * 2.0**32), 2.0**32 - 1).astype(np.uint32), alias
