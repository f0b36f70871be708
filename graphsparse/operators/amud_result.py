"""What AMUD found out about a graph, and how it says so."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from graphsparse.patterns.statistics import PatternStatistics

_WHY = {
    "symmetric_input": "the graph is symmetric already",
    "undetermined": "the labels say too little about the two-step patterns",
    "below_threshold": "the patterns say much the same: their score is below {threshold:g}",
    "not_significant": "the patterns differ, but no more than chance would (Z below {z_min:g})",
    "score_and_significance": "the patterns differ by more than {threshold:g}, and significantly",
}


class AmudWarning(UserWarning):
    """Something about the input that may spoil the decision."""


@dataclasses.dataclass(frozen=True, eq=False)
class AmudResult:
    """Whether directions help, and the numbers that it rests on.

    Attributes
    ----------
    graph : same type as the input
        The input, or its symmetrised copy where the decision is ``"undirected"``.
    decision : {"directed", "undirected"}
        What to train on.
    reason : str
        ``"symmetric_input"``, ``"undetermined"``, ``"below_threshold"``, ``"not_significant"`` or
        ``"score_and_significance"``.
    score : float or None
        The score that decided; None where there is none.
    score_adjusted, score_r2 : float or None
        Both scores.
    z : float
        Largest distance of two patterns' rates, in standard errors; 0 where there is none.
    z_jack : mapping of str to float or None
        The same for each pair of patterns, ``"AA|AAT"`` and so on.
    max_effect : float or None
        Largest adjusted rate in absolute value: scores are free of scale, this is not.
    patterns : mapping of str to PatternStatistics
        ``A``, ``AT``, ``AA``, ``ATAT``, ``AAT`` (shared out-neighbours), ``ATA`` (shared
        in-neighbours).
    confidence : float or None
        Share of the half-samples with the same decision; None without them.
    weighting_used : {"support", "paths"}
        Whether a joined pair counted once, or once per path.
    profile_used : {"labels", "features"}
        What the pairs were compared by.
    n_labelled, n_pairs : int
        Nodes that counted, and their ordered pairs.
    n_rows : int
        Nodes that were walked from: all, or a sample where the walks are too many.
    reciprocity : float
        Share of the arcs whose reverse is there too.
    warnings : tuple of str
        What to know about the input.
    parameters : mapping
        Every option.
    """

    graph: Any
    decision: str
    reason: str
    score: float | None
    score_adjusted: float | None
    score_r2: float | None
    z: float
    z_jack: Mapping[str, float | None]
    max_effect: float | None
    patterns: Mapping[str, PatternStatistics]
    confidence: float | None
    weighting_used: str
    profile_used: str
    n_labelled: int
    n_pairs: int
    n_rows: int
    reciprocity: float
    warnings: tuple[str, ...]
    parameters: Mapping[str, Any]

    def report(self) -> str:
        """Return the finding as text: the decision, its reason, and a table of the patterns."""
        why = _WHY[self.reason].format(**self.parameters)
        lines = [
            f"{self.decision}: {why}",
            f"score {_number(self.score)} ({self.parameters['score']}; adjusted "
            f"{_number(self.score_adjusted)}, r2 {_number(self.score_r2)}), Z {self.z:.2f}, "
            f"largest rate {_number(self.max_effect)}",
            f"{self.n_labelled:,} nodes by {self.profile_used}, {self.weighting_used} weighting, "
            f"reciprocity {self.reciprocity:.3f}",
        ]
        if self.n_rows < self.n_labelled:
            lines.append(f"estimated from {self.n_rows:,} sampled rows")
        if self.confidence is not None:
            lines.append(f"same decision on {100 * self.confidence:.0f} % of the half-samples")
        lines.append(f"{'pattern':8}{'pairs':>14}{'same':>14}{'h':>9}{'adjusted':>10}{'r':>9}")
        for name in ("A", "AA", "AAT", "ATA"):
            row = self.patterns[name]
            lines.append(
                f"{name:8}{row.pairs:>14,.0f}{row.matches:>14,.0f}{_number(row.h):>9}"
                f"{_number(row.adjusted):>10}{_number(row.r):>9}"
            )
        return "\n".join([*lines, *(f"note: {text}" for text in self.warnings)])

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the graph, as JSON can hold it."""
        facts = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "graph"
        }
        facts["patterns"] = {name: dataclasses.asdict(row) for name, row in self.patterns.items()}
        for name in ("z_jack", "parameters"):
            facts[name] = dict(facts[name])
        return facts | {"warnings": list(self.warnings)}

    def __repr__(self) -> str:
        return (
            f"AmudResult({self.decision!r}, reason={self.reason!r}, "
            f"score={_number(self.score)}, z={self.z:.2f}, n_labelled={self.n_labelled})"
        )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
