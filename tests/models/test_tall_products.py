"""Products of tall matrices against torch operations, values and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import graphsparse
from graphsparse.models import tall_products
from graphsparse.models.shared_rows import SharedRows
from graphsparse.models.tall_products import sum_of_products

BOUNDS = {torch.float32: 2e-4, torch.float64: 1e-11}


def draw(rng: np.random.Generator, dtype: torch.dtype):
    """Return (pairs, bias, base) of one random sum of products."""
    torch.manual_seed(int(rng.integers(1 << 30)))
    n, columns = int(rng.integers(0, 300)), int(rng.integers(1, 90))
    widths = [int(rng.integers(0, 40)) for _ in range(int(rng.integers(1, 4)))]

    def make(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=dtype, requires_grad=True)

    pairs = [(make(n, k), make(columns, k)) for k in widths]
    kind = int(rng.integers(4))
    if kind == 0:
        return pairs, make(columns), None
    if kind == 1:
        return pairs, None, make(n, columns)
    if kind == 2:
        return pairs, None, SharedRows(make(7, columns), rng.integers(0, 7, n))
    return pairs, None, None


def leaves_of(pairs, bias, base):
    ends = [bias, base.base if isinstance(base, SharedRows) else base]
    return [part for pair in pairs for part in pair] + [end for end in ends if end is not None]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_of_products_equal_torchs(dtype, monkeypatch):
    rng = np.random.default_rng(2_204)
    for _ in range(200):
        arguments = draw(rng, dtype)
        leaves = leaves_of(*arguments)
        got = sum_of_products(*arguments)
        with monkeypatch.context() as patch:
            patch.setattr(tall_products, "is_native", lambda x: False)
            want = sum_of_products(*arguments)
        torch.testing.assert_close(got, want, rtol=BOUNDS[dtype], atol=BOUNDS[dtype])
        push = torch.randn_like(want)
        for a, b in zip(
            torch.autograd.grad(got, leaves, push),
            torch.autograd.grad(want, leaves, push),
            strict=True,
        ):
            torch.testing.assert_close(a, b, rtol=BOUNDS[dtype], atol=10 * BOUNDS[dtype])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_residual_products_and_their_gradients(dtype):
    rng = np.random.default_rng(77)
    for _ in range(50):
        torch.manual_seed(int(rng.integers(1 << 30)))
        n, dim = int(rng.integers(0, 400)), int(rng.integers(1, 80))
        x, w, b = (torch.randn(*s, dtype=dtype) for s in ((n, dim), (dim, dim), (dim,)))
        y = tall_products.residual_forward(x, w, b)
        leaves = [t.clone().requires_grad_() for t in (x, w, b)]
        want = leaves[0] + F.relu(F.linear(*leaves))
        torch.testing.assert_close(y, want, rtol=BOUNDS[dtype], atol=BOUNDS[dtype])
        push = torch.randn_like(y)
        got = tall_products.product_backward(push, x, w, y)
        for a, c in zip(got, torch.autograd.grad(want, leaves, push), strict=True):
            torch.testing.assert_close(a, c, rtol=BOUNDS[dtype], atol=20 * BOUNDS[dtype])


def test_strided_rows_and_weights_are_read_in_place():
    wide, weight = torch.randn(50, 30), torch.randn(12, 20)
    got = sum_of_products([(wide[:, 4:14], weight[:, 10:])])
    torch.testing.assert_close(got, wide[:, 4:14] @ weight[:, 10:].t())
    got = sum_of_products([(wide, weight.new_ones(30, 5).t())])
    torch.testing.assert_close(got, wide.sum(1, keepdim=True).expand(50, 5))


def test_any_number_of_threads_gives_the_same_bits():
    torch.manual_seed(1)
    x, w = torch.randn(9000, 48, requires_grad=True), torch.randn(70, 48, requires_grad=True)
    push, outcomes = torch.randn(9000, 70), []
    for threads in (1, 2, 3):
        graphsparse.set_num_threads(threads)
        out = sum_of_products([(x, w)])
        outcomes.append((out, *torch.autograd.grad(out, (x, w), push)))
    graphsparse.set_num_threads(0)
    for other in outcomes[1:]:
        assert all(torch.equal(a, b) for a, b in zip(outcomes[0], other, strict=True))


def test_large_results_are_whole_and_writable():
    x = tall_products.fresh(torch.zeros(1), 1200, 1000)
    x.fill_(2.0)
    assert x.shape == (1200, 1000)
    assert float(x.sum()) == 2.4e6
