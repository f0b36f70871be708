"""Labels of any numeric kind as classes from 0."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def as_array(value: Any) -> Array:
    """Return an array, of a torch tensor too."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def classes_of(labels: Any, num_nodes: int) -> tuple[Array, int]:
    """Return classes from 0, -1 for no label, and their number.

    Parameters
    ----------
    labels : array of numbers, shape (n,) or (n, 1), or None
        -1 and NaN stand for "no label".
    num_nodes : int
        ``n``.
    """
    if labels is None:
        return np.full(num_nodes, -1), 0
    given = as_array(labels)
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.shape != (num_nodes,):
        raise ValueError(f"labels must have shape ({num_nodes},), got {given.shape}")
    if given.dtype.kind not in "biuf":
        raise TypeError(f"labels must be numbers, got dtype {given.dtype}")
    known = ~np.isnan(given) if given.dtype.kind == "f" else np.ones(num_nodes, np.bool_)
    if given.dtype.kind != "b":
        known &= given != -1
    classes = np.full(num_nodes, -1)
    values, classes[known] = np.unique(given[known], return_inverse=True)
    return classes, len(values)
