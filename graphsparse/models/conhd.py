"""CoNHD: diffusion of one vector per (node, hyperedge) incidence."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_count
from graphsparse.graph import Hypergraph
from graphsparse.models.conhd_conv import CoNHDConv
from graphsparse.models.dropout import dropout
from graphsparse.models.shared_rows import Matrix, SharedRows, choose, dense, take
from graphsparse.operators.incidence_blocks import IncidenceBatch, full_batch

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True, eq=False)
class IncidencePrediction:
    """Logits of every incidence with the pair that they belong to.

    Attributes
    ----------
    nodes, hyperedges : array of int64, shape (n,)
        In the order of the hypergraph's incidences.
    logits : Tensor, shape (n, classes)
        Of these pairs.
    """

    nodes: Array
    hyperedges: Array
    logits: Tensor

    def weights(self, of_class: Sequence[float]) -> Array:
        """Return one weight per incidence: that of its predicted class."""
        table = np.asarray(of_class, dtype=np.float64)
        if table.shape != (self.logits.shape[1],):
            raise ValueError(
                f"of_class must hold {self.logits.shape[1]} weights, got shape {table.shape}"
            )
        chosen: Array = table[self.logits.argmax(dim=1).cpu().numpy()]
        return chosen


class CoNHD(nn.Module):
    """Co-representation neural hypergraph diffusion.

    Parameters
    ----------
    in_dim : int
        Width of the node features.
    dim : int
        Width ``d`` of the state.
    num_classes : int
        Classes of an incidence.
    layers : int
        Diffusion steps.
    share_layers : bool
        One set of weights for all layers.
    edge_dim : int
        Width of hyperedge features, 0 for none.
    dropout, input_dropout, feature_dropout : float
        On the operators' outputs, on the initial state, on the node features.
    head_layers : int
        Affine maps of the head; tanh and layer norm follow each but the last.
    head_dim : int, optional
        Width between them; ``dim`` when left out.
    **conv
        Arguments of :class:`CoNHDConv`: ``operator``, ``blocks``, ``heads``, ``inducing``,
        ``pe_dim``, ``mode``, ``layer_norm``, ``recompute``, ...

    Notes
    -----
    About ``20 d^2`` multiplications per incidence and layer with UNB, 2.5 to 4 times that with
    ISAB on small hyperedges.

    References
    ----------
    Y. Zheng, M. Worring, Modeling edge-specific node features through co-representation neural
    hypergraph diffusion, CIKM 2025, arXiv:2405.14286.

    Examples
    --------
    >>> model = CoNHD(in_dim=3, dim=8, num_classes=2, layers=1)
    >>> model(Hypergraph([0, 1, 1], [0, 0, 1]), torch.ones(2, 3)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        in_dim: int,
        dim: int,
        num_classes: int,
        layers: int = 2,
        *,
        share_layers: bool = True,
        edge_dim: int = 0,
        dropout: float = 0.7,
        input_dropout: float = 0.0,
        feature_dropout: float = 0.0,
        head_layers: int = 1,
        head_dim: int | None = None,
        **conv: Any,
    ) -> None:
        super().__init__()
        for name, value, low in (
            ("in_dim", in_dim, 1),
            ("num_classes", num_classes, 1),
            ("layers", layers, 1),
            ("edge_dim", edge_dim, 0),
            ("head_layers", head_layers, 1),
        ):
            check_count(name, value, low=low)
        self.in_proj = nn.Linear(in_dim + edge_dim, dim)
        copies = 1 if share_layers else layers
        self.convs = nn.ModuleList([CoNHDConv(dim, dropout=dropout, **conv) for _ in range(copies)])
        between = dim if head_dim is None else head_dim
        widths = [dim, *[between] * (head_layers - 1), num_classes]
        self.head = nn.ModuleList([nn.Linear(a, b) for a, b in itertools.pairwise(widths)])
        self.head_norm = nn.ModuleList([nn.LayerNorm(width) for width in widths[1:-1]])
        self.layers, self.in_dim, self.edge_dim = layers, in_dim, edge_dim
        self.num_classes = num_classes
        self.input_dropout, self.feature_dropout = input_dropout, feature_dropout

    @property
    def pe_dim(self) -> int:
        """Width of the positional encoding."""
        first: CoNHDConv = self.convs[0]  # type: ignore[assignment]
        return first.pe_dim

    def forward(
        self,
        data: Hypergraph | IncidenceBatch,
        x: Tensor,
        pe: Tensor | None = None,
        edge_x: Tensor | None = None,
    ) -> Tensor:
        """Return logits, shape (n, classes): of all incidences, or of the batch's targets.

        Parameters
        ----------
        data : Hypergraph or IncidenceBatch
            ``n`` incidences in the caller's order, or what
            :class:`~graphsparse.loaders.IncidenceNeighborLoader` yields.
        x : Tensor, shape (N, in_dim)
            Features of all nodes.
        pe : Tensor, shape (all incidences, pe_dim)
            Positional encoding, with ``pe_dim`` above 0.
        edge_x : Tensor, shape (M, edge_dim)
            Features of all hyperedges, with ``edge_dim`` above 0.
        """
        return self._head(dense(self._states(data, x, pe, edge_x)[-1]))

    def co_representations(
        self,
        data: Hypergraph | IncidenceBatch,
        x: Tensor,
        pe: Tensor | None = None,
        edge_x: Tensor | None = None,
    ) -> Tensor:
        """Return the last state, shape (n, dim); arguments as for :meth:`forward`."""
        return dense(self._states(data, x, pe, edge_x)[-1])

    def states(
        self,
        data: Hypergraph | IncidenceBatch,
        x: Tensor,
        pe: Tensor | None = None,
        edge_x: Tensor | None = None,
    ) -> list[Tensor]:
        """Return the state at the start and after each layer; arguments as for :meth:`forward`."""
        return [dense(state) for state in self._states(data, x, pe, edge_x)]

    def _states(
        self,
        data: Hypergraph | IncidenceBatch,
        x: Tensor,
        pe: Tensor | None,
        edge_x: Tensor | None,
    ) -> list[Matrix]:
        batch = full_batch(data, self.layers) if isinstance(data, Hypergraph) else data
        if len(batch.hops) != self.layers:
            raise ValueError(
                f"data must have {self.layers} hops, one per layer, got {len(batch.hops)}"
            )
        self._check(data, x, pe, edge_x)
        start = self._start(batch, x, edge_x)
        if pe is not None and pe.shape[1] and not isinstance(data, Hypergraph):
            pe = take(pe, batch.rows)
        state = self._conv(0).begin(start)
        source = self._conv(0).source(start)
        found: list[Matrix] = [start]
        for layer, hop in enumerate(batch.hops):
            conv = self._conv(layer)
            if layer and len(self.convs) > 1:
                source = conv.source(start)
            state = conv(state, source, pe, hop)
            found.append(state[0])
            if hop.keep is not None:
                start, source = choose(start, hop.keep), choose(source, hop.keep)
                pe = None if pe is None else take(pe, hop.keep)
        return found

    @torch.no_grad()
    def predict(
        self,
        hypergraph: Hypergraph,
        x: Tensor,
        pe: Tensor | None = None,
        edge_x: Tensor | None = None,
    ) -> IncidencePrediction:
        """Return evaluation-mode logits of every incidence beside its node and hyperedge."""
        mode = self.training
        self.eval()
        try:
            logits = self(hypergraph, x, pe, edge_x)
        finally:
            self.train(mode)
        return IncidencePrediction(hypergraph.nodes, hypergraph.hyperedges, logits)

    def _conv(self, layer: int) -> CoNHDConv:
        conv: CoNHDConv = self.convs[layer if len(self.convs) > 1 else 0]  # type: ignore[assignment]
        return conv

    def _start(self, batch: IncidenceBatch, x: Tensor, edge_x: Tensor | None) -> Matrix:
        """Initial state; one row per node as long as its incidences do not differ."""
        x = dropout(x, self.feature_dropout, self.training)
        weight, nodes = self.in_proj.weight, batch.nodes
        if len(batch.rows) < len(x):
            used, nodes = np.unique(nodes, return_inverse=True)
            x = take(x, used)
        z = F.linear(x, weight[:, : self.in_dim], self.in_proj.bias)
        if edge_x is not None:
            per_edge = F.linear(edge_x, weight[:, self.in_dim :])
            z = take(z, nodes) + take(per_edge, batch.hyperedges)
        h = F.relu(z)
        if edge_x is None and not (self.training and self.input_dropout):
            return SharedRows(h, nodes)
        h = h if edge_x is not None else take(h, nodes)
        return dropout(h, self.input_dropout, self.training)

    def _head(self, h: Tensor) -> Tensor:
        for layer, norm in zip(self.head, self.head_norm, strict=False):
            h = norm(torch.tanh(layer(h)))
        logits: Tensor = self.head[-1](h)
        return logits

    def _check(
        self,
        data: Hypergraph | IncidenceBatch,
        x: Tensor,
        pe: Tensor | None,
        edge_x: Tensor | None,
    ) -> None:
        full = isinstance(data, Hypergraph)
        nodes = data.num_nodes if isinstance(data, Hypergraph) else None
        edges = data.num_hyperedges if isinstance(data, Hypergraph) else None
        rows = data.num_incidences if isinstance(data, Hypergraph) else None
        check_features("x", x, nodes, self.in_dim, self.in_proj.weight)
        for name, value, count, width in (
            ("pe", pe, rows, self.pe_dim),
            ("edge_x", edge_x, edges, self.edge_dim),
        ):
            if (value is None) != (width == 0):
                got = "None" if value is None else f"shape {tuple(value.shape)}"
                shape = f"({count if full else 'all'}, {width})" if width else "None"
                raise ValueError(f"{name} must be {shape} for {name}_dim={width}, got {got}")
            if value is not None:
                check_features(name, value, count, width, self.in_proj.weight)


def check_features(name: str, value: Tensor, rows: int | None, width: int, like: Tensor) -> None:
    """Raise ValueError unless ``value`` is a finite matrix of that size and of ``like``'s type."""
    expected = (len(value) if rows is None else rows, width)
    if value.dim() != 2 or tuple(value.shape) != expected:
        shown = f"({'rows' if rows is None else rows}, {width})"
        raise ValueError(f"{name} must have shape {shown}, got {tuple(value.shape)}")
    if value.dtype != like.dtype or value.device != like.device:
        raise ValueError(
            f"{name} must be {like.dtype} on {like.device}, got {value.dtype} on {value.device}"
        )
    if not torch.isfinite(value).all():
        row, column = (~torch.isfinite(value)).nonzero()[0].tolist()
        raise ValueError(
            f"{name} must be finite, got {float(value[row, column])} at ({row}, {column})"
        )
