"""FastRP on what graphs can look like, and what it says of what it cannot take."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
from graphs import TOYS, random_graph
from oracles_fastrp import adjacency, directions, standard

from graphsparse import FastRP, Graph, fastrp
from graphsparse.graph import build_csr
from graphsparse.operators.fastrp import run_fastrp
from graphsparse.sketch import FastRPOptions, estimate_memory
from graphsparse.sketch.transition import transition

quiet = pytest.mark.filterwarnings("ignore:.*have no signal")


@quiet
@pytest.mark.parametrize("name", sorted(TOYS))
@pytest.mark.parametrize("combine", ["sum", "concat"])
def test_every_toy(name: str, combine: str) -> None:
    graph = TOYS[name]()
    z = fastrp(graph, 5, weights=(1, 2), combine=combine)
    assert z.shape == (graph.num_nodes, 5 if combine == "sum" else 10)
    assert z.dtype == np.float32
    assert np.isfinite(z).all()


def test_zero_rows_are_reported_and_warned_of() -> None:
    graph = TOYS["isolated"]()
    with pytest.warns(UserWarning, match="4 of 7 nodes have no signal"):
        state = FastRP(32).fit(graph).state_
    assert state.num_zero_rows == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state = FastRP(32, self_influence=0.7, standardize=False).fit(graph).state_
    assert state.num_zero_rows == 0
    assert np.allclose(np.linalg.norm(state.embedding[[0, 2, 5, 6]], axis=1), 0.7)
    assert "num_zero_rows=0" in repr(state)


def test_constant_columns_become_zero() -> None:
    clique = TOYS["clique"]
    z = fastrp(Graph.from_edges(clique().edges()), 8, weights=(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1))
    assert np.isfinite(z).all()
    n = 50
    pairs = [(u, v) for u in range(n) for v in range(u, n)]  # with loops: M is constant
    for dtype in ("float32", "float64"):
        assert not fastrp(Graph.from_edges(pairs), 16, dtype=dtype).any()


def test_standardisation_equals_the_twin() -> None:
    graph = random_graph(4, 30, 90)
    raw = fastrp(graph, 12, standardize=False, dtype="float64", self_influence=1)
    z = fastrp(graph, 12, dtype="float64", self_influence=1)
    assert np.abs(z - standard(raw)).max() < 1e-12
    state = FastRP(12, self_influence=1).fit(graph).state_
    assert np.allclose(state.mean, raw.mean(0), atol=1e-6)
    assert np.allclose(state.std, raw.std(0), atol=1e-6)


@quiet
def test_directions_of_walks() -> None:
    graph = random_graph(8, 12, 40, directed=True, weighted=True)
    same = {"standardize": False, "dtype": "float64"}
    out, back = fastrp(graph, 6, **same), fastrp(graph.reverse(), 6, **same)
    assert np.array_equal(fastrp(graph, 6, direction="in", **same), back)
    assert np.allclose(fastrp(graph, 6, direction="both", **same), (out + back) / 2)
    a = adjacency(graph)
    both = fastrp(graph, 6, direction="undirected", **same)
    assert np.allclose(both, of_dense(a + a.T, 6, same))
    z = fastrp(graph, 6, direction="both", dtype="float64")
    assert np.allclose(z, standard((out + back) / 2))


def of_dense(a, dim: int, options):
    import scipy.sparse as sp

    return fastrp(sp.csr_array(a), dim, **options)


def test_degree_factors() -> None:
    graph = random_graph(5, 10, 30, directed=True, weighted=True)
    a = adjacency(graph)
    for degree, want in (("out", a.sum(1)), ("in", a.sum(0)), ("total", a.sum(0) + a.sum(1))):
        matrix = transition(graph, FastRPOptions(degree=degree))
        assert np.allclose(matrix.degree, want)
    paper = transition(graph, FastRPOptions(degree_scale="paper", beta=-0.5))
    plain = transition(graph, FastRPOptions(beta=-0.5))
    assert np.allclose(paper.ell, plain.ell * a.sum() ** 0.5)
    loop = transition(graph, FastRPOptions(row_norm="loop"))
    assert np.array_equal(loop.degree, graph.degree)
    undirected = random_graph(5, 10, 30)
    total = transition(undirected, FastRPOptions(degree="total"))
    assert np.array_equal(total.degree, 2 * adjacency(undirected).sum(1))


def test_loops_and_negative_weights() -> None:
    graph = Graph.from_edges([(0, 1), (1, 2)], weights=[2.0, -3.0])
    start = np.eye(3)
    with pytest.raises(ValueError, match=r"must not be negative, got -3.0 at arc 2; allow_negati"):
        fastrp(graph, 3)
    same = {"projection": start, "standardize": False, "weights": (1,), "beta": 0}
    z = fastrp(graph, 3, allow_negative=True, **same)
    assert np.allclose(z, directions(np.array([[0, 1.0, 0], [2, 0, -3], [0, -1, 0]])))
    plain = Graph.from_edges([(0, 1), (1, 2)])
    z = fastrp(plain, 3, add_self_loops=True, **same)
    assert np.allclose(z, directions(np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])))


def test_unit_weights_have_the_bits_of_no_weights() -> None:
    graph = random_graph(2, 20, 50)
    ones = Graph(graph.indptr, graph.indices, np.ones(graph.num_arcs))
    assert np.array_equal(fastrp(graph, 9, self_influence=1), fastrp(ones, 9, self_influence=1))


def test_trailing_zero_weights_cost_nothing() -> None:
    options = FastRPOptions(weights=(1, 0, 2, 0, 0))
    assert options.num_powers == 3
    assert FastRPOptions(weights=(1, 0, 0), combine="concat").num_powers == 3
    assert FastRPOptions(weights=(), self_influence=1).num_powers == 0
    graph = TOYS["karate"]()
    alone = fastrp(graph, 8, weights=(), self_influence=2.0, standardize=False)
    assert np.allclose(np.linalg.norm(alone, axis=1)[np.any(alone, axis=1)], 2.0)


def test_automatic_sparsity() -> None:
    assert FastRPOptions(s="auto", dim=4).threshold(10**6) == 2**31
    assert FastRPOptions(s="auto", dim=512).threshold(10**6) == 2**25
    assert FastRPOptions(s="auto", dim=2**12).threshold(100) == round(2**31 / 10)
    assert FastRPOptions(s=2**31).threshold(5) == 1


def test_a_stable_id_keeps_its_vector() -> None:
    graph, ids = TOYS["karate"](), np.arange(34) + 10**12
    with_more = Graph.from_edges(graph.edges(), num_nodes=40)
    more = np.r_[ids, np.arange(6)]
    same = {"standardize": False, "self_influence": 1}
    before = fastrp(graph, 16, node_ids=ids, **same)
    assert np.array_equal(before, fastrp(with_more, 16, node_ids=more, **same)[:34])


@quiet
def test_sparse_features_and_data_objects() -> None:
    import scipy.sparse as sp

    graph = random_graph(6, 15, 40)
    features = np.random.default_rng(0).random((15, 4)) * (np.arange(60).reshape(15, 4) % 3 == 0)
    dense = fastrp(graph, 10, features=features, feature_ratio=0.5)
    sparse = fastrp(graph, 10, features=sp.csr_array(features), feature_ratio=0.5)
    assert np.allclose(dense, sparse, atol=1e-5)


BAD = [
    ({"dim": 0}, "dim must be >= 1|dim must be in .*got 0"),
    ({"weights": ()}, r"weights must have a non-zero entry.*got \(\) \(empty\)"),
    ({"weights": (0, 0)}, r"weights must have a non-zero entry.*all zero"),
    ({"weights": (1, float("nan"))}, r"weights\[1\] must be finite, got nan"),
    ({"weights": 3}, "weights must be a sequence of numbers, got 3"),
    ({"s": 0.5}, r"s must be 'auto' or in \[1, 2\^31\], got 0.5"),
    ({"s": 2**32}, r"s must be 'auto' or in \[1, 2\^31\], got 4294967296"),
    ({"s": "some"}, r"s must be 'auto' or in \[1, 2\^31\], got 'some'"),
    ({"beta": float("inf")}, "beta must be finite, got inf"),
    ({"feature_ratio": 1.5}, r"feature_ratio must be in \[0, 1\], got 1.5"),
    ({"feature_ratio": 0.5}, "features must be given with feature_ratio=0.5, got None"),
    ({"features": np.full((4, 1), np.nan)}, r"features must be finite, got nan at \(0, 0\)"),
    ({"features": np.ones((3, 1))}, r"features must have shape \(4, f\), got \(3, 1\)"),
    ({"node_ids": [0, 1, 2, 2]}, "node_ids must be unique, got 2 more than once"),
    ({"node_ids": np.arange(4.0)}, "node_ids must be int64, got dtype float64"),
    ({"node_ids": np.arange(3)}, r"node_ids must have shape \(4,\), got \(3,\)"),
    ({"projection": np.ones((4, 3))}, r"projection must have shape \(4, 8\), got \(4, 3\)"),
    ({"projection": np.full((4, 8), np.inf)}, r"projection must be finite, got inf at \(0, 0\)"),
    ({"projection": "dense"}, "projection must be one of.*got 'dense'"),
    ({"combine": "concat", "self_influence": 1}, "self_influence must be 0 with combine='concat'"),
    ({"storage_dtype": "bfloat16", "dtype": "float64"}, "storage_dtype must be None with dtype"),
    ({"out": "z.txt"}, "out must be an array or the path of a .npy file, got 'z.txt'"),
    ({"out": np.ones((4, 8))}, r"out must be a C-contiguous float32 array of shape \(4, 8\)"),
    ({"out": "z.npy", "shard_dim": 6}, "shard_dim must be a positive multiple of 4, got 6"),
    ({"out": "z.npy", "row_norm": "loop"}, "row_norm must be 'merge' or None with out"),
    ({"out": "z.npy", "direction": "both"}, "direction must be .* with out=..., got 'both'"),
    ({"seed": 2**64}, "seed must be in"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_options(options, message: str) -> None:
    graph = Graph.from_edges([(0, 1), (1, 2), (2, 3)])
    options = {"dim": 8, **options}
    with pytest.raises(ValueError, match=message):
        fastrp(graph, **options)


def test_bad_graphs() -> None:
    import scipy.sparse as sp

    with pytest.raises(ValueError, match=r"square|\(2, 3\)"):
        fastrp(sp.csr_array(np.ones((2, 3))), 4)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            fastrp(sp.csr_array(np.array([[0, bad], [1, 0]])), 4)
    with pytest.raises(TypeError, match="options must be those of fastrp, got colour"):
        FastRP(4, colour=3)


@quiet
def test_types_of_graphs_agree() -> None:
    import networkx as nx
    import torch
    from torch_geometric.data import Data

    graph = TOYS["karate"]()
    want = fastrp(graph, 8)
    edge_index = np.stack((graph.arc_rows(), graph.indices)).astype(np.int64)
    nx_graph = nx.Graph()
    nx_graph.add_nodes_from(range(34))
    nx_graph.add_edges_from(zip(*map(list, graph.edges()), strict=True))
    for other in (
        edge_index,
        torch.from_numpy(edge_index),
        Data(edge_index=torch.from_numpy(edge_index), num_nodes=34),
        graph.to_scipy(),
        graph.to_scipy().tocsc(),
        graph.to_scipy().tocoo(),
        nx_graph,
    ):
        assert np.array_equal(fastrp(other, 8), want)
    # a pair given twice counts twice
    twice = np.array([[0, 1, 0, 1, 1, 2], [1, 0, 1, 0, 2, 1]])
    weighted = Graph.from_edges([(0, 1), (1, 2)], weights=[2.0, 1.0])
    assert np.array_equal(fastrp(twice, 8), fastrp(weighted, 8))


def test_out_of_core_writes_a_file(tmp_path) -> None:
    graph = random_graph(9, 60, 240)
    want = fastrp(graph, 40)
    z = fastrp(graph, 40, out=tmp_path / "z.npy", shard_dim=16)
    assert isinstance(z, np.memmap)
    assert np.allclose(z, want, atol=1e-5)
    z.flush()
    assert np.array_equal(np.load(tmp_path / "z.npy"), z)
    assert [p.name for p in tmp_path.iterdir()] == ["z.npy"]  # the powers are gone
    joined = fastrp(graph, 40, combine="concat", out=tmp_path / "c.npy", shard_dim=16)
    assert np.allclose(joined, fastrp(graph, 40, combine="concat"), atol=1e-6)
    empty = fastrp(TOYS["empty"](), 6, out=tmp_path / "e.npy")
    assert empty.shape == np.load(tmp_path / "e.npy").shape == (0, 6)


def test_memory_is_told_before() -> None:
    told = estimate_memory(10**6, 21_086_812, 128)
    assert told.graph == 8 * (10**6 + 1) + 4 * 21_086_812
    assert told.result == 10**6 * 128 * 4
    assert told.peak <= told.graph + 3 * told.result + 100 * 10**6
    half = estimate_memory(10**6, 10**7, 128, storage_dtype="bfloat16")
    assert half.scratch < told.scratch
    assert estimate_memory(100, 200, 8, projection="gaussian").scratch > 0
    assert "peak=1.2 GB" in repr(told)


def test_memory_told_is_memory_used() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import numpy as np\n"
        "from harness import peak_rss\n"
        "from graphsparse import fastrp, Graph\n"
        "from graphsparse.sketch import estimate_memory\n"
        "rng = np.random.default_rng(0)\n"
        "graph = Graph.from_edges(rng.integers(0, 100_000, (400_000, 2)), num_nodes=100_000)\n"
        "fastrp(Graph.from_edges([(0, 1)]), 4)\n"
        "told = estimate_memory(100_000, graph.num_arcs, 128, self_influence=1.0)\n"
        "used = peak_rss(lambda: fastrp(graph, 128, n_threads=1, self_influence=1.0))\n"
        "print(used / (told.result + told.scratch))"
    )
    benchmarks = os.path.join(os.path.dirname(__file__), "..", "..", "benchmarks")
    run = subprocess.run(
        [sys.executable, "-c", code, benchmarks], capture_output=True, text=True, check=True
    )
    assert 0.5 < float(run.stdout) < 1.15


def test_interrupt_stops_a_run() -> None:
    code = (
        "import numpy as np, os, signal, threading\n"
        "from graphsparse import fastrp, Graph\n"
        "rng = np.random.default_rng(0)\n"
        "graph = Graph.from_edges(rng.integers(0, 200_000, (4_000_000, 2)), num_nodes=200_000)\n"
        "timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "timer.start()\n"
        "try:\n"
        "    fastrp(graph, 256, weights=[1] * 400)\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert run.stdout == "stopped\n"


def test_state_keeps_powers_only_if_asked() -> None:
    graph = TOYS["karate"]()
    options = FastRPOptions(dim=4)
    assert run_fastrp(graph, options).powers == ()
    assert len(run_fastrp(graph, options, keep_powers=True).powers) == 4
    with pytest.raises(ValueError, match="keep_powers must be False with direction='both'"):
        run_fastrp(graph, FastRPOptions(direction="both"), keep_powers=True)
    with pytest.raises(ValueError, match="keep_powers must be False with out"):
        run_fastrp(graph, options, out="z.npy", keep_powers=True)


def test_parallel_arcs_are_summed() -> None:
    row, col = np.array([0, 0, 1, 1, 1, 2]), np.array([1, 1, 0, 0, 2, 1])
    pattern, _ = build_csr(row, col, 3, mirror=False)
    twice = Graph(pattern.indptr, pattern.indices)
    weighted = Graph.from_edges([(0, 1), (1, 2)], weights=[2.0, 1.0])
    assert np.array_equal(fastrp(twice, 6), fastrp(weighted, 6))
