"""Attention with several aggregators: sum, mean, true maximum and variance of the neighbours."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_choice
from graphsparse.models.dense_attention import merge_heads, split_heads
from graphsparse.models.isomorphic import uniform_
from graphsparse.models.sequence_attention import KeyValueCache, SequenceAttention

VARIANTS = ("pna", "lm")
_ROWS = 32  # queries whose candidates for the maximum are held at once


class PNASelfAttention(SequenceAttention):
    """Self-attention whose heads map ``[sum | mean | max | variance]`` of their neighbours.

    Parameters
    ----------
    dim, heads, kv_heads, **attention
        As in :class:`~graphsparse.models.sequence_attention.SequenceAttention`.
    mlp_ratio : float
        Hidden width of a head's MLP, as a multiple of the width of the head.
    variant : {"pna", "lm"}
        ``"lm"`` takes ``[mean | largest | variance | smallest]``: the neighbours of largest and
        smallest norm among those above ``threshold``; mean and variance see the whole map.

    Notes
    -----
    The maximum is over the neighbours of positive weight; the published code takes the
    receiver's own value instead.

    References
    ----------
    M. J. Buehler, 2025, arXiv:2501.02393; G. Corso et al., Principal neighbourhood aggregation,
    NeurIPS 2020, arXiv:2004.05718.
    """

    def __init__(
        self,
        dim: int,
        heads: int = 4,
        *,
        kv_heads: int | None = None,
        mlp_ratio: float = 0.5,
        variant: str = "pna",
        **attention: Any,
    ) -> None:
        super().__init__(dim, heads, kv_heads=kv_heads, **attention)
        self.variant = check_choice("variant", variant, VARIANTS)
        hidden = math.floor(mlp_ratio * self.head_dim)
        if hidden < 1:
            raise ValueError(
                f"mlp_ratio must leave a hidden width of 1 or more, got {mlp_ratio} of "
                f"{self.head_dim}"
            )
        self.value = nn.Linear(dim, self.kv_heads * self.head_dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)
        self.weight_in = nn.Parameter(torch.empty(heads * hidden, 4 * self.head_dim))
        self.weight_out = nn.Parameter(torch.empty(heads * self.head_dim, hidden))
        for weight in (self.weight_in, self.weight_out):
            uniform_(weight, weight.shape[1])

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        *,
        key_padding_mask: Tensor | None = None,
        cache: KeyValueCache | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Return the new states; the arguments are those of :class:`GINSelfAttention`."""
        mapped = split_heads(self.value(x), self.kv_heads)
        queries, keys, value = self._project(x, mapped, cache, positions)
        bias, seen = self._sight(x, value.shape[2], mask, key_padding_mask)
        a = self._maps(queries, keys, bias, seen).to(value.dtype)
        features = torch.cat(self._aggregates(a, value, seen), dim=-1)
        hidden = F.silu(features @ self._per_head(self.weight_in))
        return self.out(merge_heads(hidden @ self._per_head(self.weight_out)))

    def _per_head(self, weight: Tensor) -> Tensor:
        return weight.view(self.heads, -1, weight.shape[1]).transpose(1, 2)

    def _aggregates(self, a: Tensor, value: Tensor, seen: Tensor) -> list[Tensor]:
        degree = a.sum(-1, keepdim=True)
        divisor = torch.where(degree == 0, torch.ones_like(degree), degree)
        total = a @ value
        mean = total / divisor
        variance = ((a @ value.square()) / divisor - mean.square()).clamp(min=0.0)
        if self.variant == "pna":
            return [total, mean, neighbour_max(a > 0, value), variance]
        norm = torch.linalg.vector_norm(value, dim=-1)[:, :, None, :]
        strong, own = a > self.threshold, value[:, :, value.shape[2] - a.shape[2] :]
        first = seen.expand_as(a).to(torch.int8).argmax(-1, keepdim=True)
        parts = [mean]
        for sign in (1.0, -1.0):
            best = (sign * norm).expand_as(a).masked_fill(~strong, -torch.inf)
            place = torch.where(strong.any(-1, keepdim=True), _first_max(best), first)
            found = value.gather(2, place.expand(-1, -1, -1, value.shape[3]))
            parts.append(torch.where(degree == 0, own, found))
        return [parts[0], parts[1], variance, parts[2]]


def _first_max(values: Tensor) -> Tensor:
    """Lowest index of the largest entry of each row, kept as the last axis."""
    return (values == values.amax(-1, keepdim=True)).to(torch.int8).argmax(-1, keepdim=True)


def neighbour_max(near: Tensor, value: Tensor) -> Tensor:
    """Return the largest value of each column among a query's neighbours; without any, 0.

    Parameters
    ----------
    near : Tensor of bool, shape (batch, heads, queries, keys)
        Who is a neighbour.
    value : Tensor, shape (batch, heads, keys, dim)
        Values.

    Notes
    -----
    The gradient goes to the neighbour that holds the maximum.  O(queries * keys * dim) time,
    O(keys * dim) memory for each of some rows at a time.
    """
    places = []
    with torch.no_grad():
        for rows in near.split(_ROWS, dim=2):
            candidates = value[:, :, None].masked_fill(~rows[..., None], -torch.inf)
            places.append(candidates.argmax(3))
    place = torch.cat(places, dim=2)
    return value.gather(2, place) * near.any(-1, keepdim=True)
