"""ADPA: features propagated along six directed patterns, then attention and node-wise networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_count, check_fraction
from graphsparse.graph import Graph
from graphsparse.models.adpa_attention import HopAttention, PatternAttention
from graphsparse.models.adpa_features import (
    PATTERNS,
    Array,
    Propagation,
    as_tensor,
    cached_features,
    propagate,
)
from graphsparse.models.dropout import dropout
from graphsparse.models.rows import RowModel


class ADPA(RowModel):
    """Adaptive directed pattern aggregation.

    The graph is used once, by :meth:`precompute`.  A node then has its own features and those
    that ``K`` hops along each of the patterns bring; attention weighs the hops of each pattern
    and a network of its own maps each pattern before all are brought together.

    Parameters
    ----------
    in_dim, hidden, out_dim : int
        Features, width of the hidden layers, classes.
    num_hops, r, norm, patterns, hop_scale
        See :class:`~graphsparse.models.adpa_features.Propagation`.
    num_layers : int
        Linear layers of each channel's network, ReLU and dropout after each.
    hop_attention : {"original", "simple", "gate", "ori_ref", "none"}
        See :class:`~graphsparse.models.adpa_attention.HopAttention`.
    dp_attention : {"original", "gate", "jk", "ori_ref", "none"}
        See :class:`~graphsparse.models.adpa_attention.PatternAttention`.
    dropout : float
        Probability to drop a hidden entry.
    input_dropout : float
        Probability to drop an entry of the features; with a few labels per class and thousands of
        features it decides (see the accuracy tables).  The published model has none.
    reference_compat : bool
        Reproduce the authors' reshape, which gives nodes the scores of other nodes: for parity
        tests, on all nodes of a graph at once only.

    References
    ----------
    H. Sun et al., Breaking the Entanglement of Homophily and Heterophily in Semi-supervised Node
    Classification, ICDE 2024, arXiv:2312.04111.

    Examples
    --------
    >>> graph = Graph.from_edges([(0, 1), (1, 2), (0, 2)], directed=True)
    >>> model = ADPA(2, 8, 3, num_hops=1).eval()
    >>> features = model.precompute(graph, [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> tuple(features.shape), tuple(model(features, torch.tensor([2, 0])).shape)
    ((3, 7, 2), (2, 3))
    """

    def __init__(
        self,
        in_dim: int,
        hidden: int,
        out_dim: int,
        *,
        num_hops: int = 2,
        num_layers: int = 2,
        r: float = 0.5,
        norm: str = "row_col",
        hop_attention: str = "original",
        dp_attention: str = "original",
        dropout: float = 0.5,
        input_dropout: float = 0.0,
        patterns: Sequence[str] = PATTERNS,
        hop_scale: str = "log",
        reference_compat: bool = False,
    ) -> None:
        super().__init__()
        for name, size in (("in_dim", in_dim), ("hidden", hidden), ("out_dim", out_dim)):
            check_count(name, size, low=1)
        check_count("num_layers", num_layers, low=1)
        self.p = check_fraction("dropout", dropout, zero=True)
        self.input_p = check_fraction("input_dropout", input_dropout, zero=True)
        self.propagation = Propagation(num_hops, r, norm, tuple(patterns), hop_scale)
        self.in_dim, self.reference_compat = in_dim, bool(reference_compat)
        count = len(self.propagation.patterns)
        self.hop = HopAttention(
            hop_attention, count, num_hops, in_dim, reference_compat=self.reference_compat
        )
        widths = [in_dim] + [hidden] * num_layers
        self.mlps = nn.ModuleList(
            nn.ModuleList(nn.Linear(widths[k], hidden) for k in range(num_layers))
            for _ in range(count + 1)
        )
        self.head = PatternAttention(dp_attention, count + 1, hidden, out_dim)

    @property
    def needs_all_rows(self) -> bool:
        """Whether the logits of a node depend on which others are in the batch."""
        return self.hop.reshapes

    def reset_parameters(self) -> None:
        """Draw every parameter anew from torch's generator."""
        self.hop.reset_parameters()
        for stack in self.mlps:
            for layer in stack:  # type: ignore[attr-defined]
                layer.reset_parameters()
        self.head.reset_parameters()

    def precompute(
        self,
        graph: Graph,
        x: Any,
        *,
        out: Array | None = None,
        columns: int | None = None,
        rows: Any = None,
        cache: str | Path | None = None,
    ) -> Tensor:
        """Return the features that the network takes, shape (rows, 1 + patterns * K, in_dim).

        Parameters
        ----------
        graph, x, out, columns, rows
            See :func:`~graphsparse.models.adpa_features.propagate`.
        cache : path, optional
            Folder to keep the features of all nodes in; they are read from there next time.
        """
        if cache is None:
            return as_tensor(
                propagate(graph, x, self.propagation, out=out, columns=columns, rows=rows)
            )
        if out is not None or rows is not None:
            raise ValueError("out and rows cannot be given with cache, which keeps all nodes")
        return as_tensor(cached_features(cache, graph, x, self.propagation, columns=columns))

    def forward(self, features: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the logits of some nodes.

        Parameters
        ----------
        features : Tensor, shape (n, 1 + patterns * K, in_dim)
            From :meth:`precompute`.
        rows : Tensor of int64, optional
            Nodes to look at; all when left out.

        Returns
        -------
        Tensor, shape (len(rows), out_dim)
        """
        blocks = self.propagation.num_blocks
        if features.dim() != 3 or features.shape[1:] != (blocks, self.in_dim):
            raise ValueError(
                f"features must have shape (n, {blocks}, {self.in_dim}), "
                f"got {tuple(features.shape)}"
            )
        if rows is not None:
            if self.needs_all_rows:
                raise ValueError("rows must be None with reference_compat=True: it mixes nodes")
            features = features[rows]
        features = dropout(features, self.input_p, self.training)
        aggregated = self.hop(features)
        hidden = [self._channel(0, features[:, 0])]
        hidden += [self._channel(d + 1, z) for d, z in enumerate(aggregated.unbind(1))]
        logits: Tensor = self.head(torch.stack(hidden, dim=1))
        return logits

    def _channel(self, at: int, x: Tensor) -> Tensor:
        for layer in self.mlps[at]:  # type: ignore[attr-defined]
            x = dropout(F.relu(layer(x)), self.p, self.training)
        return x
