"""Linear maps with 2 of 4 weights kept, in torch's semi-structured form (CUDA only)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.errors import BackendError

_DTYPES = (torch.float16, torch.bfloat16)


class SemiStructuredLinear(nn.Module):
    """``x W^T + b`` with at most two of every four neighbouring inputs of an output kept.

    Parameters
    ----------
    name : str
        What error messages call the weight.
    weight : Tensor, shape (out, in)
        float16 or bfloat16, on a CUDA device of compute capability 8.0 or more.
    bias : Tensor, shape (out,), optional
    """

    def __init__(self, name: str, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        check_two_of_four(name, weight)
        if weight.device.type != "cuda":
            raise BackendError(
                f"the 2:4 form needs a CUDA GPU of compute capability 8.0 or more, {name} is on "
                f"{weight.device}: use layout='auto' on the CPU"
            )
        capability = torch.cuda.get_device_capability(weight.device)
        if capability < (8, 0) or weight.dtype not in _DTYPES:
            raise BackendError(
                "the 2:4 form needs compute capability 8.0 and float16 or bfloat16, "
                f"{name} is {weight.dtype} on capability {capability[0]}.{capability[1]}"
            )
        packed = torch.sparse.to_sparse_semi_structured(weight.detach().contiguous())
        self.weight = nn.Parameter(packed, requires_grad=False)
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        """Return the (..., out) image of (..., in)."""
        return F.linear(x, self.weight, self.bias)


def check_two_of_four(name: str, weight: Tensor) -> None:
    """Raise ValueError unless each group of four inputs of an output keeps at most two."""
    kept = F.pad((weight.detach() != 0).to(torch.int8), (0, -weight.shape[1] % 4))
    counts = kept.view(len(weight), -1, 4).sum(2)
    if bool((counts > 2).any()):
        out, group = (counts > 2).nonzero()[0].tolist()
        raise ValueError(
            f"{name} must keep at most 2 of 4 inputs, got {int(counts[out, group])} at output "
            f"{out}, inputs {4 * group} to {4 * group + 3}: train with scope='nm', nm=(2, 4)"
        )
