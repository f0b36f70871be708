"""``graphsparse embed``: formats, JSON, out of core, errors."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import graphs
import numpy as np
import pyarrow.parquet as pq
import pytest
from test_commands import Call

import graphsparse
from graphsparse import fastrp
from graphsparse.io import write_graph, write_id_map


@pytest.fixture
def karate(tmp_path: Path) -> Path:
    """Zachary's karate club as an edge list."""
    file = tmp_path / "karate.txt"
    write_graph(graphs.karate(), file)
    return file


def test_npy_and_json(call: Call, karate: Path, tmp_path: Path) -> None:
    output = tmp_path / "z.npy"
    options = ["--dim", 16, "--weights", "1,2", "--beta", -1, "--seed", 5, "--set", "s=1"]
    status, out, err = call("embed", karate, output, *options, "--json")
    facts = json.loads(out)
    assert (status, err) == (0, "")
    want = fastrp(graphs.karate(), 16, weights=(1, 2), beta=-1, seed=5, s=1)
    assert np.array_equal(np.load(output), want)
    assert (facts["num_nodes"], facts["columns"], facts["num_zero_rows"]) == (34, 16, 0)
    assert facts["parameters"]["weights"] == [1.0, 2.0]
    assert facts["version"] == graphsparse.__version__
    assert set(facts["seconds"]) >= {"read", "embed", "write", "embed_powers"}
    assert facts["peak_memory_bytes"] > 2**20


def test_text_for_people(call: Call, karate: Path, tmp_path: Path) -> None:
    status, out, _ = call("embed", karate, tmp_path / "z.npy", "-d", 8)
    assert status == 0
    assert "vectors    8 columns of float32 (npy)" in out
    assert "[0, 0, 1, 6.67]" in out
    assert call("embed", karate, tmp_path / "z.npy", "-d", 8, "-q") == (0, "", "")


def test_parquet_and_word2vec(call: Call, karate: Path, tmp_path: Path) -> None:
    want = fastrp(graphs.karate(), 8)
    assert call("embed", karate, tmp_path / "z.parquet", "--dim", 8)[0] == 0
    table = pq.read_table(tmp_path / "z.parquet")
    assert table.column("node").to_pylist() == list(range(34))
    assert np.array_equal(np.array(table.column("vector").to_pylist(), np.float32), want)
    write_id_map(tmp_path / "ids.csv", np.array([f"node {k}" for k in range(34)], object))
    names = ["--names", tmp_path / "ids.csv"]
    assert call("embed", karate, tmp_path / "z.vec.gz", "--dim", 8, *names)[0] == 0
    lines = gzip.decompress((tmp_path / "z.vec.gz").read_bytes()).decode().splitlines()
    assert lines[0] == "34 8"
    assert [line.split(" ")[0] for line in lines[1:3]] == ["node_0", "node_1"]
    values = np.array([line.split(" ")[1:] for line in lines[1:]], np.float32)
    assert np.array_equal(values, want)


def test_out_of_core(call: Call, karate: Path, tmp_path: Path) -> None:
    status, _, _ = call("embed", karate, tmp_path / "z.npy", "--dim", 24, "--shard-dim", 8)
    assert status == 0
    assert np.allclose(np.load(tmp_path / "z.npy"), fastrp(graphs.karate(), 24), atol=1e-5)


def test_zero_rows_are_told(call: Call, tmp_path: Path) -> None:
    write_graph(graphs.TOYS["isolated"](), tmp_path / "g.npz")
    status, out, err = call("embed", tmp_path / "g.npz", tmp_path / "z.npy", "-d", 32, "--json")
    assert (status, json.loads(out)["num_zero_rows"]) == (0, 4)
    assert "4 of 7 nodes have no signal" in err
    quiet = call("embed", tmp_path / "g.npz", tmp_path / "z.npy", "-d", 32, "--json", "-q")
    assert quiet[2] == ""


@pytest.mark.parametrize(
    ("output", "arguments", "message"),
    [
        ("z.doc", (), "format must be one of npy, parquet, word2vec"),
        ("z.npy", ("--to", "doc"), "got 'doc' for"),
        ("z.npy.gz", (), "files of the format 'npy' are not compressed"),
        ("no/z.npy", (), "does not exist"),
        ("z.npy", ("--dim", 0), "dim must be"),
        ("z.npy", ("--weights", "1,x"), "must look like 0,0,1,6.67, got '1,x'"),
        ("z.npy", ("--set", "colour=3"), "colour"),
        ("z.vec", ("--shard-dim", 8), "needs a .npy file, got 'z.vec'"),
        ("z.npy", ("--names", "KARATE"), "a .npy file has no place for names"),
    ],
)
def test_wrong_usage(
    call: Call, karate: Path, tmp_path: Path, output: str, arguments, message: str
) -> None:
    arguments = [karate if a == "KARATE" else a for a in arguments]
    status, out, err = call("embed", karate, tmp_path / output, *arguments)
    assert (status, out) == (2, "")
    assert message in " ".join(err.split())
    assert not (tmp_path / output).exists()
