"""Path statistics of AMUD under insertions and deletions of arcs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.backend import native
from graphsparse.checks import check_count, check_ids
from graphsparse.graph import Graph
from graphsparse.patterns.counts import SUMS, TWO_STEP, Array, counts_from_sums, wide_sums
from graphsparse.patterns.labels import as_array, classes_of
from graphsparse.patterns.statistics import (
    PatternStatistics,
    describe,
    label_population,
    range_score,
)
from graphsparse.streaming.batch import DELETE, INSERT, REWEIGHT, EdgeBatch


@dataclasses.dataclass(frozen=True)
class TrackerReport:
    """What a batch did.

    Attributes
    ----------
    inserted, deleted : int
        Arcs that came and went.
    repeated, missing, loops : int
        Insertions of arcs that are there, deletions of arcs that are not, self-loops: no effect.
    """

    inserted: int
    deleted: int
    repeated: int
    missing: int
    loops: int


class AmudTracker:
    """Follow the path statistics of AMUD while arcs come and go, in O(1) per arc.

    After every batch the counts equal those of ``amud(tracker.graph(), ..., weighting="paths")``
    exactly.  The significance needs a pass over the arcs: ask ``amud`` for it when the score
    nears the threshold.

    Parameters
    ----------
    graph : Graph
        ``n`` nodes to start from; an undirected edge is two arcs, self-loops and repeats are left
        out.
    labels : array of numbers, shape (n,)
        Class of each node, -1 or NaN where there is none.
    mask : array of bool, shape (n,), optional
        Nodes whose label may be used.
    min_pairs : int
        Patterns with fewer paths are not scored.

    Notes
    -----
    About 40 bytes per arc and 60 per (node, class of a neighbour).

    Examples
    --------
    >>> start = Graph.from_edges([(0, 1), (1, 2)], num_nodes=4, directed=True)
    >>> tracker = AmudTracker(start, [0, 1, 0, 1], min_pairs=1)
    >>> tracker.update(inserts=[(2, 3), (1, 0)], deletes=[(0, 1)])
    TrackerReport(inserted=2, deleted=1, repeated=0, missing=0, loops=0)
    >>> tracker.patterns["AA"].pairs, tracker.num_arcs
    (1, 3)
    """

    def __init__(self, graph: Graph, labels: Any, *, mask: Any = None, min_pairs: int = 30) -> None:
        self._min_pairs = check_count("min_pairs", min_pairs, low=1)
        graph.require_host("AmudTracker")
        n = graph.num_nodes
        if n > 2**31 - 2:
            raise ValueError(f"graph must have fewer than 2^31 - 1 nodes, got {n}")
        classes, num_classes = classes_of(labels, n)
        if mask is not None:
            chosen = as_array(mask)
            if chosen.dtype != np.bool_ or chosen.shape != (n,):
                raise ValueError(
                    f"mask must be bool of shape ({n},), got {chosen.dtype} {chosen.shape}"
                )
            classes = np.where(chosen, classes, -1)
        self._num_nodes = n
        self._population = label_population(classes[classes >= 0], num_classes)
        self._native = native.PathTracker(classes.astype(np.int32), max(num_classes, 1))
        rows = graph.arc_rows().astype(np.int64)
        self._apply(np.full(len(rows), INSERT, np.uint8), rows, graph.indices.astype(np.int64))

    def update(
        self, batch: EdgeBatch | None = None, *, inserts: Any = (), deletes: Any = ()
    ) -> TrackerReport:
        """Apply a batch, or deletions and then insertions of arcs ``(u, v)``.

        Parameters
        ----------
        batch : EdgeBatch, optional
            Its weights are not looked at; a reweight is an error.
        inserts, deletes : array of int, shape (k, 2)
            Arcs from the first node to the second.

        Returns
        -------
        TrackerReport

        Raises
        ------
        IndexError
            If a node id is out of range; nothing was changed then.
        """
        if batch is not None:
            if len(inserts) or len(deletes):
                raise ValueError("give batch, or inserts and deletes, not both")
            if (batch.op == REWEIGHT).any():
                at = int(np.argmax(batch.op == REWEIGHT))
                raise ValueError(f"batch must insert or delete, got a reweight at update {at}")
            return self._apply(batch.op, batch.u, batch.v)
        gone, come = _pairs("deletes", deletes), _pairs("inserts", inserts)
        op = np.repeat(np.array([DELETE, INSERT], np.uint8), [len(gone), len(come)])
        both = np.concatenate([gone, come])
        return self._apply(op, np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1]))

    def _apply(self, op: Array, u: Array, v: Array) -> TrackerReport:
        n = self._num_nodes
        bad = native.first_bad_id(u, v, n)
        if bad >= 0:
            raise IndexError(
                f"arcs must join nodes in [0, {n}), got ({u[bad]}, {v[bad]}) at update {bad}"
            )
        return TrackerReport(*self._native.update(op, u, v).tolist())

    @property
    def num_arcs(self) -> int:
        """Number of arcs now."""
        return int(self._native.num_arcs())

    @property
    def patterns(self) -> dict[str, PatternStatistics]:
        """Path statistics of every pattern, as in ``AmudResult.patterns``."""
        sums = wide_sums(self._native.sums(), (*SUMS, "arcs"))
        return describe(counts_from_sums(sums, sums["arcs"]), self._population, support=False)

    @property
    def score(self) -> float | None:
        """``S_adj`` by path counts, None where fewer than two patterns count."""
        rows = self.patterns
        rates = {
            name: rows[name].adjusted for name in TWO_STEP if rows[name].pairs >= self._min_pairs
        }
        if self._population.size < 4 or self._population.is_constant():
            return None
        return range_score({name: a for name, a in rates.items() if a is not None})

    def graph(self) -> Graph:
        """Return the arcs that are there now as a directed graph."""
        return Graph.from_edges(self._native.arcs(), num_nodes=self._num_nodes, directed=True)


def _pairs(name: str, arcs: Any) -> Array:
    pairs = np.asarray(arcs)
    if pairs.size == 0:
        return np.zeros((0, 2), np.int64)
    pairs = check_ids(name, pairs, ndim=2).astype(np.int64)
    if pairs.shape[1] != 2:
        raise ValueError(f"{name} must have shape (k, 2), got {pairs.shape}")
    return pairs
