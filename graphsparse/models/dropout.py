"""Dropout that costs little on a CPU: a few random bits per entry instead of one float."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from graphsparse.backend import native, requested_threads
from graphsparse.checks import check_fraction


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Zero each entry with probability ``p`` and scale the others by ``1 / (1 - p)``.

    Parameters
    ----------
    x : Tensor
        Any shape, float32 or float64 on the CPU.
    p : float
        Probability to drop, in [0, 1].
    training : bool
        ``x`` comes back unchanged when false.

    Returns
    -------
    Tensor
        Same shape.  Bits come from torch's CPU generator, so ``torch.manual_seed`` and a stored
        generator state repeat them.

    Notes
    -----
    On the CPU an entry gets 8 random bits when ``256 * p`` is whole, else 16: ``p`` is then
    rounded to a multiple of 2^-16 and the scale follows the rounded value.  Measured on
    2,708 x 512 floats: 1.3 ms against 17 ms for torch's.  Other devices use torch's dropout.
    """
    check_fraction("p", p, zero=True)
    if not training or p == 0.0:
        return x
    if x.device.type != "cpu" or p == 1.0:
        return F.dropout(x, p, True)
    result: Tensor = _Dropout.apply(x, p)
    return result


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float) -> Tensor:
        width = 8 if (256 * p).is_integer() else 16
        ctx.threshold = round((1.0 - p) * 2**width)
        ctx.scale = 2**width / ctx.threshold
        words = -(-x.numel() * width // 64)
        random = torch.empty(words, dtype=torch.int64).random_(-(2**63), None)
        bits = random.view(torch.uint8 if width == 8 else torch.uint16)[: x.numel()]
        ctx.save_for_backward(bits)
        return _apply(x.detach(), bits, ctx)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _apply(grad, ctx.saved_tensors[0], ctx), None


def _apply(x: Tensor, bits: Tensor, ctx: Any) -> Tensor:
    flat = x.contiguous().view(-1)
    out = torch.empty_like(flat)
    native.dropout(
        flat.numpy(), bits.numpy(), ctx.threshold, ctx.scale, out.numpy(), requested_threads()
    )
    return out.view(x.shape)
