"""The same operators on a real GPU: the CPU's edges, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from graphsparse import BackendError, Graph, random_edges, sparsify
from graphsparse.launch import cupy

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module", autouse=True)
def gpu():
    try:
        return cupy()
    except BackendError as error:
        pytest.skip(f"no GPU here: {error}")


@pytest.fixture(scope="module")
def graph() -> Graph:
    rng = np.random.default_rng(51_001)
    pairs = rng.zipf(1.5, (400_000, 2)) % 60_013
    return Graph.from_edges(pairs, num_nodes=60_013).coalesce().without_self_loops()


@pytest.mark.parametrize(
    "options",
    [{}, {"protect": "top1"}, {"tie_break": "hash", "seed": 12}, {"hops": 3}, {"g": "inv"}],
    ids=str,
)
def test_teddy(graph, options):
    for keep in (0.9, 0.5, 0.1):
        want = sparsify(graph, "teddy", keep=keep, **options)
        got = sparsify(graph.to("cuda"), "teddy", keep=keep, **options)
        assert got.graph.to("cpu") == want.graph
        assert got.details == want.details


def test_random_edges(graph):
    for seed in (5, 2**63 + 1):
        want = random_edges(graph, keep=0.37, seed=seed)
        assert random_edges(graph.to("cuda"), keep=0.37, seed=seed).to("cpu") == want
