"""Rows in groups: the members of each hyperedge, or the hyperedges of each node."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np

from graphsparse.graph import Hypergraph

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True, eq=False)
class Groups:
    """A partition of ``n`` rows; nothing is sorted or copied.

    Parameters
    ----------
    ptr : array of int64, shape (groups + 1,)
        Group ``g`` holds the rows ``order[ptr[g]:ptr[g + 1]]``.
    order : array of int64, shape (n,)
        Every row once.
    """

    ptr: Array
    order: Array

    @classmethod
    def from_ids(cls, ids: Array, count: int | None = None) -> Groups:
        """Group rows by an id; without ``count`` the ids that occur are renumbered."""
        if count is None:
            distinct, ids = np.unique(ids, return_inverse=True)
            count = len(distinct)
        ptr = np.zeros(count + 1, np.int64)
        np.cumsum(np.bincount(ids, minlength=count), out=ptr[1:])
        return cls(ptr, np.argsort(ids, kind="stable").astype(np.int64, copy=False))

    @classmethod
    def by_hyperedge(cls, hypergraph: Hypergraph) -> Groups:
        """Return the incidences of each hyperedge."""
        return cls(*hypergraph.by_hyperedge)

    @classmethod
    def by_node(cls, hypergraph: Hypergraph) -> Groups:
        """Return the incidences of each node."""
        return cls(*hypergraph.by_node)

    @property
    def num_groups(self) -> int:
        """Number of groups, empty ones included."""
        return len(self.ptr) - 1

    @property
    def num_rows(self) -> int:
        """Number of rows ``n``."""
        return len(self.order)

    @cached_property
    def sizes(self) -> Array:
        """Rows of each group, int64 of shape (groups,)."""
        return np.diff(self.ptr)

    @cached_property
    def ids(self) -> Array:
        """Group of each row, int64 of shape (n,)."""
        ids = np.empty(len(self.order), np.int64)
        ids[self.order] = np.repeat(np.arange(self.num_groups), self.sizes)
        return ids

    @property
    def num_pairs(self) -> int:
        """Sum of the squared sizes: ordered pairs of rows of one group."""
        return int((self.sizes**2).sum())

    def pairs(self) -> tuple[Array, Array]:
        """Return ``(i, j)`` of all ordered pairs of rows of one group, ``i`` by groups."""
        size = np.repeat(self.sizes, self.sizes)
        first = np.repeat(self.ptr[:-1], self.sizes)
        left = np.repeat(self.order, size)
        offset = np.arange(len(left)) - np.repeat(np.cumsum(size) - size, size)
        return left, self.order[np.repeat(first, size) + offset]
