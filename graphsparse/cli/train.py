"""``graphsparse train``: run a recipe for some seeds and tell the scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphsparse.cli.console import Steps, print_facts, print_json, remark
from graphsparse.cli.options import (
    AsJson,
    Quiet,
    RecipeFile,
    RecipeSettings,
    Resume,
    SaveWeights,
    Seeds,
    TensorBoard,
)
from graphsparse.cli.settings import parse_seeds

if TYPE_CHECKING:
    from graphsparse.training.recipe import Recipe
    from graphsparse.training.run_files import RunOptions


def command(
    file: RecipeFile,
    settings: RecipeSettings = None,
    seeds: Seeds = "0",
    folder: Annotated[
        Path, typer.Option("--out", file_okay=False, help="Gets one JSON file per run.")
    ] = Path("runs"),
    resume: Resume = False,
    save_weights: SaveWeights = False,
    tensorboard: TensorBoard = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train what a recipe describes.  Runs whose result is in the folder are not run again."""
    numbers = parse_seeds(seeds)
    from graphsparse.training.distributed import launched
    from graphsparse.training.incidence_recipe import load_any_recipe
    from graphsparse.training.recipe import Recipe
    from graphsparse.training.run_files import RunOptions

    recipe = load_any_recipe(file, settings or ())
    device = recipe.train.device if isinstance(recipe, Recipe) else "cpu"
    with launched(device) as replicas:
        quiet = quiet or not replicas.is_first
        options = RunOptions(resume, save_weights, tensorboard, remark(quiet), replicas)
        steps = Steps(quiet)
        if isinstance(recipe, Recipe):
            facts = _run(recipe, numbers, folder, options, steps)
            lines = _lines
        else:
            from graphsparse.cli.train_incidences import lines, run

            facts = run(recipe, numbers, folder, options, steps)
        if not replicas.is_first:
            return
        if json:
            print_json({**facts, "seconds": steps.seconds})
        else:
            print_facts(lines(facts))


def _run(
    recipe: Recipe, seeds: Sequence[int], folder: Path, options: RunOptions, steps: Steps
) -> dict[str, Any]:
    from graphsparse.training.summary import metric_of_run, summarize
    from graphsparse.training.sweep import run_recipe

    text = f"training {recipe.model.name} on {recipe.data.name}"
    with steps.step("train", text, total=len(seeds)) as advance:
        runs = run_recipe(recipe, seeds, folder, on_run=lambda _: advance(), options=options)
    summary = summarize(runs)[0]
    return {
        "recipe": recipe.to_dict(),
        "folder": str(folder),
        "metric": metric_of_run(runs[0]),
        "runs": [{"seed": run["seed"], **run["result"]} for run in runs],
        "test_mean": summary.mean,
        "test_std": None if math.isnan(summary.std) else summary.std,
    }


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    recipe, runs = facts["recipe"], facts["runs"]
    from graphsparse.training.summary import figure_text

    first, metric = runs[0], facts["metric"]
    spread = math.nan if facts["test_std"] is None else facts["test_std"]
    lines = [
        ("data", recipe["data"]["name"]),
        ("metric", metric),
        ("model", recipe["model"]["name"]),
        ("edges kept", f"{first['edges_kept']:,} of {first['edges_total']:,}"),
        ("weights kept", f"{first['weights_kept']:,} of {first['weights_total']:,}"),
    ]
    for run in runs:
        test, val = (figure_text(run[part], metric) for part in ("test", "val"))
        score = f"test {test} (validation {val}) at epoch {run['best_epoch']}"
        lines.append((f"seed {run['seed']}", score))
    lines += [
        ("mean", f"test {figure_text(facts['test_mean'], metric, spread)}"),
        ("results", facts["folder"]),
    ]
    return lines
