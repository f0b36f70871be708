"""The same counts with the cosine of two feature vectors in the place of "same label"."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import scipy.sparse as sp

from graphsparse.patterns.counts import Arcs, ClassCodes, PatternCounts, path_counts, support_counts
from graphsparse.patterns.statistics import Population

Array = np.ndarray[Any, np.dtype[Any]]
_BLOCK = 1 << 22  # entries of a product that are held at a time


def unit_rows(x: Any, nodes: Array) -> sp.csr_array:
    """Return the rows of ``x`` with norm 1, and zero rows outside ``nodes``."""
    rows = sp.csr_array(x, dtype=np.float64)
    norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    scale = np.zeros(rows.shape[0])
    scale[nodes] = np.divide(1.0, norms[nodes], out=np.zeros(len(nodes)), where=norms[nodes] > 0)
    scaled = sp.csr_array(sp.diags_array(scale) @ rows)
    scaled.eliminate_zeros()
    return scaled


def feature_population(x: sp.csr_array, nodes: Array) -> Population:
    """Return the population of unit rows ``x``; nodes without features are like nobody."""
    filled = np.diff(x.indptr) > 0
    column = np.asarray(x.sum(axis=0)).ravel()
    gram = x.T @ x if x.shape[1] <= x.shape[0] else x @ x.T
    zeros = int(filled.sum())
    own = (x @ column - filled)[nodes]
    total = float(np.dot(column, column)) - zeros
    squares = float(gram.multiply(gram).sum()) - zeros
    return Population(len(nodes), total, squares, own, None)


def feature_counts(
    arcs: Arcs, x: sp.csr_array, nodes: Array, *, support: bool
) -> dict[str, PatternCounts]:
    """Return pairs and summed cosines of each pattern.

    Parameters
    ----------
    arcs : Arcs
        ``n`` nodes.
    x : csr_array, shape (n, f)
        As :func:`unit_rows` returns them.
    nodes : array of int
        Nodes that count, ascending.
    support : bool
        Count each joined pair once, rather than once per path.
    """
    codes = np.full(arcs.num_nodes, -1)
    codes[nodes] = 0
    everyone = ClassCodes.of(codes, 1)
    counts = (support_counts if support else path_counts)(arcs, everyone)
    sums = (_support_sums if support else _path_sums)(arcs, x)
    found = {}
    for name, (total, own) in sums.items():
        found[name] = dataclasses.replace(
            counts[name], matches=total, node_matches=own[nodes], returned=None
        )
    return found


def _matrix(arcs: Arcs) -> sp.csr_array:
    return arcs.out.to_scipy().astype(np.float64)


def _row_dots(a: sp.csr_array, b: Any) -> Array:
    return np.asarray(a.multiply(b).sum(axis=1)).ravel()


def _one_step(a: sp.csr_array, x: sp.csr_array, ahead: Any, behind: Any) -> tuple[float, Array]:
    forth = _row_dots(x, ahead)
    return float(forth.sum()), forth + _row_dots(x, behind)


def _path_sums(arcs: Arcs, x: sp.csr_array) -> dict[str, tuple[float, Array]]:
    a = _matrix(arcs)
    ahead, behind = a @ x, a.T @ x
    filled = (np.diff(x.indptr) > 0).astype(np.float64)  # squared norms
    shared = np.asarray(a.multiply(a.T).sum(axis=1)).ravel()
    through = _row_dots(x, a @ ahead) - shared * filled
    back = _row_dots(x, a.T @ behind) - shared * filled
    coupled = _row_dots(x, a @ behind) - arcs.out.degree * filled
    cited = _row_dots(x, a.T @ ahead) - arcs.into.degree * filled
    return {
        "A": _one_step(a, x, ahead, behind),
        "AA": (float(through.sum()), through + back),
        "AAT": (float(coupled.sum()), 2.0 * coupled),
        "ATA": (float(cited.sum()), 2.0 * cited),
    }


def _support_sums(arcs: Arcs, x: sp.csr_array) -> dict[str, tuple[float, Array]]:
    a = _matrix(arcs)
    turned = sp.csr_array(a.T)
    through, back = _support_dots(a, a, x), _support_dots(turned, turned, x)
    coupled, cited = _support_dots(a, turned, x), _support_dots(turned, a, x)
    return {
        "A": _one_step(a, x, a @ x, turned @ x),
        "AA": (float(through.sum()), through + back),
        "AAT": (float(coupled.sum()), 2.0 * coupled),
        "ATA": (float(cited.sum()), 2.0 * cited),
    }


def _support_dots(first: sp.csr_array, second: sp.csr_array, x: sp.csr_array) -> Array:
    """``x_i . (P x)_i`` for the support P of ``first @ second`` without its diagonal."""
    n = x.shape[0]
    walks = np.concatenate([[0], np.cumsum(first @ np.diff(second.indptr).astype(np.float64))])
    dots = np.zeros(n)
    start = 0
    while start < n:
        stop = int(np.searchsorted(walks, walks[start] + _BLOCK, side="right")) - 1
        stop = min(n, max(stop, start + 1))
        product = sp.coo_array(first[start:stop] @ second)
        off = product.row + start != product.col
        ones = np.ones(int(off.sum()))
        block = sp.csr_array((ones, (product.row[off], product.col[off])), shape=product.shape)
        dots[start:stop] = _row_dots(x[start:stop], block @ x)
        start = stop
    return dots
