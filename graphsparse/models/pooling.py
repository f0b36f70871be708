"""From nodes to graphs: pooling over the graphs of a batch, and a virtual node for each."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_choice

POOLS = ("mean", "sum", "attention")


def graph_of_node(ptr: Tensor) -> Tensor:
    """Return the graph of every node, int64 of shape (n,), from the first node of each graph."""
    return torch.repeat_interleave(torch.arange(len(ptr) - 1, device=ptr.device), ptr.diff())


def graph_sum(x: Tensor, graph: Tensor, count: int) -> Tensor:
    """Return the sum of the rows of each graph, shape (count, dim)."""
    return x.new_zeros(count, x.shape[1]).index_add(0, graph, x)


def graph_mean(x: Tensor, graph: Tensor, count: int) -> Tensor:
    """Return the mean of the rows of each graph; 0 for a graph without nodes."""
    size = torch.bincount(graph, minlength=count).clamp(min=1).to(x.dtype)
    return graph_sum(x, graph, count) / size[:, None]


class GraphPool(nn.Module):
    """One vector per graph.

    Parameters
    ----------
    dim : int
        Width.
    kind : {"mean", "sum", "attention"}
        ``"attention"`` weights the nodes of a graph by a softmax of a learned score.
    """

    def __init__(self, dim: int, kind: str = "mean") -> None:
        super().__init__()
        self.kind = check_choice("pool", kind, POOLS)
        self.gate = nn.Linear(dim, 1, bias=False) if kind == "attention" else None

    def forward(self, x: Tensor, graph: Tensor, count: int) -> Tensor:
        """Return (count, dim) of rows (n, dim) and the graph of each."""
        if self.gate is None:
            return (
                graph_mean(x, graph, count) if self.kind == "mean" else graph_sum(x, graph, count)
            )
        score = self.gate(x)[:, 0]
        top = score.new_full((count,), -torch.inf).scatter_reduce(0, graph, score.detach(), "amax")
        weight = (score - top[graph]).exp()[:, None]
        total = graph_sum(weight, graph, count)
        return graph_sum(weight * x, graph, count) / torch.where(total == 0, 1.0, total)


class VirtualNode(nn.Module):
    """A node joined to all nodes of its graph: it sums them, thinks, and answers.

    Parameters
    ----------
    dim : int
        Width.
    dropout : float
        On the answer.
    """

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.first = nn.Linear(dim, 2 * dim, bias=False)
        self.norm = nn.LayerNorm(2 * dim, elementwise_affine=False)
        self.second = nn.Linear(2 * dim, dim, bias=False)

    def forward(self, x: Tensor, before: Tensor | None, graph: Tensor, count: int) -> Tensor:
        """Return the state (count, dim) after the nodes (n, dim) spoke; ``before`` was the last."""
        total = graph_sum(x, graph, count)
        total = total if before is None else total + before
        answer = self.second(F.relu(self.norm(self.first(total))))
        answer = F.dropout(answer, self.dropout, self.training)
        return answer if before is None else answer + before
