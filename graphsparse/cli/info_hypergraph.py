"""What ``graphsparse info`` tells about a folder with ``hypergraph.txt``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from graphsparse.cli.console import Steps, print_facts, print_json
from graphsparse.cli.settings import parse_settings


def show(folder: Path, settings: Sequence[str], *, as_json: bool, quiet: bool) -> None:
    """Read the folder and print its counts; ``--read`` takes the options of ``read_enc``."""
    from graphsparse.io import read_enc

    steps = Steps(quiet)
    options: dict[str, Any] = parse_settings(settings, "--read")
    known = {"named", "allow_empty"}
    if options.keys() - known:
        name = sorted(options.keys() - known)[0]
        raise typer.BadParameter(
            f"a hypergraph folder takes {', '.join(sorted(known))}, got {name}", param_hint="--read"
        )
    with steps.step("read", f"reading {folder}"):
        data = read_enc(folder, shuffle_within=False, **options)
    facts = {"file": str(folder), "format": "enc", **data.statistics(), "seconds": steps.seconds}
    if as_json:
        print_json(facts)
    else:
        print_facts(_lines(facts))


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    labels = ", ".join(f"{count:,}" for count in facts["labels"])
    splits = ", ".join(f"{count:,} {name}" for name, count in facts["splits"].items())
    return [
        ("folder", f"{facts['file']} ({facts['format']})"),
        ("nodes", f"{facts['num_nodes']:,}"),
        ("hyperedges", f"{facts['num_hyperedges']:,}"),
        ("incidences", f"{facts['num_incidences']:,}"),
        ("size", _spread(facts["size"])),
        ("degree", _spread(facts["degree"])),
        ("singletons", f"{facts['singleton_hyperedges']:,} hyperedges of one member"),
        ("empty", f"{facts['empty_hyperedges']:,} hyperedges"),
        ("isolated nodes", f"{facts['isolated_nodes']:,}"),
        ("repeats", f"{facts['repeated_memberships']:,} repeated memberships"),
        ("labels", f"{labels}  (incidences of class 0, 1, ...)"),
        ("unlabelled", f"{facts['unlabelled']:,}"),
        ("splits", f"{splits}  (hyperedges)"),
    ]


def _spread(spread: dict[str, float] | None) -> str:
    if spread is None:
        return "none"
    return (
        f"{spread['min']} min, {spread['median']:g} median, {spread['mean']:.2f} mean, "
        f"{spread['max']} max"
    )
