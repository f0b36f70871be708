"""Edge lists: layouts that are recognised, policies, and every way to be malformed."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from graphsparse import Graph, GraphFormatError, read_graph
from graphsparse.io import iter_edge_batches, read_graph_with_report, read_id_map

FOUR = Graph.from_edges([(0, 1), (1, 2), (2, 3), (0, 3)], num_nodes=4)


def write(folder, text, name="g.txt"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def fails(folder, text, message, name="g.txt", **options):
    path = write(folder, text, name)
    with pytest.raises(GraphFormatError) as caught:
        read_graph(path, **options)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("g.txt", "0 1\n1 2\n2 3\n0 3", {}),
        ("g.txt", "0\t1\r\n1\t2\r\n2\t3\r\n0\t3\r\n", {}),
        ("g.txt", "# c\n% c\n// c\n\n0 1\n\n1 2\n2   3 \n 0 3\n\n", {}),
        ("g.txt", "\ufeff0 1\n1 2\n2 3\n0 3\n", {}),
        ("g.txt", "0,1\n1,2\n2,3\n0,3\n", {}),
        ("g.txt", "0|1\n1|2\n2|3\n0|3\n", {}),
        ("g.txt", "0x1\n1x2\n2x3\n0x3\n", {"delimiter": "x"}),
        ("g.txt", "1 2\n2 3\n3 4\n1 4\n", {"base": 1}),
        ("g.txt", "0 1\n1 2\n2 3\n3 0\n", {}),
        ("g.csv", "source,target\n0,1\n1,2\n2,3\n0,3\n", {}),
        ("g.csv", "Source;Target\n0;1\n1;2\n2;3\n0;3\n", {}),
        ("g.csv", '"from","to"\n"0","1"\n"1","2"\n"2","3"\n"0","3"\n', {}),
        ("g.csv", "a, b\n0, 1\n1, 2\n2, 3\n0, 3\n", {}),
        ("g.csv", "7,1\n0,1\n1,2\n2,3\n0,3\n", {"header": True}),
        ("g.tsv", "target\tlabel\tsource\n1\tx y\t0\n2\t\t1\n3\t-\t2\n3\tz\t0\n", {}),
        ("g.csv", "x,a,b\n9,0,1\n9,1,2\n9,2,3\n9,0,3\n", {"columns": ("a", "b")}),
        ("g.csv", "9,0,1\n9,1,2\n9,2,3\n9,0,3\n", {"columns": (1, 2), "weight": None}),
        ("g.txt", "0 1 5\n1 2 5\n2 3 5\n0 3 5\n", {"weight": None}),
        ("g.txt", "0 1 5 x\n1 2 5 x\n2 3 5 x\n0 3 5 x\n", {"weight": None}),
    ],
)
def test_layouts(name, text, options, tmp_path):
    assert read_graph(write(tmp_path, text, name), **options) == FOUR


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("g.txt", "0 1 0.5\n1 2 -0\n2 3 1e3\n", {}),
        ("g.csv", "0,1,.5\n1,2,0\n2,3,+1000.\n", {}),
        ("g.csv", "src,dst,Weight,time\n0,1,.5,9\n1,2,0,9\n2,3,1000,9\n", {}),
        ("g.csv", "src,dst,time,cost\n0,1,9,.5\n1,2,9,0\n2,3,9,1000\n", {"weight": "cost"}),
        ("g.csv", "0,1,9,.5\n1,2,9,0\n2,3,9,1000\n", {"weight": 3}),
        ("g.txt", "0.5 1 0\n0 2 1\n1000 3 2\n", {"columns": (1, 2)}),
    ],
)
def test_weights(name, text, options, tmp_path):
    want = Graph.from_edges([(0, 1), (1, 2), (2, 3)], weights=[0.5, 0.0, 1000.0])
    assert read_graph(write(tmp_path, text, name), **options) == want


def test_report(tmp_path):
    path = write(tmp_path, "# c\nsource,target,w\n1,2,0.5\n\n# d\n2,3,1\n", "g.csv")
    graph, report = read_graph_with_report(path, base=1)
    assert graph.num_nodes == 3
    assert (report.format, report.rows, report.comments) == ("edge_list", 2, 2)
    assert report.header == ("source", "target", "w")
    assert report.columns == (0, 1, 2)
    assert (report.directed, report.directed_by, report.smallest_id) == (False, "default", 1)
    assert read_graph_with_report(path, directed=True)[1].directed_by == "option"
    assert report.path == str(path)
    assert report.ignored == ()
    path = write(tmp_path, "source,target,time,weight\n1,2,7,0.5\n", "g.csv")
    assert read_graph_with_report(path)[1].ignored == ("column 'time'",)
    assert read_graph_with_report(path, weight=None)[1].ignored == (
        "column 'time'",
        "column 'weight'",
    )


@pytest.mark.parametrize("extra", ["", "2 2\n"])
def test_both_directions_are_one_edge(extra, tmp_path):
    path = write(tmp_path, "0 1\n1 0\n1 2\n2 1\n" + extra)
    graph, report = read_graph_with_report(path)
    loops = [(2, 2)] if extra else []
    assert graph == Graph.from_edges([(0, 1), (1, 2), *loops])
    assert report.both_directions
    assert report.duplicates_merged == 0
    arcs = read_graph(path, directed=True)
    assert arcs.directed
    assert arcs.num_edges == 4 + bool(extra)
    assert not read_graph_with_report(write(tmp_path, "0 1\n1 2\n"))[1].both_directions


def test_both_directions_with_weights(tmp_path):
    path = write(tmp_path, "0 1 3\n1 0 3\n1 2 4\n2 1 4\n")
    assert read_graph(path) == Graph.from_edges([(0, 1), (1, 2)], weights=[3.0, 4.0])
    repeated = write(tmp_path, "0 1 3\n1 0 3\n0 1 3\n1 0 3\n")
    graph, report = read_graph_with_report(repeated, duplicates="sum")
    assert graph == Graph.from_edges([(0, 1)], weights=[6.0])
    assert report.both_directions
    assert report.duplicates_merged == 2
    fails(tmp_path, "0 1 3\n1 0 3\n0 1 3\n1 0 3\n", ":3: expected each pair once")
    fails(tmp_path, "0 1 3\n1 0 4\n", ":2: expected each pair once, got nodes 1 and 0 again after")


@pytest.mark.parametrize(
    ("policy", "weight"), [("sum", 7.0), ("first", 2.0), ("max", 4.0), ("min", 1.0)]
)
@pytest.mark.parametrize("directed", [False, True])
def test_duplicates(policy, weight, directed, tmp_path):
    path = write(tmp_path, "0 1 2\n1 2 9\n# c\n0 1 4\n0 1 1\n")
    graph, report = read_graph_with_report(path, duplicates=policy, directed=directed)
    want = [(0, 1), (1, 2)]
    assert graph == Graph.from_edges(want, weights=[weight, 9.0], directed=directed)
    assert report.duplicates_merged == 2
    assert report.rows == 4
    kept = read_graph(path, duplicates="keep", directed=directed)
    assert kept.num_edges == 4
    fails(tmp_path, path.read_bytes(), ":4: expected each pair once", directed=directed)


def test_duplicate_hints(tmp_path):
    fails(tmp_path, "0 1\n1 2\n1 0\n", ":3: expected each pair once, got nodes 1 and 0 again after")
    fails(tmp_path, "0 1\n1 2\n1 0\n", "directed=True reads both directions as arcs")
    fails(tmp_path, "0 1\n1 2\n0 1\n", "duplicates='sum', 'first', 'max', 'min' or 'keep'")


def test_self_loops(tmp_path):
    path = write(tmp_path, "0 1 5\n1 1 6\n2 2 7\n1 2 8\n1 2 9\n")
    graph, report = read_graph_with_report(path, self_loops="drop", duplicates="max")
    assert graph == Graph.from_edges([(0, 1), (1, 2)], weights=[5.0, 9.0])
    assert report.self_loops_dropped == 2
    assert read_graph(path, duplicates="max").num_self_loops == 2
    fails(tmp_path, path.read_bytes(), ":2: expected no self-loop", self_loops="error")
    fails(tmp_path, path.read_bytes(), ":5: expected each pair once", self_loops="drop")


def test_negative_weights(tmp_path):
    path = write(tmp_path, "0 1 5\n\n1 2 -6\n")
    fails(tmp_path, path.read_bytes(), ":3: expected a weight of at least 0, got -6.0")
    assert read_graph(path, negative="allow").weights.min() == -6
    graph, report = read_graph_with_report(path, negative="abs")
    assert graph.edge_weights().tolist() == [5.0, 6.0]
    assert report.negatives_made_positive == 1


@pytest.mark.parametrize(
    ("text", "message", "options"),
    [
        ("", ": expected a graph, got an empty file", {}),
        ("# only a comment\n\n", ": expected at least one edge, got none", {}),
        ("0 1\n1 x\n", ":2: expected a node id, an integer, got 'x'", {}),
        ("0 1\n# c\n\n1 2.0\n", ":4: expected a node id, an integer, got '2.0'", {}),
        ("0 1\n1 -2\n", ":2: expected a node id of at least 0, got '-2'", {}),
        ("1 2\n2 0\n", ":2: expected node ids from 1 on, as the file counts from 1", {"base": 1}),
        ("0 1\n1 9223372036854775808\n", ":2: expected a node id below 2^63", {}),
        ("0 1\n1 2 3\n", ":2: expected 2 columns, got 3", {}),
        ("0 1 2\n1 2\n", ":2: expected 3 columns, got 2", {}),
        ("0,1\n1,\n", ":2: expected a node id, an integer, got ''", {}),
        ("0 1 2\n1 2 nan\n", ":2: expected a finite weight, got 'nan'", {}),
        ("0 1 2\n1 2 inf\n", ":2: expected a finite weight, got 'inf'", {}),
        ("0 1 2\n1 2 1e999\n", ":2: expected a weight in the range of float64", {}),
        ("0 1 2\n1 2 {}\n", ":2: expected a weight, a number, got '{}'", {}),
        ("0 1\n1 4\n", ":2: expected node ids for num_nodes=4, got node id '4'", {"num_nodes": 4}),
        ("0 1\r2 3\r", ":1: expected ", {}),
        ("0 1\n1 2\r3\n", ":2: expected a line break after a carriage return", {}),
        ('0 1\n1 "2\n', ":2: expected a field that ends at its closing \", got '\"2'", {}),
        ("0 1\n1 \x02\n", ":2: expected text, got binary data '\\x02'", {}),
        ("5\n6\n", ":1: expected two node ids and perhaps a weight, got '5'", {}),
        ("alice bob\n", ":1: expected integer node ids, got names; id_map=PATH", {}),
        ("0 1 2 3\n", ":1: expected 2 or 3 columns, or a header that names them, got 4", {}),
        (
            "0 1\n",
            ":1: expected a header with a column 'a', got no header",
            {"columns": ("a", "b")},
        ),
        ("a b\n0 1\n", ":1: expected a column 'c', got the columns", {"columns": ("a", "c")}),
        ("0 1\n", ":1: expected a column 5, got 2 columns", {"columns": (0, 5)}),
        ("0 1\n", ":1: expected two columns of node ids, got column 0 twice", {"columns": (0, 0)}),
        ("# graphsparse nodes=x directed=no\n0 1\n", ":1: expected '# graphsparse nodes=COUNT", {}),
        (
            "# graphsparse nodes=2 directed=no\n0 1\n0 2\n",
            ":3: the first line declares 2 nodes",
            {},
        ),
        ("# graphsparse nodes=100000000000 directed=no\n0 1\n", ": expected at most 5243", {}),
        ("0 1\n" + "2" * 5_000_000, ":2: expected lines below", {}),
    ],
)
def test_malformed(text, message, options, tmp_path):
    fails(tmp_path, text, message, **options)


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-32-be"])
def test_other_encodings_are_refused(coding, tmp_path):
    fails(tmp_path, "0 1\n1 2\n".encode(coding), "expected UTF-8 text, got ")


def test_compressed_files_that_are_not_whole(tmp_path):
    whole = gzip.compress(b"".join(b"%d %d\n" % (i, i + 1) for i in range(5000)))
    fails(tmp_path, whole[:-500], "expected a whole gzip stream", "g.txt.gz")
    fails(tmp_path, whole[:-4], "expected a whole gzip stream", "g.txt.gz")
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    fails(tmp_path, bytes(damaged), "expected a whole gzip stream", "g.txt.gz")
    fails(tmp_path, b"0 1\n", "expected gzip data, got b'0 1\\n'", "g.txt.gz")
    import pyarrow as pa

    packed = pa.compress(b"0 1\n" * 50_000, "zstd", asbytes=True)
    fails(tmp_path, packed[:-5], "expected a whole zstd stream", "g.txt.zst")


def test_huge_ids_do_not_allocate(tmp_path):
    text = "0 1\n5 1000000000000000\n"
    fails(tmp_path, text, ":2: expected at most 524293 nodes in 23 bytes of text")
    fails(tmp_path, text, "relabel=True numbers the ids anew")
    graph, report = read_graph_with_report(write(tmp_path, text), relabel=True)
    assert graph == Graph.from_edges([(0, 1), (2, 3)])
    assert report.ids.tolist() == [0, 1, 5, 10**15]
    assert read_graph(write(tmp_path, "0 2000000\n"), num_nodes=2_000_001).num_nodes == 2_000_001


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet", ".csv.gz"])
@pytest.mark.parametrize("named", [False, True])
def test_id_maps(suffix, named, tmp_path):
    text = 'zoë "a,b"\n"a,b" 日本\n' if named else "7 30\n30 5\n"
    want = ["zoë", "a,b", "日本"] if named else [5, 7, 30]
    path = tmp_path / f"ids{suffix}"
    graph, report = read_graph_with_report(write(tmp_path, text), id_map=path)
    edges = [(0, 1), (1, 2)] if named else [(1, 2), (2, 0)]
    assert graph == Graph.from_edges(edges)
    assert report.ids.tolist() == want
    assert read_id_map(path).tolist() == want
    assert report.id_map == str(path)


def test_id_map_with_base_and_strings(tmp_path):
    path = write(tmp_path, "1 3\n")
    assert read_graph_with_report(path, relabel=True, base=1)[1].ids.tolist() == [1, 3]
    report = read_graph_with_report(path, relabel=True, ids="string")[1]
    assert report.ids.tolist() == ["1", "3"]
    with pytest.raises(ValueError, match="id_map must end in"):
        read_graph(path, id_map=tmp_path / "ids.txt")
    fails(tmp_path, "1 2\n3 x\n", ":2: expected a node id, an integer", relabel=True)
    fails(tmp_path, b"a b\n\n# c\nb \xff\n", ":4: expected a name in UTF-8", relabel=True)
    fails(tmp_path, "a b\nb c\n", ": expected num_nodes=2 nodes, got 3", relabel=True, num_nodes=2)


def test_names_across_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("graphsparse.io.text.CHUNK", 256)
    rng = np.random.default_rng(19)
    pairs = [(f"node {a}", f"{b}ß") for a, b in rng.integers(0, 50, (300, 2))]
    text = "".join(f"{a}\t{b}\n" for a, b in pairs)
    path = write(tmp_path, text, "g.tsv")
    graph, report = read_graph_with_report(path, relabel=True, directed=True, duplicates="keep")
    number = {}
    for a, b in pairs:
        number.setdefault(a, len(number))
        number.setdefault(b, len(number))
    assert report.ids.tolist() == list(number)
    edges = [(number[a], number[b]) for a, b in pairs]
    assert graph == Graph.from_edges(edges, directed=True)


def test_a_line_across_pieces_keeps_its_number(tmp_path, monkeypatch):
    monkeypatch.setattr("graphsparse.io.text.CHUNK", 256)
    lines = [f"{i} {i + 1}" if i % 7 else "# c" for i in range(500)]
    lines[431] = "1 oops"
    fails(tmp_path, "\n".join(lines), ":432: expected a node id, an integer, got 'oops'")
    lines[431] = lines[9]
    fails(
        tmp_path, "\n".join(lines), ":432: expected each pair once, got nodes 9 and 10 again after "
    )


def test_options_are_checked(tmp_path):
    path = write(tmp_path, "0 1\n")
    for options, message in (
        ({"duplicates": "drop"}, "duplicates must be one of 'error', 'keep'"),
        ({"base": 2}, r"base must be in \[0, 1\], got 2"),
        ({"delimiter": "ab"}, "delimiter must be one ASCII character, got 'ab'"),
        ({"comments": (";",)}, "comments must come from"),
        ({"columns": (1,)}, r"columns must be \(source, target\)"),
        ({"num_nodes": -1}, "num_nodes must be >= 0, got -1"),
    ):
        with pytest.raises(ValueError, match=message):
            read_graph(path, **options)


def test_comments_option(tmp_path):
    path = write(tmp_path, "# c\n0 1\n")
    assert read_graph(path, comments=("#",)).num_edges == 1
    assert read_graph(write(tmp_path, "0 1\n"), comments=()).num_edges == 1
    fails(tmp_path, "\n\n", ": expected at least one edge, got none", comments=())
    fails(tmp_path, "0 1\n# c\n", ":2: expected a node id, an integer, got '#'", comments=("%",))


@pytest.mark.parametrize("size", [100, 70_000, 200_000])
def test_a_long_preamble(size, tmp_path, monkeypatch):
    monkeypatch.setattr("graphsparse.io.text.CHUNK", 1 << 17)
    preamble = "# graphsparse nodes=9 directed=yes\n" + "# note\n\n" * (size // 8)
    text = preamble + "source,weight,target\n0,2.5,3\n5,1,x\n"
    fails(tmp_path, text, f":{text.count(chr(10))}: expected a node id, an integer, got 'x'")
    path = write(tmp_path, text.replace("x", "8"))
    graph, report = read_graph_with_report(path)
    want = Graph.from_edges([(0, 3), (5, 8)], num_nodes=9, weights=[2.5, 1.0], directed=True)
    assert graph == want
    assert report.comments == size // 8 + 1
    assert report.header == ("source", "weight", "target")


def test_streams_and_files_alike(tmp_path):
    path = write(tmp_path, "0 1\n1 2\n2 3\n0 3\n")
    with path.open("rb") as file:
        assert read_graph(file) == FOUR
    with path.open("rb") as file:
        batches = list(iter_edge_batches(file, batch_rows=3, format="edge_list"))
    assert [len(u) for u, _, _ in batches] == [3, 1]
    with pytest.raises(ValueError, match="option 'relabel' needs the whole file"):
        list(iter_edge_batches(path, relabel=True))


def test_options_and_keywords_are_the_same():
    import dataclasses

    from graphsparse.io import ReadKeywords, ReadOptions

    assert list(ReadKeywords.__annotations__) == [f.name for f in dataclasses.fields(ReadOptions)]
