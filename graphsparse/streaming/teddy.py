"""TEDDY scores that follow edge updates, exactly: sums of integers do not drift."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.checks import edge_budget
from graphsparse.graph import Graph
from graphsparse.selection import degree_table, select
from graphsparse.streaming.arc_pool import ArcPool
from graphsparse.streaming.batch import EdgeBatch
from graphsparse.streaming.changes import apply_changes
from graphsparse.streaming.report import BatchReport

Array = np.ndarray[Any, np.dtype[Any]]


class TeddyStream:
    """Keep TEDDY's scores of a graph up to date while edges come and go.

    ``t_v`` is the sum over the neighbours of ``g(degree)``, in fixed point, over ``degree_v``
    squared.  An edge changes two degrees, and with them the sums of the neighbours: that is all
    that is computed.  Masks equal those of :func:`graphsparse.teddy` on the graph as it is, in
    every bit.

    Parameters
    ----------
    graph : Graph
        Undirected; weights, self-loops and parallel edges do not count.
    g : {"inv_sqrt", "inv", "inv_log"}
        Weight of a degree.

    Notes
    -----
    O(sum of the degrees of the ends) a batch; 16 bytes an arc.  A mask takes O(m).

    Examples
    --------
    >>> stream = TeddyStream(Graph.from_edges([(0, 1), (0, 2), (1, 2), (2, 3)], num_nodes=6))
    >>> stream.change([3, 3], [4, 5], [], [])
    >>> stream.mask(num_edges=3).tolist()
    [True, False, False, False, True, True]
    """

    name = "teddy"

    def __init__(self, graph: Graph, *, g: str = "inv_sqrt") -> None:
        if graph.directed:
            raise ValueError("graph must be undirected, got a directed one; see graph.symmetrize()")
        graph.require_host("TeddyStream")
        simple = graph.without_self_loops().coalesce()
        self._g = g
        self._pool = ArcPool(Graph._trusted(simple.indptr, simple.indices, None, False), "f4")
        self.rebuild()

    @property
    def num_nodes(self) -> int:
        """Number of nodes; it grows with the ids of new edges."""
        return len(self._pool.begin)

    @property
    def num_edges(self) -> int:
        """Number of edges now."""
        return self._pool.num_arcs // 2

    def rebuild(self) -> None:
        """Compute all sums anew."""
        self._degree = self._pool.end - self._pool.begin
        top = int(self._degree.max()) if self.num_nodes else 0
        self._table, self._q = degree_table(self._g, 2 * top + 16)
        self._sum = np.zeros(self.num_nodes, np.int64)
        self._sum_rows(np.arange(self.num_nodes))

    def _sum_rows(self, rows: Array) -> None:
        at, sizes = self._pool.positions(rows)
        heads = self._pool.indices[at]
        owner = np.repeat(rows, sizes)
        self._sum[rows] = 0
        np.add.at(self._sum, owner, self._table[self._degree[heads]])

    def update(self, batch: EdgeBatch, report: BatchReport) -> None:
        """Follow a :class:`DynamicSparsifier`: take what a batch changed in its graph."""
        come, gone = report.new_edges(), report.deletions
        if report.num_nodes > self.num_nodes:
            self._grow(report.num_nodes)
        self.change(come["u"], come["v"], gone["u"], gone["v"])

    def change(self, come_u: Any, come_v: Any, gone_u: Any, gone_v: Any) -> None:
        """Add edges that are new, and take away edges that are there.

        Parameters
        ----------
        come_u, come_v, gone_u, gone_v : array of int
            Ends; no pair twice, no self-loops.
        """
        new = np.concatenate((np.asarray(come_u, np.int64), np.asarray(come_v, np.int64)))
        mirrored = np.concatenate((np.asarray(come_v, np.int64), np.asarray(come_u, np.int64)))
        old = np.concatenate((np.asarray(gone_u, np.int64), np.asarray(gone_v, np.int64)))
        other = np.concatenate((np.asarray(gone_v, np.int64), np.asarray(gone_u, np.int64)))
        tail, head = np.concatenate((old, new)), np.concatenate((other, mirrored))
        if len(tail) == 0:
            return
        if int(tail.max()) >= self.num_nodes:
            self._grow(int(tail.max()) + 1)
        weight = np.repeat(np.array([0, 1], "f4"), [len(old), len(new)])
        rows = apply_changes(self._pool, tail, head, weight)
        before = self._degree[rows]
        self._degree[rows] = self._pool.end[rows] - self._pool.begin[rows]
        if int(self._degree[rows].max()) >= len(self._table):
            self.rebuild()  # a larger table, and perhaps a coarser unit
            return
        step = self._table[self._degree[rows]] - self._table[before]
        moved = step != 0
        at, sizes = self._pool.positions(rows[moved])
        np.add.at(self._sum, self._pool.indices[at], np.repeat(step[moved], sizes))
        self._sum_rows(rows)

    def _grow(self, count: int) -> None:
        more = np.zeros(count - self.num_nodes, np.int64)
        self._pool.add_rows(len(more))
        self._degree = np.concatenate((self._degree, more))
        self._sum = np.concatenate((self._sum, more))

    def graph(self) -> Graph:
        """Return the graph as it is now, without weights."""
        return self._pool.graph(False)

    def node_scores(self) -> Array:
        """Return ``t`` of every node, float64 of shape (n,)."""
        top = int(self._degree.max()) if self.num_nodes else 0
        q = degree_table(self._g, top)[1]
        if q != self._q:  # the unit of a rebuild now is another: take it
            self._table, self._q = degree_table(self._g, top)
            self._sum_rows(np.arange(self.num_nodes))
        degree = self._degree.astype(np.float64)
        t: Array = np.zeros(self.num_nodes)
        np.divide(self._sum.astype(np.float64), degree * degree, out=t, where=degree > 0)
        return t * 2.0**-self._q

    def mask(self, keep: float | None = None, *, num_edges: int | None = None) -> Array:
        """Return which edges of :meth:`graph` TEDDY keeps, in the order of ``graph.edges()``.

        Parameters
        ----------
        keep : float
            Fraction of the edges kept, in (0, 1].
        num_edges : int
            Edges kept, instead of ``keep``.
        """
        graph = self.graph()
        count = edge_budget(keep, num_edges, graph.num_edges)
        rows = graph.arc_rows()
        upper = np.zeros(graph.num_nodes + 1, np.int64)
        ahead = rows[graph.indices > rows]
        upper[1:] = np.bincount(ahead, minlength=graph.num_nodes).cumsum()
        scores = native.pair_scores(
            graph.indptr, graph.indices, self.node_scores(), upper, requested_threads()
        )
        return select(graph, scores.view(np.uint64), count, tie_break="index", seed=0)

    def facts(self) -> dict[str, Any]:
        """Return the sizes."""
        return {"nodes": self.num_nodes, "edges": self.num_edges}
