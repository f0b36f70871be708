"""Causal attention maps of sequences: rotary positions, masks, cache, grouped key heads."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_choice, check_count, check_fraction
from graphsparse.models.attention_modes import check_mode, sparsified
from graphsparse.models.dense_attention import split_heads, split_mask
from graphsparse.models.edge_scores import PairScore
from graphsparse.models.isomorphic import check_heads

_ROWS = 32  # queries whose hidden scores are held at once


@dataclasses.dataclass
class KeyValueCache:
    """Keys and values of the tokens so far; give the same object to every call of a layer.

    Attributes
    ----------
    parts : list of Tensor
        Keys (of both maps, if there are two) and values, (batch, heads, length, dim) each.
    """

    parts: list[Tensor] = dataclasses.field(default_factory=list)

    @property
    def length(self) -> int:
        """Tokens that the cache holds."""
        return self.parts[0].shape[2] if self.parts else 0

    def append(self, parts: list[Tensor]) -> list[Tensor]:
        """Add the parts of new tokens and return those of all tokens."""
        if self.parts:
            pairs = zip(self.parts, parts, strict=True)
            parts = [torch.cat(pair, dim=2) for pair in pairs]
        self.parts = parts
        return parts


def rotate(x: Tensor, positions: Tensor, base: float) -> Tensor:
    """Return x (batch, heads, length, dim) turned by its positions; entry c pairs with c + dim/2.

    Parameters
    ----------
    x : Tensor
        Queries or keys; ``dim`` is even.
    positions : Tensor, shape (length,) or (batch, length)
        Of the tokens.
    base : float
        Frequencies are ``base^(-2c / dim)``.
    """
    half = x.shape[-1] // 2
    step = torch.arange(half, device=x.device, dtype=torch.float32) / half
    angle = positions.to(torch.float32)[..., None] * base**-step
    angle = angle[:, None] if angle.dim() == 3 else angle
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class SequenceAttention(nn.Module):
    """Base of attention over sequences: who attends to whom, and how much.

    Parameters
    ----------
    dim, heads : int
        Width of the input, number of query heads.
    kv_heads : int, optional
        Heads of keys and values, a divisor of ``heads``; all when left out.
    score : {"dot", "mlp"}
        As in :class:`GINAttention`.
    score_dim : int
        Hidden width of ``score="mlp"``.
    sharpen, train_sharpen, temperature
        Scores are multiplied by ``alpha / temperature``; ``alpha`` starts at ``sharpen``.
    rotary : bool
        Turn queries and keys by their position.
    rotary_base : float
        Base of the frequencies.
    differential : bool
        Subtract ``mu`` times a second map.
    layer_index : int
        Sets the start of ``mu``: ``.8 - .6 exp(-.3 (layer_index - 1))``.
    mode, threshold, share
        Sparsification after the softmax, as in
        :func:`~graphsparse.models.attention_modes.sparsified`.
    is_causal : bool
        A token sees itself and its predecessors only.
    attn_dropout : float
        Share of the coefficients dropped in training.
    """

    no_sparsify: tuple[str, ...] = ("alpha", "mu")

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        kv_heads: int | None = None,
        score: str = "dot",
        score_dim: int = 512,
        sharpen: float = 1.0,
        train_sharpen: bool = True,
        temperature: float = 1.0,
        rotary: bool = True,
        rotary_base: float = 10_000.0,
        differential: bool = False,
        layer_index: int = 0,
        mode: str | None = None,
        threshold: float = 0.2,
        share: float = 0.1,
        is_causal: bool = True,
        attn_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dim, self.heads, self.head_dim = dim, heads, check_heads(dim, heads)
        self.kv_heads = check_count("kv_heads", heads if kv_heads is None else kv_heads, low=1)
        if heads % self.kv_heads:
            raise ValueError(f"kv_heads must divide heads, got {self.kv_heads} and {heads}")
        self.score = check_choice("score", score, ("dot", "mlp"))
        if rotary and self.head_dim % 2:
            raise ValueError(f"rotary=True needs an even width per head, got {self.head_dim}")
        if score == "mlp" and (differential or self.kv_heads != heads):
            raise ValueError("score='mlp' goes with neither differential nor kv_heads")
        if mode == "causal_top_k" and not is_causal:
            raise ValueError("mode='causal_top_k' needs is_causal=True")
        self.rotary, self.rotary_base = rotary, rotary_base
        self.temperature, self.is_causal = temperature, is_causal
        self.mode, self.threshold = check_mode(mode), threshold
        self.share = check_fraction("share", share)
        self.attn_dropout = check_fraction("attn_dropout", attn_dropout, zero=True)
        self.queries, self.keys = nn.ModuleList(), nn.ModuleList()
        self.pair_score: PairScore | None = None
        if score == "mlp":
            self.pair_score = PairScore(dim, heads, score_dim)
            return
        for _ in range(1 + differential):
            self.queries.append(nn.Linear(dim, dim, bias=False))
            self.keys.append(nn.Linear(dim, self.kv_heads * self.head_dim, bias=False))
        self.alpha = nn.Parameter(torch.full((1,), float(sharpen)), requires_grad=train_sharpen)
        if differential:
            start = 0.8 - 0.6 * math.exp(-0.3 * (layer_index - 1))
            self.mu = nn.Parameter(torch.full((1,), start))

    def _project(
        self, x: Tensor, value: Tensor, cache: KeyValueCache | None, positions: Tensor | None
    ) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Queries of the new tokens; keys and values of all tokens, one head per query head."""
        start = 0 if cache is None else cache.length
        if positions is None:
            positions = torch.arange(start, start + x.shape[1], device=x.device)
        queries, keys = [], []
        for q, k in zip(self.queries, self.keys, strict=True):
            both = [split_heads(q(x), self.heads), split_heads(k(x), self.kv_heads)]
            if self.rotary:
                both = [rotate(t, positions, self.rotary_base) for t in both]
            queries.append(both[0] * (self.alpha / self.temperature))
            keys.append(both[1])
        if self.pair_score is not None:
            left, right = self.pair_score.halves(x, x)
            queries, keys = [left], [right[:, None]]
        parts = [*keys, value]
        if cache is not None:
            parts = cache.append(parts)
        shared = self.heads // self.kv_heads
        *keys, value = parts
        if self.pair_score is None:
            keys = [k.repeat_interleave(shared, 1) if shared > 1 else k for k in keys]
        return queries, keys, value.repeat_interleave(shared, 1) if shared > 1 else value

    def _sight(
        self, x: Tensor, keys: int, mask: Tensor | None, padding: Tensor | None
    ) -> tuple[Tensor | None, Tensor]:
        """Additive part of the mask, and which keys every new token may see."""
        queries = x.shape[1]
        if padding is not None and padding.shape != (len(x), keys):
            raise ValueError(
                f"key_padding_mask must have shape ({len(x)}, {keys}), got {tuple(padding.shape)}"
            )
        blocked = None if padding is None else padding[:, None, None, :]
        bias, seen = split_mask(mask, blocked, queries, keys, x)
        if self.is_causal:
            row = torch.arange(keys - queries, keys, device=x.device)[:, None]
            seen = seen & (torch.arange(keys, device=x.device)[None] <= row)
        return bias, seen

    def _maps(
        self, queries: list[Tensor], keys: list[Tensor], bias: Tensor | None, seen: Tensor
    ) -> Tensor:
        """The whole attention map, float32 or better, sparsified; 0 where nothing is seen."""
        maps = []
        for q, k in zip(queries, keys, strict=True):
            if self.pair_score is not None:
                score = self._pair_scores(q, k[:, 0])
            else:
                score = q @ k.transpose(-1, -2) / math.sqrt(self.head_dim)
            score = score if score.dtype == torch.float64 else score.float()
            score = score if bias is None else score + bias
            maps.append(masked_softmax(score, seen))
        a = maps[0] if len(maps) == 1 else maps[0] - self.mu * maps[1]
        return sparsified(a, seen, self.mode, self.threshold, self.share)

    def _pair_scores(self, left: Tensor, right: Tensor) -> Tensor:
        assert self.pair_score is not None
        rows = [
            self.pair_score.output(part[:, :, None] + right[:, None])
            for part in left.split(_ROWS, dim=1)
        ]
        return torch.cat(rows, dim=1).permute(0, 3, 1, 2)

    def _mixed(
        self,
        queries: list[Tensor],
        keys: list[Tensor],
        value: Tensor,
        bias: Tensor | None,
        seen: Tensor,
        plain: bool,
    ) -> Tensor:
        """``A v`` without the map; ``plain``: nothing hides a key but the causal order."""
        some = seen.any(-1, keepdim=True)
        given = seen | ~some
        options: dict[str, Any] = {"dropout_p": self.attn_dropout if self.training else 0.0}
        if plain:
            options["is_causal"] = self.is_causal
        else:
            options["attn_mask"] = given if bias is None else bias.masked_fill(~given, -torch.inf)
        parts = [
            F.scaled_dot_product_attention(q, k, value, **options)
            for q, k in zip(queries, keys, strict=True)
        ]
        out = parts[0] if len(parts) == 1 else parts[0] - self.mu.to(value.dtype) * parts[1]
        return out.masked_fill(~some, 0.0)


def masked_softmax(score: Tensor, seen: Tensor) -> Tensor:
    """Return the softmax over the seen keys; a row that sees none is 0, with gradient 0."""
    some = seen.any(-1, keepdim=True)
    score = score.masked_fill(~(seen | ~some), -torch.inf)
    return torch.softmax(score, -1) * some
