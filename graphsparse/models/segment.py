"""Reductions over groups of rows with gradients: kernels of the CPU or the GPU, else torch's.

Groups are an index over the rows (:class:`~graphsparse.operators.groups.Groups`), so no operation
sorts or copies its rows first.  Results are the same for any number of threads.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from graphsparse.models import device_ops, segment_gpu, segment_native, segment_torch
from graphsparse.models.tall_products import fresh, is_native
from graphsparse.operators.groups import Groups


def segment_mean(x: Tensor, groups: Groups) -> Tensor:
    """Return the mean of the rows of each group, shape (groups, dim); 0 for an empty group."""
    _check_rows("x", x, groups.num_rows)
    if _kernels(x) is None:
        return segment_torch.mean(x, groups)
    result: Tensor = _Mean.apply(x, groups)
    return result


def segment_max(x: Tensor, groups: Groups) -> Tensor:
    """Return the largest entry of each group by column; 0 for an empty group.

    Of equal entries the first row of the group gets the gradient.
    """
    _check_rows("x", x, groups.num_rows)
    if _kernels(x) is None:
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
    if _kernels(z) is None:
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
    if _kernels(values, logits.shape[1]) is None:
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
    if _kernels(q, len(keys) // max(groups.num_groups, 1) * heads) is None:
        return segment_torch.group_read(q, keys, values, groups, heads, scale)
    result: Tensor = _Read.apply(q, keys, values, groups, heads, scale)
    return result


def _check_rows(name: str, x: Tensor, rows: int) -> None:
    if x.dim() != 2 or len(x) != rows:
        raise ValueError(f"{name} must have shape ({rows}, dim), got {tuple(x.shape)}")


def _kernels(x: Tensor, weights: int = 0) -> ModuleType | None:
    """The module with kernels for a tensor and an attention of that size, if there is one."""
    if device_ops.has_spmm(x):
        return segment_gpu if weights <= segment_gpu.MOST_WEIGHTS else None
    return segment_native if is_native(x) else None


def _adjacent(x: Tensor) -> Tensor:
    """The matrix with adjacent columns; no copy if they are."""
    x = x.detach()
    return x if x.stride(1) == 1 else x.contiguous()


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, groups: Groups) -> Tensor:
        ctx.groups, ctx.kernels = groups, _kernels(x)
        out = x.new_empty(groups.num_groups, x.shape[1])
        ctx.kernels.mean(groups, _adjacent(x), False, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        out = fresh(grad, ctx.groups.num_rows, grad.shape[1])
        ctx.kernels.mean_grad(ctx.groups, out, False, grad.contiguous(), out)
        return out, None


class _Max(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, groups: Groups) -> Tensor:
        ctx.groups, ctx.kernels = groups, _kernels(x)
        out = x.new_empty(groups.num_groups, x.shape[1])
        which = torch.empty_like(out, dtype=torch.int64)
        ctx.kernels.largest(groups, _adjacent(x), out, which)
        ctx.save_for_backward(which)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        out = fresh(grad, ctx.groups.num_rows, grad.shape[1])
        ctx.kernels.largest_grad(ctx.groups, grad.contiguous(), ctx.saved_tensors[0], out)
        return out, None


class _Update(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, weight: Tensor, bias: Tensor, groups: Groups) -> Tensor:
        ctx.groups, ctx.kernels, dim = groups, _kernels(z), len(weight)
        z = _adjacent(z)
        pooled, out = z.new_empty(groups.num_groups, dim), fresh(z, len(z), dim)
        ctx.kernels.mean(groups, z[:, :dim], True, pooled)
        shift = torch.addmm(bias, pooled, weight.t())
        ctx.kernels.add_relu(groups, z[:, dim:], shift, out)
        ctx.save_for_backward(z, weight, pooled, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        z, weight, pooled, out = ctx.saved_tensors
        dim, grad_z, grad_shift = len(weight), fresh(z, *z.shape), torch.empty_like(pooled)
        to_group, own = grad_z[:, :dim], grad_z[:, dim:]
        ctx.kernels.add_relu_grad(ctx.groups, out, _adjacent(grad), own, grad_shift)
        ctx.kernels.mean_grad(ctx.groups, z[:, :dim], True, grad_shift @ weight, to_group)
        return grad_z, grad_shift.t() @ pooled, grad_shift.sum(0), None


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, values: Tensor, groups: Groups, heads: int) -> Tensor:
        ctx.groups, ctx.heads, ctx.kernels = groups, heads, _kernels(values)
        values = _adjacent(values)
        att = values.new_empty(logits.shape)
        out = values.new_empty(groups.num_groups * logits.shape[1] // heads, values.shape[1])
        ctx.kernels.pool(groups, heads, _adjacent(logits), values, None, att, out)
        ctx.save_for_backward(values, att)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        values, att = ctx.saved_tensors
        grads = att.new_empty(att.shape), values.new_empty(values.shape)
        ctx.kernels.pool_grad(ctx.groups, ctx.heads, values, att, grad.contiguous(), *grads)
        return (*grads, None, None)


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, q: Tensor, keys: Tensor, values: Tensor, groups: Groups, heads: int, scale: float
    ) -> Tensor:
        q, keys, values = map(_adjacent, (q, keys, values))
        points = len(keys) // max(groups.num_groups, 1)
        ctx.kernels, ctx.sizes = _kernels(q), (groups, heads, points, scale)
        att, out = q.new_empty(len(q), points * heads), q.new_empty(q.shape)
        ctx.kernels.read(*ctx.sizes, q, keys, values, att, out)
        ctx.save_for_backward(q, keys, values, att)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        grads = tuple(x.new_empty(x.shape) for x in saved[:3])
        ctx.kernels.read_grad(*ctx.sizes, *saved, _adjacent(grad), grads)
        return (*grads, None, None, None)
