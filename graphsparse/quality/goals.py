"""Which sparsifier for which purpose: a small table that the benchmark pages support."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from graphsparse.checks import check_choice


@dataclasses.dataclass(frozen=True)
class Recommendation:
    """What to use for a purpose.

    Attributes
    ----------
    goal : str
        The purpose.
    method : str
        Sparsifier, one with nested masks.
    figure : str
        Figure of :func:`~graphsparse.quality.quality_report` that ``keep="auto"`` follows.
    target : float
        What the figure has to reach.
    options : mapping of str to object
        Options of the method.
    """

    goal: str
    method: str
    figure: str
    target: float
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


# docs/results/gnn_scores.md: protection matters, and no other protected score is clearly better.
GNN_METHOD, GNN_OPTIONS = "teddy", {"protect": "top1"}

# docs/results/static.md, "Which method for which goal".
GOALS = {
    one.goal: one
    for one in (
        Recommendation("distances", "spanner", "distance", 0.9),
        Recommendation("spectral", "spanning_forests", "resistance", 0.7),
        Recommendation("communities", "teddy", "community", 0.9, {"protect": "top1"}),
        Recommendation("gnn", GNN_METHOD, "propagation", 0.6, GNN_OPTIONS),
    )
}


def recommend(goal: str) -> Recommendation:
    """Return the sparsifier for a purpose, and the figure that ``keep="auto"`` follows.

    Parameters
    ----------
    goal : {"distances", "spectral", "communities", "gnn"}
        Short ways; Laplacian (cuts, solvers, spectral clustering); groups; input of a graph neural
        network.

    Returns
    -------
    Recommendation

    Raises
    ------
    ValueError
        If the goal is not known.

    Examples
    --------
    >>> recommend("distances").method
    'spanner'
    """
    check_choice("goal", goal, GOALS)
    return GOALS[goal]
