"""Backbones for whole graphs: encode the nodes, run the layers, pool, map to the targets."""

from __future__ import annotations

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.models.adjacency import Adjacency
from graphsparse.models.backbones import Backbone
from graphsparse.models.gin_network import DenseLinear
from graphsparse.models.pooling import GraphPool, graph_of_node


class GraphNet(nn.Module):
    """A prediction per graph from a network of nodes.

    Parameters
    ----------
    encoder : nn.Module
        From node features or codes to the ``in_dim`` of the backbone.
    backbone : Backbone
        GCN, GIN, GAT or GraphSAGE; edge features are not read.
    dim, out_dim : int
        Width of the backbone's output; number of targets.
    pool : {"mean", "sum", "attention"}
        From nodes to graphs.

    Examples
    --------
    >>> import torch
    >>> from graphsparse.models import GCN, CategoryEncoder
    >>> net = GraphNet(CategoryEncoder([3], 8), GCN(8, 8, 8), 8, 1)
    >>> edge_index = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
    >>> net(torch.tensor([[0], [1], [2], [0]]), edge_index, None, torch.tensor([0, 2, 4])).shape
    torch.Size([2, 1])
    """

    def __init__(
        self, encoder: nn.Module, backbone: Backbone, dim: int, out_dim: int, *, pool: str = "mean"
    ) -> None:
        super().__init__()
        self.encoder, self.backbone = encoder, backbone
        self.pool, self.output = GraphPool(dim, pool), DenseLinear(dim, out_dim)

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_attr: Tensor | None, ptr: Tensor
    ) -> Tensor:
        """Return (graphs, out_dim).

        Parameters
        ----------
        x : Tensor, shape (n, columns)
            What the encoder takes.
        edge_index : Tensor of int64, shape (2, arcs)
            Senders, receivers.
        edge_attr : Tensor or None
            Not read.
        ptr : Tensor of int64, shape (graphs + 1,)
            First node of each graph.
        """
        del edge_attr
        adjacency = Adjacency.from_edge_index(edge_index, len(x), x.device)
        hidden = F.relu(self.backbone(self.encoder(x), adjacency))
        result: Tensor = self.output(self.pool(hidden, graph_of_node(ptr), len(ptr) - 1))
        return result

    def maps(self) -> Iterator[tuple[Tensor, bool]]:
        """Yield every weight matrix and whether its output is aggregated over the graph."""
        yield from self.backbone.maps()
        yield self.output.weight, False
