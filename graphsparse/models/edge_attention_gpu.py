"""The CUDA kernels of edge attention, on CuPy arrays and as an operation of torch."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from graphsparse.backend import cuda_sources
from graphsparse.checks import available
from graphsparse.device import OPTIONS, cupy
from graphsparse.models.receivers import Receivers

# Columns of a head: as many for each lane of a warp as fit into 16 bytes.
WIDEST = {torch.float32: 128, torch.float64: 64}
KERNELS = tuple(
    f"gs::edge_attention_{part}_kernel<{kind}>"
    for part in ("forward", "receiver", "sender")
    for kind in ("float", "double")
)
_BLOCK = 256
_MAX_GRID = 1 << 16
_NAMES = {"float32": "float", "float64": "double"}


@functools.cache
def _module() -> Any:
    folder = cuda_sources()
    code = (folder / "gpu" / "edge_attention.cu").read_text()
    options = (*OPTIONS, f"-I{folder}")
    return cupy().RawModule(code=code, options=options, name_expressions=KERNELS)


def _launch(part: str, items: int, lanes: int, dtype: Any, *arguments: Any) -> None:
    name = f"gs::edge_attention_{part}_kernel<{_NAMES[str(dtype)]}>"
    blocks = min(max(1, -(-items * lanes // _BLOCK)), _MAX_GRID)
    _module().get_function(name)((blocks,), (_BLOCK,), arguments)


def lanes_per_head(dim: int, item_bytes: int) -> int:
    """Return the lanes that share a head: a power of two, 16 bytes of columns each."""
    lanes = 1
    while 16 * lanes < dim * item_bytes:
        lanes *= 2
    return lanes


def forward(
    indptr: Any, indices: Any, q: Any, k: Any, v: Any, bias: Any, heads: int, kind: int
) -> tuple[Any, Any]:
    """Return the sums (r, heads * dim) and the logarithms of the denominators (r, heads).

    Parameters
    ----------
    indptr, indices : arrays of int64 and int32
        Row ``i`` lists the senders of receiver ``i``.
    q, k, v : arrays, shape (r or s, heads * dim)
        Queries (scaled), keys, values; ``dim`` up to what ``WIDEST`` says.
    bias : array, shape (nnz, heads), or None
        Added to the scores.
    heads, kind : int
        Number of heads; 0 for softmax, 1 for sigmoid.
    """
    module, rows = cupy(), len(indptr) - 1
    dim = q.shape[1] // heads
    out, lse = module.empty(q.shape, q.dtype), module.empty((rows, heads), q.dtype)
    lanes = lanes_per_head(dim, q.dtype.itemsize)
    sizes = (np.int64(rows), np.int32(heads), np.int32(dim), np.int32(lanes), np.int32(kind))
    arrays = (indptr, indices, q, k, v, np.uint64(0) if bias is None else bias, out, lse)
    _launch("forward", rows * heads, lanes, q.dtype, *sizes, *arrays)
    return out, lse


def backward(
    csr: tuple[Any, Any],
    transpose: tuple[Any, Any, Any],
    inputs: tuple[Any, Any, Any, Any],
    results: tuple[Any, Any],
    grad_out: Any,
    heads: int,
    kind: int,
) -> tuple[Any, Any, Any, Any]:
    """Return the gradients of q, k, v, and (nnz, 2, heads): coefficients and d scores.

    Parameters
    ----------
    csr : pair of arrays
        ``indptr``, ``indices``.
    transpose : triple of arrays
        ``indptr``, ``indices`` of the transpose, and the entry behind each of its entries.
    inputs : q, k, v, bias
        As in :func:`forward`.
    results : pair of arrays
        What :func:`forward` returned.
    grad_out : array, shape (r, heads * dim)
        Gradient of the sums.
    heads, kind : int
        As in :func:`forward`.
    """
    q, k, v, bias = inputs
    module, dim = cupy(), q.shape[1] // heads
    pairs = module.empty((len(csr[1]), 2, heads), q.dtype)
    grads = [module.empty(x.shape, x.dtype) for x in (q, k, v)]
    lanes = lanes_per_head(dim, q.dtype.itemsize)
    rows, senders = len(csr[0]) - 1, len(transpose[0]) - 1
    tail = (np.int32(heads), np.int32(dim), np.int32(lanes))
    given = np.uint64(0) if bias is None else bias
    arrays: tuple[Any, ...] = (*csr, q, k, v, given, *results, grad_out, pairs, grads[0])
    sizes: tuple[Any, ...] = (np.int64(rows), *tail, np.int32(kind))
    _launch("receiver", rows * heads, lanes, q.dtype, *sizes, *arrays)
    arrays = (*transpose, q, grad_out, pairs, grads[1], grads[2])
    _launch("sender", senders * heads, lanes, q.dtype, np.int64(senders), *tail, *arrays)
    return grads[0], grads[1], grads[2], pairs


def is_usable(q: Tensor, heads: int) -> bool:
    """Tell whether the kernels can take these queries: a GPU tensor, CuPy, heads not too wide."""
    fits = q.shape[1] // heads <= WIDEST.get(q.dtype, 0)
    return q.device.type == "cuda" and fits and available(["cupy"])


class DeviceAttention(torch.autograd.Function):
    """Edge attention of torch tensors on the device; the second result is ``lse``."""

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
        saved = [None if t is None else t.detach().contiguous() for t in (q, k, v, bias)]
        with _stream(q):
            csr, transpose = _adjacency(edges, q.device)
            inputs = [_array(t) for t in saved]
            results = forward(
                csr[0], csr[1], inputs[0], inputs[1], inputs[2], inputs[3], heads, kind
            )
        ctx.csr, ctx.transpose, ctx.heads, ctx.kind = csr, transpose, heads, kind
        out, lse = map(from_dlpack, results)
        ctx.save_for_backward(*saved, out, lse)
        ctx.mark_non_differentiable(lse)
        return out, lse

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """Launch both backward kernels on torch's stream."""
        arrays = [_array(t) for t in ctx.saved_tensors]
        with _stream(grad):
            *grads, pairs = backward(
                ctx.csr,
                ctx.transpose,
                (arrays[0], arrays[1], arrays[2], arrays[3]),
                (arrays[4], arrays[5]),
                _array(grad.contiguous()),
                ctx.heads,
                ctx.kind,
            )
        found = [from_dlpack(g) for g in grads]
        bias = from_dlpack(pairs)[:, 1] if ctx.needs_input_grad[3] else None
        return *found, bias, None, None, None


def _array(tensor: Tensor | None) -> Any:
    return None if tensor is None else cupy().from_dlpack(tensor.detach())


def _adjacency(edges: Receivers, device: torch.device) -> tuple[Any, Any]:
    """CSR and transpose on the device, copied once for each adjacency."""
    key = f"device_arrays_{device}"
    if key not in edges.__dict__:
        turned, entry = edges.pattern.transpose
        csr = edges.pattern.indptr, edges.pattern.indices
        both = (csr, (turned.indptr, turned.indices, entry))
        edges.__dict__[key] = tuple(tuple(map(cupy().asarray, part)) for part in both)
    found: tuple[Any, Any] = edges.__dict__[key]
    return found


def _stream(tensor: Tensor) -> contextlib.AbstractContextManager[Any]:
    """Torch's current stream as CuPy's; nothing for tensors that an emulator works on."""
    if tensor.device.type != "cuda":
        return contextlib.nullcontext()
    stream = cupy().cuda.ExternalStream(torch.cuda.current_stream(tensor.device).cuda_stream)
    context: contextlib.AbstractContextManager[Any] = stream
    return context
