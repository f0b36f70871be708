"""``graphsparse embed``: a graph file in, one vector per node out."""

from __future__ import annotations

import json as json_module
import math
import resource
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphsparse.cli.console import Steps, print_facts, print_json
from graphsparse.cli.options import AsJson, Directed, GraphFile, InputFormat, Quiet, ReadSettings
from graphsparse.cli.reading import read
from graphsparse.cli.settings import parse_settings

if TYPE_CHECKING:
    from graphsparse.sketch import FastRPOptions, FastRPState


def command(
    file: GraphFile,
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", dir_okay=False, help=".npy, .parquet, or .txt/.vec (word2vec)."
        ),
    ],
    dim: Annotated[int, typer.Option("--dim", "-d", help="Columns of the vectors.")] = 256,
    weights: Annotated[
        str, typer.Option(metavar="A1,A2,...", help="Weights of the powers of the walk.")
    ] = "0,0,1,6.67",
    beta: Annotated[
        float, typer.Option(help="Exponent of the degrees: 0 keeps hubs, -1 flattens them.")
    ] = -0.5,
    self_influence: Annotated[
        float, typer.Option(help="Weight of a node's own random vector.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Same seed, same vectors.")] = 42,
    standardize: Annotated[bool, typer.Option(help="Columns of mean 0 and deviation 1.")] = True,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other option, as s=10."),
    ] = None,
    shard_dim: Annotated[
        int | None,
        typer.Option(metavar="N", help="Out of core, N columns at a time; OUT is a .npy file."),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Id map: names of the nodes in the file of vectors."
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads; 0 is all.")] = None,
    directed: Directed = None,
    read_settings: ReadSettings = None,
    format: InputFormat = None,  # noqa: A002
    output_format: Annotated[
        str | None,
        typer.Option("--to", metavar="FORMAT", help="npy, parquet, word2vec, if not by the name."),
    ] = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Embed the nodes of a graph by FastRP."""
    form = _check_output(output, output_format, shard_dim, names)
    options = _options(
        {
            "dim": dim, "weights": _numbers(weights), "beta": beta, "seed": seed,
            "self_influence": self_influence, "standardize": standardize, "n_threads": threads,
            **parse_settings(settings or ()),
        }
    )  # fmt: skip
    from graphsparse.io import read_id_map
    from graphsparse.io.vectors import write_vectors

    steps = Steps(quiet)
    graph = read(steps, file, format, directed, read_settings or ()).graph
    called = None if names is None else read_id_map(names)
    with steps.step("embed", f"embedding {graph.num_nodes:,} nodes"):
        state = _run(graph, options, output if shard_dim else None, shard_dim, quiet)
    with steps.step("write", f"writing {output}"):
        if shard_dim is None:
            write_vectors(state.embedding, output, names=called, format=form)
    if quiet and not json:
        return
    facts = _facts(graph, state, steps)
    facts = {"input": str(file), "output": str(output), "format": form, **facts}
    if json:
        print_json(facts)
    else:
        print_facts(_lines(facts))


def _check_output(output: Path, form: str | None, shard_dim: int | None, names: Path | None) -> str:
    """Return the format of the output; what cannot be written is refused before any work."""
    from graphsparse.io.vectors import vector_format

    if not output.parent.is_dir():
        raise typer.BadParameter(f"folder {str(output.parent)!r} does not exist", param_hint="OUT")
    try:
        form = vector_format(output, form)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--to") from None
    if shard_dim is not None and (form != "npy" or output.suffix != ".npy"):
        raise typer.BadParameter(
            f"needs a .npy file, got {output.name!r}", param_hint="--shard-dim"
        )
    if names is not None and form == "npy":
        raise typer.BadParameter("a .npy file has no place for names", param_hint="--names")
    return form


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise typer.BadParameter(
            f"must look like 0,0,1,6.67, got {text!r}", param_hint="--weights"
        ) from None


def _options(given: dict[str, Any]) -> FastRPOptions:
    from graphsparse.sketch import FastRPOptions

    try:
        return FastRPOptions(**given)
    except TypeError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from error


def _run(
    graph: Any, options: FastRPOptions, out: Path | None, shard_dim: int | None, quiet: bool
) -> FastRPState:
    from graphsparse.operators.fastrp import run_fastrp

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        state = run_fastrp(graph, options, out=out, shard_dim=shard_dim or 64)
    if not quiet:
        for warning in caught:
            print(f"graphsparse: {warning.message}", file=sys.stderr)
    return state


def _facts(graph: Any, state: FastRPState, steps: Steps) -> dict[str, Any]:
    import dataclasses

    from graphsparse import __version__

    n, columns = state.embedding.shape
    return {
        "version": __version__,
        "num_nodes": n,
        "num_edges": graph.num_edges,
        "directed": graph.directed,
        "columns": columns,
        "dtype": str(state.embedding.dtype),
        "num_zero_rows": state.num_zero_rows,
        "parameters": dataclasses.asdict(state.options),
        "seconds": {**steps.seconds, **{f"embed_{k}": v for k, v in state.seconds.items()}},
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    seconds, chosen = facts["seconds"], facts["parameters"]
    zeros = facts["num_zero_rows"]
    parts = (("read", "read"), ("embed", "embed"), ("write", "write"))
    return [
        ("input", facts["input"]),
        ("nodes", f"{facts['num_nodes']:,}"),
        ("edges", f"{facts['num_edges']:,}"),
        ("vectors", f"{facts['columns']} columns of {facts['dtype']} ({facts['format']})"),
        ("weights", json_module.dumps([_short(alpha) for alpha in chosen["weights"]])),
        ("zero rows", f"{zeros:,}" + (" (no walk leaves them)" if zeros else "")),
        ("time", ", ".join(f"{seconds[key]:.2f} s {name}" for key, name in parts)),
        ("memory", f"{math.ceil(facts['peak_memory_bytes'] / 1e6):,} MB at the most"),
        ("output", facts["output"]),
    ]


def _short(alpha: float) -> float | int:
    return int(alpha) if alpha == int(alpha) else alpha
