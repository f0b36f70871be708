"""The quality report: what a sparse graph kept of the full one, figure by figure."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphsparse.checks import check_choice, check_count, check_seed
from graphsparse.convert import as_border
from graphsparse.quality.community import community
from graphsparse.quality.limit import check_limit, time_limit
from graphsparse.quality.pair import Array, Figure, Pair, Task
from graphsparse.quality.probe import probe
from graphsparse.quality.ranking import (
    betweenness,
    closeness,
    degree_rank,
    eigenvector,
    pagerank,
)
from graphsparse.quality.spectral import propagation, quadratic, resistance, spectral
from graphsparse.quality.structure import clustering, connectivity, degree, distance

VERSION = 1  # of the definitions
FIGURES: dict[str, Callable[[Pair], Figure]] = {
    "connectivity": connectivity,
    "degree": degree,
    "distance": distance,
    "resistance": resistance,
    "quadratic": quadratic,
    "spectral": spectral,
    "clustering": clustering,
    "pagerank": pagerank,
    "degree_rank": degree_rank,
    "closeness": closeness,
    "betweenness": betweenness,
    "eigenvector": eigenvector,
    "community": community,
    "propagation": propagation,
    "probe": probe,
}
DEFAULT = (
    "connectivity", "degree", "distance", "resistance", "clustering", "pagerank", "propagation",
)  # fmt: skip
MONOTONE = ("connectivity", "distance", "resistance")  # cannot fall when edges are added
_MOST_RESISTANCE = 10**6  # nodes up to which resistances are a default


@dataclasses.dataclass(frozen=True)
class FigureRow:
    """One figure of a report.

    Attributes
    ----------
    name : str
        Which figure.
    value : float or None
        In [0, 1], 1 as good as the full graph; None if it could not be computed.
    error : float
        Standard error of sampling, 0 for an exact figure.
    samples : int
        Sources, pairs, vectors or nodes; 0 where nothing was sampled.
    seconds : float
        Wall time.
    raw : dict
        The numbers behind it.
    failure : str
        Why there is no value; empty otherwise.
    version : int
        Of the definition.
    """

    name: str
    value: float | None
    error: float
    samples: int
    seconds: float
    raw: dict[str, Any]
    failure: str = ""
    version: int = VERSION
    parts: Array | None = dataclasses.field(default=None, repr=False, compare=False)


@dataclasses.dataclass(frozen=True)
class QualityReport:
    """What a sparse graph kept.

    Attributes
    ----------
    num_nodes : int
    num_edges : tuple of int
        Of the full and of the sparse graph, without parallel edges and self-loops.
    directed : bool
        Then resistance, quadratic, spectral, clustering, eigenvector, community, propagation and
        probe are those of the symmetrised graphs.
    rows : tuple of FigureRow
    samples, seed : int
        What the sampled figures depend on.
    """

    num_nodes: int
    num_edges: tuple[int, int]
    directed: bool
    rows: tuple[FigureRow, ...]
    samples: int
    seed: int

    def __getitem__(self, name: str) -> FigureRow:
        """Return the row of a figure."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"the report has no figure {name!r}; it has {[r.name for r in self.rows]}")

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a dict that JSON can hold."""
        rows = [
            {k.name: getattr(r, k.name) for k in dataclasses.fields(r) if k.name != "parts"}
            for r in self.rows
        ]
        facts = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        found: dict[str, Any] = json.loads(json.dumps({**facts, "rows": rows}, default=_plain))
        return found

    def to_text(self) -> str:
        """Return the report as a table for a terminal."""
        full, sparse = self.num_edges
        share = f" ({sparse / full:.1%})" if full else ""
        lines = [f"{self.num_nodes:,} nodes, {sparse:,} of {full:,} edges{share}"]
        for row in self.rows:
            if row.value is None:
                lines.append(f"{row.name:13} failed: {row.failure}")
                continue
            spread = f" ± {row.error:.3f}" if row.error else "        "
            raw = ", ".join(f"{k} {_short(v)}" for k, v in row.raw.items())
            lines.append(f"{row.name:13} {row.value:.3f}{spread}  {row.seconds:6.2f} s  {raw}")
        return "\n".join(lines)


def quality_report(
    graph: Any,
    sparse: Any,
    figures: str | Sequence[str] = "default",
    *,
    samples: int = 64,
    seed: int = 0,
    features: Any = None,
    labels: Any = None,
    masks: tuple[Any, Any, Any] | None = None,
    test_on: str = "sparse",
    max_seconds: float | None = None,
    directed: bool | None = None,
) -> QualityReport:
    """Measure what a sparse graph kept of the full one.

    Parameters
    ----------
    graph, sparse : Graph, PyG Data, edge_index, SciPy matrix, networkx graph, ...
        Full and sparse graph over the same ``n`` nodes; the sparse one need not be a part of the
        full one.
    figures : "default", "all" or sequence of str
        Names in ``FIGURES``.
    samples : int
        Sources of distances; from ``n`` on distances are exact.
    seed : int
        Samples depend on it and on ``n`` alone, so reports of many sparse graphs are comparable.
    features, labels : array, optional
        Shapes (n, f) and (n,): for the linear probe.
    masks : tuple of three arrays, optional
        Training, validation and test nodes as masks or ids.
    test_on : {"sparse", "full"}
        Graph whose neighbours the probe sees at test nodes; it is fitted on the sparse graph.
    max_seconds : float, optional
        Wall time from which a figure is given up and says so.
    directed : bool, optional
        Take both graphs as directed or not; found out from the arcs when left out.

    Returns
    -------
    QualityReport

    Raises
    ------
    ValueError
        If the node counts differ, a figure is unknown, or the probe lacks its data.

    Notes
    -----
    A figure that fails reports why in its row.  Costs: distance and closeness are ``samples``
    breadth-first searches on each graph, clustering O(m^1.5), resistance and spectral a sparse
    factor, all else some products with the adjacency.

    Examples
    --------
    >>> from graphsparse import Graph
    >>> ring = Graph.from_edges([(0, 1), (1, 2), (2, 3), (3, 0)])
    >>> half = Graph.from_edges([(0, 1), (1, 2), (2, 3)])
    >>> report = quality_report(ring, half)
    >>> report["connectivity"].value, round(report["distance"].value, 3)
    (1.0, 0.889)
    """
    full = as_border(graph, directed=directed).graph.to("cpu")
    part = as_border(sparse, directed=full.directed).graph.to("cpu")
    if full.num_nodes != part.num_nodes:
        raise ValueError(
            f"sparse must have the {full.num_nodes} nodes of graph, got {part.num_nodes}"
        )
    check_count("samples", samples, low=1)
    task = make_task(full.num_nodes, features, labels, masks, test_on)
    check_limit(max_seconds)
    names = figure_names(figures, full.num_nodes, task is not None)
    pair = Pair(full, part, samples, check_seed(seed), task)
    rows = tuple(measure(name, pair, max_seconds) for name in names)
    sizes = (pair.g.num_edges, pair.h.num_edges)
    return QualityReport(full.num_nodes, sizes, full.directed, rows, samples, seed)


def measure(name: str, pair: Pair, max_seconds: float | None = None) -> FigureRow:
    """Return one row; an error of the figure becomes its ``failure``."""
    start = time.perf_counter()
    try:
        with time_limit(max_seconds):
            found = FIGURES[name](pair)
    except (ValueError, ArithmeticError, RuntimeError, MemoryError, TimeoutError) as error:
        seconds = time.perf_counter() - start
        return FigureRow(name, None, 0.0, 0, seconds, {}, f"{type(error).__name__}: {error}")
    seconds = time.perf_counter() - start
    value = min(1.0, max(0.0, found.value))  # rounding may lead outside
    return FigureRow(name, value, found.error, found.samples, seconds, found.raw, parts=found.parts)


def figure_names(figures: str | Sequence[str], num_nodes: int, with_task: bool) -> list[str]:
    """Return the figures that are asked for, checked."""
    if isinstance(figures, str):
        check_choice("figures", figures, ("default", "all"))
        chosen = list(FIGURES) if figures == "all" else list(DEFAULT)
        if not with_task:
            chosen = [name for name in chosen if name != "probe"]
        elif figures == "default":
            chosen.append("probe")
        if figures == "default" and num_nodes > _MOST_RESISTANCE:
            chosen.remove("resistance")
        return chosen
    for name in figures:
        check_choice("figures", name, FIGURES)
    if "probe" in figures and not with_task:
        raise ValueError("the figure probe needs features, labels and masks")
    return list(figures)


def make_task(
    n: int, features: Any, labels: Any, masks: Any, test_on: str = "sparse"
) -> Task | None:
    """Return what the probe needs, checked; None if nothing was given."""
    check_choice("test_on", test_on, ("sparse", "full"))
    given = [part is not None for part in (features, labels, masks)]
    if not any(given):
        return None
    if not all(given):
        raise ValueError("give features, labels and masks together, or none of them")
    x, y = np.asarray(features), np.asarray(labels)
    if x.ndim != 2 or len(x) != n or y.shape != (n,):
        raise ValueError(
            f"features must have shape ({n}, f) and labels ({n},), got {x.shape} and {y.shape}"
        )
    if len(masks) != 3:
        raise ValueError(f"masks must be three, for training, validation, test, got {len(masks)}")
    train, val, test = masks
    return Task(x, y, _ids(train, n), _ids(val, n), _ids(test, n), test_on)


def _ids(mask: Any, n: int) -> Array:
    array = np.asarray(mask)
    if array.dtype == np.bool_:
        if array.shape != (n,):
            raise ValueError(f"masks must have shape ({n},), got {array.shape}")
        return np.flatnonzero(array)
    return array.astype(np.int64)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"cannot write {type(value).__name__}")


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "/".join(_short(v) for v in value)
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.3g}"
    return str(value)
