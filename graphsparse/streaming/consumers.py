"""What follows a stream beside its sparsifier: statistics, vectors, directions, a model."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from graphsparse.checks import check_count
from graphsparse.graph import Graph
from graphsparse.streaming.amud import AmudTracker
from graphsparse.streaming.batch import REWEIGHT, EdgeBatch
from graphsparse.streaming.dygrass import DynamicSparsifier
from graphsparse.streaming.fastrp import FastRPStream
from graphsparse.streaming.report import BatchReport

Array = np.ndarray[Any, np.dtype[Any]]


class DegreeStatistics:
    """Degrees and density of the graph, in O(1) per edge that comes or goes.

    Parameters
    ----------
    graph : Graph
        The graph that the stream starts from.
    """

    name = "degrees"

    def __init__(self, graph: Graph) -> None:
        graph.require_host("DegreeStatistics")
        self.degree: Array = graph.without_self_loops().coalesce().degree.astype(np.int64)
        self.num_edges = int(self.degree.sum()) // 2

    def update(self, batch: EdgeBatch, report: BatchReport) -> None:
        """Take what a batch changed."""
        more = report.num_nodes - len(self.degree)
        if more > 0:
            self.degree = np.concatenate((self.degree, np.zeros(more, np.int64)))
        for rows, step in ((report.new_edges(), 1), (report.deletions, -1)):
            for end in ("u", "v"):
                np.add.at(self.degree, rows[end], step)
            self.num_edges += step * len(rows)

    def facts(self) -> dict[str, Any]:
        """Return mean, largest and median degree, isolated nodes and density."""
        n = len(self.degree)
        if n == 0:
            return {"mean": 0.0, "max": 0, "median": 0.0, "isolated": 0, "density": 0.0}
        return {
            "mean": 2 * self.num_edges / n,
            "max": int(self.degree.max()),
            "median": float(np.median(self.degree)),
            "isolated": int(np.count_nonzero(self.degree == 0)),
            "density": 2 * self.num_edges / (n * max(n - 1, 1)),
        }


class Embedding:
    """FastRP vectors that follow the stream; its nodes must not grow.

    Parameters
    ----------
    vectors : FastRPStream
        Started from the graph of the stream.
    """

    name = "fastrp"

    def __init__(self, vectors: FastRPStream) -> None:
        self.vectors = vectors
        self._last = 0

    def update(self, batch: EdgeBatch, report: BatchReport) -> None:
        """Bring the vectors up to date."""
        self._last = len(self.vectors.update(batch).changed)

    def facts(self) -> dict[str, Any]:
        """Return how many vectors the last batch changed."""
        return {"changed": self._last}


class Directions:
    """Path statistics of AMUD that follow the stream; new weights do not count.

    Parameters
    ----------
    tracker : AmudTracker
        Started from the arcs of the stream.  In a stream with a window a pair leaves with the
        last of its events, whichever way they pointed.
    """

    name = "amud"

    def __init__(self, tracker: AmudTracker) -> None:
        self.tracker = tracker

    def update(self, batch: EdgeBatch, report: BatchReport) -> None:
        """Take the arcs that come and go."""
        rows = batch.op != REWEIGHT
        if not rows.all():
            batch = EdgeBatch(batch.op[rows], batch.u[rows], batch.v[rows], batch.w[rows])
        self.tracker.update(batch)

    def facts(self) -> dict[str, Any]:
        """Return the number of arcs and the score."""
        return {"arcs": self.tracker.num_arcs, "score": self.tracker.score}


class Refresh:
    """Hand the sparsified snapshot to a model every so many batches.

    Parameters
    ----------
    stream : DynamicSparsifier
        The one that is followed.
    every : int
        Batches between calls.
    act : callable
        Gets the sparsifier as a Graph (``graphsparse.convert.to_pyg`` makes it a PyG ``Data``) and
        may fine-tune or infer; what it returns is kept in ``results``.
    """

    name = "refresh"

    def __init__(self, stream: DynamicSparsifier, every: int, act: Callable[[Graph], Any]) -> None:
        self._stream, self._act = stream, act
        self._every = check_count("every", every, low=1)
        self._batches = 0
        self.results: list[Any] = []
        self._seconds = 0.0

    def update(self, batch: EdgeBatch, report: BatchReport) -> None:
        """Count a batch, and act when it is time."""
        self._batches += 1
        if self._batches % self._every == 0:
            start = time.perf_counter()
            self.results.append(self._act(self._stream.sparsifier()))
            self._seconds += time.perf_counter() - start

    def facts(self) -> dict[str, Any]:
        """Return the number of calls and the seconds they took."""
        return {"calls": len(self.results), "seconds": self._seconds}
