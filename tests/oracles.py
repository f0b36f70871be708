"""Slow, obvious twins of the fast operators: plain Python integers, fractions of a page each."""

from __future__ import annotations

import math
from fractions import Fraction

MASK = 2**64 - 1


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> list[int]:
    """Philox4x32-10 on Python integers."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & 0xFFFFFFFF, (p0 >> 32) ^ c[3] ^ k[1], p0 & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def draw_a(seed: int, item: int, step: int, domain: int) -> int:
    """First 64 bits of a draw."""
    low, high = item & 0xFFFFFFFF, item >> 32
    x = philox((low, high, step, domain), (seed & 0xFFFFFFFF, seed >> 32))
    return x[1] << 32 | x[0]


def tie_hash(seed: int, code: int) -> int:
    """Order of items with equal scores."""
    z = seed ^ ((code + 1) * 0x9E3779B97F4A7C15 & MASK)
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def kept_count(keep: float, total: int) -> int:
    """The budget rule of every sparsifier."""
    return total - math.floor((1 - keep) * total + 1e-6)


def first_edges(scores: list, codes: list[int], count: int, tie_break: str, seed: int) -> list[int]:
    """Positions of the ``count`` first edges by (score descending, tie, position)."""
    ties = range(len(scores)) if tie_break == "index" else [tie_hash(seed, c) for c in codes]
    order = sorted(range(len(scores)), key=lambda e: (-scores[e], ties[e], e))
    return sorted(order[:count])


def forest_first(order: list[int], pairs: list[tuple[int, int]], count: int) -> list[int]:
    """Kruskal's forest over ``order`` goes in front; the rest follows in order."""
    tree: dict[int, set[int]] = {x: {x} for pair in pairs for x in pair}
    forest = []
    for e in order:
        u, v = pairs[e]
        if tree[u] is not tree[v]:
            forest.append(e)
            merged = tree[u] | tree[v]
            for x in merged:
                tree[x] = merged
    rest = [e for e in order if e not in set(forest)]
    return sorted((forest + rest)[:count])


def teddy_pair_scores(
    pairs: list[tuple[int, int]], loops: set[int] = frozenset(), hops: int = 1
) -> list[float]:
    """Scores of section 3.3 of the method page in Python integers; ``loops`` enter the degrees."""
    neighbours: dict[int, list[int]] = {}
    for u, v in pairs:
        neighbours.setdefault(u, []).append(v)
        neighbours.setdefault(v, []).append(u)
    for v in loops:
        neighbours.setdefault(v, []).append(v)
    degree = {v: len(near) for v, near in neighbours.items()}
    q = min(40, 62 - max(degree.values(), default=0).bit_length())
    c = {v: round((1.0 / math.sqrt(d)) * 2.0**q) for v, d in degree.items()}
    for _ in range(hops - 1):
        total = {v: sum(c[u] for u in neighbours[v]) for v in neighbours}
        c = {v: round(float(total[v]) / degree[v]) for v in neighbours}
    t = {}
    for v, near in neighbours.items():
        total = sum(c[u] for u in near)
        t[v] = (float(total) / (float(degree[v]) * float(degree[v]))) * 2.0**-q
    return [t[u] * t[v] for u, v in pairs]


def teddy_real_scores(pairs: list[tuple[int, int]], digits: int = 30) -> list[Fraction]:
    """Scores in (nearly) real arithmetic, to bound the rounding of the fixed-point ones."""
    neighbours: dict[int, list[int]] = {}
    for u, v in pairs:
        neighbours.setdefault(u, []).append(v)
        neighbours.setdefault(v, []).append(u)
    scale = 10**digits
    t = {}
    for v, near in neighbours.items():
        total = sum(Fraction(math.isqrt(scale * scale // len(neighbours[u])), scale) for u in near)
        t[v] = total / len(near) ** 2
    return [t[u] * t[v] for u, v in pairs]
