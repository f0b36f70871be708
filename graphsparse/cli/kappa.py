"""``graphsparse kappa``: how close a sparsifier is to its graph, as a number."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from graphsparse.checks import check_choice
from graphsparse.cli.console import Steps, print_facts, print_json
from graphsparse.cli.options import AsJson, Directed, GraphFile, InputFormat, Quiet, ReadSettings
from graphsparse.cli.reading import read


def command(
    graph: GraphFile,
    sparsifier: Annotated[
        Path,
        typer.Argument(metavar="H", exists=True, dir_okay=False, help="File of the sparsifier."),
    ],
    method: Annotated[
        str, typer.Option("--method", "-m", help="Engine: auto, dense, factor or iterative.")
    ] = "auto",
    tol: Annotated[float, typer.Option(help="Relative residual of the eigenpairs.")] = 1e-6,
    components: Annotated[
        bool, typer.Option("--components", help="Also give the numbers of each component.")
    ] = False,
    directed: Directed = None,
    format: InputFormat = None,  # noqa: A002
    settings: ReadSettings = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Condition number of two graphs on the same nodes: 1 is equal up to a factor."""
    from graphsparse.linalg import condition_number
    from graphsparse.linalg.condition import METHODS

    check_choice("method", method, METHODS)
    steps = Steps(quiet)
    g = read(steps, graph, format, directed, settings or ()).graph
    h = read(steps, sparsifier, format, directed, settings or ()).graph
    with steps.step("kappa", f"condition number of {g.num_nodes:,} nodes"):
        number = condition_number(g, h, method=method, tol=tol, per_component=components)  # type: ignore[arg-type]
    facts: dict[str, Any] = {
        "graph": str(graph),
        "sparsifier": str(sparsifier),
        "num_nodes": g.num_nodes,
        "num_edges": [g.num_edges, h.num_edges],
        **_numbers(number),
        "seconds": steps.seconds,
    }
    if components:
        facts["components"] = [_numbers(part) for part in number.components]
    if json:
        print_json(_finite(facts))
    else:
        print_facts(_lines(facts))


def _numbers(number: Any) -> dict[str, Any]:
    return {
        "kappa": number.kappa,
        "lambda_min": number.lambda_min,
        "lambda_max": number.lambda_max,
        "method": number.method,
        "residual": number.residual,
    }


def _finite(value: Any) -> Any:
    """Return facts as JSON can hold them: infinity is ``"inf"``, what does not exist null."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf"
    return value


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    before, after = facts["num_edges"]
    lines = [
        ("graph", f"{facts['graph']}: {facts['num_nodes']:,} nodes, {before:,} edges"),
        ("sparsifier", f"{facts['sparsifier']}: {after:,} edges"),
        ("kappa", f"{facts['kappa']:.6g}"),
        ("eigenvalues", f"{facts['lambda_min']:.6g} to {facts['lambda_max']:.6g}"),
        ("method", f"{facts['method']} (residual {facts['residual']:.1e})"),
    ]
    for i, part in enumerate(facts.get("components", [])):
        lines.append((f"component {i}", f"kappa {part['kappa']:.6g}"))
    return lines
