"""A fixed support: zeroing what lies outside it, and writing it down."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphsparse.backend import native, requested_threads
from graphsparse.models import device_ops
from graphsparse.training.weights import FORMATS, flags, words


def mask_(tensor: Tensor, mask: Tensor) -> None:
    """Set ``tensor`` to +0 where ``mask`` is false, in place."""
    plain = tensor.is_contiguous() and mask.is_contiguous() and tensor.dtype in FORMATS
    if plain and tensor.device.type == "cpu" and not device_ops.is_on_gpu(tensor):
        native.apply_mask(words(tensor), *flags(mask), requested_threads())
        if not tensor.is_inference():
            torch.autograd.graph.increment_version(tensor)
    else:
        tensor.detach().masked_fill_(~mask, 0.0)


def pack(mask: Tensor) -> dict[str, Any]:
    """Return a mask as one bit per entry, in a form that JSON can hold."""
    bits = np.packbits(mask.cpu().contiguous().reshape(-1).numpy()).tobytes()
    return {"shape": list(mask.shape), "bits": base64.b64encode(bits).decode("ascii")}


def unpack(name: str, packed: Mapping[str, Any], like: Tensor) -> Tensor:
    """Return the mask that :func:`pack` wrote, checked against the shape of its weight."""
    if tuple(packed["shape"]) != tuple(like.shape):
        raise ValueError(
            f"the state has {name} of shape {tuple(packed['shape'])}, "
            f"the weight has {tuple(like.shape)}"
        )
    raw = np.frombuffer(base64.b64decode(packed["bits"], validate=True), dtype=np.uint8)
    if len(raw) != -(-like.numel() // 8):
        raise ValueError(
            f"the state has {len(raw)} bytes for {name}, a mask of {like.numel()} bits"
        )
    bits = np.unpackbits(raw, count=like.numel()).astype(bool)
    return torch.from_numpy(bits).view(like.shape).to(like.device)
