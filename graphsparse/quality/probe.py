"""The linear probe: how well a linear map tells labels from smoothed features."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphsparse.graph import Graph
from graphsparse.quality.pair import Array, Figure, Pair, Task
from graphsparse.quality.spectral import smooth_twice

_SPARSE = 0.1  # share of the features below which they are taken as sparse
PENALTIES = tuple(10.0**k for k in range(-3, 3))


def probe(pair: Pair) -> Figure:
    """Return how much of the graph's gain in accuracy over no edges the sparse graph keeps."""
    task = pair.task
    if task is None:
        raise ValueError("probe needs features, labels and masks")
    g, h = pair.undirected
    none = g.edge_subgraph(np.zeros(g.num_edges, bool))
    tested = g if task.test_on == "full" else h
    accuracy = [
        probe_accuracy(h, task, tested),
        pair.of_full("probe without edges", lambda: probe_accuracy(none, task)),
        pair.of_full("probe", lambda: probe_accuracy(g, task)),
    ]
    gain = accuracy[2] - accuracy[1]
    value = 1.0 if gain <= 0 else min(1.0, max(0.0, (accuracy[0] - accuracy[1]) / gain))
    error = math.sqrt(accuracy[0] * (1 - accuracy[0]) / max(len(task.test), 1))
    raw = {"accuracy": accuracy[0], "accuracy_no_edges": accuracy[1], "accuracy_full": accuracy[2]}
    raw["accuracy_error"] = error
    return Figure(value, error / gain if gain > 0 else 0.0, len(task.test), raw)


def probe_accuracy(graph: Graph, task: Task, tested: Graph | None = None) -> float:
    """Return the test accuracy of ridge regression on ``S^2 X``; deterministic.

    It is fitted on ``graph``; validation and test nodes are smoothed by ``tested``, the same graph
    when left out.
    """
    z = _smoothed(graph, task)
    train = z[task.train]
    if tested is not None and tested is not graph:
        z = _smoothed(tested, task)
    classes, codes = np.unique(task.labels, return_inverse=True)
    target = np.eye(len(classes))[codes[task.train]]
    target = target - target.mean(0)
    best, test = -1.0, 0.0
    for scores in _ridge(z, train, target):
        right = scores.argmax(1) == codes
        if (val := float(right[task.val].mean())) > best:
            best, test = val, float(right[task.test].mean())
    return test


def _smoothed(graph: Graph, task: Task) -> Any:
    """Return ``S^2 X`` with rows of length one, sparse where the features are."""
    import scipy.sparse as sp

    x = np.asarray(task.features, np.float64)
    total = x.sum(1)
    share = np.divide(1.0, total, out=np.zeros_like(total), where=total != 0)
    if np.count_nonzero(x) > _SPARSE * x.size:
        z = smooth_twice(graph, share[:, None] * x)
        return _over(np.sqrt((z * z).sum(1)))[:, None] * z
    z = smooth_twice(graph, sp.csr_array(share[:, None] * x))
    return sp.csr_array(sp.diags_array(_over(np.sqrt((z * z).sum(1)))) @ z)


def _over(values: Array) -> Array:
    """Return one over each value, 0 for 0."""
    inverse: Array = np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)
    return inverse


def _ridge(z: Any, train: Any, target: Array) -> Iterator[Array]:
    """Yield the scores of all nodes for every penalty, by the smaller of the two systems.

    Rows count from the mean of the training rows, which is taken off the products: sparse rows
    stay sparse.
    """
    centre = np.asarray(train.mean(0)).ravel()
    if train.shape[0] <= train.shape[1]:
        cross = _product(z, train) - (z @ centre)[:, None] - (train @ centre) + centre @ centre
        gram = (
            _product(train, train) - (train @ centre)[:, None] - (train @ centre) + centre @ centre
        )
        for penalty in PENALTIES:
            yield cross @ np.linalg.solve(gram + penalty * np.eye(len(gram)), target)
        return
    gram = _product(train.T, train.T) - train.shape[0] * np.outer(centre, centre)
    right = train.T @ target  # the target is centred
    for penalty in PENALTIES:
        weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), right)
        yield z @ weights - centre @ weights


def _product(a: Any, b: Any) -> Array:
    """Return ``a b'`` as a dense array."""
    found = a @ b.T
    return found if isinstance(found, np.ndarray) else np.asarray(found.toarray())
