"""The real graphs of the shared data folder, read as users would read them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from scipy import sparse

from graphsparse import Graph, read_graph

ROOT = Path(__file__).resolve().parent.parent


def data_folder() -> Path:
    """Return $GRAPHSPARSE_TEST_DATA, or the folder beside the checkout."""
    return Path(os.environ.get("GRAPHSPARSE_TEST_DATA", ROOT.parent / "shared" / "data"))


def shared_graph(name: str) -> Graph:
    """Return an undirected graph with positive weights; ``memplus`` becomes ``|A| + |A|'``."""
    folder = data_folder()
    path = folder / json.loads((folder / "index.json").read_text())[name]["path"]
    if name != "memplus":
        return read_graph(path)
    matrix = abs(read_graph(path, negative="allow").to_scipy())
    pairs = sparse.triu(matrix + matrix.T, k=1).tocoo()
    return Graph.from_edges(pairs.coords, weights=pairs.data, num_nodes=matrix.shape[0])
