"""From one score per edge to an exact number of edges: the machinery of every sparsifier.

Edges are ordered by (score descending, tie, number ascending) and the first ``k`` are kept, so
budgets are exact, ties are deterministic and masks are nested.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.checks import check_choice
from graphsparse.device import array_module, kernels
from graphsparse.errors import BackendError
from graphsparse.graph import Graph, build_csr
from graphsparse.launch import is_device_array
from graphsparse.rng import tie_hash

Array = np.ndarray[Any, np.dtype[Any]]
TIE_BREAKS = ("index", "hash")
WEIGHING = {
    "inv_sqrt": lambda d: 1.0 / np.sqrt(d),
    "inv": lambda d: 1.0 / d,
    "inv_log": lambda d: 1.0 / (1.0 + np.log(d)),
}


@dataclasses.dataclass(frozen=True)
class Candidates:
    """The edges that may be removed, as a simple graph without self-loops.

    Attributes
    ----------
    graph : Graph
        Its edges are the candidates, in the order of their numbers.
    candidate_of_edge : array of int64, shape (m,), or None
        Candidate of each edge of the graph that was given, -1 for a self-loop; None where the
        two numberings are one.
    """

    graph: Graph
    candidate_of_edge: Array | None = None

    def expand(self, mask: Array) -> Array:
        """Return the mask over the given graph's edges; self-loops are always kept."""
        if self.candidate_of_edge is None:
            return mask
        keep: Array = np.concatenate((mask, [True]))[self.candidate_of_edge]
        return keep


def candidates(graph: Graph, *, undirected: bool = False, self_loops: bool = False) -> Candidates:
    """Return the candidate edges of ``graph``.

    Parallel edges are one candidate.  With ``undirected`` so are the two arcs of a pair: they
    stay or fall together.  Weights of a candidate are the sums of its edges' weights.
    Self-loops are candidates only with ``self_loops``.
    """
    if graph.num_nodes >= 2**32:
        raise ValueError(f"the graph must have fewer than 2^32 nodes, got {graph.num_nodes}")
    simple = not graph.has_parallel_edges and (self_loops or graph.num_self_loops == 0)
    if simple and not (undirected and graph.directed):
        return Candidates(graph)
    if is_device_array(graph.indptr):
        raise BackendError(
            "on the GPU sparsifiers take simple graphs: no parallel edges, no self-loops, and "
            f"undirected where they work on pairs; got {graph!r}; convert it on the CPU first"
        )
    directed = graph.directed and not undirected
    u, v = graph.edges()
    if not directed:
        u, v = np.minimum(u, v), np.maximum(u, v)
    proper = np.arange(len(u)) if self_loops else np.flatnonzero(u != v)
    rows, entry = build_csr(u[proper], v[proper], graph.num_nodes, mirror=False)
    row, col = rows.arc_rows(), rows.indices
    new = np.ones(len(row), bool)
    new[1:] = (row[1:] != row[:-1]) | (col[1:] != col[:-1])
    candidate_of_edge = np.full(graph.num_edges, -1, np.int64)
    candidate_of_edge[proper[entry]] = np.cumsum(new) - 1
    weights = graph.edge_weights()
    if weights is not None:
        weights = (
            np.add.reduceat(weights[proper[entry]], np.flatnonzero(new))
            if len(row)
            else weights[:0]
        )
    merged = Graph.from_edges(
        (row[new], col[new]), num_nodes=graph.num_nodes, weights=weights, directed=directed
    )
    return Candidates(merged, candidate_of_edge)


def edge_codes(graph: Graph) -> Array:
    """Return ``u << 32 | v`` of each edge, uint64 of shape (m,)."""
    if graph.num_self_loops:
        u, v = graph.edges()
        return (u.astype(np.uint64) << np.uint64(32)) | v.astype(np.uint64)
    codes: Array = kernels(graph.indptr).edge_codes(graph.indptr, graph.indices, not graph.directed)
    return codes


def select(
    graph: Graph, keys: Array, count: int, *, tie_break: str, seed: int, connected: bool = False
) -> Array:
    """Return the mask of the ``count`` first edges.

    Parameters
    ----------
    graph : Graph
        Simple and without self-loops; ``m`` edges.
    keys : array of uint64, shape (m,)
        Larger is kept first.
    count : int
        Edges to keep, in [0, m].
    tie_break : {"index", "hash"}
        Among equal keys the lower number, or the lower :func:`graphsparse.rng.tie_hash`, first.
    connected : bool
        Put a spanning forest in front, so that no component falls apart.

    Raises
    ------
    ValueError
        If ``connected`` and the forest alone exceeds ``count``.
    """
    check_choice("tie_break", tie_break, TIE_BREAKS)
    if connected:
        return _select_connected(graph, keys, count, tie_break, seed)
    device, xp = kernels(keys), array_module(keys)
    mask: Array = device.select_largest(keys, count, requested_threads())
    if tie_break == "index" or not 0 < count < len(keys):
        return mask
    threshold, above, equal = device.kth_largest(keys, count, requested_threads())
    if above + equal > count:
        tied = xp.flatnonzero(keys == np.uint64(threshold))
        ties = tie_hash(seed, edge_codes(graph)[tied])
        mask[tied] = False
        mask[tied[xp.argsort(ties, kind="stable")[: count - above]]] = True
    return mask


def removal_order(graph: Graph, keys: Array, *, tie_break: str, seed: int) -> Array:
    """Return the edges in the order in which a shrinking budget removes them."""
    return _keep_order(graph, keys, tie_break, seed)[::-1]


def _keep_order(graph: Graph, keys: Array, tie_break: str, seed: int) -> Array:
    number = np.arange(len(keys))
    tie = number if tie_break == "index" else tie_hash(seed, edge_codes(graph))
    return np.lexsort((number, tie, ~keys))


def _select_connected(graph: Graph, keys: Array, count: int, tie_break: str, seed: int) -> Array:
    if is_device_array(keys):
        raise BackendError("connected=True runs on the CPU only: pass graph.to('cpu')")
    if graph.directed:
        raise ValueError(
            "connected=True needs an undirected graph, got a directed one; symmetrize it first"
        )
    order = _keep_order(graph, keys, tie_break, seed)
    u, v = (ends.astype(np.int64) for ends in graph.edges())
    mask: Array = native.spanning_forest(order, u, v, graph.num_nodes)
    forest = int(mask.sum())
    if forest > count:
        raise ValueError(
            f"connected=True needs at least the {forest} edges of a spanning forest, "
            f"but the budget is {count} edges"
        )
    rest = order[~mask[order]]
    mask[rest[: count - forest]] = True
    return mask


def degree_table(g: Any, max_degree: int) -> tuple[Array, int]:
    """Return ``rint(g(d) * 2^q)`` for d = 0 .. max_degree, and q.

    q is at most 40 and small enough for every sum of a row to fit into 62 bits.
    """
    if isinstance(g, str):
        values = np.zeros(max_degree + 1)
        values[1:] = WEIGHING[g](np.arange(1, max_degree + 1, dtype=np.float64))
    else:
        values = np.array(g, dtype=np.float64)[: max_degree + 1]
        if values.ndim != 1 or len(values) <= max_degree:
            raise ValueError(
                f"g must be a table over the degrees 0 .. {max_degree}, got shape {np.shape(g)}"
            )
        values[0] = 0.0
    bad = ~(np.isfinite(values[1:]) & (values[1:] > 0))
    if bad.any():
        at = int(np.argmax(bad)) + 1
        raise ValueError(f"g must be positive and finite, got {values[at]} for degree {at}")
    q = min(40, 62 - max_degree.bit_length())
    while max_degree * float(values.max()) * 2.0**q >= 2.0**62:
        q -= 1
    return np.rint(values * 2.0**q).astype(np.int64), q
