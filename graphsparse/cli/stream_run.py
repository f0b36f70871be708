"""What ``graphsparse stream run`` does, once its options are read."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

from graphsparse.cli.console import Steps
from graphsparse.cli.reading import read
from graphsparse.cli.stream_metrics import Metrics
from graphsparse.errors import GraphFormatError
from graphsparse.graph import Graph

if TYPE_CHECKING:
    from graphsparse.streaming import DynamicSparsifier, Source, StreamRun
    from graphsparse.streaming.run import Target

_REJECTS = "rejects.jsonl"


@dataclasses.dataclass(frozen=True)
class Places:
    """Where things go; None where they go nowhere."""

    store: Path | None
    output: Path | None
    graph: Path | None
    format: str | None
    rejects: Path | None
    stop_at_bad: bool
    metrics: Path | None
    prometheus: str | None

    @property
    def bad_rows(self) -> Path | None:
        """File for bad rows; None if the first one is an error."""
        if self.stop_at_bad:
            return None
        inside = None if self.store is None else self.store / _REJECTS
        return self.rejects or inside


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """The options of one run."""

    steps: Steps
    file: Path | None
    start: Path | None
    alpha: float
    options: dict[str, Any]
    nodes: int | None
    graph_format: str | None
    directed: bool | None
    read_settings: Sequence[str]
    source: str
    updates_format: str | None
    columns: str | None
    follow: bool
    continued: bool
    window: float | None
    batch: int
    seconds: float
    kappa: int
    keeping: dict[str, Any]
    places: Places


def follow(job: Job) -> None:
    """Run a stream until its source ends, or a signal asks to stop."""
    from graphsparse.io import write_graph
    from graphsparse.streaming import StreamRun

    source = open_updates(job)
    with _target(job) as target:
        run = StreamRun(
            target,
            source,
            batch_size=job.batch,
            seconds=job.seconds,
            rejects=job.places.bad_rows,
        )
        _apply(job, run, target)
        places = job.places
        for file, part in (
            (places.output, target.stream.sparsifier),
            (places.graph, target.stream.graph),
        ):
            if file is not None:
                with job.steps.step("write", f"writing {file}"):
                    write_graph(part(), file, format=places.format)
        if not job.steps.quiet:
            _say(repr(target.stream))
            read_rows, rejected = target.rows
            if rejected:
                _say(f"{rejected:,} of {read_rows:,} rows were rejected: {places.bad_rows}")


def open_updates(job: Job) -> Source:
    """Return the source; wrong names and formats are refused before the graph is read."""
    from graphsparse.checks import check_count
    from graphsparse.streaming import open_source

    check_count("batch_size", job.batch, low=1)
    options: dict[str, Any] = {"format": job.updates_format, "columns": job.columns}
    options |= {"follow": job.follow, "continued": job.continued}
    if job.source == "-":
        return open_source(sys.stdin.buffer, **{**options, "format": job.updates_format or "csv"})
    if "://" not in job.source and not Path(job.source).exists():
        raise typer.BadParameter(f"file {job.source!r} does not exist", param_hint="UPDATES")
    return open_source(job.source, **options)


@contextlib.contextmanager
def _target(job: Job) -> Iterator[Target]:
    """Yield where batches go: an opened store, a new one, or memory."""
    from graphsparse.streaming import InMemory, Store
    from graphsparse.streaming.maintenance import holds_stream

    place = job.places.store
    if place is None:
        yield InMemory(_stream(job), job.window)
        return
    if not holds_stream(place):
        stream = _stream(job)
        with Store.create(place, stream, window=job.window, **job.keeping) as store:
            yield store
        return
    with job.steps.step("recover", f"recovering {place}"):
        store = Store.open(place, device=job.options["device"])
    with store:
        _check_window(job, store)
        found = store.recovery
        if not job.steps.quiet and found is not None:
            for note in found.notes:
                _say(f"{place}: {note}")
            _say(
                f"{place}: going on after batch {found.batches:,}; snapshot of batch "
                f"{found.snapshot:,} and {found.replayed:,} batches in {found.seconds:.2f} s"
            )
        yield store


def _check_window(job: Job, store: Any) -> None:
    length = None if store.window is None else store.window.length
    if job.window is not None and job.window != length:
        raise typer.BadParameter(
            f"must be {length}, that of the store, got {job.window}", param_hint="--window"
        )


def _stream(job: Job) -> DynamicSparsifier:
    """Return the stream of the options: a graph and its sparsifier, or nodes without edges."""
    from graphsparse.operators.grass import grass
    from graphsparse.streaming import DynamicSparsifier

    steps = job.steps
    if job.file is not None:
        graph = read(steps, job.file, job.graph_format, job.directed, job.read_settings).graph
    elif job.nodes is not None:
        graph = Graph.from_edges([], num_nodes=job.nodes)
    else:
        raise typer.BadParameter("give a graph to start from, or --nodes", param_hint="FILE")
    if job.start is not None:
        sparsifier = read(steps, job.start, job.graph_format, None, job.read_settings).graph
    else:
        with steps.step("start", f"sparsifying {graph.num_edges:,} edges"):
            sparsifier = grass(graph, alpha=job.alpha, seed=job.options["seed"])
    with steps.step("load", "making the stream"):
        try:
            stream = DynamicSparsifier(graph, sparsifier, **job.options)
        except TypeError as error:
            raise typer.BadParameter(str(error), param_hint="--set") from error
    if not steps.quiet:
        for note in stream.notes:
            _say(note)
    return stream


def _apply(job: Job, run: StreamRun, target: Target) -> None:
    """Apply all batches, and tell of each."""
    metrics = Metrics(job.places.metrics, job.steps.quiet, job.places.prometheus)
    try:
        with stopping() as stop:
            for step in run.steps(stop.is_set):
                due = job.kappa > 0 and step.number % job.kappa == 0
                metrics.add(step, target.stream.kappa().kappa if due else None)
    except (IndexError, KeyError) as error:
        where = f"{job.source}: batch {target.num_batches + 1}"
        raise GraphFormatError(f"{where}: {error.args[0]}") from error
    except ValueError as error:
        if isinstance(error, GraphFormatError):
            raise
        where = f"{job.source}: batch {target.num_batches + 1}"
        raise GraphFormatError(f"{where}: {error}") from error
    finally:
        metrics.close()


@contextlib.contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that SIGINT and SIGTERM set instead of ending the process."""
    event = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        event.set()

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    print(f"graphsparse: {text}", file=sys.stderr)
