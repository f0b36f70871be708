"""Labels and masks of nodes from small files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from graphsparse.errors import GraphFormatError

Array = np.ndarray[Any, np.dtype[Any]]
_NOTHING = {"", "-1", "nan", "?", "none", "null"}


def read_labels(path: Path, num_nodes: int) -> Array:
    """Return one class per node, -1 where there is no label.

    Parameters
    ----------
    path : Path
        ``.npy``: an array of numbers.  Else text: a label a line in the order of the nodes, or
        ``node label`` lines, separated by blanks, tabs or commas.  Labels may be words; ``-1``,
        ``?`` and ``nan`` stand for none; ``#`` begins a comment.
    num_nodes : int
        Nodes of the graph.
    """
    if path.suffix == ".npy":
        return _array(path)
    rows = _rows(path)
    if all(len(row) == 1 for _, row in rows):
        if len(rows) != num_nodes:
            raise GraphFormatError(
                f"{path}: one label per node is needed ({num_nodes}), got {len(rows)}"
            )
        words = [row[0] for _, row in rows]
    else:
        words = [""] * num_nodes
        for line, row in rows:
            node = int(row[0]) if row[0].isdecimal() else -1
            if len(row) != 2 or not 0 <= node < num_nodes:
                raise GraphFormatError(
                    f"{path}:{line}: expected a node in [0, {num_nodes}) and its label, "
                    f"got {' '.join(row)!r}"
                )
            words[node] = row[1]
    return _classes(words)


def read_mask(path: Path, num_nodes: int) -> Array:
    """Return which nodes a file lists: ids, one a line, or a ``.npy`` of ids or of bool."""
    if path.suffix == ".npy":
        ids = _array(path)
        if ids.dtype == np.bool_:
            return ids
    else:
        ids = np.array([int(row[0]) if row[0].isdecimal() else -1 for _, row in _rows(path)])
    if len(ids) and not 0 <= ids.min() <= ids.max() < num_nodes:
        raise GraphFormatError(f"{path}: node ids must be in [0, {num_nodes}), got {ids.min()}")
    mask = np.zeros(num_nodes, np.bool_)
    mask[ids.astype(np.int64)] = True
    return mask


def _array(path: Path) -> Array:
    try:
        loaded: Array = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise GraphFormatError(f"{path}: not a NumPy array ({error})") from error
    return loaded


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the fields of every line that has any, with the number of the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise GraphFormatError(f"{path}: not UTF-8 text ({error})") from error
    fields = (
        (k, re.split(r"[,\s]+", text.split("#")[0].strip())) for k, text in enumerate(lines, 1)
    )
    return [(k, row) for k, row in fields if row != [""]]


def _classes(words: list[str]) -> Array:
    known = np.array([word.lower() not in _NOTHING for word in words], dtype=np.bool_)
    classes = np.full(len(words), -1)
    if known.any():
        _, classes[known] = np.unique(np.array(words)[known], return_inverse=True)
    return classes
