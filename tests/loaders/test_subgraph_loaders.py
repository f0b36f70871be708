"""Cluster and random-walk batches: induced subgraphs, corrections, workers and threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from graphs import barbell
from test_neighbor_loader import check_batch, data, same
from torch_geometric.data import Data

from graphsparse.loaders import ClusterLoader, RandomWalkLoader
from graphsparse.loaders.subgraphs import near_parts
from graphsparse.operators.neighbor_sampling import NeighborTable


def is_induced(whole: Data, batch: Data) -> bool:
    inside = torch.isin(whole.edge_index, batch.n_id).all(dim=0).nonzero()[:, 0]
    return torch.equal(batch.e_id.sort().values, inside)


@pytest.mark.parametrize("seed", range(20))
def test_clusters_cover_every_node_once(seed: int) -> None:
    whole = data(seed, 50, 120)
    loader = ClusterLoader(whole, 7, 2, seed=seed)
    batches = list(loader)
    assert len(batches) == len(loader) == 4
    assert torch.equal(torch.cat([b.n_id for b in batches]).sort().values, torch.arange(50))
    for batch in batches:
        check_batch(whole, batch)
        assert is_induced(whole, batch)
    assert not all(map(same, batches, list(loader)))


def test_parts_are_near_nodes() -> None:
    left, right = near_parts(NeighborTable.from_graph(barbell(10)), 2)
    assert {tuple(left), tuple(right)} == {tuple(range(10)), tuple(range(10, 20))}


@pytest.mark.parametrize("seed", range(20))
def test_walks_stay_on_arcs(seed: int) -> None:
    whole = data(seed, 80, 200)
    for batch in RandomWalkLoader(whole, 4, 3, num_steps=3, seed=seed):
        assert len(batch.n_id) <= 16
        check_batch(whole, batch)
        assert is_induced(whole, batch)


def test_corrections_count_what_came_up() -> None:
    whole = data(3, 30, 90)
    loader = RandomWalkLoader(whole, 5, 2, num_steps=400, sample_coverage=200, seed=2)
    share = np.zeros(30)
    for batch in loader:
        share[batch.n_id] += 1.0 / 400
    assert np.allclose(loader.node_norm.numpy() * 30, 1.0 / share, rtol=0.25)
    batch = next(iter(loader))
    assert torch.equal(batch.node_norm, loader.node_norm[batch.n_id])
    assert torch.equal(batch.edge_norm, loader.edge_norm[batch.e_id])
    assert float(loader.edge_norm.min()) >= 0.99  # an arc comes up at most as often as its node


@pytest.mark.parametrize(
    "options", [{"num_workers": 2, "multiprocessing_context": "fork"}, {"prefetch_threads": 2}]
)
def test_workers_and_threads_change_nothing(options: dict[str, Any]) -> None:
    whole = data(4, 100, 600)
    for make in (
        lambda **o: ClusterLoader(whole, 10, 3, seed=1, **o),
        lambda **o: RandomWalkLoader(whole, 5, 4, num_steps=6, seed=1, **o),
    ):
        assert all(map(same, list(make()), list(make(**options))))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: ClusterLoader(d, 0), "num_parts must be in"),
        (lambda d: ClusterLoader(d, 3, 4), "batch_size must be in"),
        (lambda d: RandomWalkLoader(d, 0, 2), "batch_size must be >= 1, got 0"),
        (lambda d: RandomWalkLoader(d, 1, -1), "walk_length must be >= 0, got -1"),
        (
            lambda d: RandomWalkLoader(Data(edge_index=d.edge_index[:, :0], num_nodes=0), 1, 1),
            "data must have",
        ),
    ],
)
def test_wrong_arguments(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(data(5))
