"""Link prediction: a network that gives every node a vector, and a score of two vectors."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.backend import native, requested_threads
from graphsparse.checks import check_choice, check_count, check_fraction
from graphsparse.models.adjacency import Adjacency
from graphsparse.models.backbones import Backbone
from graphsparse.models.dropout import dropout
from graphsparse.models.gin_network import DenseLinear
from graphsparse.models.layers import Features
from graphsparse.models.sparse import Pattern, SparseMatrix

PREDICTORS = ("mlp", "dot")


class NodeEmbedding(nn.Module):
    """A trained vector per node; it neither decays nor is projected.

    Parameters
    ----------
    num_nodes, dim : int
        Rows and columns, Glorot uniform.
    """

    no_sparsify = ("weight",)

    def __init__(self, num_nodes: int, dim: int) -> None:
        super().__init__()
        check_count("num_nodes", num_nodes, low=1)
        self.weight = nn.Parameter(torch.empty(num_nodes, check_count("dim", dim, low=1)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the vectors anew."""
        nn.init.xavier_uniform_(self.weight)


class LinkPredictor(nn.Module):
    """Score of a pair: the inner product of its vectors, or an MLP of their entrywise product.

    Parameters
    ----------
    dim : int
        Width of the vectors, and of the hidden layers.
    kind : {"mlp", "dot"}
        The MLP has ReLU and dropout between its layers, one output and biases.
    layers : int
        Of the MLP.
    dropout : float
        In the MLP.
    bfloat16 : bool
        Train the MLP in bfloat16: on processors with such instructions in half the time.
        Evaluation is in full precision.
    """

    def __init__(
        self,
        dim: int,
        kind: str = "mlp",
        *,
        layers: int = 3,
        dropout: float = 0.5,
        bfloat16: bool = False,
    ) -> None:
        super().__init__()
        self.kind = check_choice("predictor", kind, PREDICTORS)
        self._dropout, self._bfloat16 = check_fraction("dropout", dropout, zero=True), bfloat16
        count = check_count("predictor_layers", layers, low=1) if kind == "mlp" else 0
        widths = [dim] * count + [1] * bool(count)
        self.maps = nn.ModuleList(DenseLinear(a, b) for a, b in itertools.pairwise(widths))

    def forward(self, vectors: Tensor, pairs: Tensor) -> Tensor:
        """Return one logit per pair of rows of ``vectors`` (n, dim), pairs int64 (pairs, 2)."""
        if self.kind == "dot":
            return pair_dots(vectors, pairs)
        left, right = (F.embedding(ids, vectors) for ids in pairs.unbind(1))
        half = self._bfloat16 and self.training  # ranks among 100,000 pairs need the full type
        with torch.autocast(left.device.type, torch.bfloat16, enabled=half):
            hidden = left * right
            for linear in self.maps[:-1]:
                hidden = dropout(F.relu(linear(hidden)), self._dropout, self.training)
            logits: Tensor = self.maps[-1](hidden)
        return logits.squeeze(-1).to(left.dtype)


class LinkModel(nn.Module):
    """An encoder of nodes, trained vectors or given features before it, a predictor behind it.

    Parameters
    ----------
    encoder : Backbone
        From ``in_dim`` to the width of the predictor.
    predictor : LinkPredictor
        Scores pairs.
    embedding : NodeEmbedding, optional
        What the encoder reads where the nodes have no features.

    Examples
    --------
    >>> from graphsparse import Graph
    >>> from graphsparse.models import GCN
    >>> model = LinkModel(GCN(8, 8, 8), LinkPredictor(8, "dot"), NodeEmbedding(3, 8))
    >>> vectors = model.encode(None, Adjacency(Graph.from_edges([(0, 1)], num_nodes=3)))
    >>> model.score(vectors, torch.tensor([[0, 1], [1, 2]])).shape
    torch.Size([2])
    """

    def __init__(
        self, encoder: Backbone, predictor: LinkPredictor, embedding: NodeEmbedding | None = None
    ) -> None:
        super().__init__()
        self.encoder, self.predictor, self.embedding = encoder, predictor, embedding

    def encode(self, x: Features | None, adjacency: Adjacency) -> Tensor:
        """Return the vectors of all nodes, shape (n, dim)."""
        given = x if self.embedding is None else self.embedding.weight
        if given is None:
            raise ValueError("x must be given to a model without embedding, got None")
        vectors: Tensor = self.encoder(given, adjacency)
        return vectors

    def score(self, vectors: Tensor, pairs: Tensor) -> Tensor:
        """Return one logit per pair of nodes, int64 of shape (pairs, 2)."""
        logits: Tensor = self.predictor(vectors, pairs)
        return logits

    def maps(self) -> Iterator[tuple[Tensor, bool]]:
        """Yield every weight matrix and whether its output is aggregated over the graph."""
        yield from self.encoder.maps()
        for linear in self.predictor.maps:
            yield linear.weight, False  # type: ignore[misc]


def pair_dots(vectors: Tensor, pairs: Tensor) -> Tensor:
    """Return the inner products of pairs of rows, without a copy of the rows.

    Parameters
    ----------
    vectors : Tensor, shape (n, dim)
        float32 or float64; other devices than the CPU take torch's operations.
    pairs : Tensor of int64, shape (pairs, 2)
        Rows.

    Returns
    -------
    Tensor, shape (pairs,)
    """
    if vectors.device.type != "cpu":
        left, right = (F.embedding(ids, vectors) for ids in pairs.unbind(1))
        return (left * right).sum(dim=1)
    order = torch.argsort(pairs[:, 0])
    row, col = pairs[order].unbind(1)
    counts = torch.bincount(row, minlength=len(vectors)).numpy()
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    pattern = Pattern(indptr, col.to(torch.int32).contiguous().numpy(), len(vectors))
    sorted_dots: Tensor = _PairDots.apply(vectors, pattern)
    return torch.empty_like(sorted_dots).index_copy(0, order, sorted_dots)


class _PairDots(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vectors: Tensor, pattern: Pattern) -> Tensor:
        rows = vectors.detach().contiguous()
        ctx.pattern = pattern
        ctx.save_for_backward(rows)
        out = torch.empty(pattern.nnz, dtype=rows.dtype)
        both = (rows.numpy(), rows.numpy())
        where = (pattern.indptr, pattern.indices)
        native.entry_dots(*where, *both, out.numpy(), requested_threads())
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        matrix = SparseMatrix(ctx.pattern, grad)
        return matrix @ rows + matrix.T @ rows, None
