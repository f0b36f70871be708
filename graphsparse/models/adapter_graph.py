"""The graph that a frozen attention layer spans, and the small GIN that runs on it."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_choice, check_count, check_fraction
from graphsparse.models.isomorphic import rms_norm

COMBINE = ("sum", "mean", "threshold_any", "learnable")
LEARNABLE = ("softmax", "sigmoid")
ORIENTATIONS = ("causal", "reference")
ACTIVATIONS = {"prelu": nn.PReLU, "relu": nn.ReLU, "silu": nn.SiLU}


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttentionGraph:
    """How the heads of an attention map become one sparse adjacency.

    Parameters
    ----------
    combine : {"sum", "mean", "threshold_any", "learnable"}
        Sum of the heads, at most 1; their mean; ``max sigmoid((A - threshold) / tau)``; an MLP
        over the heads of each entry.
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
        a = a * (a > self.cut) * (attention > 0).any(1)
        if not self.keep_self:
            a = a - torch.diag_embed(a.diagonal(dim1=-2, dim2=-1))
        return a.tril()

    def _combined(self, attention: Tensor, mlp: nn.Module | None) -> Tensor:
        if self.combine == "sum":
            return attention.sum(1).clamp(max=1.0)
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


class AdapterLayer(nn.Module):
    """``h + lambda * rms(up(GIN(down(h))))`` on the graph of an attention map.

    Parameters
    ----------
    dim, heads : int
        Width of the states and heads of the maps.
    width : int
        Of the GIN; there are no projections where it equals ``dim`` and ``project`` is None.
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
        projected = width != dim if project is None else project
        if not projected and width != dim:
            raise ValueError(f"project=False needs width {dim}, got {width}")
        self.down = nn.Linear(dim, width) if projected else nn.Identity()
        self.up = nn.Linear(width, dim) if projected else nn.Identity()
        hidden = width * check_count("hidden_multiplier", hidden_multiplier, low=1)
        self.first = nn.ModuleList(nn.Linear(width, hidden) for _ in range(num_layers))
        self.second = nn.ModuleList(nn.Linear(hidden, width) for _ in range(num_layers))
        self.norms = nn.ModuleList(
            nn.LayerNorm(hidden) if norm else nn.Identity() for _ in range(num_layers)
        )
        self.activation = ACTIVATIONS[activation](*([1] if activation == "prelu" else []))
        self.eps = nn.Parameter(torch.zeros(num_layers))
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
        z = self.down(hidden)
        parts = zip(self.first, self.norms, self.second, self.eps, strict=True)
        for first, norm, second, eps in parts:
            u = eps * z + a @ z
            y = second(self.activation(norm(first(u)))) + u
            new = F.dropout(self.activation(y), self.dropout, self.training)
            z = new + z if self.residual else new
        return self.scale * rms_norm(self.up(z), self.gain, 1e-5)
