"""METIS: the four-node graph with every kind of weights, and malformed files."""

from __future__ import annotations

import pytest

from graphsparse import Graph, GraphFormatError, read_graph, write_graph
from graphsparse.io import read_graph_with_report

PAIRS = [(0, 1), (1, 2), (2, 3), (0, 3)]
FOUR = Graph.from_edges(PAIRS, num_nodes=4)
HEAVY = Graph.from_edges(PAIRS, num_nodes=4, weights=[5.0, 6.0, 7.0, 8.0])


def write(folder, text):
    path = folder / "g.graph"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("text", "graph"),
    [
        ("4 4\n2 4\n1 3\n2 4\n1 3\n", FOUR),
        ("% c\n4 4 0\n%\n 2  4 \n1 3\n% d\n\t2 4\n3 1", FOUR),
        ("4 4 000\r\n2 4\r\n1 3\r\n2 4\r\n1 3\r\n\r\n", FOUR),
        ("4 4 1\n2 5 4 8\n1 5 3 6\n2 6 4 7\n1 8 3 7\n", HEAVY),
        ("4 4 001\n2 5.0 4 8\n1 5 3 6\n2 6 4 7\n1 8e0 3 7\n", HEAVY),
        ("4 4 10\n9 2 4\n9 1 3\n9 2 4\n9 1 3\n", FOUR),
        ("4 4 10 2\n9 9 2 4\n9 9 1 3\n9 9 2 4\n9 9 1 3\n", FOUR),
        ("4 4 011 1\n9 2 5 4 8\n9 1 5 3 6\n9 2 6 4 7\n9 1 8 3 7\n", HEAVY),
        ("4 4 100\n9 2 4\n9 1 3\n9 2 4\n9 1 3\n", FOUR),
        ("4 4 111 2\n1 9 9 2 5 4 8\n1 9 9 1 5 3 6\n1 9 9 2 6 4 7\n1 9 9 1 8 3 7\n", HEAVY),
        ("0 0\n", Graph.from_edges([], num_nodes=0)),
        ("3 0\n\n\n\n", Graph.from_edges([], num_nodes=3)),
        ("3 1\n\n3\n2\n\n\n", Graph.from_edges([(1, 2)], num_nodes=3)),
    ],
)
def test_formats(text, graph, tmp_path):
    path = write(tmp_path, text)
    assert read_graph(path) == graph
    assert read_graph(path, directed=True).num_arcs == graph.num_arcs


def test_report(tmp_path):
    path = write(tmp_path, "% a\n4 4 10 2\n9 9 2 4\n% b\n9 9 1 3\n9 9 2 4\n9 9 1 3\n")
    _, report = read_graph_with_report(path)
    assert report.ignored == ("2 weights of each node",)
    assert (report.comments, report.rows, report.both_directions) == (2, 8, True)
    assert read_graph(path, weight=None) == FOUR


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": expected a graph, got an empty file"),
        ("% c\n", ": expected a header of nodes and edges, got the end of the file"),
        ("4\n", ":1: expected nodes, edges and perhaps fmt and ncon, got"),
        ("% c\n4 x\n", ":2: expected nodes, edges and perhaps fmt and ncon, got"),
        ("4 4 2\n", ":1: expected fmt of up to three digits 0 or 1, got '002'"),
        ("4 4 1 2\n", ":1: expected ncon to fit fmt 001"),
        ("4 4 10 99999999999\n", ":1: expected ncon to fit fmt 010"),
        ("4 4\n2 4\n1 3\n2 4\n", ": expected 4 node lines, got the end of the file after 3"),
        ("2 1\n2\n1\n1\n", ":4: expected 2 node lines and no more, got '1'"),
        ("2 1\n2\n0\n", ":3: expected node ids from 1 on, as the file counts from 1, got '0'"),
        ("2 1\n2\n3\n", ":3: the header declares 2 nodes, got node id '3'"),
        ("2 1\n2\n-1\n", ":3: expected a node id of at least 1, got '-1'"),
        ("2 1\n2\n1.5\n", ":3: expected a node id, an integer, got '1.5'"),
        ("2 1\n2\n1\r2\n", ":3: expected "),
        ("2 1 1\n2 5\n1\n", ":3: expected a weight for every edge, got the end of the line"),
        ("2 1 10\n5 2\n\n", ":3: expected a weight for every node, got the end of the line"),
        ("2 1 1\n2 5\n1 x\n", ":3: expected a weight, a number, got 'x'"),
        ("2 1 1\n2 5\n1 inf\n", ":3: expected a finite weight, got 'inf'"),
        ("2 1 1\n2 -5\n1 -5\n", ":2: expected a weight of at least 0, got -5.0"),
        ("3 2\n2 3\n1\n\n", ": expected 2 edges as the header declares, got 3 neighbours"),
        ("2 2\n2\n1\n", ": expected 2 edges as the header declares, got 2 neighbours"),
        ("3 2\n2 3\n1\n2\n", ":"),
        ("3 1\n2\n3\n\n", ":2: expected each edge in the lines of both its nodes"),
        ("2 1 1\n2 5\n1 6\n", ":2: expected each edge in the lines of both its nodes with one"),
        ("2 2\n2 2\n1 1\n", ":2: expected each pair once"),
        ("2 2\n1 2\n1\n", ":2: expected no self-loop"),
        ("100000000000 1\n2\n1\n", ": expected 100000000000 node lines, got the end"),
        ("2 100000000000\n2\n1\n", ": expected 100000000000 edges as the header declares"),
    ],
)
def test_malformed(text, message, tmp_path):
    path = write(tmp_path, text)
    with pytest.raises(GraphFormatError) as caught:
        read_graph(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_policies(tmp_path):
    path = write(tmp_path, "2 2\n1 2\n1\n")
    assert read_graph(path, self_loops="keep") == Graph.from_edges([(0, 0), (0, 1)])
    assert read_graph(path, self_loops="drop") == Graph.from_edges([(0, 1)])
    path = write(tmp_path, "2 2 1\n2 3 2 4\n1 3 1 4\n")
    assert read_graph(path, duplicates="sum") == Graph.from_edges([(0, 1)], weights=[7.0])
    assert read_graph(path, duplicates="keep").num_edges == 2


def test_a_long_line_across_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("graphsparse.io.text.CHUNK", 128)
    graph = Graph.from_edges([(0, v) for v in range(1, 3000)])
    path = tmp_path / "g.graph"
    write_graph(graph, path)
    assert read_graph(path) == graph


def test_writer_refuses_what_metis_cannot_hold(tmp_path):
    path = tmp_path / "g.graph"
    for graph, message in (
        (Graph.from_edges([(0, 1)], directed=True), "undirected graphs, got a directed one"),
        (Graph.from_edges([(0, 0)]), "no self-loops and no parallel edges, got 1 self-loops"),
        (Graph.from_edges([(0, 1), (0, 1)]), "parallel edges: True"),
        (Graph.from_edges([(0, 1)], weights=[0.5]), "weights must be positive integers, got 0.5"),
    ):
        with pytest.raises(ValueError, match=message):
            write_graph(graph, path)
        assert not path.exists()
