"""``graphsparse info``: what a graph file or a hypergraph folder holds."""

from __future__ import annotations

from typing import Any

from graphsparse.cli.console import Steps, print_facts, print_json
from graphsparse.cli.options import (
    AsJson,
    Directed,
    GraphFileOrFolder,
    InputFormat,
    Quiet,
    ReadSettings,
)
from graphsparse.cli.reading import read


def command(
    file: GraphFileOrFolder,
    format: InputFormat = None,  # noqa: A002
    directed: Directed = None,
    settings: ReadSettings = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Tell what a graph file, or a folder with hypergraph.txt, holds: size, degrees, labels."""
    if file.is_dir():
        from graphsparse.cli.info_hypergraph import show

        show(file, settings or (), as_json=json, quiet=quiet)
        return
    from graphsparse.cli.summary import summary

    steps = Steps(quiet)
    source = read(steps, file, format, directed, settings or ())
    with steps.step("count", "counting"):
        facts = {"file": str(file), "format": source.report.format, **summary(source.graph)}
    facts["directed_from"] = source.directed_from
    facts["seconds"] = steps.seconds
    if json:
        print_json(facts)
    else:
        print_facts(_lines(facts))


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    from graphsparse.graph import format_bytes

    degree, weights = facts["degree"], facts["weights"]
    count = "arcs, each its own edge" if facts["directed"] else "each pair counted once"
    lines = [
        ("file", f"{facts['file']} ({facts['format']})"),
        ("nodes", f"{facts['num_nodes']:,}"),
        ("edges", f"{facts['num_edges']:,}  ({count})"),
        ("arcs", f"{facts['num_arcs']:,}  (columns of PyG's edge_index)"),
        ("directed", f"{'yes' if facts['directed'] else 'no'} (from {facts['directed_from']})"),
        ("self-loops", f"{facts['self_loops']:,}"),
        ("parallel edges", f"{facts['parallel_edges']:,}"),
        ("isolated nodes", f"{facts['isolated_nodes']:,}"),
        ("components", f"{facts['components']:,}  (largest: {facts['largest_component']:,} nodes)"),
        ("weights", "none"),
        ("memory", format_bytes(facts["nbytes"])),
    ]
    if facts["directed"]:
        lines.insert(5, ("symmetric", "yes" if facts["symmetric"] else "no"))
    if degree:
        spread = f"{degree['min']} min, {degree['median']:g} median, {degree['mean']:.2f} mean"
        lines.insert(
            -2, ("out-degree" if facts["directed"] else "degree", f"{spread}, {degree['max']} max")
        )
    if weights:
        lines[-2] = (
            "weights",
            f"{weights['min']:g} to {weights['max']:g}, mean {weights['mean']:g}",
        )
    return lines
