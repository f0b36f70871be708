"""Dot products with the hops of a pattern and their weighted sum, each one pass over the features.

Features are constant: gradients flow to the vectors and to the weights only.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphsparse.backend import native, requested_threads


def hop_scores(features: Tensor, vectors: Tensor) -> Tensor:
    """Return ``<last, H_k> + sum_j <reference_j, H_j>`` of every node, pattern and hop.

    Parameters
    ----------
    features : Tensor, shape (rows, 1 + patterns * K, width)
        Own features, which are hop 0 of every pattern, then hops 1..K of each pattern.
    vectors : Tensor, shape (patterns, references + 1, width)
        Reference vectors of hops 0, 1, ..., then the last one.

    Returns
    -------
    Tensor, shape (rows, patterns, K + 1)
    """
    if _on_cpu(features):
        scores: Tensor = _Scores.apply(vectors, features.contiguous())
        return scores
    return composed_scores(features, vectors)


def hop_sum(features: Tensor, alpha: Tensor) -> Tensor:
    """Return ``sum_k alpha_k H_k``, shape (rows, patterns, width).

    Parameters
    ----------
    features : Tensor, shape (rows, 1 + patterns * K, width)
        As in :func:`hop_scores`.
    alpha : Tensor, shape (rows, patterns, K + 1)
        Weight of every hop.
    """
    if _on_cpu(features):
        total: Tensor = _Sum.apply(alpha, features.contiguous())
        return total
    return composed_sum(features, alpha)


def composed_scores(features: Tensor, vectors: Tensor) -> Tensor:
    """Return what :func:`hop_scores` does, from torch's operations."""
    every = _every_hop(features, vectors.shape[0])
    last = torch.einsum("mpkf,pf->mpk", every, vectors[:, -1])
    count = vectors.shape[1] - 1
    shared = torch.einsum("mpkf,pkf->mp", every[:, :, :count], vectors[:, :-1])
    return last + shared[:, :, None]


def composed_sum(features: Tensor, alpha: Tensor) -> Tensor:
    """Return what :func:`hop_sum` does, from torch's operations."""
    return torch.einsum("mpkf,mpk->mpf", _every_hop(features, alpha.shape[1]), alpha)


def _every_hop(features: Tensor, patterns: int) -> Tensor:
    hops = features[:, 1:].unflatten(1, (patterns, -1))
    own = features[:, None, None, 0].expand(-1, patterns, 1, -1)
    return torch.cat([own, hops], dim=2)


def _on_cpu(features: Tensor) -> bool:
    return features.device.type == "cpu" and features.dtype in (torch.float32, torch.float64)


def _call(kernel: Any, features: Tensor, given: Tensor, shape: tuple[int, ...]) -> Tensor:
    out = torch.empty(shape, dtype=features.dtype)
    given = given.detach().contiguous()
    kernel(features.numpy(), given.numpy(), out.numpy(), requested_threads())
    return out


class _Scores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vectors: Tensor, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        ctx.shape = tuple(vectors.shape)
        patterns = vectors.shape[0]
        hops = (features.shape[1] - 1) // patterns
        shape = (features.shape[0], patterns, hops + 1)
        return _call(native.hop_scores, features, vectors, shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (features,) = ctx.saved_tensors
        return _call(native.hop_vector_grad, features, grad, ctx.shape), None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, alpha: Tensor, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        ctx.shape = tuple(alpha.shape)
        shape = (features.shape[0], alpha.shape[1], features.shape[2])
        return _call(native.hop_combine, features, alpha, shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None]:
        if not ctx.needs_input_grad[0]:
            return None, None
        (features,) = ctx.saved_tensors
        return _call(native.hop_alpha_grad, features, grad, ctx.shape), None
