"""``graphsparse compare``: sparsifiers, budgets and figures in one table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from graphsparse.cli.console import Steps, print_json
from graphsparse.cli.options import AsJson, Directed, GraphFile, InputFormat, Quiet, ReadSettings
from graphsparse.cli.reading import read

Number = TypeVar("Number", int, float)
METHODS = "local_degree,spanner,spanning_forests,k_neighbors,local_similarity,teddy,forest_fire"


def command(
    graph: GraphFile,
    methods: Annotated[
        str, typer.Option("--methods", "-m", help="Names apart by commas; random is always there.")
    ] = METHODS,
    keeps: Annotated[
        str, typer.Option("--keeps", "-k", help="Fractions of the edges apart by commas.")
    ] = "0.1,0.2,0.35,0.5,0.7",
    figures: Annotated[
        str, typer.Option("--figures", "-f", help="default, all, or names apart by commas.")
    ] = "default",
    seeds: Annotated[str, typer.Option(help="Seeds apart by commas.")] = "0",
    samples: Annotated[int, typer.Option(help="Sources of distances.")] = 64,
    max_seconds: Annotated[
        float | None, typer.Option(help="Time from which a figure is given up and says so.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="File of what was measured: a stopped table goes on."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--html", dir_okay=False, help="Page to write.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", dir_okay=False, help="CSV file of all entries.")
    ] = None,
    directed: Directed = None,
    format: InputFormat = None,  # noqa: A002
    settings: ReadSettings = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Sparsify by many methods to many budgets and measure what each kept."""
    from graphsparse.quality import compare
    from graphsparse.quality.page import comparison_page

    names = [name for name in methods.split(",") if name]
    shares = _numbers("--keeps", keeps, float)
    numbers = _numbers("--seeds", seeds, int)
    steps = Steps(quiet)
    g = read(steps, graph, format, directed, settings or ()).graph
    chosen = figures if figures in ("default", "all") else figures.split(",")
    with steps.step(
        "compare", f"measuring {len(names) + 1} methods at {len(shares)} budgets"
    ) as on:
        found = compare(
            g, names, shares, chosen, seeds=numbers, samples=samples, max_seconds=max_seconds,
            directed=g.directed,
            cache=cache, on_entry=lambda entry: on(),
        )  # fmt: skip
    if page is not None:
        page.write_text(comparison_page(found, f"Sparsifiers of {graph.name}"))
    if table is not None:
        table.write_text(found.to_csv())
    if json:
        print_json(found.to_dict())
    else:
        print(found.to_markdown())


def _numbers(option: str, text: str, kind: Callable[[str], Number]) -> list[Number]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"must be numbers apart by commas, got {text!r}", param_hint=option
        ) from None
