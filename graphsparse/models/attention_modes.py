"""What may be done to a dense attention map after its softmax: ``A -> A'``."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from graphsparse.checks import check_choice

BETA = 10.0  # slope of the reference's sharp functions
MODES = ("relu", "binary", "top_k", "causal_top_k")
Function = Callable[[Tensor, float, float], Tensor]


def _top_of_length(a: Tensor, t: float, share: float) -> Tensor:
    count = max(int(share * a.shape[-1]), 1)
    return torch.zeros_like(a).scatter(-1, a.topk(count, dim=-1).indices, 1.0)


def _top_predecessors(a: Tensor, t: float, share: float) -> Tensor:
    """The reference's: row i takes ``ceil(share * i)`` strict predecessors, itself never."""
    length = a.shape[-1]
    row = torch.arange(length, device=a.device)
    strict = row[None, :] < row[:, None]
    above = torch.where(strict & (a > t), a, torch.zeros_like(a))
    ranked = above.masked_fill(~strict, -torch.inf)
    rank = _rank(ranked)
    quota = torch.ceil(share * row.double()).clamp(min=1.0)[:, None]
    return ((rank < quota) & strict).to(a.dtype)


REFERENCE: dict[str, Function] = {
    "relu": lambda a, t, f: F.relu(a - t),
    "silu": lambda a, t, f: F.silu(a - t),
    "softplus": lambda a, t, f: F.softplus(a - t),
    "sharp_softplus": lambda a, t, f: F.softplus(BETA * (a - t)) / BETA,
    "sigmoid_elementwise": lambda a, t, f: torch.sigmoid(BETA * (a - t)),
    "flowthreshold": lambda a, t, f: torch.sigmoid(5.0 * a) * torch.sigmoid(50.0 * (a - t)),
    "binary": lambda a, t, f: (a > t).to(a.dtype),
    "top_k": _top_of_length,
    "scaled_topk_causal_4d": _top_predecessors,
    "silu+binary": lambda a, t, f: F.silu(a - t) + (a > t).to(a.dtype),
    "silu_below_binary_above": lambda a, t, f: torch.where(a > t, 1.0, F.silu(a - t)),
    "relu_below_binary_above": lambda a, t, f: torch.where(a > t, 1.0, F.relu(a - t)),
    "softplus_below_binary_above": lambda a, t, f: torch.where(a > t, 1.0, F.softplus(a - t)),
}


def check_mode(mode: str | None) -> str | None:
    """Return a known mode; None stays None."""
    if mode is not None:
        known = (*MODES, *(f"reference:{name}" for name in REFERENCE))
        check_choice("mode", mode, known)
    return mode


def sparsified(a: Tensor, seen: Tensor, mode: str | None, threshold: float, share: float) -> Tensor:
    """Return the map after sparsification; what may not be seen stays 0.

    Parameters
    ----------
    a : Tensor, shape (..., queries, keys)
        Coefficients, 0 where a key may not be seen.
    seen : Tensor of bool, broadcast to ``a``
        Where keys may be seen.  With a causal mask the last seen key of a row is its own.
    mode : str or None
        ``"relu"``: ``max(a - threshold, 0)``; ``"binary"``: 1 above the threshold; ``"top_k"``: 1
        on the ``max(1, floor(share * k))`` largest of the ``k`` keys that a query sees;
        ``"causal_top_k"``: 1 on the own key and on the ``ceil(share * k) - 1`` largest others
        above the threshold.  Ties go to the lower key.  ``"reference:NAME"``: as published.
    threshold, share : float
        See ``mode``.
    """
    if mode is None:
        return a
    if mode.startswith("reference:"):
        return REFERENCE[mode.removeprefix("reference:")](a, threshold, share) * seen
    if mode in ("relu", "binary"):
        return REFERENCE[mode](a, threshold, share) * seen
    seen = seen.expand_as(a)
    count = seen.sum(-1, keepdim=True).double()
    if mode == "top_k":
        quota = torch.floor(share * count + 1e-6).clamp(min=1.0)
        return ((_rank(a.masked_fill(~seen, -torch.inf)) < quota) & seen).to(a.dtype)
    last = seen & (seen.flip(-1).cumsum(-1).flip(-1) == 1)
    quota = torch.ceil(share * count - 1e-6).clamp(min=1.0) - 1.0
    others = seen & ~last & (a > threshold)
    chosen = (_rank(a.masked_fill(~others, -torch.inf)) < quota) & others
    return (chosen | last).to(a.dtype)


def _rank(values: Tensor) -> Tensor:
    """Place of every entry in its row by descending value; ties by lower index."""
    order = values.detach().argsort(dim=-1, descending=True, stable=True)
    return order.argsort(-1)
