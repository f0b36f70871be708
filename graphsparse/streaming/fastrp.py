"""FastRP vectors that follow a changing graph."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np

from graphsparse.backend import native
from graphsparse.checks import check_fraction
from graphsparse.graph import Graph
from graphsparse.sketch.merge import ColumnStatistics, column_statistics
from graphsparse.sketch.options import FastRPOptions, check_finite
from graphsparse.sketch.projection import Projection, check_inputs
from graphsparse.sketch.rows import Rows, Sink, Source, fresh, multiply
from graphsparse.sketch.transition import check_weights_allowed, factors, inverse
from graphsparse.streaming.arc_pool import ArcPool
from graphsparse.streaming.batch import EdgeBatch
from graphsparse.streaming.changes import apply_changes, net_changes

Array = np.ndarray[Any, np.dtype[Any]]

_ONLY: dict[str, tuple[Any, ...]] = {
    "combine": ("sum",),
    "degree_scale": ("plain",),
    "dangling": ("zero",),
    "direction": ("out",),
    "row_norm": ("merge", None),
    "add_self_loops": (False,),
    "storage_dtype": (None,),
}


@dataclasses.dataclass(frozen=True, repr=False)
class FastRPUpdate:
    """What one batch did.

    Attributes
    ----------
    num_edges : int
        Edges whose weight differs afterwards.
    ignored : int
        Updates without effect.
    predicted : tuple of arrays of int64
        For each power the rows that may change, ascending; all rows for those computed whole.
    recomputed : tuple of int
        For each power the rows computed anew; the others of ``predicted`` were pruned.
    full_from : int or None
        First power that was computed as a whole, counted from 1.
    changed : array of int64
        Nodes whose vector was computed anew, ascending.
    seconds : float
        Wall time.
    """

    num_edges: int
    ignored: int
    predicted: tuple[Array, ...]
    recomputed: tuple[int, ...]
    full_from: int | None
    changed: Array
    seconds: float

    def __repr__(self) -> str:
        return (
            f"FastRPUpdate(num_edges={self.num_edges}, recomputed={self.recomputed}, "
            f"full_from={self.full_from}, seconds={self.seconds:.3g})"
        )


class FastRPStream:
    """Keep FastRP vectors up to date while edges come and go.

    Parameters
    ----------
    graph : Graph
        Where to start; parallel edges are merged by sum.  Weights are kept in ``dtype``.
    dim : int
        Columns.
    prune : float
        0 is exact: the vectors have the bits of a rebuild.  Above 0 a row of a power is left as
        it is while its changes add up to no more than ``prune``; the rows of ``U_k`` then never
        differ by more than ``k * prune`` from exact ones, however many batches there are.
    freeze_degree : bool
        Keep the degree factors of the start: changes then reach one hop less far.
    full_above : float
        A power whose rows to compute have more than this share of the arcs is computed whole.
    node_ids, features : optional
        As for :func:`graphsparse.fastrp`.
    **options
        Options of :func:`graphsparse.fastrp`; not those of the in-loop variant, joined powers,
        other directions, self-loops or bfloat16.

    Attributes
    ----------
    embedding : array, shape (n, dim)
        One row per node, standardised by the statistics of the start or of the last
        :meth:`refresh`.
    powers : list of arrays, shape (n, dim)
        ``U_1 .. U_q``, not normalised.

    Notes
    -----
    Memory: ``q + 1`` matrices of ``n * dim`` numbers.  An update costs the arcs of the rows that
    it recomputes times ``dim``, and one number per arc that leads to a changed row.

    Examples
    --------
    >>> from graphsparse.graph import Graph
    >>> stream = FastRPStream(Graph.from_edges([(0, 1), (1, 2), (2, 3)]), 8, beta=0)
    >>> stream.update(inserts=[(0, 3)]).num_edges
    1
    >>> stream.graph().num_edges
    4
    """

    def __init__(
        self,
        graph: Graph,
        dim: int = 256,
        *,
        prune: float = 0.0,
        freeze_degree: bool = False,
        full_above: float = 0.3,
        node_ids: Any = None,
        features: Any = None,
        **options: Any,
    ) -> None:
        if not isinstance(graph, Graph):
            raise TypeError(f"graph must be a Graph, got {type(graph).__name__}")
        graph.require_host("FastRPStream")
        start = options.get("projection", "sparse")
        given = not isinstance(start, str)
        if given:
            options = {**options, "projection": "given"}
        self.options = _checked(FastRPOptions(dim=dim, **options), prune)
        self.prune, self.freeze_degree = float(prune), bool(freeze_degree)
        self.full_above = check_fraction("full_above", full_above, zero=True)
        graph = _simple(graph)
        check_weights_allowed(graph, self.options.allow_negative)
        inputs = check_inputs(
            self.options, graph.num_nodes, node_ids, features, start if given else None
        )
        self._directed = graph.directed
        self._out = ArcPool(graph, self.options.dtype)
        self._in = ArcPool(graph.reverse(), self.options.dtype) if graph.directed else self._out
        strength = self._strengths(self._out, None)
        self._degree = self._factor_degrees(None)
        self.projection = Projection(self.options, inputs, factors(self._degree, self.options))
        scale = None if self.options.matrix == "adjacency" else inverse(strength)
        self._rows = self._view(scale)
        self._source = self.projection.source()
        n = graph.num_nodes
        self.powers = [
            fresh(n, self.options.dim, self.options.dtype) for _ in range(self.options.num_powers)
        ]
        self.embedding = fresh(n, self.options.dim, self.options.dtype)
        self._pruned = np.zeros((self.options.num_powers, n)) if prune else None
        self._reach, self._seen = np.zeros(n), np.zeros(n, np.bool_)
        self._statistics: ColumnStatistics | None = None
        self.rebuild()

    @property
    def num_nodes(self) -> int:
        """Number of nodes; it never changes."""
        return len(self._out.begin)

    @property
    def num_arcs(self) -> int:
        """Number of stored entries now."""
        return self._out.num_arcs

    def graph(self) -> Graph:
        """Return the graph as it is now."""
        return self._out.graph(self._directed)

    def rebuild(self) -> None:
        """Compute all powers from the graph as it is, and the column statistics with them."""
        for k in range(self.options.num_powers):
            self._full(k)
        self.refresh()

    def refresh(self) -> None:
        """Take new column statistics and standardise all vectors by them."""
        self._statistics = None
        self._merge(None)
        if self.options.standard:
            self._statistics = column_statistics(self.embedding, self.options.threads)
            self._statistics.apply(self.embedding, self.options.threads)

    def update(
        self,
        batch: EdgeBatch | None = None,
        *,
        inserts: Any = None,
        deletes: Any = None,
        reweights: Any = None,
    ) -> FastRPUpdate:
        """Apply a batch, checked as a whole before anything changes.

        Parameters
        ----------
        batch : EdgeBatch, optional
            In an undirected graph a pair is one edge; in a directed one an arc from u to v.
        inserts, deletes, reweights : optional
            As for :meth:`EdgeBatch.of`, instead of ``batch``.

        Returns
        -------
        FastRPUpdate

        Raises
        ------
        IndexError
            If a node id is not below ``num_nodes``.
        """
        clock = time.perf_counter()
        if batch is None:
            batch = EdgeBatch.of(inserts, deletes, reweights)
        elif not (inserts is None and deletes is None and reweights is None):
            raise TypeError("update takes a batch or lists of edges, got both")
        changes = net_changes(batch, self._out, self._directed)
        rows = apply_changes(self._out, changes.tail, changes.head, changes.weight)
        heads = rows
        if self._directed:
            heads = apply_changes(self._in, changes.head, changes.tail, changes.weight)
        sources, lengths = self._change_degrees(rows, np.union1d(rows, heads))
        steps = _Steps(rows, sources, lengths)
        for k in range(self.options.num_powers):
            self._step(k, steps)
        changed = steps.changed(self.options, self.num_nodes)
        self._merge(changed)
        return FastRPUpdate(
            changes.num_edges,
            changes.ignored,
            tuple(steps.predicted),
            tuple(steps.recomputed),
            steps.full_from,
            changed,
            time.perf_counter() - clock,
        )

    def _view(self, scale: Array | None) -> Rows:
        pool = self._out
        return Rows(pool.begin, pool.end, pool.indices, pool.values, scale)

    def _strengths(self, pool: ArcPool, rows: Array | None) -> Array:
        out = np.empty(len(pool.begin) if rows is None else len(rows))
        native.row_sums(
            pool.begin, pool.end, rows, pool.values, self.options.allow_negative, out,
            self.options.threads,
        )  # fmt: skip
        return out

    def _factor_degrees(self, rows: Array | None) -> Array:
        kind = self.options.degree
        if kind == "out":
            return self._strengths(self._out, rows)
        back = self._strengths(self._in, rows)
        return back if kind == "in" else self._strengths(self._out, rows) + back

    def _change_degrees(self, rows: Array, ends: Array) -> tuple[Array, Array]:
        """Set the factors of changed rows; return the rows of X_0 that change, and how much."""
        pool, old = self._out, self._rows
        if pool.indices is not old.indices:  # the pool has grown
            self._rows = dataclasses.replace(old, indices=pool.indices, values=pool.values)
        self._rows.set_scale(rows, inverse(self._strengths(pool, rows)))
        if self.freeze_degree or len(ends) == 0:
            return np.zeros(0, np.int64), np.zeros(0)
        self._degree[ends] = self._factor_degrees(ends)
        ell = self.projection.ell
        before, after = ell[ends], factors(self._degree[ends], self.options)
        moved = before != after
        nodes, gap = ends[moved], np.abs(after - before)[moved]
        ell[nodes] = after[moved]
        start = self.projection.dense(rows=nodes)
        lengths = np.linalg.norm(start.astype(np.float64), axis=1) / ell[nodes] * gap
        if self._source.factors is not None:
            self._source.factors[nodes] = ell[nodes]
        else:
            self._source.x[nodes] = start
        return nodes, lengths

    def _step(self, k: int, steps: _Steps) -> None:
        """Bring power ``k`` (from 0) up to date."""
        rows = None if steps.full_from else self._rows_to_compute(k, steps)
        if rows is None:
            steps.full_from = steps.full_from or k + 1
            steps.predicted.append(np.arange(self.num_nodes))
            steps.recomputed.append(self.num_nodes)
            self._full(k)
            return
        source = self._source if k == 0 else Source(self.powers[k - 1])
        block = fresh(len(rows), self.options.dim, self.options.dtype)
        sink = Sink(power=block)
        threads = self.options.threads
        multiply(
            self._rows, source, self.options.dim, sink, threads, dtype=self.options.dtype,
            subset=rows,
        )  # fmt: skip
        lengths = np.empty(len(rows))
        native.replace_rows(self.powers[k], rows, block, lengths, threads)
        if self._pruned is not None:
            self._pruned[k, rows] = 0.0
        moved = lengths > 0
        steps.advance(rows, rows[moved], lengths[moved])

    def _rows_to_compute(self, k: int, steps: _Steps) -> Array | None:
        """Return the rows of a power to compute anew, None for all of them."""
        pool = self._in
        touched = native.push_changes(
            pool.begin, pool.end, pool.indices, pool.values, steps.moved, steps.lengths,
            self._reach, self._seen,
        )  # fmt: skip
        reach = self._reach[touched]
        self._reach[touched] = 0.0
        steps.predicted.append(np.union1d(steps.rows, touched))
        if self._pruned is not None:
            if self._rows.scale is not None:
                reach = reach * self._rows.scale[touched]
            self._pruned[k, touched] += reach
            touched = touched[self._pruned[k, touched] > self.prune]
        rows = np.union1d(steps.rows, touched)
        load = int((self._out.end[rows] - self._out.begin[rows]).sum())
        if load > self.full_above * self.num_arcs:
            steps.predicted.pop()
            return None
        return rows

    def _full(self, k: int) -> None:
        source = self._source if k == 0 else Source(self.powers[k - 1])
        sink = Sink(power=self.powers[k])
        options = self.options
        multiply(self._rows, source, options.dim, sink, options.threads, dtype=options.dtype)
        if self._pruned is not None:
            self._pruned[k] = 0.0

    def _merge(self, rows: Array | None) -> None:
        """Merge the powers of some rows, or of all, into their vectors."""
        options = self.options
        whole = rows is None
        count = self.num_nodes if rows is None else len(rows)
        if count == 0:
            return
        block = self.embedding if whole else fresh(count, options.dim, options.dtype)
        unit, is_first = options.row_norm is not None, True
        if options.self_influence:
            start = self.projection.dense(rows=rows)
            native.merge_rows(
                start, None, block, options.self_influence, unit, True, options.threads
            )
            is_first = False
        for power, alpha in zip(self.powers, options.weights, strict=False):
            if alpha:
                native.merge_rows(power, rows, block, alpha, unit, is_first, options.threads)
                is_first = False
        if self._statistics is not None:
            self._statistics.apply(block, options.threads)
        if not whole:
            self.embedding[rows] = block

    def __repr__(self) -> str:
        return (
            f"FastRPStream(num_nodes={self.num_nodes}, num_arcs={self.num_arcs}, "
            f"dim={self.options.dim}, prune={self.prune}, freeze_degree={self.freeze_degree})"
        )


class _Steps:
    """The rows that change from power to power within one batch."""

    def __init__(self, rows: Array, moved: Array, lengths: Array) -> None:
        self.rows = rows  # rows of M that changed
        self.moved, self.lengths = moved, lengths  # rows of the last power, and how much
        self.start = moved
        self.predicted: list[Array] = []
        self.recomputed: list[int] = []
        self.moved_by_power: list[Array] = []
        self.full_from: int | None = None

    def advance(self, rows: Array, moved: Array, lengths: Array) -> None:
        self.recomputed.append(len(rows))
        self.moved, self.lengths = moved, lengths
        self.moved_by_power.append(moved)

    def changed(self, options: FastRPOptions, num_nodes: int) -> Array:
        """Return the nodes whose vectors change."""
        if self.full_from:
            return np.arange(num_nodes)
        parts = [moved for moved, a in zip(self.moved_by_power, options.weights, strict=False) if a]
        if options.self_influence and options.row_norm is None:
            parts.append(self.start)
        if not parts:
            return np.zeros(0, np.int64)
        nodes: Array = np.unique(np.concatenate(parts))
        return nodes


def _checked(options: FastRPOptions, prune: float) -> FastRPOptions:
    for name, allowed in _ONLY.items():
        value = getattr(options, name)
        if value not in allowed:
            expected = " or ".join(map(repr, allowed))
            raise ValueError(f"{name} must be {expected} for a stream, got {value!r}")
    if check_finite("prune", prune) < 0:
        raise ValueError(f"prune must not be negative, got {prune!r}")
    if prune and (options.matrix != "transition" or options.allow_negative):
        raise ValueError(
            "prune must be 0 with matrix='adjacency' or negative weights, where errors grow, "
            f"got {prune!r}"
        )
    return options


def _simple(graph: Graph) -> Graph:
    """Return the graph with parallel edges merged by sum."""
    if not graph.has_parallel_edges:
        return graph
    weights = np.ones(graph.num_arcs) if graph.weights is None else graph.weights
    return Graph._trusted(graph.indptr, graph.indices, weights, graph.directed).coalesce("sum")
