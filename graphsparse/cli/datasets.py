"""``graphsparse datasets``: the data sets that can be loaded by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphsparse.cli.console import Steps, print_facts, print_json, print_table
from graphsparse.cli.options import AsJson, Quiet

if TYPE_CHECKING:
    from graphsparse.datasets import Dataset

app = typer.Typer(help="List, describe and fetch data sets.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of a data set; `datasets list` has them all.")]


@app.command("list")
def list_command(
    task: Annotated[
        str | None, typer.Option(help='Only sets for this task, such as "node classification".')
    ] = None,
    json: AsJson = False,
) -> None:
    """List every data set."""
    from graphsparse.datasets import describe_dataset, list_datasets

    names = list_datasets(task)
    if not names:
        tasks = sorted({describe_dataset(name).task for name in list_datasets()})
        raise ValueError(f"task must be one of {', '.join(map(repr, tasks))}, got {task!r}")
    entries = [describe_dataset(name) for name in names]
    if json:
        print_json({"datasets": [dataclasses.asdict(entry) for entry in entries]})
    else:
        rows = [(e.name, e.origin, e.task, e.metric or "-", e.licence) for e in entries]
        print_table(("name", "from", "task", "metric", "licence"), rows)


@app.command("info")
def info_command(name: Name, json: AsJson = False) -> None:
    """Tell what is known of a data set, without loading it."""
    from graphsparse.datasets import describe_dataset

    facts = dataclasses.asdict(describe_dataset(name))
    if json:
        print_json(facts)
        return
    facts["splits"] = ", ".join(facts["splits"])
    if facts["memory"]:
        facts["memory"] = f"about {facts['memory'] / 2**30:.1f} GiB to load"
    shown = {key: value for key, value in facts.items() if value and key != "files"}
    print_facts([(key, str(value)) for key, value in shown.items()])


@app.command("get")
def get_command(
    name: Name,
    root: Annotated[
        Path | None,
        typer.Option(
            help="Folder of data sets.  [default: $GRAPHSPARSE_DATA, ~/.cache/graphsparse]"
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network.")] = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Load a data set, downloading it where it is not there yet, and tell what it holds."""
    from graphsparse.datasets import load_dataset

    steps = Steps(quiet)
    with steps.step("load", f"loading {name}"):
        dataset = load_dataset(name, root=root, offline=True if offline else None)
    facts = _facts(dataset)
    if json:
        print_json({**facts, "seconds": steps.seconds})
    else:
        print_facts([(key, str(value)) for key, value in facts.items() if value is not None])


@app.command("make")
def make_command(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="What to make: ogbn-like.")],
    out: Annotated[
        Path,
        typer.Option("--out", file_okay=False, help="Gets a sub-folder synthetic_ogbn_like."),
    ],
    nodes: Annotated[int, typer.Option(help="Nodes.")] = 169_343,
    edges: Annotated[int, typer.Option(help="Distinct pairs.")] = 1_166_243,
    features: Annotated[int, typer.Option(help="Features of a node.")] = 128,
    classes: Annotated[int, typer.Option(help="Classes.")] = 40,
    homophily: Annotated[float, typer.Option(help="Share of the pairs inside classes.")] = 0.65,
    exponent: Annotated[float, typer.Option(help="Of the degree distribution, above 2.")] = 2.5,
    signal: Annotated[
        float, typer.Option(help="Length of a class's mean feature vector; noise has 1.")
    ] = 2.0,
    directed: Annotated[
        bool, typer.Option("--directed/--undirected", help="One arc per pair, or both.")
    ] = True,
    train_until: Annotated[int, typer.Option(help="Last year of training, 2001 to 2018.")] = 2017,
    seed: Annotated[int, typer.Option(help="Same seed, same set.")] = 0,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make a synthetic data set of any size, in the folder layout of the Open Graph Benchmark."""
    from graphsparse.checks import check_choice
    from graphsparse.datasets.ogbn_like import NAME, ogbn_like, write_ogbn

    check_choice("kind", kind, ("ogbn-like",))
    steps = Steps(quiet)
    with steps.step("make", f"making {NAME}"):
        made = ogbn_like(
            *(nodes, edges, features, classes),
            homophily=homophily,
            exponent=exponent,
            signal=signal,
            directed=directed,
            train_until=train_until,
            seed=seed,
        )
    with steps.step("write", f"writing to {out}"):
        folder = write_ogbn(made, out)
    facts = {
        "name": NAME,
        "synthetic": True,
        "folder": str(folder),
        "num_nodes": len(made.y),
        "num_arcs": made.edge_index.shape[1],
        "split": {part: len(ids) for part, ids in made.split.items()},
        "seed": seed,
    }
    if json:
        print_json({**facts, "seconds": steps.seconds})
    else:
        print_facts([(key, str(value)) for key, value in facts.items()])


def _facts(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "task": dataset.task,
        "content": str(dataset),
        "arrays": {key: list(array.shape) for key, array in dataset.arrays.items()} or None,
        "splits": [split.name for split in dataset.splits] or None,
        "num_classes": dataset.num_classes,
        "metric": dataset.metric,
    }
