"""The linear probe: how well a linear map tells labels from smoothed features."""

from __future__ import annotations

import math

import numpy as np

from graphsparse.graph import Graph
from graphsparse.quality.pair import Array, Figure, Pair, Task
from graphsparse.quality.spectral import smooth_twice

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
    centre = z[task.train].mean(0)
    if tested is not None and tested is not graph:
        train = z[task.train]
        z = _smoothed(tested, task)
        z[task.train] = train
    z = z - centre
    classes, codes = np.unique(task.labels, return_inverse=True)
    target = np.eye(len(classes))[codes[task.train]]
    target = target - target.mean(0)
    best, test = -1.0, 0.0
    for scores in _ridge(z, task, target):
        right = scores.argmax(1) == codes
        if (val := float(right[task.val].mean())) > best:
            best, test = val, float(right[task.test].mean())
    return test


def _smoothed(graph: Graph, task: Task) -> Array:
    """Return ``S^2 X`` with rows of length one."""
    x = np.asarray(task.features, np.float64)
    total = x.sum(1, keepdims=True)
    z = smooth_twice(graph, np.divide(x, total, out=np.zeros_like(x), where=total != 0))
    norm = np.sqrt((z * z).sum(1, keepdims=True))
    unit: Array = np.divide(z, norm, out=np.zeros_like(z), where=norm > 0)
    return unit


def _ridge(z: Array, task: Task, target: Array) -> list[Array]:
    """Return the scores of all nodes for every penalty, by the smaller of the two systems."""
    train = z[task.train]
    found = []
    if len(train) <= z.shape[1]:
        gram, cross = train @ train.T, z @ train.T
        for penalty in PENALTIES:
            system = gram + penalty * np.eye(len(train))
            found.append(cross @ np.linalg.solve(system, target))
        return found
    gram, right = train.T @ train, train.T @ target
    for penalty in PENALTIES:
        found.append(z @ np.linalg.solve(gram + penalty * np.eye(len(gram)), right))
    return found
