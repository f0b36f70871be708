"""Accuracy of sparse graphs and sparse weights on Cora and CiteSeer: the protocol of TEDDY.

    python benchmarks/teddy_accuracy.py run --models gcn,gin --seeds 0-9 --folder runs/accuracy
    python benchmarks/teddy_accuracy.py table --folder runs/accuracy

Public split, 200 epochs of Adam (lr 0.01, weight decay 5e-4), test accuracy at the first best
validation epoch.  Level i keeps 0.95^i of the edges and 0.9^i of the weights.  Arms: dense;
{TEDDY, random pairs} x {distillation weight 10, none} with weights projected after each step;
edges alone: TEDDY, TEDDY with protect="top1", random pairs.  Each run is a JSON file, so a
stopped sweep goes on where it was.  Seeds are the outer loop: partial results are balanced.

``table`` writes benchmarks/results/teddy_accuracy/*.json and docs/results/teddy_accuracy.md.
The data come from $GRAPHSPARSE_TEST_DATA or ../shared/data.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from harness import RESULTS, ROOT, commit, machine

from graphsparse.training.data import NodeData
from graphsparse.training.experiment import Experiment
from graphsparse.training.levels import level_keep
from graphsparse.training.recipe import Recipe
from graphsparse.training.summary import score_text, summarize
from graphsparse.training.sweep import Arm, run_key, sweep

SETS = ("Cora", "CiteSeer")
LEVELS = (5, 10, 15, 20)
EDGE_ARMS = {
    "TEDDY": {"method": "teddy"},
    "random pairs": {"method": "random"},
}
EDGES_ONLY = {
    "TEDDY": {"method": "teddy"},
    "TEDDY top1": {"method": "teddy", "options": {"protect": "top1"}},
    "random pairs": {"method": "random"},
}
# The reference network has 8 heads of `hidden` = 512; 8 heads of 64 make a network of 512.
HIDDEN = {"gcn": 512, "gin": 512, "gat": 64}

HEAD = """# Accuracy with sparse graphs and sparse weights

Made by `python benchmarks/teddy_accuracy.py table` from the runs of
`python benchmarks/teddy_accuracy.py run`; every run is listed in
`benchmarks/results/teddy_accuracy/`.

Public Planetoid split, 200 epochs of Adam (lr 0.01, weight decay 5e-4), test accuracy in percent
at the first best validation epoch, mean ± sample standard deviation over the seeds that were run
(last column). Level i keeps 0.95^i of the edges (77, 60, 46, 36 %) and, where the arm says
"weights", 0.9^i of the weights (59, 35, 21, 12 %), projected after every step. "distillation" is
from the dense model of the same seed on the full graph, weight 10. "random pairs" draws a new
sample of undirected edges for each seed; the usual baseline of single directions is about two
points weaker. "top1" is TEDDY with `protect="top1"`. GAT has 8 heads of 64 here (512 in all), not
8 heads of 512 as in the reference.

The number of seeds that were run stands in the last column. What we read in the tables:
[TEDDY, Accuracy](../methods/teddy.md#accuracy).
"""


def arms(name: str, model: str, hidden: int) -> list[Arm]:
    """Return every arm of one data set and backbone, dense first."""
    base = Recipe.from_dict({"data": {"name": name}, "model": {"name": model, "hidden": hidden}})
    listed = [
        Arm("dense|0", base),
        Arm("dense + distillation|0", base.replace(distill={"weight": 10.0})),
    ]
    for level in reversed(LEVELS):
        edge_keep, weight_keep = level_keep(level, 0.05), level_keep(level, 0.10)
        for arm, edges in EDGE_ARMS.items():
            sparse = base.replace(edges={**edges, "keep": edge_keep}, weights={"keep": weight_keep})
            distilled = sparse.replace(distill={"weight": 10.0})
            listed.append(Arm(f"{arm} + weights + distillation|{level}", distilled))
            listed.append(Arm(f"{arm} + weights|{level}", sparse))
        for arm, edges in EDGES_ONLY.items():
            trimmed = base.replace(edges={**edges, "keep": edge_keep})
            listed.append(Arm(f"{arm}, edges only|{level}", trimmed))
    return listed


def load(name: str) -> NodeData:
    """Stage a Planetoid set and read it."""
    folder = Path(os.environ.get("GRAPHSPARSE_TEST_DATA", ROOT.parent / "shared" / "data"))
    sys.path.insert(0, str(folder))
    from stage import stage
    from torch_geometric.datasets import Planetoid

    scratch = Path(tempfile.gettempdir()) / "graphsparse-bench"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return NodeData.from_pyg(Planetoid(stage(name, scratch), name)[0])


def run(args: argparse.Namespace) -> None:
    """Run what is missing until it is done or the time is up."""
    import torch

    torch.set_num_threads(1)
    experiments = {name: Experiment(load(name)) for name in args.sets}
    end = time.monotonic() + 60 * args.minutes

    def tell(done: dict[str, Any]) -> None:
        figures = done["result"]
        print(
            f"{datetime.datetime.now():%H:%M:%S} {done['recipe']['data']['name']:8} "
            f"{done['recipe']['model']['name']} seed {done['seed']} {done['arm']:44} "
            f"{100 * figures['test']:.1f}  {1000 * figures['seconds']['epoch']:.1f} ms/epoch",
            flush=True,
        )

    for seed in args.seeds:
        for model in args.models:
            for name in args.sets:
                hidden = args.hidden or HIDDEN[model]
                for arm in arms(name, model, hidden):
                    if time.monotonic() > end:
                        print("time is up")
                        return
                    sweep(experiments[name], [arm], [seed], args.folder, on_run=tell)


def table(args: argparse.Namespace) -> None:
    """Summarise the runs that exist: one JSON file and one Markdown table per set and model."""
    out = RESULTS / "teddy_accuracy"
    out.mkdir(parents=True, exist_ok=True)
    text = [HEAD]
    for name in args.sets:
        for model in args.models:
            hidden = args.hidden or HIDDEN[model]
            runs = []
            for arm in arms(name, model, hidden):
                for seed in args.seeds:
                    path = args.folder / f"{run_key(arm.recipe, seed)}.json"
                    if path.exists():
                        runs.append({**json.loads(path.read_text()), "arm": arm.name})
            if not runs:
                continue
            summaries = summarize(runs)
            record = {
                "commit": commit(),
                "machine": machine(),
                "set": name,
                "model": model,
                "hidden": hidden,
                "arms": [s.__dict__ for s in summaries],
                "runs": [slim(r) for r in runs],
            }
            (out / f"{name}_{model}.json").write_text(json.dumps(record, indent=1) + "\n")
            text.append(f"\n## {name}, {model.upper()}-{hidden}\n\n{grid_table(summaries)}")
            text.append(f"\n{cost_table(summaries, runs)}")
    target = ROOT / "docs" / "results" / "teddy_accuracy.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(text))
    print("".join(text))


def slim(run: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a run that the result file keeps."""
    return {"arm": run["arm"], "seed": run["seed"], **run["result"]}


def grid_table(summaries: list[Any]) -> str:
    """Return arms as rows and levels as columns: mean, deviation and number of seeds."""
    found = {s.arm: s for s in summaries}
    names = list(dict.fromkeys(s.arm.split("|")[0] for s in summaries))
    dense = [found[a] for a in ("dense|0", "dense + distillation|0") if a in found]
    lines = [
        ", ".join(f"{s.arm[:-2]}: **{score_text(s)[:-2]}** ({s.runs} seeds)" for s in dense)
        + ".\n\n"
    ]
    lines.append("| arm | " + " | ".join(f"level {i}" for i in LEVELS) + " | seeds |\n")
    lines.append("|---|" + "---:|" * (len(LEVELS) + 1) + "\n")
    for name in names:
        cells = [found.get(f"{name}|{i}") for i in LEVELS]
        if not any(cells):
            continue
        seeds = sorted({c.runs for c in cells if c})
        shown = [score_text(c)[:-2] if c else "–" for c in cells]
        lines.append(f"| {name} | {' | '.join(shown)} | {'–'.join(map(str, seeds))} |\n")
    return "".join(lines)


def cost_table(summaries: list[Any], runs: list[dict[str, Any]]) -> str:
    """Return what the full recipe keeps at each level, and what an epoch and a choice cost."""
    found = {s.arm: s for s in summaries}
    lines = [
        "| level | edges kept | weights kept | MACs | CPU ms per epoch | score + select, ms |\n",
        "|---:|---:|---:|---:|---:|---:|\n",
    ]
    for level in (0, *LEVELS):
        arm = f"TEDDY + weights + distillation|{level}" if level else "dense|0"
        if arm not in found:
            continue
        s = found[arm]
        results = [r["result"] for r in runs if r["arm"] == arm]
        epoch = statistics.median(r["seconds"]["train_cpu"] / r["epochs"] for r in results)
        choice = [r["seconds"]["score"] + r["seconds"]["select"] for r in results if level]
        shown = f"{1000 * statistics.median(choice):.1f}" if choice else "–"
        lines.append(
            f"| {level} | {s.edges:,.0f} | {s.weights:,.0f} | {s.macs / 1e6:,.0f} M "
            f"| {1000 * epoch:.0f} | {shown} |\n"
        )
    return "".join(lines)


def seed_list(text: str) -> list[int]:
    """Return the seeds of ``0-9`` or ``3,5,7``."""
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(s) for s in text.split(",")]


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("run", "table"))
    parser.add_argument("--models", type=lambda s: s.split(","), default=["gcn", "gin", "gat"])
    parser.add_argument("--sets", type=lambda s: s.split(","), default=list(SETS))
    parser.add_argument("--seeds", type=seed_list, default=list(range(10)))
    parser.add_argument("--hidden", type=int, help="width, or width of a head for gat")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "teddy_accuracy")
    parser.add_argument("--minutes", type=float, default=1e9, help="start no run after this long")
    args = parser.parse_args()
    {"run": run, "table": table}[args.command](args)


if __name__ == "__main__":
    main()
