"""Matrices of a graph, as SciPy sparse arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from graphsparse.checks import check_choice
from graphsparse.graph import Graph
from graphsparse.linalg.conductance import check_undirected

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]


def laplacian(graph: Graph, *, normalized: bool = False) -> sp.csr_array:
    """Return the Laplacian ``L = D - A``.

    Parameters
    ----------
    graph : Graph
        Undirected; ``n`` nodes.  Self-loops cancel out, parallel edges add up.
    normalized : bool
        Return ``D^-1/2 L D^-1/2`` instead, with zero rows at isolated nodes; weights must then
        not be negative.

    Returns
    -------
    csr_array of float64, shape (n, n)
        Symmetric; rows sum to zero (of the plain Laplacian).

    Examples
    --------
    >>> laplacian(Graph.from_edges([(0, 1), (1, 2)])).toarray()
    array([[ 1., -1.,  0.],
           [-1.,  2., -1.],
           [ 0., -1.,  1.]])
    """
    import scipy.sparse as sp

    check_undirected(graph, "graph")
    adjacency = _adjacency(graph.without_self_loops())
    degree = np.asarray(adjacency.sum(axis=1)).ravel()
    matrix = sp.csr_array(sp.diags_array(degree) - adjacency)
    if normalized:
        scale = sp.diags_array(_inverse_root(degree))
        matrix = sp.csr_array(scale @ matrix @ scale)
    matrix.sort_indices()
    return matrix


def normalized_adjacency(
    graph: Graph, *, norm: Literal["sym", "row"] = "sym", self_loops: float = 0.0
) -> sp.csr_array:
    """Return ``D^-1/2 A D^-1/2`` or ``D^-1 A``.

    Parameters
    ----------
    graph : Graph
        ``n`` nodes, weights not negative.  In a directed graph row ``u`` holds the arcs
        that leave ``u``; ``"sym"`` then divides by the roots of out- and in-degree.
    norm : {"sym", "row"}
        Symmetric normalisation, or rows that sum to 1.
    self_loops : float
        Weight of a self-loop that is added to every node first; 1 gives the matrix of GCN.

    Returns
    -------
    csr_array of float64, shape (n, n)
        Rows of isolated nodes are zero.

    Examples
    --------
    >>> normalized_adjacency(Graph.from_edges([(0, 1)]), self_loops=1.0).toarray()
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    import scipy.sparse as sp

    check_choice("norm", norm, ("sym", "row"))
    if not 0.0 <= self_loops < np.inf:
        raise ValueError(f"self_loops must be a finite weight >= 0, got {self_loops!r}")
    matrix = _adjacency(graph)
    if self_loops:
        matrix = sp.csr_array(matrix + self_loops * sp.eye_array(graph.num_nodes, format="csr"))
    out_degree = np.asarray(matrix.sum(axis=1)).ravel()
    if norm == "row":
        inverse = np.divide(1.0, out_degree, out=np.zeros_like(out_degree), where=out_degree > 0)
        return sp.csr_array(sp.diags_array(inverse) @ matrix)
    in_degree = np.asarray(matrix.sum(axis=0)).ravel()
    left, right = _inverse_root(out_degree), _inverse_root(in_degree)
    return sp.csr_array(sp.diags_array(left) @ matrix @ sp.diags_array(right))


def _adjacency(graph: Graph) -> Any:
    matrix = graph.to_scipy().astype(np.float64)
    matrix.sum_duplicates()
    return matrix


def _inverse_root(degree: Array) -> Array:
    if (degree < 0).any():
        node = int(np.argmin(degree))
        raise ValueError(
            f"normalisation needs weights that are not negative, got a degree of {degree[node]} "
            f"at node {node}"
        )
    roots: Array = np.divide(1.0, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0)
    return roots
