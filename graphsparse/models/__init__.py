"""Graph neural networks on a cached CSR adjacency (needs the extra ``gnn``)."""

from __future__ import annotations

from graphsparse.checks import require

require("torch", "gnn", "graphsparse.models")

from graphsparse.models.adapter_graph import AttentionGraph  # noqa: E402
from graphsparse.models.adjacency import Adjacency, MaskedAdjacency  # noqa: E402
from graphsparse.models.backbones import GAT, GCN, GIN, SAGE, Backbone  # noqa: E402
from graphsparse.models.csr_linear import CsrLinear  # noqa: E402
from graphsparse.models.gin_adapter import SparseGINAdapter  # noqa: E402
from graphsparse.models.gin_attention import AttentionScores, GINAttention  # noqa: E402
from graphsparse.models.gin_network import (  # noqa: E402
    CategoryEncoder,
    GINAttentionBlock,
    GINAttentionNet,
)
from graphsparse.models.gin_sequence import GINSelfAttention  # noqa: E402
from graphsparse.models.layers import GATConv, GCNConv, GINConv, SAGEConv  # noqa: E402
from graphsparse.models.pna_sequence import PNASelfAttention  # noqa: E402
from graphsparse.models.sequence_attention import KeyValueCache  # noqa: E402
from graphsparse.models.sparse import Pattern, ScaledMatrix, SparseMatrix  # noqa: E402

__all__ = [
    "Adjacency",
    "AttentionGraph",
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
    "GINSelfAttention",
    "KeyValueCache",
    "MaskedAdjacency",
    "PNASelfAttention",
    "Pattern",
    "SAGE",
    "SAGEConv",
    "ScaledMatrix",
    "SparseGINAdapter",
    "SparseMatrix",
]
