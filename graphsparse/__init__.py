"""Graph sparsification and graph neural networks.

Names are loaded at first use, so that ``import graphsparse`` costs NumPy and little else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from graphsparse.backend import num_threads, set_num_threads
from graphsparse.errors import (
    BackendError,
    DownloadError,
    GraphFormatError,
    GraphsparseError,
    MissingDependencyError,
)
from graphsparse.graph import Graph, Hypergraph

if TYPE_CHECKING:
    from graphsparse.datasets import list_datasets, load_dataset
    from graphsparse.io import LabelledHypergraph, read_enc, read_graph, write_graph
    from graphsparse.linalg import condition_number, effective_resistance, laplacian
    from graphsparse.operators.amud import amud
    from graphsparse.operators.amud_result import AmudResult, AmudWarning
    from graphsparse.operators.centrality import centralities, within_order_pe
    from graphsparse.operators.co_diffuse import co_diffuse
    from graphsparse.operators.fastrp import FastRP, fastrp
    from graphsparse.operators.grass import grass
    from graphsparse.operators.hypergraph_walks import hypergraph_walk_features
    from graphsparse.operators.keep_by_scores import keep_by_scores
    from graphsparse.operators.random_edges import random_edges
    from graphsparse.operators.resistance_sampling import sample_by_resistance
    from graphsparse.operators.sparsify import SparsifyResult
    from graphsparse.operators.teddy import teddy, teddy_scores
    from graphsparse.quality.goals import recommend
    from graphsparse.quality.sparsify import sparsify
    from graphsparse.streaming.amud import AmudTracker
    from graphsparse.streaming.batch import EdgeBatch
    from graphsparse.streaming.dygrass import DynamicSparsifier
    from graphsparse.streaming.fastrp import FastRPStream

__version__ = "0.1.0"

# Public name -> module that holds it.
_LAZY = {
    "AmudResult": "graphsparse.operators.amud_result",
    "AmudTracker": "graphsparse.streaming.amud",
    "AmudWarning": "graphsparse.operators.amud_result",
    "DynamicSparsifier": "graphsparse.streaming.dygrass",
    "EdgeBatch": "graphsparse.streaming.batch",
    "FastRP": "graphsparse.operators.fastrp",
    "FastRPStream": "graphsparse.streaming.fastrp",
    "LabelledHypergraph": "graphsparse.io",
    "SparsifyResult": "graphsparse.operators.sparsify",
    "amud": "graphsparse.operators.amud",
    "centralities": "graphsparse.operators.centrality",
    "co_diffuse": "graphsparse.operators.co_diffuse",
    "condition_number": "graphsparse.linalg",
    "effective_resistance": "graphsparse.linalg",
    "fastrp": "graphsparse.operators.fastrp",
    "grass": "graphsparse.operators.grass",
    "hypergraph_walk_features": "graphsparse.operators.hypergraph_walks",
    "keep_by_scores": "graphsparse.operators.keep_by_scores",
    "laplacian": "graphsparse.linalg",
    "list_datasets": "graphsparse.datasets",
    "load_dataset": "graphsparse.datasets",
    "random_edges": "graphsparse.operators.random_edges",
    "read_enc": "graphsparse.io",
    "read_graph": "graphsparse.io",
    "recommend": "graphsparse.quality.goals",
    "sample_by_resistance": "graphsparse.operators.resistance_sampling",
    "sparsify": "graphsparse.quality.sparsify",
    "teddy": "graphsparse.operators.teddy",
    "teddy_scores": "graphsparse.operators.teddy",
    "within_order_pe": "graphsparse.operators.centrality",
    "write_graph": "graphsparse.io",
}

__all__ = [
    "AmudResult",
    "AmudTracker",
    "AmudWarning",
    "BackendError",
    "DownloadError",
    "DynamicSparsifier",
    "EdgeBatch",
    "FastRP",
    "FastRPStream",
    "Graph",
    "GraphFormatError",
    "GraphsparseError",
    "Hypergraph",
    "LabelledHypergraph",
    "MissingDependencyError",
    "SparsifyResult",
    "amud",
    "centralities",
    "co_diffuse",
    "condition_number",
    "effective_resistance",
    "fastrp",
    "grass",
    "hypergraph_walk_features",
    "keep_by_scores",
    "laplacian",
    "list_datasets",
    "load_dataset",
    "num_threads",
    "random_edges",
    "read_enc",
    "read_graph",
    "recommend",
    "sample_by_resistance",
    "set_num_threads",
    "sparsify",
    "teddy",
    "teddy_scores",
    "within_order_pe",
    "write_graph",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'graphsparse' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
