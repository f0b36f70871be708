"""FastRP on the (emulated) GPU: within 1e-5 of the CPU, every bin of rows, every option."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphsparse import BackendError, Graph, fastrp
from graphsparse.operators.fastrp import FastRP
from graphsparse.sketch import device


def skewed(seed: int, n: int = 80, m: int = 600, *, directed: bool = False) -> Graph:
    rng = np.random.default_rng(seed)
    pairs = rng.zipf(1.6, (m, 2)) % n
    weights = rng.uniform(0.2, 3, m) if seed % 2 else None
    graph = Graph.from_edges(pairs, num_nodes=n, weights=weights, directed=directed)
    return graph.coalesce()


@pytest.fixture
def small_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let toy graphs have rows for warps, for blocks, and for pieces."""
    for name, value in (("_BLOCK_ROW", 5), ("_HUB_ROW", 20), ("_PIECE", 7)):
        monkeypatch.setattr(device, name, value)


def close(got: Any, want: np.ndarray) -> None:
    values = got.get()
    assert (values.shape, values.dtype) == (want.shape, want.dtype)
    tolerance = 1e-5 if want.dtype == np.float32 else 1e-12
    scale = np.abs(want).max(initial=0.0) or 1.0
    assert np.abs(values - want).max(initial=0.0) <= tolerance * scale


OPTIONS: list[dict[str, Any]] = [
    {},
    {"standardize": False},
    {"row_norm": "loop", "standardize": False},
    {"row_norm": None, "dtype": "float64"},
    {"combine": "concat"},
    {"self_influence": 0.7},
    {"projection": "gaussian", "beta": 0.2},
    {"matrix": "adjacency", "s": "auto"},
    {"dangling": "self", "add_self_loops": True},
    {"weights": (1, 2, 0, 0.5), "degree_scale": "paper"},
]


@pytest.mark.filterwarnings("ignore:.*nodes have no signal")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dim", [1, 10, 128, 300])
def test_same_as_the_cpu(gpu: Any, small_bins: None, options: Any, dim: int) -> None:
    for seed in (4, 7):
        graph = skewed(seed, directed=seed == 7)
        want = fastrp(graph, dim, seed=9, **options)
        got = fastrp(graph.to("cuda"), dim, seed=9, **options)
        close(got, want)


@pytest.mark.filterwarnings("ignore:.*nodes have no signal")
def test_ids_features_directions_and_powers(gpu: Any, small_bins: None) -> None:
    graph = skewed(11, directed=True)
    rng = np.random.default_rng(5)
    inputs = {"node_ids": rng.permutation(500)[:80].astype(np.int64)}
    for extra in (
        {"direction": "in"},
        {"direction": "undirected", "degree": "total"},
        {"features": rng.normal(0, 1, (80, 6)), "feature_ratio": 0.5},
        {"projection": rng.normal(0, 1, (80, 12))},
    ):
        want = fastrp(graph, 12, **inputs, **extra)
        close(fastrp(graph.to("cuda"), 12, **inputs, **extra), want)
    powers = [
        FastRP(12, seed=3).fit(g, keep_powers=True).state_.powers for g in (graph, graph.to("cuda"))
    ]
    assert len(powers[0]) == len(powers[1])
    for want, got in zip(*powers, strict=True):
        close(got, want)


@pytest.mark.filterwarnings("ignore:.*nodes have no signal")
def test_tiny_graphs(gpu: Any) -> None:
    for graph in (
        Graph.from_edges([], num_nodes=0),
        Graph.from_edges([], num_nodes=3),
        Graph.from_edges([(0, 0)], num_nodes=1),
        Graph.from_edges([(0, k) for k in range(1, 30)]),
    ):
        # The columns of a star are constant up to rounding: standardising would blow that up.
        got, want = (fastrp(g, 8, standardize=False) for g in (graph.to("cuda"), graph))
        close(got, want)


def test_lengths_beyond_the_range_of_squares(gpu: Any) -> None:
    graph = Graph.from_edges([(0, 1), (1, 2), (2, 0), (2, 3)])
    for scale in (1e-200, 1e200):
        start = np.random.default_rng(1).normal(0, scale, (4, 5))
        options = {"projection": start, "dtype": "float64", "standardize": False}
        close(fastrp(graph.to("cuda"), 5, **options), fastrp(graph, 5, **options))


@pytest.mark.parametrize(
    "options",
    [{"dim": 513}, {"direction": "both"}, {"storage_dtype": "bfloat16"}],
    ids=str,
)
def test_what_runs_on_the_cpu_only_says_so(gpu: Any, options: Any) -> None:
    graph = skewed(4).to("cuda")
    with pytest.raises(BackendError, match=r"fastrp runs on the CPU only with .*to\('cpu'\)"):
        fastrp(graph, **{"dim": 8, **options})


def test_pieces_cover_long_rows() -> None:
    begin, end = np.array([5, 9_000]), np.array([5 + 4096 * 2, 9_000 + 4097])
    first, cuts = device._pieces(begin, end)
    assert first.tolist() == [0, 2, 4]
    assert cuts.tolist() == [[5, 4101], [4101, 8197], [9000, 13096], [13096, 13097]]
