"""The CUDA kernels of edge attention, thread by thread on the CPU, against the native kernel."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from graphsparse.models import edge_attention_gpu
from graphsparse.models.edge_attention import _weights, edge_attention
from graphsparse.models.receivers import receivers


@pytest.fixture
def gpu(monkeypatch):
    import fake_cupy

    monkeypatch.setitem(sys.modules, "cupy", fake_cupy)
    edge_attention_gpu._module.cache_clear()
    yield fake_cupy
    edge_attention_gpu._module.cache_clear()


@pytest.mark.parametrize(("heads", "dim"), [(4, 32), (3, 8), (2, 5), (1, 128), (5, 17)])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("with_bias", [False, True])
def test_kernels_equal_the_native_ones(gpu, heads, dim, kind, dtype, with_bias):
    dim = min(dim, edge_attention_gpu.WIDEST[dtype])
    torch.manual_seed(heads * dim)
    n, senders = 23, 29
    index = torch.stack([torch.randint(0, senders, (140,)), torch.randint(0, n - 2, (140,))])
    index[1, :50] = 4  # a hub; rows 21 and 22 are empty
    edges = receivers(index, n, senders)
    q = torch.randn(n, heads * dim, dtype=dtype) / dim**0.5
    k, v = (torch.randn(senders, heads * dim, dtype=dtype) for _ in range(2))
    leaves = [t.requires_grad_() for t in (q, k, v)]
    bias = None
    if with_bias:
        bias = torch.randn(140, heads, dtype=dtype)
        bias[torch.rand(140, heads) < 0.1] = -torch.inf
        bias.requires_grad_()
        leaves.append(bias)
    out, _ = edge_attention(edges, q, k, v, bias, heads=heads, kind=kind)
    push = torch.randn_like(out)
    wanted = torch.autograd.grad(out, leaves, push)

    pattern, (turned, entry) = edges.pattern, edges.pattern.transpose
    csr = tuple(map(gpu.asarray, (pattern.indptr, pattern.indices)))
    transpose = tuple(map(gpu.asarray, (turned.indptr, turned.indices, entry)))
    on_device = [None if t is None else gpu.asarray(t.detach().numpy()) for t in (q, k, v, bias)]
    number = 0 if kind == "softmax" else 1
    results = edge_attention_gpu.forward(*csr, *on_device, heads, number)
    close(results[0], out.detach(), dtype)
    *grads, pairs = edge_attention_gpu.backward(
        csr, transpose, tuple(on_device), results, gpu.asarray(push.numpy()), heads, number
    )
    for got, want in zip(grads, wanted[:3], strict=True):
        close(got, want, dtype)
    if with_bias:
        close(pairs[:, 1], wanted[3], dtype)


def close(got, want, dtype):
    bound = 1e-10 if dtype == torch.float64 else 2e-5
    np.testing.assert_allclose(np.asarray(got.get()), want.numpy(), rtol=bound, atol=bound)


def test_lanes_cover_a_head():
    for dtype, widest in edge_attention_gpu.WIDEST.items():
        for dim in range(1, widest + 1):
            lanes = edge_attention_gpu.lanes_per_head(dim, dtype.itemsize)
            assert 16 // dtype.itemsize * lanes >= dim
            assert lanes in (1, 2, 4, 8, 16, 32)


def test_the_torch_operation_has_the_same_gradients(gpu):
    torch.manual_seed(61)
    index = torch.randint(0, 12, (2, 50))
    edges = receivers(index, 12, 12)
    leaves = [torch.randn(12, 24, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    bias = torch.randn(50, 3, dtype=torch.float64, requires_grad=True)
    push = torch.randn(12, 24, dtype=torch.float64)
    want, _ = edge_attention(edges, *leaves, bias, heads=3)
    got, lse = edge_attention_gpu.DeviceAttention.apply(*leaves, bias, edges, 3, 0)
    torch.testing.assert_close(got, want)
    for a, b in zip(
        torch.autograd.grad(got, (*leaves, bias), push),
        torch.autograd.grad(want, (*leaves, bias), push),
        strict=True,
    ):
        torch.testing.assert_close(a, b)
    _, att = edge_attention(edges, *leaves, bias, heads=3)
    found = _weights(edges, *leaves[:2], bias, lse, 3, "softmax")
    torch.testing.assert_close(found, att)
