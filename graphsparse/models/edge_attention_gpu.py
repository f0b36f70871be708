"""The CUDA kernels of edge attention as an operation of torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphsparse.launch import launch
from graphsparse.models import device_ops
from graphsparse.models.receivers import Receivers

FILE = "edge_attention.cu"
# Columns of a head: as many for each lane of a warp as fit into 16 bytes.
WIDEST = {torch.float32: 128, torch.float64: 64}
_TYPES = {torch.float32: "float", torch.float64: "double"}


def is_usable(q: Tensor, heads: int) -> bool:
    """Tell whether the kernels take these queries: on a GPU, with CuPy, heads not too wide."""
    return q.shape[1] // heads <= WIDEST.get(q.dtype, 0) and device_ops.has_spmm(q)


def lanes_per_head(dim: int, item_bytes: int) -> int:
    """Return the lanes that share a head: a power of two, 16 bytes of columns each."""
    lanes = 1
    while 16 * lanes < dim * item_bytes:
        lanes *= 2
    return lanes


class DeviceAttention(torch.autograd.Function):
    """Edge attention on the device; the second result is the logarithm of each denominator.

    Arguments are those of :func:`~graphsparse.models.edge_attention.edge_attention`, with 0 for
    softmax and 1 for sigmoid.
    """

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        bias: Tensor | None,
        edges: Receivers,
        heads: int,
        kind: int,
    ) -> tuple[Tensor, Tensor]:
        """Launch the forward kernel on torch's stream."""
        inputs = [None if t is None else t.detach().contiguous() for t in (q, k, v, bias)]
        out, lse = torch.empty_like(inputs[0]), q.new_empty(len(q), heads)  # type: ignore[arg-type]
        csr = _adjacency(edges, q.device)[:2]
        _launch("forward", q, len(q), heads, kind, (*csr, *inputs, out, lse))
        ctx.edges, ctx.heads, ctx.kind = edges, heads, kind
        ctx.save_for_backward(*inputs, out, lse)
        ctx.mark_non_differentiable(lse)
        return out, lse

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """Launch both backward kernels on torch's stream."""
        saved, grad, heads = ctx.saved_tensors, grad.contiguous(), ctx.heads
        adjacency = _adjacency(ctx.edges, grad.device)
        q, senders = saved[0], len(saved[1])
        pairs = grad.new_empty(ctx.edges.pattern.nnz, 2, heads)
        grads = [torch.empty_like(t) for t in saved[:3]]
        arrays = (*adjacency[:2], *saved, grad, pairs, grads[0])
        _launch("receiver", q, len(q), heads, ctx.kind, arrays)
        arrays = (*adjacency[2:], q, grad, pairs, grads[1], grads[2])
        _launch("sender", q, senders, heads, None, arrays)
        return *grads, pairs[:, 1] if ctx.needs_input_grad[3] else None, None, None, None


def _adjacency(edges: Receivers, device: torch.device) -> list[Tensor]:
    """Rows, then rows of the transpose with their entries, copied to the device once."""
    key = f"adjacency_on_{device}"
    if key not in edges.__dict__:
        pattern, (turned, entry) = edges.pattern, edges.pattern.transpose
        arrays = (pattern.indptr, pattern.indices, turned.indptr, turned.indices, entry)
        edges.__dict__[key] = [torch.from_numpy(np.array(a)).to(device) for a in arrays]
    found: list[Tensor] = edges.__dict__[key]
    return found


def _launch(
    part: str,
    like: Tensor,
    rows: int,
    heads: int,
    kind: int | None,
    tensors: tuple[Tensor | None, ...],
) -> None:
    if rows == 0:
        return
    dim = like.shape[1] // heads
    lanes = lanes_per_head(dim, like.dtype.itemsize)
    sizes = [np.int64(rows), np.int32(heads), np.int32(dim), np.int32(lanes)]
    sizes += [] if kind is None else [np.int32(kind)]
    with device_ops.torch_stream(like):
        arrays = [np.uint64(0) if t is None else device_ops.as_cupy(t) for t in tensors]
        name = f"edge_attention_{part}_kernel<{_TYPES[like.dtype]}>"
        launch(FILE, name, rows * heads * lanes, *sizes, *arrays)
