"""Scores of node vectors by the multi-label protocol."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphsparse import fastrp
from graphsparse.quality import evaluate_embedding
from graphsparse.quality.embedding import _decisions, _top_labels

pytest.importorskip("sklearn")


def problem(n: int = 120):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((n, 5))
    y = x @ rng.standard_normal((5, 4)) + 0.5 * rng.standard_normal((n, 4)) > 0.4
    return x, y


def test_as_many_labels_as_a_node_has() -> None:
    scores = np.array([[0.1, 0.9, 0.5], [0.3, 0.2, 0.3], [1.0, 2.0, -np.inf]])
    marked = _top_labels(scores, np.array([2, 1, 0]))
    assert marked.tolist() == [[False, True, True], [True, False, False], [False] * 3]


def test_equals_liblinear() -> None:
    from sklearn.linear_model import LogisticRegression

    x, y = problem()
    ours = _decisions(x[:60], y[:60], x[60:], C=0.1)
    for label in range(4):
        model = LogisticRegression(C=0.1, solver="liblinear", tol=1e-8).fit(x[:60], y[:60, label])
        assert np.abs(model.decision_function(x[60:]) - ours[:, label]).max() < 1e-3


def test_labels_nobody_has_are_never_predicted() -> None:
    x, y = problem()
    y[:, 2] = False
    y[:, 3] = True
    scores = _decisions(x[:50], y[:50], x[50:], C=1.0)
    assert np.isneginf(scores[:, 2]).all()
    assert np.isposinf(scores[:, 3]).all()
    assert evaluate_embedding(x, y, 0.5, shuffles=2).micro_mean > 0.7


def test_better_vectors_score_higher_and_seeds_repeat() -> None:
    import scipy.sparse as sp

    x, y = problem(400)
    good = evaluate_embedding(x, sp.csr_array(y), 0.5, shuffles=3)
    noise = evaluate_embedding(np.random.default_rng(0).standard_normal((400, 5)), y, 0.5)
    assert good.micro_mean > noise.micro_mean + 0.2
    assert good == evaluate_embedding(x, y, 0.5, shuffles=3)
    assert str(good).startswith("50%: micro 0.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": 0.0}, "train must be"),
        ({"train": 1.0}, "train must leave nodes on both sides, got 1.0 of 120"),
        ({"C": 0}, "C must be positive, got 0"),
        ({"shuffles": 0}, "shuffles must be >= 1, got 0"),
        ({"labels": np.ones((7, 2))}, r"got \(120, 5\) and \(7, 2\)"),
        ({"embedding": np.full((120, 2), np.nan)}, "embedding must be finite, got 240"),
    ],
)
def test_bad_input(change, message: str) -> None:
    x, y = problem()
    given = {"embedding": x, "labels": y, **change}
    with pytest.raises(ValueError, match=message):
        evaluate_embedding(given.pop("embedding"), given.pop("labels"), **given)


@pytest.mark.slow
def test_blogcatalog_at_ten_percent(shared_data: Path) -> None:
    from scipy.io import loadmat

    data = loadmat(shared_data / "embedding" / "blogcatalog.mat")
    z = fastrp(data["network"], 512, beta=-0.64)
    score = evaluate_embedding(z, data["group"], 0.1, C=0.1, shuffles=2)
    assert abs(score.micro_mean - 0.3748) < 0.015
    assert abs(score.macro_mean - 0.2294) < 0.015
