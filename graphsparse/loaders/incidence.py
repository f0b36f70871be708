"""Mini-batches of hyperedges with the incidences that some layers need."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from graphsparse.checks import check_count, check_ids, check_seed
from graphsparse.graph import Hypergraph
from graphsparse.operators.incidence_blocks import IncidenceBatch, incidence_blocks

Array = np.ndarray[Any, np.dtype[Any]]


class IncidenceNeighborLoader(DataLoader[Any]):
    """Yields :class:`~graphsparse.operators.incidence_blocks.IncidenceBatch`.

    Parameters
    ----------
    hypergraph : Hypergraph
        The whole one.
    hyperedges : array of int
        Targets, each in one batch per epoch.
    layers : int
        Layers of the model: hops to go back.
    fan_members, fan_hyperedges : int
        Most members sampled of a hyperedge, most hyperedges of a node; -1 takes all.
    batch_size : int
        Hyperedges per batch.
    shuffle : bool
        New order in every epoch.
    seed : int
        Of order and samples; an epoch depends on the seed and its number only.
    num_workers : int
        Worker processes of the torch ``DataLoader``.
    """

    def __init__(
        self,
        hypergraph: Hypergraph,
        hyperedges: Any,
        layers: int,
        *,
        fan_members: int = -1,
        fan_hyperedges: int = 40,
        batch_size: int = 64,
        shuffle: bool = True,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        self.hypergraph, self.layers = hypergraph, check_count("layers", layers, low=1)
        self.fans = {"fan_members": fan_members, "fan_hyperedges": fan_hyperedges}
        targets = check_ids("hyperedges", hyperedges).astype(np.int64, copy=False)
        incidence_blocks(hypergraph, targets[:0], layers, **self.fans)
        bad = (targets < 0) | (targets >= hypergraph.num_hyperedges)
        if bad.any():
            count = hypergraph.num_hyperedges
            raise ValueError(f"hyperedges must be in [0, {count}), got {targets[bad][0]}")
        self.seed = check_seed(seed)
        self._order = _Order(len(targets), shuffle, seed)
        super().__init__(
            _Numbers(len(targets)),
            batch_size=check_count("batch_size", batch_size, low=1),
            sampler=self._order,
            collate_fn=self._collect,
            num_workers=num_workers,
        )
        self.targets = targets

    def set_epoch(self, epoch: int) -> None:
        """Let the next epoch be the one of this number, counted from 0."""
        self._order.epoch = check_count("epoch", epoch)

    def _collect(self, items: list[tuple[int, int]]) -> IncidenceBatch:
        step, chosen = items[0][0], [item for _, item in items]
        return incidence_blocks(
            self.hypergraph,
            self.targets[chosen],
            self.layers,
            **self.fans,
            seed=self.seed,
            step=step,
        )


class _Numbers(Dataset[Any]):
    """A dataset whose items are what the sampler says."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, item: tuple[int, int]) -> tuple[int, int]:
        return item


class _Order(Sampler[Any]):
    """Pairs (step, target): the step numbers what is drawn, over all epochs."""

    def __init__(self, size: int, shuffle: bool, seed: int) -> None:
        self._size, self._shuffle, self._seed = size, shuffle, seed
        self.epoch = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Any:
        order = np.arange(self._size)
        if self._shuffle:
            generator = torch.Generator().manual_seed((self._seed + self.epoch) % 2**63)
            order = torch.randperm(self._size, generator=generator).numpy()
        start = self.epoch * self._size
        self.epoch += 1
        return ((start + place, int(item)) for place, item in enumerate(order))
