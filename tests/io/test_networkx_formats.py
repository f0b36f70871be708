"""GraphML and GML."""

from __future__ import annotations

import networkx as nx
import pytest

from graphsparse import Graph, GraphFormatError, read_graph
from graphsparse.io import networkx_formats, read_graph_with_report, read_id_map

GRAPHML = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">{}</graphml>'


def write(folder, text, name):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("suffix", [".graphml", ".gml"])
@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph])
def test_what_networkx_writes(kind, suffix, tmp_path):
    out = kind()
    out.add_nodes_from(["b", "a", "c"], colour="red")
    out.add_edge("b", "a", weight=1.5, since=1999)
    out.add_edge("a", "c", weight=2, since=2001)
    path = tmp_path / f"g{suffix}"
    (nx.write_gml if suffix == ".gml" else nx.write_graphml)(out, path)
    ids = tmp_path / "ids.npz"
    graph, report = read_graph_with_report(path, id_map=ids)
    directed = out.is_directed()
    want = Graph.from_edges([(0, 1), (1, 2)], weights=[1.5, 2.0], directed=directed)
    assert graph == want
    assert report.directed_by == "file"
    assert "edge attribute 'since'" in report.ignored
    assert "node attribute 'colour'" in report.ignored
    assert read_id_map(ids).tolist() == ["b", "a", "c"] == report.ids.tolist()
    assert read_graph(path, weight=None).weights is None
    assert read_graph(path, weight="since").weights.max() == 2001
    with pytest.raises(GraphFormatError, match="expected num_nodes=4 as asked, got 3"):
        read_graph(path, num_nodes=4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a graph, got an empty file"),
        ("<graphml", ":1: expected a GraphML graph (ParseError"),
        ("<a></a>", "expected a GraphML graph"),
        (GRAPHML.format("\n<graph>\n</grap>"), ":3: expected a GraphML graph (ParseError"),
        (
            '<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY a "b">]><a/>',
            ":2: expected GraphML w",
        ),
        ("<graphml>".encode("utf-16"), ":1: expected UTF-8 text"),
        (
            GRAPHML.format(
                '<key id="w" for="edge" attr.name="weight" attr.type="double"/>'
                '<graph edgedefault="directed"><edge source="a" target="b">'
                '<data key="w">NaN</data></edge></graph>'
            ),
            "edge 0: expected a finite number as 'weight', got nan",
        ),
    ],
)
def test_malformed_graphml(text, message, tmp_path):
    path = write(tmp_path, text, "g.graphml")
    with pytest.raises(GraphFormatError) as caught:
        read_graph(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("graph [", "expected a GML graph"),
        ("graph [ node [ id 0 ] edge [ source 0 target 7 ] ]", "expected a GML graph"),
        ("graph [ node [ id 0 ] node [ id 0 ] ]", "expected a GML graph"),
        (
            "graph [ node [ id 0 ] node [ id 1 ] edge [ source 0 target 1 weight -2 ] ]",
            "edge 0: expected a weight of at least 0",
        ),
        (
            'graph [ node [ id 0 ] edge [ source 0 target 0 weight "x" ] ]',
            "edge 0: expected a finite number as 'weight', got 'x'",
        ),
        (b"graph [ \xff ]", "expected a GML graph (UnicodeDecodeError"),
        ("graph " + "[ a " * 100_000, "expected a GML graph"),
    ],
)
def test_malformed_gml(text, message, tmp_path):
    path = write(tmp_path, text, "g.gml")
    with pytest.raises(GraphFormatError) as caught:
        read_graph(path)
    assert message in str(caught.value)


def test_some_edges_without_weight(tmp_path):
    out = nx.Graph()
    out.add_edge(0, 1, weight=1.0)
    out.add_edge(1, 2)
    nx.write_gml(out, tmp_path / "g.gml")
    with pytest.raises(GraphFormatError, match="edge 1: expected a finite number as 'weight'"):
        read_graph(tmp_path / "g.gml")


def test_large_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(networkx_formats, "MAX_BYTES", 100)
    path = write(tmp_path, "x" * 101, "g.gml")
    with pytest.raises(GraphFormatError, match="expected at most 100 bytes of XML or GML"):
        read_graph(path)
