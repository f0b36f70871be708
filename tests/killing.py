"""Runs of all tasks that are killed at random moments and must end as if they never had been.

Children are forked from a process that trains nothing itself; they are killed from outside.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import time
import traceback
import types
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data

from graphsparse import Graph
from graphsparse.datasets.block_model import BlockModel
from graphsparse.datasets.ogbn_like import ogbn_like
from graphsparse.datasets.splits import Split
from graphsparse.training import GraphTask, LinkTask, NodeData, RankedPairs
from graphsparse.training.experiment import Experiment
from graphsparse.training.graph_experiment import GraphExperiment
from graphsparse.training.incidence_recipe import (
    IncidenceRecipe,
    load_task,
    run_incidences,
    run_name,
)
from graphsparse.training.link_experiment import LinkExperiment
from graphsparse.training.recipe import Recipe
from graphsparse.training.run_files import RunFiles, RunOptions
from graphsparse.training.sweep import run_key

PROJECTED = {"schedule": "cubic", "end": 30, "freeze_after": 40, "optimizer_state": "zero"}


def node_task(n: int = 600) -> NodeData:
    """A block model with features, as ogb would split it."""
    made = ogbn_like(n, 4 * n, 16, 3, homophily=0.8, signal=2.0, directed=False, seed=3)
    u, v = made.edge_index
    graph = Graph.from_edges((u[u < v], v[u < v]), num_nodes=n)
    ids = [torch.from_numpy(made.split[part]) for part in ("train", "valid", "test")]
    x, y = torch.from_numpy(made.x), torch.from_numpy(made.y)
    return NodeData(graph, x, y, *ids, num_classes=3)


def graph_task(count: int = 150) -> GraphTask:
    """Rings with a chord and without."""
    rng = np.random.default_rng(71)
    graphs = []
    for at in range(count):
        n = int(rng.integers(5, 12))
        pairs = [(i, (i + 1) % n) for i in range(n)] + ([(0, 2)] if at % 2 else [])
        both = torch.tensor(pairs + [(b, a) for a, b in pairs]).T
        x = torch.from_numpy(rng.integers(0, 3, (n, 1)))
        attr = torch.from_numpy(rng.integers(0, 2, (both.shape[1], 1)))
        graphs.append(Data(x=x, edge_index=both, edge_attr=attr, y=torch.tensor([[at % 2.0]])))
    train, val, test = np.split(rng.permutation(count), [count // 2, 3 * count // 4])
    split = Split("first", train, val, test)
    return GraphTask.from_dataset(
        types.SimpleNamespace(content=graphs, splits=(split,), metric="roc_auc")
    )


def link_task(n: int = 300) -> LinkTask:
    """Pairs inside blocks are true, pairs between blocks false."""
    pairs = np.stack(BlockModel(n, 4, 3.0, 1).edges(6 * n, 1.0), 1)
    true = torch.from_numpy(pairs[np.random.default_rng(1).permutation(len(pairs))])
    false = torch.from_numpy(np.stack(BlockModel(n, 4, 3.0, 2).edges(n, 0.0), 1))
    graph = Graph.from_edges(true[: 4 * n].numpy(), num_nodes=n)
    val, test = (RankedPairs(true[at : at + n], false) for at in (4 * n, 5 * n))
    return LinkTask(graph, None, true[: 4 * n], val, test, "hits@20")


def _recipe(model: dict[str, Any], train: dict[str, Any], **sections: Any) -> Recipe:
    train = {"deterministic": True, "checkpoint_every": 2, "lr": 0.01, "epochs": 30, **train}
    weights = {"keep": 0.3, "options": PROJECTED}
    return Recipe.from_dict({"model": model, "train": train, "weights": weights, **sections})


LATE = "after the result"
SAMPLED = {"batch_size": 64, "fanouts": [5, 5]}
RECIPES: dict[str, Recipe] = {
    "node full batch": _recipe({"hidden": 32}, {"epochs": 120}),
    "node distilled": _recipe({"hidden": 16}, {"epochs": 60}, distill={"weight": 2.0}),
    "node rows": _recipe({"name": "adpa", "hidden": 16}, {"batch_size": 64}),
    "node sampled": _recipe(
        {"name": "sage", "hidden": 32}, SAMPLED, edges={"when": "batch", "method": "random",
                                                        "keep": 0.7},
    ),
    "node sampled, scheduled edges": _recipe(
        {"name": "gcn", "hidden": 32}, {**SAMPLED, "patience": 25, "evaluate_every": 2},
        edges={"when": "schedule", "over": 20, "keep": 0.4},
    ),
    "graphs": _recipe(
        {"name": "gin_attention", "hidden": 16, "layers": 2, "heads": 2, "dropout": 0.1},
        {"batch_size": 16, "epochs": 15},
    ),
    "links": _recipe(
        {"name": "sage", "hidden": 16}, {"batch_size": 300, "epoch_size": 900, "epochs": 40}
    ),
}  # fmt: skip
INCIDENCES = {
    "model": {"dim": 16, "layers": 1, "dropout": 0.2},
    "train": {"epochs": 8, "every": 2, "batch_size": 100, "keep": 0.5, "checkpoint_every": 1},
}


class Job:
    """One run of one task; calling it carries it out, or the rest of it.

    Parameters
    ----------
    name : str
        A key of ``RECIPES``, or ``"incidences"``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        if name == "incidences":
            recipe = IncidenceRecipe.from_dict(INCIDENCES)
            task = load_task(recipe.data)
            self.key = run_name(recipe, 3)
            self._run: Callable[[RunFiles], dict[str, Any]] = lambda files: run_incidences(
                recipe, task, 3, files
            )[0]
            return
        makers: dict[str, Any] = {
            "graphs": lambda: GraphExperiment(graph_task()),
            "links": lambda: LinkExperiment(link_task()),
        }
        experiment = makers.get(name, lambda: Experiment(node_task()))()
        self.key = run_key(RECIPES[name], 3)
        self._run = lambda files: experiment.run(RECIPES[name], 3, files)

    def __call__(self, folder: Path) -> None:
        torch.set_num_threads(1)
        files = RunFiles(folder, self.key, RunOptions(resume=True, save_weights=True))
        files.read_or_run(lambda: self._run(files))

    def outcome(self, folder: Path) -> tuple[str, dict[str, Any]]:
        """Return a hash of the weights, and the figures but for seconds."""
        weights = (folder / f"{self.key}.weights.safetensors").read_bytes()
        figures = json.loads((folder / f"{self.key}.json").read_text())
        figures.pop("seconds")
        figures.pop("edges_details", None)
        return hashlib.sha256(weights).hexdigest(), figures


def fork(job: Callable[[], None]) -> int:
    """Start a job in a child; return its process id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        job()
        status = 0
    except BaseException:
        traceback.print_exc()
    os._exit(status)


def wait(pid: int) -> int:
    """Return the exit status of a child, -9 if it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def uninterrupted(job: Job, folder: Path) -> float:
    """Carry a job out in one go; return its seconds."""
    folder.mkdir()
    start = time.perf_counter()
    assert wait(fork(lambda: job(folder))) == 0
    return time.perf_counter() - start


def killed(job: Job, folder: Path, seconds: float, rng: random.Random) -> Counter[str]:
    """Kill a job one to three times at random moments, then let it end; return what was met.

    At least once it is killed before its result is there.
    """
    met: Counter[str] = Counter()
    kills, share = rng.randrange(1, 4), 0.8
    while sum(met.values()) - met[LATE] < 1 or sum(met.values()) < kills:
        if met[LATE]:
            shutil.rmtree(folder, ignore_errors=True)
            share = 0.8
        folder.mkdir(exist_ok=True)
        pid = fork(lambda: job(folder))
        time.sleep(rng.uniform(0.0, share * seconds))
        os.kill(pid, signal.SIGKILL)
        status = wait(pid)
        assert status in (0, -signal.SIGKILL), f"{job.name} left with status {status}"
        met[_where(folder, status)] += 1
        share /= 2
    assert wait(fork(lambda: job(folder))) == 0
    left = sorted(path.name for path in folder.iterdir())
    assert left == [f"{job.key}.json", f"{job.key}.weights.safetensors"], f"left behind: {left}"
    return met


def _where(folder: Path, status: int) -> str:
    names = [path.name for path in folder.iterdir()]
    if status == 0 or any(name.endswith(".json") for name in names):
        return LATE
    if any(name.endswith(".part") for name in names):
        return "while a checkpoint was written"
    if any(name.endswith(".ckpt.safetensors") for name in names):
        return "after a checkpoint"
    return "before the first checkpoint"
