"""Graph sparsification and graph neural networks."""

from graphsparse.errors import (
    BackendError,
    GraphFormatError,
    GraphsparseError,
    MissingDependencyError,
)
from graphsparse.graph import Graph, Hypergraph

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "Graph",
    "GraphFormatError",
    "GraphsparseError",
    "Hypergraph",
    "MissingDependencyError",
]
