"""Run a sparsifier on a graph of any kind and keep the numbers: ``sparsify`` and its result."""

from __future__ import annotations

import dataclasses
import importlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphsparse.checks import check_choice
from graphsparse.convert import Border, as_border, hetero_borders, is_hetero, restore_hetero
from graphsparse.convert.scaling import scale_weights
from graphsparse.device import array_module
from graphsparse.graph import Graph
from graphsparse.operators.method import Array, Choice, Sparsifier
from graphsparse.selection import Candidates

# Name on the command line and in `sparsify` -> (module, class) of its options.
METHODS = {
    "baswana_sen": ("graphsparse.operators.baswana_sen", "BaswanaSenMethod"),
    "degree_resistance": ("graphsparse.operators.degree_resistance", "DegreeResistanceMethod"),
    "disparity": ("graphsparse.operators.disparity", "DisparityMethod"),
    "er": ("graphsparse.operators.resistance_sampling", "ResistanceMethod"),
    "forest_fire": ("graphsparse.operators.forest_fire", "ForestFireMethod"),
    "grass": ("graphsparse.operators.grass", "GrassMethod"),
    "heaviest": ("graphsparse.operators.heaviest", "HeaviestMethod"),
    "jaccard": ("graphsparse.operators.jaccard", "JaccardMethod"),
    "k_neighbors": ("graphsparse.operators.k_neighbors", "KNeighborsMethod"),
    "local_degree": ("graphsparse.operators.local_degree", "LocalDegreeMethod"),
    "local_similarity": ("graphsparse.operators.jaccard", "LocalSimilarityMethod"),
    "noise_corrected": ("graphsparse.operators.noise_corrected", "NoiseCorrectedMethod"),
    "random": ("graphsparse.operators.random_edges", "RandomEdgesMethod"),
    "random_node_edges": ("graphsparse.operators.random_nodes", "RandomNodeEdgesMethod"),
    "random_nodes": ("graphsparse.operators.random_nodes", "RandomNodesMethod"),
    "rank_degree": ("graphsparse.operators.rank_degree", "RankDegreeMethod"),
    "scan": ("graphsparse.operators.scan", "ScanMethod"),
    "simmelian": ("graphsparse.operators.simmelian", "SimmelianMethod"),
    "spanner": ("graphsparse.operators.spanner", "SpannerMethod"),
    "spanning_forests": ("graphsparse.operators.spanning_forests", "SpanningForestsMethod"),
    "teddy": ("graphsparse.operators.teddy", "TeddyMethod"),
}


@dataclasses.dataclass(frozen=True)
class SparsifyResult:
    """A sparse graph and the numbers of how it was made.

    Attributes
    ----------
    graph : same type as the input
        The kept edges; nodes and ids are unchanged.
    method : str
        Name of the sparsifier.
    parameters : dict
        Every option of the method, defaults included.
    num_nodes : int
        Nodes of the graph.
    num_candidates : int
        Edges that could be removed: parallel edges count once, self-loops not at all.
    num_kept : int
        Candidates that were kept: exactly the budget.
    num_self_loops : int
        Self-loops, which are always kept.
    directed : bool
        Whether the graph was taken as directed.
    seconds : dict of str to float
        Wall time of ``convert``, ``score``, ``select`` and ``build``.
    details : dict
        What the method adds.
    """

    graph: Any
    method: str
    parameters: dict[str, Any]
    num_nodes: int
    num_candidates: int
    num_kept: int
    num_self_loops: int
    directed: bool
    seconds: dict[str, float]
    details: dict[str, Any]

    @property
    def keep(self) -> float:
        """Fraction of the candidates that was kept; 1 where there are none."""
        return self.num_kept / self.num_candidates if self.num_candidates else 1.0


def make_method(name: str, options: Mapping[str, Any]) -> Sparsifier:
    """Return the options of a method, checked.

    Parameters
    ----------
    name : str
        One of ``METHODS``.
    options : mapping of str to object
        Options by name; what is not given has the method's default.
    """
    check_choice("method", name, METHODS)
    module, kind = METHODS[name]
    cls = getattr(importlib.import_module(module), kind)
    known = [field.name for field in dataclasses.fields(cls)]
    for option in options:
        if option not in known:
            raise TypeError(f"method {name!r} has no option {option!r}; it has {', '.join(known)}")
    method: Sparsifier = cls(**options)
    return method


def trim(
    graph: Any,
    keep: float | None,
    num_edges: int | None,
    method: Sparsifier,
    *,
    directed: bool | None = None,
) -> SparsifyResult:
    """Score, select, rebuild: the road of every sparsifier.  Parameters as in :func:`sparsify`."""
    method.check_input(graph)
    if is_hetero(graph):
        return _trim_hetero(graph, keep, num_edges, method, directed)
    clock = _Clock()
    border = as_border(graph, directed=directed)
    choice, result = _choose(border, keep, num_edges, method, clock)
    kept = border.restore(choice.mask)
    if choice.factors is not None:
        kept = scale_weights(kept, choice.factors[choice.mask])
    clock.lap("build")
    return dataclasses.replace(result, graph=kept)


def _choose(
    border: Border, keep: float | None, num_edges: int | None, method: Sparsifier, clock: _Clock
) -> tuple[Choice, SparsifyResult]:
    """Return the choice among the border's edges, and a result that still lacks its graph."""
    chosen = method.candidates(border.graph)
    pool = chosen.graph
    budget = method.budget(pool, keep, num_edges)
    clock.lap("convert")
    clock.seconds.setdefault("score", 0.0)
    choice = Choice(array_module(pool.indptr).ones(pool.num_edges, np.bool_))
    if budget is None or budget < pool.num_edges:
        choice = method.choose(border.graph, pool, budget, clock.lap)
    clock.lap("select")
    whole = Choice(chosen.expand(choice.mask), {}, _expand(chosen, choice.factors))
    return whole, describe(border, pool, method, choice, clock.seconds)


def describe(
    border: Border, pool: Graph, method: Sparsifier, choice: Choice, seconds: dict[str, float]
) -> SparsifyResult:
    """Return the result of a choice among the edges of ``pool``; it still lacks its graph."""
    return SparsifyResult(
        graph=None,
        method=method.name,
        parameters=dataclasses.asdict(method),
        num_nodes=pool.num_nodes,
        num_candidates=pool.num_edges,
        num_kept=int(choice.mask.sum()),
        num_self_loops=border.graph.num_self_loops,
        directed=border.graph.directed,
        seconds=seconds,
        details=choice.details,
    )


def _expand(chosen: Candidates, factors: Array | None) -> Array | None:
    """Return the factors over the edges of the border; self-loops keep their weight."""
    if factors is None or chosen.candidate_of_edge is None:
        return factors
    return np.append(factors, 1.0)[chosen.candidate_of_edge]


def _trim_hetero(
    data: Any, keep: float | None, num_edges: int | None, method: Sparsifier, directed: bool | None
) -> SparsifyResult:
    """Each edge type by itself; the result adds up, its details hold the parts."""
    if num_edges is not None:
        raise ValueError(
            f"a HeteroData needs keep, which holds for each edge type; got {num_edges=}"
        )
    clock = _Clock()
    borders = hetero_borders(data, directed=directed)
    masks, parts = {}, {}
    for kind, border in borders.items():
        choice, parts[kind] = _choose(border, keep, None, method, clock)
        masks[kind] = choice.mask
    whole = restore_hetero(data, borders, masks)
    clock.lap("build")
    return SparsifyResult(
        graph=whole,
        method=method.name,
        parameters=dataclasses.asdict(method),
        num_nodes=int(data.num_nodes),
        num_candidates=sum(part.num_candidates for part in parts.values()),
        num_kept=sum(part.num_kept for part in parts.values()),
        num_self_loops=sum(part.num_self_loops for part in parts.values()),
        directed=any(part.directed for part in parts.values()),
        seconds=clock.seconds,
        details={
            "edge_types": {
                "__".join(kind): {
                    "num_candidates": part.num_candidates,
                    "num_kept": part.num_kept,
                    **part.details,
                }
                for kind, part in parts.items()
            }
        },
    )


class _Clock:
    """Wall time of consecutive phases."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now
