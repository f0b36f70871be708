"""What a link prediction run needs: a graph to pass messages on, pairs to learn, pairs to rank."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphsparse.graph import Graph
from graphsparse.models.adjacency import Adjacency
from graphsparse.models.layers import Features
from graphsparse.training.data import sparse_if_worth
from graphsparse.training.link_metrics import metric_of


@dataclasses.dataclass(frozen=True, eq=False)
class RankedPairs:
    """True pairs and the false ones that they are ranked against.

    Attributes
    ----------
    positive : Tensor of int64, shape (p, 2)
        True pairs.
    negative : Tensor of int64, shape (q, 2) or (p, q)
        False pairs for all of them; or the false targets of each source, for ``"mrr"``.
    """

    positive: Tensor
    negative: Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class LinkTask:
    """A graph with pairs of nodes to predict.

    Parameters
    ----------
    graph : Graph
        Messages pass along it; an edge sparsifier changes it and nothing else.
    x : Tensor or SparseMatrix, shape (n, features), optional
        Node features.
    train : Tensor of int64, shape (m, 2)
        Pairs to learn.
    val, test : RankedPairs
        Pairs to rank.
    metric : str
        ``"hits@K"`` or ``"mrr"``.
    """

    graph: Graph
    x: Features | None
    train: Tensor
    val: RankedPairs
    test: RankedPairs
    metric: str

    def __post_init__(self) -> None:
        wide = metric_of(self.metric) == 0
        n = self.graph.num_nodes
        for name, pairs in (
            ("train", self.train),
            ("val.positive", self.val.positive),
            ("test.positive", self.test.positive),
        ):
            if pairs.dtype != torch.int64 or pairs.dim() != 2 or pairs.shape[1] != 2:
                raise TypeError(f"{name} must be int64 of shape (m, 2), got {pairs.dtype} "
                                f"{tuple(pairs.shape)}")  # fmt: skip
            if len(pairs) and not 0 <= int(pairs.min()) <= int(pairs.max()) < n:
                raise ValueError(f"{name} must hold node ids in [0, {n}), got {int(pairs.max())}")
        for name, ranked in (("val", self.val), ("test", self.test)):
            rows = len(ranked.positive) if wide else 2
            if ranked.negative.dim() != 2 or ranked.negative.shape[0 if wide else 1] != rows:
                want = f"({rows}, q)" if wide else "(q, 2)"
                raise ValueError(f"{name}.negative must have shape {want} for {self.metric!r}, "
                                 f"got {tuple(ranked.negative.shape)}")  # fmt: skip

    @classmethod
    def from_dataset(cls, dataset: Any) -> LinkTask:
        """Build from what :func:`graphsparse.load_dataset` returns for an ``ogbl`` set."""
        x = getattr(dataset.content, "x", None)
        parts = {name: _ranked(dataset.edge_splits[name]) for name in ("valid", "test")}
        return cls(
            dataset.graph,
            None if x is None else sparse_if_worth(x.to(torch.float32)),
            _pairs(dataset.edge_splits["train"]),
            parts["valid"],
            parts["test"],
            dataset.metric,
        )

    @cached_property
    def adjacency(self) -> Adjacency:
        """The adjacency that messages pass along."""
        return Adjacency(self.graph, self.train.device)

    @cached_property
    def known(self) -> Tensor:
        """Codes ``u * n + v`` of the training pairs in both orders, ascending, int64."""
        n = self.graph.num_nodes
        u, v = self.train.unbind(1)
        return torch.unique(torch.cat([u * n + v, v * n + u]))

    def with_graph(self, graph: Graph) -> LinkTask:
        """Return the same pairs with messages on another graph of the same nodes."""
        return dataclasses.replace(self, graph=graph)

    def false_pairs(self, count: int) -> Tensor:
        """Return ``count`` uniform pairs that are no training pairs and no loops, (count, 2).

        They are drawn from torch's generator.
        """
        n = self.graph.num_nodes
        found = [torch.zeros(0, dtype=torch.int64)]
        missing = count
        while missing:
            codes = torch.randint(0, n * n, (missing + missing // 8 + 16,))
            place = torch.searchsorted(self.known, codes).clamp_(max=max(len(self.known) - 1, 0))
            bad = codes // n == codes % n
            if len(self.known):
                bad |= self.known[place] == codes
            fresh = codes[~bad][:missing]
            found.append(fresh)
            missing -= len(fresh)
        codes = torch.cat(found)
        return torch.stack([codes // n, codes % n], dim=1)


def _pairs(part: Any) -> Tensor:
    """Return the true pairs of a part of an ogbl split."""
    if "edge" in part:
        pairs = np.asarray(part["edge"])
    else:
        pairs = np.stack([part["source_node"], part["target_node"]], axis=1)
    return torch.from_numpy(np.ascontiguousarray(pairs, dtype=np.int64))


def _ranked(part: Any) -> RankedPairs:
    false = part["edge_neg"] if "edge_neg" in part else part["target_node_neg"]
    return RankedPairs(_pairs(part), torch.from_numpy(np.array(false, dtype=np.int64)))
