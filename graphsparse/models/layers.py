"""Graph layers without biases on a cached CSR adjacency: GCN, GIN, GAT and GraphSAGE.

Weights are stored (in, out).  A layer multiplies by its weight before or after it aggregates,
whichever touches fewer columns: both orders give the same map.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_count
from graphsparse.models.adjacency import Adjacency
from graphsparse.models.attention import graph_attention
from graphsparse.models.dropout import PreActivation, dropout
from graphsparse.models.sparse import SparseMatrix

Features = Tensor | SparseMatrix
LayerInput = Features | PreActivation


def transform(x: LayerInput, weight: Tensor | nn.Module) -> Tensor:
    """Return ``x @ weight`` for dense or sparse features, or for a hidden layer before its ReLU.

    A module in the place of a weight, such as a compact one, is called with ``x``.
    """
    if isinstance(weight, nn.Module):
        mapped: Tensor = weight(x)
        return mapped
    if isinstance(x, SparseMatrix):
        return x @ weight
    if isinstance(x, PreActivation):
        return x.matmul(weight)
    # MKL is 3 to 7 times faster on a narrow weight when its rows are the outputs.
    return F.linear(x, weight.t().contiguous())


def dropout_features(x: Features, p: float, training: bool) -> Features:
    """Return dropout of dense or sparse features."""
    if isinstance(x, SparseMatrix):
        return x.dropout(p) if training and p > 0.0 else x
    return dropout(x, p, training)


def own_rows(x: LayerInput, rows: int) -> LayerInput:
    """Return the input of the nodes that a layer computes: the first ``rows``, mostly all."""
    if x.shape[0] == rows:
        return x
    if isinstance(x, PreActivation):
        return x.head(rows)
    if isinstance(x, SparseMatrix):
        return x.select_rows(np.arange(rows))
    return x[:rows]


def _weight(in_dim: int, out_dim: int) -> nn.Parameter:
    check_count("in_dim", in_dim, low=1)
    check_count("out_dim", out_dim, low=1)
    return nn.Parameter(torch.empty(in_dim, out_dim))


def _narrow(x: LayerInput, out_dim: int) -> Tensor | None:
    """The dense input if it is to be aggregated before it is multiplied, else None."""
    if isinstance(x, SparseMatrix) or x.shape[1] >= out_dim:
        return None
    return x.tensor() if isinstance(x, PreActivation) else x


class GCNConv(nn.Module):
    """``D^-1/2 (A + I) D^-1/2 X W`` (Kipf and Welling, ICLR 2017).

    Parameters
    ----------
    in_dim, out_dim : int
        Width of the input and of the output.
    """

    input_axis = 0  # weights are (in, out)

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.weight = _weight(in_dim, out_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight anew (Glorot uniform)."""
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: LayerInput, adjacency: Adjacency) -> Tensor:
        """Return the (n, out_dim) output for features of shape (n, in_dim)."""
        matrix = adjacency.gcn(x.dtype)
        narrow = _narrow(x, self.weight.shape[1])
        if narrow is not None:
            return transform(matrix @ narrow, self.weight)
        return matrix @ transform(x, self.weight)


class GINConv(nn.Module):
    """``((1 + eps) X + A X) W`` with a learnt ``eps`` (Xu et al., ICLR 2019).

    Parameters
    ----------
    in_dim, out_dim : int
        Width of the input and of the output.
    """

    input_axis = 0  # weights are (in, out)

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.weight = _weight(in_dim, out_dim)
        self.eps = nn.Parameter(torch.zeros(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight as torch's linear layer does and set ``eps`` to 0."""
        reset_linear(self.weight)
        nn.init.zeros_(self.eps)

    def forward(self, x: LayerInput, adjacency: Adjacency) -> Tensor:
        """Return the (n, out_dim) output for features of shape (n, in_dim)."""
        matrix = adjacency.sum(x.dtype)
        narrow = _narrow(x, self.weight.shape[1])
        if narrow is not None:
            return transform(self._sum(matrix, narrow), self.weight)
        return self._sum(matrix, transform(x, self.weight))

    def _sum(self, matrix: SparseMatrix, x: Tensor) -> Tensor:
        rows, cols = matrix.shape
        if rows == cols:
            return matrix.matmul(x, 1.0 + self.eps)
        return matrix @ x + (1.0 + self.eps) * x[:rows]


class SAGEConv(nn.Module):
    """``D^-1 A X W_n + X W_r`` (Hamilton et al., NeurIPS 2017, mean aggregator).

    Parameters
    ----------
    in_dim, out_dim : int
        Width of the input and of the output.
    """

    input_axis = 0  # weights are (in, out)

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.weight = _weight(in_dim, out_dim)
        self.root_weight = _weight(in_dim, out_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw both weights anew (Glorot uniform)."""
        nn.init.xavier_uniform_(self.weight)
        nn.init.xavier_uniform_(self.root_weight)

    def forward(self, x: LayerInput, adjacency: Adjacency) -> Tensor:
        """Return the (n, out_dim) output for features of shape (n, in_dim)."""
        matrix = adjacency.mean(x.dtype)
        narrow = _narrow(x, self.weight.shape[1])
        if narrow is not None:
            neighbours = transform(matrix @ narrow, self.weight)
        else:
            neighbours = matrix @ transform(x, self.weight)
        return neighbours + transform(own_rows(x, matrix.shape[0]), self.root_weight)


class GATConv(nn.Module):
    """Graph attention with self-loops, heads concatenated (Velickovic et al., ICLR 2018).

    Parameters
    ----------
    in_dim, out_dim : int
        Width of the input and of each head's output.
    heads : int
        Number of heads.
    attention_dropout : float
        Share of the coefficients dropped in training.
    """

    input_axis = 0  # weights are (in, out)

    def __init__(
        self, in_dim: int, out_dim: int, heads: int = 1, attention_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.heads = check_count("heads", heads, low=1)
        self.attention_dropout = attention_dropout
        self.weight = _weight(in_dim, heads * out_dim)
        # One-dimensional, so that a projection of weight matrices leaves them alone.
        self.att_src = nn.Parameter(torch.empty(heads * out_dim))
        self.att_dst = nn.Parameter(torch.empty(heads * out_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight and both attention vectors anew (Glorot uniform)."""
        nn.init.xavier_uniform_(self.weight)
        bound = math.sqrt(6.0 / (self.heads + self.att_src.numel() // self.heads))
        nn.init.uniform_(self.att_src, -bound, bound)
        nn.init.uniform_(self.att_dst, -bound, bound)

    def forward(self, x: LayerInput, adjacency: Adjacency) -> Tensor:
        """Return the (n, heads * out_dim) output for features of shape (n, in_dim)."""
        pattern = adjacency.with_self_loops()
        scale = None
        if self.training and self.attention_dropout > 0.0:
            ones = torch.ones(pattern.nnz, self.heads, dtype=x.dtype, device=x.device)
            scale = dropout(ones, self.attention_dropout, True)
        factors = adjacency.edge_factors()
        if factors is not None:
            wide = factors[:, None].expand(-1, self.heads)
            scale = wide if scale is None else scale * wide
        z = transform(x, self.weight)
        return graph_attention(
            pattern, z, self.att_src, self.att_dst, heads=self.heads, edge_scale=scale
        )


def reset_linear(weight: Tensor) -> None:
    """Fill a (in, out) weight as ``torch.nn.Linear`` would: uniform in +-1/sqrt(in)."""
    bound = 1.0 / math.sqrt(weight.shape[0])
    nn.init.uniform_(weight, -bound, bound)
