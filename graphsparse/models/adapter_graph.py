"""The graph that a frozen attention layer spans, and the small GIN that runs on it."""

from __future__ import annotations

import dataclasses
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_choice, check_count, check_fraction
from graphsparse.models.dense_attention import merge_heads, split_heads
from graphsparse.models.isomorphic import check_heads, rms_norm, uniform_

COMBINE = ("sum", "mean", "threshold_any", "learnable", "per_head")
LEARNABLE = ("softmax", "sigmoid")
ORIENTATIONS = ("causal", "reference")
ACTIVATIONS = {"prelu": nn.PReLU, "relu": nn.ReLU, "silu": nn.SiLU}


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttentionGraph:
    """How the heads of an attention map become one sparse adjacency.

    Parameters
    ----------
    combine : {"sum", "mean", "threshold_any", "learnable", "per_head"}
        Sum of the heads, at most 1; their mean; ``max sigmoid((A - threshold) / tau)``; an MLP
        over the heads of each entry; or a graph for each head.
    sharpness, threshold : float
        With ``sharpness > 0``: ``a <- sigmoid(sharpness (a - threshold))``.
    tau : float
        Of ``combine="threshold_any"``.
    cut : float
        Entries up to it become 0.
    keep_self : bool
        Keep the diagonal.
    orientation : {"causal", "reference"}
        ``"causal"``: token i hears the tokens before it.  ``"reference"``: as in the published
        code, whose edges point the other way and are then filtered: only the diagonal acts.
    learnable : {"softmax", "sigmoid"}
        What ends the MLP over the heads.
    softmax_over_all : bool
        As in the published code, whose softmax sees future columns too: not causal.
    """

    combine: str = "sum"
    sharpness: float = 0.0
    threshold: float = 0.1
    tau: float = 0.1
    cut: float = 0.2
    keep_self: bool = True
    orientation: str = "causal"
    learnable: str = "softmax"
    softmax_over_all: bool = False

    def __post_init__(self) -> None:
        check_choice("combine", self.combine, COMBINE)
        check_choice("orientation", self.orientation, ORIENTATIONS)
        check_choice("learnable", self.learnable, LEARNABLE)
        if not self.sharpness >= 0.0 or not self.tau > 0.0:
            raise ValueError(
                f"sharpness must be >= 0 and tau > 0, got {self.sharpness!r} and {self.tau!r}"
            )

    def adjacency(self, attention: Tensor, mlp: nn.Module | None = None) -> Tensor:
        """Return (batch, length, length) from the maps (batch, heads, length, length).

        With ``combine="per_head"`` the heads stay apart.

        Parameters
        ----------
        attention : Tensor
            Row i holds the coefficients of receiver i.
        mlp : nn.Module, optional
            Of ``combine="learnable"``: (..., heads) to (..., 1).
        """
        a = self._combined(attention, mlp)
        if self.sharpness > 0.0:
            a = torch.sigmoid(self.sharpness * (a - self.threshold))
        # Where no head attends there is no edge, whatever the transform makes of 0: padding.
        some = attention > 0
        a = a * (a > self.cut) * (some if self.combine == "per_head" else some.any(1))
        if not self.keep_self:
            a = a - torch.diag_embed(a.diagonal(dim1=-2, dim2=-1))
        return a.tril()

    def _combined(self, attention: Tensor, mlp: nn.Module | None) -> Tensor:
        if self.combine == "sum":
            return attention.sum(1).clamp(max=1.0)
        if self.combine == "per_head":
            return attention
        if self.combine == "mean":
            return attention.mean(1)
        if self.combine == "threshold_any":
            return torch.sigmoid((attention - self.threshold) / self.tau).amax(1)
        assert mlp is not None
        score = mlp(attention.permute(0, 2, 3, 1))[..., 0]
        if self.learnable == "sigmoid":
            return torch.sigmoid(score)
        if not self.softmax_over_all:
            future = torch.ones_like(score, dtype=torch.bool).triu(1)
            score = score.masked_fill(future, -torch.inf)
        return torch.softmax(score, -1)


class HeadLinear(nn.Module):
    """A linear map of its own for each head.

    Parameters
    ----------
    heads, in_dim, out_dim : int
        Number of maps, width of their input and output.
    """

    no_sparsify = ("bias",)

    def __init__(self, heads: int, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.weight = nn.Parameter(uniform_(torch.empty(heads * out_dim, in_dim), in_dim))
        self.bias = nn.Parameter(uniform_(torch.empty(heads * out_dim), in_dim))

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, heads, length, out_dim) of (batch, heads, length, in_dim)."""
        weight = self.weight.view(self.heads, -1, x.shape[-1])
        return x @ weight.transpose(1, 2) + self.bias.view(self.heads, 1, -1)


class AdapterLayer(nn.Module):
    """``h + lambda * rms(up(GIN(down(h))))`` on the graph of an attention map.

    With ``AttentionGraph(combine="per_head")`` every head has a GIN of its own, on its own map and
    its own columns of the states; there are no projections, and heads share the slope of a PReLU
    and the gains of a norm.

    Parameters
    ----------
    dim, heads : int
        Width of the states and heads of the maps.
    width : int
        Of the GIN; there are no projections where it equals ``dim`` and ``project`` is None.
        ``dim // heads`` in the mode per head.
    graph : AttentionGraph
        How maps become a graph.
    num_layers : int
        GIN layers.
    hidden_multiplier : int
        Hidden width of their MLPs as a multiple of ``width``.
    activation : {"prelu", "relu", "silu"}
        One for all layers; PReLU's slope is shared.
    norm : bool
        Layer norm inside the MLPs.
    residual : bool
        Add the input of a GIN layer to its output.
    weighted : bool
        Messages are weighted by the adjacency; else every edge counts 1.
    scale : float
        Start of ``lambda``.
    dropout : float
        After each GIN layer.
    combine_dim : int
        Hidden width of ``combine="learnable"``.
    project : bool, optional
        Whether there are projections; left out, where the widths differ.
    """

    no_sparsify = ("scale", "gain", "eps")

    def __init__(
        self,
        dim: int,
        heads: int,
        width: int,
        graph: AttentionGraph,
        *,
        num_layers: int = 1,
        hidden_multiplier: int = 1,
        activation: str = "prelu",
        norm: bool = False,
        residual: bool = False,
        weighted: bool = True,
        scale: float = 0.5,
        dropout: float = 0.1,
        combine_dim: int = 16,
        project: bool | None = None,
    ) -> None:
        super().__init__()
        check_choice("activation", activation, tuple(ACTIVATIONS))
        check_count("num_layers", num_layers, low=1)
        check_count("width", width, low=1)
        self.graph, self.residual, self.weighted = graph, residual, weighted
        self.dropout = check_fraction("dropout", dropout, zero=True)
        self.heads, self.apart = heads, graph.combine == "per_head"
        whole = check_heads(dim, heads) if self.apart else dim
        projected = (width != dim and not self.apart) if project is None else project
        if not projected and width != whole:
            raise ValueError(f"width must be {whole} without projections, got {width}")
        if projected and self.apart:
            raise ValueError("project=True does not go with combine='per_head'")
        self.down = nn.Linear(dim, width) if projected else nn.Identity()
        self.up = nn.Linear(width, dim) if projected else nn.Identity()
        hidden = width * check_count("hidden_multiplier", hidden_multiplier, low=1)
        linear = partial(HeadLinear, heads) if self.apart else nn.Linear
        self.first = nn.ModuleList(linear(width, hidden) for _ in range(num_layers))
        self.second = nn.ModuleList(linear(hidden, width) for _ in range(num_layers))
        self.norms = nn.ModuleList(
            nn.LayerNorm(hidden) if norm else nn.Identity() for _ in range(num_layers)
        )
        self.activation = ACTIVATIONS[activation](*([1] if activation == "prelu" else []))
        self.eps = nn.Parameter(
            torch.zeros((num_layers, heads, 1, 1) if self.apart else num_layers)
        )
        self.gain = nn.Parameter(torch.ones(dim))
        self.scale = nn.Parameter(torch.tensor([float(scale)]))
        self.combine: nn.Module | None = None
        if graph.combine == "learnable":
            self.combine = nn.Sequential(
                nn.Linear(heads, combine_dim), nn.ReLU(), nn.Linear(combine_dim, 1)
            )

    def forward(self, hidden: Tensor, attention: Tensor) -> Tensor:
        """Return what is added to the states (batch, length, dim)."""
        a = self.graph.adjacency(attention, self.combine)
        if not self.weighted:
            a = (a != 0).to(a.dtype)
        if self.graph.orientation == "reference":
            a = torch.diag_embed(a.diagonal(dim1=-2, dim2=-1))
        z = split_heads(hidden, self.heads) if self.apart else self.down(hidden)
        parts = zip(self.first, self.norms, self.second, self.eps, strict=True)
        for first, norm, second, eps in parts:
            u = eps * z + a @ z
            y = second(self.activation(norm(first(u)))) + u
            new = F.dropout(self.activation(y), self.dropout, self.training)
            z = new + z if self.residual else new
        z = merge_heads(z) if self.apart else z
        return self.scale * rms_norm(self.up(z), self.gain, 1e-5)
