"""Graph neural networks on a cached CSR adjacency (needs the extra ``gnn``)."""

from __future__ import annotations

from graphsparse.checks import require

require("torch", "gnn", "graphsparse.models")

from graphsparse.models.adapter_graph import AttentionGraph  # noqa: E402
from graphsparse.models.adjacency import Adjacency, MaskedAdjacency  # noqa: E402
from graphsparse.models.adpa import ADPA  # noqa: E402
from graphsparse.models.backbones import GAT, GCN, GIN, SAGE, Backbone  # noqa: E402
from graphsparse.models.conhd import CoNHD, IncidencePrediction  # noqa: E402
from graphsparse.models.conhd_conv import CoNHDConv  # noqa: E402
from graphsparse.models.csr_linear import CsrLinear  # noqa: E402
from graphsparse.models.directed import MLP, DirConv, DirGNN  # noqa: E402
from graphsparse.models.gin_adapter import SparseGINAdapter  # noqa: E402
from graphsparse.models.gin_attention import AttentionScores, GINAttention  # noqa: E402
from graphsparse.models.gin_network import (  # noqa: E402
    CategoryEncoder,
    GINAttentionBlock,
    GINAttentionNet,
)
from graphsparse.models.gin_sequence import GINSelfAttention  # noqa: E402
from graphsparse.models.graph_level import GraphNet  # noqa: E402
from graphsparse.models.layers import GATConv, GCNConv, GINConv, SAGEConv  # noqa: E402
from graphsparse.models.layerwise import infer_by_layers  # noqa: E402
from graphsparse.models.links import LinkModel, LinkPredictor, NodeEmbedding  # noqa: E402
from graphsparse.models.pna_sequence import PNASelfAttention  # noqa: E402
from graphsparse.models.readout import Readout  # noqa: E402
from graphsparse.models.rows import RowModel  # noqa: E402
from graphsparse.models.sampled import SampledAdjacency  # noqa: E402
from graphsparse.models.sequence_attention import KeyValueCache  # noqa: E402
from graphsparse.models.set_operators import ISAB, SAB, UNB  # noqa: E402
from graphsparse.models.sparse import Pattern, ScaledMatrix, SparseMatrix  # noqa: E402

__all__ = [
    "ADPA",
    "Adjacency",
    "AttentionGraph",
    "AttentionScores",
    "Backbone",
    "CategoryEncoder",
    "CoNHD",
    "CoNHDConv",
    "CsrLinear",
    "DirConv",
    "DirGNN",
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
    "GraphNet",
    "KeyValueCache",
    "LinkModel",
    "LinkPredictor",
    "MLP",
    "MaskedAdjacency",
    "NodeEmbedding",
    "PNASelfAttention",
    "Pattern",
    "RowModel",
    "ISAB",
    "IncidencePrediction",
    "Readout",
    "SAB",
    "SAGE",
    "SAGEConv",
    "SampledAdjacency",
    "ScaledMatrix",
    "SparseGINAdapter",
    "SparseMatrix",
    "UNB",
    "infer_by_layers",
]
