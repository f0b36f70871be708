"""Tree sparsifier: a low-stretch spanning tree and the most critical other edges."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np

from graphsparse.checks import check_choice, check_count, edge_budget
from graphsparse.graph import Graph
from graphsparse.linalg.components import component_labels
from graphsparse.linalg.conductance import check_undirected, conductances
from graphsparse.linalg.refine import critical_edges
from graphsparse.linalg.tree import TREES, SpanningTree, TreeKind, recover_edges, spanning_tree
from graphsparse.operators.method import Array, Choice, Sparsifier
from graphsparse.operators.sparsify import trim
from graphsparse.selection import Candidates

T = TypeVar("T")
_HELD_BACK = 0.1  # of the off-tree edges: chosen by refinement


@dataclasses.dataclass(frozen=True, kw_only=True)
class GrassMethod(Sparsifier):
    """Options of :func:`grass`."""

    name: ClassVar[str] = "grass"
    alpha: float | None = None
    tree: TreeKind = "auto"
    radius: int = 2
    refine: int = 0
    connected: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("tree", self.tree, TREES)
        check_count("radius", self.radius, high=2**31 - 1)
        check_count("refine", self.refine)
        if self.alpha is not None:
            _check_alpha(self.alpha)

    def check_budget(self, keep: float | None, num_edges: int | None) -> None:
        """Exactly one of ``keep``, ``num_edges`` and ``alpha`` is given."""
        if self.alpha is None:
            if keep is None and num_edges is None:
                raise ValueError(
                    "give exactly one of keep and num_edges, or alpha, got none of them"
                )
            super().check_budget(keep, num_edges)
        elif keep is not None or num_edges is not None:
            raise ValueError(
                "give exactly one of keep, num_edges and alpha, "
                f"got keep={keep}, num_edges={num_edges}, alpha={self.alpha}"
            )

    def candidates(self, graph: Graph) -> Candidates:
        """Return the pairs of an undirected graph."""
        check_undirected(graph, "graph")
        return super().candidates(graph)

    def budget(self, pool: Graph, keep: float | None, num_edges: int | None) -> int:
        """Return the edges to keep: with ``alpha``, those of a tree and ``alpha n`` more."""
        self.check_budget(keep, num_edges)
        if self.alpha is None:
            return edge_budget(keep, num_edges, pool.num_edges)
        forest = pool.num_nodes - component_labels(pool)[0]
        return min(pool.num_edges, forest + math.floor(self.alpha * pool.num_nodes + 1e-6))

    def choose(self, graph: Graph, pool: Graph, count: int, lap: Callable[[str], None]) -> Choice:
        """Return the tree and the recovered edges."""
        g = conductances(pool)
        tree = spanning_tree(g, kind=self.tree, seed=self.seed)
        forest = len(tree.edges)
        lap("score")
        if count < forest and self.connected:
            raise ValueError(
                f"connected=True needs at least the {forest} edges of a spanning forest, "
                f"but the budget is {count} edges"
            )
        mask = np.zeros(g.num_edges, bool)
        mask[tree.edges[:count]] = True
        extra = max(count - forest, 0)
        mask[self._off_tree(g, tree, extra)] = True
        return Choice(
            mask,
            {
                "tree": tree.kind,
                "total_stretch": tree.total_stretch,
                "tree_edges": min(forest, count),
                "off_tree_edges": extra,
                "alpha": extra / g.num_nodes,
            },
        )

    def _off_tree(self, g: Graph, tree: SpanningTree, budget: int) -> Array:
        alpha = self.alpha if self.alpha else budget / g.num_nodes
        settings: dict[str, Any] = {"alpha": alpha, "radius": self.radius, "seed": self.seed}
        if budget == 0 or self.refine == 0:
            return recover_edges(g, tree, budget, **settings)
        held = min(budget, max(self.refine, math.floor(_HELD_BACK * budget)))
        chosen = recover_edges(g, tree, budget - held, **settings)
        for left in range(self.refine, 0, -1):
            part = np.concatenate((tree.edges, chosen))
            share = (budget - len(chosen)) // left
            chosen = np.concatenate((chosen, critical_edges(g, part, share, **settings)))
        return chosen


def grass(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    alpha: float | None = None,
    tree: TreeKind = "auto",
    radius: int = 2,
    refine: int = 0,
    connected: bool = True,
    seed: int = 0,
) -> T:
    """Keep a spanning tree and the off-tree edges that its resistances make most critical.

    The result stays close to the graph in the spectral sense: ``condition_number(graph, result)``
    is about 100 for a mesh at 1.1 edges per node.  Weights do not change.

    Parameters
    ----------
    graph : Graph, PyG Data, edge_index, SciPy matrix, networkx graph, ...
        Undirected; weights are conductances, positive.  ``n`` nodes, ``m`` edges, ``c``
        components.  Parallel edges count once with their summed weight and share their fate;
        self-loops have no part in it and are always kept.
    keep : float
        Fraction of the edges kept, in (0, 1]: exactly ``m - floor((1 - keep) * m + 1e-6)``.
    num_edges : int
        Edges kept, instead of ``keep``.
    alpha : float
        Off-tree edges per node, instead of ``keep``: ``n - c`` tree edges and ``floor(alpha * n)``
        others (all there are, if fewer).  0.1 is the usual value.
    tree : {"auto", "effective", "max_weight"}
        Spanning tree by effective weight (heavy edges near hubs and near the root first), by
        weight alone, or the one of the two with the smaller total stretch.
    radius : int
        An edge that is taken closes what lies within as many hops of its ends to the next edges.
    refine : int
        Rounds in which the last tenth of the off-tree edges is chosen by power steps on
        ``L_result^+ L_graph`` instead.  2 to 4 rounds about halve the condition number; each
        costs a factorisation of the result and 40 solves.
    connected : bool
        Refuse a budget below ``n - c`` edges; with False it gets the first edges of the tree.
    seed : int
        Order of edges with equal keys.

    Returns
    -------
    same type as ``graph``
        Same nodes and components; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a directed graph, a weight that is not positive, or a budget out of range.

    Notes
    -----
    O(m + n log n) time without ``refine``.  An off-tree edge of weight ``w`` and tree resistance
    ``R`` left out raises the largest eigenvalue by at most ``w R``, its stretch; edges are taken
    by stretch, largest first, spread by the balls round those taken before.  Ties are ordered by
    hash: in index order they would empty one corner of a regular mesh.

    References
    ----------
    Z. Feng, GRASS: graph spectral sparsification leveraging scalable spectral perturbation
    analysis, arXiv:1911.04382; Z. Liu, W. Yu, Z. Feng, feGRASS.

    Examples
    --------
    >>> square = Graph.from_edges([(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)])
    >>> grass(square, alpha=0.25).num_edges
    4
    """
    method = GrassMethod(
        alpha=alpha, tree=tree, radius=radius, refine=refine, connected=connected, seed=seed
    )
    kept: T = trim(graph, keep, num_edges, method).graph
    return kept


def _check_alpha(alpha: float) -> None:
    if isinstance(alpha, bool) or not isinstance(alpha, numbers.Real):
        raise TypeError(f"alpha must be a number, got {type(alpha).__name__} {alpha!r}")
    if not 0.0 <= alpha < math.inf:
        raise ValueError(f"alpha must be finite and >= 0, got {alpha!r}")
