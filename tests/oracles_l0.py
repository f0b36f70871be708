"""Slow, obvious twins of the l0 projection: stable sorts over Python numbers."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def removed_count(sparsity: Fraction, size: int) -> int:
    """ceil(sparsity * size - 1e-6) in exact arithmetic."""
    shifted = sparsity * size - Fraction(1, 10**6)
    return max(0, -((-shifted.numerator) // shifted.denominator))


def largest(values: list[float], count: int) -> set[int]:
    """Positions of the ``count`` largest magnitudes; equal ones: lower position first."""
    order = sorted(range(len(values)), key=lambda i: (-abs(values[i]), i))
    return set(order[:count])


def global_masks(tensors: list[Array], count: int, floor: int = 0) -> list[Array]:
    """Masks of the ``count`` largest entries of all, at least ``floor`` of each tensor."""
    flat = [float(x) for tensor in tensors for x in tensor.reshape(-1)]
    chosen: set[int] = set()
    at = 0
    for tensor in tensors:
        own = flat[at : at + tensor.size]
        chosen |= {at + i for i in largest(own, min(floor, tensor.size))}
        at += tensor.size
    for i in sorted(range(len(flat)), key=lambda i: (-abs(flat[i]), i)):
        if len(chosen) < count:
            chosen.add(i)
    mask = np.array([i in chosen for i in range(len(flat))], dtype=bool)
    ends = np.cumsum([0, *(tensor.size for tensor in tensors)])
    return [mask[a:b].reshape(t.shape) for (a, b), t in zip(itertools.pairwise(ends), tensors)]  # noqa: B905


def group_mask(matrix: Array, group: int, count: int) -> Array:
    """Mask of the ``count`` largest of every ``group`` neighbours in a row."""
    mask = np.zeros(matrix.shape, dtype=bool)
    for row in range(matrix.shape[0]):
        for start in range(0, matrix.shape[1], group):
            part = [float(x) for x in matrix[row, start : start + group]]
            for i in largest(part, count):
                mask[row, start + i] = True
    return mask


def block_mask(matrix: Array, down: int, across: int, keep_blocks: int) -> Array:
    """Mask of the ``keep_blocks`` blocks of largest l2 norm."""
    corners = list(
        itertools.product(range(0, matrix.shape[0], down), range(0, matrix.shape[1], across))
    )
    norms = []
    for r, c in corners:
        square = 0.0
        for x in matrix[r : r + down, c : c + across].reshape(-1):
            square += float(x) * float(x)
        norms.append(square)
    mask = np.zeros(matrix.shape, dtype=bool)
    for i in largest(norms, keep_blocks):
        r, c = corners[i]
        mask[r : r + down, c : c + across] = True
    return mask


def nearest_by_force(values: list[float], count: int) -> Fraction:
    """Least squared distance from ``values`` to a vector with at most ``count`` non-zeros."""
    squares = [Fraction(x) ** 2 for x in values]
    total = sum(squares, Fraction(0))
    return min(
        total - sum((squares[i] for i in support), Fraction(0))
        for support in itertools.combinations(range(len(values)), count)
    )
