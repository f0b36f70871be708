"""What ``graphsparse train`` does with a recipe that classifies incidences."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsparse.cli.console import Steps

if TYPE_CHECKING:
    from graphsparse.training.incidence_recipe import IncidenceRecipe
    from graphsparse.training.run_files import RunOptions


def run(
    recipe: IncidenceRecipe,
    seeds: Sequence[int],
    folder: Path,
    options: RunOptions,
    steps: Steps,
) -> dict[str, Any]:
    """Run the recipe for every seed; return what is printed."""
    from graphsparse.training.incidence_recipe import run_incidence_recipe

    text = f"training {recipe.model.name} on {recipe.data.name}"
    with steps.step("train", text, total=len(seeds)) as advance:
        runs = run_incidence_recipe(
            recipe, seeds, folder, on_run=lambda _: advance(), options=options
        )
    facts: dict[str, Any] = {
        "recipe": recipe.to_dict(),
        "folder": str(folder),
        "runs": [{"seed": one["seed"], **one["result"]} for one in runs],
    }
    for key in ("test", "test_macro"):
        scores = [one["result"][key] for one in runs]
        facts[f"{key}_mean"] = statistics.fmean(scores)
        facts[f"{key}_std"] = statistics.stdev(scores) if len(scores) > 1 else None
    return facts


def lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the facts as lines for people."""
    recipe, first = facts["recipe"], facts["runs"][0]
    shown = [("data", recipe["data"]["name"]), ("model", recipe["model"]["name"])]
    if first["weights_total"] is not None:
        kept = f"{first['weights_kept']:,} of {first['weights_total']:,}"
        shown.append(("weights kept", kept))
    for one in facts["runs"]:
        score = (
            f"test micro F1 {one['test']:.3f}, macro {one['test_macro']:.3f} "
            f"(validation {one['val']:.3f}) at epoch {one['best_epoch']}"
        )
        shown.append((f"seed {one['seed']}", score))
    micro, macro = (_spread(facts, key) for key in ("test", "test_macro"))
    return [*shown, ("mean", f"micro F1 {micro}, macro {macro}"), ("results", facts["folder"])]


def _spread(facts: dict[str, Any], key: str) -> str:
    mean, std = facts[f"{key}_mean"], facts[f"{key}_std"]
    return f"{mean:.3f}" if std is None else f"{mean:.3f} +- {std:.3f}"
