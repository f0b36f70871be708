"""Centralities of the nodes of a hypergraph, and their ranks inside each hyperedge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsparse.backend import native
from graphsparse.checks import check_choice, check_count
from graphsparse.graph import Hypergraph

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
DAMPING = 0.85
TOLERANCE = 1e-6  # times the number of nodes, in the L1 norm
MAX_STEPS = 10_000


def centralities(
    hypergraph: Hypergraph, which: Sequence[str] = ("degree", "eigenvec", "pagerank", "kcore")
) -> Array:
    """Return centralities of every node.

    Parameters
    ----------
    hypergraph : Hypergraph
        ``N`` nodes.
    which : sequence of str
        ``"degree"``: incidences, repeats counted.  ``"kcore"``: core number when a hyperedge
        dies with its first peeled member.  ``"pagerank"`` (damping 0.85) and ``"eigenvec"``: on
        the clique expansion, the first weighted by common hyperedges, the second unweighted.

    Returns
    -------
    array of float64, shape (N, len(which))
        One column per name.

    Notes
    -----
    The tolerance of the two iterations is that of the published data sets, ``N * 1e-6``: the
    eigenvector is far from converged.  O(sum of squared hyperedge sizes) time and memory.

    References
    ----------
    M. Choe et al., WHATsNet, KDD 2023, arXiv:2306.03032.

    Examples
    --------
    >>> centralities(Hypergraph([0, 1, 1], [0, 0, 1]), ["degree", "kcore"]).tolist()
    [[1.0, 1.0], [2.0, 1.0]]
    """
    for name in which:
        check_choice("which", name, _CENTRALITIES)
    columns = [_CENTRALITIES[name](hypergraph) for name in which]
    return np.stack(columns, axis=1) if columns else np.zeros((hypergraph.num_nodes, 0))


def within_order_pe(hypergraph: Hypergraph, values: Any, *, digits: int | None = 10) -> Array:
    """Return the rank of each incidence's node among the members of its hyperedge, in (0, 1].

    Parameters
    ----------
    hypergraph : Hypergraph
        ``n`` incidences, ``N`` nodes.
    values : array of float, shape (N, k)
        What to rank by; finite.
    digits : int or None
        Significant decimal digits that count, so that round-off does not order equal nodes; None
        compares exactly.

    Returns
    -------
    array of float64, shape (n, k)
        Dense rank (1, 2, ...; equal values share one) divided by the hyperedge's size.

    Examples
    --------
    >>> five = Hypergraph([0, 1, 2, 3, 4], [0, 0, 0, 0, 0])
    >>> within_order_pe(five, [[1.0], [0.0], [3.0], [0.0], [1.0]])[:, 0].tolist()
    [0.4, 0.2, 0.6, 0.2, 0.4]
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or len(table) != hypergraph.num_nodes:
        raise ValueError(f"values must have shape ({hypergraph.num_nodes}, k), got {table.shape}")
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise ValueError(f"values must be finite, got {table[row, column]} at ({row}, {column})")
    if digits is not None:
        table = _rounded(table, check_count("digits", digits, low=1, high=17))
    ranks = [_dense_rank(hypergraph, column) for column in table.T]
    size = np.diff(hypergraph.by_hyperedge[0])[hypergraph.hyperedges]
    stacked = np.stack(ranks, axis=1) if ranks else np.zeros((hypergraph.num_incidences, 0))
    return stacked / size[:, None]


def star_expansion(hypergraph: Hypergraph) -> tuple[Array, Array, int]:
    """Return ``(u, v, num_nodes)``: the graph that joins each hyperedge to its members.

    Hyperedge ``e`` becomes node ``N + e``; repeated memberships become parallel edges.
    """
    h = hypergraph
    return h.nodes, h.hyperedges + h.num_nodes, h.num_nodes + h.num_hyperedges


def clique_expansion(hypergraph: Hypergraph) -> sp.csr_array:
    """Return the N x N matrix of common memberships, repeats multiplied, zero on the diagonal."""
    import scipy.sparse as sp

    h = hypergraph
    ones = np.ones(h.num_incidences)
    incidence = sp.csr_array((ones, (h.nodes, h.hyperedges)), (h.num_nodes, h.num_hyperedges))
    product = sp.csr_array(incidence @ incidence.T)
    product.setdiag(0.0)
    product.eliminate_zeros()
    return product


def _degree(hypergraph: Hypergraph) -> Array:
    return np.diff(hypergraph.by_node[0]).astype(np.float64)


def _kcore(hypergraph: Hypergraph) -> Array:
    (node_ptr, node_rows), (edge_ptr, edge_rows) = hypergraph.by_node, hypergraph.by_hyperedge
    core = np.empty(hypergraph.num_nodes, np.int64)
    native.hypergraph_core(
        node_ptr,
        np.ascontiguousarray(hypergraph.hyperedges[node_rows]),
        edge_ptr,
        np.ascontiguousarray(hypergraph.nodes[edge_rows]),
        core,
    )
    return core.astype(np.float64)


def _pagerank(hypergraph: Hypergraph) -> Array:
    n = hypergraph.num_nodes
    if n == 0:
        return np.zeros(0)
    adjacency = clique_expansion(hypergraph)
    strength = np.asarray(adjacency.sum(axis=1)).ravel()
    dangling = strength == 0
    inverse = 1.0 / np.where(dangling, 1.0, strength)
    x: Array = np.full(n, 1.0 / n)
    for _ in range(MAX_STEPS):
        last = x
        x = DAMPING * (adjacency.T @ (last * inverse) + last[dangling].sum() / n)
        x += (1.0 - DAMPING) / n
        if np.abs(x - last).sum() < n * TOLERANCE:
            return x
    raise RuntimeError(f"PageRank did not converge in {MAX_STEPS} steps")


def _eigenvec(hypergraph: Hypergraph) -> Array:
    n = hypergraph.num_nodes
    if n == 0:
        return np.zeros(0)
    adjacency = clique_expansion(hypergraph)
    adjacency.data[:] = 1.0
    x: Array = np.full(n, 1.0 / n)
    for _ in range(MAX_STEPS):
        last = x
        x = last + adjacency @ last
        x /= np.linalg.norm(x)
        if np.abs(x - last).sum() < n * TOLERANCE:
            return x
    raise RuntimeError(f"the eigenvector did not converge in {MAX_STEPS} steps")


_CENTRALITIES: dict[str, Callable[[Hypergraph], Array]] = {
    "degree": _degree,
    "eigenvec": _eigenvec,
    "pagerank": _pagerank,
    "kcore": _kcore,
}


def _rounded(table: Array, digits: int) -> Array:
    """Round to significant digits as printing does: ``f"{x:.{digits - 1}e}"``."""
    distinct, where = np.unique(table, return_inverse=True)
    texts = np.char.mod(f"%.{digits - 1}e", distinct)
    return texts.astype(np.float64)[where.reshape(table.shape)]


def _dense_rank(hypergraph: Hypergraph, column: Array) -> Array:
    edges, values = hypergraph.hyperedges, column[hypergraph.nodes]
    order = np.lexsort((values, edges))
    edge, value = edges[order], values[order]
    new_edge = np.ones(len(order), bool)
    new_edge[1:] = edge[1:] != edge[:-1]
    step = new_edge.copy()
    step[1:] |= value[1:] != value[:-1]
    level = np.cumsum(step)
    start = np.maximum.accumulate(np.where(new_edge, level, 0))
    rank = np.empty(len(order), np.int64)
    rank[order] = level - start + 1
    return rank
