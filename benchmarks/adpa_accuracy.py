"""ADPA and baselines on directed and symmetrised graphs, tuned on validation scores only.

    python benchmarks/adpa_accuracy.py run --trials 30 --folder runs/adpa
    python benchmarks/adpa_accuracy.py table --folder runs/adpa

Per set and arm: random search with a fixed number of trials.  All are trained on split 0; the 40 %
with the best mean validation score so far go on to split 1, of these again 40 % to split 2
(``--tune-splits``); the best of the last is the winner.  It is trained on all ``--splits`` splits,
seed = number of the split, and its test scores are reported at the first best validation epoch.
500 epochs at most, 50 without a better validation score.  Stored splits where there are any, else
ten random ones (20 of each class / 500 / rest; Telegram 60/20/20 %).

Arms: ADPA on the arcs as stored and on the symmetrised graph; MLP; GCN and GraphSAGE on the
symmetrised graph; DirGNN and MagNet (of torch-geometric-signed-directed, dependency group
``bench``) on the arcs.  Each run is a JSON file, so a stopped search goes on where
it was.  ``table`` writes benchmarks/results/adpa_accuracy.json and docs/results/adpa_accuracy.md
from the runs that exist and says how many trials those are.

The data come from $GRAPHSPARSE_TEST_DATA or ../shared/data.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import math
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from harness import RESULTS, ROOT, commit, machine
from magnet import register

from graphsparse import amud, load_dataset
from graphsparse.datasets import Dataset
from graphsparse.training.data import NodeData
from graphsparse.training.experiment import Experiment
from graphsparse.training.recipe import Recipe
from graphsparse.training.sweep import directed_as, run_key

# Set -> figures of the paper for ADPA, as quoted in the spec (None: not available).
SETS: dict[str, str | None] = {
    "texas": "83.8 ± 2.7",
    "cornell": "82.9 ± 3.0",
    "telegram": None,
    "chameleon_filtered_directed": "46.2 ± 1.3",
    "cora_ml": "84.5 ± 0.6",
    "chameleon": None,
    "cora": None,
    "citeseer_directed": "66.0 ± 0.4",
    "minesweeper": None,
    "actor": None,
}
STAGED = {"cora": "Cora"}
ARMS = {
    "ADPA directed": ("adpa", "stored"),
    "ADPA undirected": ("adpa", "undirected"),
    "DirGNN": ("dirgnn", "stored"),
    "MagNet": ("magnet", "stored"),
    "GCN": ("gcn", "undirected"),
    "SAGE": ("sage", "undirected"),
    "MLP": ("mlp", "stored"),
}
EPOCHS, PATIENCE = 500, 50
GOES_ON = 0.4  # share of the trials that see the next split
COMMON: dict[str, list[Any]] = {
    "lr": [0.002, 0.005, 0.01, 0.02, 0.05],
    "weight_decay": [0.0, 5e-5, 5e-4, 5e-3],
    "dropout": [0.2, 0.5, 0.8],
    "hidden": [32, 64, 128],
    "normalize": [True, False],
}
SPACES: dict[str, dict[str, list[Any]]] = {
    "adpa": {
        "layers": [1, 2],
        "num_hops": [1, 2, 3, 5],
        "r": [0.0, 0.25, 0.5, 0.75],
        "hop_attention": ["original", "gate", "simple", "none"],
        "dp_attention": ["original", "jk", "gate", "none"],
        "hop_scale": ["log", "one"],
        "input_dropout": [0.0, 0.5, 0.8],
    },
    "dirgnn": {"layers": [1, 2, 3], "alpha": [0.0, 0.5, 1.0]},
    "magnet": {"layers": [1, 2, 3], "q": [0.05, 0.1, 0.15, 0.2, 0.25]},
    "gcn": {"layers": [1, 2, 3]},
    "sage": {"layers": [1, 2, 3]},
    "mlp": {"layers": [1, 2, 3]},
}


def recipe_of(name: str, metric: str, arm: str, trial: int, split: int) -> Recipe:
    """Return the recipe of a trial: trial 0 has the library's defaults, others are drawn."""
    model, direction = ARMS[arm]
    rng = np.random.default_rng([71, trial, *map(ord, model)])
    space = {**COMMON, **SPACES[model]}
    drawn = {key: values[int(rng.integers(len(values)))] for key, values in space.items()}
    if trial == 0:
        drawn.update(lr=0.01, weight_decay=5e-4, dropout=0.5, hidden=64, normalize=True)
        drawn.update(layers=1 if model == "adpa" else 2)
        defaults = {"num_hops": 2, "r": 0.5, "hop_attention": "original",
                    "dp_attention": "original", "hop_scale": "log", "input_dropout": 0.0,
                    "alpha": 0.5, "q": 0.25}  # fmt: skip
        drawn.update({key: value for key, value in defaults.items() if key in drawn})
    own = [key for key in SPACES[model] if key != "layers"]
    features = "identity" if name == "telegram" else "stored"
    return Recipe.from_dict(
        {
            "data": {"name": name, "split": split, "direction": direction,
                     "normalize": drawn["normalize"], "features": features},
            "model": {"name": model, "hidden": drawn["hidden"], "layers": drawn["layers"],
                      "dropout": drawn["dropout"],
                      "options": {key: drawn[key] for key in own if key in drawn}},
            "train": {"epochs": EPOCHS, "patience": PATIENCE, "lr": drawn["lr"],
                      "weight_decay": drawn["weight_decay"], "metric": metric},
        }
    )  # fmt: skip


class Task:
    """One set: its data once for raw and once for normalised features, directed and not."""

    def __init__(self, name: str) -> None:
        self.name, self.dataset = name, load(name)
        self.metric = self.dataset.metric or "accuracy"
        self._data: dict[tuple[bool, str], NodeData] = {}
        self._experiment: Experiment | None = None

    def base(self, normalize: bool, direction: str) -> NodeData:
        """Return the data of split 0; graph and features are shared with the other splits."""
        key = (normalize, direction)
        if key not in self._data:
            import torch

            pyg = self.dataset.to_pyg(0)
            if self.name == "telegram":
                pyg.x = torch.eye(int(pyg.num_nodes))
            data = NodeData.from_pyg(pyg, normalize=normalize)
            self._data[key] = data.with_graph(directed_as(data, direction))
        return self._data[key]

    def run(self, recipe: Recipe, seed: int) -> dict[str, Any]:
        """Train a recipe once."""
        import torch

        base = self.base(recipe.data.normalize, recipe.data.direction)
        split = self.dataset.splits[recipe.data.split]
        ids = {part: torch.from_numpy(getattr(split, part)) for part in ("train", "val", "test")}
        data = dataclasses.replace(base, **ids)
        if self._experiment is None:
            self._experiment = Experiment(data)
        self._experiment.data = data
        return self._experiment.run(recipe, seed)


def load(name: str) -> Dataset:
    """Stage a set and read it."""
    folder = Path(os.environ.get("GRAPHSPARSE_TEST_DATA", ROOT.parent / "shared" / "data"))
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder))
    from stage import stage

    scratch = Path(tempfile.gettempdir()) / "graphsparse-bench"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stage(STAGED.get(name, name), scratch)
        dataset = load_dataset(name, root=scratch, offline=True)
        if len(dataset.splits) < 10:  # the public split of Planetoid is one
            dataset = load_dataset(name, root=scratch, offline=True, split="random")
        return dataset


def stored(folder: Path, recipe: Recipe, seed: int) -> dict[str, Any] | None:
    """Return a run that was made before."""
    path = folder / f"{run_key(recipe, seed)}.json"
    found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    return found


def run_once(task: Task, folder: Path, recipe: Recipe, seed: int) -> dict[str, Any]:
    """Return the figures of a run, from its file if it is there."""
    found = stored(folder, recipe, seed)
    if found is None:
        result = task.run(recipe, seed)
        kept = {key: result[key] for key in ("test", "val", "best_epoch", "epochs", "seconds")}
        found = {"recipe": recipe.to_dict(), "seed": seed, **kept}
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{run_key(recipe, seed)}.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(found))
        part.replace(path)
    return found


class Search:
    """Random search for one set and arm; its runs are files, so asking twice trains once."""

    def __init__(self, folder: Path, name: str, metric: str, arm: str) -> None:
        self.folder, self.name, self.metric, self.arm = folder, name, metric, arm

    def recipe(self, trial: int, split: int) -> Recipe:
        """Return the recipe of a trial on a split."""
        return recipe_of(self.name, self.metric, self.arm, trial, split)

    def found(self, trial: int, split: int) -> dict[str, Any] | None:
        """Return a run that was made before."""
        return stored(self.folder, self.recipe(trial, split), split)

    def mean(self, trial: int, splits: int) -> float | None:
        """Return the mean validation score over the first splits, if all were run."""
        runs = [self.found(trial, split) for split in range(splits)]
        return statistics.fmean(r["val"] for r in runs if r) if all(runs) else None

    def rungs(self, trials: int, splits: int) -> Iterator[tuple[int, list[int]]]:
        """Yield each split and its trials; the runs of one decide who is in the next."""
        alive = list(range(trials))
        for split in range(splits):
            yield split, alive
            scores = {trial: self.mean(trial, split + 1) for trial in alive}
            ranked = sorted((-s, trial) for trial, s in scores.items() if s is not None)
            alive = [trial for _, trial in ranked[: math.ceil(GOES_ON * len(alive))]]

    def best(self, trials: int, splits: int) -> tuple[int, int]:
        """Return the winner, and how many trials were run on the first split."""
        winner, done = 0, sum(self.mean(trial, 1) is not None for trial in range(trials))
        for split, alive in self.rungs(trials, splits):
            means = [(self.mean(trial, split + 1), -trial) for trial in alive]
            whole = [(mean, trial) for mean, trial in means if mean is not None]
            winner = -max(whole)[1] if whole else winner
        return winner, done


def run(args: argparse.Namespace) -> None:
    """Run what is missing until it is done or the time is up."""
    import torch

    torch.set_num_threads(1)
    end = time.monotonic() + 60 * args.minutes
    for name in args.sets:
        task = Task(name)
        for arm in args.arms:
            start = time.process_time()
            search = Search(args.folder, name, task.metric, arm)
            for split, alive in search.rungs(args.trials, args.tune_splits):
                for trial in alive:
                    if time.monotonic() > end:
                        print("time is up")
                        return
                    run_once(task, args.folder, search.recipe(trial, split), split)
            best, _ = search.best(args.trials, args.tune_splits)
            tests = []
            for split in range(args.splits):
                recipe = search.recipe(best, split)
                tests.append(run_once(task, args.folder, recipe, split)["test"])
            print(
                f"{datetime.datetime.now():%H:%M:%S} {name:28} {arm:16} trial {best:2} "
                f"{100 * statistics.fmean(tests):.1f} ± {100 * statistics.pstdev(tests):.1f}  "
                f"{time.process_time() - start:.0f} CPU s",
                flush=True,
            )


def decisions(name: str) -> dict[str, Any]:
    """Return what AMUD decides by the training labels of each split, and by all labels."""
    dataset = load(name)
    y, n = dataset.to_pyg(None).y.numpy(), dataset.graph.num_nodes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = amud(dataset.graph, y)
        each = [amud(dataset.graph, y, mask=s.mask("train", n)) for s in dataset.splits[:10]]
    return {
        "all": whole.decision,
        "score": whole.score,
        "z": whole.z,
        "reason": whole.reason,
        "train": [result.decision for result in each],
    }


def summary(args: argparse.Namespace, name: str) -> dict[str, Any]:
    """Return the figures of one set from the runs that exist."""
    metric = "roc_auc" if name == "minesweeper" else "accuracy"
    arms: dict[str, Any] = {}
    for arm in ARMS:
        search = Search(args.folder, name, metric, arm)
        best, trials = search.best(args.trials, args.tune_splits)
        done = [r for split in range(args.splits) if (r := search.found(best, split))]
        if not trials or not done:
            continue
        tests = [r["test"] for r in done]
        arms[arm] = {
            "trials": trials,
            "splits": len(done),
            "mean": statistics.fmean(tests),
            "std": statistics.stdev(tests) if len(tests) > 1 else None,
            "test": tests,
            "val_mean": statistics.fmean(r["val"] for r in done),
            "epoch_ms": 1000 * statistics.median(
                r["seconds"]["train_cpu"] / r["epochs"] for r in done
            ),
            "recipe": search.recipe(best, 0).to_dict(),
        }  # fmt: skip
    return {"set": name, "metric": metric, "paper": SETS[name], "arms": arms,
            "amud": decisions(name)}  # fmt: skip


def verdict(row: dict[str, Any]) -> tuple[str, str]:
    """Return which direction is better over the same splits, and whether AMUD chose it."""
    arms = row["arms"]
    if row["amud"]["reason"] == "symmetric_input":
        return "the same graph", "yes"
    if "ADPA directed" not in arms or "ADPA undirected" not in arms:
        return "–", "–"
    pairs = zip(arms["ADPA directed"]["test"], arms["ADPA undirected"]["test"], strict=False)
    gaps = [a - b for a, b in pairs]
    if len(gaps) < 3:
        return "–", "–"
    mean, error = statistics.fmean(gaps), statistics.stdev(gaps) / math.sqrt(len(gaps))
    # 97.5 % quantile of Student's t with 9 degrees of freedom; fewer splits are judged too easily.
    if abs(mean) <= 2.262 * error:
        return f"equal ({100 * mean:+.1f})", "yes"
    better = "directed" if mean > 0 else "undirected"
    votes = row["amud"]["train"]
    chosen = "directed" if votes.count("directed") * 2 > len(votes) else "undirected"
    return f"{better} ({100 * mean:+.1f})", "yes" if chosen == better else "no"


HEAD = """# ADPA on directed graphs

Made by `python benchmarks/adpa_accuracy.py table` from the runs of
`python benchmarks/adpa_accuracy.py run`; the figures of every split are in
`benchmarks/results/adpa_accuracy.json`.

Test score in percent (accuracy; Minesweeper ROC AUC), mean ± sample standard deviation over the
splits, at the first best validation epoch. Hyper-parameters by random search on validation scores
only; the number of trials that were run and of splits that were trained stands in brackets, "–" was
not run. The paper's figures are those quoted by others, on splits of its own. What we read in the
tables: [ADPA, Accuracy](../methods/adpa.md#accuracy).

| set | ADPA directed | ADPA undirected | DirGNN | MagNet | GCN | SAGE | MLP | paper, ADPA |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""
SECOND = """
Which direction is better for ADPA (paired over the splits; "equal" is within 2.26 standard errors),
and what AMUD says: by all labels, and by the training labels of each split alone (how many of them
say "directed"). "chosen" tells whether the majority of the latter is the better or an equal one.

| set | better direction | AMUD, all labels | score | Z | reason | by training labels | chosen |
|---|---|---|---:|---:|---|---:|---|
"""


def cell(arm: dict[str, Any] | None) -> str:
    """Return mean and deviation, and what they rest on."""
    if arm is None:
        return "–"
    std = "" if arm["std"] is None else f" ± {100 * arm['std']:.1f}"
    return f"{100 * arm['mean']:.1f}{std} ({arm['trials']}, {arm['splits']})"


def table(args: argparse.Namespace) -> None:
    """Write the result file and the page from the runs that exist."""
    rows = [summary(args, name) for name in args.sets]
    record = {"commit": commit(), "date": f"{datetime.date.today()}", "machine": machine(),
              "protocol": {"epochs": EPOCHS, "patience": PATIENCE, "trials": args.trials,
                           "tune_splits": args.tune_splits, "splits": args.splits},
              "sets": rows}  # fmt: skip
    (RESULTS / "adpa_accuracy.json").write_text(json.dumps(record, indent=1) + "\n")
    text = [HEAD]
    for row in rows:
        cells = " | ".join(cell(row["arms"].get(arm)) for arm in ARMS)
        text.append(f"| {row['set']} | {cells} | {row['paper'] or '–'} |\n")
    text.append(SECOND)
    for row in rows:
        better, chosen = verdict(row)
        found = row["amud"]
        score = "–" if found["score"] is None else f"{found['score']:.3f}"
        votes = found["train"]
        text.append(
            f"| {row['set']} | {better} | {found['all']} | {score} | {found['z']:.1f} | "
            f"`{found['reason']}` | {votes.count('directed')} of {len(votes)} | {chosen} |\n"
        )
    target = ROOT / "docs" / "results" / "adpa_accuracy.md"
    target.write_text("".join(text))
    print("".join(text))


def main() -> None:
    """Parse the command line."""
    register()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("run", "table"))
    parser.add_argument("--sets", type=lambda s: s.split(","), default=list(SETS))
    parser.add_argument("--arms", type=lambda s: s.split(","), default=list(ARMS))
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--tune-splits", type=int, default=3)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "adpa")
    args = parser.parse_args()
    run(args) if args.command == "run" else table(args)


if __name__ == "__main__":
    main()
