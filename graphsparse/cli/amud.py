"""``graphsparse amud``: whether to keep the directions of a graph."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from graphsparse.cli.console import Steps, print_json
from graphsparse.cli.options import (
    AsJson,
    GraphFile,
    InputFormat,
    OutputFormat,
    Quiet,
    ReadSettings,
)
from graphsparse.cli.reading import check_output, read


def command(
    file: GraphFile,
    labels: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="A label a line, 'node label' lines, .npy."),
    ],
    mask: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Nodes whose label may be used: ids, .npy."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--out", dir_okay=False, help="Write the graph to train on.")
    ] = None,
    output_format: OutputFormat = None,
    score: Annotated[str, typer.Option(help="adjusted or r2.")] = "adjusted",
    weighting: Annotated[str, typer.Option(help="auto, support or paths.")] = "auto",
    threshold: Annotated[float, typer.Option(help="Least score of a directed graph.")] = 0.5,
    z_min: Annotated[float, typer.Option(help="Least significance of a directed graph.")] = 2.0,
    min_pairs: Annotated[int, typer.Option(help="Patterns with fewer pairs do not count.")] = 30,
    n_boot: Annotated[int, typer.Option("--boot", help="Half-samples for the confidence.")] = 0,
    seed: Annotated[int, typer.Option(help="For sampled rows and half-samples.")] = 0,
    format: InputFormat = None,  # noqa: A002
    settings: ReadSettings = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Decide from the labels whether to train on a digraph or on its symmetrised copy."""
    from graphsparse.cli.labels import read_labels, read_mask
    from graphsparse.io import write_graph
    from graphsparse.operators.amud import amud

    if output is not None:
        check_output(output, output_format)
    steps = Steps(quiet)
    graph = read(steps, file, format, True, settings or ()).graph
    y = read_labels(labels, graph.num_nodes)
    chosen = None if mask is None else read_mask(mask, graph.num_nodes)
    text = f"comparing patterns of {graph.num_arcs:,} arcs"
    with steps.step("amud", text), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the report holds them
        result = amud(
            graph, y, mask=chosen, score=score, weighting=weighting, threshold=threshold,
            z_min=z_min, min_pairs=min_pairs, n_boot=n_boot, seed=seed,
        )  # fmt: skip
    if output is not None:
        with steps.step("write", f"writing {output}"):
            write_graph(result.graph, output, format=output_format)
    if json:
        facts: dict[str, Any] = {"input": str(file), **result.to_dict(), "seconds": steps.seconds}
        print_json(facts | {"output": None if output is None else str(output)})
    else:
        print(result.report())
