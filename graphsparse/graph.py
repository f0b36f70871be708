"""The one graph type: frozen CSR arrays, checked once at the door."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from graphsparse import device as _device
from graphsparse.backend import native, requested_threads
from graphsparse.checks import check_choice, check_count, check_ids, check_weights
from graphsparse.device import array_module, kernels
from graphsparse.errors import BackendError, GraphFormatError
from graphsparse.launch import cupy, is_device_array

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
Reduce = Literal["sum", "max", "min", "first"]
_REDUCE: dict[str, Callable[[Array, Array], Array]] = {
    "sum": np.add.reduceat,
    "max": np.maximum.reduceat,
    "min": np.minimum.reduceat,
    "first": lambda values, starts: values[starts],
}


def _frozen(array: Array) -> Array:
    if is_device_array(array):
        return array  # CuPy has no read-only arrays
    view = array.view()
    view.flags.writeable = False
    return view


def _equal(a: Any, b: Any) -> bool:
    return bool(array_module(a).array_equal(a, b))


def _index_dtype(num_nodes: int) -> type[np.int32] | type[np.int64]:
    return np.int32 if num_nodes <= 2**31 - 1 else np.int64


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """Graph in compressed sparse rows.

    An undirected graph stores each edge in both rows and each self-loop once.  Parallel edges
    are allowed; :meth:`coalesce` merges them.  The arrays are read-only views of what was given:
    nothing is copied that already has the right type.

    Parameters
    ----------
    indptr : array of int, shape (n + 1,)
        Row ``u`` holds the arcs ``indptr[u]:indptr[u + 1]``.
    indices : array of int, shape (num_arcs,)
        Heads of the arcs, ascending in each row.  int32 below 2^31 nodes, int64 above.
    weights : array of float, shape (num_arcs,), optional
        Finite weights; float32 stays float32, everything else becomes float64.
    directed : bool
        An undirected graph must be symmetric, weights included.

    Raises
    ------
    GraphFormatError
        If the arrays break one of these rules; the message names the first bad entry.

    Notes
    -----
    O(n + num_arcs) time for the checks.

    Examples
    --------
    >>> triangle = Graph.from_edges([(0, 1), (1, 2), (2, 0)], num_nodes=3)
    >>> triangle.num_edges, triangle.num_arcs
    (3, 6)
    """

    indptr: Array
    indices: Array
    weights: Array | None = None
    directed: bool = False

    def __post_init__(self) -> None:
        indptr = check_ids("indptr", self.indptr).astype(np.int64, copy=False)
        indices = check_ids("indices", self.indices)
        n = len(indptr) - 1
        if n < 0:
            raise GraphFormatError("indptr must have n + 1 >= 1 entries, got an empty array")
        if indptr[0] != 0 or indptr[-1] != len(indices):
            raise GraphFormatError(
                f"indptr must run from 0 to len(indices) = {len(indices)}, "
                f"got {indptr[0]} to {indptr[-1]}"
            )
        if n and (np.diff(indptr) < 0).any():
            row = int(np.argmax(np.diff(indptr) < 0))
            raise GraphFormatError(
                f"indptr must not decrease, got {indptr[row : row + 2]} at row {row}"
            )
        bad = native.first_bad_id(indices, indices, n)
        if bad >= 0:
            raise GraphFormatError(f"indices must be in [0, {n}), got {indices[bad]} at arc {bad}")
        indices = indices.astype(_index_dtype(n), copy=False)
        weights = None
        if self.weights is not None:
            weights = _frozen(check_weights("weights", self.weights, len(indices)))
        for name, value in (
            ("indptr", _frozen(indptr)),
            ("indices", _frozen(indices)),
            ("weights", weights),
            ("directed", bool(self.directed)),
        ):
            object.__setattr__(self, name, value)
        if self._inspection[0] >= 0:
            arc = self._inspection[0]
            raise GraphFormatError(
                f"indices must ascend in each row, got {indices[arc]} after {indices[arc - 1]} "
                f"at arc {arc}"
            )
        if not self.directed and not self.is_symmetric():
            raise GraphFormatError(
                "an undirected graph must hold every edge in both directions with one weight; "
                "pass directed=True, or build it with Graph.from_edges"
            )

    @classmethod
    def _trusted(
        cls, indptr: Array, indices: Array, weights: Array | None, directed: bool
    ) -> Graph:
        """Build from arrays that are right by construction."""
        self = object.__new__(cls)
        for name, value in (("indptr", indptr), ("indices", indices), ("weights", weights)):
            object.__setattr__(self, name, None if value is None else _frozen(value))
        object.__setattr__(self, "directed", directed)
        return self

    @classmethod
    def from_edges(
        cls,
        edges: Any,
        *,
        num_nodes: int | None = None,
        weights: Any = None,
        directed: bool = False,
    ) -> Graph:
        """Build a graph from node pairs, each undirected edge given once.

        Parameters
        ----------
        edges : array of int, shape (m, 2), or a pair of arrays of shape (m,)
            Ends of each edge.  A pair given twice becomes two parallel edges.
        num_nodes : int, optional
            ``n``; the largest id + 1 when left out.
        weights : array of float, shape (m,), optional
            One weight per edge.
        directed : bool
            Take each pair as an arc from the first to the second node.

        Returns
        -------
        Graph
            ``m`` edges, in any case: nothing is merged or dropped.
        """
        row, col = _end_arrays(edges)
        if num_nodes is None:
            num_nodes = int(max(row.max(), col.max())) + 1 if len(row) else 0
        n = check_count("num_nodes", num_nodes)
        bad = native.first_bad_id(row, col, n)
        if bad >= 0:
            raise GraphFormatError(
                f"edges must join nodes in [0, {n}), got ({row[bad]}, {col[bad]}) at edge {bad}"
            )
        given = None if weights is None else check_weights("weights", weights, len(row))
        graph, entry = build_csr(row, col, n, mirror=not directed)
        return cls._trusted(
            graph.indptr, graph.indices, None if given is None else given[entry], directed
        )

    @property
    def num_nodes(self) -> int:
        """Number of nodes ``n``."""
        return len(self.indptr) - 1

    @property
    def num_arcs(self) -> int:
        """Number of stored entries: an undirected edge has two, a self-loop one."""
        return len(self.indices)

    @property
    def num_edges(self) -> int:
        """Number of edges ``m``: an undirected pair counts once, so does a directed arc."""
        return self.num_arcs if self.directed else (self.num_arcs + self.num_self_loops) // 2

    @property
    def num_self_loops(self) -> int:
        """Number of self-loops."""
        return self._inspection[2]

    @property
    def has_parallel_edges(self) -> bool:
        """Whether some row holds the same column twice."""
        return self._inspection[1] > 0

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(a.nbytes for a in (self.indptr, self.indices, self.weights) if a is not None)

    @property
    def degree(self) -> Array:
        """Arcs in each row, int64 of shape (n,); a self-loop counts once."""
        degree: Array = self.indptr[1:] - self.indptr[:-1]
        return degree

    @cached_property
    def _inspection(self) -> tuple[int, int, int]:
        bad, duplicates, loops = kernels(self.indptr).inspect(self.indptr, self.indices)
        return int(bad), int(duplicates), int(loops)

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """Where the arrays lie."""
        return "cuda" if is_device_array(self.indptr) else "cpu"

    def to(self, device: Literal["cpu", "cuda"]) -> Graph:
        """Return the graph with its arrays on a device: NumPy for ``"cpu"``, CuPy for ``"cuda"``.

        Operators run where the graph lies and give the same edges on either side.

        Raises
        ------
        BackendError
            If CuPy, the driver or the device is missing; the message says what mends it.
        """
        check_choice("device", device, ("cpu", "cuda"))
        if device == self.device:
            return self
        module = cupy()
        place = module.asarray if device == "cuda" else module.asnumpy
        weights = None if self.weights is None else place(self.weights)
        moved = Graph._trusted(place(self.indptr), place(self.indices), weights, self.directed)
        object.__setattr__(moved, "_inspection", self._inspection)
        return moved

    def require_host(self, what: str) -> None:
        """Raise BackendError if the graph lies on a GPU and ``what`` runs on the CPU only."""
        if is_device_array(self.indptr):
            raise BackendError(
                f"{what} runs on the CPU only and the graph lies on the GPU: pass graph.to('cpu')"
            )

    def is_symmetric(self) -> bool:
        """Tell whether every arc has its reverse with the same weight.  O(n + num_arcs)."""
        self.require_host("is_symmetric")
        if self.weights is None:
            return bool(native.is_symmetric(self.indptr, self.indices))
        return bool(native.is_symmetric_weighted(self.indptr, self.indices, self.weights))

    def arc_rows(self) -> Array:
        """Return the tail of every arc, shape (num_arcs,)."""
        if is_device_array(self.indptr):
            rows: Array = _device.arc_rows(self.indptr, self.num_arcs)
            return rows.astype(self.indices.dtype)
        return np.repeat(np.arange(self.num_nodes, dtype=self.indices.dtype), self.degree)

    def arc_edges(self) -> Array:
        """Return the edge number of every arc, int64 of shape (num_arcs,).

        Edges of an undirected graph are numbered in the order of their pairs ``u <= v``; the
        edges of a directed graph are its arcs.
        """
        self.require_host("arc_edges")
        if self.directed:
            return np.arange(self.num_arcs, dtype=np.int64)
        ids: Array = native.edge_ids(self.indptr, self.indices)
        return ids

    def edges(self) -> tuple[Array, Array]:
        """Return the ends ``(u, v)`` of every edge in the order of edge numbers."""
        row = self.arc_rows()
        if self.directed:
            return row, self.indices
        upper = row <= self.indices
        return row[upper], self.indices[upper]

    def edge_weights(self) -> Array | None:
        """Return one weight per edge, shape (m,), or None."""
        if self.weights is None or self.directed:
            return self.weights
        return self.weights[self.arc_rows() <= self.indices]

    def edge_subgraph(self, mask: Any) -> Graph:
        """Return the graph of the edges that ``mask`` keeps; nodes stay as they are.

        Parameters
        ----------
        mask : array of bool, shape (m,)
            One entry per edge, in the order of :meth:`edges`.

        Returns
        -------
        Graph
            Same nodes and directedness; kept weights are unchanged.
        """
        keep = mask if is_device_array(mask) else np.ascontiguousarray(mask)
        if is_device_array(keep) != is_device_array(self.indptr):
            raise BackendError(
                f"mask must lie where the graph lies, got {type(mask).__module__} for a graph on "
                f"{self.device!r}"
            )
        if keep.dtype != np.bool_ or keep.shape != (self.num_edges,):
            raise ValueError(
                f"mask must be bool of shape ({self.num_edges},), got {keep.dtype} {keep.shape}"
            )
        if not self.directed:
            keep = kernels(self.indptr).arc_mask(self.indptr, self.indices, keep)
        return self._filter_arcs(keep, self.directed)

    def _filter_arcs(self, keep: Array, directed: bool) -> Graph:
        weighted = self.weights is not None
        indptr, indices, arcs = kernels(self.indptr).filter(
            self.indptr, self.indices, keep, weighted, requested_threads()
        )
        weights = self.weights[arcs] if self.weights is not None else None
        return Graph._trusted(indptr, indices, weights, directed)

    def without_self_loops(self) -> Graph:
        """Return the graph without its self-loops."""
        if self.num_self_loops == 0:
            return self
        return self._filter_arcs(self.arc_rows() != self.indices, self.directed)

    def reverse(self) -> Graph:
        """Return the graph with every arc turned round; an undirected graph is its own reverse."""
        if not self.directed:
            return self
        self.require_host("reverse")
        indptr, indices, arcs = native.reverse(self.indptr, self.indices, self.num_nodes)
        weights = None if self.weights is None else self.weights[arcs]
        return Graph._trusted(indptr, indices, weights, True)

    def coalesce(self, reduce: Reduce = "sum") -> Graph:
        """Return the graph with parallel edges merged into one.

        Parameters
        ----------
        reduce : {"sum", "max", "min", "first"}
            What becomes of their weights.  An unweighted graph stays unweighted.
        """
        check_choice("reduce", reduce, _REDUCE)
        if not self.has_parallel_edges:
            return self
        self.require_host("coalesce")
        starts = _run_starts(self.arc_rows(), self.indices)
        weights = None if self.weights is None else _REDUCE[reduce](self.weights, starts)
        indptr = np.searchsorted(starts, self.indptr).astype(np.int64)
        return Graph._trusted(indptr, self.indices[starts], weights, self.directed)

    def symmetrize(self, reduce: Reduce = "sum") -> Graph:
        """Return the undirected graph that joins each pair with an arc in either direction.

        Parameters
        ----------
        reduce : {"sum", "max", "min", "first"}
            Weight of a pair from the weights of all its arcs; with ``"first"`` that of the
            arc ``u -> v``, ``u < v``, where there is one.

        Notes
        -----
        Parallel arcs are merged with the same rule.  Undirected graphs are only coalesced.
        """
        check_choice("reduce", reduce, _REDUCE)
        if not self.directed:
            return self.coalesce(reduce)
        self.require_host("symmetrize")
        row, col = self.arc_rows(), self.indices
        backwards = row > col
        order = np.lexsort((backwards, np.maximum(row, col), np.minimum(row, col)))
        low, high = np.minimum(row, col)[order], np.maximum(row, col)[order]
        starts = _run_starts(low, high)
        weights = None
        if self.weights is not None:
            weights = _REDUCE[reduce](self.weights[order], starts)
        return Graph.from_edges(
            (low[starts], high[starts]), num_nodes=self.num_nodes, weights=weights
        )

    def to_scipy(self) -> sp.csr_array:
        """Return the adjacency as a SciPy CSR array; unweighted arcs become 1.0."""
        import scipy.sparse as sp

        self.require_host("to_scipy")
        data = np.ones(self.num_arcs) if self.weights is None else self.weights
        n = self.num_nodes
        return sp.csr_array((data, self.indices, self.indptr), shape=(n, n))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return (
            (self.directed, self.device) == (other.directed, other.device)
            and _equal(self.indptr, other.indptr)
            and _equal(self.indices, other.indices)
            and (self.weights is None) == (other.weights is None)
            and (self.weights is None or _equal(self.weights, other.weights))
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"Graph(num_nodes={self.num_nodes}, num_edges={self.num_edges}, "
            f"directed={self.directed}, weighted={self.weights is not None}, "
            f"memory={format_bytes(self.nbytes)})"
        )


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Hypergraph:
    """Hypergraph as the list of its incidences, in the caller's order.

    Labels and features that depend on (node, hyperedge) belong to rows of this list, so it is
    never sorted or merged: a node that a hyperedge names twice has two rows.

    Parameters
    ----------
    nodes, hyperedges : array of int, shape (num_incidences,)
        Node and hyperedge of each incidence.
    num_nodes, num_hyperedges : int, optional
        Counts; the largest id + 1 when left out.
    """

    nodes: Array
    hyperedges: Array
    num_nodes: int = -1
    num_hyperedges: int = -1

    def __post_init__(self) -> None:
        for ids_name, count_name in (("nodes", "num_nodes"), ("hyperedges", "num_hyperedges")):
            ids = check_ids(ids_name, getattr(self, ids_name)).astype(np.int64, copy=False)
            count = getattr(self, count_name)
            if count == -1:
                count = int(ids.max()) + 1 if len(ids) else 0
            count = check_count(count_name, count)
            bad = native.first_bad_id(ids, ids, count)
            if bad >= 0:
                raise GraphFormatError(
                    f"{ids_name} must be in [0, {count}), got {ids[bad]} at incidence {bad}"
                )
            object.__setattr__(self, ids_name, _frozen(ids))
            object.__setattr__(self, count_name, count)
        if len(self.nodes) != len(self.hyperedges):
            raise GraphFormatError(
                "nodes and hyperedges must have one length, "
                f"got {len(self.nodes)} and {len(self.hyperedges)}"
            )

    @property
    def num_incidences(self) -> int:
        """Number of (node, hyperedge) rows."""
        return len(self.nodes)

    @cached_property
    def by_node(self) -> tuple[Array, Array]:
        """``(indptr, incidences)``: the rows of each node, in the caller's order."""
        return _group(self.nodes, self.num_nodes)

    @cached_property
    def by_hyperedge(self) -> tuple[Array, Array]:
        """``(indptr, incidences)``: the rows of each hyperedge, in the caller's order."""
        return _group(self.hyperedges, self.num_hyperedges)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Hypergraph):
            return NotImplemented
        return (
            (self.num_nodes, self.num_hyperedges) == (other.num_nodes, other.num_hyperedges)
            and np.array_equal(self.nodes, other.nodes)
            and np.array_equal(self.hyperedges, other.hyperedges)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        memory = format_bytes(self.nodes.nbytes + self.hyperedges.nbytes)
        return (
            f"Hypergraph(num_nodes={self.num_nodes}, num_hyperedges={self.num_hyperedges}, "
            f"num_incidences={self.num_incidences}, memory={memory})"
        )


def build_csr(row: Array, col: Array, num_nodes: int, *, mirror: bool) -> tuple[Graph, Array]:
    """Bucket-sort entries into a CSR pattern.

    Parameters
    ----------
    row, col : array of int32 or int64, shape (m,)
        Ends of each entry, in range.
    mirror : bool
        Store each entry that is no loop in both rows; the pattern is then undirected.

    Returns
    -------
    (Graph, array of int64)
        The unweighted pattern, and for each of its arcs the entry that it came from.  Equal
        columns of a row stand in the order of their entries.
    """
    index = _index_dtype(num_nodes)
    if index is np.int64:
        row, col = row.astype(np.int64, copy=False), col.astype(np.int64, copy=False)
    build = native.coo_to_csr32 if index is np.int32 else native.coo_to_csr64
    indptr, indices, entry = build(row, col, num_nodes, mirror, requested_threads())
    return Graph._trusted(indptr, indices, None, not mirror), entry


def format_bytes(count: float) -> str:
    """Return a byte count for people: 1.5 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _end_arrays(edges: Any) -> tuple[Array, Array]:
    if isinstance(edges, tuple) and len(edges) == 2 and np.ndim(edges[0]) == 1:
        row, col = check_ids("edges[0]", edges[0]), check_ids("edges[1]", edges[1])
        if len(row) != len(col):
            raise ValueError(
                f"edges must be two arrays of one length, got {len(row)} and {len(col)}"
            )
    else:
        pairs = np.asarray(edges)
        if pairs.size == 0:
            pairs = pairs.reshape(0, 2)
        pairs = check_ids("edges", pairs, ndim=2)
        if pairs.shape[1] != 2:
            raise ValueError(f"edges must have shape (m, 2), got {pairs.shape}")
        row, col = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    if row.dtype != col.dtype:
        row, col = row.astype(np.int64), col.astype(np.int64)
    return row, col


def _run_starts(row: Array, col: Array) -> Array:
    """Return the first position of each run of equal (row, col)."""
    if len(row) == 0:
        return np.zeros(0, np.int64)
    change = (row[1:] != row[:-1]) | (col[1:] != col[:-1])
    return np.concatenate(([0], np.flatnonzero(change) + 1))


def _group(ids: Array, count: int) -> tuple[Array, Array]:
    indptr = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(ids, minlength=count), out=indptr[1:])
    return _frozen(indptr), _frozen(np.argsort(ids, kind="stable"))
