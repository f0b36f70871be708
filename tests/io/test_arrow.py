"""Parquet, Arrow and Feather tables."""

from __future__ import annotations

import io

import numpy as np
import pytest

from graphsparse import Graph, GraphFormatError, read_graph, write_graph
from graphsparse.io import iter_edge_batches, read_graph_with_report, read_id_map

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
FOUR = Graph.from_edges([(0, 1), (1, 2), (2, 3), (0, 3)], num_nodes=4)
ENDS = {"source": [0, 1, 2, 0], "target": [1, 2, 3, 3]}


def save(folder, columns, name="g.parquet"):
    path = folder / name
    table = pa.table(columns)
    if name.endswith(".parquet"):
        pq.write_table(table, path)
    else:
        new = pa.ipc.new_file if name.endswith(".arrow") else pa.ipc.new_stream
        with new(str(path), table.schema) as sink:
            sink.write_table(table, 2)
    return path


@pytest.mark.parametrize("name", ["g.parquet", "g.arrow", "g.ipc"])
@pytest.mark.parametrize("kind", ["int8", "uint16", "int32", "uint64"])
def test_kinds_of_ids(name, kind, tmp_path):
    columns = {key: pa.array(values, kind) for key, values in ENDS.items()}
    path = save(tmp_path, columns, name)
    assert read_graph(path) == FOUR
    assert [len(u) for u, _, _ in iter_edge_batches(path, batch_rows=3)] == [3, 1]


def test_columns_and_weights(tmp_path):
    columns = {"x": [9] * 4, "To": ENDS["target"], "FROM": ENDS["source"], "w": [1, 2, 3, 4]}
    path = save(tmp_path, columns)
    graph, report = read_graph_with_report(path)
    assert report.columns == ("FROM", "To", "w")
    assert report.ignored == ("column 'x'",)
    assert graph.weights.dtype == np.float64
    assert read_graph(path, weight="x").weights.max() == 9
    assert read_graph(path, columns=("To", 2), weight=None).weights is None
    floats = save(tmp_path, {**ENDS, "weight": pa.array([0.5] * 4, "float32")})
    assert read_graph(floats).weights.dtype == np.float32


@pytest.mark.parametrize("dictionary", [False, True])
def test_names(dictionary, tmp_path):
    columns = {"source": pa.array(["b", "a"]), "target": pa.array(["a", "ü"])}
    if dictionary:
        columns = {key: values.dictionary_encode() for key, values in columns.items()}
    path = save(tmp_path, columns)
    with pytest.raises(GraphFormatError, match="expected integer node ids, got names; id_map=PATH"):
        read_graph(path)
    ids = tmp_path / "ids.parquet"
    assert read_graph(path, id_map=ids) == Graph.from_edges([(0, 1), (1, 2)])
    assert read_id_map(ids).tolist() == ["b", "a", "ü"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"source": [0, None], "target": [1, 2]},
            "expected a node id in every row",
        ),
        ({"source": [0.0, 1.0], "target": [1, 2]}, "expected ids of one kind"),
        ({"source": ["0", "1"], "target": [1, 2]}, "expected ids of one kind"),
        ({"source": [0, -1], "target": [1, 2]}, "expected node ids >= 0, got -1"),
        ({"source": [0, 1], "target": [1, 10**15]}, "expected at most 52"),
        ({"source": [True, False], "target": [1, 2]}, "got type bool"),
        ({"source": [0, 1]}, "expected two columns of node ids, got"),
        ({"source": [0], "target": [1], "weight": ["x"]}, "expected numbers as weights"),
        (
            {"source": [0], "target": [1], "weight": [float("nan")]},
            "expected finite weights",
        ),
        ({"source": [0], "target": [1], "weight": [-1.0]}, "expected a weight of at least 0"),
        ({"source": [0, 0], "target": [1, 1]}, "row 1: expected each pair once"),
        ({"source": pa.array([], "int64"), "target": pa.array([], "int64")}, "at least one edge"),
        ({"source": pa.array([2**63], "uint64"), "target": [1]}, "expected a whole table"),
    ],
)
@pytest.mark.parametrize("name", ["g.parquet", "g.arrow"])
def test_malformed(columns, message, name, tmp_path):
    path = save(tmp_path, columns, name)
    with pytest.raises(GraphFormatError, match=message) as caught:
        read_graph(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("name", ["g.parquet", "g.arrow", "g.ipc"])
def test_damaged_files(name, tmp_path):
    path = save(tmp_path, {key: values * 100 for key, values in ENDS.items()}, name)
    whole = path.read_bytes()
    for data in (b"", b"PAR1", b"junk" * 50, whole[: len(whole) // 2], whole[-100:]):
        path.write_bytes(data)
        with pytest.raises(GraphFormatError, match="expected"):
            read_graph(path)


def test_metadata_is_checked(tmp_path):
    path = tmp_path / "g.parquet"
    for told in (b"{", b"{}", b'{"nodes": "4", "directed": false}', b'{"nodes": -4}'):
        table = pa.table(ENDS).replace_schema_metadata({"graphsparse": told})
        pq.write_table(table, path)
        with pytest.raises(GraphFormatError, match="expected"):
            read_graph(path)
    told = b'{"nodes": 3, "directed": false}'
    pq.write_table(pa.table(ENDS).replace_schema_metadata({"graphsparse": told}), path)
    with pytest.raises(GraphFormatError, match="declares 3 nodes, got node id 3"):
        read_graph(path)


def test_base_relabel_and_streams(tmp_path):
    columns = {key: [value + 1 for value in values] for key, values in ENDS.items()}
    path = save(tmp_path, columns)
    assert read_graph(path, base=1) == FOUR
    assert read_graph_with_report(path, relabel=True)[1].ids.tolist() == [1, 2, 3, 4]
    assert read_graph(io.BytesIO(path.read_bytes()), format="arrow", base=1) == FOUR
    with pytest.raises(ValueError, match="compress inside"):
        read_graph(tmp_path / "g.parquet.gz")


def test_large_tables_are_written_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("graphsparse.io.arrow._ROWS_PER_WRITE", 10)
    graph = Graph.from_edges([(u, u + 1) for u in range(99)])
    write_graph(graph, tmp_path / "g.arrow")
    with pa.ipc.open_file(str(tmp_path / "g.arrow")) as file:
        assert file.num_record_batches == 10
    assert read_graph(tmp_path / "g.arrow") == graph
