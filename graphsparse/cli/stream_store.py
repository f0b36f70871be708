"""``graphsparse stream status|verify|repair|export|report``: looking after a stream."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from graphsparse.cli.console import print_facts, print_json
from graphsparse.cli.options import AsJson, OutputFormat
from graphsparse.cli.reading import check_output

StoreFolder = Annotated[
    Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="Store of a stream.")
]
BAD_DATA = 3


def _print(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        print_facts([(name.replace("_", " "), str(value)) for name, value in facts.items()])


def status(store: StoreFolder, as_json: AsJson = False) -> None:
    """Tell where a stream stands: batches, rows, offset of the source, sizes."""
    from graphsparse.streaming import Store

    version = Store.read(store)
    graph, sparsifier = version.graph(), version.sparsifier()
    found = version.recovery
    read, rejected = version.rows
    facts = {
        "batches": version.num_batches,
        "rows_read": read,
        "rows_rejected": rejected,
        "offset": (version.offset or {}).get("source"),
        "nodes": graph.num_nodes,
        "edges": graph.num_edges,
        "sparsifier_edges": sparsifier.num_edges,
        "live_events": None if version.window is None else len(version.window),
        "snapshot": found.snapshot,
        "replayed_batches": found.replayed,
        "recovery_seconds": round(found.seconds, 3),
        "notes": list(found.notes),
    }
    _print(facts, as_json)


def verify(store: StoreFolder, as_json: AsJson = False) -> None:
    """Check every row and replay all batches; status 3 if something is damaged."""
    from graphsparse.streaming import Store

    result = Store.verify(store)
    findings = [dataclasses.asdict(finding) for finding in result.findings]
    facts: dict[str, Any] = {"batches": result.batches, "snapshots": result.snapshots}
    if as_json:
        print_json({**facts, "findings": findings})
    else:
        damaged = "; ".join(f["problem"] for f in findings)
        _print({**facts, "damaged": damaged or "nothing"}, False)
    if findings:
        raise typer.Exit(BAD_DATA)


def repair(store: StoreFolder, as_json: AsJson = False) -> None:
    """Go back to the last batch that can be had; the damaged file stays beside the new one."""
    from graphsparse.streaming import Store

    _print(dataclasses.asdict(Store.repair(store)), as_json)


def export(
    store: StoreFolder,
    output: Annotated[
        Path, typer.Argument(metavar="OUT", dir_okay=False, help="File for the sparsifier.")
    ],
    graph_out: Annotated[
        Path | None, typer.Option("--graph-out", dir_okay=False, help="File for the graph itself.")
    ] = None,
    updates_out: Annotated[
        Path | None,
        typer.Option("--updates-out", dir_okay=False, help="CSV file for the stored updates."),
    ] = None,
    output_format: OutputFormat = None,
) -> None:
    """Write what a store holds now, also while a stream runs."""
    for target in (output, graph_out):
        if target is not None:
            check_output(target, output_format)
    from graphsparse.io import write_graph
    from graphsparse.streaming import Store
    from graphsparse.streaming.maintenance import export_updates

    version = Store.read(store)
    write_graph(version.sparsifier(), output, format=output_format)
    if graph_out is not None:
        write_graph(version.graph(), graph_out, format=output_format)
    if updates_out is not None:
        export_updates(store, updates_out)


def report(
    metrics: Annotated[
        Path,
        typer.Argument(
            metavar="METRICS", exists=True, dir_okay=False, help="JSON lines of a run (--metrics)."
        ),
    ],
    output: Annotated[
        Path, typer.Argument(metavar="OUT", dir_okay=False, help="HTML file to write.")
    ],
    store: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Draw the graphs of this store, if small."),
    ] = None,
) -> None:
    """Draw kappa, density, accept rate and throughput over time: one self-contained HTML file."""
    from graphsparse.errors import GraphFormatError
    from graphsparse.io.streams import atomic_write
    from graphsparse.streaming import Store
    from graphsparse.streaming.page import run_page

    rows = []
    for number, line in enumerate(metrics.read_text(encoding="utf-8").splitlines(), 1):
        try:
            rows.append({**json.loads(line)})
        except (ValueError, TypeError) as error:
            raise GraphFormatError(
                f"{metrics}:{number}: expected a JSON object: {error}"
            ) from error
    version = None if store is None else Store.read(store)
    graphs = (
        {} if version is None else {"graph": version.graph(), "sparsifier": version.sparsifier()}
    )
    page = run_page(rows, **graphs)
    with atomic_write(output) as file:
        file.write(page.encode())
