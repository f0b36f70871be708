"""Reference networks of the sparsification experiments: GCN, GIN, GAT and GraphSAGE, no biases.

A network's forward pass falls into a *prefix*, which is the same in training and evaluation,
and a *suffix*, which holds the dropout.  A trainer that evaluates after every step computes the
prefix once for both.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_count
from graphsparse.models.adjacency import Adjacency
from graphsparse.models.dropout import PreActivation
from graphsparse.models.layers import (
    Features,
    GATConv,
    GCNConv,
    GINConv,
    LayerInput,
    SAGEConv,
    dropout_features,
    reset_linear,
    transform,
)


class Backbone(nn.Module):
    """A network whose forward pass is ``suffix(prefix(x, adjacency), adjacency)``."""

    def prefix(self, x: Features, adjacency: Adjacency) -> Features:
        """Return the part of the pass that is the same in training and evaluation."""
        raise NotImplementedError

    def suffix(self, hidden: Features, adjacency: Adjacency) -> Tensor:
        """Return the logits, shape (n, classes), from what ``prefix`` returned."""
        raise NotImplementedError

    def forward(self, x: Features, adjacency: Adjacency) -> Tensor:
        """Return the logits, shape (n, classes), of features of shape (n, in_dim)."""
        return self.suffix(self.prefix(x, adjacency), adjacency)

    def maps(self) -> Iterator[tuple[Tensor, bool]]:
        """Yield every weight matrix and whether its output is aggregated over the graph."""
        raise NotImplementedError

    def reset_parameters(self) -> None:
        """Draw every parameter anew from torch's generator."""
        for module in self.children():
            for part in module if isinstance(module, nn.ModuleList) else [module]:
                part.reset_parameters()  # type: ignore[operator]


def layer_widths(in_dim: int, hidden: int, out_dim: int, layers: int) -> list[tuple[int, int]]:
    """Return input and output width of every layer."""
    check_count("layers", layers, low=1)
    sizes = [in_dim, *[hidden] * (layers - 1), out_dim]
    return list(itertools.pairwise(sizes))


class ReluDropout(Backbone):
    """Layers joined by ReLU and dropout."""

    convs: nn.ModuleList

    def __init__(self, convs: list[nn.Module], p: float) -> None:
        super().__init__()
        self.convs, self.p = nn.ModuleList(convs), p

    def prefix(self, x: Features, adjacency: Adjacency) -> Features:
        """Return the first layer's output before its ReLU."""
        return self.convs[0](x, adjacency.layer(0, len(self.convs)))

    def suffix(self, hidden: Features, adjacency: Adjacency) -> Tensor:
        """Return the logits from the first layer's output."""
        assert isinstance(hidden, Tensor)
        out: Tensor = hidden
        for at, conv in enumerate(self.convs[1:], 1):
            near = adjacency.layer(at, len(self.convs))
            out = conv(PreActivation(out, self.p, self.training), near)
        return out


class GCN(ReluDropout):
    """GCN layers with ReLU and dropout between them.

    Parameters
    ----------
    in_dim, hidden, out_dim : int
        Width of the features, of each hidden layer and of the output.
    layers : int
        Number of layers.
    dropout : float
        Probability to drop a hidden entry.
    """

    def __init__(
        self, in_dim: int, hidden: int, out_dim: int, *, layers: int = 2, dropout: float = 0.5
    ) -> None:
        widths = layer_widths(in_dim, hidden, out_dim, layers)
        super().__init__([GCNConv(a, b) for a, b in widths], dropout)

    def maps(self) -> Iterator[tuple[Tensor, bool]]:
        """Yield every weight matrix and whether its output is aggregated over the graph."""
        for conv in self.convs:
            yield conv.weight, True  # type: ignore[misc]


class SAGE(ReluDropout):
    """GraphSAGE layers (mean) with ReLU and dropout between them.

    Parameters
    ----------
    in_dim, hidden, out_dim, layers, dropout
        As in :class:`GCN`.
    """

    def __init__(
        self, in_dim: int, hidden: int, out_dim: int, *, layers: int = 2, dropout: float = 0.5
    ) -> None:
        widths = layer_widths(in_dim, hidden, out_dim, layers)
        super().__init__([SAGEConv(a, b) for a, b in widths], dropout)

    def maps(self) -> Iterator[tuple[Tensor, bool]]:
        """Yield every weight matrix and whether its output is aggregated over the graph."""
        for conv in self.convs:
            yield conv.weight, True  # type: ignore[misc]
            yield conv.root_weight, False  # type: ignore[misc]


class GAT(Backbone):
    """Attention layers with ELU: ``heads`` concatenated heads, one head at the end.

    Parameters
    ----------
    in_dim, hidden, out_dim : int
        Width of the features, of each *head* of a hidden layer and of the output.
    layers : int
        Number of layers.
    heads : int
        Heads of every layer but the last.
    dropout : float
        Probability to drop an input or hidden entry, and a coefficient of the first layer.
    """

    def __init__(
        self,
        in_dim: int,
        hidden: int,
        out_dim: int,
        *,
        layers: int = 2,
        heads: int = 8,
        dropout: float = 0.6,
    ) -> None:
        super().__init__()
        check_count("layers", layers, low=1)
        convs: list[nn.Module] = []
        width = in_dim
        for layer in range(layers - 1):
            convs.append(GATConv(width, hidden, heads, dropout if layer == 0 else 0.0))
            width = hidden * heads
        convs.append(GATConv(width, out_dim, 1, dropout if layers == 1 else 0.0))
        self.convs, self.p = nn.ModuleList(convs), dropout

    def prefix(self, x: Features, adjacency: Adjacency) -> Features:
        """Return the features: dropout acts on them already."""
        return x

    def suffix(self, hidden: Features, adjacency: Adjacency) -> Tensor:
        """Return the logits from the features."""
        for at, conv in enumerate(self.convs):
            out = conv(dropout_features(hidden, self.p, self.training), adjacency)
            hidden = F.elu(out) if at + 1 < len(self.convs) else out
        assert isinstance(hidden, Tensor)
        return hidden

    def maps(self) -> Iterator[tuple[Tensor, bool]]:
        """Yield every weight matrix and whether its output is aggregated over the graph."""
        for conv in self.convs:
            yield conv.weight, True  # type: ignore[misc]


class _Map(nn.Module):
    """A linear map without bias, stock initialisation."""

    input_axis = 0

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_dim, out_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        reset_linear(self.weight)

    def forward(self, x: LayerInput) -> Tensor:
        return transform(x, self.weight)


class GIN(Backbone):
    """GIN layers, ReLU after each; logits are the mean over all layers of a map of each.

    With two layers: ``(V h1 + h2) / 2``.  There is no dropout, so training and evaluation agree.

    Parameters
    ----------
    in_dim, hidden, out_dim, layers
        As in :class:`GCN`.
    """

    def __init__(self, in_dim: int, hidden: int, out_dim: int, *, layers: int = 2) -> None:
        super().__init__()
        widths = layer_widths(in_dim, hidden, out_dim, layers)
        self.convs = nn.ModuleList(GINConv(a, b) for a, b in widths)
        self.heads = nn.ModuleList(_Map(b, out_dim) for _, b in widths[:-1])

    def prefix(self, x: Features, adjacency: Adjacency) -> Features:
        """Return the logits."""
        layers = len(self.convs)
        out: Tensor = self.convs[0](x, adjacency.layer(0, layers))
        scores: list[Tensor] = []
        for at, (conv, head) in enumerate(zip(self.convs[1:], self.heads, strict=True), 1):
            hidden = PreActivation(out, 0.0, self.training)
            scores.append(head(hidden))
            out = conv(hidden, adjacency.layer(at, layers))
        first, *rest = [*(score[: len(out)] for score in scores), F.relu(out)]
        for part in rest:
            first = first + part
        return first / layers

    def suffix(self, hidden: Features, adjacency: Adjacency) -> Tensor:
        """Return what ``prefix`` computed."""
        assert isinstance(hidden, Tensor)
        return hidden

    def maps(self) -> Iterator[tuple[Tensor, bool]]:
        """Yield every weight matrix and whether its output is aggregated over the graph."""
        for conv in self.convs:
            yield conv.weight, True  # type: ignore[misc]
        for head in self.heads:
            yield head.weight, False  # type: ignore[misc]


BACKBONES: dict[str, Callable[..., Backbone]] = {"gat": GAT, "gcn": GCN, "gin": GIN, "sage": SAGE}
