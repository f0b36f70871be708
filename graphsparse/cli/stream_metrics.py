"""How a stream is doing: one JSON object a batch, a live line on stderr, a page for Prometheus."""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer

    from graphsparse.streaming import Step

_EVERY_TERMINAL, _EVERY_FILE = 0.5, 10.0  # seconds between lines of progress
_LOOPBACK = "127.0.0.1"
_GAUGES = {
    "nodes": "nodes", "edges": "edges", "sparsifier_edges": "sparsifier edges",
    "edges_per_node": "sparsifier edges per node", "keep": "sparsifier edges per edge",
    "lag": "rows read that wait", "kappa": "condition number when last computed",
    "updates_per_second": "updates per second lately", "batch": "batches",
}  # fmt: skip
_COUNTERS = {"read": "rows read", "rejected_rows": "rows that were no updates"}
_SUMS = {"updates": "updates", "accepted": "insertions accepted", "deleted": "edges deleted"}


def line_of(step: Step, kappa: float | None) -> dict[str, Any]:
    """Return the figures of one batch as JSON can hold them."""
    line = {"batch": step.number, **step.report.summary()}
    line |= {"read": step.read, "rejected_rows": step.rejected, "lag": step.lag}
    if kappa is not None:
        line["kappa"] = kappa if math.isfinite(kappa) else "inf"
    return line


class Metrics:
    """Take the figures of every batch to where they were asked for.

    Parameters
    ----------
    file : Path, optional
        Append JSON lines to it instead of stdout.
    quiet : bool
        No progress on stderr.
    address : str, optional
        ``[HOST:]PORT`` of a page for Prometheus; the host is this machine alone if not given.
    """

    def __init__(self, file: Path | None, quiet: bool, address: str | None) -> None:
        self._out: IO[str] | None = file.open("a", encoding="utf-8") if file else None
        self._quiet, self._terminal = quiet, sys.stderr.isatty()
        self._rate = _Rate()
        self._last_line = time.monotonic()
        self._values: dict[str, Any] = {}
        self._sums = dict.fromkeys(_SUMS, 0)
        self._server = None if address is None else serve(address, self.page)

    def add(self, step: Step, kappa: float | None) -> None:
        """Take one batch."""
        line = line_of(step, kappa)
        print(json.dumps(line, allow_nan=False), file=self._out, flush=True)
        rate = self._rate.add(step.report.num_updates)
        values = {**self._values, **line, "updates_per_second": rate}
        for name in self._sums:
            self._sums[name] += line[name]
        self._values = values
        self._show(values)

    def _show(self, values: dict[str, Any]) -> None:
        now = time.monotonic()
        every = _EVERY_TERMINAL if self._terminal else _EVERY_FILE
        if self._quiet or now - self._last_line < every:
            return
        self._last_line = now
        tests = max(1, values["accepted"] + values["rejected"])
        kappa = f", kappa {values['kappa']:.4g}" if "kappa" in values else ""
        text = (
            f"graphsparse: batch {values['batch']:,}: {values['updates_per_second']:,.0f} updates/s"
            f", accepted {values['accepted'] / tests:.0%}, {values['edges_per_node']:.3f} edges "
            f"per node{kappa}, lag {values['lag']:,}, rejected rows {values['rejected_rows']:,}"
        )
        print(f"\r{text:<100}" if self._terminal else text, end="" if self._terminal else "\n",
              file=sys.stderr, flush=True)  # fmt: skip

    def page(self) -> str:
        """Return what Prometheus reads."""
        values, lines = self._values, []
        for kind, names in (("gauge", _GAUGES), ("counter", _COUNTERS)):
            for name, text in names.items():
                if name in values:
                    lines += _metric(name, kind, text, values[name])
        for name, text in _SUMS.items():
            lines += _metric(f"{name}_total", "counter", text, self._sums[name])
        return "\n".join(lines) + "\n"

    def close(self) -> None:
        """End what was opened."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
        if self._out:
            self._out.close()
        if self._terminal and not self._quiet and self._values:
            print(file=sys.stderr)


class _Rate:
    """Updates per second over the last seconds."""

    def __init__(self) -> None:
        self._marks = [(time.monotonic(), 0)]

    def add(self, count: int) -> float:
        now, total = time.monotonic(), self._marks[-1][1] + count
        self._marks.append((now, total))
        while len(self._marks) > 2 and now - self._marks[1][0] > 5.0:
            del self._marks[0]
        start, before = self._marks[0]
        return (total - before) / max(now - start, 1e-9)


def _metric(name: str, kind: str, text: str, value: Any) -> list[str]:
    full = f"graphsparse_stream_{name}"
    number = {"inf": "+Inf"}.get(value, value) if isinstance(value, str) else value
    return [f"# HELP {full} {text}", f"# TYPE {full} {kind}", f"{full} {number}"]


def serve(address: str, page: Callable[[], str]) -> ThreadingHTTPServer:
    """Serve a text at ``/metrics`` from a thread."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    host, _, port = address.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise typer.BadParameter(f"must be [HOST:]PORT, got {address!r}", param_hint="--prometheus")

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.split("?")[0] == "/metrics"
            body = page().encode() if found else b"see /metrics\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer((host or _LOOPBACK, int(port)), Page)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
