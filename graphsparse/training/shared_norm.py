"""Batch normalisation over the rows of all replicas; torch's own does so on GPUs only."""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def share_batch_norm(model: nn.Module) -> bool:
    """Let a model's batch normalisation see the rows of all replicas; tell whether it has any.

    Modules keep their class and their parameters; every replica must run each of them equally
    often in training mode.
    """
    found = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d)]
    for module in found:
        module.forward = functools.partial(_batch_norm, module)  # type: ignore[method-assign]
    return bool(found)


class _Total(torch.autograd.Function):
    """Sum over all replicas; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.detach().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total = grad.contiguous().clone()
        dist.all_reduce(total)
        return total


def _batch_norm(module: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """Normalise by mean and variance over the rows (n, dim) of all replicas."""
    if not module.training or x.dim() != 2:
        return nn.BatchNorm1d.forward(module, x)
    rows = x.new_full((1,), len(x))
    sums: Tensor = _Total.apply(torch.cat([x.sum(0), rows]))
    mean, n = sums[:-1] / sums[-1].detach(), float(sums[-1].detach())
    centred = x - mean
    squares: Tensor = _Total.apply(centred.square().sum(0))
    var = squares / n
    means, variances, batches = (
        getattr(module, name) for name in ("running_mean", "running_var", "num_batches_tracked")
    )
    if means is not None:
        with torch.no_grad():
            batches.add_(1)
            rate = 1.0 / float(batches) if module.momentum is None else module.momentum
            means.lerp_(mean, rate)
            variances.lerp_(squares / max(n - 1, 1), rate)
    out = centred * (var + module.eps).rsqrt()
    return out if module.weight is None else out * module.weight + module.bias
