"""From a graph to the matrix that is multiplied with: M = D^-1 A or A, and the degree factors."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.backend import native
from graphsparse.graph import Graph, build_csr
from graphsparse.sketch.options import FastRPOptions
from graphsparse.sketch.rows import Rows

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True)
class Transition:
    """The matrix of one run.

    Attributes
    ----------
    rows : Rows
        ``M``.
    degree : array of float64, shape (n,)
        Degrees that the factors are made of.
    ell : array of float64, shape (n,)
        ``degree ** beta``; 1 where the degree is 0.
    """

    rows: Rows
    degree: Array
    ell: Array


def transition(graph: Graph, options: FastRPOptions) -> Transition:
    """Return the matrix of a graph and its degree factors."""
    graph = _with_loops(_directed(graph, options.direction), options.add_self_loops)
    check_weights_allowed(graph, options.allow_negative)
    degree = factor_degrees(graph, options)
    if options.matrix == "adjacency":
        return Transition(_rows(graph, None, options), degree, factors(degree, options))
    strength = strengths(graph, options)
    if options.dangling == "self" and (strength == 0).any():
        graph = _with_loops(graph, strength == 0)
        strength = np.where(strength == 0, 1.0, strength)
    return Transition(_rows(graph, inverse(strength), options), degree, factors(degree, options))


def inverse(strength: Array) -> Array:
    """Return 1 / strength, and 0 where it is 0."""
    return np.divide(1.0, strength, out=np.zeros(len(strength)), where=strength != 0)


def _directed(graph: Graph, direction: str) -> Graph:
    """Return the graph whose out-arcs are walked along."""
    if direction == "in":
        return graph.reverse()
    if direction == "undirected" and graph.directed:
        row, col = graph.arc_rows(), graph.indices
        return _joined(graph, np.r_[row, col], np.r_[col, row], _twice(graph.weights))
    return graph


def _twice(weights: Array | None) -> Array | None:
    return None if weights is None else np.r_[weights, weights]


def _with_loops(graph: Graph, where: Any) -> Graph:
    """Return the graph with one more self-loop of weight 1 at the nodes of a mask."""
    nodes = np.flatnonzero(np.broadcast_to(where, graph.num_nodes)).astype(graph.indices.dtype)
    if len(nodes) == 0:
        return graph
    weights = graph.weights
    if weights is not None:
        weights = np.r_[weights, np.ones(len(nodes), weights.dtype)]
    return _joined(graph, np.r_[graph.arc_rows(), nodes], np.r_[graph.indices, nodes], weights)


def _joined(graph: Graph, row: Array, col: Array, weights: Array | None) -> Graph:
    """Return the graph of arcs; equal ones stay beside each other, which sums them."""
    pattern, entry = build_csr(row, col, graph.num_nodes, mirror=False)
    kept = None if weights is None else weights[entry]
    return Graph._trusted(pattern.indptr, pattern.indices, kept, True)


def check_weights_allowed(graph: Graph, allow_negative: bool) -> None:
    """Raise ValueError for a negative weight, unless they are allowed."""
    if graph.weights is None or allow_negative or not (graph.weights < 0).any():
        return
    at = int(np.argmax(graph.weights < 0))
    raise ValueError(
        f"weights of the graph must not be negative, got {graph.weights[at]} at arc {at}; "
        "allow_negative=True takes sums of magnitudes as degrees"
    )


def strengths(graph: Graph, options: FastRPOptions) -> Array:
    """Return the sums of the weights (of their magnitudes) of each row, float64."""
    if graph.weights is None:
        return graph.degree.astype(np.float64)
    out = np.empty(graph.num_nodes)
    native.row_sums(
        graph.indptr[:-1], graph.indptr[1:], None, graph.weights, options.allow_negative, out,
        options.threads,
    )  # fmt: skip
    return out


def factor_degrees(graph: Graph, options: FastRPOptions) -> Array:
    """Return the degrees that the factors are made of: counts of arcs for the in-loop variant."""
    if options.row_norm == "loop":
        graph = Graph._trusted(graph.indptr, graph.indices, None, graph.directed)
    if options.degree == "out" or not graph.directed:
        out = strengths(graph, options)
        return 2.0 * out if options.degree == "total" else out
    back = strengths(graph.reverse(), options)
    return back if options.degree == "in" else strengths(graph, options) + back


def factors(degree: Array, options: FastRPOptions) -> Array:
    """Return ``degree ** beta``, 1 for degree 0; with "paper" times ``(2m) ** -beta``."""
    ell = np.ones(len(degree))
    np.power(degree, options.beta, out=ell, where=degree != 0)
    total = float(degree.sum())
    if options.degree_scale == "paper" and total:
        ell *= total**-options.beta
    return ell


def _rows(graph: Graph, scale: Array | None, options: FastRPOptions) -> Rows:
    weights = graph.weights
    if weights is not None and (weights == 1).all():
        weights = None  # products with 1 have the same bits and read less
    values = None if weights is None else np.ascontiguousarray(weights, dtype=options.dtype)
    return Rows(graph.indptr[:-1], graph.indptr[1:], graph.indices, values, scale)
