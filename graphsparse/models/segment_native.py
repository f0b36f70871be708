"""The group reductions' kernels on the CPU; same functions as :mod:`segment_gpu`.

Matrices need adjacent columns; ``shift``, ``att``, ``which`` and results per group are contiguous.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from graphsparse.backend import native, requested_threads
from graphsparse.operators.groups import Groups


def _call(name: str, groups: Groups, *arguments: Any) -> None:
    getattr(native, f"segment_{name}")(groups.ptr, groups.order, *arguments, requested_threads())


def _rows(x: Tensor) -> Any:
    return x.detach().numpy()


def _flat(x: Tensor) -> Any:
    return x.detach().view(-1).numpy()


def mean(groups: Groups, x: Tensor, relu: bool, out: Tensor) -> None:
    """Write the mean of ``x``, or of its positive part, over each group."""
    _call("mean", groups, _rows(x), relu, _flat(out))


def mean_grad(groups: Groups, x: Tensor, relu: bool, grad: Tensor, out: Tensor) -> None:
    """Write the gradient of :func:`mean`."""
    _call("mean_grad", groups, _rows(x), relu, _flat(grad), _rows(out))


def largest(groups: Groups, x: Tensor, out: Tensor, which: Tensor) -> None:
    """Write the largest entry of each group by column and its row, -1 for an empty group."""
    _call("max", groups, _rows(x), _flat(out), _flat(which))


def largest_grad(groups: Groups, grad: Tensor, which: Tensor, out: Tensor) -> None:
    """Write the gradient of :func:`largest`."""
    _call("max_grad", groups, _flat(grad), _flat(which), _rows(out))


def add_relu(groups: Groups, x: Tensor, shift: Tensor, out: Tensor) -> None:
    """Write ``relu(x + shift[group])``."""
    _call("add_relu", groups, _rows(x), _flat(shift), _rows(out))


def add_relu_grad(
    groups: Groups, out: Tensor, grad: Tensor, grad_x: Tensor, grad_shift: Tensor
) -> None:
    """Write the gradients of :func:`add_relu`."""
    _call("add_relu_grad", groups, _rows(out), _rows(grad), _rows(grad_x), _flat(grad_shift))


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
    first = None if start is None else _flat(start)
    _call("pool", groups, heads, _rows(logits), _rows(values), first, _flat(att), _flat(out))


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
    results = (_rows(grad_logits), _rows(grad_values))
    _call("pool_grad", groups, heads, _rows(values), _flat(att), _flat(grad), *results)


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
    arrays = (_rows(q), _rows(keys), _rows(values), _flat(att), _rows(out))
    _call("read", groups, heads, points, scale, *arrays)


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
    arrays = (_rows(q), _rows(keys), _rows(values), _flat(att), _rows(grad))
    _call("read_grad", groups, heads, points, scale, *arrays, *map(_rows, grads))
