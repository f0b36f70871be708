"""Largest eigenvalue of a pencil of two Laplacians by Lanczos steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from graphsparse.graph import Graph
from graphsparse.linalg.products import apply_laplacian, dots

Array = np.ndarray[Any, np.dtype[Any]]
_CHECK_EVERY = 4


@dataclasses.dataclass(frozen=True)
class Ritz:
    """Approximate largest eigenvalue.

    Attributes
    ----------
    value : float
        At most the largest eigenvalue, up to rounding.
    residual : float
        ``||A x - value B x||`` in the norm of ``B^-1``, over ``value ||x||_B``: some eigenvalue
        lies within ``residual * value``, and the error of ``value`` is of second order in it.
    steps : int
        Products with A and solves with B.
    """

    value: float
    residual: float
    steps: int


def largest_eigenvalue(
    a: Graph,
    b: Graph,
    solve: Callable[[Array], Array],
    start: Array,
    *,
    tol: float,
    max_steps: int = 1000,
) -> Ritz:
    """Return the largest ``lambda`` of ``L_a x = lambda L_b x``.

    Parameters
    ----------
    a, b : Graph
        Simple, float64 weights, equal components.
    solve : callable
        ``L_b^-1`` on vectors of shape (n,); any constant may be added in each component.
    start : array of float64, shape (n,)
        Random vector.
    tol : float
        Stop once the residual is below it.
    max_steps : int
        Give up after as many steps; the residual tells.

    Notes
    -----
    Three-term recurrence in the inner product of ``L_b``, four vectors of memory.  Orthogonality
    is not restored: copies of eigenvalues that have converged do no harm to the largest one.
    """
    v = start
    p = apply_laplacian(b, v)
    norm = float(np.sqrt(dots(v, p)[0]))
    if norm == 0.0:
        return Ritz(0.0, 0.0, 0)
    v, p = v / norm, p / norm
    last = np.zeros_like(p)
    alphas: list[float] = []
    betas: list[float] = []
    ritz = Ritz(0.0, np.inf, 0)
    for step in range(1, max_steps + 1):
        w = apply_laplacian(a, v)
        if betas:
            w -= betas[-1] * last
        alphas.append(float(dots(v, w)[0]))
        w -= alphas[-1] * p
        z = solve(w)
        betas.append(float(np.sqrt(max(dots(z, w)[0], 0.0))))
        scale = max(alphas)
        done = betas[-1] <= 1e-13 * scale  # the Krylov space is closed
        if done or step % _CHECK_EVERY == 0 or step == max_steps:
            ritz = _top(alphas, betas, step)
            if done or ritz.residual <= tol:
                break
        last, p, v = p, w / betas[-1], z / betas[-1]
    return ritz


def _top(alphas: list[float], betas: list[float], step: int) -> Ritz:
    from scipy.linalg import eigh_tridiagonal

    values, vectors = eigh_tridiagonal(
        np.array(alphas), np.array(betas[:-1]), select="i", select_range=(step - 1, step - 1)
    )
    value = float(values[0])
    return Ritz(value, abs(betas[-1] * float(vectors[-1, 0])) / value, step)
