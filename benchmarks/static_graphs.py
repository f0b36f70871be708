"""Every set of the shared data folder that is one graph, undirected, smallest first.

Arcs of a directed set are joined to pairs (weights of opposite arcs add up); a stream becomes the
graph of all its pairs, weighted by their events, or by the sum of absolute ratings.  Hypergraphs
and collections of molecules are not one graph.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from shared_graphs import data_folder, shared_graph

from graphsparse import Graph, load_dataset
from graphsparse.selection import candidates


@dataclasses.dataclass(frozen=True)
class Subject:
    """A simple undirected graph; ``probe`` holds features, labels and masks where there are any."""

    name: str
    graph: Graph
    probe: dict[str, Any] = dataclasses.field(default_factory=dict)


def index() -> dict[str, dict[str, Any]]:
    """Return the facts of every set."""
    found: dict[str, dict[str, Any]] = json.loads((data_folder() / "index.json").read_text())
    return found


def listed_size(facts: dict[str, Any]) -> int:
    """Return the edges, arcs or distinct events of a set as its index tells them."""
    return int(facts.get("edges") or facts.get("static_arcs") or facts.get("arcs") or 0)


def names(most_edges: int) -> tuple[list[str], dict[str, str]]:
    """Return the sets of at most so many edges, smallest first, and why others are left out."""
    taken, left = {}, {}
    for name, facts in index().items():
        size = listed_size(facts)
        if facts["kind"] == "hypergraph":
            left[name] = "a hypergraph"
        elif name.startswith("ogbg"):
            left[name] = "a collection of small graphs"
        elif size > most_edges:
            left[name] = f"more than {most_edges:,} edges or events"
        else:
            taken[name] = size
    return sorted(taken, key=lambda name: taken[name]), left


def subject(name: str) -> Subject:
    """Read a set."""
    kind = index()[name]["kind"]
    if kind == "graph":
        return Subject(name, _simple(shared_graph(name)))
    if kind == "temporal":
        return Subject(name, _stream(name))
    scratch = Path(tempfile.gettempdir()) / "graphsparse-bench"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = _stage().stage(name, scratch)
        dataset = load_dataset(name, root=root if kind == "pyg" else scratch, offline=True)
        return Subject(name, _simple(dataset.graph), _probe(dataset))


def _stage() -> Any:
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(data_folder()))
    import stage

    return stage


def _simple(graph: Graph) -> Graph:
    return candidates(graph, undirected=True).graph


def _stream(name: str) -> Graph:
    events = _stage().events(name)
    ends = np.stack([events["src"], events["dst"]], axis=1)
    return _simple(Graph.from_edges(ends, weights=np.abs(events["weight"])))


def _probe(dataset: Any) -> dict[str, Any]:
    """Return what the linear probe needs, from the first split; nothing where something lacks."""
    if not dataset.splits or not dataset.task.startswith("node"):
        return {}
    data, split = dataset.to_pyg(0), dataset.splits[0]
    labels = None if data.y is None else np.asarray(data.y)
    if data.x is None or labels is None or labels.ndim != 1:
        return {}
    masks = (split.train, split.val, split.test)
    return {"features": np.asarray(data.x), "labels": labels, "masks": masks}
