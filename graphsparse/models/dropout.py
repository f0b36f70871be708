"""Dropout that costs little on a CPU: few random bits per entry, fused with what follows."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from graphsparse.backend import native, requested_threads
from graphsparse.checks import check_fraction

NARROW = 32  # outputs of a weight up to which the fused product is the faster one


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Zero each entry with probability ``p`` and scale the others by ``1 / (1 - p)``.

    Parameters
    ----------
    x : Tensor
        Any shape; float32 and float64 have a native path on the CPU.
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
    rounded to a multiple of 2^-16 and the scale follows the rounded value.  Other devices use
    torch's dropout.
    """
    check_fraction("p", p, zero=True)
    if not training or p == 0.0:
        return x
    if x.device.type != "cpu" or p == 1.0:
        return F.dropout(x, p, True)
    draw = Draw(x.numel(), p)
    if x.dtype not in (torch.float32, torch.float64):
        return x * draw.factors(x)
    result: Tensor = _Dropout.apply(x, draw)
    return result


class PreActivation:
    """``dropout(relu(x))`` that is not computed until it is used; the mask is drawn at once.

    Parameters
    ----------
    x : Tensor, shape (n, dim)
        Before the ReLU.
    p : float
        Probability to drop.
    training : bool
        No entry is dropped when false.
    """

    def __init__(self, x: Tensor, p: float, training: bool) -> None:
        check_fraction("p", p, zero=True)
        self._fused = x.device.type == "cpu" and p < 1.0
        self.x = x if self._fused else dropout(F.relu(x), p, training)
        self._draw = Draw(x.numel(), p) if self._fused and training and p > 0.0 else None

    @property
    def shape(self) -> torch.Size:
        """Shape of ``x``."""
        return self.x.shape

    @property
    def dtype(self) -> torch.dtype:
        """Type of ``x``."""
        return self.x.dtype

    @property
    def device(self) -> torch.device:
        """Device of ``x``."""
        return self.x.device

    def tensor(self) -> Tensor:
        """Return the activated tensor."""
        if not self._fused:
            return self.x
        hidden = F.relu(self.x)
        result: Tensor = hidden if self._draw is None else _Dropout.apply(hidden, self._draw)
        return result

    def head(self, rows: int) -> PreActivation | Tensor:
        """Return the first rows, activated unless they are all."""
        return self if rows == len(self.x) else self.tensor()[:rows]

    def matmul(self, weight: Tensor) -> Tensor:
        """Return ``dropout(relu(x)) @ weight`` for a weight of shape (dim, out)."""
        if not self._fused or weight.shape[1] > NARROW:
            return F.linear(self.tensor(), weight.t().contiguous())
        result: Tensor = _DropoutLinear.apply(self.x, weight, self._draw)
        return result


class Draw:
    """Random bits for ``size`` entries, the threshold below which they survive, their scale."""

    def __init__(self, size: int, p: float) -> None:
        width = 8 if (256 * p).is_integer() else 16
        self.threshold = round((1.0 - p) * 2**width)
        self.scale = 2**width / self.threshold
        words = torch.empty(-(-size * width // 64), dtype=torch.int64).random_(-(2**63), None)
        self.bits = words.view(torch.uint8 if width == 8 else torch.uint16)[:size].numpy()

    def factors(self, like: Tensor) -> Tensor:
        """Return what each entry is multiplied by, in the type and shape of ``like``."""
        keep = torch.from_numpy(self.bits) < self.threshold
        return (keep.to(like.dtype) * self.scale).view(like.shape)

    def apply(self, x: Tensor) -> Tensor:
        """Return ``x`` with its entries dropped or scaled."""
        flat = x.contiguous().view(-1)
        out = torch.empty_like(flat)
        native.dropout(
            flat.numpy(), self.bits, self.threshold, self.scale, out.numpy(), requested_threads()
        )
        return out.view(x.shape)


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, draw: Draw) -> Tensor:
        ctx.draw = draw
        return draw.apply(x.detach())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return ctx.draw.apply(grad), None


class _DropoutLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, draw: Draw | None) -> Tensor:
        x, wt = x.detach().contiguous(), weight.detach().t().contiguous()
        out = torch.empty(len(x), len(wt), dtype=x.dtype)
        ctx.save_for_backward(x, wt)
        ctx.draw = draw
        native.dropout_linear_forward(
            *_layer(x, wt, draw), out.view(-1).numpy(), requested_threads()
        )
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        x, wt = ctx.saved_tensors
        grad_x, grad_wt = torch.empty_like(x), torch.empty_like(wt)
        native.dropout_linear_backward(
            *_layer(x, wt, ctx.draw),
            *(t.view(-1).numpy() for t in (grad.contiguous(), grad_x, grad_wt)),
            requested_threads(),
        )
        return grad_x, grad_wt.t(), None


def _layer(x: Tensor, wt: Tensor, draw: Draw | None) -> tuple[Any, ...]:
    """The arguments that both directions share."""
    bits = torch.empty(0, dtype=torch.uint8).numpy() if draw is None else draw.bits
    threshold, scale = (0, 1.0) if draw is None else (draw.threshold, draw.scale)
    return x.view(-1).numpy(), wt.view(-1).numpy(), bits, x.shape[1], threshold, scale
