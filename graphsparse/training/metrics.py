"""Scores of predictions against labels; larger is better for all of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from graphsparse.checks import check_choice

Metric = Callable[[Tensor, Tensor], float]


def accuracy(logits: Tensor, y: Tensor) -> float:
    """Return the share of rows whose largest logit is the label."""
    if len(y) == 0:
        return float("nan")
    return float((logits.argmax(dim=1) == y).double().mean())


def roc_auc(logits: Tensor, y: Tensor) -> float:
    """Return the area under the ROC curve of the second class against the first.

    Parameters
    ----------
    logits : Tensor, shape (n, 2)
        Their difference ranks the rows; equal differences count one half.
    y : Tensor of int64, shape (n,)
        0 or 1; both must occur.
    """
    if logits.dim() != 2 or logits.shape[1] != 2:
        raise ValueError(f"logits must have shape (n, 2) for roc_auc, got {tuple(logits.shape)}")
    score = (logits[:, 1] - logits[:, 0]).double()
    _, level, counts = torch.unique(score, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    rank = (last - (counts.double() - 1.0) / 2.0)[level]  # mean rank of equal scores
    positive = y == 1
    p, q = int(positive.sum()), int((~positive).sum())
    if p == 0 or q == 0:
        raise ValueError(f"roc_auc needs both classes, got {p} rows of class 1 and {q} of class 0")
    return float((rank[positive].sum() - p * (p + 1) / 2.0) / (p * q))


def macro_f1(logits: Tensor, y: Tensor) -> float:
    """Return the mean F1 score over the classes that occur or are predicted."""
    predicted = logits.argmax(dim=1)
    classes = logits.shape[1]
    hit = torch.bincount(y[predicted == y], minlength=classes).double()
    both = torch.bincount(torch.cat([y, predicted]), minlength=classes).double()
    seen = both > 0
    return float((2.0 * hit[seen] / both[seen]).mean())


METRICS: dict[str, Metric] = {"accuracy": accuracy, "roc_auc": roc_auc, "macro_f1": macro_f1}


def metric_by_name(name: str) -> Metric:
    """Return the metric called ``accuracy``, ``roc_auc`` or ``macro_f1``."""
    return METRICS[check_choice("metric", name, METRICS)]
