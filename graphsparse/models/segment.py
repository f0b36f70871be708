"""Reductions over groups of rows with gradients: native on the CPU, torch operations elsewhere.

Groups are an index over the rows (:class:`~graphsparse.operators.groups.Groups`), so no operation
sorts or copies its rows first.  Results are the same for any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from graphsparse.backend import native, requested_threads
from graphsparse.models import segment_torch
from graphsparse.models.tall_products import fresh, is_native, rows_of
from graphsparse.operators.groups import Groups


def segment_mean(x: Tensor, groups: Groups) -> Tensor:
    """Return the mean of the rows of each group, shape (groups, dim); 0 for an empty group."""
    _check_rows("x", x, groups.num_rows)
    if not is_native(x):
        return segment_torch.mean(x, groups)
    result: Tensor = _Mean.apply(x, groups)
    return result


def segment_max(x: Tensor, groups: Groups) -> Tensor:
    """Return the largest entry of each group by column; 0 for an empty group.

    Of equal entries the first row of the group gets the gradient.
    """
    _check_rows("x", x, groups.num_rows)
    if not is_native(x):
        return segment_torch.largest(x, groups)
    result: Tensor = _Max.apply(x, groups)
    return result


def segment_update(z: Tensor, weight: Tensor, bias: Tensor, groups: Groups) -> Tensor:
    """Return ``relu(z2 + (mean(relu(z1)) @ weight.T + bias)[group])`` for ``z = [z1 | z2]``.

    Parameters
    ----------
    z : Tensor, shape (n, 2 * dim)
        What a row sends to its group, and what it keeps.
    weight : Tensor, shape (dim, dim)
        Applied to one row per group.
    bias : Tensor, shape (dim,)
        Added to it.
    groups : Groups
        Of the ``n`` rows.

    Returns
    -------
    Tensor, shape (n, dim)
    """
    _check_rows("z", z, groups.num_rows)
    if not is_native(z):
        return segment_torch.update(z, weight, bias, groups)
    result: Tensor = _Update.apply(z, weight, bias, groups)
    return result


def softmax_pool(logits: Tensor, values: Tensor, groups: Groups, heads: int) -> Tensor:
    """Return sums of the rows of each group, weighted by softmaxes over the group.

    Parameters
    ----------
    logits : Tensor, shape (n, points * heads)
        Column ``j * heads + h`` belongs to result ``j``, head ``h``.
    values : Tensor, shape (n, dim)
        Head ``h`` is the ``h``-th of ``heads`` equal parts of a row.
    groups : Groups
        Of the ``n`` rows.
    heads : int
        Divides ``dim``.

    Returns
    -------
    Tensor, shape (groups * points, dim)
        ``points`` rows per group; zeros for an empty group.
    """
    _check_rows("values", values, groups.num_rows)
    if not is_native(values):
        return segment_torch.softmax_pool(logits, values, groups, heads)
    result: Tensor = _Pool.apply(logits, values, groups, heads)
    return result


def group_read(
    q: Tensor, keys: Tensor, values: Tensor, groups: Groups, heads: int, scale: float
) -> Tensor:
    """Return ``q + softmax(scale * q @ keys.T) @ values`` per head; a row sees its group's keys.

    Parameters
    ----------
    q : Tensor, shape (n, dim)
        One query per row.
    keys, values : Tensor, shape (groups * points, dim)
        ``points`` rows per group.
    groups : Groups
        Of the ``n`` rows.
    heads : int
        Divides ``dim``.
    scale : float
        Factor of the dot products.

    Returns
    -------
    Tensor, shape (n, dim)

    Notes
    -----
    Keys and values are not copied to the rows: a group's lie in cache while its rows stream by.
    """
    _check_rows("q", q, groups.num_rows)
    if not is_native(q):
        return segment_torch.group_read(q, keys, values, groups, heads, scale)
    result: Tensor = _Read.apply(q, keys, values, groups, heads, scale)
    return result


def _check_rows(name: str, x: Tensor, rows: int) -> None:
    if x.dim() != 2 or len(x) != rows:
        raise ValueError(f"{name} must have shape ({rows}, dim), got {tuple(x.shape)}")


def _flat(x: Tensor) -> Any:
    return x.detach().contiguous().view(-1).numpy()


def _relu_mean(z: Tensor, groups: Groups, relu: bool) -> Tensor:
    out = z.new_empty(groups.num_groups, z.shape[1])
    native.segment_mean(groups.ptr, groups.order, rows_of(z), relu, _flat(out), requested_threads())
    return out


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, groups: Groups) -> Tensor:
        ctx.groups = groups
        return _relu_mean(x.detach(), groups, relu=False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        groups = ctx.groups
        out = grad.new_empty(groups.num_rows, grad.shape[1])
        native.segment_mean_grad(
            groups.ptr, groups.order, rows_of(out), False, _flat(grad), rows_of(out),
            requested_threads(),
        )  # fmt: skip
        return out, None


class _Max(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, groups: Groups) -> Tensor:
        out = x.new_empty(groups.num_groups, x.shape[1])
        ctx.groups, ctx.which = groups, np.empty(out.numel(), np.int64)
        native.segment_max(
            groups.ptr, groups.order, rows_of(x), _flat(out), ctx.which, requested_threads()
        )
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        groups = ctx.groups
        out = grad.new_empty(groups.num_rows, grad.shape[1])
        native.segment_max_grad(
            groups.ptr, groups.order, _flat(grad), ctx.which, rows_of(out), requested_threads()
        )
        return out, None


class _Update(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, weight: Tensor, bias: Tensor, groups: Groups) -> Tensor:
        dim = len(weight)
        z = z.detach()
        pooled = _relu_mean(z[:, :dim], groups, relu=True)
        shift = torch.addmm(bias, pooled, weight.t())
        out = fresh(z, len(z), dim)
        native.segment_add_relu(
            groups.ptr, groups.order, rows_of(z[:, dim:]), _flat(shift), out.numpy(),
            requested_threads(),
        )  # fmt: skip
        ctx.groups = groups
        ctx.save_for_backward(z, weight, pooled, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        z, weight, pooled, out = ctx.saved_tensors
        groups, dim = ctx.groups, len(weight)
        grad_z, grad_shift = fresh(z, *z.shape), torch.empty_like(pooled)
        native.segment_add_relu_grad(
            groups.ptr, groups.order, out.numpy(), rows_of(grad), rows_of(grad_z[:, dim:]),
            _flat(grad_shift), requested_threads(),
        )  # fmt: skip
        native.segment_mean_grad(
            groups.ptr, groups.order, rows_of(z[:, :dim]), True, _flat(grad_shift @ weight),
            rows_of(grad_z[:, :dim]), requested_threads(),
        )  # fmt: skip
        return grad_z, grad_shift.t() @ pooled, grad_shift.sum(0), None


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, values: Tensor, groups: Groups, heads: int) -> Tensor:
        points = logits.shape[1] // heads
        att = values.new_empty(logits.numel())
        out = values.new_empty(groups.num_groups * points, values.shape[1])
        native.segment_pool(
            groups.ptr, groups.order, heads, rows_of(logits), rows_of(values), _flat(att), _flat(out),
            requested_threads(),
        )  # fmt: skip
        ctx.groups, ctx.heads, ctx.shape = groups, heads, logits.shape
        ctx.save_for_backward(values, att)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        values, att = ctx.saved_tensors
        grad_logits = att.new_empty(ctx.shape)
        grad_values = values.new_empty(values.shape)
        native.segment_pool_grad(
            ctx.groups.ptr, ctx.groups.order, ctx.heads, rows_of(values), _flat(att), _flat(grad),
            grad_logits.numpy(), grad_values.numpy(), requested_threads(),
        )  # fmt: skip
        return grad_logits, grad_values, None, None


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, q: Tensor, keys: Tensor, values: Tensor, groups: Groups, heads: int, scale: float
    ) -> Tensor:
        points = len(keys) // max(groups.num_groups, 1)
        att = q.new_empty(len(q) * points * heads)
        out = q.new_empty(q.shape)
        native.segment_read(
            groups.ptr, groups.order, heads, points, scale, rows_of(q), rows_of(keys), rows_of(values),
            _flat(att), out.numpy(), requested_threads(),
        )  # fmt: skip
        ctx.groups, ctx.sizes = groups, (heads, points, scale)
        ctx.save_for_backward(q, keys, values, att)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, keys, values, att = ctx.saved_tensors
        grads = [x.new_empty(x.shape) for x in (q, keys, values)]
        native.segment_read_grad(
            ctx.groups.ptr, ctx.groups.order, *ctx.sizes, rows_of(q), rows_of(keys), rows_of(values),
            _flat(att), rows_of(grad), *(x.numpy() for x in grads), requested_threads(),
        )  # fmt: skip
        return (*grads, None, None, None)
