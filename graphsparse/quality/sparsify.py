"""``sparsify`` as users call it: by method or by goal, to a budget or to a figure."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from graphsparse.operators.method import Method, Sparsifier
from graphsparse.operators.sparsify import SparsifyResult, make_method, trim
from graphsparse.quality.auto_keep import AutoKeep, check_search, nested_method, search_budget
from graphsparse.quality.goals import recommend

AUTO = "auto"


def sparsify(
    graph: Any,
    method: str | None = None,
    keep: float | str | None = None,
    *,
    goal: str | None = None,
    num_edges: int | None = None,
    target: float | None = None,
    figure: str | tuple[str, ...] | None = None,
    samples: int | None = None,
    confident: bool | None = None,
    directed: bool | None = None,
    **options: Any,
) -> SparsifyResult:
    """Sparsify a graph of any supported kind and report what was done.

    Parameters
    ----------
    graph : Graph, PyG Data, edge_index, SciPy matrix, networkx graph, ...
        ``m`` edges; left untouched.
    method : str, optional
        One of ``graphsparse.operators.sparsify.METHODS``; "teddy", or the one that the goal
        recommends, when left out.
    keep : float or "auto", optional
        Fraction of the edges to keep, in (0, 1]; exactly ``m - floor((1 - keep) * m + 1e-6)``
        edges stay.  ``"auto"``: the smallest budget whose figure reaches the target.
    goal : {"distances", "spectral", "communities", "gnn"}, optional
        Instead of a method: see :func:`~graphsparse.quality.recommend`.  Without a budget it
        means ``keep="auto"``.
    num_edges : int, optional
        Edges to keep, instead of ``keep``.
    target : float, optional
        With ``keep="auto"``: what the figure has to reach, in (0, 1]; 0.9, or that of the goal.
    figure : str or tuple of str, optional
        With ``keep="auto"``: figure of :func:`~graphsparse.quality.quality_report`, of several the
        least; "distance", or that of the goal.
    samples : int, optional
        With ``keep="auto"``: sources of distances; 64.
    confident : bool, optional
        With ``keep="auto"``: demand that the figure less 1.645 standard errors reaches the target.
    directed : bool, optional
        Take the graph as directed or not; detected from its arcs when left out.
    **options
        Options of the method, as in the function of its name.

    Returns
    -------
    SparsifyResult
        The graph, of the type given, and the numbers.  With ``keep="auto"`` the search is
        ``details["auto"]``: target, figure, value, error, value with fresh samples, evaluations.

    Raises
    ------
    ValueError
        For a budget or an option out of range; for ``keep="auto"`` with a method without nested
        masks ("er", "grass"), or with options that decide the budget themselves.

    Examples
    --------
    >>> from graphsparse import Graph
    >>> square = Graph.from_edges([(0, 1), (1, 2), (2, 3), (3, 0)])
    >>> result = sparsify(square, "random", keep=0.5, seed=7)
    >>> result.num_candidates, result.num_kept, result.graph.num_edges
    (4, 2, 2)
    >>> ring = Graph.from_edges([(v, (v + 1) % 8) for v in range(8)])
    >>> sparsify(ring, "spanner", keep="auto", figure="connectivity", target=1.0).num_kept
    7
    """
    search = {"target": target, "figures": figure, "samples": samples, "confident": confident}
    return plan(method, keep, num_edges, goal, search, options).run(graph, directed)


@dataclasses.dataclass(frozen=True)
class Plan:
    """A method with its budget, or with the figure that decides the budget.

    Attributes
    ----------
    method : Sparsifier
    keep, num_edges
        The budget; both None where the method's own parameter or ``search`` decides.
    search : dict, optional
        Arguments of :func:`~graphsparse.quality.auto_keep.search_budget`.
    """

    method: Sparsifier
    keep: float | None
    num_edges: int | None
    search: dict[str, Any] | None = None

    def run(self, graph: Any, directed: bool | None = None) -> SparsifyResult:
        """Return the sparse graph and the numbers."""
        if self.search is None:
            return trim(graph, self.keep, self.num_edges, self.method, directed=directed)
        assert isinstance(self.method, Method)  # as plan() made sure
        return told(search_budget(graph, self.method, directed=directed, **self.search))


def plan(
    method: str | None,
    keep: float | str | None,
    num_edges: int | None,
    goal: str | None,
    search: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Plan:
    """Return what to do, checked without a graph; ``search`` may hold None for what is not given.

    Raises
    ------
    ValueError, TypeError
        As in :func:`sparsify`.
    """
    given = {name: value for name, value in search.items() if value is not None}
    if goal is not None:
        if method is not None:
            raise ValueError(f"give a method or a goal, got both: {method=}, {goal=}")
        keep = AUTO if keep is None and num_edges is None else keep
        advice = recommend(goal)
        method = advice.method
        options = {**advice.options, **options}
        if keep == AUTO:
            given = {"target": advice.target, "figures": advice.figure, **given}
    name = "teddy" if method is None else method
    if keep == AUTO:
        if num_edges is not None:
            raise ValueError(f"keep='auto' finds the budget, got {num_edges=} beside it")
        check_search(given.get("target", 1.0), given.get("figures", "distance"))
        return Plan(nested_method(name, options), None, None, given)
    if given:
        raise ValueError(f"{', '.join(given)} can only be given with keep='auto', got {keep=}")
    made = make_method(name, options)
    made.check_budget(keep, num_edges)  # type: ignore[arg-type]  # which refuses text
    return Plan(made, keep, num_edges)  # type: ignore[arg-type]


def told(found: AutoKeep) -> SparsifyResult:
    """Return the result of a search; its details tell how the budget was found."""
    search = {
        "target": found.target,
        "figures": list(found.figures),
        "value": found.value,
        "error": found.error,
        "fresh_samples": found.check,
        "evaluations": [list(pair) for pair in found.evaluations],
        "monotone": found.monotone,
    }
    details = {**found.result.details, "auto": search}
    return dataclasses.replace(found.result, details=details)


def takes_auto(operator: Callable[..., Any], method: str) -> Callable[..., Any]:
    """Return an operator that also takes ``keep="auto"``, with ``target`` and ``figure``.

    Parameters
    ----------
    operator : callable
        ``f(graph, keep, ...) -> graph``, the function of a method.
    method : str
        Name of the method.

    Examples
    --------
    >>> from graphsparse import Graph
    >>> from graphsparse.operators.spanner import spanner
    >>> ring = Graph.from_edges([(v, (v + 1) % 8) for v in range(8)])
    >>> takes_auto(spanner, "spanner")(ring, "auto", figure="connectivity", target=1.0).num_edges
    7
    """
    own = inspect.signature(operator)
    extra = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
        for name in ("target", "figure")
    ]
    signature = own.replace(parameters=[*own.parameters.values(), *extra])

    @functools.wraps(operator)
    def either(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        graph = given.pop(next(iter(own.parameters)))
        target, figure = given.pop("target", None), given.pop("figure", None)
        if given.get("keep") == AUTO:
            search = {"target": target, "figures": figure}
            keep, num_edges = given.pop("keep"), given.pop("num_edges", None)
            return plan(method, keep, num_edges, None, search, given).run(graph).graph
        if target is not None or figure is not None:
            raise ValueError(
                f"target and figure only go with keep='auto', got keep={given.get('keep')!r}"
            )
        return operator(graph, **given)

    either.__signature__ = signature  # type: ignore[attr-defined]
    return either
