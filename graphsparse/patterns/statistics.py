"""Rates, correlations and scores from pattern counts; what they would be by chance."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from graphsparse.patterns.counts import TWO_STEP, PatternCounts

Array = np.ndarray[Any, np.dtype[Any]]

NOISE = 1e-12  # standard errors below it are rounding
_TWINS = {"AT": "A", "ATAT": "AA"}  # reversing the arcs leaves every statistic as it is
ORDER = ("A", "AT", "AA", "ATAT", "AAT", "ATA")


@dataclasses.dataclass(frozen=True)
class PatternStatistics:
    """What a pattern says about labels; None stands for what is not defined.

    Attributes
    ----------
    pairs, matches : int or float
        Ordered pairs joined, and those of one label.
    h : float or None
        Their ratio.
    adjusted : float or None
        ``(h - p) / (1 - p)``: 0 is chance, 1 is perfect.
    r, R2 : float or None
        Correlation of "joined" with "same label" over all ordered pairs, and its square.
    z : float or None
        Distance of ``matches`` from its mean under random labels, in standard deviations.
    """

    pairs: float
    matches: float
    h: float | None
    adjusted: float | None
    r: float | None = None
    R2: float | None = None
    z: float | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Population:
    """All ordered pairs of distinct nodes with a label, or with features.

    Attributes
    ----------
    size : int
        Nodes ``l``.
    total : float
        ``T``: pairs of one label, or the sum of all similarities.
    squares : float
        Sum of the squared similarities; ``T`` for labels.
    own : array, shape (l,)
        Share of each node in half of ``T``.
    class_sizes : array of int64 or None
        Nodes of each class; None with features.
    """

    size: int
    total: float
    squares: float
    own: Array
    class_sizes: Array | None

    @property
    def pairs(self) -> int:
        """``N = l (l - 1)``."""
        return self.size * (self.size - 1)

    @property
    def chance(self) -> float:
        """``p``: how similar a random pair is."""
        return self.total / self.pairs if self.pairs else math.nan

    @property
    def variance(self) -> float:
        """Variance of the similarity of a random pair."""
        if self.class_sizes is not None:
            return self.chance * (1.0 - self.chance)
        return self.squares / self.pairs - self.chance**2 if self.pairs else math.nan

    def is_constant(self) -> bool:
        """Tell whether all pairs are alike, so that nothing can be said."""
        if not self.pairs:
            return True
        if self.class_sizes is not None:
            return self.total in (0, self.pairs)
        return self.variance <= NOISE


def label_population(classes: Array, num_classes: int) -> Population:
    """Return the population of nodes with classes in [0, num_classes), shape (l,)."""
    sizes = np.bincount(classes, minlength=num_classes).astype(np.int64)
    total = sum(n * (n - 1) for n in sizes.tolist())
    return Population(len(classes), total, total, sizes[classes] - 1, sizes)


def describe(
    counts: Mapping[str, PatternCounts], population: Population, *, support: bool
) -> dict[str, PatternStatistics]:
    """Return the statistics of all six patterns; correlations only of the support."""
    four = {name: _one(found, population, support) for name, found in counts.items()}
    return {name: four[_TWINS.get(name, name)] for name in ORDER}


def adjusted_rate(pairs: Array, matches: Array, chance: Array | float) -> Array:
    """Return ``(h - p) / (1 - p)``, with ``h = 0`` without pairs and 0 where ``p = 1``."""
    pairs, matches = np.asarray(pairs, float), np.asarray(matches, float)
    h = np.divide(matches, pairs, out=np.zeros_like(matches), where=pairs > 0)
    room = 1.0 - np.broadcast_to(np.asarray(chance, float), h.shape)
    rate: Array = np.divide(h - chance, room, out=np.zeros_like(h), where=room > 0)
    return rate


def range_score(rates: Mapping[str, float]) -> float | None:
    """Return ``S_adj``: the range of the adjusted rates over the largest of them, in [0, 1]."""
    top = max((abs(a) for a in rates.values()), default=0.0)
    if len(rates) < 2 or top == 0.0:
        return None
    return min(1.0, (max(rates.values()) - min(rates.values())) / top)


def r2_score(squares: Mapping[str, float]) -> float | None:
    """Return ``S_r2``: the mean absolute difference of the R2 over their sum, normalised."""
    total = sum(squares.values())
    if len(squares) < 2 or total == 0.0:
        return None
    spread = sum(abs(a - b) for a, b in itertools.combinations(squares.values(), 2))
    return spread / ((len(squares) - 1) * total)


def jackknife(
    counts: Mapping[str, PatternCounts],
    population: Population,
    valid: list[str],
    sample: Array | None = None,
) -> dict[str, float | None]:
    """Return ``z`` of the difference of the adjusted rates of each pair of patterns.

    Each node is left out in turn.  With a ``sample`` of rows (positions among the labelled
    nodes) only those are left out, and their squares scaled up.
    """
    found: dict[str, float | None] = {
        f"{a}|{b}": None for a, b in itertools.combinations(TWO_STEP, 2)
    }
    size = population.size
    if size < 4:
        return found
    own = population.own if sample is None else population.own[sample]
    chance = (population.total - 2.0 * own) / ((size - 1) * (size - 2))
    rates = {name: _left_out(counts[name], population.chance, chance) for name in valid}
    for a, b in itertools.combinations(valid, 2):
        difference = rates[a][1] - rates[b][1]
        spread = difference - difference.mean()
        scale = size / len(spread)
        error = math.sqrt((size - 1) / size * scale * float(np.dot(spread, spread)))
        if error > NOISE:
            found[f"{a}|{b}"] = (rates[a][0] - rates[b][0]) / error
    return found


def _left_out(counts: PatternCounts, whole: float, chance: Array) -> tuple[float, Array]:
    """The adjusted rate, and what it is without each node."""
    rate = adjusted_rate(np.array([counts.pairs]), np.array([counts.matches]), whole)
    pairs, matches = counts.pairs - counts.node_pairs, counts.matches - counts.node_matches
    return float(rate[0]), adjusted_rate(pairs, matches, chance)


def _one(counts: PatternCounts, population: Population, support: bool) -> PatternStatistics:
    pairs, matches = counts.pairs, counts.matches
    if not pairs or not population.pairs:
        return PatternStatistics(pairs, matches, None, None)
    h, p = matches / pairs, population.chance
    adjusted = (h - p) / (1.0 - p) if p < 1.0 else None
    if not support:
        return PatternStatistics(pairs, matches, h, adjusted)
    r = _correlation(pairs, h, population)
    z = None if counts.returned is None else _moment_z(counts, population)
    return PatternStatistics(pairs, matches, h, adjusted, r, None if r is None else r * r, z)


def _correlation(pairs: float, h: float, population: Population) -> float | None:
    density = pairs / population.pairs
    if density >= 1.0 or population.is_constant():
        return None
    odds = density / (1.0 - density) / population.variance
    return (h - population.chance) * math.sqrt(odds)


def moments(counts: PatternCounts, population: Population) -> tuple[float, float] | None:
    """Return mean and variance of ``matches`` when the labels are shuffled.

    None below four nodes, or with features.
    """
    sizes, size = population.class_sizes, population.size
    if sizes is None or size < 4 or counts.returned is None:
        return None
    n = [int(k) for k in sizes]
    pairs = int(counts.pairs)
    turned = pairs + counts.returned
    chained = sum(int(g) ** 2 for g in counts.node_pairs.tolist()) - 2 * turned
    apart = pairs**2 - turned - chained
    q = [k * (k - 1) for k in n]
    three = sum(a * (k - 2) for a, k in zip(q, n, strict=True))
    four = sum(a * (k - 2) * (k - 3) for a, k in zip(q, n, strict=True))
    four += sum(q) ** 2 - sum(a * a for a in q)
    ordered = size * (size - 1)
    p2, p3 = Fraction(sum(q), ordered), Fraction(three, ordered * (size - 2))
    p4 = Fraction(four, ordered * (size - 2) * (size - 3))
    mean = pairs * p2
    # Exact: the terms cancel to many digits on large graphs.
    return float(mean), float(turned * p2 + chained * p3 + apart * p4 - mean * mean)


def _moment_z(counts: PatternCounts, population: Population) -> float | None:
    found = moments(counts, population)
    if found is None or found[1] <= 0.0:
        return None
    return (counts.matches - found[0]) / math.sqrt(found[1])
