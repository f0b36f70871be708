"""Operators on a graph whose arrays are on the (emulated) GPU: the CPU's edges, bit for bit."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from graphsparse import BackendError, Graph, launch, random_edges, sparsify, teddy
from graphsparse.errors import MissingDependencyError


def simple_graph(seed: int, *, weighted: bool = False, directed: bool = False) -> Graph:
    rng = np.random.default_rng(seed)
    pairs = rng.zipf(1.7, (700, 2)) % 160
    weights = rng.uniform(0.5, 3, 700) if weighted else None
    graph = Graph.from_edges(pairs, num_nodes=170, weights=weights, directed=directed)
    return graph.coalesce().without_self_loops()


@pytest.mark.parametrize("seed", [3, 1009, 77_003])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"protect": "top1"},
        {"tie_break": "hash", "seed": 12},
        {"protect": "top1", "tie_break": "hash", "seed": 5},
        {"hops": 0},
        {"hops": 3},
        {"g": "inv"},
    ],
    ids=str,
)
def test_teddy(gpu, seed, options):
    graph = simple_graph(seed)
    for keep in (0.8, 0.31):
        want = sparsify(graph, "teddy", keep=keep, **options)
        got = sparsify(graph.to("cuda"), "teddy", keep=keep, **options)
        assert got.graph.device == "cuda"
        assert got.graph.to("cpu") == want.graph
        assert got.details == want.details


def test_weights_follow_their_edges(gpu):
    graph = simple_graph(17, weighted=True)
    for method in (teddy, random_edges):
        want = method(graph, keep=0.5, seed=4)
        assert method(graph.to("cuda"), keep=0.5, seed=4).to("cpu") == want


def test_arcs_of_a_directed_graph(gpu):
    graph = simple_graph(23, directed=True)
    want = random_edges(graph, keep=0.4, seed=8)
    assert random_edges(graph.to("cuda"), keep=0.4, seed=8).to("cpu") == want
    want = teddy(graph, keep=0.4, directed="reference")
    assert teddy(graph.to("cuda"), keep=0.4, directed="reference").to("cpu") == want


def test_the_graph_moves_and_answers(gpu):
    graph = simple_graph(29, weighted=True)
    moved = graph.to("cuda")
    assert (graph.device, moved.device) == ("cpu", "cuda")
    assert moved.to("cuda") is moved
    assert moved == graph.to("cuda")
    assert moved != graph
    assert moved.num_edges == graph.num_edges
    assert moved.nbytes == graph.nbytes
    for mine, theirs in zip(moved.edges(), graph.edges(), strict=True):
        assert np.array_equal(mine.get(), theirs)
    kept = moved.edge_subgraph(gpu.ones(moved.num_edges, dtype=bool))
    assert kept == moved
    assert kept.num_self_loops == 0
    assert not kept.has_parallel_edges


def test_what_runs_on_the_cpu_only_says_so(gpu):
    moved = simple_graph(31).to("cuda")
    with pytest.raises(BackendError, match="connected=True runs on the CPU only"):
        teddy(moved, keep=0.5, connected=True)
    with pytest.raises(BackendError, match=r"graph.to\('cpu'\)"):
        moved.arc_edges()
    loops = Graph.from_edges([(0, 0), (0, 1)]).to("cuda")
    with pytest.raises(BackendError, match="sparsifiers take simple graphs"):
        teddy(loops, keep=0.5)


def test_without_cupy_the_pip_line_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'graphsparse\[cuda13\]'"):
        Graph.from_edges([(0, 1)]).to("cuda")


def test_without_a_driver_nvidia_smi_is_named(gpu, monkeypatch):
    def fail():
        raise RuntimeError("cudaErrorInsufficientDriver")

    monkeypatch.setattr(gpu.cuda.runtime, "getDeviceCount", fail)
    with pytest.raises(BackendError, match=r"cudaErrorInsufficientDriver.*nvidia-smi"):
        Graph.from_edges([(0, 1)]).to("cuda")
    monkeypatch.setattr(gpu.cuda.runtime, "getDeviceCount", lambda: 0)
    with pytest.raises(BackendError, match="no CUDA device"):
        Graph.from_edges([(0, 1)]).to("cuda")


def test_without_nvrtc_its_package_is_named(gpu, monkeypatch):
    def fail():
        raise RuntimeError("libnvrtc.so.13: cannot open shared object file")

    monkeypatch.setattr(gpu.cuda.nvrtc, "getVersion", fail)
    with pytest.raises(BackendError, match=r"no NVRTC.*libnvrtc.*pip install nvidia-cuda-nvrtc"):
        Graph.from_edges([(0, 1)]).to("cuda")


def test_headers_are_part_of_the_compiled_text(gpu, monkeypatch):
    # CuPy's cache of compiled kernels does not look into included files.
    seen = []
    monkeypatch.setattr(gpu, "RawModule", lambda code, **_: seen.append(code))
    launch._module("walk.cu")
    assert seen[0].startswith(f"// headers {launch._headers_digest()}\n")
