"""Slow, obvious neighbour sampling: one node at a time, draws taken from the house's generator."""

from __future__ import annotations

import numpy as np

from graphsparse.operators.neighbor_sampling import NeighborTable
from graphsparse.rng import NEIGHBOR_SAMPLING, draw

LISTED = 64


class Draws:
    """The draws of one node of a batch."""

    def __init__(self, seed: int, batch: int, place: int) -> None:
        self.seed, self.batch, self.place = seed, batch, place

    def bits(self, w: int) -> int:
        item = np.array([(self.place << 32) | w], np.uint64)
        return int(draw(self.seed, item, self.batch, NEIGHBOR_SAMPLING)[0])

    def below(self, w: int, bound: int) -> int:
        return (self.bits(w) * bound) >> 64

    def uniform(self, w: int) -> float:
        return (self.bits(w) >> 11) * 2.0**-53


def without(draws: Draws, d: int, k: int) -> list[int]:
    """k of d, by Floyd's method or by looking at each in turn."""
    if k == d:
        return list(range(d))
    if k <= LISTED:
        taken: set[int] = set()
        for i in range(k):
            top = d - k + i
            pick = draws.below(i, top + 1)
            taken.add(top if pick in taken else pick)
        return sorted(taken)
    found: list[int] = []
    for i in range(d):
        if draws.below(i, d - i) < k - len(found):
            found.append(i)
    return found


def weighted_without(draws: Draws, weights: list[float], k: int) -> list[int]:
    """The k smallest keys -log(u) / w among the positive weights."""
    keys = [(-np.log(1.0 - draws.uniform(i)) / w, i) for i, w in enumerate(weights) if w > 0.0]
    return sorted(i for _, i in sorted(keys)[:k])


def weighted_with(draws: Draws, weights: list[float], k: int) -> list[int]:
    """The first running sum above a uniform share of the whole."""
    sums = np.cumsum(weights)
    return [
        next(j for j, s in enumerate(sums) if s > draws.uniform(i) * sums[-1]) for i in range(k)
    ]


def choose(
    draws: Draws, weights: list[float] | None, d: int, fan: int, replace: bool, last: bool
) -> list[int]:
    """Places in a row of d candidates that a node takes."""
    if fan < 0:
        return list(range(d))
    if last:
        return list(range(d))[d - min(fan, d) :]
    if d == 0 or fan == 0 or (weights is not None and sum(weights) <= 0.0):
        return []
    if replace:
        if weights is not None:
            return weighted_with(draws, weights, fan)
        return [draws.below(i, d) for i in range(fan)]
    most = d if weights is None else sum(w > 0.0 for w in weights)
    if weights is not None and min(fan, most) < d:
        return weighted_without(draws, weights, min(fan, most))
    return without(draws, d, min(fan, most))


def neighbor_sample(
    table: NeighborTable,
    seeds: list[int],
    fanouts: list[int],
    *,
    replace: bool = False,
    disjoint: bool = False,
    seed_times: list[int] | None = None,
    last: bool = False,
    seed: int = 0,
    batch: int = 0,
) -> tuple[list[tuple[int, int]], list[tuple[int, int, int]], list[int], list[int]]:
    """Nodes as (node, tree), arcs as (far place, near place, entry), sizes of the hops."""
    disjoint = disjoint or seed_times is not None
    nodes = [(u, i if disjoint else 0) for i, u in enumerate(seeds)]
    place = {key: at for at, key in enumerate(nodes)}
    arcs: list[tuple[int, int, int]] = []
    node_hops, arc_hops, begin = [len(nodes)], [], 0
    for fan in fanouts:
        end, before = len(nodes), len(arcs)
        for at in range(begin, end):
            u, tree = nodes[at]
            row = range(int(table.indptr[u]), int(table.indptr[u + 1]))
            if seed_times is not None:
                row = [e for e in row if table.times[e] <= seed_times[tree]]
            weights = None if table.weights is None else [float(table.weights[e]) for e in row]
            picks = choose(Draws(seed, batch, at), weights, len(row), fan, replace, last)
            for pick in picks:
                entry = row[pick]
                key = (int(table.indices[entry]), tree)
                if key not in place:
                    place[key] = len(nodes)
                    nodes.append(key)
                arcs.append((place[key], at, entry))
        node_hops.append(len(nodes) - end)
        arc_hops.append(len(arcs) - before)
        begin = end
    return nodes, arcs, node_hops, arc_hops
