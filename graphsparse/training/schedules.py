"""When weights are removed during training, and how many by then."""

from __future__ import annotations

import dataclasses

from graphsparse.checks import check_choice, check_count, check_fraction

KINDS = ("constant", "linear", "cubic", "rounds")


@dataclasses.dataclass(frozen=True)
class Schedule:
    """The fraction of weights kept after each optimiser step.

    Steps are counted from 0.  Nothing happens before ``start``; then weights are removed every
    ``every`` steps and at ``end``; from ``end`` on the final fraction holds exactly.

    Parameters
    ----------
    kind : {"constant", "linear", "cubic", "rounds"}
        With ``s`` the final and ``s_0`` the initial fraction *removed* and ``x`` running from 0 at
        ``start`` to 1 at ``end``: ``s``; ``s_0 + (s - s_0) x``; ``s - (s - s_0) (1 - x)**3``;
        ``min(s, 1 - (1 - rate)**i)`` at the i-th application, counted from 1.
    start : int
        First step at which weights are removed.
    end : int, optional
        Step that reaches the final fraction; needed by linear and cubic, no use to constant.
    every : int
        Steps between two applications.
    rate : float, optional
        Fraction of the remaining weights removed in each round, in (0, 1]; rounds only.
    initial_keep : float
        Fraction kept at ``start``, in (0, 1]; linear and cubic only.

    Examples
    --------
    >>> cubic = Schedule("cubic", end=10)
    >>> [round(1 - cubic.keep_at(step, 0.1), 4) for step in (0, 1, 5, 10, 11)]
    [0.0, 0.2439, 0.7875, 0.9, 0.9]
    """

    kind: str = "constant"
    start: int = 0
    end: int | None = None
    every: int = 1
    rate: float | None = None
    initial_keep: float = 1.0

    def __post_init__(self) -> None:
        check_choice("schedule", self.kind, KINDS)
        check_count("start", self.start)
        check_count("every", self.every, low=1)
        check_fraction("initial_keep", self.initial_keep)
        ramp = self.kind in ("linear", "cubic")
        if self.end is not None:
            check_count("end", self.end)
            if self.end <= self.start:
                raise ValueError(f"end must be above start={self.start}, got {self.end}")
        if ramp and self.end is None:
            raise ValueError(f"schedule={self.kind!r} needs end, the step that reaches keep")
        if self.kind == "constant" and self.end is not None:
            raise ValueError(f"schedule='constant' has no end, got end={self.end}")
        if not ramp and self.initial_keep != 1.0:
            raise ValueError(
                f"initial_keep belongs to linear and cubic schedules, got {self.initial_keep} "
                f"with schedule={self.kind!r}"
            )
        if (self.rate is None) == (self.kind == "rounds"):
            raise ValueError(
                f"rate belongs to schedule='rounds', got {self.rate} with {self.kind!r}"
            )
        if self.rate is not None:
            check_fraction("rate", self.rate)

    def is_due(self, step: int) -> bool:
        """Tell whether weights are removed after optimiser step ``step``."""
        return step >= self.start and (
            (step - self.start) % self.every == 0 or (self.end is not None and step == self.end)
        )

    def keep_at(self, step: int, keep: float) -> float:
        """Return the fraction kept after step ``step`` when ``keep`` is the final one."""
        if step < self.start:
            return 1.0
        if self.kind == "constant" or (self.end is not None and step >= self.end):
            return keep
        if self.rate is not None:
            rounds = (step - self.start) // self.every + 1
            return max(keep, (1.0 - self.rate) ** rounds)
        assert self.end is not None  # linear and cubic have one
        left = 1.0 - (step - self.start) / (self.end - self.start)
        weight = left if self.kind == "linear" else left**3
        return keep + (self.initial_keep - keep) * weight
