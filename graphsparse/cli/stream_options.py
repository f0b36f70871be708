"""Arguments and options of ``graphsparse stream run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Graph to start from."),
]
Updates = Annotated[
    str | None,
    typer.Argument(
        metavar="UPDATES",
        help="File or folder of op,u,v,w[,time]; - is stdin; redis://HOST/DB#KEY.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Argument(metavar="OUT", dir_okay=False, help="File for the sparsifier."),
]
Batch = Annotated[int, typer.Option("--batch", "-b", help="Most rows of a batch.")]
Seconds = Annotated[float, typer.Option(help="A batch waits no longer for rows.")]
Start = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Sparsifier to start from."),
]
Alpha = Annotated[
    float, typer.Option(help="Without --start: off-tree edges per node of the start.")
]
Threshold = Annotated[
    str, typer.Option("--threshold", "-k", metavar="K", help="auto, or a number above 0.")
]
Preset = Annotated[str, typer.Option(help="default, or paper: as published.")]
Seed = Annotated[int, typer.Option(help="Seed of walks and hashed ties.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse self-loops and deletions of missing edges.")
]
Grow = Annotated[bool, typer.Option("--grow", help="Let node ids above the last add nodes.")]
Nodes = Annotated[
    int | None, typer.Option(help="Without FILE: start from so many nodes and no edge.")
]
Device = Annotated[str, typer.Option(help="Who walks: cpu or cuda; decisions are the same.")]
Kappa = Annotated[
    int,
    typer.Option(
        "--kappa",
        "--kappa-every",
        metavar="N",
        help="Condition number after every N batches; 0: never.",
    ),
]
FinalGraph = Annotated[
    Path | None,
    typer.Option("--graph-out", dir_okay=False, help="File for the graph itself."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any other option, as walkers=256."),
]
Source = Annotated[str | None, typer.Option(metavar="SOURCE", help="Same as UPDATES; see there.")]
UpdatesFormat = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT", help="csv, tsv, text, jsonl or parquet, if not told by the name."
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(metavar="NAMES", help='Fields of a row, as "u v time"; no op: inserts.'),
]
Forever = Annotated[bool, typer.Option("--follow", help="Wait for more at the end of the source.")]
Continued = Annotated[
    bool,
    typer.Option("--continued", help="stdin goes on where the store stands, not over again."),
]
Window = Annotated[
    float | None,
    typer.Option(metavar="T", help="Rows are events with times; delete them T later."),
]
Store = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", file_okay=False, help="Keep the stream on disk; go on with it if there."
    ),
]
SnapshotEvery = Annotated[
    int | None,
    typer.Option(metavar="N", help="Batches between snapshots.  [default: by their cost]"),
]
History = Annotated[
    str, typer.Option(help="Batches that a store keeps: all, or those for a recovery.")
]
Rejects = Annotated[
    Path | None,
    typer.Option(dir_okay=False, help="File for bad rows.  [default: in DIR, or stop]"),
]
StopAtBad = Annotated[
    bool, typer.Option("--stop-at-bad-rows", help="A bad row is an error, with a store too.")
]
Metrics = Annotated[
    Path | None,
    typer.Option(dir_okay=False, help="Append the JSON line of every batch to this file."),
]
Prometheus = Annotated[
    str | None,
    typer.Option(metavar="[HOST:]PORT", help="Serve /metrics; on this machine alone."),
]
