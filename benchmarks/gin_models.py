"""The networks that benchmarks/gin_accuracy.py compares, all in the shell of GINAttentionNet.

Shell: input map, then layers of ``x + drop(conv(norm(x)))`` (or without ``x +``), norm, output map.
On node sets the baselines run on our CSR kernels (``check_layers`` compares them with PyG's
layers), on sets of graphs they are PyG's layers, with edge features where those take them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric import nn as pyg

from graphsparse import Graph
from graphsparse.models import Backbone, GINAttentionNet
from graphsparse.models.adjacency import Adjacency
from graphsparse.models.edge_attention import edge_attention, head_dots, head_sums, row_softmax
from graphsparse.models.gin_network import CategoryEncoder, InputMap
from graphsparse.models.layers import GATConv, GCNConv, dropout_features
from graphsparse.models.pooling import graph_mean, graph_of_node
from graphsparse.models.receivers import receivers

BASELINES = ("gcn", "gin", "gat", "transformer")
ABLATIONS: dict[str, dict[str, Any]] = {
    "uniform": {"sharpen": 0.0, "train_sharpen": False},
    "no self": {"self_weight": "eps", "train_eps": False, "add_self_loops": False},
    "no mlp": {"mlp": None},
    "other normalisation": {},
    "mlp ratio 0.5": {"mlp_ratio": 0.5},
    "other skip": {},
}
MODELS = ("gin_attention", *BASELINES)
Encoders = tuple[CategoryEncoder, CategoryEncoder]


class GINLayer(nn.Module):
    """``MLP((1 + eps) x + A x)`` on the cached adjacency."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.eps = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, adjacency: Adjacency) -> Tensor:
        """Return (n, dim)."""
        return self.mlp(adjacency.sum().matmul(x, 1.0 + self.eps))


class TransformerLayer(nn.Module):
    """PyG's TransformerConv without edge features: ``W_s x_i + sum_j a_ij W_v x_j``."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        for name in ("lin_query", "lin_key", "lin_value", "lin_skip"):
            setattr(self, name, nn.Linear(dim, dim))

    def forward(self, x: Tensor, adjacency: Adjacency) -> Tensor:
        """Return (n, dim)."""
        edges = receivers(adjacency, len(x), len(x))
        q = self.lin_query(x) / (x.shape[1] // self.heads) ** 0.5
        k, v = self.lin_key(x), self.lin_value(x)
        if self.training and self.dropout > 0.0:
            att = row_softmax(edges, head_dots(edges, q, k, self.heads))
            mixed = head_sums(edges, F.dropout(att, self.dropout), v, self.heads)
        else:
            mixed = edge_attention(edges, q, k, v, heads=self.heads, need_weights=False)[0]
        return mixed + self.lin_skip(x)


def node_layer(kind: str, dim: int, heads: int, dropout: float) -> nn.Module:
    """Return a layer on an adjacency, from ``dim`` to ``dim``."""
    if kind == "gcn":
        return GCNConv(dim, dim)
    if kind == "gin":
        return GINLayer(dim)
    if kind == "gat":
        return GATConv(dim, dim // heads, heads, attention_dropout=dropout)
    return TransformerLayer(dim, heads, dropout)


def graph_layer(kind: str, dim: int, heads: int, dropout: float, edge_dim: int) -> nn.Module:
    """Return a layer of PyG on an ``edge_index``, with edge features where it takes them."""
    if kind == "gcn":
        return pyg.GCNConv(dim, dim)
    if kind == "gin":
        mlp = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        return pyg.GINEConv(mlp, train_eps=True, edge_dim=edge_dim)
    conv = pyg.GATConv if kind == "gat" else pyg.TransformerConv
    return conv(dim, dim // heads, heads=heads, dropout=dropout, edge_dim=edge_dim)


class Shell(Backbone):
    """The shell of GINAttentionNet round one of the baselines.

    Parameters
    ----------
    kind : str
        One of ``BASELINES``.
    in_dim, out_dim : int
        Width of features and output.
    options : dict
        ``hidden, layers, heads, dropout, input_dropout, residual, block_norm, activation,
        attn_dropout``.
    encoders : pair, optional
        Encoders of nodes and of edges: a network for graphs.
    """

    def __init__(
        self,
        kind: str,
        in_dim: int,
        out_dim: int,
        options: dict[str, Any],
        encoders: Encoders | None = None,
    ) -> None:
        super().__init__()
        self.options = options
        dim, heads, drop = (
            options["hidden"],
            options.get("heads", 1),
            options.get("attn_dropout", 0.0),
        )
        norms = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, None: nn.Identity}
        norm = norms[options["block_norm"]]
        self.encoder = InputMap(in_dim, dim) if encoders is None else encoders[0]
        self.edge_encoder = None if encoders is None or kind == "gcn" else encoders[1]
        make: Callable[[], nn.Module] = lambda: node_layer(kind, dim, heads, drop)  # noqa: E731
        if encoders is not None:
            edge_dim = encoders[1].weight.shape[1]
            make = lambda: graph_layer(kind, dim, heads, drop, edge_dim)  # noqa: E731
        self.convs = nn.ModuleList(make() for _ in range(options["layers"]))
        self.norms = nn.ModuleList(norm(dim) for _ in range(options["layers"] + 1))
        self.output = nn.Linear(dim, out_dim)

    def prefix(self, x: Any, adjacency: Any) -> Any:
        """Return the mapped features, or the features where they are dropped first."""
        return x if self.options["input_dropout"] else self.encoder(x)

    def suffix(self, hidden: Any, adjacency: Any) -> Tensor:
        """Return the logits per node."""
        if self.options["input_dropout"]:
            dropped = dropout_features(hidden, self.options["input_dropout"], self.training)
            hidden = self.encoder(dropped)
        return self.output(self.run(hidden, adjacency))

    def forward(self, x: Any, adjacency: Any, edge_attr: Any = None, ptr: Any = None) -> Tensor:
        """Return the output per node, or per graph where ``ptr`` is given."""
        if ptr is None:
            return self.suffix(self.prefix(x, adjacency), adjacency)
        given = {} if self.edge_encoder is None else {"edge_attr": self.edge_encoder(edge_attr)}
        h = self.run(self.encoder(x), adjacency, **given)
        return self.output(graph_mean(h, graph_of_node(ptr), len(ptr) - 1))

    def run(self, h: Tensor, edges: Any, **given: Any) -> Tensor:
        """Return the states after all layers."""
        for conv, norm in zip(self.convs, self.norms[:-1], strict=True):
            new = conv(norm(h), edges, **given)
            new = F.relu(new) if self.options["activation"] else new
            new = F.dropout(new, self.options["dropout"], self.training)
            h = h + new if self.options["residual"] else new
        return self.norms[-1](h)

    def maps(self) -> Any:
        """Yield every weight matrix."""
        for parameter in self.parameters():
            if parameter.dim() == 2:
                yield parameter, False


def make_network(
    model: str,
    in_dim: int,
    out_dim: int,
    options: dict[str, Any],
    encoders: Encoders | None = None,
) -> Backbone:
    """Return a network: GIN-attention, one of its ablations, or a baseline."""
    if model in BASELINES:
        return Shell(model, in_dim, out_dim, options, encoders)
    options = dict(options) | ABLATIONS.get(model, {})
    if model == "other normalisation":
        options["normalize"] = "softmax" if options["normalize"] == "degree" else "degree"
    if model == "other skip":
        options["residual"] = not options["residual"]
    hidden = options.pop("hidden")
    if options.pop("own") == "loop":  # the own value enters as one more message
        options = {"self_weight": "eps", "add_self_loops": True} | options
    if encoders is not None:
        options |= {"task": "graph", "encoder": encoders[0], "edge_encoder": encoders[1]}
        options |= {"edge_mode": "both"}
        options["edge_dim"] = encoders[1].weight.shape[1]
    return GINAttentionNet(in_dim, hidden, out_dim, **options)


def check_layers() -> None:
    """Compare the baselines' layers with PyG's, which get the same weights."""
    torch.manual_seed(3)
    ends = torch.randint(0, 40, (2, 160))
    adjacency = Adjacency.from_edge_index(ends[:, ends[0] != ends[1]], 40)
    graph: Graph = adjacency.graph
    parts = (graph.arc_rows(), graph.indices.astype("int64"))
    index = torch.stack([torch.from_numpy(part) for part in parts])
    x, dim, heads = torch.randn(40, 8), 8, 2
    ours = {kind: node_layer(kind, dim, heads, 0.0) for kind in BASELINES}
    theirs = {
        "gcn": pyg.GCNConv(dim, dim, bias=False),
        "gin": pyg.GINConv(nn.Sequential(*ours["gin"].mlp), train_eps=True),
        "gat": pyg.GATConv(dim, dim // heads, heads, bias=False),
        "transformer": pyg.TransformerConv(dim, dim // heads, heads),
    }
    theirs["gcn"].lin.weight.data = ours["gcn"].weight.data.t()
    theirs["gin"].nn = ours["gin"].mlp
    theirs["gat"].lin.weight.data = ours["gat"].weight.data.t()
    for name in ("att_src", "att_dst"):
        getattr(theirs["gat"], name).data = getattr(ours["gat"], name).data.view(1, heads, -1)
    theirs["transformer"].load_state_dict(ours["transformer"].state_dict())
    for kind in BASELINES:
        got, want = ours[kind](x, adjacency), theirs[kind](x, index)
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)
