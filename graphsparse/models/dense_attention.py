"""Attention between all pairs of a padded batch through ``scaled_dot_product_attention``."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Return (batch, length, heads * dim) as (batch, heads, length, dim)."""
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """Return (batch, heads, length, dim) as (batch, length, heads * dim)."""
    return x.transpose(1, 2).flatten(2)


def is_masked(mask: Tensor) -> Tensor:
    """Tell which entries of an additive mask stand for "never": -inf, or a huge negative number.

    The bound catches the least number of float16 and the -1e9 of other code.
    """
    return mask <= max(torch.finfo(mask.dtype).min / 2, -1e8)


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Tensor | None = None,
    blocked: Tensor | None = None,
    dropout: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Return the attention of every query, and how many keys it may see.

    Parameters
    ----------
    q, k, v : Tensor, shape (batch, heads, length, dim)
        Scores are ``q . k / sqrt(dim)``.
    mask : Tensor, broadcast to (batch, heads, queries, keys), optional
        Added to the scores, or bool: True where a key may be seen.
    blocked : Tensor of bool, broadcast likewise, optional
        True where a key may not be seen.
    dropout : float
        On the coefficients.

    Returns
    -------
    Tensor, shape (batch, heads, queries, dim), and Tensor, shape (..., queries, 1)
        A query that may see no key gives 0, never NaN.
    """
    if mask is None and blocked is None:
        out = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        return out, q.new_full((1, 1, 1, 1), k.shape[2])
    bias, seen = split_mask(mask, blocked, q.shape[2], k.shape[2], q)
    some = seen.any(-1, keepdim=True)
    # A row without keys attends to all of them and is set to 0 afterwards: no NaN, no gradient.
    open_rows = seen | ~some
    given = open_rows if bias is None else bias.masked_fill(~open_rows, -torch.inf)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=given, dropout_p=dropout)
    return out.masked_fill(~some, 0.0), seen.sum(-1, keepdim=True).to(q.dtype)


def split_mask(
    mask: Tensor | None, blocked: Tensor | None, queries: int, keys: int, like: Tensor
) -> tuple[Tensor | None, Tensor]:
    """Return the finite part of a mask, or None, and where keys may be seen."""
    bias = None
    seen = torch.ones(1, 1, queries, keys, dtype=torch.bool, device=like.device)
    if mask is not None and mask.dtype == torch.bool:
        seen = seen & mask
    elif mask is not None:
        never = is_masked(mask)
        seen = seen & ~never
        bias = mask.masked_fill(never, 0.0).to(like.dtype)
    if blocked is not None:
        seen = seen & ~blocked
    return bias, seen
