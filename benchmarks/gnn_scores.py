"""Which edge score serves GNNs best?  Candidates, models and sets by validation, then the test.

    python benchmarks/gnn_scores.py run --seeds 0-9 --folder runs/gnn_scores
    python benchmarks/gnn_scores.py table --folder runs/gnn_scores

Every candidate looks at the graph only, never at features or labels.  "first" means that the best
edge of each node goes last (``keep_by_scores``).  Sets, models and fractions kept: ``SETS``,
``MODELS``, ``KEEPS``; all with one configuration (hidden 64, two layers, dropout 0.5, Adam).
Seed s takes split s where a set has ten.  A run is a JSON file, so a stopped sweep goes on where it
was; seeds are the outer loop.  ``table`` chooses by validation scores only and writes
benchmarks/results/gnn_scores.json and docs/results/gnn_scores.md.  The data come from
$GRAPHSPARSE_TEST_DATA or ../shared/data.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import ROOT, write_result
from shared_graphs import data_folder

from graphsparse import Graph, load_dataset, sparsify
from graphsparse.models import GAT, GCN, SAGE
from graphsparse.operators.keep_by_scores import keep_by_scores
from graphsparse.operators.scored import edge_scores
from graphsparse.training import NodeData, adam, set_seed, train
from graphsparse.training.callbacks import EarlyStopping
from graphsparse.training.checkpoint import write_atomic

Array = np.ndarray[Any, np.dtype[Any]]
SETS = {
    "Cora": "accuracy",
    "CiteSeer": "accuracy",
    "cora_ml": "accuracy",
    "actor": "accuracy",
    "chameleon": "accuracy",
    "minesweeper": "roc_auc",
    "brazil_airports": "accuracy",
    "europe_airports": "accuracy",
    "digits": "accuracy",
}
MODELS = {"gcn": GCN, "sage": SAGE, "gat": GAT}
KEEPS = (0.7, 0.5, 0.36)
EPOCHS, PATIENCE = 200, 50
RAW = ("Cora", "CiteSeer", "cora_ml", "actor", "chameleon")  # bags of words: rows sum to one


def by_method(name: str, **options: Any) -> Callable[[Graph, float, int], Graph]:
    """Return a candidate that is a method as it stands."""
    return lambda graph, keep, seed: sparsify(graph, name, keep, seed=seed, **options).graph


def first_of(score: Callable[[Graph], Array]) -> Callable[[Graph, float, int], Graph]:
    """Return a candidate that keeps the best edge of each node before all others."""

    def cut(graph: Graph, keep: float, seed: int) -> Graph:
        del seed
        found = score(graph)
        found[~np.isfinite(found)] = 0.0  # of self-loops, which always stay
        return keep_by_scores(graph, found[graph.arc_edges()], keep)

    return cut


def method_scores(name: str) -> Callable[[Graph], Array]:
    """Return the scores of a method of the static family."""
    return lambda graph: edge_scores(graph, name)


def resource_allocation(graph: Graph) -> Array:
    """Return ``1/d_u + 1/d_v`` plus ``sum of 1/d_w`` over common neighbours ``w``, per edge."""
    a = graph.to_scipy().astype(bool).astype(np.float64)
    inverse = 1.0 / np.maximum(np.asarray(a.sum(axis=1)).ravel(), 1.0)
    u, v = graph.edges()
    common = np.asarray(a.multiply(inverse).dot(a.T)[u, v]).ravel()
    return common + inverse[u] + inverse[v]


def mixed_ranks(graph: Graph) -> Array:
    """Return the mean rank of an edge by Jaccard and by the degree resistance."""
    ranks = [
        np.unique(np.round(edge_scores(graph, name), 12), return_inverse=True)[1]
        for name in ("jaccard", "degree_resistance")
    ]
    return sum(rank / max(rank.max(), 1) for rank in ranks)


CANDIDATES: dict[str, Callable[[Graph, float, int], Graph]] = {
    "random": by_method("random"),
    "teddy": by_method("teddy"),
    "teddy first": by_method("teddy", protect="top1"),
    "jaccard": by_method("jaccard"),
    "jaccard first": first_of(method_scores("jaccard")),
    "scan first": first_of(method_scores("scan")),
    "local similarity": by_method("local_similarity"),
    "local degree": by_method("local_degree"),
    "degree resistance first": first_of(method_scores("degree_resistance")),
    "resource allocation first": first_of(resource_allocation),
    "mixed ranks first": first_of(mixed_ranks),
}


@cache
def dataset(name: str) -> Any:
    """Stage a set and read it; the bundled one is at hand."""
    if name == "digits":
        return load_dataset(name)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(data_folder()))
    from stage import stage

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = stage(name, Path(tempfile.gettempdir()) / "graphsparse-bench")
        return load_dataset(name, root=root, offline=True)


@cache
def node_data(name: str, seed: int) -> NodeData:
    """Return the task of a seed on the graph without directions."""
    found = dataset(name)
    pyg = found.to_pyg(seed % len(found.splits))
    data = NodeData.from_pyg(pyg, normalize=name in RAW)
    return data.with_graph(data.graph.symmetrize("max") if data.graph.directed else data.graph)


def fit(name: str, model: str, candidate: str, keep: float, seed: int) -> dict[str, Any]:
    """Train once."""
    data = node_data(name, seed)
    if keep < 1.0:
        thin = CANDIDATES[candidate](data.graph, keep, seed)
        data = data.with_graph(thin)
    set_seed(seed)
    options = {"heads": 4} if model == "gat" else {}
    hidden = 16 if model == "gat" else 64
    net = MODELS[model](data.x.shape[1], hidden, data.num_classes, dropout=0.5, **options)
    result = train(
        net,
        data,
        epochs=EPOCHS,
        optimizer=adam(net, 0.01, 5e-4),
        metric=SETS[name],
        callbacks=[EarlyStopping(PATIENCE)],
        keep_weights=False,
    )
    return {"val": result.val, "test": result.test, "epochs": result.epochs,
            "edges": data.graph.num_edges}  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Run what is missing until it is done or the time is up."""
    arms = [("all edges", 1.0), *itertools.product(args.candidates, KEEPS)]
    for seed, name, model in itertools.product(args.seeds, args.sets, args.models):
        start, done = time.process_time(), 0
        for candidate, keep in arms:
            if time.monotonic() > args.end:
                print("time is up")
                return
            key = f"{name}-{model}-{candidate.replace(' ', '_')}-{keep}-{seed}.json"
            path = args.folder / key
            if path.exists():
                continue
            about = {"set": name, "model": model, "score": candidate, "keep": keep, "seed": seed}
            record = {**about, **fit(name, model, candidate, keep, seed)}
            write_atomic(path, (json.dumps(record) + "\n").encode())
            done += 1
        print(seed, name, model, done, f"{time.process_time() - start:.0f} s", flush=True)


def complete(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the runs of (set, model, seed) that have every candidate and keep."""
    arms: dict[tuple[str, str, int], set[tuple[str, float]]] = {}
    for r in runs:
        arms.setdefault((r["set"], r["model"], r["seed"]), set()).add((r["score"], r["keep"]))
    whole = {("all edges", 1.0), *itertools.product(CANDIDATES, KEEPS)}
    return [r for r in runs if arms[r["set"], r["model"], r["seed"]] >= whole]


def means(runs: list[dict[str, Any]], part: str) -> dict[tuple[str, str, float, str], list[float]]:
    """Return the scores of all seeds by set, model, keep and candidate."""
    found: dict[tuple[str, str, float, str], list[float]] = {}
    for r in runs:
        found.setdefault((r["set"], r["model"], r["keep"], r["score"]), []).append(r[part])
    return found


def mean_ranks(
    scores: dict[tuple[str, str, float, str], list[float]], keep: float
) -> dict[str, float]:
    """Return the mean rank of each candidate over sets and models, 1 the best, ties shared."""
    cells = sorted({key[:2] for key in scores})
    total = dict.fromkeys(CANDIDATES, 0.0)
    for name, model in cells:
        mean = {c: statistics.fmean(scores[name, model, keep, c]) for c in CANDIDATES}
        for c in CANDIDATES:
            above = sum(mean[d] > mean[c] for d in CANDIDATES)
            level = sum(mean[d] == mean[c] for d in CANDIDATES)
            total[c] += above + (level + 1) / 2
    return {c: total[c] / len(cells) for c in CANDIDATES}


def table(args: argparse.Namespace) -> None:
    """Choose by validation, then show the test scores."""
    runs = [json.loads(path.read_text()) for path in sorted(args.folder.glob("*.json"))]
    runs = complete(runs)
    val, test = means(runs, "val"), means(runs, "test")
    lines = [HEAD, "## Mean rank over sets and models (1 is best)\n\n"]
    lines.append(
        "| score | " + " | ".join(f"{k:g}: val | test" for k in KEEPS) + " | all: val | test |\n"
    )
    lines.append("|---|" + "---:|" * (2 * len(KEEPS) + 2) + "\n")
    ranks = {p: {k: mean_ranks(s, k) for k in KEEPS} for p, s in (("val", val), ("test", test))}
    overall = {
        p: {c: statistics.fmean(ranks[p][k][c] for k in KEEPS) for c in CANDIDATES} for p in ranks
    }
    chosen = min(CANDIDATES, key=lambda c: overall["val"][c])
    for c in sorted(CANDIDATES, key=lambda c: overall["val"][c]):
        cells = [f"{ranks[p][k][c]:.1f}" for k in KEEPS for p in ("val", "test")]
        cells += [f"{overall[p][c]:.2f}" for p in ("val", "test")]
        name = f"**{c}**" if c == chosen else c
        lines.append(f"| {name} | {' | '.join(cells)} |\n")
    lines += wins(test, chosen)
    for k in KEEPS:
        lines += keep_table(test, k)
    page = ROOT / "docs" / "results" / "gnn_scores.md"
    page.write_text("".join(lines))
    write_result("gnn_scores", {"chosen_by_validation": chosen, "mean_ranks": ranks, "runs": runs})
    print("".join(lines))


def wins(test: dict[tuple[str, str, float, str], list[float]], chosen: str) -> list[str]:
    """Tell how the chosen score does against each other one, cell by cell."""
    cells = sorted({key[:3] for key in test if key[2] < 1.0})
    lines = [f"\n## `{chosen}` against the others\n\nCells are set x model x keep; gap: mean test "
             "difference in percent points, and its standard error over the cells.\n\n",
             "| against | better | worse | gap |\n|---|---:|---:|---:|\n"]  # fmt: skip
    for other in CANDIDATES:
        if other == chosen:
            continue
        gaps = [
            100 * (statistics.fmean(test[*c, chosen]) - statistics.fmean(test[*c, other]))
            for c in cells
        ]
        error = statistics.stdev(gaps) / len(gaps) ** 0.5
        up, down = sum(g > 0 for g in gaps), sum(g < 0 for g in gaps)
        lines.append(f"| {other} | {up} | {down} | {statistics.fmean(gaps):+.2f} ± {error:.2f} |\n")
    return lines


def keep_table(test: dict[tuple[str, str, float, str], list[float]], keep: float) -> list[str]:
    """Return the test scores at one fraction of the edges."""
    columns = sorted({key[:2] for key in test}, key=lambda c: (list(SETS).index(c[0]), c[1]))
    head = " | ".join(("set", "model", "seeds", "all edges", *CANDIDATES))
    lines = [f"\n## Test scores at keep {keep:g}\n\n", f"| {head} |\n"]
    lines.append("|---|---|---:|" + "---:|" * (len(CANDIDATES) + 1) + "\n")
    for name, model in columns:
        rows = [test[name, model, 1.0, "all edges"]]
        rows += [test[name, model, keep, c] for c in CANDIDATES]
        shown = [cell(scores) for scores in rows]
        best = max(range(1, len(rows)), key=lambda at: statistics.fmean(rows[at]))
        shown[best] = f"**{shown[best]}**"
        lines.append(f"| {name} | {model} | {len(rows[0])} | {' | '.join(shown)} |\n")
    return lines


def cell(scores: list[float]) -> str:
    """Return mean and sample standard deviation in percent."""
    spread = f" ± {100 * statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
    return f"{100 * statistics.fmean(scores):.1f}{spread}"


HEAD = """# Edge scores for GNNs

Made by `python benchmarks/gnn_scores.py table` from the runs of `... run`; every run is listed in
`benchmarks/results/gnn_scores.json`. Every candidate looks at the graph only. "first": the best
edge of each node goes last. `mixed ranks`: mean of the ranks by Jaccard and by `1/d_u + 1/d_v`;
`resource allocation`: `1/d_u + 1/d_v` plus the sum of `1/d_w` over common neighbours. One
configuration for all: two layers, width 64 (GAT 4 heads of 16), dropout 0.5, Adam (lr 0.01,
weight decay 5e-4), at most 200 epochs, 50 without a better one. Graphs without directions.
Accuracy in percent, Minesweeper ROC AUC; seed s takes split s where a set has ten. The score in
bold type in the first table is the choice by validation scores alone. Ranks compare the
candidates within each set and model by their mean over the seeds.

"""


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("run", "table"))
    parser.add_argument("--sets", type=lambda s: s.split(","), default=list(SETS))
    parser.add_argument("--models", type=lambda s: s.split(","), default=list(MODELS))
    parser.add_argument("--candidates", type=lambda s: s.split(","), default=list(CANDIDATES))
    parser.add_argument("--seeds", default="0-9", help="0-9 or 3")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "gnn_scores")
    parser.add_argument("--minutes", type=float, default=1e9, help="start no run after this long")
    args = parser.parse_args()
    first, _, last = args.seeds.partition("-")
    args.seeds = range(int(first), int(last or first) + 1)
    args.end = time.monotonic() + 60 * args.minutes
    torch.set_num_threads(1)
    args.folder.mkdir(parents=True, exist_ok=True)
    {"run": run, "table": table}[args.command](args)


if __name__ == "__main__":
    main()
