"""Induced set attention of the rows of each group as one operation of the CPU."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from graphsparse.models import segment_native as kernels
from graphsparse.models.tall_products import (
    fresh,
    product_backward,
    product_forward,
    residual_forward,
)
from graphsparse.operators.groups import Groups


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes of an induced attention: points, heads, width of a row, factor of the read's logits."""

    points: int
    heads: int
    dim: int
    scale: float

    @property
    def logits(self) -> int:
        """Columns of logits in front of values and queries."""
        return self.points * self.heads

    def read(self, groups: Groups) -> tuple[Groups, int, int, float]:
        """First arguments of the read's kernels."""
        return groups, self.heads, self.points, self.scale


def induced_attention(
    z: Tensor, points: Tensor, maps: list[tuple[Tensor, Tensor]], groups: Groups, shape: Shape
) -> Tensor:
    """Return what rows read from the points of their group, after the points read the rows.

    Parameters
    ----------
    z : Tensor, shape (n, points * heads + 2 * dim)
        Logits, values and queries of each row.
    points : Tensor, shape (points, dim)
        Queries of the learned points.
    maps : list of (Tensor, Tensor)
        Weight and bias: output map of the points, keys and values from the points (one map of
        ``2 * dim`` columns), output map of the rows.
    groups : Groups
        Of the ``n`` rows.
    shape : Shape
        Sizes.

    Returns
    -------
    Tensor, shape (n, dim)

    Notes
    -----
    ``o = points + softmax-pooled values``, ``t = o + relu(out(o))``, keys and values of ``t``,
    ``p = q + softmax(q keys) values``, ``p + relu(out(p))``.
    """
    flat = (part for pair in maps for part in pair)
    result: Tensor = _Induced.apply(z, points, groups, shape, *flat)
    return result


class _Induced(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, points: Tensor, groups: Groups, shape: Shape, *maps: Tensor
    ) -> Tensor:
        out1, bias1, pair, pair_bias, out2, bias2 = maps
        z, dim = z.detach(), shape.dim
        logits, values, q = z.split([shape.logits, dim, dim], dim=1)
        seen = fresh(z, groups.num_groups * shape.points, dim)
        att1, att2 = (fresh(z, len(z), shape.logits) for _ in range(2))
        kernels.pool(groups, shape.heads, logits, values, points.detach(), att1, seen)
        hidden = residual_forward(seen, out1, bias1)
        pairs = product_forward([(hidden, pair)], pair_bias)
        read = fresh(z, len(z), dim)
        keys, rows = pairs.split(dim, dim=1)
        kernels.read(*shape.read(groups), q, keys, rows, att2, read)
        result = residual_forward(read, out2, bias2)
        ctx.groups, ctx.shape = groups, shape
        ctx.save_for_backward(z, att1, seen, hidden, pairs, att2, read, result, out1, pair, out2)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        z, att1, seen, hidden, pairs, att2, read, result, out1, pair, out2 = ctx.saved_tensors
        groups: Groups = ctx.groups
        shape: Shape = ctx.shape
        dim = shape.dim
        _, values, q = z.split([shape.logits, dim, dim], dim=1)
        grad_z, grad_pairs = fresh(z, *z.shape), fresh(z, *pairs.shape)
        to_logits, to_values, to_q = grad_z.split([shape.logits, dim, dim], dim=1)
        grad_read, *last = product_backward(grad, read, out2, result)
        assert grad_read is not None
        keys, rows = pairs.split(dim, dim=1)
        to_keys, to_rows = grad_pairs.split(dim, dim=1)
        grads = (to_q, to_keys, to_rows)
        kernels.read_grad(*shape.read(groups), q, keys, rows, att2, grad_read, grads)
        grad_hidden, *middle = product_backward(grad_pairs, hidden, pair)
        assert grad_hidden is not None
        grad_seen, *first = product_backward(grad_hidden, seen, out1, hidden)
        assert grad_seen is not None
        kernels.pool_grad(groups, shape.heads, values, att1, grad_seen, to_logits, to_values)
        grad_points = grad_seen.view(groups.num_groups, shape.points, dim).sum(0)
        return grad_z, grad_points, None, None, *first, *middle, *last
