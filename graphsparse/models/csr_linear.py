"""A linear map whose weight is stored as compressed sparse rows, for inference on the CPU."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from graphsparse.backend import native, requested_threads
from graphsparse.errors import BackendError
from graphsparse.models.dropout import PreActivation
from graphsparse.models.sparse import SparseMatrix


class CsrLinear(nn.Module):
    """``x W^T + b`` for a sparse ``W`` of shape (out, in).

    Parameters
    ----------
    weight : Tensor, shape (out, in)
        float32 or float64; entries that are 0 are not stored.
    bias : Tensor, shape (out,), optional

    Attributes
    ----------
    indptr, indices, values : Tensor
        Compressed sparse rows, one per output: int32 (out + 1,), int32 (nnz,), float (nnz,).

    Notes
    -----
    8 bytes per stored float32 weight and 4 per output.  O(rows * (nnz + in)) time; an output is
    summed in the order of the columns, so it does not depend on the batch it is in, on the number
    of threads or on the processor's vectors.  There is no gradient.
    """

    indptr: Tensor
    indices: Tensor
    values: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        if weight.dim() != 2 or weight.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                "weight must be a float32 or float64 matrix, "
                f"got {weight.dtype} of shape {tuple(weight.shape)}"
            )
        if weight.device.type != "cpu":
            raise BackendError(f"the sparse map runs on the CPU, the weight is on {weight.device}")
        rows, cols = weight.detach().nonzero(as_tuple=True)
        if len(cols) >= 2**31:
            raise ValueError(f"weight must have fewer than 2^31 non-zeros, got {len(cols)}")
        counts = torch.bincount(rows, minlength=weight.shape[0])
        indptr = torch.zeros(weight.shape[0] + 1, dtype=torch.int32)
        indptr[1:] = counts.cumsum(0)
        self.out_features, self.in_features = weight.shape
        self.register_buffer("indptr", indptr)
        self.register_buffer("indices", cols.to(torch.int32))
        self.register_buffer("values", weight.detach()[rows, cols].clone())
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    @property
    def shape(self) -> tuple[int, int]:
        """Inputs and outputs, the shape of the (in, out) weights that it can stand in for."""
        return self.in_features, self.out_features

    @property
    def nnz(self) -> int:
        """Number of stored weights."""
        return len(self.values)

    @property
    def nbytes(self) -> int:
        """Bytes of the stored weight, the bias left out."""
        return sum(t.numel() * t.element_size() for t in (self.indptr, self.indices, self.values))

    def to_dense(self) -> Tensor:
        """Return the (out, in) weight."""
        dense = torch.zeros(self.out_features, self.in_features, dtype=self.values.dtype)
        rows = torch.repeat_interleave(torch.arange(self.out_features), self.indptr.diff().long())
        dense[rows, self.indices.long()] = self.values
        return dense

    def forward(self, x: Tensor | SparseMatrix | PreActivation) -> Tensor:
        """Return the (..., out) image of dense (..., in), or of what a layer may get instead.

        A sparse matrix meets the dense weight, which is made for the call: the product is as fast
        as with a weight that was never compact, not faster.
        """
        if isinstance(x, SparseMatrix):
            product = x @ self.to_dense().t().contiguous()
            return product if self.bias is None else product + self.bias
        if isinstance(x, PreActivation):
            x = x.tensor()
        self._check(x)
        rows = math.prod(x.shape[:-1])
        flat = x.detach().reshape(rows, self.in_features).contiguous()
        out = torch.empty(rows, self.out_features, dtype=x.dtype)
        native.sparse_linear(
            self.indptr.numpy(),
            self.indices.numpy(),
            self.values.numpy(),
            None if self.bias is None else self.bias.numpy(),
            flat.numpy(),
            out.numpy(),
            requested_threads(),
        )
        return out.view(*x.shape[:-1], self.out_features)

    def _check(self, x: Tensor) -> None:
        if x.dim() == 0 or x.shape[-1] != self.in_features:
            raise ValueError(f"x must have shape (..., {self.in_features}), got {tuple(x.shape)}")
        if x.device.type != "cpu" or self.values.device.type != "cpu":
            raise BackendError(
                f"the sparse map runs on the CPU, x is on {x.device}, the weight on "
                f"{self.values.device}"
            )
        if x.dtype != self.values.dtype:
            raise TypeError(f"x must be {self.values.dtype} as the weight, got {x.dtype}")
        if torch.is_grad_enabled() and x.requires_grad:
            raise RuntimeError(
                "a compact map has no gradient: call the model under torch.no_grad(), "
                "or train the dense one"
            )

    def extra_repr(self) -> str:
        """Return what the representation shows."""
        density = self.nnz / max(math.prod(self.shape), 1)
        return f"{self.in_features}, {self.out_features}, density={density:.4f}"
