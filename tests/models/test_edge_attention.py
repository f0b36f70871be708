"""The fused attention along edges against a loop, against torch, and its gradients."""

from __future__ import annotations

import numpy as np
import oracles_gin as oracle
import pytest
import torch
from torch.autograd import gradcheck

import graphsparse
from graphsparse.models.edge_attention import (
    composed_edge_attention,
    edge_attention,
    head_dots,
    head_sums,
)
from graphsparse.models.edge_scores import top_entries
from graphsparse.models.receivers import receivers


def random_edges(rng: np.random.Generator) -> tuple[int, torch.Tensor]:
    """Any graph: empty, one node, doubled edges, self-loops, a hub, isolated nodes."""
    n = int(rng.integers(1, 14))
    m = int(rng.integers(0, 40))
    edges = rng.integers(0, n, (2, m))
    if rng.random() < 0.3:
        edges[1] = 0
    return n, torch.from_numpy(edges)


def inputs(n: int, width: int, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    return [torch.randn(n, width, dtype=dtype) for _ in range(3)]


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_equals_the_loop_on_random_graphs(kind: str) -> None:
    rng = np.random.default_rng(6271)
    torch.manual_seed(6271)
    for case in range(220):
        n, index = random_edges(rng)
        heads, dim = [(1, 3), (2, 8), (3, 16), (4, 5)][case % 4]
        q, k, v = inputs(n, heads * dim)
        bias = torch.randn(index.shape[1], heads, dtype=torch.float64)
        bias[rng.random(bias.shape) < 0.2] = -torch.inf
        edges = receivers(index, n, n)
        out, att = edge_attention(edges, q, k, v, bias[edges.order], heads=heads, kind=kind)
        arrays = [t.numpy() for t in (*index, q, k, v, bias)]
        want, want_att = oracle.edge_attention(*arrays, heads, kind)
        np.testing.assert_allclose(out.numpy(), want, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(att[edges.position].numpy(), want_att, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
@pytest.mark.parametrize(("heads", "dim"), [(4, 32), (8, 16), (2, 64), (3, 20), (1, 144)])
def test_single_precision_equals_torch(kind: str, heads: int, dim: int) -> None:
    torch.manual_seed(heads * 1000 + dim)
    index = torch.randint(0, 60, (2, 700))
    index[1, :300] = 7  # a hub
    edges = receivers(index, 60, 60)
    parts = [t.requires_grad_() for t in inputs(60, heads * dim, torch.float32)]
    push = torch.randn(60, heads * dim)
    results = []
    for run in (edge_attention, composed_edge_attention):
        q, k, v = parts
        out, att = run(edges, q * 0.2, k, v, heads=heads, kind=kind)
        results.append((out, att, *torch.autograd.grad(out, parts, push)))
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=2e-5)


def test_exponential_is_accurate_over_its_range() -> None:
    # One entry per row, sigmoid: a = 1 / (1 + exp(-s)).  The scores are the bias.
    s = torch.linspace(-90.0, 90.0, 40_001)
    n = len(s)
    edges = receivers(torch.stack([torch.arange(n)] * 2), n, n)
    zero = torch.zeros(n, 1)
    _, att = edge_attention(edges, zero, zero, zero, s[:, None], heads=1, kind="sigmoid")
    want = torch.sigmoid(s.double())
    error = ((att[:, 0].double() - want).abs() / want)[s > -87.0]
    assert float(error.max()) < 4e-7


GRAPH = torch.tensor([[0, 1, 2, 3, 4, 1, 1, 0, 5], [0, 0, 0, 0, 0, 0, 2, 3, 3]])


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_gradients(kind: str) -> None:
    # Node 0 is a hub with a doubled edge, 2 has one edge, 1, 4 and 5 have none.
    torch.manual_seed(77)
    edges = receivers(GRAPH, 6, 6)
    args = [t.requires_grad_() for t in inputs(6, 6)]
    bias = torch.randn(9, 2, dtype=torch.float64, requires_grad=True)

    def run(*given: torch.Tensor) -> torch.Tensor:
        return edge_attention(edges, *given, heads=2, kind=kind)[0]

    assert gradcheck(run, (*args, bias))


def test_gradients_of_the_products() -> None:
    torch.manual_seed(78)
    edges = receivers(GRAPH, 6, 6)
    left, right, _ = (t.requires_grad_() for t in inputs(6, 6))
    weight = torch.randn(9, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda a, b: head_dots(edges, a, b, 2), (left, right))
    assert gradcheck(lambda w, b: head_sums(edges, w, b, 2), (weight, right))


def test_bits_do_not_depend_on_threads_or_runs() -> None:
    torch.manual_seed(79)
    index = torch.randint(0, 3000, (2, 60_000))
    edges = receivers(index, 3000, 3000)
    parts = [t.requires_grad_() for t in inputs(3000, 128, torch.float32)]
    push = torch.randn(3000, 128)
    before = graphsparse.backend.requested_threads()
    results = []
    try:
        for threads in (1, 8, 1, 3):
            graphsparse.set_num_threads(threads)
            out, att = edge_attention(edges, *parts, heads=4)
            results.append((out, att, *torch.autograd.grad(out, parts, push)))
    finally:
        graphsparse.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("keep", [1.0, 0.5, 0.34, 0.01])
def test_top_entries_equal_a_sort(keep: float) -> None:
    rng = np.random.default_rng(3313)
    for _ in range(60):
        n, index = random_edges(rng)
        index = torch.unique(index, dim=1)  # copies of an edge are equal: either may stay
        edges = receivers(index, n, n)
        att = torch.from_numpy(rng.integers(0, 4, (index.shape[1], 2)) / 4.0)
        alive = torch.ones(index.shape[1], dtype=torch.bool)
        got = top_entries(edges, att[edges.order], alive, keep)[edges.position]
        want = oracle.top_share(*index.numpy(), att.numpy(), keep)
        assert np.array_equal(got.numpy(), want)


def test_edges_are_sorted_once_and_again_after_a_change() -> None:
    index = torch.tensor([[0, 1, 2], [1, 2, 0]])
    first = receivers(index, 3, 3)
    assert receivers(index, 3, 3) is first
    assert receivers(index, 3, 3, self_loops=True) is not first
    index[1, 0] = 2
    changed = receivers(index, 3, 3)
    assert changed is not first
    assert changed.counts.tolist() == [1, 0, 2]
