"""Every real graph and event list of the shared data, against its own reader and its index."""

from __future__ import annotations

import importlib.util
import json

import pytest

from graphsparse.io import iter_edge_batches, read_graph_with_report


@pytest.fixture(scope="module")
def stage(shared_data):
    spec = importlib.util.spec_from_file_location("stage", shared_data / "stage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entries(stage, kind):
    return {name: e for name, e in stage.INDEX.items() if e["kind"] == kind}


def test_plain_graphs(stage, shared_data):
    """With no options, but that memplus has negative weights and is asked for as it is."""
    found = entries(stage, "graph")
    assert len(found) >= 30
    for name, entry in found.items():
        options = {"negative": "allow"} if name == "memplus" else {}
        graph, report = read_graph_with_report(shared_data / entry["path"], **options)
        assert graph.num_nodes == entry["nodes"], name
        assert graph.directed == entry["directed"], name
        assert (graph.weights is not None) == entry["weighted"], name
        wanted = entry["arcs"] + entry["loops"] if entry["directed"] else entry["edges"]
        assert graph.num_edges == wanted, name
        assert abs(graph.to_scipy() - stage.graph(name)).max() == 0, name
        assert report.duplicates_merged == report.self_loops_dropped == 0


def test_event_lists(stage, shared_data):
    """Loops count as arcs; the third column is the time, or after the weight."""
    for name, entry in entries(stage, "temporal").items():
        weight = 2 if entry["weighted"] else None
        graph, report = read_graph_with_report(
            shared_data / entry["path"],
            directed=True,
            duplicates="first",
            weight=weight,
            relabel=True,
            negative="allow",
        )
        assert graph.num_nodes == entry["nodes"], name
        assert graph.num_edges == entry["static_arcs"], name
        assert report.rows == entry["events"], name
        assert report.duplicates_merged == entry["events"] - entry["static_arcs"], name
        assert report.ignored == ("column 3",) if entry["weighted"] else ("column 2",)
        loops = graph.num_self_loops
        without, report = read_graph_with_report(
            shared_data / entry["path"],
            directed=True,
            duplicates="first",
            weight=weight,
            relabel=True,
            negative="abs",
            self_loops="drop",
        )
        assert without.num_edges == entry["static_arcs"] - loops, name
        assert report.self_loops_dropped == entry["loops"], name
        if entry["weighted"]:
            batches = list(iter_edge_batches(shared_data / entry["path"], weight=2))
            assert sum(len(u) for u, _, _ in batches) == entry["events"]


def test_scipy_archives(shared_data):
    index = json.loads((shared_data / "index.json").read_text())
    path = shared_data / "directed" / "telegram" / "raw" / "telegram_adj.npz"
    graph, report = read_graph_with_report(path)
    assert (graph.num_nodes, graph.directed) == (index["telegram"]["nodes"], True)
    assert graph.num_edges == index["telegram"]["arcs"]
    assert report.directed_by == "detected"
