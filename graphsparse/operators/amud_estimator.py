"""AMUD in the shape of an estimator: ``fit``, ``transform``, attributes with an underscore."""

from __future__ import annotations

import inspect
from typing import Any

from graphsparse.convert import as_border
from graphsparse.convert.undirected import to_undirected
from graphsparse.operators.amud import amud
from graphsparse.operators.amud_result import AmudResult

_OPTIONS = {
    name: parameter.default
    for name, parameter in inspect.signature(amud).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY and name not in ("features", "mask")
}


class AmudEstimator:
    """Fit once on a graph and its training labels, then apply the decision to graphs.

    Parameters
    ----------
    **options
        Those of :func:`graphsparse.amud`: ``score``, ``weighting``, ``profile``, ``threshold``,
        ``z_min``, ``min_pairs``, ``min_effect``, ``n_boot``, ``max_wedges``, ``seed``.

    Attributes
    ----------
    result_ : AmudResult
        After :meth:`fit`.  Each of its fields is an attribute of its own, with an underscore:
        ``decision_``, ``score_``, ``patterns_``, ...

    Examples
    --------
    >>> from graphsparse import Graph
    >>> cycle = Graph.from_edges([(0, 1), (1, 2), (2, 0), (0, 3), (3, 1)], directed=True)
    >>> AmudEstimator(min_pairs=1).fit(cycle, [0, 1, 0, 1]).decision_
    'undirected'
    """

    def __init__(self, **options: Any) -> None:
        unknown = sorted(options.keys() - _OPTIONS.keys())
        if unknown:
            raise TypeError(f"options must be among {', '.join(_OPTIONS)}, got {unknown}")
        self.parameters: dict[str, Any] = {**_OPTIONS, **options}

    def fit(self, graph: Any, y: Any = None, x: Any = None, mask: Any = None) -> AmudEstimator:
        """Decide; arguments as ``graph``, ``labels``, ``features``, ``mask`` of ``amud``."""
        self.result_: AmudResult = amud(graph, y, features=x, mask=mask, **self.parameters)
        return self

    def transform(self, graph: Any) -> Any:
        """Return the graph as it is, or symmetrised where the decision is ``"undirected"``."""
        if self.decision_ == "directed":
            return graph
        border = as_border(graph)
        return to_undirected(graph, border.graph) if border.graph.directed else graph

    def report(self) -> str:
        """Return the finding as text."""
        return self.result_.report()

    def __getattr__(self, name: str) -> Any:
        if name.endswith("_") and not name.startswith("_") and name != "result_":
            if "result_" not in self.__dict__:
                raise AttributeError(f"{name} is there after fit(...) only")
            return getattr(self.result_, name[:-1])
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        changed = (
            f"{key}={value!r}" for key, value in self.parameters.items() if value != _OPTIONS[key]
        )
        return f"{type(self).__name__}({', '.join(changed)})"
