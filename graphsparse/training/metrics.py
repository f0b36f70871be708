"""Scores of predictions against labels; larger is better for all of them."""

from __future__ import annotations

import dataclasses
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


@dataclasses.dataclass(frozen=True, eq=False)
class F1Scores:
    """F1 over rows pooled from all groups.

    Attributes
    ----------
    micro : float
        Share of right rows: with one label per row, micro F1 is accuracy.
    macro : float
        Mean F1 over the classes that occur or are predicted.
    confusion : Tensor of int64, shape (classes, classes)
        Rows of true class ``i`` that were predicted ``j``.
    """

    micro: float
    macro: float
    confusion: Tensor


def f1_scores(predicted: Tensor, y: Tensor, mask: Tensor | None = None) -> F1Scores:
    """Return micro and macro F1 and the confusion matrix.

    Parameters
    ----------
    predicted : Tensor, shape (n,) or (n, classes)
        Classes, or logits.
    y : Tensor of int64, shape (n,)
        Labels; rows below 0 do not count.
    mask : Tensor, shape (n,) of bool or row ids, optional
        Which rows count.

    Examples
    --------
    >>> f1_scores(torch.tensor([0, 1, 1]), torch.tensor([0, 1, -1])).micro
    1.0
    """
    classes = predicted.shape[1] if predicted.dim() == 2 else 0
    guess = predicted.argmax(dim=1) if predicted.dim() == 2 else predicted
    if len(guess) != len(y):
        raise ValueError(f"predicted must have {len(y)} rows, as y has, got {len(guess)}")
    if mask is not None:
        guess, y = guess[mask], y[mask]
    guess, y = guess[y >= 0], y[y >= 0]
    if len(y) == 0:
        return F1Scores(float("nan"), float("nan"), torch.zeros(classes, classes, dtype=torch.long))
    classes = max(classes, int(max(guess.max(), y.max())) + 1)
    confusion = torch.bincount(y * classes + guess, minlength=classes**2).view(classes, classes)
    hit, both = confusion.diagonal().double(), (confusion.sum(0) + confusion.sum(1)).double()
    seen = both > 0
    micro, macro = hit.sum() / len(y), (2.0 * hit[seen] / both[seen]).mean()
    return F1Scores(float(micro), float(macro), confusion)
