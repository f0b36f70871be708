"""``graphsparse stream``: a sparsifier that follows updates, in memory or in a durable store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from graphsparse.cli import stream_store
from graphsparse.cli.console import Steps
from graphsparse.cli.options import (
    Directed,
    InputFormat,
    OutputFormat,
    Quiet,
    ReadSettings,
)
from graphsparse.cli.reading import check_output
from graphsparse.cli.settings import parse_settings
from graphsparse.cli.stream_options import (
    Alpha,
    Batch,
    Columns,
    Continued,
    Device,
    File,
    FinalGraph,
    Forever,
    Grow,
    History,
    Kappa,
    Metrics,
    Nodes,
    Output,
    Preset,
    Prometheus,
    Rejects,
    Seconds,
    Seed,
    Settings,
    SnapshotEvery,
    Source,
    Start,
    StopAtBad,
    Store,
    Strict,
    Threshold,
    Updates,
    UpdatesFormat,
    Window,
)
from graphsparse.cli.stream_run import Job, Places, follow

_RUN = "run"


class _RunByDefault(TyperGroup):
    """``stream FILE ...`` means ``stream run FILE ...``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [_RUN, *args]
        return list(super().parse_args(ctx, args))


app = typer.Typer(
    cls=_RunByDefault,
    help="Follow a stream of updates; `stream FILE ...` means `stream run FILE ...`.",
    no_args_is_help=True,
)
app.command("status")(stream_store.status)
app.command("verify")(stream_store.verify)
app.command("repair")(stream_store.repair)
app.command("export")(stream_store.export)
app.command("report")(stream_store.report)


@app.command(_RUN)
def command(
    file: File = None,
    updates: Updates = None,
    output: Output = None,
    batch: Batch = 1000,
    seconds: Seconds = 1.0,
    start: Start = None,
    alpha: Alpha = 0.1,
    threshold: Threshold = "auto",
    preset: Preset = "default",
    seed: Seed = 0,
    strict: Strict = False,
    grow: Grow = False,
    nodes: Nodes = None,
    device: Device = "cpu",
    kappa: Kappa = 0,
    final_graph: FinalGraph = None,
    settings: Settings = None,
    source: Source = None,
    updates_format: UpdatesFormat = None,
    columns: Columns = None,
    forever: Forever = False,
    continued: Continued = False,
    window: Window = None,
    store: Store = None,
    snapshot_every: SnapshotEvery = None,
    history: History = "all",
    rejects: Rejects = None,
    stop_at_bad: StopAtBad = False,
    metrics: Metrics = None,
    prometheus: Prometheus = None,
    directed: Directed = None,
    read_settings: ReadSettings = None,
    format: InputFormat = None,  # noqa: A002
    output_format: OutputFormat = None,
    quiet: Quiet = False,
) -> None:
    """Keep a sparsifier close to a graph while edges come and go; one JSON line per batch.

    Ctrl-C and SIGTERM finish the batch and end with status 0.
    """
    given = _updates(updates, source, file, output, store)
    for target in (output, final_graph):
        if target is not None:
            check_output(target, output_format)
    if kappa < 0:
        raise typer.BadParameter(f"must not be negative, got {kappa}", param_hint="--kappa")
    options = {"K": _threshold(threshold), "seed": seed, "preset": preset, "strict": strict}
    options |= {"grow": grow, "device": device, **parse_settings(settings or ())}
    every: Any = snapshot_every or "auto"
    job = Job(
        steps=Steps(quiet), file=file, start=start, alpha=alpha, options=options, nodes=nodes,
        graph_format=format, directed=directed, read_settings=read_settings or (),
        source=given, updates_format=updates_format, columns=columns, follow=forever,
        continued=continued, window=window, batch=batch, seconds=seconds, kappa=kappa,
        keeping={"snapshot_every": every, "history": history},
        places=Places(
            store, output, final_graph, output_format, rejects, stop_at_bad, metrics, prometheus
        ),
    )  # fmt: skip
    follow(job)


def _updates(
    updates: str | None,
    source: str | None,
    file: Path | None,
    output: Path | None,
    store: Path | None,
) -> str:
    """Return where updates come from; refuse what is missing before any work is done."""
    if (updates is None) == (source is None):
        given = "both" if updates is not None else "neither"
        raise typer.BadParameter(f"give UPDATES or --source, got {given}", param_hint="UPDATES")
    if store is None:
        for name, value in (("FILE", file), ("OUT", output)):
            if value is None:
                raise typer.BadParameter("is needed without --store", param_hint=name)
    return str(updates if updates is not None else source)


def _threshold(text: str) -> Any:
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(
            f"must be auto or a number, got {text!r}", param_hint="--threshold"
        ) from None
