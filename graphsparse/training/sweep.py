"""Many runs of recipes: one JSON file per run, so that a sweep goes on where it stopped."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphsparse.datasets import describe_dataset, load_dataset
from graphsparse.graph import Graph
from graphsparse.operators.amud import amud
from graphsparse.training.data import NodeData, degree_features
from graphsparse.training.distributed import Replicas
from graphsparse.training.experiment import Experiment
from graphsparse.training.graph_experiment import GraphExperiment
from graphsparse.training.graphs import GraphTask
from graphsparse.training.link_experiment import LinkExperiment
from graphsparse.training.links import LinkTask
from graphsparse.training.recipe import Recipe
from graphsparse.training.run_files import RunFiles, RunOptions

Run = dict[str, Any]
AnyExperiment = Experiment | GraphExperiment | LinkExperiment
# Keys that recipes did not have at first.
_LATER: tuple[tuple[str, str, Any], ...] = (
    ("data", "direction", "stored"),
    ("data", "features", "stored"),
    ("model", "options", {}),
    ("train", "batch_size", 0),
    ("train", "fanouts", []),
    ("train", "prefetch_threads", 1),
    ("train", "evaluate_every", 1),
    ("train", "epoch_size", 0),
    ("edges", "when", "before"),
    ("edges", "over", 0),
)
_NO_RESULT = (("train", "checkpoint_every"),)  # keys that change no result


@dataclasses.dataclass(frozen=True)
class Arm:
    """A named recipe of a sweep."""

    name: str
    recipe: Recipe


def grid(
    recipe: Recipe, *, edges: Sequence[float] = (), weights: Sequence[float] = ()
) -> list[Arm]:
    """Return one arm per pair of edge and weight fractions kept.

    Parameters
    ----------
    recipe : Recipe
        What all arms share.
    edges, weights : sequence of float
        Values of ``edges.keep`` and ``weights.keep``; the recipe's own when left out.
    """
    pairs = itertools.product(edges or [recipe.edges.keep], weights or [recipe.weights.keep])
    arms = []
    for e, w in pairs:
        changed = recipe.replace(edges={"keep": e}, weights={"keep": w})
        arms.append(Arm(f"edges {e:.4g} weights {w:.4g}", changed))
    return arms


def sweep(
    experiment: AnyExperiment,
    arms: Iterable[Arm],
    seeds: Iterable[int],
    folder: str | Path,
    *,
    on_run: Callable[[Run], None] | None = None,
    options: RunOptions | None = None,
) -> list[Run]:
    """Run every arm with every seed, skipping runs whose file is there already.

    Parameters
    ----------
    experiment : Experiment, GraphExperiment or LinkExperiment
        The data set.
    arms : iterable of Arm
        What to compare.
    seeds : iterable of int
        The outer loop, so that a sweep cut short compares all arms on the same seeds.
    folder : str or Path
        Gets one file per run, written in one step; the file holds the resolved recipe too.
    on_run : callable, optional
        Called with each run as it is done or found.
    options : RunOptions, optional
        Whether to go on from checkpoints, and what to keep.

    Returns
    -------
    list of dict
        Keys ``arm``, ``seed``, ``recipe``, ``result``.
    """
    folder, arms = Path(folder), list(arms)
    folder.mkdir(parents=True, exist_ok=True)
    runs = []
    for seed, arm in itertools.product(seeds, arms):
        files = RunFiles(folder, run_key(arm.recipe, seed), options or RunOptions())
        run = files.read_or_run(functools.partial(_run, experiment, arm, seed, files))
        run = {**run, "arm": arm.name}
        runs.append(run)
        if on_run is not None:
            on_run(run)
    return runs


def _run(experiment: AnyExperiment, arm: Arm, seed: int, files: RunFiles) -> Run:
    result = experiment.run(arm.recipe, seed, files)
    return {"arm": arm.name, "seed": seed, "recipe": arm.recipe.to_dict(), "result": result}


def load_data(recipe: Recipe) -> NodeData:
    """Load the data set of a recipe, with its split, its features and the direction it names."""
    dataset = load_dataset(recipe.data.name, root=recipe.data.root)
    pyg = dataset.to_pyg(recipe.data.split)
    if recipe.data.features == "identity":
        pyg.x = torch.eye(int(pyg.num_nodes or 0))
    elif recipe.data.features == "degree":
        pyg.x = degree_features(pyg.edge_index, int(pyg.num_nodes or 0))
    data = NodeData.from_pyg(pyg, normalize=recipe.data.normalize)
    return data.with_graph(directed_as(data, recipe.data.direction))


def directed_as(data: NodeData, direction: str) -> Graph:
    """Return the graph of a task as stored, symmetrised, or as AMUD decides by its labels."""
    if direction == "undirected":
        return data.graph.symmetrize("max")
    if direction == "amud":
        mask = np.zeros(data.graph.num_nodes, np.bool_)
        mask[data.train.numpy()] = True
        chosen: Graph = amud(data.graph, data.y, mask=mask).graph
        return chosen
    return data.graph


def run_recipe(
    recipe: Recipe,
    seeds: Iterable[int],
    folder: str | Path,
    *,
    edges: Sequence[float] = (),
    weights: Sequence[float] = (),
    on_run: Callable[[Run], None] | None = None,
    options: RunOptions | None = None,
) -> list[Run]:
    """Load a recipe's data and run it with every seed: a sweep of one arm, or of a grid.

    Parameters
    ----------
    recipe : Recipe
        As :func:`~graphsparse.training.recipe.load_recipe` returns it.
    seeds, folder, on_run, options
        As in :func:`sweep`.
    edges, weights : sequence of float
        As in :func:`grid`; with neither there is one arm, the recipe.

    Returns
    -------
    list of dict
        One run per seed and arm.
    """
    arms = [Arm(f"{recipe.data.name} {recipe.model.name}", recipe)]
    if edges or weights:
        arms = grid(recipe, edges=edges, weights=weights)
    replicas = Replicas() if options is None else options.replicas
    experiment = replicas.after_first(lambda: load_experiment(recipe))
    return sweep(experiment, arms, seeds, folder, on_run=on_run, options=options)


def load_experiment(recipe: Recipe) -> AnyExperiment:
    """Load a recipe's data and return what runs recipes on them, by the task of the set."""
    task = describe_dataset(recipe.data.name).task
    if task == "link prediction":
        dataset = load_dataset(recipe.data.name, root=recipe.data.root)
        return LinkExperiment(LinkTask.from_dataset(dataset))
    if task.startswith("graph "):
        dataset = load_dataset(recipe.data.name, root=recipe.data.root)
        return GraphExperiment(GraphTask.from_dataset(dataset, recipe.data.split))
    return Experiment(load_data(recipe))


def run_key(recipe: Recipe, seed: int) -> str:
    """Return the file name of a run: what it is in words, and a hash of the resolved recipe."""
    values = recipe.to_dict()
    for section, key, default in _LATER:  # so that older runs are still found
        if values[section][key] == default:
            del values[section][key]
    for section, key in _NO_RESULT:
        del values[section][key]
    text = json.dumps(values, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{recipe.data.name}-{recipe.model.name}-{seed}-{digest}"
