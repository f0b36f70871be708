"""Affine maps of tall matrices with gradients: native on the CPU, torch operations elsewhere.

A whole sum of products is one pass over its rows, large results lie in huge pages, and a
gradient reads its rows once for everything that needs them.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from graphsparse.backend import native, requested_threads
from graphsparse.models import device_ops
from graphsparse.models.segment_torch import indices
from graphsparse.models.shared_rows import Matrix, SharedRows, dense

_LARGE = 4 << 20  # bytes from which huge pages pay
_TYPES = (torch.float32, torch.float64)
Pair = tuple[Tensor, Tensor]  # rows (n, k) and a weight (columns, k)


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ``x @ weight.T + bias``, shape (n, columns)."""
    return sum_of_products([(x, weight)], bias)


def sum_of_products(
    pairs: list[Pair], bias: Tensor | None = None, base: Matrix | None = None
) -> Tensor:
    """Return ``base + bias + sum(x @ weight.T)`` over the pairs, shape (n, columns).

    Parameters
    ----------
    pairs : list of (Tensor, Tensor)
        At least one; rows of shape (n, k) and a weight of shape (columns, k) each.
    bias : Tensor, shape (columns,), optional
        Not with ``base``.
    base : Tensor or SharedRows, shape (n, columns), optional
        Added where it lies: shared rows are never copied.
    """
    x = pairs[0][0]
    if not is_native(x):
        return _by_torch(pairs, bias, base)
    rows, index = (base.base, base.index) if isinstance(base, SharedRows) else (base, None)
    out: Tensor = _Sum.apply(bias, rows, index, *(part for pair in pairs for part in pair))
    return out


def is_native(x: Tensor) -> bool:
    """Tell whether the kernels of the CPU take a tensor."""
    return x.device.type == "cpu" and x.dtype in _TYPES and not device_ops.is_on_gpu(x)


def fresh(like: Tensor, *shape: int) -> Tensor:
    """Return an uninitialised tensor of a type, in huge pages if it is large."""
    size = 1
    for length in shape:
        size *= length
    if size * like.element_size() < _LARGE or not is_native(like):
        return like.new_empty(shape)
    sample = like.new_empty(0).numpy()
    memory: Tensor = torch.from_numpy(native.uninitialised(sample, size))
    return memory.view(shape)


def rows_of(x: Tensor) -> Any:
    """Return a matrix whose columns are adjacent for a kernel; no copy if they are."""
    x = x.detach()
    return (x if x.stride(1) == 1 else x.contiguous()).numpy()


def residual_forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ``x + relu(x @ weight.T + bias)``; no gradient is recorded."""
    out = fresh(x, *x.shape)
    native.tall_product(
        out.numpy(), [rows_of(x)], [weight.detach().numpy()], bias.detach().numpy(), None, None,
        True, requested_threads(),
    )  # fmt: skip
    return out


def product_forward(
    pairs: list[Pair], bias: Tensor | None, rows: Tensor | None = None, index: Any = None
) -> Tensor:
    """Return ``rows[index] + bias + sum(x @ weight.T)``; no gradient is recorded."""
    out = fresh(pairs[0][0], len(pairs[0][0]), len(pairs[0][1]))
    native.tall_product(
        out.numpy(),
        [rows_of(x) for x, _ in pairs],
        [weight.detach().numpy() for _, weight in pairs],
        None if bias is None else bias.detach().numpy(),
        None if rows is None else rows_of(rows),
        index,
        False,
        requested_threads(),
    )
    return out


def product_backward(
    grad: Tensor, x: Tensor, weight: Tensor, y: Tensor | None = None, *, of_x: bool = True
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Return gradients of ``x``, weight and bias; with ``y`` those of a residual product."""
    grad_weight, grad_bias = grad.new_empty(weight.shape), grad.new_empty(len(weight))
    grad_x = fresh(grad, *x.shape) if of_x else None
    native.tall_gradient(
        grad_weight.view(-1).numpy(), grad_bias.numpy(), rows_of(grad), rows_of(x),
        weight.detach().numpy(), None if y is None else rows_of(y),
        None if grad_x is None else grad_x.numpy(), requested_threads(),
    )  # fmt: skip
    return grad_x, grad_weight, grad_bias


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, bias: Tensor | None, rows: Tensor | None, index: Any, *parts: Tensor
    ) -> Tensor:
        ctx.index, ctx.count = index, None if rows is None else len(rows)
        ctx.save_for_backward(*parts)
        pairs = list(zip(parts[::2], parts[1::2], strict=True))
        return product_forward(pairs, bias, rows, index)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        parts, needs = ctx.saved_tensors, ctx.needs_input_grad
        grads: list[Tensor | None] = []
        grad_bias: Tensor | None = None
        for k, (x, weight) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
            found = product_backward(grad, x, weight, of_x=needs[3 + 2 * k])
            grads += found[:2]
            grad_bias = found[2]
        grad_rows: Tensor | None = grad if needs[1] else None
        if needs[1] and ctx.index is not None:
            where = indices(ctx.index, grad)
            grad_rows = grad.new_zeros(ctx.count, grad.shape[1]).index_add_(0, where, grad)
        return grad_bias if needs[0] else None, grad_rows, None, *grads


def _by_torch(pairs: list[Pair], bias: Tensor | None, base: Matrix | None) -> Tensor:
    (x, weight), *others = pairs
    if base is None:
        out = F.linear(x, weight, bias)
    else:
        out = torch.addmm(dense(base), x, weight.t())
    for x, weight in others:
        out = out.addmm_(x, weight.t())
    return out
