"""Dot-product attention along edges, fused, and the products per head that it is made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphsparse.backend import native, requested_threads
from graphsparse.models import edge_attention_gpu
from graphsparse.models.receivers import Receivers
from graphsparse.models.sparse import Pattern

KINDS = {"softmax": 0, "sigmoid": 1}
_NATIVE = (torch.float32, torch.float64)


def edge_attention(
    edges: Receivers,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None = None,
    *,
    heads: int,
    kind: str = "softmax",
    need_weights: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """Return ``sum_j a_ij v_j`` per receiver and head, and the coefficients ``a``.

    Parameters
    ----------
    edges : Receivers
        ``r`` receivers, ``s`` senders, ``nnz`` entries.
    q : Tensor, shape (r, heads * dim)
        Queries, already divided by ``sqrt(dim)``.
    k, v : Tensor, shape (s, heads * dim)
        Keys and values.
    bias : Tensor, shape (nnz, heads), optional
        Added to the scores; -inf removes an entry.
    heads : int
        Number of heads.
    kind : {"softmax", "sigmoid"}
        What makes coefficients of scores; a row without entries gives zeros.
    need_weights : bool
        Whether the coefficients are wanted; without them and without gradients they are never
        stored.

    Returns
    -------
    Tensor, shape (r, heads * dim), and Tensor, shape (nnz, heads), or None
        No gradient flows through the second.

    Notes
    -----
    O(nnz * heads * dim) time, O(nnz * heads) memory beside the arguments, no atomics: the same
    bits with any number of threads.  The CPU path is native; CUDA tensors use our kernels where
    CuPy is installed and heads have at most 128 columns (64 in double precision); all else is
    torch.
    """
    if edge_attention_gpu.is_usable(q, heads):
        out, lse = edge_attention_gpu.DeviceAttention.apply(
            q, k, v, bias, edges, heads, KINDS[kind]
        )
        att = _weights(edges, q, k, bias, lse, heads, kind) if need_weights else None
        return out, att
    if q.device.type != "cpu":
        return composed_edge_attention(edges, q, k, v, bias, heads=heads, kind=kind)
    dtype = q.dtype if q.dtype in _NATIVE else torch.float32
    args = [t.to(dtype) for t in (q, k, v)]
    bias = None if bias is None else bias.to(dtype)
    out, att = _EdgeAttention.apply(*args, bias, edges.pattern, heads, KINDS[kind], need_weights)
    return out.to(q.dtype), att if need_weights else None


@torch.no_grad()
def _weights(
    edges: Receivers,
    q: Tensor,
    k: Tensor,
    bias: Tensor | None,
    lse: Tensor,
    heads: int,
    kind: str,
) -> Tensor:
    """Coefficients from the logarithms of the denominators."""
    score = head_dots(edges, q, k, heads)
    score = score if bias is None else score + bias
    return torch.sigmoid(score) if kind == "sigmoid" else (score - lse[edges.rows]).exp()


def composed_edge_attention(
    edges: Receivers,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None = None,
    *,
    heads: int,
    kind: str = "softmax",
) -> tuple[Tensor, Tensor]:
    """Return the same as :func:`edge_attention`, from torch operations on any device.

    Takes ``nnz * heads * dim`` floats of memory.
    """
    row, col = edges.rows, edges.senders
    score = (_per_head(q, heads)[row] * _per_head(k, heads)[col]).sum(-1)
    score = score if bias is None else score + bias
    att = row_softmax(edges, score) if kind == "softmax" else torch.sigmoid(score)
    message = att[:, :, None] * _per_head(v, heads)[col]
    out = torch.zeros_like(_per_head(q, heads)).index_add(0, row, message)
    return out.flatten(1), att.detach()


def row_softmax(edges: Receivers, score: Tensor) -> Tensor:
    """Return the softmax of (nnz, heads) scores over the entries of each row; -inf gives 0."""
    row = edges.rows
    shape = (edges.pattern.shape[0], score.shape[1])
    index = row[:, None].expand_as(score)
    top = score.new_full(shape, -torch.inf).scatter_reduce(0, index, score.detach(), "amax")
    top = torch.where(torch.isfinite(top), top, torch.zeros_like(top))
    weight = (score - top[row]).exp()
    return weight / row_total(edges, weight)[row]


def row_total(edges: Receivers, values: Tensor) -> Tensor:
    """Return the sum of (nnz, heads) values over each row, 1 where that is 0: a safe divisor."""
    total = values.new_zeros(edges.pattern.shape[0], values.shape[1])
    total = total.index_add(0, edges.rows, values)
    return torch.where(total == 0, torch.ones_like(total), total)


def head_dots(edges: Receivers, left: Tensor, right: Tensor, heads: int) -> Tensor:
    """Return ``left[receiver] . right[sender]`` of every entry and head, shape (nnz, heads)."""
    if left.device.type != "cpu" or left.dtype not in _NATIVE:
        left, right = _per_head(left, heads), _per_head(right, heads)
        return (left[edges.rows] * right[edges.senders]).sum(-1)
    result: Tensor = _Dots.apply(left, right, edges.pattern, heads)
    return result


def head_sums(edges: Receivers, weight: Tensor, right: Tensor, heads: int) -> Tensor:
    """Return ``sum_j weight_ij right[j]`` per receiver and head, shape (r, heads * dim)."""
    if right.device.type != "cpu" or right.dtype not in _NATIVE:
        message = weight[:, :, None].to(right.dtype) * _per_head(right, heads)[edges.senders]
        out = message.new_zeros(edges.pattern.shape[0], *message.shape[1:])
        return out.index_add(0, edges.rows, message).flatten(1)
    result: Tensor = _Sums.apply(weight.to(right.dtype), right, edges.pattern, heads)
    return result


class _EdgeAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        bias: Tensor | None,
        pattern: Pattern,
        heads: int,
        kind: int,
        need_weights: bool,
    ) -> tuple[Tensor, Tensor]:
        q, k, v = (t.detach().contiguous() for t in (q, k, v))
        added = q.new_empty(0) if bias is None else bias.detach().contiguous()
        stored = need_weights or any(ctx.needs_input_grad)
        att = q.new_empty(pattern.nnz if stored else 0, heads)
        out = q.new_empty(pattern.shape[0], q.shape[1])
        native.edge_attention_forward(
            pattern.indptr,
            pattern.indices,
            heads,
            q.shape[1] // heads,
            kind,
            *_flat(q, k, v, added, att, out),
            requested_threads(),
        )
        ctx.pattern, ctx.heads, ctx.kind = pattern, heads, kind
        ctx.save_for_backward(q, k, v, att)
        ctx.mark_non_differentiable(att)
        return out, att

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, att = ctx.saved_tensors
        pattern, heads = ctx.pattern, ctx.heads
        turned, entry = pattern.transpose
        pairs = q.new_empty(pattern.nnz, 2, heads)
        grads = [torch.empty_like(t) for t in (q, k, v)]
        native.edge_attention_backward(
            pattern.indptr,
            pattern.indices,
            turned.indptr,
            turned.indices,
            entry,
            heads,
            q.shape[1] // heads,
            ctx.kind,
            *_flat(q, k, v, att, grad.contiguous(), pairs, *grads),
            requested_threads(),
        )
        grad_bias = pairs[:, 1] if ctx.needs_input_grad[3] else None
        return *grads, grad_bias, None, None, None, None


class _Dots(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, pattern: Pattern, heads: int) -> Tensor:
        ctx.pattern, ctx.heads = pattern, heads
        ctx.save_for_backward(left, right)
        return _dots(pattern, left.detach(), right.detach(), heads)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        left, right = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        grad_left = _sums(ctx.pattern, grad, right, ctx.heads) if wanted[0] else None
        grad_right = _sums_back(ctx.pattern, grad, left, ctx.heads) if wanted[1] else None
        return grad_left, grad_right, None, None


class _Sums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, right: Tensor, pattern: Pattern, heads: int) -> Tensor:
        ctx.pattern, ctx.heads = pattern, heads
        ctx.save_for_backward(weight, right)
        return _sums(pattern, weight.detach(), right.detach(), heads)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, right = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        grad_weight = _dots(ctx.pattern, grad, right, ctx.heads) if wanted[0] else None
        grad_right = _sums_back(ctx.pattern, weight, grad, ctx.heads) if wanted[1] else None
        return grad_weight, grad_right, None, None


def _dots(pattern: Pattern, left: Tensor, right: Tensor, heads: int) -> Tensor:
    out = left.new_empty(pattern.nnz, heads)
    native.head_dots(
        pattern.indptr,
        pattern.indices,
        heads,
        left.shape[1] // heads,
        *_flat(left, right, out),
        requested_threads(),
    )
    return out


def _sums(pattern: Pattern, weight: Tensor, right: Tensor, heads: int, entry: Any = None) -> Tensor:
    out = right.new_empty(pattern.shape[0], right.shape[1])
    native.head_sums(
        pattern.indptr,
        pattern.indices,
        pattern.indptr[:0] if entry is None else entry,
        heads,
        right.shape[1] // heads,
        *_flat(weight, right, out),
        requested_threads(),
    )
    return out


def _sums_back(pattern: Pattern, weight: Tensor, left: Tensor, heads: int) -> Tensor:
    turned, entry = pattern.transpose
    return _sums(turned, weight, left, heads, entry)


def _per_head(x: Tensor, heads: int) -> Tensor:
    return x.view(x.shape[0], heads, -1)


def _flat(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().contiguous().view(-1).numpy() for tensor in tensors]
