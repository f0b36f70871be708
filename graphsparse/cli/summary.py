"""The numbers that ``info`` and ``sparsify`` tell about a graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.graph import Graph
from graphsparse.linalg.components import component_labels


def components(graph: Graph) -> tuple[int, int]:
    """Return the number of (weakly) connected components and the nodes of the largest."""
    count, label = component_labels(graph)
    return count, int(np.bincount(label).max()) if count else 0


def isolated_nodes(graph: Graph) -> int:
    """Return the number of nodes without a neighbour other than themselves."""
    proper = graph.without_self_loops()
    joined = np.diff(proper.indptr) > 0
    if proper.directed:
        joined[proper.indices] = True
    return int(graph.num_nodes - joined.sum())


def connectivity(graph: Graph) -> dict[str, int]:
    """Return isolated nodes and components, the two things that a sparsifier may spoil."""
    return {"isolated_nodes": isolated_nodes(graph), "components": components(graph)[0]}


def summary(graph: Graph) -> dict[str, Any]:
    """Return the facts of a graph, ready for JSON.

    ``num_edges`` counts an undirected pair once, ``num_arcs`` counts stored entries: the columns
    of PyG's ``edge_index``.
    """
    count, largest = components(graph)
    return {
        "num_nodes": graph.num_nodes,
        "num_edges": graph.num_edges,
        "num_arcs": graph.num_arcs,
        "directed": graph.directed,
        "symmetric": graph.is_symmetric(),
        "self_loops": graph.num_self_loops,
        "parallel_edges": graph.num_edges - graph.coalesce().num_edges,
        "isolated_nodes": isolated_nodes(graph),
        "components": count,
        "largest_component": largest,
        "degree": degree_summary(graph),
        "weights": weight_summary(graph),
        "nbytes": graph.nbytes,
    }


def degree_summary(graph: Graph) -> dict[str, float] | None:
    """Return the spread of degrees (of out-degrees, if directed), None without nodes."""
    if graph.num_nodes == 0:
        return None
    degree = graph.degree
    return {
        "min": int(degree.min()),
        "median": float(np.median(degree)),
        "mean": float(degree.mean()),
        "max": int(degree.max()),
    }


def weight_summary(graph: Graph) -> dict[str, float] | None:
    """Return the range of weights, None where there are none."""
    weights = graph.edge_weights()
    if weights is None or len(weights) == 0:
        return None
    return {
        "min": float(weights.min()),
        "mean": float(weights.mean(dtype=np.float64)),
        "max": float(weights.max()),
        "sum": float(weights.sum(dtype=np.float64)),
    }
