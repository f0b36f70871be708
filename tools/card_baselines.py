"""Measure what the cards of ``datasets/`` quote: ``python tools/card_baselines.py``."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from graphsparse.datasets import load_dataset


def node_classification(name: str) -> None:
    """Print the accuracy of logistic regression after 0, 1 and 2 steps of neighbour averaging."""
    dataset = load_dataset(name)
    x, y = dataset.arrays["x"].astype(np.float64), dataset.arrays["y"]
    adjacency = dataset.graph.to_scipy()
    degree = np.maximum(dataset.graph.degree, 1)[:, None]
    for hops in range(3):
        scores = [
            LogisticRegression(max_iter=2000)
            .fit(x[split.train], y[split.train])
            .score(x[split.test], y[split.test])
            for split in dataset.splits
        ]
        print(f"{name}, {hops} hops: {100 * np.mean(scores):.1f} +- {100 * np.std(scores):.1f}")
        x = (x + (adjacency @ x) / degree) / 2


def hypergraph() -> None:
    """Print the F1 of each node's most frequent training label."""
    dataset = load_dataset("hypergraph")
    graph, y, split = dataset.content, dataset.arrays["y"], dataset.splits[0]
    train, test = (np.isin(graph.hyperedges, part) for part in (split.train, split.test))
    counts = np.zeros((graph.num_nodes, 3)) + np.bincount(y[train]) / train.sum()
    np.add.at(counts, (graph.nodes[train], y[train]), 1)
    guess = counts.argmax(axis=1)[graph.nodes[test]]
    for average in ("micro", "macro"):
        print(f"hypergraph, {average} F1: {f1_score(y[test], guess, average=average):.3f}")


if __name__ == "__main__":
    node_classification("digits")
    node_classification("planted_partition")
    hypergraph()
