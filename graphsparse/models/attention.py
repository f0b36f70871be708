"""Graph attention on a sparse pattern, fused: no temporary of one row per edge is made."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphsparse.backend import native, requested_threads
from graphsparse.models.sparse import Pattern

NEGATIVE_SLOPE = 0.2


def graph_attention(
    pattern: Pattern,
    z: Tensor,
    att_src: Tensor,
    att_dst: Tensor,
    *,
    heads: int,
    edge_scale: Tensor | None = None,
) -> Tensor:
    """Return the attention-weighted sum over the entries of each row.

    Parameters
    ----------
    pattern : Pattern
        Square; row ``i`` lists the nodes that ``i`` attends to.
    z : Tensor, shape (n, heads * dim)
        Transformed node features.
    att_src, att_dst : Tensor, shape (heads * dim,)
        The two halves of the attention vector.
    heads : int
        Number of heads; each has its own softmax.
    edge_scale : Tensor, shape (nnz, heads), optional
        Factor on each coefficient after the softmax: attention dropout, or a trained mask.

    Returns
    -------
    Tensor, shape (n, heads * dim)
        ``sum_j scale_ij softmax_j(leaky_relu(att_src . z_j + att_dst . z_i)) z_j`` per head.

    Notes
    -----
    O(nnz * heads * dim) time.  The CPU path is native; other devices use torch operations,
    with nnz * heads * dim floats of memory.

    References
    ----------
    P. Velickovic et al., Graph attention networks, ICLR 2018, arXiv:1710.10903.
    """
    if z.dim() != 2 or z.shape[0] != pattern.shape[0] or z.shape[1] != len(att_src):
        raise ValueError(
            f"z must have shape ({pattern.shape[0]}, {len(att_src)}), got {tuple(z.shape)}"
        )
    if z.device.type != "cpu":
        return composed_attention(pattern, z, att_src, att_dst, heads=heads, edge_scale=edge_scale)
    result: Tensor = _Attention.apply(z, att_src, att_dst, pattern, heads, edge_scale)
    return result


def composed_attention(
    pattern: Pattern,
    z: Tensor,
    att_src: Tensor,
    att_dst: Tensor,
    *,
    heads: int,
    edge_scale: Tensor | None = None,
) -> Tensor:
    """Return the same as :func:`graph_attention`, from torch operations on any device."""
    n, dim = z.shape[0], z.shape[1] // heads
    row = torch.from_numpy(pattern.rows()).to(z.device)
    col = torch.from_numpy(pattern.indices.astype(np.int64)).to(z.device)
    per_head = z.view(n, heads, dim)
    source = (per_head * att_src.view(heads, dim)).sum(-1)
    target = (per_head * att_dst.view(heads, dim)).sum(-1)
    logit = F.leaky_relu(source[col] + target[row], NEGATIVE_SLOPE)
    index = row[:, None].expand(-1, heads)
    top = torch.full((n, heads), -torch.inf, dtype=z.dtype, device=z.device)
    top = top.scatter_reduce(0, index, logit.detach(), "amax")
    weight = (logit - top[row]).exp()
    total = torch.zeros_like(top).index_add(0, row, weight)
    weight = weight / total[row]
    if edge_scale is not None:
        weight = weight * edge_scale
    out = torch.zeros_like(per_head).index_add(0, row, weight[:, :, None] * per_head[col])
    return out.reshape(n, heads * dim)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        att_src: Tensor,
        att_dst: Tensor,
        pattern: Pattern,
        heads: int,
        edge_scale: Tensor | None,
    ) -> Tensor:
        z, att_src, att_dst = (t.detach().contiguous() for t in (z, att_src, att_dst))
        scale = z.new_empty(0) if edge_scale is None else edge_scale.detach().contiguous()
        alpha_src, alpha_dst = (torch.empty(len(z) * heads, dtype=z.dtype) for _ in range(2))
        att = torch.empty(pattern.nnz * heads, dtype=z.dtype)
        out = torch.empty_like(z)
        native.attention_forward(
            pattern.indptr,
            pattern.indices,
            heads,
            *_flat(z, att_src, att_dst, scale),
            NEGATIVE_SLOPE,
            *_flat(alpha_src, alpha_dst, att, out),
            requested_threads(),
        )
        ctx.pattern, ctx.heads = pattern, heads
        ctx.save_for_backward(z, att_src, att_dst, scale, alpha_src, alpha_dst, att)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        z, att_src, att_dst, scale, alpha_src, alpha_dst, att = ctx.saved_tensors
        n, heads = len(z), ctx.heads
        turned, entry = ctx.pattern.transpose
        grad_src, grad_dst = (torch.empty(n, heads, dtype=z.dtype) for _ in range(2))
        grad_z = torch.empty_like(z)
        grad_scale = torch.empty_like(scale) if ctx.needs_input_grad[5] else scale.new_empty(0)
        native.attention_backward(
            ctx.pattern.indptr,
            ctx.pattern.indices,
            turned.indptr,
            turned.indices,
            entry,
            heads,
            *_flat(z, att_src, att_dst, scale),
            NEGATIVE_SLOPE,
            *_flat(alpha_src, alpha_dst, att, grad.contiguous()),
            *_flat(grad_src, grad_dst, grad_scale, grad_z),
            requested_threads(),
        )
        per_head = z.view(n, heads, -1)
        grad_att_src = torch.einsum("nh,nhd->hd", grad_src, per_head).reshape(-1)
        grad_att_dst = torch.einsum("nh,nhd->hd", grad_dst, per_head).reshape(-1)
        wanted = grad_scale if ctx.needs_input_grad[5] else None
        return grad_z, grad_att_src, grad_att_dst, None, None, wanted


def _flat(*tensors: Tensor) -> list[Any]:
    return [tensor.view(-1).numpy() for tensor in tensors]
