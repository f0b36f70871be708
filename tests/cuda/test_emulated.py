"""CUDA kernels run on the CPU, thread by thread, against the native kernels."""

from __future__ import annotations

import numpy as np
import pytest

from graphsparse import Graph, device
from graphsparse.backend import native
from graphsparse.selection import degree_table


def to_device(gpu, *arrays):
    return tuple(gpu.asarray(array) for array in arrays)


@pytest.fixture(params=[np.int32, np.int64], ids=["int32", "int64"])
def graph(request):
    rng = np.random.default_rng(821)
    graph = Graph.from_edges(rng.integers(0, 90, (400, 2)), num_nodes=97).coalesce()
    graph = graph.without_self_loops()
    object.__setattr__(graph, "indices", graph.indices.astype(request.param))
    return graph


def test_kernels_follow_the_array(gpu):
    assert device.kernels(np.zeros(3)) is native
    assert device.kernels(gpu.zeros(3)) is device


def test_teddy_scores(gpu, graph):
    csr = graph.indptr, graph.indices
    on_device = to_device(gpu, *csr)
    table, q = degree_table("inv_sqrt", int(graph.degree.max()))
    c = native.by_degree(graph.indptr, table)
    c_device = device.by_degree(on_device[0], table)
    assert np.array_equal(c_device.get(), c)
    t, upper = native.node_scores(*csr, c, 2.0**-q, 1)
    t_device, upper_device = device.node_scores(*on_device, c_device, 2.0**-q, 1)
    assert np.array_equal(t_device.get(), t)
    assert np.array_equal(upper_device.get(), upper)
    pairs = device.pair_scores(*on_device, t_device, upper_device, 1)
    assert np.array_equal(pairs.get(), native.pair_scores(*csr, t, upper, 1))
    arcs = device.arc_scores(*on_device, t_device, t_device, 1)
    assert np.array_equal(arcs.get(), native.arc_scores(*csr, t, t, 1))
    mean = device.neighbour_mean(*on_device, c_device, 1)
    assert np.array_equal(mean.get(), native.neighbour_mean(*csr, c, 1))


@pytest.mark.parametrize("distinct", [1, 3, 10_000])
def test_selection(gpu, distinct):
    rng = np.random.default_rng(7001)
    values = rng.integers(0, 2**64, distinct, dtype=np.uint64, endpoint=False)
    for size in (1, 31, 256, 3000):
        keys = rng.choice(values, size)
        (on_device,) = to_device(gpu, keys)
        for k in {0, 1, size // 3, size}:
            mask = device.select_largest(on_device, k, 1)
            assert np.array_equal(mask.get(), native.select_largest(keys, k, 1))
            if k:
                assert device.kth_largest(on_device, k, 1) == native.kth_largest(keys, k, 1)


def test_codes_draws_and_hashes(gpu, graph):
    csr = graph.indptr, graph.indices
    on_device = to_device(gpu, *csr)
    for upper_only in (True, False):
        codes = native.edge_codes(*csr, upper_only)
        codes_device = device.edge_codes(*on_device, upper_only)
        assert np.array_equal(codes_device.get(), codes)
    draws = device.draw_a(2**63 + 11, codes_device, 4, 2, 1)
    assert np.array_equal(draws.get(), native.draw_a(2**63 + 11, codes, 4, 2, 1))
    hashes = device.tie_hashes(77, codes_device, 1)
    assert np.array_equal(hashes.get(), native.tie_hashes(77, codes, 1))


def test_masks_and_filters(gpu, graph):
    rng = np.random.default_rng(15_013)
    csr = graph.indptr, graph.indices
    on_device = to_device(gpu, *csr)
    mask = rng.random(graph.num_edges) < 0.4
    arcs = native.arc_mask(*csr, mask)
    arcs_device = device.arc_mask(*on_device, *to_device(gpu, mask))
    assert np.array_equal(arcs_device.get(), arcs)
    want = native.filter(*csr, arcs, True, 1)
    got = device.filter(*on_device, arcs_device, True, 1)
    for a, b in zip(got, want, strict=True):
        assert np.array_equal(a.get(), b)
    assert device.filter(*on_device, arcs_device, False, 1)[2] is None


def test_inspection(gpu):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.integers(0, 40, 300))
        indptr = np.searchsorted(rows, np.arange(41)).astype(np.int64)
        columns = rng.integers(0, 40, 300).astype(np.int32)
        if seed % 2:
            columns = columns[np.lexsort((columns, rows))]
        want = native.inspect(indptr, columns)
        got = device.inspect(*to_device(gpu, indptr, columns))
        assert got[0] == want[0]
        if want[0] < 0:  # counts of a row out of order mean nothing
            assert got == tuple(want)
    empty = to_device(gpu, np.zeros(1, np.int64), np.zeros(0, np.int32))
    assert device.inspect(*empty) == (-1, 0, 0)


@pytest.mark.parametrize("hashed", [True, False])
def test_best_edges(gpu, graph, hashed):
    rng = np.random.default_rng(9_041)
    u, v = (ends.astype(np.int64) for ends in graph.edges())
    keys = rng.integers(0, 4, len(u)).astype(np.uint64)
    ties = rng.integers(0, 3, len(u) if hashed else 0).astype(np.uint64)
    want = native.best_edges(u, v, keys, ties, graph.num_nodes)
    got = device.best_edges(*to_device(gpu, u, v, keys, ties), graph.num_nodes)
    assert np.array_equal(got.get(), want)
