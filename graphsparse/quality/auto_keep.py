"""keep="auto": the smallest budget that reaches a figure."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphsparse.checks import check_choice, check_fraction
from graphsparse.convert import Border, as_border, is_hetero
from graphsparse.device import array_module
from graphsparse.graph import Graph
from graphsparse.linalg.components import component_labels
from graphsparse.operators.method import Array, Choice, Method
from graphsparse.operators.scored import ScoreMethod
from graphsparse.operators.sparsify import METHODS, SparsifyResult, describe, make_method
from graphsparse.quality.pair import Pair
from graphsparse.quality.report import DEFAULT, FIGURES, MONOTONE, measure
from graphsparse.selection import select

_STEP = 0.05  # of the first pass over figures that are not monotone


@dataclasses.dataclass(frozen=True)
class AutoKeep:
    """The budget that was found.

    Attributes
    ----------
    result : SparsifyResult
        The sparse graph with that budget, of the type given.
    target : float
        What the figure had to reach.
    figures : tuple of str
        The figures whose least counts.
    num_edges : int
        Edges kept, of the candidates.
    value, error : float
        The figure (the least of several) there, and its standard error.
    check : float
        The figure with fresh samples (seed + 1).
    evaluations : tuple of (int, float)
        Every budget that was tried and its figure, in order.
    monotone : bool
        Whether the search is exact for its samples; else larger budgets above may fail.
    """

    result: SparsifyResult
    target: float
    figures: tuple[str, ...]
    num_edges: int
    value: float
    error: float
    check: float
    evaluations: tuple[tuple[int, float], ...]
    monotone: bool


def auto_keep(
    graph: Any,
    method: str = "local_degree",
    *,
    target: float = 0.9,
    figures: str | tuple[str, ...] = "distance",
    samples: int = 64,
    confident: bool = False,
    directed: bool | None = None,
    seed: int = 0,
    **options: Any,
) -> AutoKeep:
    """Sparsify to the smallest budget whose figure reaches a target.

    Parameters
    ----------
    graph : Graph, PyG Data, edge_index, SciPy matrix, networkx graph, ...
        ``m`` edges.
    method : str
        A method with nested masks: all but "er" and "grass".
    target : float
        What the figure has to reach, in (0, 1].
    figures : str or tuple of str
        Name of a figure of :func:`quality_report`; of several the least counts.
    samples, seed
        As in :func:`quality_report`; the seed is that of the method too.
    confident : bool
        Demand that the figure less 1.645 standard errors reaches the target.
    directed : bool, optional
        Take the graph as directed or not.
    **options
        Options of the method.

    Returns
    -------
    AutoKeep

    Raises
    ------
    ValueError
        If the method has no nested masks, a figure is unknown or cannot be computed.

    Notes
    -----
    Edges are scored once; each of about ``log2(m)`` evaluations measures the figure once.  Figures
    that cannot fall when edges are added ("connectivity", "distance", "resistance") are bisected;
    others are followed down in steps of 5 % to the first failure.

    Examples
    --------
    >>> ring = Graph.from_edges([(v, (v + 1) % 8) for v in range(8)])
    >>> auto_keep(ring, "spanner", figures="connectivity", target=1.0).num_edges
    7
    """
    made = nested_method(method, {**options, "seed": seed})
    return search_budget(
        graph, made, target=target, figures=figures, samples=samples, confident=confident,
        directed=directed,
    )  # fmt: skip


def search_budget(
    graph: Any,
    made: Method,
    *,
    target: float = 0.9,
    figures: str | tuple[str, ...] = "distance",
    samples: int = 64,
    confident: bool = False,
    directed: bool | None = None,
) -> AutoKeep:
    """Return the smallest budget of a method; parameters as in :func:`auto_keep`."""
    names = check_search(target, figures)
    if is_hetero(graph):
        raise ValueError("keep='auto' takes one graph, got HeteroData; give it one of its types")
    border = as_border(graph, directed=directed)
    whole = border.graph.to("cpu")
    chosen = made.candidates(whole)
    pool = chosen.graph
    start = time.perf_counter()
    keys = made.keys(whole, pool)
    seconds = {"score": time.perf_counter() - start}

    def mask_of(count: int) -> Array:
        return select(
            pool, keys, count, tie_break=made.tie_break, seed=made.seed, connected=made.connected
        )

    search = _Search(pool, mask_of, names, samples, made.seed, 1.645 if confident else 0.0)
    low = _forest_size(pool) - 1 if made.connected else 0
    monotone = all(name in MONOTONE for name in names)
    found = search.bisect(low, pool.num_edges, target) if monotone else search.descend(low, target)
    value, error = search.at(found)
    fresh = _Search(pool, mask_of, names, samples, made.seed + 1, 0.0).at(found)[0]
    mask = mask_of(found)
    seconds["select"] = time.perf_counter() - start - seconds["score"]
    choice = Choice(mask, made.details(pool, keys, mask))
    result = describe(border, pool, made, choice, seconds)
    result = dataclasses.replace(result, graph=_restore(border, chosen.expand(mask)))
    tried = tuple(search.tried)
    return AutoKeep(result, target, names, found, value, error, fresh, tried, monotone)


def nested_method(name: str, options: Mapping[str, Any]) -> Method:
    """Return a method whose larger budgets keep all that smaller ones do, checked."""
    made = make_method(name, options)
    if not isinstance(made, Method):
        others = ", ".join(sorted(set(METHODS) - {"er", "grass"}))
        raise ValueError(
            f"keep='auto' needs a method with nested masks, got {name!r}; such are {others}"
        )
    if isinstance(made, ScoreMethod):
        made.by_rule("auto", None)  # refuses an own parameter beside a budget
    return made


def check_search(target: float, figures: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the figures, checked like the target."""
    check_fraction("target", target)
    names = (figures,) if isinstance(figures, str) else tuple(figures)
    if not names:
        raise ValueError(f"figures must name one of {', '.join(DEFAULT)}, ..., got none")
    for name in names:
        check_choice("figures", name, FIGURES)
        if name == "probe":
            raise ValueError("figures must do without labels with keep='auto', got 'probe'")
    return names


def _restore(border: Border, mask: Array) -> Any:
    return border.restore(array_module(border.graph.indptr).asarray(mask))


class _Search:
    """Figures of budgets; what was measured is remembered."""

    def __init__(
        self,
        pool: Graph,
        mask_of: Callable[[int], Array],
        names: tuple[str, ...],
        samples: int,
        seed: int,
        margin: float,
    ) -> None:
        self._pool, self._mask_of, self._names = pool, mask_of, names
        self._samples, self._seed, self._margin = samples, seed, margin
        self._known: dict[int, tuple[float, float]] = {}
        self.tried: list[tuple[int, float]] = []

    def at(self, count: int) -> tuple[float, float]:
        """Return the least figure of a budget, and its error."""
        if count not in self._known:
            sparse = self._pool.edge_subgraph(self._mask_of(count))
            pair = Pair(self._pool, sparse, self._samples, self._seed)
            rows = [measure(name, pair) for name in self._names]
            for row in rows:
                if row.value is None:
                    raise ValueError(f"the figure {row.name} cannot be computed: {row.failure}")
            least = min(rows, key=lambda row: row.value or 0.0)
            self._known[count] = (least.value or 0.0, least.error)
            self.tried.append((count, least.value or 0.0))
        return self._known[count]

    def reaches(self, count: int, target: float) -> bool:
        """Tell whether a budget is enough."""
        value, error = self.at(count)
        return value - self._margin * error >= target

    def bisect(self, low: int, high: int, target: float) -> int:
        """Return the least budget in (low, high] that is enough, within the tolerance."""
        m = self._pool.num_edges
        tolerance = 1 if m <= 10**4 else math.ceil(0.002 * m)
        while high - low > tolerance:
            middle = (low + high) // 2
            if self.reaches(middle, target):
                high = middle
            else:
                low = middle
        return high

    def descend(self, low: int, target: float) -> int:
        """Return the end of the first run of budgets, from above, that are enough."""
        m = self._pool.num_edges
        last = m
        for share in np.arange(1.0 - _STEP, 0.0, -_STEP):
            count = max(low + 1, round(share * m))
            if not self.reaches(count, target):
                return self.bisect(count, last, target)
            last = count
        return self.bisect(low, last, target)


def _forest_size(pool: Graph) -> int:
    return pool.num_nodes - component_labels(pool)[0]
