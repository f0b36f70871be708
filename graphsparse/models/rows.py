"""Networks that need the graph once: its features are propagated first, then rows stand alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from graphsparse.graph import Graph


class RowModel(nn.Module):
    """A network of precomputed features; mini-batches of nodes are exact."""

    def precompute(self, graph: Graph, x: Any) -> Tensor:
        """Return what the network takes for every node, shape (n, ...)."""
        raise NotImplementedError

    def forward(self, features: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the logits of ``rows`` (node ids), or of all nodes."""
        raise NotImplementedError

    @property
    def needs_all_rows(self) -> bool:
        """Whether the logits of a node depend on which others are in the batch."""
        return False

    def maps(self) -> Iterator[tuple[Tensor, bool]]:
        """Yield every weight matrix, and False: nothing is aggregated any more."""
        for parameter in self.parameters():
            if parameter.dim() == 2:
                yield parameter, False
