"""The isomorphic update in one native pass over the rows; the hidden layer is never stored."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from graphsparse.backend import native, requested_threads
from graphsparse.models.dropout import Draw

LARGEST = 1 << 12  # weights of one map of a group up to which this beats torch's products
_NATIVE = (torch.float32, torch.float64)


@dataclasses.dataclass(frozen=True)
class _Shape:
    groups: int
    width: int
    hidden: int
    normed: bool
    eps: float


def is_usable(rows: Tensor, weight: Tensor, hidden: int) -> bool:
    """Whether :func:`update` takes rows of this kind, and is faster than torch.

    Parameters
    ----------
    rows : Tensor
        Aggregates.
    weight : Tensor, shape (groups * hidden, width)
        The first map.
    hidden : int
        Hidden units of a group.
    """
    same = rows.device.type == "cpu" and rows.dtype == weight.dtype
    return same and rows.dtype in _NATIVE and hidden * weight.shape[1] <= LARGEST


def update(
    own: Tensor,
    aggregate: Tensor,
    weights: Tensor,
    *,
    groups: int,
    hidden: int,
    norm_eps: float | None,
    dropout: float,
) -> Tensor:
    """Return ``W2 silu(rms(dropout(W1 (c own + aggregate) + b1)) * gain) + b2`` of each group.

    Parameters
    ----------
    own, aggregate : Tensor, shape (..., dim)
        Float32 or float64 on the CPU; ``dim`` is ``groups`` times the width of a group.
    weights : Tensor
        One after another: ``c`` (dim), ``b1`` and gain (groups * hidden), ``b2`` (dim), ``W1``
        (groups * hidden, width), ``W2`` (groups * width, hidden).
    groups, hidden : int
        Number of MLPs, and hidden units of each.
    norm_eps : float or None
        Added under the root; None leaves the norm out, and gains are not read.
    dropout : float
        Share of the hidden units dropped.

    Returns
    -------
    Tensor, shape (..., dim)

    Notes
    -----
    O(rows * dim * hidden) time.  The gradient computes the hidden layer anew: beside gradients
    nothing is stored.  Results do not depend on the number of threads.
    """
    dim = own.shape[-1]
    draw = Draw(aggregate.numel() // dim * groups * hidden, dropout) if dropout > 0.0 else None
    shape = _Shape(groups, dim // groups, hidden, norm_eps is not None, norm_eps or 0.0)
    rows = own.reshape(-1, dim), aggregate.reshape(-1, dim)
    result: Tensor = _Update.apply(*rows, weights, draw, shape)
    return result.view(aggregate.shape)


class _Update(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, own: Tensor, aggregate: Tensor, weights: Tensor, draw: Draw | None, shape: _Shape
    ) -> Tensor:
        own, aggregate = own.detach().contiguous(), aggregate.detach().contiguous()
        weights = weights.detach()
        ctx.save_for_backward(own, aggregate, weights)
        ctx.draw, ctx.shape = draw, shape
        out = torch.empty_like(aggregate)
        given = _arguments(own, aggregate, weights, draw, shape)
        native.gin_update_forward(*given, out.view(-1).numpy(), requested_threads())
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        own, aggregate, weights = ctx.saved_tensors
        grads = [torch.empty_like(t) for t in (own, aggregate, weights)]
        native.gin_update_backward(
            *_arguments(own, aggregate, weights, ctx.draw, ctx.shape),
            *(t.view(-1).numpy() for t in (grad.contiguous(), *grads)),
            requested_threads(),
        )
        return *grads, None, None


def _arguments(
    own: Tensor, aggregate: Tensor, weights: Tensor, draw: Draw | None, shape: _Shape
) -> tuple[Any, ...]:
    """What both directions share."""
    bits = torch.empty(0, dtype=torch.uint8).numpy() if draw is None else draw.bits
    threshold, scale = (0, 1.0) if draw is None else (draw.threshold, draw.scale)
    arrays = (t.view(-1).numpy() for t in (own, aggregate, weights))
    return *arrays, bits, threshold, scale, *dataclasses.astuple(shape)
