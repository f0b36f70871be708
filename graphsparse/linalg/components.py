"""Connected components, and one grounded node for each."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.backend import native
from graphsparse.graph import Graph

Array = np.ndarray[Any, np.dtype[Any]]


def component_labels(graph: Graph) -> tuple[int, Array]:
    """Return the number of components and the component of each node, int32 of shape (n,).

    Components are numbered by their smallest nodes; directions do not matter.  O(m) time.
    """
    count, labels = native.components(graph.indptr, graph.indices, not graph.directed)
    return count, labels


def grounded_nodes(graph: Graph, count: int, labels: Array) -> Array:
    """Return a bool mask with the node of largest degree (lowest number) of each component."""
    by_degree = np.argsort(-graph.degree, kind="stable")
    _, first = np.unique(labels[by_degree], return_index=True)
    mask = np.zeros(graph.num_nodes, bool)
    mask[by_degree[first]] = True
    return mask


def remove_component_means(x: Array, count: int, labels: Array) -> Array:
    """Return ``x`` of shape (n, k) minus the mean of each component: the part that L can see."""
    width = x.shape[1]
    shifted: Array = native.remove_means(np.ascontiguousarray(x).ravel(), labels, count, width)
    return shifted.reshape(x.shape)
