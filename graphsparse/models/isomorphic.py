"""The isomorphic update: own value and aggregate through a small MLP, one for each head."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_choice, check_count, check_fraction
from graphsparse.models import fused_update

SELF_WEIGHTS = ("eps", "one_plus_eps")
MLPS = ("per_head", "joint", None)
NORMS = ("rms", "batch", "layer", None)


def check_heads(dim: int, heads: int) -> int:
    """Return the width of a head, or say that ``dim`` is no multiple of ``heads``."""
    check_count("heads", heads, low=1)
    if check_count("in_dim", dim, low=1) % heads:
        raise ValueError(f"in_dim must be a multiple of heads, got {dim} and {heads}")
    return dim // heads


def check_option(name: str, value: str | None, choices: tuple[str | None, ...]) -> str | None:
    """Return ``value`` if it is one of ``choices``, of which one may be None."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def uniform_(weight: Tensor, fan_in: int) -> Tensor:
    """Fill in place as ``torch.nn.Linear`` does: uniform in +-1/sqrt(fan_in)."""
    bound = 1.0 / math.sqrt(fan_in)
    return nn.init.uniform_(weight, -bound, bound)


def rms_norm(y: Tensor, gain: Tensor | float, eps: float) -> Tensor:
    """Return ``y / sqrt(mean(y^2) + eps) * gain`` over the last axis, in float32 or better."""
    wide = y if y.dtype == torch.float64 else y.float()
    scaled = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return scaled.to(y.dtype) * gain


class IsomorphicUpdate(nn.Module):
    """``W2 silu(norm(dropout(W1 (c v + a) + b1))) + b2`` per head, GIN's update of attention.

    Parameters
    ----------
    dim : int
        Width of all heads together.
    heads : int
        Number of heads; each has its own self weight, and its own MLP with ``mlp="per_head"``.
    mlp_ratio : float
        Hidden width of an MLP, as a multiple of its input.
    mlp : {"per_head", "joint"} or None
        One MLP for each head, one for all, or none at all.
    self_weight : {"one_plus_eps", "eps"}
        Coefficient ``c`` of the own value.
    eps : float
        Start of ``eps``.
    train_eps : bool
        Whether ``eps`` is trained.
    norm : {"rms", "batch", "layer"} or None
        Normalisation inside the MLP; it weakens what the norm of ``a`` says of the degree.
    dropout : float
        On the hidden layer, in training.
    norm_eps : float
        Added under the root of the normalisation.

    Notes
    -----
    Weights are (heads * out, in), a row per output neuron, so that every scope of the l0
    projection fits them.
    """

    no_sparsify = ("eps", "bias_in", "bias_out", "gain", "shift")

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        mlp_ratio: float = 0.5,
        mlp: str | None = "per_head",
        self_weight: str = "one_plus_eps",
        eps: float = 0.0,
        train_eps: bool = True,
        norm: str | None = "rms",
        dropout: float = 0.1,
        norm_eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.heads, self.head_dim = heads, check_heads(dim, heads)
        self.mlp, self.norm = check_option("mlp", mlp, MLPS), check_option("norm", norm, NORMS)
        self.self_weight = check_choice("self_weight", self_weight, SELF_WEIGHTS)
        self.dropout = check_fraction("dropout", dropout, zero=True)
        self.norm_eps, self.start_eps = norm_eps, float(eps)
        self.groups = heads if mlp == "per_head" else 1
        self.eps = nn.Parameter(torch.empty(heads), requires_grad=train_eps)
        if mlp is not None:
            self._make_mlp(dim, mlp_ratio)
        self.reset_parameters()

    def _make_mlp(self, dim: int, ratio: float) -> None:
        width = dim // self.groups
        hidden = math.floor(ratio * width)
        if hidden < 1:
            raise ValueError(
                f"mlp_ratio must leave a hidden width of 1 or more, got {ratio} of {width}"
            )
        self.weight_in = nn.Parameter(torch.empty(self.groups * hidden, width))
        self.bias_in = nn.Parameter(torch.empty(self.groups * hidden))
        self.weight_out = nn.Parameter(torch.empty(self.groups * width, hidden))
        self.bias_out = nn.Parameter(torch.empty(self.groups * width))
        if self.norm == "batch":
            self.batch_norm = nn.BatchNorm1d(self.groups * hidden)
        elif self.norm is not None:
            self.gain = nn.Parameter(torch.empty(self.groups * hidden))
        if self.norm == "layer":
            self.shift = nn.Parameter(torch.empty(self.groups * hidden))

    def reset_parameters(self) -> None:
        """Draw the weights anew; ``eps`` goes back to its start."""
        nn.init.constant_(self.eps, self.start_eps)
        if self.mlp is None:
            return
        for weight, bias in ((self.weight_in, self.bias_in), (self.weight_out, self.bias_out)):
            uniform_(weight, weight.shape[1])
            uniform_(bias, weight.shape[1])
        if self.norm == "batch":
            self.batch_norm.reset_parameters()
        elif self.norm is not None:
            nn.init.ones_(self.gain)
        if self.norm == "layer":
            nn.init.zeros_(self.shift)

    def coefficient(self) -> Tensor:
        """Return ``c`` of every column, shape (dim,)."""
        c = 1.0 + self.eps if self.self_weight == "one_plus_eps" else self.eps
        return c.repeat_interleave(self.head_dim)

    def forward(self, own: Tensor, aggregate: Tensor) -> Tensor:
        """Return the update of own values and aggregates, both of shape (..., dim)."""
        if self.mlp is not None and self.norm in ("rms", None) and self.dropout < 1.0:
            hidden = self.weight_in.shape[0] // self.groups
            if fused_update.is_usable(aggregate, self.weight_in, hidden):
                return self._fused(own, aggregate, hidden)
        z = torch.addcmul(aggregate, own, self.coefficient().to(own.dtype))
        if self.mlp is None:
            return z
        flat = z.reshape(-1, self.groups, z.shape[-1] // self.groups).transpose(0, 1)
        y = self._linear(flat, self.weight_in, self.bias_in)
        y = F.silu(self._normalized(F.dropout(y, self.dropout, self.training)))
        out = self._linear(y, self.weight_out, self.bias_out)
        return out.transpose(0, 1).reshape(z.shape)

    def _fused(self, own: Tensor, aggregate: Tensor, hidden: int) -> Tensor:
        gain = torch.ones_like(self.bias_in) if self.norm is None else self.gain
        matrices = self.weight_in.flatten(), self.weight_out.flatten()
        parts = (self.coefficient(), self.bias_in, gain, self.bias_out, *matrices)
        return fused_update.update(
            own,
            aggregate,
            torch.cat(parts),
            groups=self.groups,
            hidden=hidden,
            norm_eps=None if self.norm is None else self.norm_eps,
            dropout=self.dropout if self.training else 0.0,
        )

    def _linear(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """A linear map of each group of x, shape (groups, rows, in)."""
        per_group = weight.view(self.groups, -1, weight.shape[1]).transpose(1, 2)
        return torch.baddbmm(bias.view(self.groups, 1, -1), x, per_group)

    def _normalized(self, y: Tensor) -> Tensor:
        if self.norm == "rms":
            return rms_norm(y, _rows(self.gain, y), self.norm_eps)
        if self.norm == "layer":
            plain = F.layer_norm(y.float() if y.dtype == torch.half else y, y.shape[-1:], eps=1e-5)
            return plain.to(y.dtype) * _rows(self.gain, y) + _rows(self.shift, y)
        if self.norm == "batch":
            groups, rows, hidden = y.shape
            wide = y.transpose(0, 1).reshape(rows, groups * hidden)
            return self.batch_norm(wide).view(rows, groups, hidden).transpose(0, 1)
        return y


def _rows(values: Tensor, y: Tensor) -> Tensor:
    """One value per group and hidden unit, shaped to meet (groups, rows, hidden)."""
    return values.view(y.shape[0], 1, y.shape[2])
