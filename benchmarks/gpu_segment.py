"""Group reductions on the GPU: our kernels against torch operations, and bytes per second.

    python benchmarks/gpu_segment.py [--emulate]

10^6 rows of 128 columns in 250,000 groups, float32; forward and backward of the mean update of
UNB and of both halves of induced set attention (4 points, 4 heads).  Results of the two forms are
compared first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gpu_bench import EMULATED, copy_bandwidth, milliseconds, save, scaled
from torch import Tensor

from graphsparse.models import device_ops, segment, segment_torch
from graphsparse.operators.groups import Groups

DIM, POINTS, HEADS = 128, 4, 4
ROWS, GROUPS = scaled(1_000_000, 120), scaled(250_000, 40)
DEVICE = "cpu" if EMULATED else "cuda"
if EMULATED:
    device_ops.is_on_gpu = lambda tensor: True  # type: ignore[assignment]
    device_ops.stream_handle = lambda device: 0  # type: ignore[assignment]


def random(*shape: int) -> Tensor:
    """Return normal numbers on the device that want a gradient."""
    return torch.randn(*shape, device=DEVICE, requires_grad=True)


def forms() -> dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor], list[Tensor], int]]:
    """Return kernels, torch form, inputs and least bytes of every operation."""
    ids = np.random.default_rng(1).integers(0, GROUPS, ROWS)
    groups = Groups.from_ids(ids, GROUPS)
    row, group = 4 * DIM * ROWS, 4 * DIM * GROUPS
    update = [random(ROWS, 2 * DIM), random(DIM, DIM), random(DIM)]
    pool = [random(ROWS, POINTS * HEADS), random(ROWS, DIM)]
    read = [random(ROWS, DIM), random(GROUPS * POINTS, DIM), random(GROUPS * POINTS, DIM)]
    return {
        "update": (
            lambda *a: segment.segment_update(*a, groups),
            lambda *a: segment_torch.update(*a, groups),
            update,
            8 * row + 6 * group,  # z, out; out, grad, z, grad z
        ),
        "pool": (
            lambda *a: segment.softmax_pool(*a, groups, HEADS),
            lambda *a: segment_torch.softmax_pool(*a, groups, HEADS),
            pool,
            3 * row + 2 * POINTS * group,
        ),
        "read": (
            lambda *a: segment.group_read(*a, groups, HEADS, 0.1),
            lambda *a: segment_torch.group_read(*a, groups, HEADS, 0.1),
            read,
            5 * row + 6 * POINTS * group,
        ),
    }


def step(form: Callable[..., Tensor], inputs: list[Tensor]) -> list[Tensor]:
    """Run forward and backward."""
    out = form(*inputs)
    return [out.detach(), *torch.autograd.grad(out.sum(), inputs)]


def main() -> None:
    """Check, time, write."""
    torch.manual_seed(2)
    bandwidth = copy_bandwidth()
    figures: dict[str, Any] = {"rows": ROWS, "groups": GROUPS, "dim": DIM}
    for name, (ours, plain, inputs, least) in forms().items():
        for got, want in zip(step(ours, inputs), step(plain, inputs), strict=True):
            torch.testing.assert_close(got, want, rtol=2e-3, atol=2e-3)
        ours_ms = milliseconds(lambda f=ours, x=inputs: step(f, x))
        plain_ms = milliseconds(lambda f=plain, x=inputs: step(f, x))
        figures[name] = {
            "kernels_ms": round(ours_ms, 4),
            "torch_ms": round(plain_ms, 4),
            "ratio": round(plain_ms / ours_ms, 2),
            "least_bytes_share_of_copy": round(least / (1e-3 * ours_ms) / bandwidth, 3),
        }
    figures["copy_bandwidth_bytes_per_s"] = round(bandwidth)
    save("segment", figures)


if __name__ == "__main__":
    main()
