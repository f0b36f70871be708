"""Which nodes train, validate and test: stored masks, and splits drawn from a seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphsparse.checks import check_count, check_fraction
from graphsparse.errors import GraphFormatError
from graphsparse.rng import DATASETS, draw

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """One division of the labelled items (nodes, graphs or hyperedges).

    Attributes
    ----------
    name : str
        ``"public"``, ``"geom-gcn/3"``, ``"random/0"``, ...
    train, val, test : array of int64
        Item numbers, ascending; disjoint.
    """

    name: str
    train: Array
    val: Array
    test: Array

    def mask(self, part: str, num_items: int) -> Array:
        """Return the bool mask of ``"train"``, ``"val"`` or ``"test"``, shape (num_items,)."""
        mask = np.zeros(num_items, np.bool_)
        mask[getattr(self, part)] = True
        return mask

    def __repr__(self) -> str:
        sizes = ", ".join(f"{part}={len(getattr(self, part))}" for part in PARTS)
        return f"Split({self.name!r}, {sizes})"


PARTS = ("train", "val", "test")


def from_masks(family: str, train: Any, val: Any, test: Any) -> tuple[Split, ...]:
    """Return one split per column of masks of shape (num_items,) or (num_items, num_splits).

    Raises
    ------
    GraphFormatError
        If masks differ in shape, or an item is in two parts of a split.
    """
    columns = [np.asarray(mask, dtype=np.bool_) for mask in (train, val, test)]
    if len({mask.shape for mask in columns}) != 1:
        shapes = ", ".join(str(mask.shape) for mask in columns)
        raise GraphFormatError(f"train, val and test masks must have one shape, got {shapes}")
    many = columns[0].ndim == 2
    stacked = np.stack([mask if many else mask[:, None] for mask in columns])
    shared = stacked.sum(axis=0, dtype=np.int64) > 1
    if shared.any():
        item, number = (int(at[0]) for at in np.nonzero(shared))
        raise GraphFormatError(f"item {item} is in two parts of split {family}/{number}")
    return tuple(
        Split(
            f"{family}/{i}" if many else family, *(np.flatnonzero(part[:, i]) for part in stacked)
        )
        for i in range(stacked.shape[2])
    )


def per_class(
    labels: Array, *, num_train: int = 20, num_val: int = 500, seeds: Sequence[int] = range(10)
) -> tuple[Split, ...]:
    """Return splits of ``num_train`` items of each class, ``num_val`` others, and the rest.

    Parameters
    ----------
    labels : array of int, shape (num_items,)
        Class of each item; negative: no label, in no part.
    num_train, num_val : int
        Training items of each class (all of a class that has fewer), validation items.
    seeds : sequence of int
        One split each; the same seed gives the same split everywhere.
    """
    check_count("num_train", num_train, low=1)
    check_count("num_val", num_val)
    return tuple(_per_class(np.asarray(labels), num_train, num_val, seed) for seed in seeds)


def by_fraction(
    num_items: int, *, train: float = 0.6, val: float = 0.2, seeds: Sequence[int] = range(10)
) -> tuple[Split, ...]:
    """Return splits of ``round(train * n)`` items, ``round(val * n)`` others, and the rest."""
    check_fraction("train", train)
    check_fraction("val", val, zero=True)
    if train + val > 1:
        raise ValueError(f"train + val must be at most 1, got {train} + {val}")
    first = round(train * num_items)
    second = min(num_items, first + round(val * num_items))
    splits = []
    for seed in seeds:
        order = _shuffled(np.arange(num_items), seed)
        parts = order[:first], order[first:second], order[second:]
        splits.append(Split(f"random/{seed}", *(np.sort(part) for part in parts)))
    return tuple(splits)


def _per_class(labels: Array, num_train: int, num_val: int, seed: int) -> Split:
    order = _shuffled(np.flatnonzero(labels >= 0), seed)
    by_label = np.argsort(labels[order], kind="stable")
    ordered = labels[order][by_label]
    place = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)  # among its class
    train = order[by_label[place < num_train]]
    rest = order[~np.isin(order, train)]
    parts = train, rest[:num_val], rest[num_val:]
    return Split(f"random/{seed}", *(np.sort(part) for part in parts))


def _shuffled(items: Array, seed: int) -> Array:
    keys = draw(seed, items.astype(np.uint64), 2**31 + 1, DATASETS)
    order: Array = items[np.argsort(keys, kind="stable")]
    return order
