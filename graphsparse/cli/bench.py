"""``graphsparse bench``: run a recipe with many seeds and write what a leaderboard asks for."""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path
from typing import Annotated

import typer

from graphsparse.cli.console import Steps, print_facts, print_json
from graphsparse.cli.options import AsJson, Quiet
from graphsparse.cli.settings import parse_seeds

TABLE, SUBMISSION = "results.md", "ogb_submission.json"


def command(
    file: Annotated[
        Path, typer.Argument(metavar="RECIPE", exists=True, dir_okay=False, help="TOML recipe.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a key of the recipe: edges.keep=0.5."
        ),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds to run: 3, 0-9 or 1,5,7-9.")] = "0-9",
    folder: Annotated[
        Path,
        typer.Option("--out", file_okay=False, help=f"Gets the runs, {TABLE} and {SUBMISSION}."),
    ] = Path("runs"),
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run a recipe with many seeds; runs whose result is in the folder are not run again."""
    numbers = parse_seeds(seeds)
    from graphsparse.training.checkpoint import write_atomic
    from graphsparse.training.recipe import load_recipe
    from graphsparse.training.submission import submission
    from graphsparse.training.sweep import markdown_table, run_recipe, summarize

    recipe = load_recipe(file, settings or ())
    steps = Steps(quiet)
    text = f"training {recipe.model.name} on {recipe.data.name}"
    with steps.step("train", text, total=len(numbers)) as advance:
        runs = run_recipe(recipe, numbers, folder, on_run=lambda _: advance())
    facts = submission(runs, ["graphsparse", *sys.argv[1:]])
    table = markdown_table(summarize(runs))
    write_atomic(folder / TABLE, table.encode())
    write_atomic(folder / SUBMISSION, (json_module.dumps(facts, indent=1) + "\n").encode())
    if json:
        print_json({**facts, "seconds": steps.seconds})
        return
    test, std = facts["test"], facts["test"]["std"]
    spread = "" if std is None else f" +- {100 * std:.2f}"
    print_facts(
        [
            ("data", facts["dataset"]),
            ("metric", facts["metric"]),
            ("test", f"{100 * test['mean']:.2f}{spread} % over {len(runs)} seeds"),
            ("table", str(folder / TABLE)),
            ("submission", str(folder / SUBMISSION)),
        ]
    )
