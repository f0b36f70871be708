"""Products with a Laplacian that is never formed; sums that do not depend on the threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.graph import Graph
from graphsparse.rng import draw

Array = np.ndarray[Any, np.dtype[Any]]
# Domains of random numbers, see graphsparse.rng.
RESISTANCE_SKETCH = 20
START_VECTORS = 21


def apply_laplacian(graph: Graph, x: Array) -> Array:
    """Return ``L x`` for a simple graph with float64 weights and x of shape (n,) or (n, k)."""
    width = 1 if x.ndim == 1 else x.shape[1]
    product: Array = native.laplacian_product(
        graph.indptr, graph.indices, graph.weights, np.ascontiguousarray(x).ravel(), width,
        requested_threads(),
    )  # fmt: skip
    return product.reshape(x.shape)


def dots(x: Array, y: Array) -> Array:
    """Return the dot product of each pair of columns, shape (k,); (1,) for vectors."""
    width = 1 if x.ndim == 1 else x.shape[1]
    products: Array = native.column_dots(
        np.ascontiguousarray(x).ravel(), np.ascontiguousarray(y).ravel(), width,
        requested_threads(),
    )  # fmt: skip
    return products


def random_vectors(num_nodes: int, count: int, seed: int, domain: int) -> Array:
    """Return standard normal vectors, shape (n, count); entry (i, c) depends on nothing else."""
    nodes = np.arange(num_nodes, dtype=np.uint64)
    columns = []
    for step in range(count):  # Box and Muller, from the two halves of one draw
        radius = (draw(seed, nodes, step, domain) >> np.uint64(11)) * 2.0**-53
        second = native.draw_b(seed, nodes, step, domain, requested_threads())
        angle = (second >> np.uint64(11)) * (2.0 * np.pi * 2.0**-53)
        columns.append(np.sqrt(-2.0 * np.log1p(-radius)) * np.cos(angle))
    return np.stack(columns, axis=1)
