"""The CUDA kernels of edge attention, thread by thread on the CPU, against the native kernel."""

from __future__ import annotations

import pytest
import torch

from graphsparse.models import GINAttention, device_ops, edge_attention_gpu
from graphsparse.models.edge_attention import _weights, edge_attention
from graphsparse.models.receivers import receivers


@pytest.fixture(autouse=True)
def stream(gpu, monkeypatch):
    monkeypatch.setattr(device_ops, "stream_handle", lambda device: 0)


@pytest.mark.parametrize(("heads", "dim"), [(4, 32), (3, 8), (2, 5), (1, 128), (5, 17)])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("with_bias", [False, True])
def test_kernels_equal_the_native_ones(heads, dim, kind, dtype, with_bias):
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
    want, att = edge_attention(edges, q, k, v, bias, heads=heads, kind=kind)
    number = 0 if kind == "softmax" else 1
    got, lse = edge_attention_gpu.DeviceAttention.apply(q, k, v, bias, edges, heads, number)
    bound = 1e-10 if dtype == torch.float64 else 2e-5
    torch.testing.assert_close(got, want, rtol=bound, atol=bound)
    found = _weights(edges, q, k, bias, lse, heads, kind)
    torch.testing.assert_close(found, att, rtol=bound, atol=bound)
    push = torch.randn_like(want)
    for a, b in zip(
        torch.autograd.grad(got, leaves, push),
        torch.autograd.grad(want, leaves, push),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=bound, atol=bound)


def test_the_layer_takes_the_kernels_on_a_gpu(torch_gpu, monkeypatch):
    torch.manual_seed(62)
    layer, x = GINAttention(16, heads=2, normalize="degree").eval(), torch.randn(9, 16)
    index = torch.randint(0, 9, (2, 30))
    on_device = layer(x, index, return_attention=True)
    monkeypatch.setattr(device_ops, "is_on_gpu", lambda tensor: False)
    for got, want in zip(on_device, layer(x, index, return_attention=True), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


def test_an_empty_graph_starts_no_kernel():
    edges = receivers(torch.zeros(2, 0, dtype=torch.int64), 0, 0)
    q = torch.zeros(0, 8, requires_grad=True)
    out, _ = edge_attention_gpu.DeviceAttention.apply(q, q, q, None, edges, 2, 0)
    out.sum().backward()
    assert q.grad.shape == (0, 8)


def test_lanes_cover_a_head():
    for dtype, widest in edge_attention_gpu.WIDEST.items():
        for dim in range(1, widest + 1):
            lanes = edge_attention_gpu.lanes_per_head(dim, dtype.itemsize)
            assert 16 // dtype.itemsize * lanes >= dim
            assert lanes in (1, 2, 4, 8, 16, 32)
