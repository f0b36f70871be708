"""CUDA kernels run on the CPU, thread by thread, against the CPU's own results."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from graphsparse import Graph
from graphsparse.backend import cuda_sources, native
from graphsparse.operators.teddy import _degree_table

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    compiler = shutil.which("g++") or shutil.which("c++")
    assert compiler, "the emulated kernels need a C++ compiler, as the package itself does"
    out = tmp_path_factory.mktemp("emulated") / "trim.so"
    command = [compiler, "-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC"]
    command += [f"-I{cuda_sources()}", f"-I{HERE}", str(HERE / "trim_emulated.cpp"), "-o", str(out)]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(out))


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@pytest.mark.parametrize(("grid", "block"), [(1, 32), (3, 64), (7, 256)])
def test_teddy_scores(kernels, grid, block):
    rng = np.random.default_rng(821)
    graph = Graph.from_edges(rng.integers(0, 90, (400, 2)), num_nodes=97).coalesce()
    graph = graph.without_self_loops()
    table, q = _degree_table("inv_sqrt", int(graph.degree.max()))
    c = native.by_degree(graph.indptr, table)
    t_want, upper = native.node_scores(graph.indptr, graph.indices, c, 2.0**-q, 1)
    t, above = np.full(97, np.nan), np.zeros(97, np.int64)
    kernels.node_scores(
        ctypes.c_int64(97),
        pointer(graph.indptr),
        pointer(graph.indices),
        pointer(c),
        ctypes.c_double(2.0**-q),
        pointer(t),
        pointer(above),
        grid,
        block,
    )
    assert np.array_equal(t, t_want)
    assert np.array_equal(above, np.diff(upper))
    want = native.pair_scores(graph.indptr, graph.indices, t_want, upper, 1)
    keys = np.full(len(want), np.nan)
    kernels.pair_keys(
        ctypes.c_int64(97),
        pointer(graph.indptr),
        pointer(graph.indices),
        pointer(t),
        pointer(upper),
        pointer(keys),
        grid,
        block,
    )
    assert np.array_equal(keys, want)


@pytest.mark.parametrize(("grid", "block"), [(1, 32), (3, 64), (5, 256)])
@pytest.mark.parametrize("distinct", [1, 3, 10_000])
def test_selection(kernels, grid, block, distinct):
    rng = np.random.default_rng(7001)
    values = rng.integers(0, 2**64, distinct, dtype=np.uint64, endpoint=False)
    for size in (1, 31, 64, 1000):
        keys = rng.choice(values, size)
        for k in {1, size // 3, size}:
            if k == 0:
                continue
            mask = np.zeros(size, bool)
            kernels.select_mask(
                pointer(keys), ctypes.c_int64(size), ctypes.c_int64(k), pointer(mask), grid, block
            )
            assert np.array_equal(mask, native.select_largest(keys, k, 1))
