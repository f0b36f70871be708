"""The loader of hyperedge batches: every target once, the same batches for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from graphsparse import Hypergraph
from graphsparse.loaders import IncidenceNeighborLoader


def some(seed: int = 3) -> Hypergraph:
    rng = np.random.default_rng(seed)
    return Hypergraph(rng.integers(0, 12, 90), rng.integers(0, 30, 90), 12, 31)


def edges(batch) -> list[int]:
    last = batch.rows
    for hop in batch.hops:
        last = last[hop.keep]
    assert np.array_equal(last, batch.targets)
    return sorted(set(some().hyperedges[batch.targets].tolist()))


def test_every_target_is_in_one_batch_of_an_epoch():
    h = some()
    wanted = sorted(set(h.hyperedges.tolist()))
    loader = IncidenceNeighborLoader(h, wanted, 2, batch_size=7, fan_hyperedges=2, seed=5)
    epochs = [[edges(batch) for batch in loader] for _ in range(2)]
    for epoch in epochs:
        assert len(epoch) == len(loader) == -(-len(wanted) // 7)
        assert sorted(e for batch in epoch for e in batch) == wanted
    assert epochs[0] != epochs[1]


def test_seed_and_workers_give_the_same_batches():
    h = some()
    rows = []
    for workers, seed in ((0, 5), (0, 5), (1, 5), (0, 6)):
        loader = IncidenceNeighborLoader(
            h, range(30), 1, batch_size=8, fan_hyperedges=1, seed=seed, num_workers=workers
        )
        rows.append([batch.rows.tolist() for batch in loader])
    assert rows[0] == rows[1] == rows[2] != rows[3]


def test_in_order_without_shuffling():
    loader = IncidenceNeighborLoader(some(), [4, 2, 9], 1, batch_size=2, shuffle=False)
    assert [edges(batch) for batch in loader] == [[2, 4], [9]]


def test_errors():
    with pytest.raises(ValueError, match=r"hyperedges must be in \[0, 31\), got 31"):
        IncidenceNeighborLoader(some(), [31], 1)
    with pytest.raises(ValueError, match="layers must be >= 1, got 0"):
        IncidenceNeighborLoader(some(), [3], 0)
    with pytest.raises(ValueError, match="fan_hyperedges must be >= -1, got -3"):
        IncidenceNeighborLoader(some(), [3], 1, fan_hyperedges=-3)
