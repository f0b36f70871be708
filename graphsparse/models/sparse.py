"""Constant sparse matrices that multiply dense tensors, with a transpose kept for the gradient."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphsparse.backend import native, requested_threads
from graphsparse.models import device_ops

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True, eq=False)
class Pattern:
    """Where the entries of a sparse matrix lie, in compressed sparse rows.

    Parameters
    ----------
    indptr : array of int64, shape (rows + 1,)
        Row ``i`` holds the entries ``indptr[i]:indptr[i + 1]``.
    indices : array of int32, shape (nnz,)
        Column of each entry.
    num_cols : int
        Number of columns.
    symmetric : bool
        The caller knows that the pattern equals its transpose, entry by entry.
    """

    indptr: Array
    indices: Array
    num_cols: int
    symmetric: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.indptr) - 1, self.num_cols

    @property
    def nnz(self) -> int:
        """Number of stored entries."""
        return len(self.indices)

    def rows(self) -> Array:
        """Return the row of every entry, int64 of shape (nnz,)."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))

    @cached_property
    def transpose(self) -> tuple[Pattern, Array]:
        """The transposed pattern, and for each of its entries the entry here, int64 (nnz,)."""
        order = np.argsort(self.indices, kind="stable")
        counts = np.bincount(self.indices, minlength=self.num_cols)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        turned = Pattern(indptr, self.rows()[order].astype(np.int32), self.shape[0], self.symmetric)
        return turned, order

    @cached_property
    def _copies(self) -> dict[torch.device, tuple[Tensor, Tensor]]:
        return {}

    def on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return ``indptr`` (int64) and ``indices`` (int32) on a device, copied once."""
        if device not in self._copies:
            self._copies[device] = (
                torch.tensor(self.indptr, device=device),
                torch.tensor(self.indices, device=device),
            )
        return self._copies[device]

    def select(self, keep: Array) -> Pattern:
        """Return the pattern of the entries where ``keep`` (bool, (nnz,)) is true."""
        ends = np.concatenate([[0], np.cumsum(keep)])
        return Pattern(ends[self.indptr], self.indices[keep], self.num_cols)


class SparseMatrix:
    """Sparse matrix with constant values; ``matrix @ dense`` is differentiable in ``dense``.

    Parameters
    ----------
    pattern : Pattern
        Rows, columns, place of the entries.
    values : Tensor, shape (nnz,)
        Floating-point value of each entry; no gradient flows to it.

    Notes
    -----
    The product costs O(nnz * width) on the CPU, row-parallel, and gives the same bits with any
    number of threads, and on a GPU (through CuPy; float16, bfloat16 and torch without CuPy take
    torch's CSR product).  The transpose is made once, for all gradients.
    """

    def __init__(self, pattern: Pattern, values: Tensor) -> None:
        if values.shape != (pattern.nnz,) or not values.is_floating_point():
            raise ValueError(
                f"values must be floating point of shape ({pattern.nnz},), "
                f"got {values.dtype} {tuple(values.shape)}"
            )
        self.pattern, self.values = pattern, values.detach().contiguous()
        self._transpose: SparseMatrix | None = None
        self._torch: Tensor | None = None

    @classmethod
    def from_dense(cls, dense: Tensor) -> SparseMatrix:
        """Build from the entries of a dense (rows, cols) tensor that are not zero."""
        row, col = dense.cpu().nonzero(as_tuple=True)
        counts = np.bincount(row.numpy(), minlength=dense.shape[0])
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        pattern = Pattern(indptr, col.numpy().astype(np.int32), dense.shape[1])
        return cls(pattern, dense[row.to(dense.device), col.to(dense.device)])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pattern.shape

    @property
    def nnz(self) -> int:
        """Number of stored entries."""
        return self.pattern.nnz

    @property
    def device(self) -> torch.device:
        """Where the values live."""
        return self.values.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the values."""
        return self.values.dtype

    @property
    def T(self) -> SparseMatrix:
        """The transpose, computed once."""
        if self._transpose is None:
            pattern, entry = self.pattern.transpose
            values = self.values[torch.from_numpy(entry).to(self.device)]
            if pattern.symmetric and torch.equal(values, self.values):
                self._transpose = self
            else:
                self._transpose = SparseMatrix(pattern, values)
                self._transpose._transpose = self
        return self._transpose

    def to(self, target: torch.device | torch.dtype | str) -> SparseMatrix:
        """Return the matrix on another device or with values of another type."""
        values = self.values.to(target)
        return self if values is self.values else SparseMatrix(self.pattern, values)

    def to_dense(self) -> Tensor:
        """Return the dense (rows, cols) tensor."""
        dense = torch.zeros(self.shape, dtype=self.dtype, device=self.device)
        row = torch.from_numpy(self.pattern.rows()).to(self.device)
        col = torch.from_numpy(self.pattern.indices.astype(np.int64)).to(self.device)
        return dense.index_put_((row, col), self.values, accumulate=True)

    def select_rows(self, rows: Array) -> SparseMatrix:
        """Return the matrix of some rows (int64 ids), in their order."""
        starts, sizes = self.pattern.indptr[rows], np.diff(self.pattern.indptr)[rows]
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        entries = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], sizes)
        pattern = Pattern(indptr, self.pattern.indices[entries], self.shape[1])
        return SparseMatrix(pattern, self.values[torch.from_numpy(entries).to(self.device)])

    def dropout(self, p: float) -> SparseMatrix:
        """Return the matrix without a random share ``p`` of its entries, the others scaled up.

        Dropout leaves zeros as they are, so this equals dropout of the dense matrix.
        """
        keep = torch.rand(self.nnz, dtype=torch.float64) >= p
        mask = keep.numpy()
        values = self.values * (1.0 / (1.0 - p))
        kept = SparseMatrix(self.pattern.select(mask), values[keep.to(self.device)])
        turned, entry = self.pattern.transpose
        mask_t, entry_t = mask[entry], torch.from_numpy(entry[mask[entry]]).to(self.device)
        kept._transpose = SparseMatrix(turned.select(mask_t), values[entry_t])
        return kept

    def matmul(self, dense: Tensor, self_weight: Tensor | None = None) -> Tensor:
        """Return ``self @ dense``, plus ``self_weight * dense`` if that scalar is given.

        Parameters
        ----------
        dense : Tensor, shape (cols, width)
            Same type and device as the values.
        self_weight : Tensor, shape (), optional
            Weight of a row's own entry in a square matrix (the ``1 + eps`` of GIN).

        Returns
        -------
        Tensor, shape (rows, width)
        """
        if dense.shape[0] != self.shape[1] or dense.dim() != 2:
            raise ValueError(
                f"dense must have shape ({self.shape[1]}, width), got {tuple(dense.shape)}"
            )
        if dense.dtype != self.dtype or dense.device != self.device:
            raise TypeError(
                f"dense must be {self.dtype} on {self.device}, got {dense.dtype} on {dense.device}"
            )
        result: Tensor = _Product.apply(dense, self_weight, self)
        return result

    def __matmul__(self, dense: Tensor) -> Tensor:
        return self.matmul(dense)

    def _raw(self, dense: Tensor, self_weight: Tensor | None, skip_zero_rows: bool) -> Tensor:
        dense = dense.contiguous()
        if device_ops.has_spmm(dense):
            where = self.pattern.on(dense.device)
            return device_ops.spmm(*where, self.values, dense, self_weight)
        if dense.device.type != "cpu":
            product = self._torch_csr() @ dense
            return product if self_weight is None else product + self_weight * dense
        out = torch.empty(self.shape[0], dense.shape[1], dtype=dense.dtype)
        native.spmm(
            self.pattern.indptr,
            self.pattern.indices,
            self.values.numpy(),
            dense.numpy(),
            out.numpy(),
            0.0 if self_weight is None else float(self_weight),
            skip_zero_rows,
            requested_threads(),
        )
        return out

    def _torch_csr(self) -> Tensor:
        if self._torch is None:
            indptr = torch.from_numpy(self.pattern.indptr).to(self.device)
            indices = torch.from_numpy(self.pattern.indices.astype(np.int64)).to(self.device)
            self._torch = torch.sparse_csr_tensor(indptr, indices, self.values, self.shape)
        return self._torch

    def __repr__(self) -> str:
        return f"SparseMatrix(shape={self.shape}, nnz={self.nnz}, dtype={self.dtype})"


class ScaledMatrix(SparseMatrix):
    """Sparse matrix whose entries are multiplied by factors that may be trained.

    Parameters
    ----------
    matrix : SparseMatrix
        The constant part.
    factors : Tensor, shape (nnz,)
        One factor per entry; gradients flow to it.
    """

    def __init__(self, matrix: SparseMatrix, factors: Tensor) -> None:
        super().__init__(matrix.pattern, matrix.values * factors.detach())
        self.constant, self.factors = matrix.values, factors

    def matmul(self, dense: Tensor, self_weight: Tensor | None = None) -> Tensor:
        """Return ``self @ dense``, plus ``self_weight * dense`` if that scalar is given."""
        result: Tensor = _ScaledProduct.apply(self.factors, dense, self)
        return result if self_weight is None else result + self_weight * dense

    def _entry_dots(self, left: Tensor, right: Tensor) -> Tensor:
        """``left[row] . right[col]`` of every entry."""
        if left.device.type != "cpu":
            row = torch.from_numpy(self.pattern.rows()).to(left.device)
            col = torch.from_numpy(self.pattern.indices.astype(np.int64)).to(left.device)
            return (left[row] * right[col]).sum(1)
        out = torch.empty(self.nnz, dtype=left.dtype)
        native.entry_dots(
            self.pattern.indptr,
            self.pattern.indices,
            left.contiguous().numpy(),
            right.contiguous().numpy(),
            out.numpy(),
            requested_threads(),
        )
        return out


class _ScaledProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, factors: Tensor, dense: Tensor, matrix: ScaledMatrix) -> Tensor:
        ctx.matrix = matrix
        ctx.save_for_backward(dense)
        return matrix._raw(dense.detach(), None, False)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (dense,) = ctx.saved_tensors
        matrix: ScaledMatrix = ctx.matrix
        grad_factors = grad_dense = None
        if ctx.needs_input_grad[0]:
            grad_factors = matrix.constant * matrix._entry_dots(grad, dense)
        if ctx.needs_input_grad[1]:
            grad_dense = matrix.T._raw(grad, None, True)
        return grad_factors, grad_dense, None


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, dense: Tensor, self_weight: Tensor | None, matrix: SparseMatrix
    ) -> Tensor:
        ctx.matrix = matrix
        ctx.weight = None if self_weight is None else self_weight.detach()
        needs_weight = self_weight is not None and self_weight.requires_grad
        ctx.save_for_backward(dense if needs_weight else None)
        return matrix._raw(dense.detach(), ctx.weight, False)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (dense,) = ctx.saved_tensors
        grad_dense = grad_weight = None
        if ctx.needs_input_grad[0]:
            # Rows of the gradient that are all zero are common: the loss sees few nodes.
            grad_dense = ctx.matrix.T._raw(grad, ctx.weight, True)
        if dense is not None and ctx.needs_input_grad[1]:
            grad_weight = torch.dot(grad.reshape(-1), dense.reshape(-1))
        return grad_dense, grad_weight, None
