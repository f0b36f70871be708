"""Sparse products through the GPU's kernels (emulated): the CPU's bits, and gradients."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
import torch

from graphsparse import Graph
from graphsparse.models import GIN, Adjacency, SparseMatrix, device_ops


def random_matrix(seed: int, dtype: torch.dtype) -> SparseMatrix:
    rng = np.random.default_rng(seed)
    rows, cols = rng.integers(1, 40, 2)
    dense = rng.normal(0, 1, (rows, cols)) * (rng.random((rows, cols)) < 0.2)
    return SparseMatrix.from_dense(torch.tensor(dense, dtype=dtype))


def product(matrix: SparseMatrix, x: torch.Tensor) -> list[torch.Tensor]:
    x = x.clone().requires_grad_()
    out = matrix @ x
    out.backward(torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out))
    return [out.detach(), x.grad]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [1, 7, 32, 65])
def test_products_and_gradients_have_the_cpus_bits(request, dtype, width):
    made = [random_matrix(seed, dtype) for seed in range(15)]
    inputs = [torch.randn(m.shape[1], width, dtype=dtype) for m in made]
    want = [product(m, x) for m, x in zip(made, inputs, strict=True)]
    request.getfixturevalue("torch_gpu")
    for m, x, parts in zip(made, inputs, want, strict=True):
        fresh = SparseMatrix(m.pattern, m.values)
        for a, b in zip(product(fresh, x), parts, strict=True):
            assert torch.equal(a, b)


def test_own_weight_and_its_gradient(request):
    graph = Graph.from_edges([(0, 1), (1, 2), (2, 3), (3, 0)], num_nodes=5)
    dense = torch.zeros(5, 5)
    u, v = (torch.from_numpy(ends.astype(np.int64)) for ends in graph.edges())
    dense[u, v] = dense[v, u] = 0.5
    matrix = SparseMatrix.from_dense(dense)
    x = torch.randn(5, 3)

    def run() -> list[torch.Tensor]:
        weight = torch.tensor(1.25, requires_grad=True)
        y = x.clone().requires_grad_()
        out = SparseMatrix(matrix.pattern, matrix.values).matmul(y, weight)
        out.square().sum().backward()
        return [out.detach(), y.grad, weight.grad]

    want = run()
    request.getfixturevalue("torch_gpu")
    for a, b in zip(run(), want, strict=True):
        assert torch.equal(a, b)


def test_gradcheck(torch_gpu):
    matrix = random_matrix(77, torch.float64)
    x = torch.randn(matrix.shape[1], 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: matrix @ t, x)


def test_a_model_trains_as_on_the_cpu(request):
    rng = np.random.default_rng(4)
    graph = Graph.from_edges(rng.integers(0, 30, (60, 2)), num_nodes=30).coalesce()
    x = torch.randn(30, 6)

    def run() -> list[torch.Tensor]:
        torch.manual_seed(3)
        model = GIN(6, 8, 3)
        model(x, Adjacency(graph.without_self_loops())).square().sum().backward()
        return [p.grad for p in model.parameters()]

    want = run()
    request.getfixturevalue("torch_gpu")
    for a, b in zip(run(), want, strict=True):
        assert torch.equal(a, b)


def test_without_cupy_torch_multiplies_and_says_so_once(torch_gpu, monkeypatch):
    device_ops._warn_without_cupy.cache_clear()
    monkeypatch.setitem(sys.modules, "cupy", None)
    x = torch.ones(2, 2)
    with pytest.warns(UserWarning, match=r"torch's, not ours.*pip install 'graphsparse\[cuda13\]'"):
        assert not device_ops.has_spmm(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not device_ops.has_spmm(x)
    assert not device_ops.has_spmm(x.half())
    device_ops._warn_without_cupy.cache_clear()


def test_pattern_is_copied_once_per_device():
    pattern = random_matrix(3, torch.float32).pattern
    first = pattern.on(torch.device("cpu"))
    assert pattern.on(torch.device("cpu"))[0] is first[0]
    assert (first[0].dtype, first[1].dtype) == (torch.int64, torch.int32)
