"""The two attentions of ADPA: over the hops of a pattern, and over the patterns of a node."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from graphsparse.checks import check_choice
from graphsparse.models.hop_attention import hop_scores, hop_sum

HOP_MODES = ("original", "simple", "gate", "ori_ref", "none")
PATTERN_MODES = ("original", "gate", "jk", "ori_ref", "none")


def soft_weights(scores: Tensor) -> Tensor:
    """Return ``softmax(sigmoid(scores))`` over the last axis: no weight is e times another."""
    return torch.softmax(torch.sigmoid(scores), dim=-1)


class HopAttention(nn.Module):
    """Weighted sum of the hops of every pattern, weights node by node.

    Parameters
    ----------
    mode : str
        ``"original"`` compares each hop with all of them, ``"ori_ref"`` with the node's own
        features, ``"gate"`` looks at the hop alone, ``"simple"`` has one weight per hop, and
        ``"none"`` adds the hops up.
    num_patterns, num_hops, width : int
        Sizes.
    reference_compat : bool
        Give scores to nodes and hops in the order of the authors' reshape.
    """

    def __init__(
        self,
        mode: str,
        num_patterns: int,
        num_hops: int,
        width: int,
        *,
        reference_compat: bool = False,
    ) -> None:
        super().__init__()
        self.mode = check_choice("hop_attention", mode, HOP_MODES)
        self.num_patterns, self.num_hops, self.width = num_patterns, num_hops, width
        self.reshapes = reference_compat and mode in ("original", "ori_ref")
        vectors = {"original": num_hops + 2, "ori_ref": 2, "gate": 1}.get(mode, 0)
        self._vectors = vectors
        # One-dimensional, so that a projection of weight matrices leaves them alone.
        self.weight = self.bias = self.logits = None
        if vectors:
            self.weight = nn.Parameter(torch.empty(num_patterns * vectors * width))
            self.bias = nn.Parameter(torch.empty(num_patterns))
        if mode == "simple":
            self.logits = nn.Parameter(torch.empty(num_patterns * (num_hops + 1)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the vectors as torch's linear layer does; weights of ``simple`` are zero."""
        if self.weight is not None and self.bias is not None:
            bound = 1.0 / math.sqrt(self._vectors * self.width)
            nn.init.uniform_(self.weight, -bound, bound)
            nn.init.uniform_(self.bias, -bound, bound)
        if self.logits is not None:
            nn.init.zeros_(self.logits)

    def weights(self, features: Tensor) -> Tensor:
        """Return the weight of each hop, shape (rows, patterns, K + 1).

        Parameters
        ----------
        features : Tensor, shape (rows, 1 + patterns * K, width)
            Own features, then hops 1..K of each pattern.
        """
        rows, count = len(features), self.num_hops + 1
        if self.logits is not None:
            table = self.logits.view(self.num_patterns, count)
            return soft_weights(table).expand(rows, -1, -1)
        if self.weight is None or self.bias is None:
            return features.new_ones(rows, self.num_patterns, count)
        vectors = self.weight.view(self.num_patterns, self._vectors, self.width)
        scores = hop_scores(features, vectors) + self.bias[:, None]
        if self.reshapes:  # hop-major scores read as if they were node-major
            scores = scores.permute(1, 2, 0).reshape(self.num_patterns, rows, count)
            scores = scores.transpose(0, 1)
        return soft_weights(scores)

    def forward(self, features: Tensor) -> Tensor:
        """Return the aggregated features, shape (rows, patterns, width)."""
        return hop_sum(features, self.weights(features))


class PatternAttention(nn.Module):
    """Logits from the hidden features of all channels: the node's own and one per pattern.

    Parameters
    ----------
    mode : str
        ``"original"`` concatenates channels, each times a learnt scalar; ``"gate"``, ``"jk"`` and
        ``"ori_ref"`` add them up with weights of the node, from the channel, from all channels,
        or from it and the own channel; ``"none"`` adds them up.
    channels, hidden, out_dim : int
        Sizes.
    """

    def __init__(self, mode: str, channels: int, hidden: int, out_dim: int) -> None:
        super().__init__()
        self.mode = check_choice("dp_attention", mode, PATTERN_MODES)
        self.channels, self.hidden = channels, hidden
        self.scale = self.weight = self.bias = self.map = None
        if mode == "original":
            self.scale = nn.Parameter(torch.empty(channels))
        elif mode in ("gate", "ori_ref"):
            self.weight = nn.Parameter(torch.empty(hidden * (1 if mode == "gate" else 2)))
            self.bias = nn.Parameter(torch.empty(1))
        elif mode == "jk":
            self.map = nn.Linear(channels * hidden, channels)
        self.out = nn.Linear(hidden * (channels if mode == "original" else 1), out_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the scalars from N(0, 1) and the rest as torch's linear layer does."""
        if self.scale is not None:
            nn.init.normal_(self.scale)
        if self.weight is not None and self.bias is not None:
            bound = 1.0 / math.sqrt(len(self.weight))
            nn.init.uniform_(self.weight, -bound, bound)
            nn.init.uniform_(self.bias, -bound, bound)
        if self.map is not None:
            self.map.reset_parameters()
        self.out.reset_parameters()

    def forward(self, channels: Tensor) -> Tensor:
        """Return the logits, shape (rows, out_dim), of features (rows, channels, hidden)."""
        if self.scale is not None:
            return self._out((channels * self.scale[:, None]).flatten(1))
        if self.mode == "none":
            return self._out(channels.sum(1))
        alpha = soft_weights(self._scores(channels))
        return self._out((alpha[:, None] @ channels)[:, 0])

    def _out(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.out(hidden)
        return logits

    def _scores(self, channels: Tensor) -> Tensor:
        if self.map is not None:
            mapped: Tensor = self.map(channels.flatten(1))
            return mapped
        assert self.weight is not None
        assert self.bias is not None
        scores = channels @ self.weight[-self.hidden :] + self.bias
        if self.mode == "ori_ref":
            scores = scores + channels[:, :1] @ self.weight[: self.hidden]
        return scores
