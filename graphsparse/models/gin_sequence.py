"""GIN-attention for sequences: a causal drop-in for self-attention, with a cache."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.models.dense_attention import merge_heads, split_heads
from graphsparse.models.isomorphic import IsomorphicUpdate
from graphsparse.models.sequence_attention import KeyValueCache, SequenceAttention


class GINSelfAttention(SequenceAttention):
    """Self-attention whose output map is GIN's update, one MLP per head.

    Parameters
    ----------
    dim, heads, kv_heads, **attention
        As in :class:`~graphsparse.models.sequence_attention.SequenceAttention`.
    value_proj : bool
        Map the input to values; without it the input is aggregated.  Needed with ``kv_heads``.
    out_proj : bool
        Map the heads together at the end.
    mlp_ratio, mlp, self_weight, eps, train_eps, norm, dropout
        The update, as in :class:`~graphsparse.models.isomorphic.IsomorphicUpdate`; here the
        coefficient of the own value is ``eps`` itself, as the map holds the own key too.

    Notes
    -----
    Without ``mode``, ``score="mlp"`` and ``return_attention`` the map is never stored.

    Examples
    --------
    >>> import torch
    >>> layer = GINSelfAttention(8, heads=2)
    >>> layer(torch.randn(1, 5, 8)).shape
    torch.Size([1, 5, 8])
    """

    def __init__(
        self,
        dim: int,
        heads: int = 4,
        *,
        kv_heads: int | None = None,
        value_proj: bool = False,
        out_proj: bool = False,
        mlp_ratio: float = 0.5,
        mlp: str | None = "per_head",
        self_weight: str = "eps",
        eps: float = 0.0,
        train_eps: bool = True,
        norm: str | None = "rms",
        dropout: float = 0.1,
        **attention: Any,
    ) -> None:
        super().__init__(dim, heads, kv_heads=kv_heads, **attention)
        if self.kv_heads != heads and not value_proj:
            raise ValueError(
                f"kv_heads={self.kv_heads} of heads={heads} needs value_proj=True: "
                "the input itself has one part per head"
            )
        if norm == "batch":
            raise ValueError("norm must not look at other tokens, got norm='batch'")
        width = self.kv_heads * self.head_dim
        self.value = nn.Linear(dim, width, bias=False) if value_proj else None
        self.out = nn.Linear(dim, dim, bias=False) if out_proj else None
        self.update = IsomorphicUpdate(
            dim,
            heads,
            mlp_ratio=mlp_ratio,
            mlp=mlp,
            self_weight=self_weight,
            eps=eps,
            train_eps=train_eps,
            norm=norm,
            dropout=dropout,
        )

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        *,
        key_padding_mask: Tensor | None = None,
        cache: KeyValueCache | None = None,
        positions: Tensor | None = None,
        return_attention: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Return the new states of the tokens given.

        Parameters
        ----------
        x : Tensor, shape (batch, length, dim)
            The new tokens.
        mask : Tensor, broadcast to (batch, heads, length, keys), optional
            Added to the scores, or bool: True where a key may be seen.
        key_padding_mask : Tensor of bool, shape (batch, keys), optional
            True where there is no token, cached ones included.
        cache : KeyValueCache, optional
            Tokens before these; the new ones are added to it.
        positions : Tensor, shape (length,) or (batch, length), optional
            For the rotation; they go on after the cache when left out.
        return_attention : bool
            Return the map (batch, heads, length, keys) too, after sparsification.

        Returns
        -------
        Tensor, shape (batch, length, dim), or a pair
        """
        if x.dim() != 3 or x.shape[2] != self.dim:
            raise ValueError(f"x must have shape (batch, n, {self.dim}), got {tuple(x.shape)}")
        mapped = split_heads(x if self.value is None else self.value(x), self.kv_heads)
        queries, keys, value = self._project(x, mapped, cache, positions)
        bias, seen = self._sight(x, value.shape[2], mask, key_padding_mask)
        a = None
        if self.mode is None and self.pair_score is None and not return_attention:
            whole = value.shape[2] == x.shape[1]
            plain = whole and mask is None and key_padding_mask is None
            mixed = self._mixed(queries, keys, value, bias, seen, plain)
        else:
            a = self._maps(queries, keys, bias, seen)
            mixed = F.dropout(a, self.attn_dropout, self.training).to(value.dtype) @ value
        own = value[:, :, value.shape[2] - x.shape[1] :]
        out = self.update(merge_heads(own), merge_heads(mixed))
        out = out if self.out is None else self.out(out)
        return out if not return_attention else (out, a)  # type: ignore[return-value]
