"""The l0 projection on the GPU: the CPU's weights, bit for bit.

Scope ``"global"`` is radix selection whose threshold never leaves the device, so a training step
does not wait for it: counts and refusals come later, as a :class:`Pending`.  The other scopes ask
once per projection whether all weights are finite.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from graphsparse.launch import launch
from graphsparse.models import device_ops
from graphsparse.models.device_ops import as_cupy, torch_stream
from graphsparse.radix import Ranking
from graphsparse.training.weights import Weight, kernel_view, refuse

_WORDS = {2: "unsigned short", 4: "unsigned int", 8: "unsigned long long"}


def is_gpu_pool(weights: Sequence[Weight]) -> bool:
    """Tell whether weights (of one device) are projected here."""
    return bool(weights) and device_ops.is_on_gpu(weights[0].tensor)


class Pending:
    """What a queued projection keeps; the numbers are on their way to the host."""

    def __init__(self, weights: Sequence[Weight], ranking: Ranking, module: object) -> None:
        cuda = module.cuda  # type: ignore[attr-defined]
        self._weights, self._ranking = list(weights), ranking
        memory = cuda.alloc_pinned_memory(ranking.status.nbytes)
        self._host = np.frombuffer(memory, np.uint64, ranking.status.size)
        ranking.status.get(out=self._host, blocking=False)
        self._event = cuda.Event()
        self._event.record()

    def has_arrived(self) -> bool:
        """Tell whether :meth:`result` would not wait."""
        return bool(self._event.done)

    def result(self) -> dict[str, int]:
        """Return how many weights are kept by name.

        Raises
        ------
        ValueError
            If a weight is not finite; nothing was changed then.
        """
        self._event.synchronize()
        piece, at, kept = self._ranking.read_result(self._host)
        if piece >= 0:
            refuse(self._weights[piece], at)
        return dict(zip((w.name for w in self._weights), kept, strict=True))


def queue(
    weights: Sequence[Weight], budget: int, masks: Mapping[str, Tensor], *, dry: bool = False
) -> Pending:
    """Keep the ``budget`` largest of all weights and zero the others, without waiting."""
    with torch_stream(weights[0].tensor) as module, contextlib.ExitStack() as stack:
        opened = [stack.enter_context(kernel_view(w, masks.get(w.name))) for w in weights]
        views, marks = [view for view, _ in opened], [m for _, found in opened for m in found]
        ranking = Ranking(views, "Magnitude", weights[0].format.infinity, marks)
        return Pending(weights, ranking.find(budget).zero(dry), module)


def first_not_finite(weights: Sequence[Weight]) -> tuple[int, int]:
    """Return weight and flat index of the first NaN or infinity, or -1 and -1; waits once."""
    bad = [~torch.isfinite(weight.tensor.detach()) for weight in weights]
    if not bad or not bool(torch.stack([part.any() for part in bad]).any()):
        return -1, -1
    piece = next(i for i, part in enumerate(bad) if bool(part.any()))
    return piece, int(bad[piece].reshape(-1).nonzero()[0])


def keep_in_groups(weight: Weight, mask: Tensor | None, group: int, keep: int) -> None:
    """Keep the ``keep`` largest of every ``group`` neighbours along the input axis."""
    tensor = weight.tensor.detach()
    turned = tensor.t() if weight.input_axis == 0 else tensor
    rows, cols = turned.shape
    keys = turned.contiguous().view(weight.format.words)
    keys = keys & torch.iinfo(keys.dtype).max  # without the sign
    keys = functional.pad(keys, (0, -cols % group), value=-1).view(rows, -1, group)
    order = keys.sort(dim=-1, descending=True, stable=True).indices
    stays = torch.zeros_like(keys, dtype=torch.bool).scatter_(-1, order[..., :keep], True)
    stays = stays.view(rows, -1)[:, :cols]
    _zero_outside(weight, mask, stays.t() if weight.input_axis == 0 else stays)


def keep_blocks(weight: Weight, mask: Tensor | None, block: Sequence[int], keep: int) -> int:
    """Keep the ``keep`` blocks of largest norm; return how many weights those hold (waits)."""
    (rows, cols), (down, across) = weight.tensor.shape, block
    shape = -(-rows // down), -(-cols // across)
    dense = weight.tensor.detach().contiguous()
    norms = torch.empty(shape, dtype=torch.float64, device=dense.device)
    chosen = torch.empty(shape, dtype=torch.bool, device=dense.device)
    with torch_stream(dense):
        launch(
            "project.cu",
            f"block_norms_kernel<{_WORDS[dense.element_size()]}>",
            norms.numel(),
            *(as_cupy(dense.view(weight.format.words)), np.int64(rows), np.int64(cols)),
            *(np.int64(down), np.int64(across), np.int32(weight.format.mantissa)),
            *(as_cupy(_unit(dense)), as_cupy(norms)),
        )
        keys = as_cupy(norms.view(torch.int64).view(-1))
        Ranking.of_keys(keys).find(keep).mask(as_cupy(chosen.view(-1)))
    stays = chosen.repeat_interleave(down, 0)[:rows].repeat_interleave(across, 1)[:, :cols]
    _zero_outside(weight, mask, stays)
    return int(stays.sum())


def _unit(dense: Tensor) -> Tensor:
    """Return the power of two (1,) that keeps squares of large float64 weights finite."""
    one = torch.ones(1, dtype=torch.float64, device=dense.device)
    if dense.dtype != torch.float64:
        return one
    largest = dense.abs().max().reshape(1)
    exponent = torch.frexp(largest).exponent - 1  # ilogb
    scale = torch.ldexp(one, torch.div(-exponent, 2, rounding_mode="trunc"))
    return torch.where(largest > 0, scale, one)


def _zero_outside(weight: Weight, mask: Tensor | None, stays: Tensor) -> None:
    weight.tensor.detach().masked_fill_(~stays, 0.0)
    if mask is not None:
        mask.copy_(stays)
