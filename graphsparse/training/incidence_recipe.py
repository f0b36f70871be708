"""Recipes of edge-dependent node classification: which data, which network, how to train."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from graphsparse.checks import check_choice, check_count
from graphsparse.models.conhd import CoNHD
from graphsparse.training.incidence import (
    IncidenceOptions,
    IncidenceResult,
    projectable,
    train_incidences,
)
from graphsparse.training.incidence_baselines import IncidenceMLP, MeanConvolution
from graphsparse.training.incidence_task import IncidenceTask, load_incidence_task
from graphsparse.training.recipe import Recipe, RecipeError, build_sections, load_recipe, load_table
from graphsparse.training.report import Clock
from graphsparse.training.run_files import RunFiles, RunOptions

INCIDENCE_MODELS = ("conhd", "incidence_mlp", "mean_convolution")


@dataclasses.dataclass(frozen=True)
class IncidenceDataRecipe:
    """Which hypergraph, with which features; ``seed`` is that of features and member order."""

    name: str = "hypergraph"
    root: str | None = None
    features: str = "fastrp"
    feature_dim: int = 44
    pe: bool = True
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class IncidenceModelRecipe:
    """Which network; all keys but ``name``, ``dim``, ``layers``, ``dropout`` are CoNHD's."""

    name: str = "conhd"
    dim: int = 128
    layers: int = 2
    operator: str = "unb"
    node_operator: str | None = None
    mode: str = "gd"
    share_layers: bool = True
    blocks: int = 2
    heads: int = 4
    inducing: int = 4
    dropout: float = 0.7
    input_dropout: float = 0.0
    feature_dropout: float = 0.0
    layer_norm: bool = False
    within_edge_mean: bool = False
    within_node_mean: bool = False
    recompute: bool = False

    def __post_init__(self) -> None:
        check_choice("model.name", self.name, INCIDENCE_MODELS)
        check_count("model.dim", self.dim, low=1)
        check_count("model.layers", self.layers, low=1)


@dataclasses.dataclass(frozen=True)
class IncidenceRecipe:
    """One run: data, model, training; every section and key may be left out.

    Examples
    --------
    >>> IncidenceRecipe.from_dict({"model": {"operator": "isab"}}).train.epochs
    100
    """

    data: IncidenceDataRecipe = dataclasses.field(default_factory=IncidenceDataRecipe)
    model: IncidenceModelRecipe = dataclasses.field(default_factory=IncidenceModelRecipe)
    train: IncidenceOptions = dataclasses.field(default_factory=IncidenceOptions)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> IncidenceRecipe:
        """Build from nested dictionaries; an unknown key or a wrong type is a RecipeError."""
        return build_sections(cls, values)

    def to_dict(self) -> dict[str, Any]:
        """Return nested dictionaries with every key, defaults included."""
        return dataclasses.asdict(self)

    def replace(self, **sections: dict[str, Any]) -> IncidenceRecipe:
        """Return the recipe with some keys of some sections changed."""
        merged = self.to_dict()
        for section, changes in sections.items():
            merged[section] = {**merged.get(section, {}), **changes}
        return IncidenceRecipe.from_dict(merged)


def load_any_recipe(path: str | Path, settings: Sequence[str] = ()) -> Recipe | IncidenceRecipe:
    """Read a TOML recipe; ``model.name`` tells whether nodes or incidences are classified."""
    values = load_table(path, settings)
    model = values.get("model", {})
    if not isinstance(model, dict) or model.get("name") not in INCIDENCE_MODELS:
        return load_recipe(path, settings)
    try:
        return IncidenceRecipe.from_dict(values)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def build_incidence_model(recipe: IncidenceModelRecipe, task: IncidenceTask) -> nn.Module:
    """Return the network of a recipe, drawn from torch's generator."""
    in_dim, pe_dim = task.x.shape[1], 0 if task.pe is None else task.pe.shape[1]
    options = dataclasses.asdict(recipe)
    name, dim, dropout = options.pop("name"), options.pop("dim"), options.pop("dropout")
    if name == "incidence_mlp":
        return IncidenceMLP(in_dim, pe_dim, dim, task.num_classes, dropout)
    if name == "mean_convolution":
        layers = recipe.layers
        return MeanConvolution(in_dim, pe_dim, dim, task.num_classes, layers, dropout)
    return CoNHD(in_dim, dim, task.num_classes, pe_dim=pe_dim, dropout=dropout, **options)


def run_incidences(
    recipe: IncidenceRecipe, task: IncidenceTask, seed: int, files: RunFiles | None = None
) -> tuple[dict[str, Any], nn.Module, IncidenceResult]:
    """Train once; return the figures of the run, the trained model and the result."""
    torch.manual_seed(seed)
    model = build_incidence_model(recipe.model, task)
    files = RunFiles() if files is None else files
    clock = Clock()
    result = train_incidences(
        model,
        task,
        recipe.train,
        seed=seed,
        callbacks=files.callbacks(recipe.train.checkpoint_every),
        resume=files.resume(),
    )
    seconds = clock.seconds(result.history)
    files.keep(model)
    kept: dict[str, int | None] = {"weights_kept": None, "weights_total": None}
    if recipe.model.name == "conhd":
        names = projectable(model)
        kept["weights_kept"] = sum(int(result.weights[n].count_nonzero()) for n in names)
        kept["weights_total"] = sum(tensor.numel() for tensor in names.values())
    figures = {
        "test": result.test.micro,
        "test_macro": result.test.macro,
        "val": result.val.micro,
        "val_macro": result.val.macro,
        "confusion": result.test.confusion.tolist(),
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        **kept,
        "seconds": seconds,
    }
    return figures, model, result


def run_incidence_recipe(
    recipe: IncidenceRecipe,
    seeds: Iterable[int],
    folder: str | Path,
    *,
    on_run: Callable[[dict[str, Any]], None] | None = None,
    options: RunOptions | None = None,
) -> list[dict[str, Any]]:
    """Load a recipe's data and run it with every seed, skipping runs whose file is there.

    Returns
    -------
    list of dict
        Keys ``seed``, ``recipe``, ``result``; one file of ``folder`` each.
    """
    options = RunOptions() if options is None else options
    if options.replicas.size > 1:
        raise ValueError(
            f"incidences must be trained by one process, got {options.replicas.size} replicas"
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    task = functools.cache(lambda: load_task(recipe.data))

    def make(seed: int, files: RunFiles) -> dict[str, Any]:
        figures = run_incidences(recipe, task(), seed, files)[0]
        return {"seed": seed, "recipe": recipe.to_dict(), "result": figures}

    runs = []
    for seed in seeds:
        files = RunFiles(folder, run_name(recipe, seed), options)
        run = files.read_or_run(functools.partial(make, seed, files))
        runs.append(run)
        if on_run is not None:
            on_run(run)
    return runs


def load_task(data: IncidenceDataRecipe) -> IncidenceTask:
    """Load what the ``data`` section of a recipe names."""
    return load_incidence_task(
        data.name,
        root=data.root,
        features=data.features,
        dim=data.feature_dim,
        pe=data.pe,
        seed=data.seed,
    )


def run_name(recipe: IncidenceRecipe, seed: int) -> str:
    """Return the file name of a run: what it is in words, and a hash of the resolved recipe."""
    values = recipe.to_dict()
    del values["train"]["checkpoint_every"]
    text = json.dumps(values, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    data = re.sub(r"[^A-Za-z0-9_.]+", "_", Path(recipe.data.name).name)
    return f"{data}-{recipe.model.name}-{seed}-{digest}"
