"""How well node vectors tell labels: the usual multi-label protocol of embedding papers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.checks import check_count, check_fraction, require

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True)
class MultiLabelScore:
    """F1 scores of one training fraction.

    Attributes
    ----------
    train : float
        Fraction of the nodes trained on.
    micro, macro : tuple of float
        One score per shuffle.
    """

    train: float
    micro: tuple[float, ...]
    macro: tuple[float, ...]

    @property
    def micro_mean(self) -> float:
        """Mean micro-F1."""
        return float(np.mean(self.micro))

    @property
    def macro_mean(self) -> float:
        """Mean macro-F1."""
        return float(np.mean(self.macro))

    def __str__(self) -> str:
        parts = (
            f"{name} {np.mean(values):.4f} ± {np.std(values):.4f}"
            for name, values in (("micro", self.micro), ("macro", self.macro))
        )
        return f"{self.train:.0%}: {', '.join(parts)}"


def evaluate_embedding(
    embedding: Any,
    labels: Any,
    train: float = 0.1,
    *,
    C: float = 1.0,
    shuffles: int = 5,
    seed: int = 0,
) -> MultiLabelScore:
    """Return F1 scores of a linear classifier of node vectors with several labels a node.

    Nodes are shuffled and the first ``floor(train * n)`` are trained on: one L2-regularised
    logistic regression per label, its bias penalised as in liblinear.  A test node gets as many
    labels as it truly has, those of the highest scores.

    Parameters
    ----------
    embedding : array, shape (n, d)
        One row per node.
    labels : array or sparse matrix of 0 and 1, shape (n, k)
        Which labels a node has.
    train : float
        Fraction of the nodes trained on, below 1.
    C : float
        Inverse strength of the regularisation.
    shuffles : int
        Repetitions.
    seed : int
        Of the shuffles.

    Returns
    -------
    MultiLabelScore
        A label that no training node has is never predicted.

    Raises
    ------
    MissingDependencyError
        Without scikit-learn.
    """
    x = np.asarray(embedding, dtype=np.float64)
    y = np.asarray(labels.toarray() if hasattr(labels, "toarray") else labels) != 0
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(
            f"embedding and labels must be (n, d) and (n, k), got {x.shape} and {y.shape}"
        )
    if not np.isfinite(x).all():
        bad = int((~np.isfinite(x)).sum())
        raise ValueError(f"embedding must be finite, got {bad} entries that are not")
    check_fraction("train", train)
    check_count("shuffles", shuffles, low=1)
    if not C > 0:
        raise ValueError(f"C must be positive, got {C!r}")
    count = int(train * len(x))
    if not 0 < count < len(x):
        raise ValueError(f"train must leave nodes on both sides, got {train!r} of {len(x)} nodes")
    scores = [_one(x, y, count, C, np.random.default_rng(seed + k)) for k in range(shuffles)]
    micro, macro = zip(*scores, strict=True)
    return MultiLabelScore(train, micro, macro)


def _one(x: Array, y: Array, count: int, C: float, rng: np.random.Generator) -> tuple[float, float]:
    metrics = require("sklearn.metrics", "gnn", "evaluate_embedding")
    order = rng.permutation(len(x))
    x, y = x[order], y[order]
    predicted = _top_labels(_decisions(x[:count], y[:count], x[count:], C), y[count:].sum(1))
    micro, macro = (
        float(metrics.f1_score(y[count:], predicted, average=average, zero_division=0))
        for average in ("micro", "macro")
    )
    return micro, macro


def _decisions(x: Array, y: Array, test: Array, C: float) -> Array:
    """Return the score of each label for each test node, shape (tests, k)."""
    linear = require("sklearn.linear_model", "gnn", "evaluate_embedding")
    limits = require("threadpoolctl", "gnn", "evaluate_embedding").threadpool_limits
    # liblinear's objective: the bias is the weight of one more feature
    x, test = (np.c_[part, np.ones(len(part))] for part in (x, test))
    out = np.full((len(test), y.shape[1]), -np.inf)
    for label in range(y.shape[1]):
        wanted = y[:, label]
        if wanted.all():
            out[:, label] = np.inf
        elif wanted.any():
            model = linear.LogisticRegression(C=C, fit_intercept=False, max_iter=2000, tol=1e-5)
            with limits(1):  # threads of BLAS wait for each other most of the time here
                out[:, label] = model.fit(x, wanted).decision_function(test)
    return out


def _top_labels(scores: Array, counts: Array) -> Array:
    """Mark the ``counts[i]`` labels of the highest scores of row ``i``."""
    rank = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1, kind="stable")
    marked: Array = rank < counts[:, None]
    return marked
