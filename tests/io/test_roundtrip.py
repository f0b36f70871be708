"""What is written is read back: every toy graph in every format that can hold it."""

from __future__ import annotations

import gzip
import os

import numpy as np
import pytest
from graphs import TOYS, random_graph

from graphsparse import Graph, read_graph, write_graph
from graphsparse.io import FORMATS, iter_edge_batches, read_graph_with_report

SUFFIXES = [suffix for form in FORMATS.values() for suffix in form.suffixes]
TEXT = [".txt", ".csv", ".tsv", ".mtx", ".graph", ".graphml", ".gml"]


def fits(graph: Graph, suffix: str) -> bool:
    if suffix in (".graph", ".metis"):
        whole = graph.weights is None or bool(np.all(graph.weights == np.rint(graph.weights)))
        plain = not (graph.num_self_loops or graph.has_parallel_edges)
        return not graph.directed and plain and whole
    return True


def options_for(graph: Graph, suffix: str) -> dict[str, str]:
    """Formats that cannot say that parallel edges are meant need to be told."""
    told = suffix in (".npz", ".parquet", ".pq", ".arrow", ".feather", ".ipc")
    told = told or suffix in FORMATS["edge_list"].suffixes
    return {"duplicates": "keep"} if graph.has_parallel_edges and not told else {}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", TOYS)
def test_toys(name, suffix, tmp_path):
    graph = TOYS[name]()
    path = tmp_path / f"g{suffix}"
    if not fits(graph, suffix):
        with pytest.raises(ValueError, match="METIS"):
            write_graph(graph, path)
        assert not list(tmp_path.iterdir())
        return
    write_graph(graph, path)
    back, report = read_graph_with_report(path, **options_for(graph, suffix))
    assert back == graph
    assert report.directed == graph.directed
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".mtx", ".npz", ".parquet", ".feather", ".gml"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", [301, 302, 303])
def test_weights_keep_their_bits(suffix, dtype, seed, tmp_path):
    rng = np.random.default_rng(seed)
    graph = random_graph(seed, n=30, m=80, directed=seed % 2 == 0).coalesce()
    u, v = graph.edges()
    weights = np.exp(rng.normal(0, 30, len(u))).astype(dtype)
    graph = Graph.from_edges((u, v), num_nodes=30, weights=weights, directed=graph.directed)
    path = tmp_path / f"g{suffix}"
    write_graph(graph, path)
    assert read_graph(path) == graph


@pytest.mark.parametrize("packed", [".gz", ".bz2", ".zst"])
@pytest.mark.parametrize("suffix", TEXT)
def test_compressed(suffix, packed, tmp_path):
    graph = TOYS["karate"]()
    path, plain = tmp_path / f"g{suffix}{packed}", tmp_path / f"g{suffix}"
    write_graph(graph, path)
    write_graph(graph, plain)
    assert path.read_bytes() != plain.read_bytes()
    assert read_graph(path) == graph == read_graph(plain)


def test_gzip_bytes_repeat(tmp_path):
    paths = [tmp_path / f"{i}.txt.gz" for i in range(2)]
    for path in paths:
        write_graph(TOYS["karate"](), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert gzip.decompress(paths[0].read_bytes()).startswith(b"# graphsparse nodes=34 directed=no")


def test_several_pieces(tmp_path, monkeypatch):
    """Lines that lie across the pieces, in every streaming format."""
    monkeypatch.setattr("graphsparse.io.text.CHUNK", 512)
    graph = random_graph(77, n=400, m=900, weighted=True).coalesce().without_self_loops()
    whole = Graph.from_edges(
        graph.edges(), num_nodes=400, weights=np.rint(graph.edge_weights() + 1)
    )
    for suffix in (".txt", ".csv", ".mtx", ".graph", ".txt.gz"):
        path = tmp_path / f"g{suffix}"
        write_graph(whole, path)
        assert read_graph(path) == whole


@pytest.mark.parametrize("suffix", [".txt", ".mtx", ".graph", ".parquet", ".feather"])
@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_batches(suffix, rows, tmp_path):
    graph = TOYS["karate"]()
    path = tmp_path / f"g{suffix}"
    write_graph(graph, path)
    batches = list(iter_edge_batches(path, batch_rows=rows))
    assert all(len(u) == rows for u, _, _ in batches[:-1])
    assert 0 < len(batches[-1][0]) <= rows
    u, v = (np.concatenate([batch[i] for batch in batches]) for i in range(2))
    if suffix == ".graph":
        u, v = u[u <= v], v[u <= v]
    assert Graph.from_edges((u, v), num_nodes=34) == graph


def test_what_does_not_stream_says_so(tmp_path):
    path = tmp_path / "g.npz"
    write_graph(TOYS["karate"](), path)
    with pytest.raises(ValueError, match="format must be one that streams"):
        iter_edge_batches(path)
    with pytest.raises(ValueError, match="option 'duplicates' needs the whole file"):
        iter_edge_batches("g.txt", duplicates="sum")


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "g.txt"
    path.write_text("old")

    def fail(_):
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_graph(TOYS["karate"](), path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["g.txt"]


def test_permissions_are_the_usual_ones(tmp_path):
    plain, path = tmp_path / "plain", tmp_path / "g.txt"
    plain.write_text("")
    write_graph(TOYS["karate"](), path)
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o640)
    write_graph(TOYS["path"](), path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_wrong_calls(tmp_path):
    graph = TOYS["karate"]()
    with pytest.raises(ValueError, match=r"format must be given for the suffix '\.xyz'"):
        write_graph(graph, tmp_path / "g.xyz")
    with pytest.raises(ValueError, match="format must be one of 'edge_list'"):
        write_graph(graph, tmp_path / "g.xyz", format="xyz")
    with pytest.raises(ValueError, match="compress inside"):
        write_graph(graph, tmp_path / "g.npz.gz")
    with pytest.raises(TypeError, match="graph must be a Graph, got list"):
        write_graph([], tmp_path / "g.txt")
    with pytest.raises(FileNotFoundError):
        write_graph(graph, tmp_path / "missing" / "g.txt")
    with pytest.raises(FileNotFoundError):
        read_graph(tmp_path / "g.txt")
    with pytest.raises(FileNotFoundError):
        read_graph(tmp_path / "g.npz")
    with pytest.raises(FileNotFoundError):
        read_graph(tmp_path / "g.parquet")
    with pytest.raises(TypeError, match="no option is called 'weihgt'"):
        read_graph(tmp_path / "g.txt", weihgt=None)
    with pytest.raises(ValueError, match="option 'delimiter' means nothing to the format 'metis'"):
        read_graph(tmp_path / "g.graph", delimiter=",")
