"""GIN-attention against GCN, GIN, GAT and TransformerConv on nine sets, tuned alike.

    python benchmarks/gin_accuracy.py search --folder runs/gin           # validation scores only
    python benchmarks/gin_accuracy.py run --arms dense --seeds 0-2 --folder runs/gin
    python benchmarks/gin_accuracy.py run --ablations --minutes 30 --folder runs/gin
    python benchmarks/gin_accuracy.py table --folder runs/gin

All models stand in one shell (``gin_models.py``).  ``search``: for each set and model the same
number of trials (``SETTINGS``), trial 0 with defaults, the others drawn from the shared space and
the model's own one; the mean validation score over the tuning seeds decides, where these are few
after more seeds of the best three.  ``run`` trains the winner with other seeds and on further
splits (seed s has split s); arms: dense; 50, 80, 90 % of the weights removed after every step;
TEDDY at 80 and 60 % of the edges; both.  Ablations change one thing in the winner of GIN-attention.
Test scores are those of the first best validation epoch.  A run is a JSON file, so a stopped sweep
goes on where it was; seeds are the outer loop.  The data come from $GRAPHSPARSE_TEST_DATA or
../shared/data.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gin_models import ABLATIONS, MODELS, check_layers, make_network
from gin_tables import ARMS, HEAD, cell_text, set_section, verdict
from harness import RESULTS, ROOT, commit, machine

from graphsparse import load_dataset, sparsify
from graphsparse.models import CategoryEncoder
from graphsparse.training import GraphTask, NodeData, adam, set_seed, train, train_graphs
from graphsparse.training.callbacks import EarlyStopping
from graphsparse.training.checkpoint import write_atomic
from graphsparse.training.data import degree_features
from graphsparse.training.experiment import attach_projection
from graphsparse.training.graph_experiment import category_sizes
from graphsparse.training.recipe import WeightsRecipe

Space = dict[str, list[Any]]
FINALISTS = 3  # trials of a model that get more tuning seeds


@dataclasses.dataclass(frozen=True)
class Settings:
    """What holds for all models of a set; the first value of each list is the default."""

    space: Space
    metric: str = "accuracy"
    epochs: int = 200
    patience: int = 50
    trials: int = 12
    tune_seeds: int = 1
    final_seeds: int = 0  # of the best trials, where tune_seeds are few
    splits: int = 1
    batch_size: int = 0
    normalize_rows: bool = True
    defaults: dict[str, Any] = dataclasses.field(default_factory=dict)  # of trial 0
    tuned_on: str = ""  # another set whose winners are taken, without a search


NODE: Space = {
    "hidden": [64],
    "layers": [2, 1, 3],
    "dropout": [0.5, 0.2, 0.8],
    "input_dropout": [0.8, 0.5, 0.0],
    "lr": [0.005, 0.002, 0.02],
    "weight_decay": [5e-4, 0.0, 5e-3],
    "residual": [True, False],
    "block_norm": ["layer", None],
}
STRUCTURE: Space = NODE | {"features": ["identity", "degree"], "input_dropout": [0.0, 0.5]}
GRID: Space = NODE | {
    "layers": [4, 3, 5],
    "input_dropout": [0.0],
    "weight_decay": [0.0, 5e-5],
    "dropout": [0.2, 0.0, 0.5],
}
MOLECULE: Space = {
    "hidden": [64],
    "layers": [3, 2, 4],
    "dropout": [0.2, 0.0, 0.5],
    "input_dropout": [0.0],
    "lr": [0.003, 0.001, 0.01],
    "weight_decay": [0.0, 1e-4],
    "residual": [True, False],
    "block_norm": ["batch", "layer"],
}
ATTENTION: Space = {"heads": [4, 1, 8], "attn_dropout": [0.0, 0.5]}
CITATION = {
    "weight_decay": 5e-3,
    "residual": False,
    "heads": 8,
    "mlp_ratio": 2.0,
    "own": "loop",
}
WIDER = {"mlp_ratio": 2.0}
COUNTING = {"normalize": "degree", "norm": "batch", "mlp_ratio": 2.0}
SETTINGS: dict[str, Settings] = {
    "brazil_airports": Settings(
        STRUCTURE, trials=16, tune_seeds=5, splits=10, normalize_rows=False
    ),
    "europe_airports": Settings(
        STRUCTURE, trials=12, tune_seeds=3, splits=10, normalize_rows=False
    ),
    "Cora": Settings(NODE, final_seeds=3, defaults=CITATION),
    "CiteSeer": Settings(NODE, final_seeds=3, defaults=CITATION),
    "chameleon": Settings(NODE, splits=10, final_seeds=3),
    "ogbg-molesol": Settings(
        MOLECULE, "rmse", 30, 10, trials=5, batch_size=64, defaults=COUNTING
    ),
    "ogbg-molbace": Settings(
        MOLECULE, "roc_auc", 15, 6, trials=4, batch_size=64, defaults=COUNTING
    ),
    "minesweeper": Settings(
        GRID, "roc_auc", 60, 20, trials=3, splits=10, normalize_rows=False, defaults=WIDER
    ),
    "ogbg-molhiv": Settings(
        MOLECULE, "roc_auc", 2, 2, batch_size=256, defaults=COUNTING, tuned_on="ogbg-molbace"
    ),
}  # fmt: skip
OWN: dict[str, Space] = {
    "gcn": {"activation": [False, True]},
    "gin": {"activation": [False, True]},
    "gat": {"activation": [False, True], **ATTENTION},
    "transformer": {"activation": [False, True], **ATTENTION},
    "gin_attention": {
        **ATTENTION,
        "normalize": ["softmax", "degree"],
        "norm": ["rms", None],
        "mlp": ["per_head", "joint"],
        "mlp_ratio": [0.5, 1.0, 2.0],
        "mlp_dropout": [0.1, 0.5],
        "value_proj": [False, True],
        "own": ["one_plus_eps", "loop"],
    },
}


def options_of(name: str, model: str, trial: int) -> dict[str, Any]:
    """Return the options of a trial: the defaults for trial 0, else drawn."""
    of = "gin_attention" if model in ABLATIONS else model
    space = SETTINGS[name].space | OWN[of]
    if trial == 0:
        first = SETTINGS[name].defaults
        return {key: first.get(key, values[0]) for key, values in space.items()}
    rng = np.random.default_rng([88, trial, *map(ord, of)])
    return {key: values[int(rng.integers(len(values)))] for key, values in space.items()}


@cache
def dataset(name: str) -> Any:
    """Stage a set and read it."""
    folder = Path(os.environ.get("GRAPHSPARSE_TEST_DATA", ROOT.parent / "shared" / "data"))
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder))
    from stage import stage

    scratch = Path(tempfile.gettempdir()) / "graphsparse-bench"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = Path(stage(name, scratch))
        found = load_dataset(name, root=root, offline=True)
        return GraphTask.from_dataset(found) if name.startswith("ogbg") else found


@cache
def node_data(name: str, split: int, features: str = "stored") -> NodeData:
    """Return a node task with one of its splits; ``"degree"``: 1 and log(1 + degree) of a node."""
    data = dataset(name).to_pyg(split)
    if features == "degree":
        data.x = degree_features(data.edge_index, data.num_nodes)
    return NodeData.from_pyg(data, normalize=SETTINGS[name].normalize_rows)


def parse_arm(arm: str) -> tuple[float, float]:
    """Return the fractions of edges and weights kept: ``"edges 60 weights 20"`` is (.6, .2)."""
    words = arm.split()
    found = {key: int(value) / 100 for key, value in zip(words[::2], words[1::2], strict=False)}
    return found.get("edges", 1.0), found.get("weights", 1.0)


def fit(name: str, model: str, trial: int, arm: str, seed: int) -> dict[str, Any]:
    """Train once."""
    settings, options = SETTINGS[name], options_of(name, model, trial)
    edges, weights = parse_arm(arm)
    features = options.pop("features", "stored")
    lr, decay = options.pop("lr"), options.pop("weight_decay")
    task = dataset(name) if settings.batch_size else node_data(
        name, seed % settings.splits, features
    )  # fmt: skip
    if edges < 1.0 and settings.batch_size:
        task = task.sparsified("teddy", edges, seed=seed)
    elif edges < 1.0:
        task = task.with_graph(sparsify(task.graph, "teddy", edges, seed=seed).graph)
    set_seed(seed)
    if settings.batch_size:
        encoders = (
            CategoryEncoder(category_sizes(task.whole.x), options["hidden"]),
            CategoryEncoder(category_sizes(task.whole.edge_attr), options["hidden"] // 4),
        )
        net = make_network(model, 0, task.whole.y.shape[1], options, encoders)
    else:
        net = make_network(model, task.x.shape[1], task.num_classes, options)
    optimizer = adam(net, lr, decay)
    kept = {"min_keep_per_layer": 8} if weights < 1.0 else {}  # no layer is cut off
    attach_projection(net, optimizer, WeightsRecipe(weights, kept))
    about: dict[str, Any] = {"epochs": settings.epochs, "optimizer": optimizer}
    if settings.batch_size:
        about |= {"batch_size": settings.batch_size, "patience": settings.patience}
        result: Any = train_graphs(net, task, **about)
    else:
        stop = EarlyStopping(settings.patience)
        about |= {"metric": settings.metric, "callbacks": [stop]}
        result = train(net, task, keep_weights=False, **about)
    found = {key: getattr(result, key) for key in ("test", "val", "best_epoch", "epochs")}
    return found


def stored(folder: Path, key: tuple[Any, ...]) -> Path:
    """Return the file of a run."""
    return folder / ("-".join(str(part) for part in key).replace(" ", "_") + ".json")


def run_once(folder: Path, name: str, model: str, trial: int, arm: str, seed: int) -> Any:
    """Return the record of a run, from its file if it is there."""
    path = stored(folder, (name, model, trial, arm, seed))
    if path.exists():
        return json.loads(path.read_text())
    start = time.process_time()
    figures = fit(name, model, trial, arm, seed)
    spent = round(time.process_time() - start, 1)
    about = {"set": name, "model": model, "trial": trial, "arm": arm, "seed": seed}
    record = {**about, "cpu_seconds": spent, **figures}
    write_atomic(path, (json.dumps(record) + "\n").encode())
    now = f"{datetime.datetime.now():%H:%M:%S}"
    print(now, *about.values(), spent, f"{figures['val']:.4f} {figures['test']:.4f}", flush=True)
    return record


def search(args: argparse.Namespace) -> None:
    """Run the trials that are missing, then the best of each model with more seeds."""
    for name in args.sets:
        settings = SETTINGS[name]
        if settings.tuned_on:
            continue
        first = range(100, 100 + settings.tune_seeds)
        keys = [(m, t, s) for t in range(settings.trials) for m in args.models for s in first]
        if not run_all(args, name, keys):
            return
        last = range(first.stop, first.start + settings.final_seeds)
        tops = {m: ranked(args.folder, name, m)[:FINALISTS] for m in args.models}
        if not run_all(args, name, [(m, t, s) for m in args.models for t in tops[m] for s in last]):
            return


def run_all(args: argparse.Namespace, name: str, keys: list[tuple[str, int, int]]) -> bool:
    """Run (model, trial, seed) on the full graph with all weights; False when time is up."""
    for model, trial, seed in keys:
        if time.monotonic() > args.end:
            print("time is up")
            return False
        run_once(args.folder, name, model, trial, "dense", seed)
    return True


def validation(folder: Path, name: str, model: str, trial: int, seeds: int) -> float:
    """Return the mean validation score of a trial over tuning seeds; more is better."""
    paths = [stored(folder, (name, model, trial, "dense", 100 + at)) for at in range(seeds)]
    if not all(path.exists() for path in paths):
        raise ValueError(f"trial {trial} of {model} on {name} is not complete; run `search` first")
    sign = -1.0 if SETTINGS[name].metric == "rmse" else 1.0
    return sign * statistics.fmean(json.loads(path.read_text())["val"] for path in paths)


def ranked(folder: Path, name: str, model: str) -> list[int]:
    """Return the trials, the best first."""
    settings = SETTINGS[name]
    score = {
        trial: validation(folder, name, model, trial, settings.tune_seeds)
        for trial in range(settings.trials)
    }
    return sorted(score, key=lambda trial: -score[trial])


@cache
def winner(folder: Path, name: str, model: str) -> int:
    """Return the best of the finalists."""
    name = SETTINGS[name].tuned_on or name
    of = "gin_attention" if model in ABLATIONS else model
    seeds = max(SETTINGS[name].tune_seeds, SETTINGS[name].final_seeds)
    finalists = ranked(folder, name, of)[: FINALISTS if SETTINGS[name].final_seeds else 1]
    return max(finalists, key=lambda trial: validation(folder, name, of, trial, seeds))


def run(args: argparse.Namespace) -> None:
    """Run what is missing until it is done or the time is up."""
    for seed in args.seeds:
        for name in args.sets:
            for arm in args.arms:
                extra = tuple(ABLATIONS) if args.ablations and arm == "dense" else ()
                for model in (*args.models, *extra):
                    if time.monotonic() > args.end:
                        print("time is up")
                        return
                    trial = winner(args.folder, name, model)
                    run_once(args.folder, name, model, trial, arm, seed)


def tuning(name: str) -> str:
    """Return how the models of a set were tuned, in words."""
    settings = SETTINGS[name]
    tuned = f"{settings.trials} trials a model on {settings.tune_seeds} seed(s)"
    if settings.final_seeds:
        tuned += f", the best {FINALISTS} on {settings.final_seeds}"
    if settings.tuned_on:
        tuned = f"options as found on {settings.tuned_on}"
    return f"At most {settings.epochs} epochs, {settings.patience} without a better one; {tuned}."


def of_complete_seeds(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the runs of an arm and a seed that every model was trained with."""
    done: dict[tuple[str, int], set[str]] = {}
    for r in runs:
        done.setdefault((r["arm"], r["seed"]), set()).add(r["model"])
    return [r for r in runs if done[r["arm"], r["seed"]].issuperset(MODELS)]


def table(args: argparse.Namespace) -> None:
    """Summarise the runs that exist: one JSON file, one Markdown page."""
    runs = [json.loads(path.read_text()) for path in sorted(args.folder.glob("*.json"))]
    summary = ["\n| set | gin_attention | best baseline | | |\n|---|---:|---:|---|---|\n"]
    sections, winners, used = [], {}, []
    for name in args.sets:
        tried = {r["model"] for r in runs if r["set"] == name and r["seed"] < 100}
        if not tried.issuperset(MODELS):
            continue
        metric, best_of = SETTINGS[name].metric, {m: winner(args.folder, name, m) for m in tried}
        mine = [r for r in runs if r["set"] == name and r["seed"] < 100
                and r["trial"] == best_of[r["model"]]]  # fmt: skip
        mine = of_complete_seeds(mine)
        scores = {m: [r["test"] for r in mine if (r["model"], r["arm"]) == (m, "dense")]
                  for m in MODELS}  # fmt: skip
        best, word = verdict(scores, metric)
        cells = [cell_text(scores[m], metric) for m in ("gin_attention", best)]
        summary.append(f"| {name} | {' | '.join(cells)} | {best} | {word} |\n")
        winners[name] = {m: options_of(name, m, best_of[m]) for m in MODELS}
        sections += set_section(name, metric, tuning(name), mine)
        used += mine
    used += [r for r in runs if r["seed"] >= 100]
    record = {"commit": commit(), "machine": machine(), "winners": winners, "runs": used}
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "gin_accuracy.json").write_text(json.dumps(record, indent=0) + "\n")
    page = "".join([HEAD, *summary, *sections])
    (ROOT / "docs" / "results" / "gin_accuracy.md").write_text(page)
    print(page)


def seed_list(text: str) -> list[int]:
    """Return the seeds of ``0-9`` or ``3,5,7``."""
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(s) for s in text.split(",")]


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("search", "run", "table"))
    parser.add_argument("--sets", type=lambda s: s.split(","), default=list(SETTINGS))
    parser.add_argument("--models", type=lambda s: s.split(","), default=list(MODELS))
    parser.add_argument("--arms", type=lambda s: s.split(","), default=list(ARMS))
    parser.add_argument("--seeds", type=seed_list, default=list(range(10)))
    parser.add_argument("--ablations", action="store_true")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "gin_accuracy")
    parser.add_argument("--minutes", type=float, default=1e9, help="start no run after this long")
    args = parser.parse_args()
    args.end = time.monotonic() + 60 * args.minutes
    torch.set_num_threads(1)
    args.folder.mkdir(parents=True, exist_ok=True)
    check_layers()
    {"search": search, "run": run, "table": table}[args.command](args)


if __name__ == "__main__":
    main()
