"""Folders of edge-dependent node labels: what is read, and how bad files are refused."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from graphsparse import GraphFormatError, Hypergraph
from graphsparse.io import LabelledHypergraph, is_enc_folder, read_enc

# The tables of the shared data: nodes, hyperedges, incidences, largest, labels, splits.
COUNTS = {
    "StackOverflowBiology": (15490, 26823, 56257, 12, (26290, 18444, 11523), (16093, 5365, 5365)),
    "DBLP": (108484, 91266, 321011, 36, (91266, 138479, 91266), (54759, 18253, 18254)),
    "cora_coauthorship_outsider_id": (1904, 1905, 14990, 43, (7895, 7095), (1753, 76, 76)),
}


def write(folder, members="a\tb\nc\ta\td\n", labels="0\t1\n1\t0\t0\n", valid="", test="1\n"):
    for name, text in (
        ("hypergraph", members),
        ("hypergraph_pos", labels),
        ("valid_hindex", valid),
        ("test_hindex", test),
    ):
        if text is not None:
            (folder / f"{name}.txt").write_text(text)
    return folder


def test_reads_in_order_of_first_appearance(tmp_path):
    data = read_enc(write(tmp_path), shuffle_within=False)
    assert data.hypergraph == Hypergraph([0, 1, 2, 0, 3], [0, 0, 1, 1, 1])
    assert data.node_names == ["a", "b", "c", "d"]
    assert data.y.tolist() == [0, 1, 1, 0, 0]
    assert data.part.tolist() == [0, 2]
    assert data.num_classes == 2
    assert data.rows("train").tolist() == [0, 1]
    assert data.rows("val").tolist() == []
    assert is_enc_folder(tmp_path)
    assert not is_enc_folder(tmp_path / "none")


def test_names_gzip_and_numbered_splits(tmp_path):
    write(tmp_path, "'x/1'\ta\tb\n'y 2'\tb\n", "'x/1'\t0\t1\n'y 2'\t1\n", None, None)
    (tmp_path / "valid_hindex_0.txt").write_text("y 2\n")
    plain = tmp_path / "hypergraph.txt"
    (tmp_path / "hypergraph.txt.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    data = read_enc(tmp_path, shuffle_within=False)
    assert data.hyperedge_names == ["x/1", "y 2"]
    assert data.part.tolist() == [0, 1]
    assert data.hypergraph.nodes.tolist() == [0, 1, 1]
    assert data.subset([1]).hyperedge_names == ["y 2"]


def test_shuffling_moves_rows_within_hyperedges_only(tmp_path):
    wide = "\t".join(f"n{k}" for k in range(40)) + "\nn3\tn4\n"
    labels = "\t".join(str(k) for k in range(40)) + "\n3\t4\n"
    write(tmp_path, wide, labels, test=None)
    data = read_enc(tmp_path, seed=5)
    h = data.hypergraph
    assert h.hyperedges.tolist() == [0] * 40 + [1] * 2
    assert h.nodes[:40].tolist() != list(range(40))
    assert np.array_equal(h.nodes, data.y)  # the label goes with its member
    assert np.array_equal(read_enc(tmp_path, seed=5).hypergraph.nodes, h.nodes)
    assert not np.array_equal(read_enc(tmp_path, seed=6).hypergraph.nodes, h.nodes)


def test_empty_lines(tmp_path):
    write(tmp_path, "a\n\nb\n", "0\n\n1\n", test="2\n")
    with pytest.raises(GraphFormatError, match=r"hypergraph.txt:2: a hyperedge must have members"):
        read_enc(tmp_path)
    data = read_enc(tmp_path, allow_empty=True)
    assert data.hypergraph.num_hyperedges == 3
    assert data.statistics()["empty_hyperedges"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": "0\n1\t0\t0\n"}, r"hypergraph_pos.txt:1: must have 2 labels.*got 1"),
        ({"labels": "0\t1\n1\t0\tx\n"}, r"hypergraph_pos.txt:2: a label must be.*got 'x'"),
        ({"labels": "0\t1\n1\t0\t-2\n"}, r"hypergraph_pos.txt:2: a label must be.*got '-2'"),
        ({"labels": "0\t1\n"}, r"hypergraph_pos.txt: must have a line for each.*got 1"),
        ({"labels": "0\t1\n1\t0\t0\n2\n"}, r"hypergraph_pos.txt:3: must have as many lines"),
        ({"members": "a\t\tb\nc\ta\td\n"}, r"hypergraph.txt:1: fields must not be empty"),
        ({"members": "'q'\ta\nc\ta\td\n"}, r"hypergraph_pos.txt:1: must begin with 'q'"),
        ({"test": "2\n"}, r"test_hindex.txt:1: a hyperedge must be a number in \[0, 2\), got '2'"),
        ({"test": "-1\n"}, r"test_hindex.txt:1: .*got '-1'"),
        ({"valid": "1\n"}, r"test_hindex.txt:1: hyperedge '1' is in two splits"),
        ({"labels": None}, r"must hold hypergraph_pos.txt"),
    ],
)
def test_bad_files_are_refused(tmp_path, change, message):
    with pytest.raises(GraphFormatError, match=message):
        read_enc(write(tmp_path, **change))


def test_bad_arrays_are_refused():
    h = Hypergraph([0, 1], [0, 0])
    with pytest.raises(ValueError, match=r"y must have shape \(2,\), got \(1,\)"):
        LabelledHypergraph(h, np.array([0]), np.array([0]))
    with pytest.raises(ValueError, match="y must be >= -1, got -3 at position 1"):
        LabelledHypergraph(h, np.array([0, -3]), np.array([0]))
    with pytest.raises(ValueError, match=r"part must be in \[-1, 2\], got 4 at hyperedge 0"):
        LabelledHypergraph(h, np.array([0, 1]), np.array([4]))
    data = LabelledHypergraph(h, np.array([0, -1]), np.array([0]))
    assert data.rows("train").tolist() == [0]
    with pytest.raises(ValueError, match="part must be one of"):
        data.rows("all")
    with pytest.raises(ValueError, match=r"hyperedges must be in \[0, 1\), got 1"):
        data.subset([1])


def test_subset_keeps_labels_and_nodes():
    data = LabelledHypergraph(
        Hypergraph([3, 1, 2, 1], [0, 1, 2, 0]), np.array([0, 1, 2, 3]), np.array([0, 1, 2])
    )
    part = data.subset([2, 0])
    assert part.hypergraph == Hypergraph([2, 3, 1], [0, 1, 1], 4, 2)
    assert part.y.tolist() == [2, 0, 3]
    assert part.part.tolist() == [2, 0]


@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_the_shared_sets(shared_data, name):
    nodes, hyperedges, incidences, largest, labels, splits = COUNTS[name]
    facts = read_enc(shared_data / "hypergraph" / name).statistics()
    assert facts["num_nodes"] == nodes
    assert facts["num_hyperedges"] == hyperedges
    assert facts["num_incidences"] == incidences
    assert facts["size"]["max"] == largest
    assert tuple(facts["labels"]) == labels
    assert tuple(facts["splits"].values()) == splits
    json.dumps(facts)
