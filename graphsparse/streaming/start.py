"""Where a stream starts: the checks of graph and sparsifier, and their compiled form."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.graph import Graph
from graphsparse.linalg.components import component_labels
from graphsparse.rng import tie_hash
from graphsparse.streaming.batch import LEAST_WEIGHT, MOST_WEIGHT

Array = np.ndarray[Any, np.dtype[Any]]
Store = Any  # native.Dygrass

MOST_NODES = 2**31 - 1
_AUTO_SAMPLE = 2000
_AUTO_PERCENTILE = 99.0
_AUTO_WITHOUT_EDGES = 10.0


@dataclasses.dataclass(frozen=True)
class SimpleEdges:
    """Edges ``u < v`` in order, one per pair, with float64 weights; and what had to be merged."""

    u: Array
    v: Array
    w: Array
    notes: tuple[str, ...]


def simple_edges(name: str, graph: Graph) -> SimpleEdges:
    """Return the edges of an undirected graph without loops and repeats.

    Raises
    ------
    ValueError
        If the graph is directed, too large, or a weight is not positive.
    """
    if not isinstance(graph, Graph):
        raise TypeError(f"{name} must be a Graph, got {type(graph).__name__}")
    graph = graph.to("cpu")
    if graph.directed:
        raise ValueError(
            f"{name} must be undirected, got a directed graph; make it so with graph.symmetrize()"
        )
    if graph.num_nodes > MOST_NODES:
        raise ValueError(f"{name} must have below 2^31 nodes, got {graph.num_nodes}")
    notes = []
    if graph.num_self_loops:
        notes.append(f"{graph.num_self_loops} self-loops of the {name} were left out")
        graph = graph.without_self_loops()
    u, v = (ends.astype(np.int64) for ends in graph.edges())
    weights = graph.edge_weights()
    w = np.ones(len(u)) if weights is None else weights.astype(np.float64)
    good = (w >= LEAST_WEIGHT) & (w <= MOST_WEIGHT)
    if not good.all():
        at = int(np.argmin(good))
        raise ValueError(
            f"{name} must have weights in [{LEAST_WEIGHT:g}, {MOST_WEIGHT:g}], "
            f"got {w[at]} on edge ({u[at]}, {v[at]})"
        )
    if graph.has_parallel_edges:
        first = np.flatnonzero(np.r_[True, (u[1:] != u[:-1]) | (v[1:] != v[:-1])])
        notes.append(f"{len(u) - len(first)} parallel edges of the {name} were merged by sum")
        u, v, w = u[first], v[first], np.add.reduceat(w, first)
    return SimpleEdges(u, v, w, tuple(notes))


def subgraph_mask(graph: SimpleEdges, sparsifier: SimpleEdges, num_nodes: int) -> Array:
    """Return which edges of ``graph`` the sparsifier has.

    Raises
    ------
    ValueError
        If the sparsifier has an edge that the graph lacks, or with another weight.
    """
    mask = np.zeros(len(graph.u), bool)
    if len(sparsifier.u) == 0:
        return mask
    keys, wanted = (edges.u * num_nodes + edges.v for edges in (graph, sparsifier))
    at = np.searchsorted(keys, wanted)
    found = at < len(keys)
    found[found] = keys[at[found]] == wanted[found]
    if not found.all():
        k = int(np.argmin(found))
        pair = (int(sparsifier.u[k]), int(sparsifier.v[k]))
        raise ValueError(f"sparsifier must be a sub-graph of graph, but has the edge {pair} alone")
    same = graph.w[at] == sparsifier.w
    if not same.all():
        k = int(np.argmin(same))
        pair = (int(sparsifier.u[k]), int(sparsifier.v[k]))
        raise ValueError(
            f"sparsifier must have the weights of graph, got {sparsifier.w[k]} instead of "
            f"{graph.w[at[k]]} on edge {pair}"
        )
    mask[at] = True
    return mask


def load_store(num_nodes: int, edges: SimpleEdges, mask: Array, *, core: bool) -> Store:
    """Return the compiled state of a graph and the sparsifier that ``mask`` selects."""
    store = native.Dygrass()
    store.load(num_nodes, edges.u, edges.v, edges.w, mask, core)
    return store


def check_components(num_nodes: int, edges: SimpleEdges, mask: Array) -> None:
    """Raise ValueError unless the edges under ``mask`` connect what all edges connect."""

    def count(u: Array, v: Array) -> int:
        return component_labels(Graph.from_edges((u, v), num_nodes=num_nodes))[0]

    if num_nodes == 0:
        return
    have, want = count(edges.u[mask], edges.v[mask]), count(edges.u, edges.v)
    if have != want:
        raise ValueError(
            f"sparsifier must have the connected components of graph, got {have} instead of {want}"
        )


def auto_threshold(store: Store, edges: SimpleEdges, mask: Array, seed: int) -> float:
    """Return ``K`` from the detours that the sparsifier has for the edges it lacks.

    The 99th percentile of weight times path resistance over up to 2,000 of them, those of the
    lowest tie hash; 10 if it lacks none.
    """
    rest = np.flatnonzero(~mask)
    if len(rest) == 0:
        return _AUTO_WITHOUT_EDGES
    hashes = tie_hash(seed, rest.astype(np.uint64))
    sample = rest[np.argsort(hashes, kind="stable")[:_AUTO_SAMPLE]]
    paths = store.path_resistances(True, edges.u[sample], edges.v[sample], requested_threads())
    return float(np.percentile(edges.w[sample] * paths, _AUTO_PERCENTILE))


def store_graph(store: Store, sparsifier: bool, weights: str) -> Graph:
    """Return the graph or its sparsifier as it is now.

    ``weights`` is the type to return: "float32", "float64", or "none", which becomes float64 as
    soon as a weight differs from 1.
    """
    u, v, w = store.edges(sparsifier)
    given: Array | None = w
    if weights == "none" and (w == 1.0).all():
        given = None
    elif weights == "float32":
        given = w.astype(np.float32)
    return Graph.from_edges((u, v), num_nodes=store.num_nodes, weights=given)
