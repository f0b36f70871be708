"""MagNet of torch-geometric-signed-directed as a network that recipes can name.

Needs that package (dependency group ``bench``) and is used by ``adpa_accuracy.py``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphsparse.models import Adjacency, SparseMatrix
from graphsparse.training import register_model


class MagNet(nn.Module):
    """Chebyshev convolutions of the magnetic Laplacian; features are real part and imaginary part.

    The Laplacian of the graph seen first is kept, as the package does with ``cached=True``.
    """

    def __init__(
        self, in_dim: int, hidden: int, out_dim: int, *, layers: int, dropout: float, q: float
    ) -> None:
        from torch_geometric_signed_directed.nn import MagNet_node_classification

        super().__init__()
        self.net = MagNet_node_classification(
            in_dim, hidden=hidden, q=q, K=1, label_dim=out_dim, activation=True, layer=layers,
            dropout=dropout, cached=True,
        )  # fmt: skip

    def forward(self, x: Tensor, adjacency: Adjacency) -> Tensor:
        """Return log-probabilities, shape (n, out_dim)."""
        graph, x = adjacency.graph, x.to_dense() if isinstance(x, SparseMatrix) else x
        ends = (torch.tensor(e) for e in (graph.arc_rows(), graph.indices))
        logits: Tensor = self.net(x, x, torch.stack([*ends]).long())
        return logits


def register() -> None:
    """Make ``model.name = "magnet"`` known."""
    register_model("magnet", MagNet)
