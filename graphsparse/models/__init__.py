"""Graph neural networks on a cached CSR adjacency (needs the extra ``gnn``)."""

from __future__ import annotations

from graphsparse.checks import require

require("torch", "gnn", "graphsparse.models")

from graphsparse.models.adjacency import Adjacency, MaskedAdjacency  # noqa: E402
from graphsparse.models.backbones import GAT, GCN, GIN, SAGE, Backbone  # noqa: E402
from graphsparse.models.csr_linear import CsrLinear  # noqa: E402
from graphsparse.models.gin_attention import AttentionScores, GINAttention  # noqa: E402
from graphsparse.models.gin_network import (  # noqa: E402
    CategoryEncoder,
    GINAttentionBlock,
    GINAttentionNet,
)
from graphsparse.models.layers import GATConv, GCNConv, GINConv, SAGEConv  # noqa: E402
from graphsparse.models.sparse import Pattern, ScaledMatrix, SparseMatrix  # noqa: E402

__all__ = [
    "Adjacency",
    "AttentionScores",
    "Backbone",
    "CategoryEncoder",
    "CsrLinear",
    "GAT",
    "GATConv",
    "GCN",
    "GCNConv",
    "GIN",
    "GINAttention",
    "GINAttentionBlock",
    "GINAttentionNet",
    "GINConv",
    "MaskedAdjacency",
    "Pattern",
    "SAGE",
    "SAGEConv",
    "ScaledMatrix",
    "SparseMatrix",
]
