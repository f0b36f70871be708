"""``graphsparse convert``: one graph file format into another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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


def command(
    file: GraphFile,
    output: Annotated[Path, typer.Argument(metavar="OUT", dir_okay=False, help="File to write.")],
    format: InputFormat = None,  # noqa: A002
    output_format: OutputFormat = None,
    directed: Directed = None,
    settings: ReadSettings = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Read a graph in one format and write it in another."""
    from graphsparse.io import write_graph

    check_output(output, output_format)
    steps = Steps(quiet)
    graph = read(steps, file, format, directed, settings or ()).graph
    with steps.step("write", f"writing {output}"):
        write_graph(graph, output, format=output_format)
    if json:
        facts = {
            "input": str(file),
            "output": str(output),
            "num_nodes": graph.num_nodes,
            "num_edges": graph.num_edges,
            "directed": graph.directed,
            "weighted": graph.weights is not None,
            "output_bytes": output.stat().st_size,
            "seconds": steps.seconds,
        }
        print_json(facts)
    elif not quiet:
        print_facts([("read", str(graph)), ("written", str(output))])
