"""``graphsparse bench``: run a recipe with many seeds and write what a leaderboard asks for."""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path
from typing import Annotated, Any

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
from graphsparse.cli.settings import parse_seeds, parse_shares

TABLE, SUBMISSION, PLOT = "results.md", "ogb_submission.json", "front.svg"


def command(
    file: RecipeFile,
    settings: RecipeSettings = None,
    seeds: Seeds = "0-9",
    edges: Annotated[
        str, typer.Option(help="Shares of edges to keep, an arm for each: 1,0.5,0.25.")
    ] = "",
    weights: Annotated[
        str, typer.Option(help="Shares of weights to keep, an arm for each: 1,0.5,0.2.")
    ] = "",
    folder: Annotated[
        Path,
        typer.Option(
            "--out", file_okay=False, help=f"Gets the runs, {TABLE}, {SUBMISSION} and {PLOT}."
        ),
    ] = Path("runs"),
    resume: Resume = False,
    save_weights: SaveWeights = False,
    tensorboard: TensorBoard = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run a recipe with many seeds; runs whose result is in the folder are not run again.

    With several shares of edges or weights each pair of them is an arm: the table marks those that
    no other one beats, a drawing shows them, and the submission is a list of one entry per arm.
    """
    numbers = parse_seeds(seeds)
    shares = [parse_shares(edges, "--edges"), parse_shares(weights, "--weights")]
    from graphsparse.training.checkpoint import write_atomic
    from graphsparse.training.distributed import launched
    from graphsparse.training.recipe import load_recipe
    from graphsparse.training.run_files import RunOptions
    from graphsparse.training.submission import submission
    from graphsparse.training.summary import markdown_table, pareto_plot, score_text, summarize
    from graphsparse.training.sweep import run_recipe

    recipe = load_recipe(file, settings or ())
    text = f"training {recipe.model.name} on {recipe.data.name}"
    arms = max(len(shares[0]), 1) * max(len(shares[1]), 1)
    with launched(recipe.train.device) as replicas:
        quiet = quiet or not replicas.is_first
        options = RunOptions(resume, save_weights, tensorboard, remark(quiet), replicas)
        steps = Steps(quiet)
        with steps.step("train", text, total=len(numbers) * arms) as advance:
            runs = run_recipe(
                recipe,
                numbers,
                folder,
                edges=shares[0],
                weights=shares[1],
                on_run=lambda _: advance(),
                options=options,
            )
    if not replicas.is_first:
        return
    summaries, line = summarize(runs), ["graphsparse", *sys.argv[1:]]
    facts = [submission([run for run in runs if run["arm"] == s.arm], line) for s in summaries]
    written = {TABLE: markdown_table(summaries), SUBMISSION: json_text(facts)}
    if len(summaries) > 1:
        title = f"{recipe.model.name} on {recipe.data.name}, test {summaries[0].metric}"
        written[PLOT] = pareto_plot(summaries, title)
    for name, content in written.items():
        write_atomic(folder / name, content.encode())
    if json:
        whole = facts[0] if len(facts) == 1 else {"arms": facts}
        print_json({**whole, "seconds": steps.seconds})
        return
    scores = [(s.arm, f"test {score_text(s)} over {s.runs} seeds") for s in summaries]
    files = [(name.partition(".")[2], str(folder / name)) for name in written]
    print_facts([("data", recipe.data.name), ("metric", facts[0]["metric"]), *scores, *files])


def json_text(facts: list[dict[str, Any]]) -> str:
    """Return the entries of all arms, or the one entry."""
    return json_module.dumps(facts[0] if len(facts) == 1 else facts, indent=1) + "\n"
