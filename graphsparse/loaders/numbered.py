"""Batches that know their number, so that a sample does not depend on who draws it when."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch.utils.data import BatchSampler, Dataset, RandomSampler, Sampler, SequentialSampler

from graphsparse.checks import check_count

Item = tuple[int, int]  # number of the batch, place of the seed
_LIMIT = 2**32


class Places(Dataset[Item]):
    """A dataset whose items are what the batch sampler says."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, item: Any) -> Any:
        return item


class NumberedBatches(Sampler[list[Item]]):
    """Lists of (batch number, place); numbers run on over all epochs.

    Parameters
    ----------
    size : int
        Seeds of an epoch.
    batch_size : int
        Seeds of a batch.
    shuffle : bool
        New order in every epoch, of the seed and the epoch's number.
    drop_last : bool
        Leave a smaller last batch out.
    seed : int
        Of the order.
    sampler : Sampler, optional
        Gives the places of an epoch instead.
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        shuffle: bool,
        drop_last: bool,
        seed: int,
        sampler: Sampler[int] | None = None,
    ) -> None:
        self._generator = torch.Generator()
        self._seed, self.epoch = seed, 0
        if sampler is None:
            places = Places(size)
            sampler = (
                RandomSampler(places, generator=self._generator)
                if shuffle and size
                else SequentialSampler(places)
            )
        size_of_batch = check_count("batch_size", batch_size, low=1)
        self._batches = BatchSampler(sampler, size_of_batch, drop_last)

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[Item]]:
        self._generator.manual_seed((self._seed + self.epoch) % 2**63)
        first = self.epoch * len(self)
        self.epoch += 1
        for at, places in enumerate(self._batches):
            yield [((first + at) % _LIMIT, place) for place in places]


def split_items(items: Sequence[Any] | torch.Tensor) -> tuple[int | None, list[int]]:
    """Return the batch number, or None for plain places, and the places."""
    rows = items.tolist() if isinstance(items, torch.Tensor) else list(items)
    if rows and isinstance(rows[0], tuple):
        return rows[0][0], [place for _, place in rows]
    return None, rows


def in_threads(
    make: Callable[[Any], Any], items: Iterator[Any], threads: int, ahead: int
) -> Iterator[Any]:
    """Yield ``make(item)`` in order, made by threads that run ahead.

    Parameters
    ----------
    make : callable
        Called in the threads; what it raises comes up here.
    items : iterator
        Read by the caller's thread only.
    threads : int
        Workers; they end with the iteration.
    ahead : int
        Results that may wait for each thread.
    """
    waiting: deque[Future[Any]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="graphsparse-loader")
    try:
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > threads * ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
