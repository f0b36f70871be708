"""Baselines for directed graphs: convolution along and against the arcs, and no graph at all."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from graphsparse.checks import check_fraction
from graphsparse.models.adjacency import Adjacency
from graphsparse.models.backbones import ReluDropout, layer_widths
from graphsparse.models.layers import LayerInput, reset_linear, transform


class DirConv(nn.Module):
    """``X W_r + a A X W_o + (1 - a) A' X W_i`` with A scaled by the roots of its degrees.

    Parameters
    ----------
    in_dim, out_dim : int
        Width of the input and of the output.
    alpha : float
        Weight of the outgoing arcs; the incoming ones have the rest.

    References
    ----------
    E. Rossi et al., Edge Directionality Improves Learning on Heterophilic Graphs, LoG 2023,
    arXiv:2305.10498.
    """

    input_axis = 0  # weights are (in, out)

    def __init__(self, in_dim: int, out_dim: int, alpha: float = 0.5) -> None:
        super().__init__()
        self.alpha = check_fraction("alpha", alpha, zero=True)
        self.root_weight = nn.Parameter(torch.empty(in_dim, out_dim))
        self.out_weight = nn.Parameter(torch.empty(in_dim, out_dim))
        self.in_weight = nn.Parameter(torch.empty(in_dim, out_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the three weights anew (Glorot uniform)."""
        for weight in (self.root_weight, self.out_weight, self.in_weight):
            nn.init.xavier_uniform_(weight)

    def forward(self, x: LayerInput, adjacency: Adjacency) -> Tensor:
        """Return the (n, out_dim) output for features of shape (n, in_dim)."""
        incoming = adjacency.directed(x.dtype)
        ahead = incoming.T @ transform(x, self.out_weight)
        behind = incoming @ transform(x, self.in_weight)
        return transform(x, self.root_weight) + self.alpha * ahead + (1.0 - self.alpha) * behind


class DirGNN(ReluDropout):
    """:class:`DirConv` layers with ReLU and dropout between them.

    Parameters
    ----------
    in_dim, hidden, out_dim, layers, dropout
        As in :class:`~graphsparse.models.GCN`.
    alpha : float
        Weight of the outgoing arcs.
    """

    def __init__(
        self,
        in_dim: int,
        hidden: int,
        out_dim: int,
        *,
        layers: int = 2,
        dropout: float = 0.5,
        alpha: float = 0.5,
    ) -> None:
        widths = layer_widths(in_dim, hidden, out_dim, layers)
        super().__init__([DirConv(a, b, alpha) for a, b in widths], dropout)

    def maps(self) -> Iterator[tuple[Tensor, bool]]:
        """Yield every weight matrix and whether its output is aggregated over the graph."""
        for conv in self.convs:
            yield conv.root_weight, False  # type: ignore[misc]
            yield conv.out_weight, True  # type: ignore[misc]
            yield conv.in_weight, True  # type: ignore[misc]


class _Plain(nn.Module):
    """A linear layer that is called like a convolution."""

    input_axis = 0  # weights are (in, out)

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_dim, out_dim))
        self.bias = nn.Parameter(torch.empty(out_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        reset_linear(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: LayerInput, adjacency: Adjacency) -> Tensor:
        return transform(x, self.weight) + self.bias


class MLP(ReluDropout):
    """Linear layers with ReLU and dropout between them: what features alone can do.

    Parameters
    ----------
    in_dim, hidden, out_dim, layers, dropout
        As in :class:`~graphsparse.models.GCN`.
    """

    def __init__(
        self, in_dim: int, hidden: int, out_dim: int, *, layers: int = 2, dropout: float = 0.5
    ) -> None:
        widths = layer_widths(in_dim, hidden, out_dim, layers)
        super().__init__([_Plain(a, b) for a, b in widths], dropout)

    def maps(self) -> Iterator[tuple[Tensor, bool]]:
        """Yield every weight matrix and False: nothing is aggregated."""
        for layer in self.convs:
            yield layer.weight, False  # type: ignore[misc]
