"""The tour behind ``python3 dev.py demo``: sparsify, train, follow a stream, write a report.

Everything is offline: the data are bundled.  Each step returns its section of the report; a
further step is one more function in STEPS.
"""

from __future__ import annotations

import argparse
import os
import time
import timeit
from pathlib import Path

import numpy as np
from before_after import before_after, layout
from demo_report import Row, Section, image, table, write_report
from stream_updates import follow, plot

from graphsparse import DynamicSparsifier, Graph, grass, random_edges, teddy
from graphsparse.cli.summary import summary
from graphsparse.datasets import Dataset, load_dataset

KEEP = 0.36  # of the edges: what 20 rounds that each drop 5 % leave
METHODS = {
    "teddy": lambda graph, keep: teddy(graph, keep),
    "teddy, protect=top1": lambda graph, keep: teddy(graph, keep, protect="top1"),
    "random_edges": lambda graph, keep: random_edges(graph, keep, seed=7),
}
ARMS = {
    "dense": {},
    "edges: TEDDY": {"edges": {"keep": KEEP}},
    "edges: TEDDY top1": {"edges": {"keep": KEEP, "options": {"protect": "top1"}}},
    "edges: random pairs": {"edges": {"keep": KEEP, "method": "random"}},
    "edges: TEDDY top1, weights: l0": {
        "edges": {"keep": KEEP, "options": {"protect": "top1"}},
        "weights": {"keep": 0.25},
        "distill": {"weight": 10.0},
    },
}


def look(graph: Graph, name: str, labels: np.ndarray, seconds: float | None) -> Row:
    """Return a row of the table: what there is of a graph."""
    u, v = graph.edges()
    facts = summary(graph)
    return {
        "method": name,
        "edges": f"{graph.num_edges:,}",
        "within a class": f"{(labels[u] == labels[v]).mean():.1%}",
        "isolated nodes": f"{facts['isolated_nodes']:,}",
        "components": f"{facts['components']:,}",
        "time": "" if seconds is None else f"{1000 * seconds:.1f} ms",
    }


def sparsify_step(digits: Dataset, graph: Graph, options: argparse.Namespace) -> Section:
    """Keep the same number of edges by each method, and look at what is left."""
    labels = digits.arrays["y"]
    rows = [look(graph, "all edges", labels, seconds=None)]
    for name, method in METHODS.items():
        sparse = method(graph, KEEP)
        seconds = min(timeit.repeat(lambda m=method: m(graph, KEEP), number=1, repeat=3))
        rows.append(look(sparse, name, labels, seconds))
    pixels = digits.arrays["x"] - digits.arrays["x"].mean(axis=0)
    xy = layout(graph, pixels @ np.linalg.svd(pixels, full_matrices=False)[2][:2].T)
    picture = options.out / "before_after.png"
    title = "Handwritten digits joined to their nearest neighbours, thinned out by TEDDY"
    before_after(graph, teddy(graph, KEEP, protect="top1"), xy, labels, title, picture)
    return Section("Sparsify", [image(picture), table(rows)], rows)


def train_step(digits: Dataset, graph: Graph, options: argparse.Namespace) -> Section:
    """Train a GCN on all edges and on the kept ones, with all weights and with few."""
    from graphsparse.training import NodeData
    from graphsparse.training.experiment import Experiment
    from graphsparse.training.recipe import Recipe
    from graphsparse.training.summary import score_text, summarize
    from graphsparse.training.sweep import Arm

    data = NodeData.from_pyg(digits.to_pyg(), graph=graph)
    base = Recipe.from_dict(
        {
            "data": {"name": "digits"},
            "model": {"hidden": 64},
            "train": {"epochs": options.epochs},
        }
    )
    arms = [Arm(name, base.replace(**changes)) for name, changes in ARMS.items()]
    experiment, seeds = Experiment(data), range(3, 3 + options.seeds)
    runs = [
        {"arm": arm.name, "result": experiment.run(arm.recipe, seed)}
        for arm in arms
        for seed in seeds
    ]
    rows = [
        {
            "run": one.arm,
            "edges": f"{one.edges:,.0f}",
            "weights": f"{one.weights:,.0f}",
            "MACs": f"{one.macs / 1e6:.1f} M",
            "test accuracy": f"{score_text(one)}",
        }
        for one in summarize(runs)
    ]
    return Section(f"Train: GCN, {len(seeds)} seeds", [table(rows)], rows)


def stream_step(digits: Dataset, graph: Graph, options: argparse.Namespace) -> Section:
    """Let a spectral sparsifier of a mesh follow insertions and deletions."""
    mesh = load_dataset("delaunay").graph
    found = follow(DynamicSparsifier(mesh, grass(mesh, alpha=0.1), seed=5))
    picture = options.out / "stream.png"
    plot(found, picture)
    rows = [
        {
            "after batch": str(number),
            "kappa": f"{found[number]['kappa']:.1f}",
            "kappa of the start": f"{found[number]['untouched']:.1f}",
            "edges per node": f"{found[number]['edges_per_node']:.3f}",
        }
        for number in (0, 5, 10, 20)
    ]
    title = "Stream: 500 insertions and 20 deletions on a mesh"
    return Section(title, [image(picture), table(rows)], rows)


STEPS = (sparsify_step, train_step, stream_step)


def main() -> None:
    """Run the steps, print their tables and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder of the report")
    parser.add_argument("--seeds", type=int, default=3, help="number of training runs of each kind")
    parser.add_argument("--epochs", type=int, default=200)
    options = parser.parse_args()
    start = time.perf_counter()
    digits = load_dataset("digits")
    graph = digits.graph.symmetrize()
    print(f"digits: {graph}\n")
    sections = []
    for step in STEPS:
        sections.append(step(digits, graph, options))
        print(sections[-1].text(), flush=True)
    report = options.out / "report.html"
    write_report(report, "graphsparse demo", sections)
    print(f"{time.perf_counter() - start:.0f} s; report: {os.path.relpath(report)}")


if __name__ == "__main__":
    main()
