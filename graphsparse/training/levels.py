"""Sparsity levels of the iterative-pruning literature, as parts kept."""

from __future__ import annotations

from graphsparse.checks import check_count, check_fraction


def level_keep(level: int, rate: float) -> float:
    """Return the part that is left after ``level`` rounds that each remove the share ``rate``.

    Parameters
    ----------
    level : int
        At least 0.
    rate : float
        In (0, 1]; TEDDY's sweeps remove 0.05 of the edges and 0.10 of the weights a round.

    Examples
    --------
    >>> round(level_keep(20, 0.05), 4), round(level_keep(20, 0.10), 4)
    (0.3585, 0.1216)
    """
    return float((1.0 - check_fraction("rate", rate)) ** check_count("level", level))
