"""Graphs that are made: grid, Delaunay mesh, planted partition, power law, stream, hypergraph.

All randomness is Philox, and all choices but two are integer arithmetic, so a seed names one graph
on every machine.  The two: the mesh depends on SciPy's Qhull, and ``power_law`` on ``pow``, whose
last bit may differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphsparse.checks import check_count, check_fraction, check_seed
from graphsparse.graph import Graph, Hypergraph, build_csr
from graphsparse.rng import DATASETS, draw, uniform

Array = np.ndarray[Any, np.dtype[Any]]
Pairs = tuple[Array, Array]
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def grid(rows: int, columns: int) -> Graph:
    """Return the grid graph: node ``r * columns + c`` is joined to its right and lower neighbour.

    Examples
    --------
    >>> grid(2, 3).num_edges
    7
    """
    r, c = check_count("rows", rows), check_count("columns", columns)
    ids = np.arange(r * c, dtype=np.int64).reshape(r, c)
    u = np.concatenate((ids[:, :-1].ravel(), ids[:-1].ravel()))
    v = np.concatenate((ids[:, 1:].ravel(), ids[1:].ravel()))
    return Graph.from_edges((u, v), num_nodes=r * c)


def delaunay_mesh(num_nodes: int, *, seed: int = 0) -> tuple[Graph, Array]:
    """Return the Delaunay triangulation of uniform points in the unit square.

    Parameters
    ----------
    num_nodes : int
        ``n >= 3`` points.
    seed : int
        Same seed, same points.

    Returns
    -------
    (Graph, array of float64, shape (n, 2))
        About ``3 n`` edges, and the points.
    """
    from scipy.spatial import Delaunay

    n = check_count("num_nodes", num_nodes, low=3)
    points = uniform(seed, np.arange(2 * n, dtype=np.uint64), 0, DATASETS).reshape(n, 2)
    corners = Delaunay(points).simplices.astype(np.int64)
    sides = np.concatenate((corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]))
    low, high = sides.min(axis=1), sides.max(axis=1)
    return Graph.from_edges((low, high), num_nodes=n).coalesce(), points


def planted_partition(
    num_nodes: int,
    num_blocks: int,
    *,
    mean_degree: float = 10.0,
    homophily: float = 0.8,
    seed: int = 0,
) -> tuple[Graph, Array]:
    """Return a graph of equal blocks with an exact number of edges inside and between them.

    Parameters
    ----------
    num_nodes, num_blocks : int
        Node ``u`` belongs to block ``u % num_blocks``.
    mean_degree : float
        The graph has ``round(mean_degree * n / 2)`` edges.
    homophily : float
        Fraction of the edges inside blocks, in (0, 1].
    seed : int
        Same seed, same graph.

    Returns
    -------
    (Graph, array of int64, shape (n,))
        No loops, no parallel edges; the block of each node.

    Raises
    ------
    ValueError
        If there are fewer pairs than edges asked for.
    """
    n = check_count("num_nodes", num_nodes, low=2, high=2**31 - 1)
    k = check_count("num_blocks", num_blocks, low=1, high=n)
    m = round(mean_degree * n / 2)
    inside = round(check_fraction("homophily", homophily) * m)
    blocks = np.arange(n, dtype=np.int64) % k

    def propose(items: Array, step: int) -> Pairs:
        return _below(seed, items, 2 * step, n), _below(seed, items, 2 * step + 1, n)

    def propose_inside(items: Array, step: int) -> Pairs:
        u, other = propose(items, step)
        v = other - other % k + u % k  # same block: the block sizes differ by one at most
        return u, np.where(v < n, v, v - k)

    def propose_between(items: Array, step: int) -> Pairs:
        u, v = propose(items, step)
        across = u % k != v % k
        return u[across], v[across]

    sizes = np.bincount(blocks, minlength=k)
    within = int((sizes * (sizes - 1) // 2).sum())
    first = distinct_pairs(propose_inside, inside, n, possible=within)
    shifted = lambda items, step: propose_between(items, step + 2**20)  # noqa: E731
    second = distinct_pairs(shifted, m - inside, n, possible=n * (n - 1) // 2 - within)
    u, v = (np.concatenate(ends) for ends in zip(first, second, strict=True))
    return Graph.from_edges((u, v), num_nodes=n), blocks


def power_law(num_nodes: int, num_edges: int, *, exponent: float = 2.5, seed: int = 0) -> Graph:
    """Return a Chung-Lu graph: a node of rank ``r`` is an end with weight ``r^(-1/(exponent-1))``.

    Parameters
    ----------
    num_nodes, num_edges : int
        Exactly ``m`` distinct pairs without loops.  Ranks are shuffled over the node ids.
    exponent : float
        Of the degree distribution, above 2.
    seed : int
        Same seed, same graph.

    Notes
    -----
    O(n log n + m log n) time: about one second per million edges.
    """
    n = check_count("num_nodes", num_nodes, low=2, high=2**31 - 1)
    m = check_count("num_edges", num_edges)
    if not exponent > 2:
        raise ValueError(f"exponent must be above 2, got {exponent!r}")
    share = np.cumsum(np.arange(1, n + 1, dtype=np.float64) ** (-1.0 / (exponent - 1.0)))
    share /= share[-1]
    node_of_rank = _shuffled(n, seed, 2**31)

    def propose(items: Array, step: int) -> Pairs:
        ends = (uniform(seed, items, 2 * step + side, DATASETS) for side in (0, 1))
        u, v = (node_of_rank[np.searchsorted(share, x, side="right")] for x in ends)
        return u, v

    u, v = distinct_pairs(propose, m, n, possible=n * (n - 1) // 2)
    return Graph.from_edges((u, v), num_nodes=n)


def local_stream(
    graph: Graph,
    num_inserts: int,
    num_deletes: int,
    *,
    num_batches: int = 10,
    num_hops: int = 10,
    sparsifier: Graph | None = None,
    seed: int = 0,
) -> dict[str, Array]:
    """Return edge updates whose new edges are local: the far end is a random walk away.

    Parameters
    ----------
    graph : Graph
        The graph before the stream; undirected.
    num_inserts, num_deletes : int
        New pairs come first, then deletions of edges of ``sparsifier`` (of ``graph`` without one)
        that leave both of their ends at least one edge.
    num_batches : int
        Batches of the inserts, and again of the deletes.
    num_hops : int
        Steps of the walk from one end of a new edge to the other.
    sparsifier : Graph, optional
        A sub-graph: deletions outside of it cost a dynamic sparsifier nothing.
    seed : int
        Same seed, same stream.

    Returns
    -------
    dict of arrays, shape (num_inserts + num_deletes,)
        ``op`` (0 insert, 1 delete), ``u``, ``v``, ``w`` (1.0) and ``batch``, in order.
    """
    if graph.directed:
        raise ValueError("graph must be undirected, got a directed one")
    n = graph.num_nodes
    starts = np.flatnonzero(graph.degree)
    old_u, old_v = graph.edges()
    old = old_u.astype(np.int64) * n + old_v  # ascending, as edges are numbered

    def propose(items: Array, step: int) -> Pairs:
        base = step * (num_hops + 1)
        u = starts[_below(seed, items, base, len(starts))]
        v = u
        for hop in range(num_hops):
            degree = graph.degree[v]
            chosen = _below(seed, items, base + 1 + hop, degree.astype(np.uint64))
            v = graph.indices[graph.indptr[v] + chosen].astype(np.int64)
        codes = np.minimum(u, v) * n + np.maximum(u, v)
        new = old[np.minimum(np.searchsorted(old, codes), len(old) - 1)] != codes
        return u[new], v[new]

    free = n * (n - 1) // 2 - graph.num_edges
    u, v = distinct_pairs(propose, check_count("num_inserts", num_inserts), n, possible=free)
    if sparsifier is not None:
        old_u, old_v = sparsifier.edges()
    gone = _deletable(graph, old_u, old_v, check_count("num_deletes", num_deletes), seed)
    batches = check_count("num_batches", num_batches, low=1)
    parts = [np.arange(count) * batches // max(count, 1) for count in (len(u), len(gone))]
    return {
        "op": np.repeat(np.array([0, 1], np.uint8), [len(u), len(gone)]),
        "u": np.concatenate((u, old_u[gone])).astype(np.int32),
        "v": np.concatenate((v, old_v[gone])).astype(np.int32),
        "w": np.ones(len(u) + len(gone), np.float32),
        "batch": np.concatenate((parts[0], batches + parts[1])).astype(np.int32),
    }


def coauthorship(
    num_nodes: int, num_hyperedges: int, *, num_communities: int = 12, seed: int = 0
) -> tuple[Hypergraph, Array]:
    """Return a hypergraph of papers whose author positions depend on node and paper together.

    Each paper draws two to eight authors, most of them from one community and some of them far
    more often than others.  Every author has a seniority; with some noise per paper the least
    senior stands first and the most senior last.

    Parameters
    ----------
    num_nodes, num_hyperedges : int
        Authors and papers; papers that would have a single author have none.
    num_communities : int
        Author ``u`` belongs to community ``u % num_communities``.
    seed : int
        Same seed, same hypergraph.

    Returns
    -------
    (Hypergraph, array of int64, shape (num_incidences,))
        The position of each author on each paper: 0 first, 1 between, 2 last.
    """
    n = check_count("num_nodes", num_nodes, low=2)
    papers = np.arange(check_count("num_hyperedges", num_hyperedges), dtype=np.int64)
    k = check_count("num_communities", num_communities, low=1, high=n // 2)
    topic, size = _below(seed, papers, 0, k), 2 + _below(seed, papers, 1, 7)
    edge = np.repeat(papers, size)
    slot = np.arange(len(edge), dtype=np.uint64)
    rank = np.minimum(_below(seed, slot, 2, n // k), _below(seed, slot, 3, n // k))
    home = _below(seed, slot, 4, 8) > 0
    node = np.where(home, rank * k + topic[edge], _below(seed, slot, 5, n))
    _, once = np.unique(edge * n + node, return_index=True)  # an author stands once on a paper
    once = np.sort(once)
    edge, node, slot = edge[once], node[once], slot[once]
    shared = np.bincount(edge, minlength=len(papers))[edge] > 1
    edge, node, slot = edge[shared], node[shared], slot[shared]
    seniority = uniform(seed, np.arange(n, dtype=np.uint64), 6, DATASETS)[node]
    order = np.lexsort((seniority + 0.4 * uniform(seed, slot, 7, DATASETS), edge))
    first = np.ones(len(edge), np.bool_)
    first[1:] = edge[order][1:] != edge[order][:-1]
    labels = np.ones(len(edge), np.int64)
    labels[order[first]] = 0
    labels[order[np.concatenate((first[1:], first[:1]))]] = 2  # before the next paper begins
    return Hypergraph(node, edge, n, len(papers)), labels


def distinct_pairs(
    propose: Callable[[Array, int], Pairs], count: int, num_nodes: int, *, possible: int
) -> Pairs:
    """Return ``count`` distinct pairs without loops, ``u < v``, in the order of their proposal.

    Parameters
    ----------
    propose : callable
        From item numbers (uint64) and a step to as many pairs or fewer.
    possible : int
        Pairs that can ever come, to refuse what would never end.
    """
    if count > possible:
        raise ValueError(f"the graph has room for {possible} edges, got {count}")
    low, high = np.zeros(0, np.int64), np.zeros(0, np.int64)
    step = 0
    while len(low) < count:
        missing = count - len(low)
        u, v = propose(np.arange(missing + missing // 8 + 64, dtype=np.uint64), step)
        low = np.concatenate((low, np.minimum(u, v)))
        high = np.concatenate((high, np.maximum(u, v)))
        proper = low != high
        low, high = low[proper], high[proper]
        pattern, entry = build_csr(low, high, num_nodes, mirror=False)
        rows = pattern.arc_rows()
        first = np.ones(len(entry), np.bool_)
        first[1:] = (rows[1:] != rows[:-1]) | (pattern.indices[1:] != pattern.indices[:-1])
        kept = np.sort(entry[first])[:count]  # equal pairs stand in the order of their proposal
        low, high = low[kept], high[kept]
        step += 1
    return low, high


def _below(seed: int, items: Array, step: int, bound: Any) -> Array:
    """Return one integer in [0, bound) per item, ``bound < 2^32``: the high bits of a product."""
    bits = draw(check_seed(seed), items.astype(np.uint64), step, DATASETS)
    factor = np.asarray(bound, np.uint64)
    high = (bits >> _HALF) * factor + (((bits & _LOW) * factor) >> _HALF)
    return (high >> _HALF).astype(np.int64)


def _shuffled(count: int, seed: int, step: int) -> Array:
    return np.argsort(draw(seed, np.arange(count, dtype=np.uint64), step, DATASETS), kind="stable")


def _deletable(graph: Graph, u: Array, v: Array, count: int, seed: int) -> Array:
    """Return which of some edges to delete, in random order, so that each end keeps an edge."""
    degree = graph.degree.copy()
    gone: list[int] = []
    for edge in _shuffled(len(u), seed, 2**31).tolist():
        if len(gone) == count:
            break
        if u[edge] != v[edge] and degree[u[edge]] > 1 and degree[v[edge]] > 1:
            degree[[u[edge], v[edge]]] -= 1
            gone.append(edge)
    if len(gone) < count:
        raise ValueError(f"num_deletes must be at most {len(gone)} here, got {count}")
    return np.array(gone, np.int64)
