"""Scores of edges by a small MLP, and what may be done to coefficients after the softmax."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from graphsparse.checks import check_choice, check_count, check_fraction
from graphsparse.models.edge_attention import row_total
from graphsparse.models.isomorphic import uniform_
from graphsparse.models.receivers import Receivers

Sparsify = tuple[str, float]
_CHUNK = 1 << 16  # edges whose hidden layer is held at once


class PairScore(nn.Module):
    """``W2 silu(W1 [x_i; x_j] + b1) + b2``: a score for each head of receiver i, sender j.

    Parameters
    ----------
    in_dim : int
        Width of ``x``.
    heads : int
        Scores per pair.
    hidden : int
        Width of the hidden layer.

    Notes
    -----
    ``W1 [x_i; x_j]`` is split into a product per node and a sum per pair: O(n * in_dim * hidden +
    pairs * hidden).  Hidden layers of pairs are recomputed for the gradient, chunk by chunk.
    """

    no_sparsify = ("bias_in", "bias_out")

    def __init__(self, in_dim: int, heads: int, hidden: int = 512) -> None:
        super().__init__()
        check_count("score_dim", hidden, low=1)
        self.weight_in = nn.Parameter(torch.empty(hidden, 2 * in_dim))
        self.bias_in = nn.Parameter(torch.empty(hidden))
        self.weight_out = nn.Parameter(torch.empty(heads, hidden))
        self.bias_out = nn.Parameter(torch.empty(heads))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw everything anew, as ``torch.nn.Linear`` does."""
        for weight, bias in ((self.weight_in, self.bias_in), (self.weight_out, self.bias_out)):
            uniform_(weight, weight.shape[1])
            uniform_(bias, weight.shape[1])

    def halves(self, receivers: Tensor, senders: Tensor) -> tuple[Tensor, Tensor]:
        """Return what a pair's hidden layer is the sum of: a part of each receiver and sender."""
        left, right = self.weight_in.chunk(2, dim=1)
        return F.linear(receivers, left, self.bias_in), F.linear(senders, right)

    def output(self, hidden: Tensor) -> Tensor:
        """Return the scores of hidden layers before their activation."""
        return F.linear(F.silu(hidden), self.weight_out, self.bias_out)

    def forward(self, edges: Receivers, receivers: Tensor, senders: Tensor) -> Tensor:
        """Return scores (nnz, heads) of the entries."""
        left, right = self.halves(receivers, senders)
        parts = [
            checkpoint(self._chunk, left, right, row, col, use_reentrant=False)
            for row, col in zip(edges.rows.split(_CHUNK), edges.senders.split(_CHUNK), strict=True)
        ]
        return torch.cat(parts) if parts else left.new_zeros(0, self.weight_out.shape[0])

    def _chunk(self, left: Tensor, right: Tensor, row: Tensor, col: Tensor) -> Tensor:
        return self.output(left.index_select(0, row) + right.index_select(0, col))


def check_sparsify(value: Any) -> Sparsify | None:
    """Return ``("threshold", t)`` or ``("top_k", keep)``, checked; None stays None."""
    if value is None:
        return None
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(f"sparsify must be None or a pair (name, number), got {value!r}")
    name, number = value
    check_choice("sparsify[0]", name, ("threshold", "top_k"))
    if name == "top_k":
        return name, check_fraction("sparsify[1]", number)
    if not float(number) >= 0.0:
        raise ValueError(f"sparsify[1] must be a threshold >= 0, got {number!r}")
    return name, float(number)


def sparsify_entries(
    edges: Receivers, att: Tensor, alive: Tensor, rule: Sparsify, renormalize: bool
) -> Tensor:
    """Return the coefficients with the weak ones of each receiver and head set to 0.

    Parameters
    ----------
    edges : Receivers
        ``nnz`` entries.
    att : Tensor, shape (nnz, heads)
        Coefficients.
    alive : Tensor of bool, shape (nnz,)
        Entries that count as edges: those of positive weight.
    rule : pair
        ``("threshold", t)`` keeps ``a > t``; ``("top_k", keep)`` the
        ``max(1, d - floor((1 - keep) d + 1e-6))`` largest of the ``d`` of a receiver, ties to the
        lower sender.
    renormalize : bool
        Divide what stays by its sum.
    """
    if rule[0] == "threshold":
        keep = att.detach() > rule[1]
    else:
        keep = top_entries(edges, att.detach(), alive, rule[1])
    att = att * keep
    return att / row_total(edges, att)[edges.rows] if renormalize else att


def top_entries(edges: Receivers, att: Tensor, alive: Tensor, share: float) -> Tensor:
    """Return which entries are among the largest of their receiver, bool of shape (nnz, heads)."""
    degree = torch.zeros_like(edges.counts).index_add(0, edges.rows, alive.to(torch.int64))
    removed = torch.floor((1.0 - share) * degree.double() + 1e-6).to(torch.int64)
    quota = (degree - removed).clamp(min=1)
    first = edges.counts.cumsum(0) - edges.counts
    keep = torch.empty_like(att, dtype=torch.bool)
    ranked = torch.where(alive[:, None], att, torch.full_like(att, -math.inf))
    place = torch.arange(len(att), device=att.device)
    for head in range(att.shape[1]):
        # Stable: by coefficient, then by receiver; entries of a receiver are in sender order.
        order = torch.argsort(ranked[:, head], descending=True, stable=True)
        order = order[torch.argsort(edges.rows[order], stable=True)]
        rank = torch.empty_like(place)
        rank[order] = place - first[edges.rows[order]]
        keep[:, head] = rank < quota[edges.rows]
    return keep & alive[:, None]
