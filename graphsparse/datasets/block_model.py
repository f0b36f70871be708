"""A degree-corrected block model of any size: distinct pairs, an exact share inside blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphsparse.checks import check_count, check_fraction
from graphsparse.rng import DATASETS, draw, uniform

Array = np.ndarray[Any, np.dtype[Any]]
Pairs = tuple[Array, Array]
_CHUNK = 1 << 22  # pairs that are drawn together: what a round holds beside the codes
_ROUNDS = 200


class BlockModel:
    """Nodes in equal blocks; inside a block the node of rank ``r`` has weight ``(r + 1)^-a``.

    Parameters
    ----------
    num_nodes, num_blocks : int
        Blocks differ by one node at most; which nodes form one is random.
    exponent : float
        Of the degree distribution, above 2: ``a = 1 / (exponent - 1)``.
    seed : int
        Same seed, same model.
    """

    def __init__(self, num_nodes: int, num_blocks: int, exponent: float, seed: int) -> None:
        n = self.num_nodes = check_count("num_nodes", num_nodes, low=2, high=2**31 - 1)
        k = check_count("num_blocks", num_blocks, low=1, high=n // 2)
        if not exponent > 2.0:
            raise ValueError(f"exponent must be above 2, got {exponent!r}")
        self.seed, self._power = seed, 1.0 - 1.0 / (exponent - 1.0)
        self._start = np.arange(k + 1, dtype=np.int64) * n // k
        self._size = np.diff(self._start)
        bits = draw(seed, np.arange(n, dtype=np.uint64), 0, DATASETS)
        self._node = np.argsort(bits, kind="stable").astype(np.int32)
        self.blocks = np.empty(n, np.int64)
        self.blocks[self._node] = np.repeat(np.arange(k), self._size)

    def edges(self, num_edges: int, homophily: float) -> Pairs:
        """Return ``num_edges`` distinct pairs ``u < v`` in ascending order.

        Parameters
        ----------
        num_edges : int
            ``m``.
        homophily : float
            ``round(homophily * m)`` pairs lie inside blocks, the others between two.
        """
        m = check_count("num_edges", num_edges)
        inside = round(check_fraction("homophily", homophily, zero=True) * m)
        n, size = self.num_nodes, self._size.astype(np.float64)
        within = int((size * (size - 1.0) / 2.0).sum())
        first = self._distinct(self._propose_inside, inside, within, 1)
        between = n * (n - 1) // 2 - within
        second = self._distinct(self._propose_between, m - inside, between, 2)
        codes = np.concatenate((first, second))
        codes.sort()
        return codes // n, codes % n

    def _distinct(
        self, propose: Callable[[Array, int], Pairs], count: int, possible: int, stream: int
    ) -> Array:
        """Return ``count`` distinct codes ``u * n + v``, sorted."""
        if count > possible:
            raise ValueError(f"the blocks have room for {possible} such edges, got {count}")
        codes = np.zeros(0, np.int64)
        for turn in range(_ROUNDS):
            missing = count - len(codes)
            if missing == 0:
                return codes
            new = self._round(propose, missing + missing // 8 + 64, 8 * (2 * turn + stream))
            codes = _unique(np.concatenate((codes, new)))
            excess = len(codes) - count
            if excess > 0:  # evenly spaced ones go: no node is favoured
                codes = np.delete(codes, np.arange(excess) * len(codes) // excess)
        raise ValueError(
            f"num_edges must leave room: {count} distinct pairs did not come up in {_ROUNDS} "
            f"rounds of {self.num_nodes} nodes; ask for fewer, or a larger exponent"
        )

    def _round(self, propose: Callable[[Array, int], Pairs], count: int, step: int) -> Array:
        parts = []
        for start in range(0, count, _CHUNK):
            items = np.arange(start, min(start + _CHUNK, count), dtype=np.uint64)
            u, v = propose(items, step)
            proper = u != v
            u, v = u[proper], v[proper]
            parts.append(np.minimum(u, v).astype(np.int64) * self.num_nodes + np.maximum(u, v))
        return np.concatenate(parts)

    def _propose_inside(self, items: Array, step: int) -> Pairs:
        block = self._block(items, step)
        return self._member(block, items, step + 1), self._member(block, items, step + 2)

    def _propose_between(self, items: Array, step: int) -> Pairs:
        one, two = self._block(items, step), self._block(items, step + 3)
        across = one != two
        one, two, items = one[across], two[across], items[across]
        return self._member(one, items, step + 1), self._member(two, items, step + 2)

    def _block(self, items: Array, step: int) -> Array:
        chosen: Array = (uniform(self.seed, items, step, DATASETS) * len(self._size)).astype(int)
        return chosen

    def _member(self, block: Array, items: Array, step: int) -> Array:
        """A node of each block: the inverse of the weights' integral, so no table is searched."""
        p, size = self._power, self._size[block]
        top = (size + 1.0) ** p - 1.0
        x = uniform(self.seed, items, step, DATASETS)
        rank = (x * top + 1.0) ** (1.0 / p) - 1.0
        place = np.minimum(rank.astype(np.int64), size - 1)
        member: Array = self._node[self._start[block] + place]
        return member


def _unique(codes: Array) -> Array:
    codes.sort()
    first = np.ones(len(codes), np.bool_)
    np.not_equal(codes[1:], codes[:-1], out=first[1:])
    return codes[first]
