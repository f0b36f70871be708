"""When edges go: in every batch anew, or more and more of them from epoch to epoch."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.checks import check_choice, check_count, check_fraction, check_seed
from graphsparse.graph import Graph
from graphsparse.operators.neighbor_sampling import NeighborSample
from graphsparse.quality.sparsify import sparsify
from graphsparse.rng import RANDOM_EDGES, uniform
from graphsparse.training.schedules import Schedule

Array = np.ndarray[Any, np.dtype[Any]]
TIMES = ("before", "batch", "schedule")


@dataclasses.dataclass(frozen=True)
class EdgePlan:
    """How a mini-batch run thins its graph out.

    Parameters
    ----------
    when : {"batch", "schedule"}
        ``"batch"``: each batch keeps each edge with probability ``keep``, both directions of a
        pair alike (DropEdge; evaluation sees all edges).  ``"schedule"``: a sparsifier is applied
        to the whole graph again whenever its share has fallen along a cubic from 1 to ``keep``.
    keep : float
        Share of the edges kept, at the end of a schedule.
    method : str
        Of :func:`graphsparse.sparsify`; ``"random"`` for batches.
    over : int
        Epochs that the schedule takes.
    options : dict
        Of the method.
    seed : int
        Of the choice.

    References
    ----------
    Y. Rong et al., DropEdge, ICLR 2020, arXiv:1907.10903.
    """

    when: str
    keep: float
    method: str = "random"
    over: int = 0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("edges.when", self.when, TIMES[1:])
        check_fraction("edges.keep", self.keep)
        check_seed(self.seed)
        if self.when == "batch" and self.method != "random":
            raise ValueError(f"edges.method must be 'random' per batch, got {self.method!r}")
        check_count("edges.over", self.over, low=int(self.when == "schedule"))

    def graph_at(self, whole: Graph, epoch: int, last: float) -> tuple[Graph, float] | None:
        """Return the graph of an epoch and its share of edges, or None if it does not change.

        Parameters
        ----------
        whole : Graph
            With all edges.
        epoch : int
            Counted from 0.
        last : float
            Share of the edges before this epoch.
        """
        if self.when == "batch":
            return None
        keep = Schedule("cubic", end=self.over).keep_at(epoch, self.keep)
        if keep == last:
            return None
        cut = sparsify(whole, self.method, keep, seed=self.seed, **self.options)
        return cut.graph, keep

    def kept(self, sample: NeighborSample, batch: int) -> Array | None:
        """Return which arcs of a batch are used; None: all."""
        if self.when != "batch" or self.keep == 1.0:
            return None
        ends = np.stack((sample.nodes[sample.row], sample.nodes[sample.col])).astype(np.uint64)
        codes = (ends.min(axis=0) << np.uint64(32)) | ends.max(axis=0)
        kept: Array = uniform(self.seed, codes, batch % 2**32, RANDOM_EDGES) < self.keep
        return kept
