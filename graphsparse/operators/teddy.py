"""TEDDY: one-shot edge trimming by degrees (Seo, Yun, Yang, ICLR 2024, arXiv 2402.01261)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.checks import check_choice, check_count
from graphsparse.convert import as_border
from graphsparse.device import array_module, kernels
from graphsparse.graph import Graph
from graphsparse.operators.method import Array, Choice, Method
from graphsparse.operators.protect import best_edges
from graphsparse.operators.sparsify import trim
from graphsparse.selection import WEIGHING, Candidates, candidates, degree_table

T = TypeVar("T")
_TOP_BIT = np.uint64(1 << 63)
_ONE_PASS = 1 << 16  # edges from which scoring and selecting in one pass pays


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeddyMethod(Method):
    """Options of :func:`teddy`."""

    name: ClassVar[str] = "teddy"
    g: Any = "inv_sqrt"
    hops: int = 1
    self_loops: str = "exclude"
    directed: str = "symmetrize"
    protect: str = "none"
    weighted: bool = False
    tie_break: str = "index"
    connected: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.g, str):
            check_choice("g", self.g, WEIGHING)
        check_count("hops", self.hops)
        check_choice("self_loops", self.self_loops, ("exclude", "count", "reference"))
        check_choice("directed", self.directed, ("symmetrize", "in_out", "reference"))
        check_choice("protect", self.protect, ("none", "top1", "forest"))
        if self.protect == "forest":
            object.__setattr__(self, "connected", True)
        if self.weighted and (self.hops != 1 or not isinstance(self.g, str)):
            raise ValueError(
                f"weighted=True needs hops=1 and a named g, got hops={self.hops}, g={self.g!r}"
            )

    def candidates(self, graph: Graph) -> Candidates:
        """Return pairs, or arcs where directions are scored apart."""
        undirected = self.directed == "symmetrize"
        return candidates(graph, undirected=undirected, self_loops=self.self_loops == "reference")

    def choose(self, graph: Graph, pool: Graph, count: int, lap: Callable[[str], None]) -> Choice:
        """Keep the ``count`` best edges; of large graphs without storing a score per edge."""
        if self._in_one_pass(pool):
            t, _, upper = self._node_scores(pool)
            lap("score")
            threads = requested_threads()
            mask = native.best_pairs(pool.indptr, pool.indices, t, upper, count, threads)
            if mask is not None:  # the sample that guides it misleads about once in 10,000 graphs
                return Choice(mask)
        return super().choose(graph, pool, count, lap)

    def _in_one_pass(self, pool: Graph) -> bool:
        plain = self.tie_break == "index" and self.protect == "none" and not self.connected
        simple = self.self_loops == "exclude" and not pool.directed and pool.device == "cpu"
        return plain and simple and pool.num_edges >= _ONE_PASS

    def keys(self, graph: Graph, pool: Graph) -> Array:
        """Return the bit patterns of the scores, protected edges in front."""
        keys: Array = self.scores(graph, pool).view(np.uint64)  # not negative: bits order alike
        if self.protect == "top1":
            keys |= best_edges(pool, keys, self.tie_break, self.seed).astype(
                np.uint64
            ) << np.uint64(63)
        return keys

    def details(self, pool: Graph, keys: Array, mask: Array) -> dict[str, Any]:
        """Tell how many protected edges there were and how many had to go."""
        if self.protect != "top1":
            return {}
        protected = keys >= _TOP_BIT
        return {
            "protected": int(protected.sum()),
            "protected_removed": int((protected & ~mask).sum()),
        }

    def scores(self, graph: Graph, pool: Graph) -> Array:
        """Return the float64 score of each edge of ``pool``."""
        counted = pool
        if self.self_loops != "exclude":
            counted = graph.coalesce() if pool.directed else graph.symmetrize()
        t_out, t_in, upper = self._node_scores(counted)
        scores: Array
        device, threads = kernels(counted.indptr), requested_threads()
        if counted.num_self_loops == 0:
            if counted.directed:
                scores = device.arc_scores(counted.indptr, counted.indices, t_out, t_in, threads)
            else:
                scores = device.pair_scores(counted.indptr, counted.indices, t_out, upper, threads)
            return scores
        u, v = counted.edges()
        scores = t_out[u] * t_in[v]
        loop = u == v
        if self.self_loops == "count":
            scores = scores[~loop]
            return scores
        scores[loop] = scores.max()  # as the authors' code: loops go last, but they do go
        return scores

    def _node_scores(self, graph: Graph) -> tuple[Array, Array, Array]:
        """Return ``(t_out, t_in, upper)``; see core/trim.hpp."""
        both = graph.directed and self.directed == "in_out"
        back = graph.reverse() if both else graph
        if self.weighted:
            t_out = self._weighted_node_scores(graph, back)
            t_in = self._weighted_node_scores(back, graph) if both else t_out
            upper = array_module(graph.indptr).zeros(graph.num_nodes + 1, np.int64)
            u, v = graph.edges()
            upper[1:] = _bincount(u[u != v], graph.num_nodes).cumsum()
            return t_out, t_in, upper
        table, q = degree_table(self.g, int(max(_max_degree(graph), _max_degree(back))))
        if self.hops != 1 and both:
            raise ValueError(f"directed='in_out' needs hops=1, got hops={self.hops}")
        t_out, upper = self._fixed_point_scores(graph, back, table, q)
        t_in = self._fixed_point_scores(back, graph, table, q)[0] if both else t_out
        return t_out, t_in, upper

    def _fixed_point_scores(self, graph: Graph, other: Graph, table: Array, q: int) -> Any:
        device, threads = kernels(graph.indptr), requested_threads()
        csr, unit = (graph.indptr, graph.indices), 2.0**-q
        if self.hops == 1 and other is graph:
            return device.node_scores_by_degree(*csr, table, unit, threads)
        c = device.by_degree(other.indptr, table)
        if self.hops == 0:  # the node's own value takes the place of the neighbours' mean
            t = _quotient(c * unit, graph.degree)
            return t, device.node_scores(*csr, c, 0.0, threads)[1]
        for _ in range(self.hops - 1):
            c = device.neighbour_mean(*csr, c, threads)
        return device.node_scores(*csr, c, unit, threads)

    def _weighted_node_scores(self, graph: Graph, other: Graph) -> Array:
        if graph.weights is None or other.weights is None:
            raise ValueError("weighted=True needs a weighted graph, got one without weights")
        bad = ~(graph.weights > 0)
        if bad.any():
            at = int(bad.argmax())
            raise ValueError(
                f"weighted=True needs weights > 0, got {graph.weights[at]} on the arc "
                f"({graph.arc_rows()[at]}, {graph.indices[at]})"
            )
        n, rows = graph.num_nodes, graph.arc_rows()
        degree = _bincount(rows, n, graph.weights)
        heads = _bincount(other.arc_rows(), n, other.weights)
        g = array_module(heads).zeros(n)
        used = heads > 0
        g[used] = WEIGHING[self.g](heads[used])
        total = _bincount(rows, n, graph.weights * g[graph.indices])
        return _quotient(total, degree * degree)


def teddy(
    graph: T,
    keep: float | None = None,
    *,
    num_edges: int | None = None,
    g: Any = "inv_sqrt",
    hops: int = 1,
    self_loops: str = "exclude",
    directed: str = "symmetrize",
    protect: str = "none",
    weighted: bool = False,
    tie_break: str = "index",
    connected: bool = False,
    seed: int = 0,
) -> T:
    """Keep the edges of low-degree surroundings and drop those between hubs.

    The score of a pair is ``T_uv = t_u * t_v`` with ``t_v = mean over neighbours of g(degree) /
    degree_v``.  It needs no features and no training.  It protects low-degree neighbourhoods, not
    connectivity: a leaf that hangs on a hub is cut early unless ``protect="top1"``.

    Parameters
    ----------
    graph : Graph, PyG Data, edge_index, SciPy matrix, networkx graph, ...
        ``m`` edges.  Undirected pairs (PyG stores both directions) are kept or dropped as one;
        parallel edges count once and share their fate.
    keep : float
        Fraction of the edges kept, in (0, 1]: exactly ``m - floor((1 - keep) * m + 1e-6)``.
    num_edges : int
        Edges kept, instead of ``keep``.
    g : {"inv_sqrt", "inv", "inv_log"} or array of float
        Weight of a degree: ``d**-0.5`` (the paper's), ``1/d``, ``1/(1 + ln d)``, or a table
        whose entry ``d`` is positive for each degree ``d``.
    hops : int
        Levels of neighbourhood means: 1 is TEDDY, 0 a plain degree score, more is an extension.
    self_loops : {"exclude", "count", "reference"}
        Leave loops out of degrees and budget and keep them always; count them once in degrees
        and sums only; or treat them as the authors' code does (they count, and go last).
    directed : {"symmetrize", "in_out", "reference"}
        For directed graphs: score pairs of the undirected support, reciprocal arcs together;
        score arcs by out- and in-degrees; or by out-degrees at both ends as the authors' code.
    protect : {"none", "top1", "forest"}
        Remove the best edge of each node last, or never an edge of a maximum-score spanning
        forest (the same as ``connected=True``).
    weighted : bool
        Use sums of weights as degrees, in float64; weights must be positive.
    tie_break : {"index", "hash"}
        Among equal scores keep the lower pair, or the lower hash of ``seed`` and pair; use
        ``"hash"`` on lattices, where index order would empty one corner.
    connected : bool
        Keep a spanning forest in any case (undirected graphs only).
    seed : int
        Used by ``tie_break="hash"`` alone.

    Returns
    -------
    same type as ``graph``
        Same nodes; kept edges with all their attributes.

    Raises
    ------
    ValueError
        For a budget or an option out of range, naming it.

    Notes
    -----
    O(n + m) time; 24 bytes of scratch memory per node and 9 per pair.  Sums run in fixed point,
    so the result is the same to the bit for any number of threads and on any device, and masks
    for growing ``keep`` are nested.

    References
    ----------
    H. Seo, J. Yun, E. Yang, TEDDY: Trimming Edges with Degree-based Discrimination strategY,
    ICLR 2024, arXiv:2402.01261.

    Examples
    --------
    >>> pairs = [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (3, 5)]
    >>> u, v = teddy(Graph.from_edges(pairs), num_edges=3).edges()
    >>> list(zip(u.tolist(), v.tolist()))
    [(0, 1), (3, 4), (3, 5)]
    """
    method = TeddyMethod(
        g=g,
        hops=hops,
        self_loops=self_loops,
        directed=directed,
        protect=protect,
        weighted=weighted,
        tie_break=tie_break,
        connected=connected,
        seed=seed,
    )
    kept: T = trim(graph, keep, num_edges, method).graph
    return kept


def teddy_scores(graph: Any, **options: Any) -> Array:
    """Return the TEDDY score of every edge; larger is kept first.

    Parameters
    ----------
    graph : Graph or any type that :func:`teddy` takes
        ``m`` edges.
    **options
        ``g``, ``hops``, ``self_loops``, ``directed`` and ``weighted`` of :func:`teddy`.

    Returns
    -------
    array of float64, shape (m,)
        In the order of ``graph.edges()``; for other types in that of their converted graph.
        Self-loops that are never removed have ``inf``.

    Examples
    --------
    >>> teddy_scores(Graph.from_edges([(0, 1)])).tolist()
    [1.0]
    """
    method = TeddyMethod(**options)
    whole = as_border(graph).graph
    chosen = method.candidates(whole)
    scores = method.scores(whole, chosen.graph)
    if chosen.candidate_of_edge is None:
        return scores
    spread: Array = np.append(scores, np.inf)[chosen.candidate_of_edge]
    return spread


def _max_degree(graph: Graph) -> int:
    return int(graph.degree.max()) if graph.num_nodes else 0


def _bincount(ids: Array, count: int, weights: Array | None = None) -> Array:
    counts: Array = array_module(ids).bincount(ids, weights=weights, minlength=count)
    return counts


def _quotient(numerator: Array, denominator: Array) -> Array:
    """Return ``numerator / denominator``, 0 where the denominator is 0."""
    xp, empty = array_module(numerator), denominator == 0
    quotient: Array = xp.where(empty, 0.0, numerator / xp.where(empty, 1, denominator))
    return quotient
