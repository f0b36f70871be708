"""Dynamic link prediction: a GCN refreshed on the sparsified snapshot or the whole.

    python benchmarks/stream_links.py                  # CollegeMsg, about three minutes
    python benchmarks/stream_links.py --epochs 20 --every 5
    python benchmarks/stream_links.py --set sx-mathoverflow --days 90 --batch 2000 --every 20

Events come in order of time through a window of 28 days into a :class:`DynamicSparsifier`.
Every few batches a model takes a few steps on the snapshot (positives: its edges, negatives: random
pairs), and then ranks the pairs that are new within the next batches above as many random ones:
area under the curve.  All models see the same pairs; one passes messages over the whole snapshot,
one over the sparsifier, one over nothing (a vector for each node), which is the baseline.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch
from harness import write_result
from shared_graphs import data_folder
from sklearn.metrics import roc_auc_score
from torch import nn
from torch_geometric.nn import GCNConv

from graphsparse import DynamicSparsifier, EdgeBatch, Graph
from graphsparse.convert import to_pyg
from graphsparse.streaming import EventWindow, InMemory, read_events

DAY = 86_400.0
KINDS = ("full", "sparsifier", "none")


class Links(nn.Module):
    """Two graph convolutions over an embedding per node, and a product of vectors."""

    def __init__(self, nodes: int, dim: int) -> None:
        super().__init__()
        self.start = nn.Parameter(0.1 * torch.randn(nodes, dim))
        self.layers = nn.ModuleList(GCNConv(dim, dim) for _ in range(2))

    def forward(self, edges: torch.Tensor | None, pairs: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = self.start
        if edges is not None:
            for layer in self.layers:
                x = x + layer(x, edges).relu()
        return (x[pairs[0]] * x[pairs[1]]).sum(1)


def random_pairs(rng: np.random.Generator, active: np.ndarray, count: int) -> np.ndarray:
    return active[rng.integers(0, len(active), (2, count))]


def fit(
    model: Links,
    edges: torch.Tensor | None,
    known: np.ndarray,
    rng: np.random.Generator,
    epochs: int,
) -> float:
    """Take some steps; return seconds."""
    start = time.perf_counter()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-5)
    active = np.unique(known)
    for _ in range(epochs):
        other = random_pairs(rng, active, known.shape[1])
        pairs = torch.from_numpy(np.concatenate((known, other), axis=1))
        wanted = torch.zeros(pairs.shape[1])
        wanted[: known.shape[1]] = 1
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(model(edges, pairs), wanted).backward()
        optimizer.step()
    return time.perf_counter() - start


def new_pairs(batches: list[EdgeBatch], graph: Graph) -> np.ndarray:
    """Return the pairs of active nodes that the next events join and the graph does not."""
    u = np.concatenate([batch.u for batch in batches])
    v = np.concatenate([batch.v for batch in batches])
    n = graph.num_nodes
    low, high = np.minimum(u, v), np.maximum(u, v)
    a, b = graph.edges()
    keys = np.setdiff1d((low * n + high)[low != high], a.astype(np.int64) * n + b)
    pairs = np.stack((keys // n, keys % n))
    return pairs[:, (graph.degree[pairs] > 0).all(axis=0)]


def one_seed(seed: int, batches: list[EdgeBatch], nodes: int, options: Any) -> dict[str, Any]:
    """Stream all events once, with a model of each kind beside them."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    none = Graph.from_edges([], num_nodes=nodes)
    target = InMemory(DynamicSparsifier(none, none, K=options.threshold, seed=seed))
    target.window = EventWindow(options.days * DAY)
    models = {kind: Links(nodes, options.dim) for kind in KINDS}
    state = models["full"].state_dict()
    for model in models.values():
        model.load_state_dict(state)
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    seconds, keeps = dict.fromkeys(KINDS, 0.0), []
    for at, batch in enumerate(batches):
        report = target.update(batch)
        if (at + 1) % options.every or at + 1 >= len(batches):
            continue
        graph, sparsifier = target.stream.graph(), target.stream.sparsifier()
        known = np.stack(graph.edges()).astype(np.int64)
        ahead = new_pairs(batches[at + 1 : at + 1 + options.every], graph)
        other = random_pairs(rng, np.unique(known), ahead.shape[1])
        pairs = torch.from_numpy(np.concatenate((ahead, other), axis=1))
        truth = np.repeat([1, 0], ahead.shape[1])
        keeps.append(report.keep)
        inputs = {"full": graph, "sparsifier": sparsifier, "none": None}
        for kind, model in models.items():
            part = inputs[kind]
            edges = None if part is None else to_pyg(part).edge_index
            draws = np.random.default_rng([seed, at])
            seconds[kind] += fit(model, edges, known, draws, options.epochs)
            with torch.no_grad():
                found[kind].append(float(roc_auc_score(truth, model(edges, pairs).numpy())))
    return {
        "auc": {kind: float(np.mean(values)) for kind, values in found.items()},
        "seconds": seconds,
        "keep": float(np.mean(keeps)),
        "refreshes": len(keeps),
    }


def main() -> None:
    """Average over seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--every", type=int, default=10, help="batches between refreshes")
    parser.add_argument("--batch", type=int, default=200, help="events of a batch")
    parser.add_argument("--days", type=float, default=28.0, help="window")
    parser.add_argument("--set", choices=("CollegeMsg", "sx-mathoverflow"), default="CollegeMsg")
    parser.add_argument("--dim", type=int, default=32)
    parser.add_argument("--threshold", type=float, default=8.0, help="K")
    options = parser.parse_args()
    torch.set_num_threads(1)
    events = read_events(data_folder() / "temporal" / f"{options.set}.txt.gz")
    order = np.argsort(events.time, kind="stable")  # sx-mathoverflow is not in order
    ends = (events.u[order], events.v[order], events.w[order], events.time[order])
    columns = (np.zeros(len(order), np.uint8), *ends)
    batches = [
        EdgeBatch(*(column[at : at + options.batch] for column in columns))
        for at in range(0, len(order), options.batch)
    ]
    runs = [one_seed(seed, batches, events.num_nodes, options) for seed in range(options.seeds)]
    aucs = {kind: [run["auc"][kind] for run in runs] for kind in KINDS}
    write_result(
        "stream_links" + ("" if options.set == "CollegeMsg" else f"_{options.set}"),
        {
            "set": options.set,
            "days": options.days,
            "events": len(events.u),
            "nodes": events.num_nodes,
            "refreshes": runs[0]["refreshes"],
            "keep_mean": round(float(np.mean([run["keep"] for run in runs])), 3),
            "auc_mean": {k: round(float(np.mean(a)), 4) for k, a in aucs.items()},
            "auc_std": {k: round(float(np.std(a)), 4) for k, a in aucs.items()},
            "training_s": {
                k: round(float(np.mean([run["seconds"][k] for run in runs])), 2) for k in KINDS
            },
            "seeds": options.seeds,
        },
    )


if __name__ == "__main__":
    main()
