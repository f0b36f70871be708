"""``graphsparse sparsify``: a graph file in, a sparse one out."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphsparse.cli.console import Steps, print_facts, print_json
from graphsparse.cli.options import (
    AsJson,
    Directed,
    GraphFile,
    InputFormat,
    OutputFormat,
    Quiet,
    ReadSettings,
)
from graphsparse.cli.reading import check_output, read
from graphsparse.cli.settings import parse_settings
from graphsparse.graph import Graph
from graphsparse.operators.sparsify import METHODS, SparsifyResult

if TYPE_CHECKING:
    from graphsparse.quality.sparsify import Plan

AUTO = "auto"


def command(
    file: GraphFile,
    output: Annotated[Path, typer.Argument(metavar="OUT", dir_okay=False, help="File to write.")],
    method: Annotated[
        str | None,
        typer.Option(
            "--method", "-m", help=f"Sparsifier: {', '.join(sorted(METHODS))}. teddy if left out."
        ),
    ] = None,
    goal: Annotated[
        str | None,
        typer.Option(
            help="Instead of a method: distances, spectral, communities or gnn; without a budget "
            "it means --keep auto."
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="FLOAT|auto",
            help="Fraction of the edges to keep, in (0, 1]; met exactly. auto: see --target.",
        ),
    ] = None,
    num_edges: Annotated[int | None, typer.Option(help="Edges to keep, instead of --keep.")] = None,
    target: Annotated[
        float | None,
        typer.Option(help="With --keep auto: what the figure has to reach, in (0, 1]. 0.9."),
    ] = None,
    figure: Annotated[
        str | None,
        typer.Option(help="With --keep auto: names apart by commas (see report). distance."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of random choices and hashed ties.")
    ] = None,
    connected: Annotated[
        bool | None, typer.Option("--connected", help="Keep a spanning forest in any case.")
    ] = None,
    protect: Annotated[
        str | None,
        typer.Option(help="none, top1 (the best edge of each node goes last); teddy: also forest."),
    ] = None,
    tie_break: Annotated[
        str | None, typer.Option(help="Order of equal scores: index, hash.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other option of the method."),
    ] = None,
    directed: Directed = None,
    read_settings: ReadSettings = None,
    format: InputFormat = None,  # noqa: A002
    output_format: OutputFormat = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Drop edges of a graph by a method and to an exact budget."""
    check_output(output, output_format)
    named = {"seed": seed, "connected": connected, "protect": protect, "tie_break": tie_break}
    search = {"target": target, "figures": None if figure is None else tuple(figure.split(","))}
    chosen = _plan(method, keep, num_edges, goal, search, named, settings or ())
    from graphsparse.io import write_graph

    steps = Steps(quiet)
    source = read(steps, file, format, directed, read_settings or ())
    graph = source.graph
    with steps.step("sparsify", f"sparsifying {graph.num_edges:,} edges"):
        result = chosen.run(graph)
    with steps.step("write", f"writing {output}"):
        write_graph(result.graph, output, format=output_format)
    if quiet and not json:
        return
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    asked = AUTO if chosen.search is not None else chosen.keep if num_edges is None else num_edges
    with steps.step("count", "counting components"):
        facts = _facts(graph, result, asked)
    facts = {"input": str(file), "output": str(output), **facts}
    facts["directed_from"] = source.directed_from
    facts["seconds"] = _seconds(steps.seconds, result.seconds)
    facts["peak_memory_bytes"] = peak
    if json:
        print_json(facts)
    else:
        print_facts(_lines(facts))


def _plan(
    method: str | None,
    keep: str | None,
    num_edges: int | None,
    goal: str | None,
    search: dict[str, Any],
    named: dict[str, Any],
    settings: Sequence[str],
) -> Plan:
    """Return what to do; names, options and budget are checked before any file is read."""
    from graphsparse.quality.sparsify import plan

    options = {key: value for key, value in named.items() if value is not None}
    budget = AUTO if keep == AUTO else _fraction(keep)
    try:
        return plan(
            method, budget, num_edges, goal, search, {**options, **parse_settings(settings)}
        )
    except TypeError as error:
        raise typer.BadParameter(str(error)) from error


def _fraction(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        raise typer.BadParameter(
            f"must be a number or auto, got {text!r}", param_hint="--keep"
        ) from None


def _facts(graph: Graph, result: SparsifyResult, asked: float | str | None) -> dict[str, Any]:
    from graphsparse import __version__
    from graphsparse.cli.summary import connectivity

    return {
        "version": __version__,
        "num_nodes": graph.num_nodes,
        "num_edges": graph.num_edges,
        "num_kept": result.graph.num_edges,
        "candidates": {
            "asked": asked,
            "total": result.num_candidates,
            "kept": result.num_kept,
            "keep": result.keep,
        },
        "self_loops": result.num_self_loops,
        "directed": result.directed,
        "method": result.method,
        "parameters": result.parameters,
        "details": result.details,
        "before": connectivity(graph),
        "after": connectivity(result.graph),
    }


def _seconds(steps: dict[str, float], phases: dict[str, float]) -> dict[str, float]:
    """Return the time of each phase; those of the method stand for the step around them."""
    return {"read": steps["read"], **phases, "write": steps["write"], "count": steps["count"]}


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    options = ", ".join(f"{name}={value}" for name, value in facts["parameters"].items())
    before, after, seconds = facts["before"], facts["after"], facts["seconds"]
    total = facts["num_edges"]
    share = f" ({facts['num_kept'] / total:.1%})" if total else ""
    work = seconds["score"] + seconds["select"]
    return [
        ("input", facts["input"]),
        ("nodes", f"{facts['num_nodes']:,}"),
        ("edges kept", f"{facts['num_kept']:,} of {total:,}{share}"),
        ("directed", f"{'yes' if facts['directed'] else 'no'} (from {facts['directed_from']})"),
        ("method", f"{facts['method']} ({options})"),
        ("self-loops", f"{facts['self_loops']:,} (always kept)"),
        ("isolated nodes", f"{before['isolated_nodes']:,} -> {after['isolated_nodes']:,}"),
        ("components", f"{before['components']:,} -> {after['components']:,}"),
        (
            "time",
            f"{seconds['read']:.2f} s read, {work:.3f} s sparsify, {seconds['write']:.2f} s write",
        ),
        ("output", facts["output"]),
    ]
