"""Diffusion of one value per incidence by group means: the linear case of CoNHD, no weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.checks import check_count
from graphsparse.graph import Hypergraph

Array = np.ndarray[Any, np.dtype[Any]]


def co_diffuse(
    hypergraph: Hypergraph, a: Any, lam: float, gam: float, steps: int, alpha: float
) -> Array:
    """Descend on ``|h - a|^2 / 2`` plus the spread within hyperedges and within nodes.

    Parameters
    ----------
    hypergraph : Hypergraph
        ``n`` incidences.
    a : array of float, shape (n,) or (n, k)
        Where the incidences start and what they are drawn to.
    lam, gam : float
        Weights of the squared distances to the mean of the hyperedge and of the node, >= 0.
    steps : int
        Gradient steps.
    alpha : float
        Step size; below ``2 / (1 + lam + gam)`` the steps converge.

    Returns
    -------
    array of float64, shape of ``a``
        Towards the solution of ``((1 + lam + gam) I - lam M_E - gam M_V) h = a`` with the
        projections ``M`` onto group means.

    Examples
    --------
    >>> three = Hypergraph([0, 1, 1], [0, 0, 1])
    >>> co_diffuse(three, [1.0, 2.0, 4.0], 1.0, 0.5, 1, 0.5).tolist()
    [1.25, 2.0, 3.75]
    """
    start = np.asarray(a, dtype=np.float64)
    n = hypergraph.num_incidences
    if start.ndim not in (1, 2) or len(start) != n:
        raise ValueError(f"a must have shape ({n},) or ({n}, k), got {start.shape}")
    if not np.isfinite(start).all():
        raise ValueError(f"a must be finite, got {start[~np.isfinite(start)][0]}")
    for name, value in (("lam", lam), ("gam", gam)):
        if not 0.0 <= value < np.inf:
            raise ValueError(f"{name} must be finite and >= 0, got {value!r}")
    if not 0.0 < alpha < 2.0 / (1.0 + lam + gam):
        raise ValueError(
            f"alpha must be in (0, 2 / (1 + lam + gam)) = (0, {2.0 / (1.0 + lam + gam):g}), "
            f"got {alpha!r}"
        )
    source = start[:, None] if start.ndim == 1 else start
    h = source.copy()
    for _ in range(check_count("steps", steps)):
        pull = h - source
        for weight, ids, count in (
            (lam, hypergraph.hyperedges, hypergraph.num_hyperedges),
            (gam, hypergraph.nodes, hypergraph.num_nodes),
        ):
            pull += weight * (h - _means(h, ids, count)[ids])
        h -= alpha * pull
    result: Array = h.reshape(start.shape)
    return result


def _means(h: Array, ids: Array, count: int) -> Array:
    size = np.maximum(np.bincount(ids, minlength=count), 1)
    sums = [np.bincount(ids, column, minlength=count) for column in h.T]
    return np.stack(sums, axis=1).reshape(count, h.shape[1]) / size[:, None]
