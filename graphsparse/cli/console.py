"""What commands print: results on stdout, progress and messages on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 2.0  # seconds before a step shows that it is at work


def print_json(facts: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout; NaN and infinity, which JSON lacks, are refused."""
    _write(json.dumps(facts, indent=2, default=_plain, allow_nan=False))


def remark(quiet: bool) -> Callable[[str], None]:
    """Return what prints a remark on stderr, or does nothing if that is asked for."""
    return _nothing if quiet else lambda text: print(f"graphsparse: {text}", file=sys.stderr)


def _write(text: str) -> None:
    """Print on stdout; a reader that has left (``| head``) has what it wanted and is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit from None


def _plain(value: Any) -> Any:
    """Return NumPy scalars and arrays as plain numbers and lists, everything else as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    width = max((len(name) for name, _ in facts), default=0)
    _write("\n".join(f"{name:<{width}}  {value}".rstrip() for name, value in facts))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns; numbers stand to the right."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [bool(rows) and all(_is_number(c) for c in column[1:]) for column in columns]
    lines = []
    for row in (header, *rows):
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    _write("\n".join(lines))


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "").replace("-", "").isdigit() or text in ("", "-")


class Steps:
    """Progress on stderr: nothing for quick steps, a bar or a line for slow ones.

    Parameters
    ----------
    quiet : bool
        Show nothing at all.

    Attributes
    ----------
    seconds : dict of str to float
        Wall time of each finished step.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def step(self, name: str, text: str, total: int | None = None) -> Iterator[Callable[[], None]]:
        """Time a step, and show it once it has taken two seconds.

        Parameters
        ----------
        name : str
            Key in ``seconds``.
        text : str
            What is being done.
        total : int, optional
            Number of parts; without it the bar only shows that work goes on.

        Yields
        ------
        callable
            To be called after each part.
        """
        start = time.perf_counter()
        display = None if self.quiet else _Display(text, total)
        try:
            yield display.advance if display else _nothing
        finally:
            self.seconds[name] = time.perf_counter() - start
            if display:
                display.close(self.seconds[name])


def _nothing(*_: str) -> None:
    pass


class _Display:
    """A bar on a terminal, two plain lines elsewhere; either only after :data:`PATIENCE`."""

    def __init__(self, text: str, total: int | None) -> None:
        self._text, self._total, self._done = text, total, 0
        self._bar: Progress | None = None
        self._shown = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(PATIENCE, self._show)
        self._timer.daemon = True
        self._timer.start()

    def advance(self) -> None:
        with self._lock:
            self._done += 1
            if self._bar:
                self._bar.update(self._bar.task_ids[0], completed=self._done)

    def close(self, seconds: float) -> None:
        self._timer.cancel()
        with self._lock:
            if self._bar:
                self._bar.stop()
            elif self._shown:
                print(f"graphsparse: {self._text}: {seconds:.1f} s", file=sys.stderr, flush=True)
            self._shown = True  # a timer that fires late finds nothing left to do

    def _show(self) -> None:
        with self._lock:
            if self._shown:
                return
            self._shown = True
            if sys.stderr.isatty():
                self._bar = _start_bar(self._text, self._total, self._done)
            else:
                print(f"graphsparse: {self._text} ...", file=sys.stderr, flush=True)


def _start_bar(text: str, total: int | None, done: int) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = [TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
    if total is not None:
        columns.insert(2, TextColumn("{task.completed}/{task.total}"))
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task(text, total=total, completed=done)
    bar.start()
    return bar
