"""``graphsparse stream``: a sparsifier that follows a file of updates."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphsparse.cli.console import Steps
from graphsparse.cli.options import (
    Directed,
    GraphFile,
    InputFormat,
    OutputFormat,
    Quiet,
    ReadSettings,
)
from graphsparse.cli.reading import check_output, read
from graphsparse.cli.settings import parse_settings
from graphsparse.errors import GraphFormatError
from graphsparse.graph import Graph

if TYPE_CHECKING:
    from graphsparse.streaming import BatchReport, DynamicSparsifier, EdgeBatch


def command(
    file: GraphFile,
    updates: Annotated[
        Path,
        typer.Argument(
            metavar="UPDATES",
            help="CSV, TSV, text or Parquet with op,u,v,w[,time]; - is CSV from stdin.",
        ),
    ],
    output: Annotated[
        Path, typer.Argument(metavar="OUT", dir_okay=False, help="File for the sparsifier.")
    ],
    batch: Annotated[int, typer.Option("--batch", "-b", help="Updates per batch.")] = 1000,
    start: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Sparsifier to start from."),
    ] = None,
    alpha: Annotated[
        float, typer.Option(help="Without --start: off-tree edges per node of the start.")
    ] = 0.1,
    threshold: Annotated[
        str, typer.Option("--threshold", "-k", metavar="K", help="auto, or a number above 0.")
    ] = "auto",
    preset: Annotated[str, typer.Option(help="default, or paper: as published.")] = "default",
    seed: Annotated[int, typer.Option(help="Seed of walks and hashed ties.")] = 0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse self-loops and deletions of missing edges.")
    ] = False,
    grow: Annotated[
        bool, typer.Option("--grow", help="Let node ids above the last add nodes.")
    ] = False,
    device: Annotated[
        str, typer.Option(help="Who walks: cpu or cuda; decisions are the same.")
    ] = "cpu",
    kappa: Annotated[
        int, typer.Option(metavar="N", help="Condition number after every N batches; 0: never.")
    ] = 0,
    final_graph: Annotated[
        Path | None,
        typer.Option("--graph-out", dir_okay=False, help="File for the graph itself."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other option, as walkers=256."),
    ] = None,
    updates_format: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="csv, tsv, text or parquet, if not told by the name."),
    ] = None,
    directed: Directed = None,
    read_settings: ReadSettings = None,
    format: InputFormat = None,  # noqa: A002
    output_format: OutputFormat = None,
    quiet: Quiet = False,
) -> None:
    """Keep a sparsifier close to a graph while edges come and go; one JSON line per batch."""
    for target in (output, final_graph):
        if target is not None:
            check_output(target, output_format)
    if kappa < 0:
        raise typer.BadParameter(f"must not be negative, got {kappa}", param_hint="--kappa")
    options = {"K": _threshold(threshold), "seed": seed, "preset": preset, "strict": strict}
    options |= {"grow": grow, "device": device, **parse_settings(settings or ())}
    batches = _open(updates, updates_format, batch)
    from graphsparse.io import write_graph

    steps = Steps(quiet)
    graph = read(steps, file, format, directed, read_settings or ()).graph
    stream = _start(steps, graph, start, alpha, options, format, read_settings or ())
    if not quiet:
        for note in stream.notes:
            print(f"graphsparse: {note}", file=sys.stderr)
    with steps.step("updates", f"applying {updates}") as advance:
        for number, part in enumerate(batches, 1):
            report = _apply(stream, part, f"{updates}: batch {number}")
            _print_line(stream, report, number, kappa > 0 and number % kappa == 0)
            advance()
    with steps.step("write", f"writing {output}"):
        write_graph(stream.sparsifier(), output, format=output_format)
        if final_graph is not None:
            write_graph(stream.graph(), final_graph, format=output_format)
    if not quiet:
        print(f"graphsparse: {stream!r}", file=sys.stderr)


def _print_line(stream: DynamicSparsifier, report: BatchReport, number: int, kappa: bool) -> None:
    line = {"batch": number, **report.summary()}
    if kappa:
        value = stream.kappa().kappa
        line["kappa"] = value if math.isfinite(value) else "inf"
    print(json.dumps(line, allow_nan=False), flush=True)


def _threshold(text: str) -> Any:
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(
            f"must be auto or a number, got {text!r}", param_hint="--threshold"
        ) from None


def _open(updates: Path, form: str | None, size: int) -> Iterator[EdgeBatch]:
    """Return the batches; wrong names and sizes are refused before the graph is read."""
    from graphsparse.streaming import read_stream

    if str(updates) == "-":
        return read_stream(sys.stdin.buffer, batch_size=size, format=form or "csv")
    if not updates.is_file():
        raise typer.BadParameter(f"file {str(updates)!r} does not exist", param_hint="UPDATES")
    return read_stream(updates, batch_size=size, format=form)


def _start(
    steps: Steps,
    graph: Graph,
    start: Path | None,
    alpha: float,
    options: dict[str, Any],
    form: str | None,
    settings: Sequence[str],
) -> DynamicSparsifier:
    from graphsparse.operators.grass import grass
    from graphsparse.streaming import DynamicSparsifier

    if start is not None:
        sparsifier = read(steps, start, form, None, settings).graph
    else:
        with steps.step("start", f"sparsifying {graph.num_edges:,} edges"):
            sparsifier = grass(graph, alpha=alpha, seed=options["seed"])
    with steps.step("load", "making the stream"):
        try:
            return DynamicSparsifier(graph, sparsifier, **options)
        except TypeError as error:
            raise typer.BadParameter(str(error), param_hint="--set") from error


def _apply(stream: DynamicSparsifier, batch: EdgeBatch, where: str) -> BatchReport:
    """Apply one batch; what is wrong in it is bad input data of a certain place."""
    try:
        return stream.update(batch)
    except (ValueError, IndexError, KeyError) as error:
        raise GraphFormatError(f"{where}: {error.args[0]}") from error
