"""Ranking of true pairs against false ones, by the formulas of ogb's Evaluator."""

from __future__ import annotations

import torch
from torch import Tensor

from graphsparse.checks import check_count

LINK_METRICS = ("hits@K", "mrr")


def hits_at(positive: Tensor, negative: Tensor, k: int) -> float:
    """Return the share of true pairs that score above the ``k``-th best false pair.

    Parameters
    ----------
    positive, negative : Tensor, shape (p,) and (q,)
        Scores; a tie with the ``k``-th false pair does not count.  With ``q < k`` the share is 1.
    k : int
        At least 1.

    Examples
    --------
    >>> hits_at(torch.tensor([0.9, 0.5]), torch.tensor([0.8, 0.6, 0.1]), 2)
    0.5
    """
    check_count("k", k, low=1)
    if len(negative) < k:
        return 1.0
    bound = torch.topk(negative, k).values[-1]
    return float((positive > bound).double().mean())


def mean_reciprocal_rank(positive: Tensor, negative: Tensor) -> float:
    """Return the mean of one over the rank of each true pair among its own false pairs.

    Parameters
    ----------
    positive : Tensor, shape (p,)
        Scores of true pairs.
    negative : Tensor, shape (p, q)
        Scores of the false pairs of each; equal scores count one half.
    """
    if negative.dim() != 2 or len(negative) != len(positive):
        raise ValueError(
            f"negative must have shape ({len(positive)}, q), got {tuple(negative.shape)}"
        )
    own = positive.view(-1, 1)
    above, level = (negative > own).sum(dim=1), (negative >= own).sum(dim=1)
    rank = 0.5 * (above + level).double() + 1.0
    return float((1.0 / rank).mean())


def metric_of(name: str) -> int:
    """Return K of ``"hits@K"`` and 0 of ``"mrr"``."""
    head, at, k = name.partition("@")
    if name == "mrr":
        return 0
    if head != "hits" or not at or not k.isdecimal() or int(k) == 0:
        raise ValueError(
            f"metric must be one of {', '.join(map(repr, LINK_METRICS))}, got {name!r}"
        )
    return int(k)
