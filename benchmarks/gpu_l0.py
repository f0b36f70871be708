"""The l0 projection on the GPU: radix selection and zeroing, against a copy and torch.topk.

python benchmarks/gpu_l0.py [--emulate]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gpu_bench import EMULATED, copy_bandwidth, cupy, milliseconds, save, scaled

from graphsparse.backend import native
from graphsparse.radix import Ranking

_INFINITY = 0x7F80_0000


def project(words: Any, keep: int) -> Ranking:
    """Queue the projection of float32 words in place."""
    return Ranking([words], "Magnitude", _INFINITY).find(keep).zero(False)


def check() -> None:
    """Compare weights and counts with the CPU's."""
    rng = np.random.default_rng(4)
    weights = rng.normal(0, 1, scaled(3_000_001, 9001)).astype(np.float32)
    weights[::7] = np.round(weights[::7])
    host, device = weights.view(np.uint32).copy(), cupy().asarray(weights.view(np.uint32))
    for keep in (len(weights) // 2, len(weights) // 9, 1):
        want = native.keep_largest([host], keep, _INFINITY, [], False, 0)
        assert project(device, keep).result() == (*want[:2], list(want[2]))
        assert np.array_equal(device.get(), host)


def topk_ms(weights: Any, removed: int) -> float | None:
    """Return the time of torch's own way: the smallest magnitudes by topk, set to 0."""
    if EMULATED:
        return None
    import torch

    tensor = torch.as_tensor(weights, device="cuda").view(torch.float32)

    def run() -> None:
        at = torch.topk(tensor.abs(), removed, largest=False, sorted=False).indices
        tensor.index_fill_(0, at, 0.0)

    return round(milliseconds(run, repeat=3, warmup=1), 3)


def case(size: int, keep: float, bandwidth: float) -> dict[str, Any]:
    """Time one size; the copy that restores the weights is timed apart and taken off."""
    module = cupy()
    weights = np.random.default_rng(8).normal(0, 1, size).astype(np.float32)
    source = module.asarray(weights.view(np.uint32))
    target = source.copy()
    kept = int(keep * size)

    def restore() -> None:
        target[:] = source

    def run() -> None:
        restore()
        project(target, kept)

    restore_ms = milliseconds(restore)
    ms = milliseconds(run) - restore_ms
    moved = 4 * size * 2  # every weight is read and written once
    return {
        "weights": size,
        "keep": keep,
        "ms": round(ms, 4),
        "torch_topk_ms": topk_ms(source.copy(), size - kept),
        "share_of_copy_bandwidth": round(moved / max(1e-3 * ms, 1e-9) / bandwidth, 3),
    }


def main() -> None:
    """Check, time, write."""
    check()
    bandwidth = copy_bandwidth()
    sizes = (scaled(1_900_000, 5000), scaled(100_000_000, 9000))
    save(
        "l0",
        {
            "copy_bandwidth_bytes_per_s": round(bandwidth),
            "cases": [case(size, keep, bandwidth) for size in sizes for keep in (0.5, 0.1)],
        },
    )


if __name__ == "__main__":
    main()
