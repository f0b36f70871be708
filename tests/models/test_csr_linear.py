"""The sparse linear map against the dense product, entry by entry and in every batch size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import graphsparse
from graphsparse import BackendError
from graphsparse.models import CsrLinear, SparseMatrix

GENERATOR = torch.Generator().manual_seed(1733)


def draw(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64).to(dtype)


def sparse_weight(rows: int, cols: int, density: float, dtype: torch.dtype) -> Tensor:
    mask = torch.rand(rows, cols, generator=GENERATOR) < density
    return draw(rows, cols, dtype=dtype) * mask


def by_hand(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """Products added one by one in the order of the columns, then the bias."""
    out = np.zeros((len(x), len(weight)), dtype=x.dtype)
    for col in range(weight.shape[1]):
        stored = weight[:, col] != 0
        out[:, stored] += x[:, [col]] * weight[stored, col]
    return out if bias is None else out + bias


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (16, 16), (33, 17), (20, 70), (2, 0), (0, 3)])
@pytest.mark.parametrize("density", [0.0, 0.2, 1.0])
def test_equals_the_sum_by_hand(dtype: torch.dtype, shape: tuple[int, int], density: float) -> None:
    weight, bias = sparse_weight(*shape, density, dtype), draw(shape[0], dtype=dtype)
    for given in (None, bias):
        map_ = CsrLinear(weight, given)
        assert map_.nnz == int(weight.count_nonzero())
        assert torch.equal(map_.to_dense(), weight)
        for rows in (0, 1, 4, 5, 16, 17, 63, 64, 65, 150):
            x = draw(rows, shape[1], dtype=dtype)
            want = by_hand(x.numpy(), weight.numpy(), None if given is None else given.numpy())
            assert np.array_equal(map_(x).numpy(), want)  # the bits, not about


def test_batch_and_threads_do_not_matter() -> None:
    map_ = CsrLinear(sparse_weight(90, 200, 0.1, torch.float32))
    x = draw(700, 200, dtype=torch.float32)
    graphsparse.set_num_threads(1)
    want = map_(x)
    for threads in (2, 3):
        graphsparse.set_num_threads(threads)
        assert torch.equal(map_(x), want)
    graphsparse.set_num_threads(0)
    assert torch.equal(torch.cat([map_(part) for part in x.split([1, 2, 60, 37, 600])]), want)
    torch.testing.assert_close(want, F.linear(x, map_.to_dense()))


def test_shapes_of_the_input() -> None:
    map_ = CsrLinear(sparse_weight(4, 6, 0.5, torch.float64))
    x = draw(2, 3, 6)
    assert map_(x).shape == (2, 3, 4)
    assert torch.equal(map_(x[0, 0]), map_(x)[0, 0])
    assert torch.equal(map_(x.transpose(0, 1)), map_(x).transpose(0, 1))


def test_sparse_features() -> None:
    weight, bias = sparse_weight(7, 30, 0.3, torch.float32), draw(7, dtype=torch.float32)
    x = sparse_weight(20, 30, 0.1, torch.float32)
    for given in (None, bias):
        out = CsrLinear(weight, given)(SparseMatrix.from_dense(x))
        torch.testing.assert_close(out, F.linear(x, weight, given))


def test_size_and_state() -> None:
    weight = sparse_weight(10, 40, 0.25, torch.float32)
    map_ = CsrLinear(weight, torch.ones(10))
    assert map_.nbytes == 8 * map_.nnz + 4 * 11
    assert map_.shape == (40, 10)
    assert repr(map_) == f"CsrLinear(40, 10, density={map_.nnz / 400:.4f})"
    other = CsrLinear(weight.flip(1) * 2, torch.zeros(10))
    other.load_state_dict(map_.state_dict())
    assert torch.equal(other.to_dense(), weight)


def test_bad_input() -> None:
    map_ = CsrLinear(torch.eye(3))
    with pytest.raises(ValueError, match=r"x must have shape \(..., 3\), got \(2, 4\)"):
        map_(torch.ones(2, 4))
    with pytest.raises(TypeError, match=r"must be torch.float32 as the weight, got torch.float64"):
        map_(torch.ones(2, 3).double())
    with pytest.raises(BackendError, match="x is on meta"):
        map_(torch.ones(2, 3, device="meta"))
    x = torch.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="has no gradient"):
        map_(x)
    with torch.no_grad():
        assert torch.equal(map_(x), x)
    with pytest.raises(ValueError, match=r"got torch.float16 of shape \(3, 3\)"):
        CsrLinear(torch.eye(3).half())
    with pytest.raises(BackendError, match="the weight is on meta"):
        CsrLinear(torch.ones(3, 3, device="meta"))
