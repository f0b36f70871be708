"""CUDA kernels of the group reductions, thread by thread on the CPU, against the native ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphsparse import Hypergraph
from graphsparse.models import CoNHD, device_ops, segment, segment_gpu, segment_torch
from graphsparse.operators.groups import Groups

BOUNDS = {torch.float32: 2e-5, torch.float64: 1e-11}


def operations(groups: Groups, heads: int, width: int, points: int, dtype: torch.dtype):
    """Return (function, inputs) of every operation with kernels."""
    torch.manual_seed(heads * 31 + width)
    n, g, dim = groups.num_rows, groups.num_groups, heads * width

    def make(*shape):
        return torch.randn(*shape, dtype=dtype, requires_grad=True)

    keys, values = make(g * points, 2 * dim), make(n, 2 * dim)  # strided halves of wider rows
    return [
        (lambda x: segment.segment_mean(x, groups), [make(n, dim)]),
        (lambda x: segment.segment_max(x, groups), [make(n, dim)]),
        (
            lambda z, w, b: segment.segment_update(z, w, b, groups),
            [make(n, 2 * dim), make(dim, dim), make(dim)],
        ),
        (
            lambda x, v: segment.softmax_pool(x, v[:, dim:], groups, heads),
            [make(n, points * heads), values],
        ),
        (
            lambda q, kv: segment.group_read(q, kv[:, :dim], kv[:, dim:], groups, heads, 0.3),
            [make(n, dim), keys],
        ),
    ]


def outcome(function, inputs):
    result = function(*inputs)
    push = torch.randn(result.shape, generator=torch.Generator().manual_seed(5)).to(result)
    return [result, *torch.autograd.grad(result, inputs, push)]


@pytest.mark.parametrize("heads_width_points", [(4, 32, 4), (2, 5, 3), (1, 40, 1), (3, 8, 7)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kernels_equal_the_native_ones(torch_gpu, monkeypatch, heads_width_points, dtype):
    rng = np.random.default_rng(97)
    ids = rng.integers(0, 21, 90)
    ids[:40] = 3  # a hub; groups 21 and 22 are empty
    groups = Groups.from_ids(ids, 23)
    for function, inputs in operations(groups, *heads_width_points, dtype):
        got = outcome(function, inputs)
        with monkeypatch.context() as patch:
            patch.setattr(device_ops, "is_on_gpu", lambda tensor: False)
            want = outcome(function, inputs)
        for a, b in zip(got, want, strict=True):
            torch.testing.assert_close(a, b, rtol=BOUNDS[dtype], atol=BOUNDS[dtype])


@pytest.mark.parametrize("operator", ["unb", "isab"])
def test_the_model_takes_the_kernels_on_a_gpu(torch_gpu, monkeypatch, operator):
    rng, started = np.random.default_rng(5), []
    h = Hypergraph(rng.integers(0, 9, 30), rng.integers(0, 12, 30), 9, 12)
    torch.manual_seed(3)
    model, x = CoNHD(5, 16, 3, 2, operator=operator, dropout=0.0), torch.randn(9, 5)
    call = segment_gpu._call
    monkeypatch.setattr(segment_gpu, "_call", lambda *a: (started.append(a[0]), call(*a)))
    got = torch.autograd.grad(model(h, x).square().sum(), list(model.parameters()))
    part = {"unb": "add_relu_grad", "isab": "read_grad"}[operator]
    assert part in started
    monkeypatch.setattr(device_ops, "is_on_gpu", lambda tensor: False)
    want = torch.autograd.grad(model(h, x).square().sum(), list(model.parameters()))
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_more_weights_than_the_scratch_holds_go_to_torch(torch_gpu, monkeypatch):
    monkeypatch.setattr(segment_gpu, "_call", lambda *a: pytest.fail("no kernel takes these"))
    points, heads = segment_gpu.MOST_WEIGHTS // 2 + 1, 2
    groups = Groups.from_ids(np.array([0, 1, 0]), 2)
    logits, values = torch.randn(3, points * heads), torch.randn(3, 4)
    got = segment.softmax_pool(logits, values, groups, heads)
    torch.testing.assert_close(got, segment_torch.softmax_pool(logits, values, groups, heads))


def test_no_group_starts_no_kernel(torch_gpu):
    groups = Groups.from_ids(np.zeros(0, np.int64), 0)
    x = torch.zeros(0, 4, requires_grad=True)
    out = segment.segment_mean(x, groups)
    out.sum().backward()
    assert out.shape == x.grad.shape == (0, 4)
