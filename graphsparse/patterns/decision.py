"""From statistics to "directed" or "undirected", with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from graphsparse.checks import check_choice, check_count, check_fraction
from graphsparse.patterns.counts import TWO_STEP, Array, PatternCounts
from graphsparse.patterns.statistics import (
    PatternStatistics,
    Population,
    jackknife,
    r2_score,
    range_score,
)

SCORES = ("adjusted", "r2")


@dataclasses.dataclass(frozen=True)
class Rules:
    """When a graph is to be kept directed."""

    score: str = "adjusted"
    threshold: float = 0.5
    z_min: float = 2.0
    min_pairs: int = 30
    min_effect: float = 0.0

    def __post_init__(self) -> None:
        check_choice("score", self.score, SCORES)
        check_fraction("threshold", self.threshold, zero=True)
        check_fraction("min_effect", self.min_effect, zero=True)
        check_count("min_pairs", self.min_pairs, low=1)
        if not 0.0 <= self.z_min < float("inf"):
            raise ValueError(f"z_min must be finite and >= 0, got {self.z_min!r}")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A decision and what it rests on; fields as in ``AmudResult``."""

    decision: str
    reason: str
    score: float | None
    score_adjusted: float | None
    score_r2: float | None
    z_jack: dict[str, float | None]
    z: float
    max_effect: float | None


def decide(
    counts: Mapping[str, PatternCounts],
    statistics: Mapping[str, PatternStatistics],
    population: Population,
    rules: Rules,
    *,
    symmetric: bool,
    sample: Array | None = None,
) -> Verdict:
    """Judge the two-step patterns that join at least ``min_pairs`` pairs."""
    valid = [d for d in TWO_STEP if counts[d].pairs >= rules.min_pairs]
    rates = {d: a for d in valid if (a := statistics[d].adjusted) is not None}
    squares = {d: q for d in rates if (q := statistics[d].R2) is not None}
    effect = max(map(abs, rates.values()), default=None)
    known = not (population.size < 4 or len(rates) < 2 or population.is_constant() or not effect)
    by_range = range_score(rates) if known else None
    by_r2 = r2_score(squares) if known else None
    if symmetric:
        by_range, by_r2 = 0.0, 0.0 if by_r2 is not None else None
    z_jack = jackknife(counts, population, list(rates) if known else [], sample)
    z = max((abs(value) for value in z_jack.values() if value is not None), default=0.0)
    score = by_r2 if rules.score == "r2" else by_range
    reason = _reason(score, z, effect if known else None, rules, symmetric=symmetric)
    decision = "directed" if reason == "score_and_significance" else "undirected"
    return Verdict(decision, reason, score, by_range, by_r2, z_jack, z, effect)


def _reason(
    score: float | None, z: float, effect: float | None, rules: Rules, *, symmetric: bool
) -> str:
    if symmetric:
        return "symmetric_input"
    if score is None or effect is None or effect < rules.min_effect:
        return "undetermined"
    if score < rules.threshold:
        return "below_threshold"
    return "not_significant" if z < rules.z_min else "score_and_significance"
