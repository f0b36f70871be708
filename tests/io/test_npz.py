"""npz: our own files, SciPy's, and archives that lie."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import scipy.sparse as sp
from graphs import TOYS

from graphsparse import Graph, GraphFormatError, read_graph, write_graph
from graphsparse.io import read_graph_with_report
from graphsparse.io.zipped import load_arrays


def rewrite(path, **changes):
    """Save the arrays of a file again, some of them changed or (None) left out."""
    arrays = {**dict(np.load(path)), **changes}
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


@pytest.fixture
def karate(tmp_path):
    path = tmp_path / "g.npz"
    write_graph(TOYS["karate"](), path)
    return path


def test_plain_read_keeps_everything(karate, tmp_path):
    graph, report = read_graph_with_report(karate)
    assert graph == TOYS["karate"]()
    assert (report.rows, report.directed_by) == (78, "file")
    signed = Graph.from_edges([(0, 1), (1, 2)], weights=np.array([-1.5, 2], np.float32))
    path = tmp_path / "signed.npz"
    write_graph(signed, path)
    back = read_graph(path)
    assert back == signed
    assert back.weights.dtype == np.float32
    assert read_graph(path, negative="abs").weights.min() == 1.5
    with pytest.raises(GraphFormatError, match="expected a weight of at least 0"):
        read_graph(path, negative="error")
    assert read_graph(path, weight=None).weights is None


def test_options(karate):
    assert read_graph(karate, directed=True).num_edges == 156
    assert read_graph(karate, num_nodes=34).num_nodes == 34
    with pytest.raises(GraphFormatError, match="expected num_nodes=35 as asked, got 34"):
        read_graph(karate, num_nodes=35)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"graphsparse": np.int64(2)}, "expected version 1 of the format, got 2"),
        ({"graphsparse": np.arange(3)}, "graphsparse must be one value"),
        ({"indptr": None}, "no array 'indptr'"),
        ({"directed": None}, "no array 'directed'"),
        ({"indices": np.zeros(3)}, "indices must hold integers"),
        ({"indices": np.zeros(156, np.int32)}, "hold every edge in both directions"),
        ({"indices": np.full(156, 99, np.int32)}, r"indices must be in \[0, 34\), got 99"),
        ({"weights": np.full(156, np.nan)}, "weights must be finite"),
        ({"weights": np.ones(5)}, r"weights must have shape \(156,\), got \(5,\)"),
        ({"graphsparse": None}, "expected the arrays of a graph"),
        ({"indptr": np.array([None], object)}, "expected numbers, got Python objects"),
    ],
)
def test_damaged_arrays(karate, changes, message):
    rewrite(karate, **changes)
    with pytest.raises(GraphFormatError, match=message) as caught:
        read_graph(karate)
    assert str(caught.value).startswith(str(karate))


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("seed", [523, 524])
def test_scipy_files(form, symmetric, seed, tmp_path):
    rng = np.random.default_rng(seed)
    matrix = sp.random_array((20, 20), density=0.2, rng=rng, format="csr")
    if symmetric:
        matrix = matrix + matrix.T
    path = tmp_path / "m.npz"
    sp.save_npz(path, matrix.asformat(form))
    graph, report = read_graph_with_report(path)
    assert graph.directed != symmetric
    assert report.directed_by == "detected"
    assert (graph.to_scipy() != matrix).nnz == 0
    assert read_graph(path, directed=True).directed


def test_scipy_files_that_are_no_graph(tmp_path):
    path = tmp_path / "m.npz"
    for matrix, message in (
        (sp.csr_array((3, 4)), "expected a square matrix, got shape"),
        (sp.dia_array((3, 3)), "expected format coo, csr or csc, got 'dia'"),
        (sp.csr_array(np.eye(3) * np.nan), "expected finite weights, got nan at entry 0"),
        (sp.csr_array(np.eye(3) * -1), "entry 0: expected a weight of at least 0, got -1.0"),
        (sp.csr_array(np.eye(3) * 1j), "expected real weights, got dtype complex128"),
    ):
        sp.save_npz(path, matrix)
        with pytest.raises(GraphFormatError, match=message):
            read_graph(path)
    sp.save_npz(path, sp.csr_array(np.eye(3)))
    rewrite(path, indptr=np.array([0, 5, 2, 3]))
    with pytest.raises(GraphFormatError, match="expected indptr of 4 entries that rise from"):
        read_graph(path)
    sp.save_npz(path, sp.csr_array(np.eye(3)))
    rewrite(path, indices=np.array([0, 1, 3]))
    with pytest.raises(GraphFormatError, match=r"expected ids in \[0, 3\), got 0 to 3"):
        read_graph(path)


def npy_with_shape(shape: str) -> bytes:
    head = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + b"\0" * 80


@pytest.mark.parametrize("shape", ["(100000000000,)", "(2**40,)", "(-1,)", "(10**9, 10**9)"])
def test_a_header_that_lies_about_the_shape(shape, tmp_path):
    path = tmp_path / "g.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("indptr.npy", npy_with_shape(shape))
    with pytest.raises(GraphFormatError, match=r"g\.npz: "):
        read_graph(path)


def test_a_zip_bomb_is_refused(tmp_path):
    path = tmp_path / "g.npz"
    np.savez_compressed(path, indptr=np.zeros(10_000_000))
    with pytest.raises(GraphFormatError, match="bytes of arrays in a file of this size"):
        load_arrays(path)


def test_no_archive_at_all(tmp_path, karate):
    path = tmp_path / "x.npz"
    for data in (b"", b"PK", b"junk" * 100, karate.read_bytes()[:-30], karate.read_bytes()[40:]):
        path.write_bytes(data)
        with pytest.raises(GraphFormatError, match=r"x\.npz: expected a whole \.npz file"):
            read_graph(path)


def test_from_a_stream(karate):
    assert read_graph(io.BytesIO(karate.read_bytes()), format="npz") == TOYS["karate"]()
