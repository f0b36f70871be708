"""What CoNHD is compared with: majorities, an MLP, a mean convolution, diffusion of labels."""

from __future__ import annotations

import itertools

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_count
from graphsparse.graph import Hypergraph
from graphsparse.models.dropout import dropout
from graphsparse.models.segment import segment_mean
from graphsparse.models.shared_rows import take
from graphsparse.operators.co_diffuse import co_diffuse
from graphsparse.operators.groups import Groups
from graphsparse.training.incidence_task import IncidenceTask


def majority(task: IncidenceTask) -> Tensor:
    """Return the most frequent training class for every incidence, int64 of shape (n,)."""
    counts = torch.bincount(task.y[task.rows("train")], minlength=task.num_classes)
    return torch.full((len(task.y),), int(counts.argmax()))


def node_majority(task: IncidenceTask) -> Tensor:
    """Return the most frequent training class of each incidence's node, int64 of shape (n,).

    Ties, and nodes without training incidence, go to the class more frequent in training.
    """
    h, rows = task.hypergraph, task.data.rows("train")
    classes = task.num_classes
    totals = np.bincount(task.data.y[rows], minlength=classes)
    code = h.nodes[rows] * classes + task.data.y[rows]
    counts = np.bincount(code, minlength=h.num_nodes * classes).reshape(-1, classes)
    order = np.argsort(-totals, kind="stable")  # most frequent class first: argmax takes it
    choice = order[counts[:, order].argmax(axis=1)]
    return torch.from_numpy(choice[h.nodes])


def diffused_labels(
    task: IncidenceTask, *, lam: float = 1.0, gam: float = 1.0, steps: int = 50
) -> Tensor:
    """Return scores (n, classes): one-hot training labels spread by :func:`co_diffuse`.

    Incidences without a known label start from the training class frequencies.
    """
    rows, y = task.data.rows("train"), task.data.y
    share = np.bincount(y[rows], minlength=task.num_classes) / len(rows)
    start = np.tile(share, (len(y), 1))
    start[rows] = np.eye(task.num_classes)[y[rows]]
    alpha = 1.0 / (1.0 + lam + gam)
    return torch.from_numpy(co_diffuse(task.hypergraph, start, lam, gam, steps, alpha))


class IncidenceMLP(nn.Module):
    """MLP on a node's features and the incidence's encoding: sees no structure.

    Parameters
    ----------
    in_dim, pe_dim, dim, num_classes : int
        Widths.
    dropout : float
        On the hidden rows.
    """

    def __init__(
        self, in_dim: int, pe_dim: int, dim: int, num_classes: int, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.body = nn.Linear(in_dim + pe_dim, check_count("dim", dim, low=1))
        self.middle = nn.Linear(dim, dim)
        self.head = nn.Linear(dim, num_classes)
        self.dropout = dropout

    def forward(self, hypergraph: Hypergraph, x: Tensor, pe: Tensor | None = None) -> Tensor:
        """Return logits of the incidences, shape (n, classes)."""
        rows = take(x, hypergraph.nodes)
        rows = rows if pe is None else torch.cat([rows, pe], dim=1)
        for layer in (self.body, self.middle):
            rows = dropout(F.relu(layer(rows)), self.dropout, self.training)
        logits: Tensor = self.head(rows)
        return logits


class MeanConvolution(nn.Module):
    """HGNN-style network: nodes average their hyperedges, hyperedges their members.

    One vector per node and per hyperedge; an incidence is classified from both and its encoding.

    Parameters
    ----------
    in_dim, pe_dim, dim, num_classes : int
        Widths.
    layers : int
        Convolutions.
    dropout : float
        On the hidden rows.

    References
    ----------
    Y. Feng et al., Hypergraph neural networks, AAAI 2019, arXiv:1809.09401.
    """

    def __init__(
        self,
        in_dim: int,
        pe_dim: int,
        dim: int,
        num_classes: int,
        layers: int = 2,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        widths = [in_dim, *[dim] * check_count("layers", layers, low=1)]
        self.maps = nn.ModuleList([nn.Linear(a, b) for a, b in itertools.pairwise(widths)])
        self.body = nn.Linear(2 * dim + pe_dim, dim)
        self.head = nn.Linear(dim, num_classes)
        self.dropout = dropout

    def forward(self, hypergraph: Hypergraph, x: Tensor, pe: Tensor | None = None) -> Tensor:
        """Return logits of the incidences, shape (n, classes)."""
        h = hypergraph
        by_node, by_edge = Groups.by_node(h), Groups.by_hyperedge(h)
        for layer in self.maps:
            edges = segment_mean(take(layer(x), h.nodes), by_edge)
            x = F.relu(segment_mean(take(edges, h.hyperedges), by_node))
            x = dropout(x, self.dropout, self.training)
        edges = segment_mean(take(x, h.nodes), by_edge)
        rows = [take(x, h.nodes), take(edges, h.hyperedges)]
        rows += [] if pe is None else [pe]
        hidden = F.relu(self.body(torch.cat(rows, dim=1)))
        logits: Tensor = self.head(dropout(hidden, self.dropout, self.training))
        return logits
