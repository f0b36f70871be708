"""One run of FastRP from a graph to the state that it leaves."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np

from graphsparse.errors import BackendError
from graphsparse.graph import Graph
from graphsparse.sketch.device import embed_on_device
from graphsparse.sketch.merge import column_statistics
from graphsparse.sketch.options import FastRPOptions
from graphsparse.sketch.powers import Run
from graphsparse.sketch.projection import Inputs, Projection
from graphsparse.sketch.state import FastRPState
from graphsparse.sketch.transition import transition

Array = np.ndarray[Any, np.dtype[Any]]


class Laps:
    """Wall time of phases."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """End a phase."""
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now


def embed(
    graph: Graph, options: FastRPOptions, inputs: Inputs, *, keep_powers: bool = False
) -> FastRPState:
    """Return the embedding of a graph, and with ``keep_powers`` what it was merged from."""
    if graph.device == "cuda":
        return embed_on_device(graph, options, inputs, keep_powers=keep_powers)
    if keep_powers and options.direction == "both":
        raise ValueError("keep_powers must be False with direction='both', got True")
    laps = Laps()
    matrix = transition(graph, one_way(options))
    laps.lap("matrix")
    run = Run(matrix.rows, Projection(options, inputs, matrix.ell), keep_powers)
    merged = run.run()
    laps.lap("powers")
    if options.direction == "both":
        back = transition(graph, dataclasses.replace(options, direction="in"))
        laps.lap("matrix")
        merged += Run(back.rows, Projection(options, inputs, back.ell)).run()
        merged *= 0.5
        laps.lap("powers")
    statistics = column_statistics(merged, options.threads)
    if options.standard:
        statistics.apply(merged, options.threads)
    laps.lap("merge")
    return FastRPState(
        merged,
        options,
        matrix.degree,
        matrix.ell,
        tuple(run.powers),
        statistics.mean if options.standard else None,
        statistics.std if options.standard else None,
        statistics.num_zero_rows,
        laps.seconds,
    )


def one_way(options: FastRPOptions) -> FastRPOptions:
    """Return the options of the first of two runs, or of the only one."""
    return dataclasses.replace(options, direction="out") if options.direction == "both" else options


def check_on_host(graph: Graph) -> None:
    """Raise BackendError for a graph on a device."""
    if graph.device != "cpu":
        raise BackendError("fastrp runs on the CPU only: fastrp(graph.to('cpu'), ...)")
