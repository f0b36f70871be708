"""GIN-attention: the isomorphic update over the edges of a graph, weighted by attention."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_choice, check_count, check_fraction
from graphsparse.graph import Graph
from graphsparse.models.adjacency import Adjacency, MaskedAdjacency
from graphsparse.models.dense_attention import attend, merge_heads, split_heads
from graphsparse.models.edge_attention import edge_attention, head_dots, head_sums, row_softmax
from graphsparse.models.edge_scores import PairScore, check_sparsify, sparsify_entries
from graphsparse.models.isomorphic import IsomorphicUpdate, check_heads
from graphsparse.models.receivers import Edges, Receivers, receivers

SCORES = ("dot", "mlp")
NORMALIZE = ("softmax", "degree", "sigmoid", "none")
EDGE_MODES = ("bias", "message", "both")


@dataclasses.dataclass(frozen=True, eq=False)
class AttentionScores:
    """Importance of the edges of a graph, as a layer sees them.

    Attributes
    ----------
    per_head : Tensor, shape (m, heads)
        Coefficients after the softmax, before any sparsification.
    mean : Tensor, shape (m,)
        Their mean over the heads.
    """

    per_head: Tensor
    mean: Tensor


class GINAttention(nn.Module):
    """``W2 silu(norm(W1 (c v_i + sum_j a_ij m_ij) + b1)) + b2`` per head, ``a`` by attention.

    Parameters
    ----------
    in_dim, out_dim : int
        Width of the input and of the output; the same when ``out_dim`` is left out.
    heads : int
        Number of heads; ``in_dim`` is a multiple of it.
    mlp_ratio, mlp, self_weight, eps, train_eps, norm, dropout
        The update, as in :class:`~graphsparse.models.isomorphic.IsomorphicUpdate`.
    score : {"dot", "mlp"}
        Scaled dot products of queries and keys, or a small MLP on both ends.
    score_dim : int
        Hidden width of ``score="mlp"``.
    sharpen : float
        Start of ``alpha``, the factor of the dot products.
    train_sharpen : bool
        Whether ``alpha`` is trained.
    value_proj : bool
        Map the input to values; without it the input itself is aggregated, as in GIN.
    out_proj : bool
        Map the heads together; always there when ``out_dim`` differs from ``in_dim``.
    edge_dim : int, optional
        Width of the edge features.
    edge_mode : {"bias", "message", "both"}
        Edge features add to the scores, to the messages (``relu(v_j + W e_ij)``), or to both.
    normalize : {"softmax", "degree", "sigmoid", "none"}
        ``"degree"`` is softmax times the number of incoming edges (the sum of their weights
        where there are weights): unlike softmax it can count.  ``"none"`` takes the weights.
    sparsify : pair, optional
        ``("threshold", t)`` keeps coefficients above ``t``; ``("top_k", keep)`` that share of
        each receiver's and head's.
    renormalize : bool
        Divide what sparsification leaves by its sum.
    add_self_loops : bool
        Add the self-loops that are missing.
    coalesce : bool
        Merge repeated edges: weights are summed, features averaged.  Left out, each is a message.
    attn_dropout : float
        Share of the coefficients dropped in training.

    Notes
    -----
    O(n * in_dim^2 + m * in_dim) time and O(n * in_dim + m * heads) memory; messages with edge
    features take O(m * in_dim).  Results do not depend on the number of threads.

    References
    ----------
    M. J. Buehler, Graph-Aware Isomorphic Attention for Adaptive Dynamics in Transformers, 2025,
    arXiv:2501.02393.

    Examples
    --------
    >>> layer = GINAttention(8, heads=2)
    >>> edge_index = torch.tensor([[0, 1, 2], [1, 2, 0]])
    >>> layer(torch.randn(3, 8), edge_index).shape
    torch.Size([3, 8])
    """

    no_sparsify = ("alpha",)

    def __init__(
        self,
        in_dim: int,
        out_dim: int | None = None,
        heads: int = 4,
        mlp_ratio: float = 0.5,
        mlp: str | None = "per_head",
        self_weight: str = "one_plus_eps",
        eps: float = 0.0,
        train_eps: bool = True,
        score: str = "dot",
        sharpen: float = 1.0,
        train_sharpen: bool = True,
        value_proj: bool = False,
        out_proj: bool = False,
        edge_dim: int | None = None,
        edge_mode: str = "bias",
        norm: str | None = "rms",
        normalize: str = "softmax",
        sparsify: tuple[str, float] | None = None,
        add_self_loops: bool = False,
        attn_dropout: float = 0.0,
        dropout: float = 0.1,
        *,
        score_dim: int = 512,
        renormalize: bool = False,
        coalesce: bool = False,
    ) -> None:
        super().__init__()
        self.in_dim, self.heads, self.head_dim = in_dim, heads, check_heads(in_dim, heads)
        self.score = check_choice("score", score, SCORES)
        self.normalize = check_choice("normalize", normalize, NORMALIZE)
        self.edge_mode = check_choice("edge_mode", edge_mode, EDGE_MODES)
        self.sparsify, self.renormalize = check_sparsify(sparsify), renormalize
        self.add_self_loops, self.coalesce = add_self_loops, coalesce
        self.attn_dropout = check_fraction("attn_dropout", attn_dropout, zero=True)
        self.start_alpha, self._warned = float(sharpen), False
        self.update = IsomorphicUpdate(
            in_dim,
            heads,
            mlp_ratio=mlp_ratio,
            mlp=mlp,
            self_weight=self_weight,
            eps=eps,
            train_eps=train_eps,
            norm=norm,
            dropout=dropout,
        )
        self._make_scores(score_dim, train_sharpen)
        self.out_dim = in_dim if out_dim is None else check_count("out_dim", out_dim, low=1)
        self.value = _linear(in_dim, in_dim) if value_proj else None
        self.out = _linear(in_dim, self.out_dim) if out_proj or self.out_dim != in_dim else None
        self._make_edges(edge_dim)
        self.reset_parameters()

    def _make_scores(self, score_dim: int, train_sharpen: bool) -> None:
        self.query = self.key = self.pair_score = None
        if self.normalize == "none":
            return
        if self.score == "mlp":
            self.pair_score = PairScore(self.in_dim, self.heads, score_dim)
            return
        self.query, self.key = _linear(self.in_dim, self.in_dim), _linear(self.in_dim, self.in_dim)
        self.alpha = nn.Parameter(torch.empty(1), requires_grad=train_sharpen)

    def _make_edges(self, edge_dim: int | None) -> None:
        self.edge_dim = edge_dim
        self.edge_bias = self.edge_message = None
        if edge_dim is None:
            return
        check_count("edge_dim", edge_dim, low=1)
        if self.edge_mode != "message" and self.normalize != "none":
            self.edge_bias = _linear(edge_dim, self.heads)
        if self.edge_mode != "bias":
            self.edge_message = _linear(edge_dim, self.in_dim)

    def reset_parameters(self) -> None:
        """Draw every weight anew; ``alpha`` and ``eps`` go back to their start."""
        for module in self.children():
            module.reset_parameters()  # type: ignore[operator]
        if self.query is not None:
            nn.init.constant_(self.alpha, self.start_alpha)

    def forward(
        self,
        x: Tensor | tuple[Tensor, Tensor],
        edge_index: Edges,
        edge_weight: Tensor | None = None,
        edge_attr: Tensor | None = None,
        ptr: Tensor | None = None,
        return_attention: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Return the new features of the receivers.

        Parameters
        ----------
        x : Tensor, shape (n, in_dim), or pair of Tensor
            Features; a pair holds those of the senders and of the receivers, which are the first
            of the senders.
        edge_index : Tensor, Graph or Adjacency
            int64 of shape (2, m), senders above receivers; or a graph whose arcs are messages.
            It is sorted once for each object.
        edge_weight : Tensor, shape (m,), optional
            Its logarithm adds to the scores; 0 removes an edge.
        edge_attr : Tensor, shape (m, edge_dim), optional
            Features of the edges.
        ptr : Tensor, shape (graphs + 1,), optional
            First node of each graph of a batch; an edge between two graphs is an error then.
        return_attention : bool
            Return the coefficients too, shape (m, heads), in the order of the edges, without
            gradient and without those of added self-loops.

        Returns
        -------
        Tensor, shape (receivers, out_dim), or a pair
        """
        source, target = x if isinstance(x, tuple) else (x, x)
        edges, weight = self._edges(source, target, edge_index, edge_weight)
        if ptr is not None:
            _check_batch(edges, ptr)
        attr = self._attributes(edges, edge_attr)
        self._warn_of_zeros(edges)
        value = source if self.value is None else self.value(source)
        own = value[: len(target)] if target is not source else value
        inputs = (source, target, value)
        aggregate, att = self._aggregate(edges, *inputs, weight, attr, return_attention)
        out = self.update(own, aggregate)
        out = out if self.out is None else self.out(out)
        if att is None or not return_attention:
            return out
        return out, att.detach()[edges.position[: edges.num_edges]]

    def dense(
        self,
        x: Tensor,
        key_padding_mask: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> Tensor:
        """Return the layer on complete graphs: every node attends to every node of its graph.

        Parameters
        ----------
        x : Tensor, shape (batch, n, in_dim)
            Padded features.
        key_padding_mask : Tensor of bool, shape (batch, n), optional
            True where there is no node: it sends nothing, and its output is 0.
        bias : Tensor, shape broadcast to (batch, heads, n, n), optional
            Added to the scores of receiver and sender, or bool: True where a pair may attend.

        Returns
        -------
        Tensor, shape (batch, n, out_dim)

        Raises
        ------
        ValueError
            If the layer has no dense form: edge features, an MLP score, sparsification, or a
            normalisation that is no softmax.
        """
        self._check_dense(x)
        value = x if self.value is None else self.value(x)
        blocked = None if key_padding_mask is None else key_padding_mask[:, None, None, :]
        query = F.linear(x, self.query.weight * self.alpha)  # type: ignore[union-attr]
        parts = (split_heads(t, self.heads) for t in (query, self.key(x), value))  # type: ignore[misc]
        dropout = self.attn_dropout if self.training else 0.0
        mixed, allowed = attend(*parts, mask=bias, blocked=blocked, dropout=dropout)
        if self.normalize == "degree":
            mixed = mixed * allowed
        out = self.update(value, merge_heads(mixed))
        out = out if self.out is None else self.out(out)
        return out if key_padding_mask is None else out.masked_fill(key_padding_mask[..., None], 0)

    @torch.no_grad()
    def attention_scores(
        self,
        x: Tensor,
        edge_index: Edges,
        edge_weight: Tensor | None = None,
        edge_attr: Tensor | None = None,
    ) -> AttentionScores:
        """Return the coefficients of all edges after the softmax: how much each matters.

        Parameters
        ----------
        x, edge_index, edge_weight, edge_attr
            As for a call.
        """
        edges, weight = self._edges(x, x, edge_index, edge_weight)
        attr = self._attributes(edges, edge_attr)
        att = self._coefficients(edges, x, x, weight, attr)
        per_head = att[edges.position[: edges.num_edges]]
        return AttentionScores(per_head, per_head.mean(1))

    def _edges(
        self, source: Tensor, target: Tensor, edge_index: Edges, weight: Tensor | None
    ) -> tuple[Receivers, Tensor | None]:
        for name, rows in (("x", source), ("x[1]", target)):
            if rows.dim() != 2 or rows.shape[1] != self.in_dim:
                raise ValueError(
                    f"{name} must have shape (n, {self.in_dim}), got {tuple(rows.shape)}"
                )
        if isinstance(edge_index, MaskedAdjacency):
            raise ValueError("edge_index must be a plain adjacency, got a MaskedAdjacency")
        edges = receivers(
            edge_index,
            len(target),
            len(source),
            self_loops=self.add_self_loops,
            coalesce=self.coalesce,
        )
        graph = edge_index.graph if isinstance(edge_index, Adjacency) else edge_index
        if weight is None and isinstance(graph, Graph) and graph.weights is not None:
            weight = torch.from_numpy(graph.weights.copy()).to(source.dtype).to(source.device)
        if weight is None:
            return edges, None
        good = weight.shape == (edges.num_edges,) and bool((weight >= 0).all())
        if not good or not bool(torch.isfinite(weight).all()):
            raise ValueError(
                f"edge_weight must hold {edges.num_edges} finite numbers >= 0, got shape "
                f"{tuple(weight.shape)}" + (f", least {float(weight.min())}" if len(weight) else "")
            )
        return edges, edges.entries_of(weight.to(source.dtype), 1.0)

    def _attributes(self, edges: Receivers, attr: Tensor | None) -> Tensor | None:
        if attr is None or self.edge_dim is None:
            if attr is not None:
                raise ValueError("edge_attr needs a layer with edge_dim, got edge_dim=None")
            return None
        if attr.shape != (edges.num_edges, self.edge_dim):
            raise ValueError(
                f"edge_attr must have shape ({edges.num_edges}, {self.edge_dim}), "
                f"got {tuple(attr.shape)}"
            )
        return edges.entries_of(attr, 0.0, mean=True)

    def _bias(self, weight: Tensor | None, attr: Tensor | None) -> Tensor | None:
        bias = None
        if attr is not None and self.edge_bias is not None:
            bias = self.edge_bias(attr)
        if weight is not None:
            # A removed edge has no gradient: log must not see its 0.
            log = weight.masked_fill(weight == 0, 1.0).log().masked_fill(weight == 0, -math.inf)
            log = log[:, None].expand(-1, self.heads)
            bias = log if bias is None else bias + log
        return bias

    def _query_key(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        scale = self.alpha / math.sqrt(self.head_dim)
        # alpha scales the weight, not the queries: cheaper, and its gradient comes for free.
        query = F.linear(target, self.query.weight * scale)  # type: ignore[union-attr]
        return query, self.key(source)  # type: ignore[misc]

    def _aggregate(
        self,
        edges: Receivers,
        source: Tensor,
        target: Tensor,
        value: Tensor,
        weight: Tensor | None,
        attr: Tensor | None,
        need_weights: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """Sum of the messages of every receiver, and the coefficients of the entries."""
        message = None
        if attr is not None and self.edge_message is not None:
            sent = value.index_select(0, edges.senders)
            message = F.relu(sent + self.edge_message(attr))
        if self._is_fused(message):
            q, k = self._query_key(source, target)
            kind = "sigmoid" if self.normalize == "sigmoid" else "softmax"
            bias = self._bias(weight, attr)
            options: dict[str, Any] = {"kind": kind, "need_weights": need_weights}
            out, weights = edge_attention(edges, q, k, value, bias, heads=self.heads, **options)
            if self.normalize == "degree":
                degree = self._degree(edges, weight, out.dtype)[:, None]
                out = out * degree
                weights = None if weights is None else weights * degree[edges.rows]
            return out, weights
        att = self._coefficients(edges, source, target, weight, attr)
        if self.sparsify is not None:
            alive = torch.ones_like(edges.rows, dtype=torch.bool) if weight is None else weight > 0
            att = sparsify_entries(edges, att, alive, self.sparsify, self.renormalize)
        used = F.dropout(att, self.attn_dropout, self.training)
        if message is not None:
            return head_sums(edges.own_rows, used, message, self.heads), att
        return head_sums(edges, used, value, self.heads), att

    def _warn_of_zeros(self, edges: Receivers) -> None:
        """A receiver without messages and without a self weight gives zeros to the MLP."""
        if self._warned or self.update.self_weight != "eps" or bool(self.update.eps.any()):
            return
        if bool((edges.counts == 0).any()):
            self._warned = True
            warnings.warn(
                "some nodes receive no message and eps is 0: their update does not see them; "
                "add_self_loops=True or self_weight='one_plus_eps' prevents it",
                UserWarning,
                stacklevel=3,
            )

    def _is_fused(self, message: Tensor | None) -> bool:
        dropped = self.training and self.attn_dropout > 0.0
        plain = self.query is not None and self.sparsify is None
        return plain and message is None and not dropped

    def _coefficients(
        self,
        edges: Receivers,
        source: Tensor,
        target: Tensor,
        weight: Tensor | None,
        attr: Tensor | None,
    ) -> Tensor:
        """Coefficients (nnz, heads) of the entries before sparsification, with their gradient."""
        if self.normalize == "none":
            ones = source.new_ones(edges.pattern.nnz, self.heads)
            return ones if weight is None else ones * weight[:, None]
        if self.pair_score is not None:
            score = self.pair_score(edges, target, source)
        else:
            q, k = self._query_key(source, target)
            score = head_dots(edges, q, k, self.heads)
        bias = self._bias(weight, attr)
        score = score if bias is None else score + bias
        if self.normalize == "sigmoid":
            return torch.sigmoid(score)
        att = row_softmax(edges, score)
        if self.normalize == "degree":
            att = att * self._degree(edges, weight, att.dtype)[edges.rows, None]
        return att

    def _degree(self, edges: Receivers, weight: Tensor | None, dtype: torch.dtype) -> Tensor:
        if weight is None:
            return edges.counts.to(dtype)
        return weight.new_zeros(len(edges.counts)).index_add(0, edges.rows, weight).to(dtype)

    def _check_dense(self, x: Tensor) -> None:
        if x.dim() != 3 or x.shape[2] != self.in_dim:
            raise ValueError(f"x must have shape (batch, n, {self.in_dim}), got {tuple(x.shape)}")
        given = {
            "score": self.score if self.score != "dot" else None,
            "normalize": self.normalize if self.normalize in ("sigmoid", "none") else None,
            "sparsify": self.sparsify,
            "edge_dim": self.edge_dim,
        }
        for name, value in given.items():
            if value is not None:
                raise ValueError(f"dense attention has no {name}={value!r}; use edges")


def _linear(in_dim: int, out_dim: int) -> nn.Linear:
    return nn.Linear(in_dim, out_dim, bias=False)


def _check_batch(edges: Receivers, ptr: Tensor) -> None:
    graph = torch.bucketize(torch.stack([edges.senders, edges.rows]), ptr, right=True)
    if not torch.equal(graph[0], graph[1]):
        at = int((graph[0] != graph[1]).nonzero()[0])
        raise ValueError(
            f"edge_index must stay within the graphs of ptr, got edge "
            f"{int(edges.senders[at])} -> {int(edges.rows[at])}"
        )
