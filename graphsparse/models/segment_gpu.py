"""The group reductions' CUDA kernels; same functions as :mod:`segment_native`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphsparse.launch import launch
from graphsparse.models import device_ops
from graphsparse.operators.groups import Groups

FILE = "segment.cu"
MOST_WEIGHTS = 64  # points * heads of an attention
_TYPES = {torch.float32: ("float", np.float32), torch.float64: ("double", np.float64)}


def index(groups: Groups, device: torch.device) -> list[Tensor]:
    """Return ``ptr`` and ``order`` on a device, copied there once."""
    key = f"index_on_{device}"
    if key not in groups.__dict__:
        arrays = (groups.ptr, groups.order)
        groups.__dict__[key] = [torch.from_numpy(np.array(a)).to(device) for a in arrays]
    found: list[Tensor] = groups.__dict__[key]
    return found


def _call(name: str, groups: Groups, like: Tensor, *arguments: Any) -> None:
    """Start a kernel: scalars as they are, tensors as memory, matrices with their stride."""
    if groups.num_groups == 0:
        return
    ptr, order = index(groups, like.device)
    kind, scalar = _TYPES[like.dtype]
    with device_ops.torch_stream(like):
        sent: list[Any] = [np.int64(groups.num_groups), *map(device_ops.as_cupy, (ptr, order))]
        for argument in arguments:
            if isinstance(argument, bool):
                sent.append(np.bool_(argument))
            elif isinstance(argument, int):
                sent.append(np.int64(argument))
            elif isinstance(argument, float):
                sent.append(scalar(argument))
            elif argument is None:
                sent.append(np.uint64(0))
            else:
                sent += _memory(argument)
        launch(FILE, f"segment_{name}_kernel<{kind}>", 32 * groups.num_groups, *sent)


def _memory(x: Tensor | tuple[Tensor]) -> list[Any]:
    """A contiguous tensor; or, in a tuple, a matrix with adjacent columns and its stride."""
    if isinstance(x, Tensor):
        return [device_ops.as_cupy(x)]
    rows = x[0].detach()
    stride = rows.stride(0) if len(rows) > 1 else rows.shape[1]
    size = (len(rows) - 1) * stride + rows.shape[1] if rows.numel() else 0
    flat = rows.as_strided((size,), (1,))
    return [device_ops.as_cupy(flat), np.int64(stride)]


def mean(groups: Groups, x: Tensor, relu: bool, out: Tensor) -> None:
    """Write the mean of ``x``, or of its positive part, over each group."""
    _call("mean", groups, out, x.shape[1], relu, (x,), out)


def mean_grad(groups: Groups, x: Tensor, relu: bool, grad: Tensor, out: Tensor) -> None:
    """Write the gradient of :func:`mean`."""
    _call("mean_grad", groups, grad, out.shape[1], relu, (x,), grad, (out,))


def largest(groups: Groups, x: Tensor, out: Tensor, which: Tensor) -> None:
    """Write the largest entry of each group by column and its row, -1 for an empty group."""
    _call("max", groups, out, x.shape[1], (x,), out, which)


def largest_grad(groups: Groups, grad: Tensor, which: Tensor, out: Tensor) -> None:
    """Write the gradient of :func:`largest`."""
    _call("max_grad", groups, grad, out.shape[1], grad, which, (out,))


def add_relu(groups: Groups, x: Tensor, shift: Tensor, out: Tensor) -> None:
    """Write ``relu(x + shift[group])``."""
    _call("add_relu", groups, shift, x.shape[1], (x,), shift, (out,))


def add_relu_grad(
    groups: Groups, out: Tensor, grad: Tensor, grad_x: Tensor, grad_shift: Tensor
) -> None:
    """Write the gradients of :func:`add_relu`."""
    _call("add_relu_grad", groups, grad, out.shape[1], (out,), (grad,), (grad_x,), grad_shift)


def pool(
    groups: Groups,
    heads: int,
    logits: Tensor,
    values: Tensor,
    start: Tensor | None,
    att: Tensor,
    out: Tensor,
) -> None:
    """Write softmaxes over each group and ``start`` plus the sums of values that they weigh."""
    sizes = (logits.shape[1] // heads, heads, values.shape[1] // heads)
    _call("pool", groups, att, *sizes, (logits,), (values,), start, att, out)


def pool_grad(
    groups: Groups,
    heads: int,
    values: Tensor,
    att: Tensor,
    grad: Tensor,
    grad_logits: Tensor,
    grad_values: Tensor,
) -> None:
    """Write the gradients of :func:`pool`."""
    sizes = (grad_logits.shape[1] // heads, heads, values.shape[1] // heads)
    _call("pool_grad", groups, att, *sizes, (values,), att, grad, (grad_logits,), (grad_values,))


def read(
    groups: Groups,
    heads: int,
    points: int,
    scale: float,
    q: Tensor,
    keys: Tensor,
    values: Tensor,
    att: Tensor,
    out: Tensor,
) -> None:
    """Write ``q + softmax(scale * q @ keys.T) @ values`` per head and group, and the softmaxes."""
    sizes = (points, heads, q.shape[1] // heads, float(scale))
    _call("read", groups, att, *sizes, (q,), (keys,), (values,), att, (out,))


def read_grad(
    groups: Groups,
    heads: int,
    points: int,
    scale: float,
    q: Tensor,
    keys: Tensor,
    values: Tensor,
    att: Tensor,
    grad: Tensor,
    grads: tuple[Tensor, Tensor, Tensor],
) -> None:
    """Write the gradients of :func:`read`: of ``q``, keys and values."""
    sizes = (points, heads, q.shape[1] // heads, float(scale))
    results = [(part,) for part in grads]
    _call("read_grad", groups, att, *sizes, (q,), (keys,), (values,), att, (grad,), *results)
