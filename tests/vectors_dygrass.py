"""Reading the shared vectors of the spectral methods."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from graphsparse import Graph

FOLDER = Path(__file__).resolve().parents[0] / "vectors" / "dygrass"


def load(name: str) -> Any:
    """Return the content of one file."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def graph_of(num_nodes: int, edges: list[list[float]]) -> Graph:
    """Return the graph of ``[u, v, w]`` rows, weights in float64."""
    rows = np.array(edges, dtype=np.float64).reshape(-1, 3)
    return Graph.from_edges(rows[:, :2].astype(np.int64), num_nodes=num_nodes, weights=rows[:, 2])
