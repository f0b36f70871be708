"""Networks of GIN-attention layers for nodes and for whole graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_choice, check_count, check_fraction
from graphsparse.models.backbones import Backbone
from graphsparse.models.gin_attention import GINAttention
from graphsparse.models.isomorphic import check_option
from graphsparse.models.layers import Features, dropout_features, reset_linear, transform
from graphsparse.models.pooling import GraphPool, VirtualNode, graph_of_node
from graphsparse.models.receivers import Edges

TASKS = ("node", "graph")
JUMPS = (None, "cat", "sum", "max")


class DenseLinear(nn.Linear):
    """A linear map whose bias neither decays nor is projected."""

    no_sparsify = ("bias",)


class PlainLayerNorm(nn.LayerNorm):
    """Layer normalisation whose gain and bias neither decay nor are projected."""

    no_sparsify = ("weight", "bias")


class PlainBatchNorm(nn.BatchNorm1d):
    """Batch normalisation whose gain and bias neither decay nor are projected."""

    no_sparsify = ("weight", "bias")


_NORMS: dict[str | None, type[nn.Module]] = {
    "layer": PlainLayerNorm,
    "batch": PlainBatchNorm,
    None: nn.Identity,
}


class InputMap(nn.Module):
    """A linear map of dense or sparse features.

    Parameters
    ----------
    in_dim, out_dim : int
        Width of the input and of the output.
    """

    input_axis = 0  # the weight is (in, out)
    no_sparsify = ("bias",)

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_dim, out_dim))
        self.bias = nn.Parameter(torch.empty(out_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw both anew, as ``torch.nn.Linear`` does."""
        reset_linear(self.weight)
        bound = self.weight.shape[0] ** -0.5
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Features) -> Tensor:
        """Return (n, out_dim)."""
        return transform(x, self.weight) + self.bias


class CategoryEncoder(nn.Module):
    """Sum of one embedding per categorical column, such as the atoms and bonds of OGB.

    Parameters
    ----------
    sizes : sequence of int
        Categories of each column.
    dim : int
        Width of the output.
    """

    def __init__(self, sizes: Sequence[int], dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(sum(sizes), dim))
        self.starts: Tensor
        starts = torch.tensor([0, *sizes[:-1]]).cumsum(0)
        self.register_buffer("starts", starts, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the embeddings anew (Glorot uniform)."""
        nn.init.xavier_uniform_(self.weight)

    def forward(self, codes: Tensor) -> Tensor:
        """Return (rows, dim) of integer codes (rows, columns)."""
        return F.embedding_bag(codes + self.starts, self.weight, mode="sum")


class GINAttentionBlock(nn.Module):
    """``x + drop(GINAttention(norm(x)))``, then ``x + drop(FFN(norm(x)))``.

    Parameters
    ----------
    dim : int
        Width of input and output.
    ffn : float or None
        Hidden width of the feed-forward part as a multiple of ``dim``; None leaves it out.
    block_norm : {"layer", "batch"} or None
        Normalisation before each part.
    dropout : float
        After each part.
    mlp_dropout : float
        Inside the layer, on the hidden units of its MLPs: they are few.
    residual : bool
        Without it the first part is ``drop(GINAttention(norm(x)))``.
    **attention
        Options of :class:`GINAttention`.
    """

    def __init__(
        self,
        dim: int,
        *,
        ffn: float | None = 2.0,
        block_norm: str | None = "layer",
        dropout: float = 0.1,
        mlp_dropout: float = 0.1,
        residual: bool = True,
        **attention: Any,
    ) -> None:
        super().__init__()
        self.residual = residual
        check_option("block_norm", block_norm, tuple(_NORMS))
        self.dropout = check_fraction("dropout", dropout, zero=True)
        self.norm = _NORMS[block_norm](dim)
        self.attention = GINAttention(dim, dropout=mlp_dropout, **attention)
        self.ffn: nn.Sequential | None = None
        if ffn is not None:
            hidden = check_count("ffn * dim", int(ffn * dim), low=1)
            self.ffn = nn.Sequential(
                _NORMS[block_norm](dim),
                DenseLinear(dim, hidden),
                nn.SiLU(),
                DenseLinear(hidden, dim),
            )

    def forward(self, x: Tensor, edge_index: Edges, **edges: Any) -> Tensor:
        """Return (n, dim); ``edges`` are ``edge_weight`` and ``edge_attr`` of the layer."""
        new = self._drop(self.attention(self.norm(x), edge_index, **edges))
        x = x + new if self.residual else new
        return x if self.ffn is None else x + self._drop(self.ffn(x))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class GINAttentionNet(Backbone):
    """Blocks of GIN-attention between an input map and an output map.

    Parameters
    ----------
    in_dim, hidden, out_dim : int
        Width of the features, of the blocks and of the output.
    task : {"node", "graph"}
        One output per node, or one per graph.
    layers, heads : int
        Blocks, and heads of each.
    jk : {"cat", "sum", "max"} or None
        What the output map sees of the blocks' outputs; None: the last.
    virtual_node : bool
        A node that every node of its graph talks to between the blocks.
    pool : {"mean", "sum", "attention"}
        How the nodes of a graph become one vector.
    dropout, input_dropout : float
        In the blocks; on the features.
    encoder, edge_encoder : nn.Module, optional
        In the place of the input map (``in_dim`` is not read then), and of edge features: such as
        :class:`CategoryEncoder`.
    ffn, block_norm, **attention
        As in :class:`GINAttentionBlock`.

    Examples
    --------
    >>> net = GINAttentionNet(5, 16, 3, layers=2, heads=2)
    >>> net(torch.randn(4, 5), torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])).shape
    torch.Size([4, 3])
    """

    def __init__(
        self,
        in_dim: int,
        hidden: int,
        out_dim: int,
        *,
        task: str = "node",
        layers: int = 3,
        heads: int = 4,
        jk: str | None = None,
        virtual_node: bool = False,
        pool: str = "mean",
        dropout: float = 0.5,
        input_dropout: float = 0.0,
        encoder: nn.Module | None = None,
        edge_encoder: nn.Module | None = None,
        ffn: float | None = None,
        block_norm: str | None = "layer",
        **attention: Any,
    ) -> None:
        super().__init__()
        self.task = check_choice("task", task, TASKS)
        self.jk = check_option("jk", jk, JUMPS)
        self.input_dropout = check_fraction("input_dropout", input_dropout, zero=True)
        check_count("layers", layers, low=1)
        self.encoder = InputMap(in_dim, hidden) if encoder is None else encoder
        self.edge_encoder = edge_encoder
        options = {"heads": heads, "dropout": dropout, **attention}
        self.blocks = nn.ModuleList(
            GINAttentionBlock(hidden, ffn=ffn, block_norm=block_norm, **options)
            for _ in range(layers)
        )
        talks = layers - 1 if virtual_node else 0
        self.virtual = nn.ModuleList(VirtualNode(hidden, dropout) for _ in range(talks))
        self.norm = _NORMS[block_norm](hidden)
        self.pool = GraphPool(hidden, pool) if task == "graph" else None
        self.output = DenseLinear(hidden * layers if jk == "cat" else hidden, out_dim)

    def reset_parameters(self) -> None:
        """Draw every parameter anew from torch's generator."""
        for module in self.modules():
            if module is not self and hasattr(module, "reset_parameters"):
                module.reset_parameters()  # type: ignore[operator]

    def prefix(self, x: Features, adjacency: Any) -> Features:
        """Return the mapped features, or the features where they are dropped first."""
        return x if self.input_dropout else self.encoder(x)

    def suffix(self, hidden: Features, adjacency: Any) -> Tensor:
        """Return the output per node from what ``prefix`` returned."""
        return self._run(hidden, adjacency, None, {})

    def forward(
        self,
        x: Features,
        adjacency: Edges,
        edge_attr: Tensor | None = None,
        ptr: Tensor | None = None,
        edge_weight: Tensor | None = None,
    ) -> Tensor:
        """Return the output per node, or per graph.

        Parameters
        ----------
        x : Tensor or SparseMatrix, shape (n, in_dim)
            Features, or codes for an encoder.
        adjacency : Tensor, Graph or Adjacency
            As ``edge_index`` of :class:`GINAttention`.
        edge_attr : Tensor, shape (m, ...), optional
            Edge features, or codes for the edge encoder.
        ptr : Tensor, shape (graphs + 1,), optional
            First node of each graph; left out, there is one.
        edge_weight : Tensor, shape (m,), optional
            Positive weights.
        """
        if edge_attr is not None and self.edge_encoder is not None:
            edge_attr = self.edge_encoder(edge_attr)
        given = {"edge_attr": edge_attr, "edge_weight": edge_weight}
        return self._run(self.prefix(x, adjacency), adjacency, ptr, given)

    def _run(self, h: Any, adjacency: Edges, ptr: Tensor | None, given: dict[str, Any]) -> Tensor:
        if self.input_dropout:
            h = self.encoder(dropout_features(h, self.input_dropout, self.training))
        if ptr is None:
            ptr = torch.tensor([0, len(h)], device=h.device)
        graph = graph_of_node(ptr)
        talk = None
        outputs = []
        for at, block in enumerate(self.blocks):
            if at and self.virtual:
                talk = self.virtual[at - 1](h, talk, graph, len(ptr) - 1)
                h = h + talk[graph]
            h = block(h, adjacency, **given)
            outputs.append(h)
        h = self._jump(outputs)
        return self.output(h if self.pool is None else self.pool(h, graph, len(ptr) - 1))

    def _jump(self, outputs: list[Tensor]) -> Tensor:
        if self.jk is None:
            return self.norm(outputs[-1])
        normed = [self.norm(h) for h in outputs]
        if self.jk == "cat":
            return torch.cat(normed, dim=1)
        stacked = torch.stack(normed)
        return stacked.sum(0) if self.jk == "sum" else stacked.amax(0)

    def maps(self) -> Iterator[tuple[Tensor, bool]]:
        """Yield every weight matrix and whether it goes with a pass over the edges.

        The passes are counted at queries (scores) and keys (aggregation).
        """
        passes = {id(b.attention.query.weight) for b in self.blocks if b.attention.query}  # type: ignore[union-attr]
        passes |= {id(b.attention.key.weight) for b in self.blocks if b.attention.key}  # type: ignore[union-attr]
        for parameter in self.parameters():
            if parameter.dim() == 2:
                yield parameter, id(parameter) in passes
