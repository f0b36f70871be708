"""Kernels of the GPU for torch tensors: over DLPack, without a copy, on torch's current stream.

The pattern for every operation here and in later models:

* inside ``with torch_stream(tensor):`` CuPy's device and stream are torch's, so a kernel runs
  after the work that torch has queued and before the work it queues next, and memory that either
  allocator takes back is used again only in that order;
* ``as_cupy(tensor)`` sees the tensor's memory; outputs are torch tensors made before, so what
  autograd keeps is torch's;
* nothing in it waits for the device, and a ``torch.autograd.Function`` round it is all that a
  gradient needs (``_Product`` in sparse.py).
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphsparse.errors import MissingDependencyError
from graphsparse.launch import cupy, launch

_TYPES = {torch.float32: "float", torch.float64: "double"}


def is_on_gpu(tensor: Tensor) -> bool:
    """Tell whether kernels of the GPU apply to a tensor."""
    return tensor.is_cuda


def stream_handle(device: torch.device) -> int:
    """Return the address of torch's current stream on a device."""
    return int(torch.cuda.current_stream(device).cuda_stream)


@contextlib.contextmanager
def torch_stream(tensor: Tensor) -> Iterator[Any]:
    """Make the device and the current torch stream of ``tensor`` CuPy's; gives CuPy."""
    module = cupy()
    index = tensor.device.index or 0
    stream = module.cuda.ExternalStream(stream_handle(tensor.device), index)
    with module.cuda.Device(index), stream:
        yield module


def as_cupy(tensor: Tensor) -> Any:
    """Return the memory of a contiguous tensor as a CuPy array, inside :func:`torch_stream`.

    Bool and bfloat16, which CuPy's DLPack lacks, come as unsigned and signed integers.
    """
    plain = {torch.bool: torch.uint8, torch.bfloat16: torch.int16}.get(tensor.dtype)
    detached = tensor.detach()
    return cupy().from_dlpack(detached if plain is None else detached.view(plain))


@functools.cache
def _warn_without_cupy(message: str) -> None:
    warnings.warn(
        f"sparse products on the GPU are torch's, not ours: {message}", UserWarning, stacklevel=3
    )


def has_spmm(dense: Tensor) -> bool:
    """Tell whether :func:`spmm` takes a tensor; warn once if only CuPy is missing for it."""
    if not is_on_gpu(dense) or dense.dtype not in _TYPES:
        return False
    try:
        cupy()
    except MissingDependencyError as error:
        _warn_without_cupy(str(error))
        return False
    return True


def spmm(
    indptr: Tensor, indices: Tensor, values: Tensor, dense: Tensor, self_weight: Tensor | None
) -> Tensor:
    """Return ``A @ dense + self_weight * dense`` for a CSR matrix, the sums in the CPU's order.

    Parameters
    ----------
    indptr : Tensor of int64, shape (rows + 1,)
    indices : Tensor of int32, shape (nnz,)
    values : Tensor of float32 or float64, shape (nnz,)
    dense : Tensor, shape (cols, width)
        Contiguous, of the type of ``values``; all on one GPU.
    self_weight : Tensor, shape (), optional
        Weight of a row's own entry in a square matrix; stays on the GPU.

    Returns
    -------
    Tensor, shape (rows, width)
    """
    rows, width = len(indptr) - 1, dense.shape[1]
    out = torch.empty(rows, width, dtype=dense.dtype, device=dense.device)
    if out.numel() == 0:
        return out
    own = values if self_weight is None else self_weight.to(dense.dtype).reshape(1)
    with torch_stream(dense):
        launch(
            "spmm.cu",
            f"spmm_kernel<{_TYPES[dense.dtype]}>",
            out.numel(),
            *(as_cupy(part) for part in (indptr, indices, values, dense)),
            *(np.int64(rows), np.int64(width), np.bool_(self_weight is not None)),
            *(as_cupy(own), as_cupy(out)),
        )
    return out
