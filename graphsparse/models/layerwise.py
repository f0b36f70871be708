"""Exact inference layer by layer: what one layer needs of a graph lies in memory, never all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_count
from graphsparse.models.adjacency import Adjacency
from graphsparse.models.backbones import GAT, GIN, Backbone, ReluDropout
from graphsparse.models.dropout import PreActivation
from graphsparse.models.layers import Features, LayerInput
from graphsparse.models.sampled import SampledAdjacency, rows_of, table_of
from graphsparse.operators.neighbor_sampling import sample_neighbors


@torch.no_grad()
def infer_by_layers(
    model: Backbone, x: Features, adjacency: Adjacency, *, rows: int = 65536
) -> Tensor:
    """Return the evaluation-mode logits of all nodes, computed some rows at a time.

    Parameters
    ----------
    model : GCN, SAGE, GAT or GIN
        Put into evaluation mode.
    x : Tensor or SparseMatrix, shape (n, in_dim)
        Node features.
    adjacency : Adjacency
        Of the whole graph.
    rows : int
        Nodes whose rows of a layer are computed together, from all of their neighbours.

    Returns
    -------
    Tensor, shape (n, classes)
        As ``model(x, adjacency)`` up to rounding.

    Notes
    -----
    Memory holds the input and the output of one layer, and temporaries of ``rows`` nodes and
    their neighbours.  A layer that multiplies before it aggregates maps neighbours again for
    every piece, so the whole pass is faster where it fits.
    """
    check_count("rows", rows, low=1)
    model.eval()
    walk = _Walk(adjacency, rows)
    if isinstance(model, ReluDropout):
        return _relu(model.convs, x, walk)
    if isinstance(model, GAT):
        hidden: Features = x
        for at, conv in enumerate(model.convs):
            out = walk.layer(conv, hidden, _plain, square=True)
            hidden = F.elu(out) if at + 1 < len(model.convs) else out
        assert isinstance(hidden, Tensor)
        return hidden
    if isinstance(model, GIN):
        return _gin(model, x, walk)
    raise TypeError(f"model must be a GCN, SAGE, GAT or GIN, got {type(model).__name__}")


class _Walk:
    """Layers over all nodes, a piece of them at a time."""

    def __init__(self, adjacency: Adjacency, rows: int) -> None:
        self._adjacency, self._rows, self._table = adjacency, rows, table_of(adjacency)

    def layer(
        self, conv: nn.Module, x: Features, read: Callable[[Features], LayerInput], *, square: bool
    ) -> Tensor:
        """Return the output of a layer for all nodes."""
        parts = []
        for start in range(0, self._adjacency.num_nodes, self._rows):
            seeds = np.arange(start, min(start + self._rows, self._adjacency.num_nodes))
            sample = sample_neighbors(self._table, seeds, [-1])
            batch = SampledAdjacency(self._adjacency, sample)
            near = batch if square else batch.layer(0, 1)
            inputs = read(rows_of(x, sample.nodes))
            parts.append(conv(inputs, near)[: len(seeds)])
        return torch.cat(parts)


def _relu(convs: nn.ModuleList, x: Features, walk: _Walk) -> Tensor:
    hidden: Features = walk.layer(convs[0], x, _plain, square=False)
    for conv in convs[1:]:
        hidden = walk.layer(conv, hidden, _activated, square=False)
    assert isinstance(hidden, Tensor)
    return hidden


def _gin(model: GIN, x: Features, walk: _Walk) -> Tensor:
    out = walk.layer(model.convs[0], x, _plain, square=False)
    total = torch.zeros(())
    for conv, head in zip(model.convs[1:], model.heads, strict=True):
        total = total + head(F.relu(out))
        out = walk.layer(conv, out, _activated, square=False)
    return (total + F.relu(out)) / len(model.convs)


def _plain(x: Features) -> LayerInput:
    return x


def _activated(x: Features) -> LayerInput:
    assert isinstance(x, Tensor)
    return PreActivation(x, 0.0, False)
