"""Reading a graph for a command: the options, the progress, and what the reader remarks."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from graphsparse.cli.console import Steps
from graphsparse.cli.settings import parse_settings
from graphsparse.graph import Graph

if TYPE_CHECKING:
    from graphsparse.io import ReadReport

_DECIDED = {
    "option": "the command line",
    "file": "the file",
    "default": "the default of the format",
    "detected": "comparing the arcs with their reverses",
}


@dataclasses.dataclass(frozen=True)
class Read:
    """A graph and how it was read."""

    graph: Graph
    report: ReadReport

    @property
    def directed_from(self) -> str:
        """What decided whether the graph is directed."""
        return _DECIDED[self.report.directed_by]


def read(
    steps: Steps,
    file: Path,
    form: str | None,
    directed: bool | None,
    settings: Sequence[str],
) -> Read:
    """Read a graph file as the command line asks.

    Parameters
    ----------
    steps : Steps
        Shows and times the step ``read``.
    file : Path
        The file.
    form : str or None
        Its format; by its suffix if None.
    directed : bool or None
        What the caller said of it.
    settings : sequence of str
        ``NAME=VALUE`` options of the reader.
    """
    from graphsparse.io import read_graph_with_report

    options: dict[str, Any] = parse_settings(settings, "--read")
    if directed is not None:
        options["directed"] = directed
    for name in ("columns", "comments"):
        if isinstance(options.get(name), list):
            options[name] = tuple(options[name])
    with steps.step("read", f"reading {file}"):
        try:
            graph, report = read_graph_with_report(file, format=form, **options)
        except TypeError as error:
            if "option" not in str(error):
                raise
            raise typer.BadParameter(str(error), param_hint="--read") from error
    if not steps.quiet:
        _remark(report)
    return Read(graph, report)


def check_output(file: Path, form: str | None) -> None:
    """Refuse a file that could not be written, before any work is done for it."""
    from graphsparse.io import FORMATS
    from graphsparse.io.streams import split_suffix

    if not file.parent.is_dir():
        raise typer.BadParameter(f"folder {str(file.parent)!r} does not exist", param_hint="OUT")
    known = sorted(suffix for entry in FORMATS.values() for suffix in entry.suffixes)
    if form is None and split_suffix(file)[0] not in known:
        raise typer.BadParameter(
            f"--to is needed for the name {file.name!r}; suffixes: {' '.join(known)}",
            param_hint="OUT",
        )
    if form is not None and form not in FORMATS:
        raise typer.BadParameter(
            f"must be one of {', '.join(FORMATS)}, got {form!r}", param_hint="--to"
        )


def _remark(report: ReadReport) -> None:
    """Tell on stderr what the graph does not show: repairs, ids, parts left out."""
    remarks = []
    if report.both_directions and report.format != "metis":  # where it is the rule
        remarks.append("every pair stands in both directions; each was taken as one edge")
    for count, what in (
        (report.duplicates_merged, "duplicate edges merged"),
        (report.self_loops_dropped, "self-loops dropped"),
        (report.negatives_made_positive, "negative weights made positive"),
    ):
        if count:
            remarks.append(f"{count:,} {what}, as asked")
    if report.smallest_id:
        remarks.append(
            f"ids start at {report.smallest_id}; nodes below exist and have no edge"
            + (" (--read base=1 if ids count from 1)" if report.smallest_id == 1 else "")
        )
    remarks += [f"not in the graph: {what}" for what in report.ignored]
    for remark in remarks:
        print(f"graphsparse: {report.path}: {remark}", file=sys.stderr)
