"""The tracker after any sequence of updates equals a recomputation, to the integer."""

from __future__ import annotations

import numpy as np
import pytest

from graphsparse import AmudTracker, EdgeBatch, Graph, amud

pytestmark = pytest.mark.filterwarnings("ignore::graphsparse.operators.amud_result.AmudWarning")


def same_as_recomputed(tracker: AmudTracker, labels: np.ndarray, mask: np.ndarray) -> None:
    whole = amud(tracker.graph(), labels, mask=mask, weighting="paths", min_pairs=2)
    assert tracker.patterns == whole.patterns
    if whole.reason != "symmetric_input":
        assert tracker.score == whole.score


def test_streams_equal_recomputation() -> None:
    for seed in range(200):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 15))
        labels, mask = rng.integers(-1, 3, n), rng.random(n) < 0.8
        start = Graph.from_edges(rng.integers(0, n, (n, 2)), num_nodes=n, directed=True)
        tracker = AmudTracker(start, labels, mask=mask, min_pairs=2)
        present = {(u, v) for u, v in zip(*start.edges(), strict=True) if u != v}
        same_as_recomputed(tracker, labels, mask)
        for _ in range(4):
            gone, come = rng.integers(0, n, (2, 8, 2))
            report = tracker.update(inserts=come, deletes=gone)
            for arc in map(tuple, gone.tolist()):
                present.discard(arc)
            present |= {arc for arc in map(tuple, come.tolist()) if arc[0] != arc[1]}
            assert report.inserted + report.repeated + report.deleted + report.missing == (
                16 - report.loops
            )
            assert tracker.num_arcs == len(present)
            assert {tuple(map(int, arc)) for arc in zip(*tracker.graph().edges(), strict=True)} == (
                {(int(u), int(v)) for u, v in present}
            )
            same_as_recomputed(tracker, labels, mask)


def test_taking_everything_away_leaves_nothing() -> None:
    rng = np.random.default_rng(4)
    arcs = np.unique(rng.integers(0, 9, (40, 2)), axis=0)
    labels = rng.integers(0, 2, 9)
    tracker = AmudTracker(Graph.from_edges([], num_nodes=9, directed=True), labels)
    tracker.update(inserts=arcs)
    report = tracker.update(deletes=arcs[::-1])
    assert report.deleted + report.loops == len(arcs)
    assert all((row.pairs, row.matches) == (0, 0) for row in tracker.patterns.values())
    assert tracker.score is None


def test_batches() -> None:
    start = Graph.from_edges([(0, 1)], num_nodes=3, directed=True)
    tracker = AmudTracker(start, [0, 1, 0])
    report = tracker.update(EdgeBatch.of(inserts=[(1, 2, 1.0), (0, 1, 1.0)], deletes=[(2, 0)]))
    assert (report.inserted, report.repeated, report.missing) == (1, 1, 1)
    with pytest.raises(ValueError, match="got a reweight at update 0"):
        tracker.update(EdgeBatch(op=[2], u=[0], v=[1], w=[2.0]))
    with pytest.raises(ValueError, match="not both"):
        tracker.update(EdgeBatch.of(inserts=[(1, 2, 1.0)]), deletes=[(0, 1)])
    with pytest.raises(IndexError, match=r"nodes in \[0, 3\), got \(0, 3\) at update 1"):
        tracker.update(inserts=[(2, 0), (0, 3)])
    assert tracker.num_arcs == 2, "a refused batch changes nothing"
    with pytest.raises(ValueError, match=r"inserts must have shape \(k, 2\), got \(1, 3\)"):
        tracker.update(inserts=[(0, 1, 2)])
    with pytest.raises(ValueError, match=r"mask must be bool of shape \(3,\)"):
        AmudTracker(start, [0, 1, 0], mask=[True])
    with pytest.raises(ValueError, match=r"labels must have shape \(3,\), got \(2,\)"):
        AmudTracker(start, [0, 1])
