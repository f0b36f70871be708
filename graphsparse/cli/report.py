"""``graphsparse report``: what a sparse graph kept of the full one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphsparse.cli.console import Steps, print_json
from graphsparse.cli.options import AsJson, Directed, GraphFile, InputFormat, Quiet, ReadSettings
from graphsparse.cli.reading import read


def command(
    graph: GraphFile,
    sparse: Annotated[
        Path,
        typer.Argument(metavar="H", exists=True, dir_okay=False, help="File of the sparse graph."),
    ],
    figures: Annotated[
        str, typer.Option("--figures", "-f", help="default, all, or names apart by commas.")
    ] = "default",
    samples: Annotated[int, typer.Option(help="Sources of distances.")] = 64,
    max_seconds: Annotated[
        float | None, typer.Option(help="Time from which a figure is given up and says so.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
    page: Annotated[
        Path | None, typer.Option("--html", dir_okay=False, help="Page to write.")
    ] = None,
    directed: Directed = None,
    format: InputFormat = None,  # noqa: A002
    settings: ReadSettings = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Figures of a sparse graph, with their errors: 1 is as good as the full graph."""
    from graphsparse.quality import quality_report
    from graphsparse.quality.page import report_page

    steps = Steps(quiet)
    g = read(steps, graph, format, directed, settings or ()).graph
    h = read(steps, sparse, format, directed, settings or ()).graph
    chosen = figures if figures in ("default", "all") else figures.split(",")
    with steps.step("report", f"measuring {h.num_edges:,} of {g.num_edges:,} edges"):
        report = quality_report(
            g, h, chosen, samples=samples, seed=seed, max_seconds=max_seconds, directed=g.directed
        )
    if page is not None:
        with steps.step("page", f"writing {page}"):
            page.write_text(report_page(report, g, h, f"{sparse.name} of {graph.name}"))
    if json:
        print_json(report.to_dict())
    else:
        print(report.to_text())
