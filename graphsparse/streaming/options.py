"""What a dynamic sparsifier does with an update: sizes, engines and the two presets."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

from graphsparse.backend import native
from graphsparse.checks import check_choice, check_count

_WARP = 32
_MOST = 2**31 - _WARP


@dataclasses.dataclass(frozen=True, kw_only=True)
class DygrassOptions:
    """How updates are decided; the defaults are those of the library.

    Parameters
    ----------
    space : {"core", "full"}
        Where walkers of an insertion test go: the 2-core of the sparsifier, its pendant trees
        being climbed exactly, or the whole sparsifier as published.
    walkers : int
        Walkers per insertion test, rounded up to a multiple of 32.
    max_steps : int
        Steps after which a walker gives up.
    both_ends : bool
        Odd walkers start at the other end.
    recheck : bool
        Test the insertions that passed again, in chunks, each against the sparsifier with the
        chunks before it.
    first_chunk : int
        Size of the first chunk, which is not tested again; each further one is twice as large.
    sub_batch : int, optional
        Insertions (and deletions) that see the same sparsifier; ``max(1024, ceil(N / 10))`` for
        a batch of ``N`` when left out.
    engine : {"exact", "walk"}
        How the detour for a deleted edge is found: minimum-resistance path, or best walker with
        the exact search where no walker arrives.
    recovery_walkers, recovery_steps : int
        As ``walkers`` and ``max_steps``, for ``engine="walk"``.
    redundancy_check : bool
        Put nothing back where the sparsifier still has a detour below the threshold.  Saves
        edges and costs quality.
    """

    space: Literal["core", "full"] = "core"
    walkers: int = 128
    max_steps: int = 100
    both_ends: bool = True
    recheck: bool = True
    first_chunk: int = 32
    sub_batch: int | None = None
    engine: Literal["exact", "walk"] = "exact"
    recovery_walkers: int = 128
    recovery_steps: int = 30
    redundancy_check: bool = False

    def __post_init__(self) -> None:
        check_choice("space", self.space, ("core", "full"))
        check_choice("engine", self.engine, ("exact", "walk"))
        for name in ("walkers", "max_steps", "first_chunk", "recovery_walkers", "recovery_steps"):
            check_count(name, getattr(self, name), low=1, high=_MOST)
        if self.sub_batch is not None:
            check_count("sub_batch", self.sub_batch, low=1)
        for name in ("both_ends", "recheck", "redundancy_check"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}")

    def notes(self) -> tuple[str, ...]:
        """Return what was rounded, in words."""
        return tuple(
            f"{name}={given} is rounded up to {_rounded(given)}, a multiple of {_WARP}"
            for name, given in (
                ("walkers", self.walkers),
                ("recovery_walkers", self.recovery_walkers),
            )
            if given != _rounded(given)
        )


def paper() -> DygrassOptions:
    """Return the options of the published program.

    Walks through the whole sparsifier from one end, 512 walkers of 100 steps, no recheck, and
    recovery by walks.

    Examples
    --------
    >>> paper().walkers, paper().space
    (512, 'full')
    """
    return DygrassOptions(
        space="full",
        walkers=512,
        both_ends=False,
        recheck=False,
        engine="walk",
        recovery_walkers=512,
        recovery_steps=100,
    )


def check_threshold(threshold: float) -> float:
    """Return ``K`` as a float above 0; infinity is allowed."""
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)):
        raise TypeError(f"K must be 'auto' or a number, got {threshold!r}")
    if math.isnan(threshold) or threshold <= 0:
        raise ValueError(f"K must be above 0, got {threshold!r}")
    return float(threshold)


def native_rules(options: DygrassOptions, threshold: float, seed: int) -> Any:
    """Return the options in the form that the compiled part takes."""
    rules = native.StreamRules()
    rules.seed = seed
    rules.limit = threshold
    rules.walkers = _rounded(options.walkers)
    rules.max_steps = options.max_steps
    rules.sub_batch = options.sub_batch or 0
    rules.first_chunk = options.first_chunk if options.recheck else 0
    rules.recovery_walkers = _rounded(options.recovery_walkers)
    rules.recovery_steps = options.recovery_steps
    rules.both_ends = options.both_ends
    rules.exact_recovery = options.engine == "exact"
    rules.redundancy_check = options.redundancy_check
    return rules


def _rounded(walkers: int) -> int:
    return -(-walkers // _WARP) * _WARP
