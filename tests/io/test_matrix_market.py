"""Matrix Market: the four-node graph in every kind of file, and malformed ones."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from graphsparse import Graph, GraphFormatError, read_graph, write_graph
from graphsparse.io import iter_edge_batches, read_graph_with_report

PAIRS = [(0, 1), (1, 2), (2, 3), (0, 3)]
FOUR = Graph.from_edges(PAIRS, num_nodes=4)
HEAD = "%%MatrixMarket matrix coordinate"


def write(folder, text):
    path = folder / "g.mtx"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def fails(folder, text, message, **options):
    path = write(folder, text)
    with pytest.raises(GraphFormatError) as caught:
        read_graph(path, **options)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))


LOWER = "2 1{0}\n3 2{0}\n4 3{0}\n4 1{0}\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD} pattern symmetric\n4 4 4\n" + LOWER.format(""),
        f"{HEAD} pattern symmetric\r\n% c\r\n4 4 4\r\n" + LOWER.format("").replace("\n", "\r\n"),
        f"{HEAD.upper()} PATTERN Symmetric\n%\n\n 4  4  4 \n\n" + LOWER.format("") + "\n\n",
        f"{HEAD[1:]} pattern symmetric\n4 4 4\n1 2\n3 2\n3 4\n4 1",
    ],
)
def test_symmetric_pattern(text, tmp_path):
    graph, report = read_graph_with_report(write(tmp_path, text))
    assert graph == FOUR
    assert (report.directed_by, report.rows) == ("file", 4)


@pytest.mark.parametrize("field", ["integer", "real", "double"])
def test_weights(field, tmp_path):
    path = write(tmp_path, f"{HEAD} {field} symmetric\n4 4 4\n" + LOWER.format(" 3"))
    assert read_graph(path) == Graph.from_edges(PAIRS, weights=[3.0] * 4)
    assert read_graph(path, weight=None) == FOUR


def test_general_is_directed_unless_told(tmp_path):
    path = write(tmp_path, f"{HEAD} pattern general\n4 4 4\n" + LOWER.format(""))
    graph = read_graph(path)
    assert graph.directed
    assert graph.num_edges == 4
    assert read_graph(path, directed=False) == FOUR
    both = "2 1\n1 2\n3 2\n2 3\n4 3\n3 4\n4 1\n1 4\n"
    path = write(tmp_path, f"{HEAD} pattern general\n4 4 8\n" + both)
    graph, report = read_graph_with_report(path, directed=False)
    assert graph == FOUR
    assert report.both_directions
    path = write(tmp_path, f"{HEAD} pattern symmetric\n4 4 4\n" + LOWER.format(""))
    arcs, report = read_graph_with_report(path, directed=True)
    assert (arcs.directed, arcs.num_edges, report.directed_by) == (True, 8, "option")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": expected a graph, got an empty file"),
        ("4 4 4\n1 2\n", ":1: expected '%%MatrixMarket matrix coordinate FIELD SYMMETRY', got"),
        ("%%MatrixMarket vector coordinate real general\n", ":1: expected object matrix"),
        ("%%MatrixMarket matrix array real general\n2 2\n1\n", "a dense matrix is no edge list"),
        (f"{HEAD} complex general\n", ":1: expected field pattern or integer or real"),
        (f"{HEAD} real skew-symmetric\n", ":1: expected symmetry general or symmetric, got 'skew"),
        (f"{HEAD} complex hermitian\n", ":1: expected field"),
        (f"{HEAD} pattern general\n", ": expected rows, columns and entries, got the end"),
        (f"{HEAD} pattern general\n4 4\n", ":2: expected rows, columns and entries, got"),
        (f"{HEAD} pattern general\n4 -4 1\n", ":2: expected rows, columns and entries, got"),
        (f"{HEAD} pattern general\n% c\n4 5 1\n1 1\n", ":3: expected a square matrix, got 4 x 5"),
        (f"{HEAD} pattern general\n4 4 3\n1 2\n2 3\n", ": expected 3 entries, got the end"),
        (f"{HEAD} pattern general\n4 4 1\n1 2\n\n2 3\n", ":5: expected 1 entries, got another"),
        (f"{HEAD} pattern general\n4 4 2\n1 2\n0 3\n", ":4: expected node ids from 1 on"),
        (f"{HEAD} pattern general\n4 4 2\n1 2\n5 3\n", ":4: the header declares 4 nodes, got node"),
        (f"{HEAD} pattern general\n4 4 2\n1 2 1\n2 3 1\n", ":3: expected 2 columns, got 3"),
        (f"{HEAD} real general\n4 4 1\n1 2\n", ":3: expected 3 columns, got 2"),
        (f"{HEAD} real general\n4 4 1\n1 2 nan\n", ":3: expected a finite weight, got 'nan'"),
        (f"{HEAD} real general\n4 4 2\n1 2 1\n2 3 -1\n", ":4: expected a weight of at least 0"),
        (f"{HEAD} integer general\n4 4 2\n1 2 1\n2 3 1.5\n", ":4: expected an integer weight"),
        (f"{HEAD} pattern general\n4 4 2\n1 2\n1 2\n", ":4: expected each pair once"),
        (f"{HEAD} pattern symmetric\n4 4 3\n2 1\n3 2\n1 2\n", ":5: expected each pair once"),
        (f"{HEAD} pattern general\n1{'0' * 11} 1{'0' * 11} 1\n1 2\n", "expected at most 5243"),
        (f"{HEAD} pattern general\n4 4 1{'0' * 11}\n1 2\n", ": expected 100000000000 entries, got"),
    ],
)
def test_malformed(text, message, tmp_path):
    fails(tmp_path, text, message)


def test_num_nodes_accepts_a_sparse_header(tmp_path):
    path = write(tmp_path, f"{HEAD} pattern symmetric\n3000000 3000000 1\n2 1\n")
    with pytest.raises(GraphFormatError, match="num_nodes=3000000 accepts it"):
        read_graph(path)
    assert read_graph(path, num_nodes=3_000_000).num_nodes == 3_000_000
    fails(tmp_path, path.read_bytes(), "expected num_nodes=5 as asked, got 3000000", num_nodes=5)


@pytest.mark.parametrize("seed", range(411, 431))
def test_scipy_reads_and_writes_the_same(seed, tmp_path):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    matrix = sp.random_array((n, n), density=0.2, rng=rng, format="csr")
    symmetric = seed % 2 == 0
    if symmetric:
        matrix = matrix + matrix.T
    path = tmp_path / "m.mtx"
    scipy.io.mmwrite(path, matrix, symmetry="symmetric" if symmetric else "general", precision=17)
    graph = read_graph(path)
    assert graph.directed != symmetric
    assert (graph.to_scipy() != matrix).nnz == 0
    write_graph(graph, path)
    back = sp.csr_array(scipy.io.mmread(path))
    assert (back != matrix).nnz == 0


def test_stream_checks_the_header(tmp_path):
    path = write(tmp_path, f"{HEAD} real general\n4 4 3\n1 2 5\n2 3 6\n")
    batches = iter_edge_batches(path, batch_rows=1)
    assert [x.tolist() for x in next(batches)] == [[0], [1], [5.0]]
    with pytest.raises(GraphFormatError, match="expected 3 entries, got the end of"):
        list(batches)
