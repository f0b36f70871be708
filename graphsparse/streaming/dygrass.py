"""A spectral sparsifier that follows a changing graph."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any, Literal

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.checks import check_choice, check_count, check_seed
from graphsparse.graph import Graph
from graphsparse.linalg import ConditionNumber, condition_number
from graphsparse.streaming.batch import BadUpdate, EdgeBatch
from graphsparse.streaming.device_walks import DeviceWalks, Transfers
from graphsparse.streaming.options import (
    DygrassOptions,
    check_threshold,
    native_rules,
    paper,
)
from graphsparse.streaming.report import BatchReport, read_log
from graphsparse.streaming.start import (
    MOST_NODES,
    auto_threshold,
    check_components,
    load_store,
    simple_edges,
    store_graph,
    subgraph_mask,
)
from graphsparse.streaming.state import pack_state, read_state

_MOST_EDGES = 2**31 - 1


class DynamicSparsifier:
    """Keep a sparse sub-graph spectrally close to a graph whose edges come and go.

    An inserted edge enters the sparsifier only if random walks find no detour of resistance
    below ``K / weight`` in it; for a deleted one the best detour of the graph is put back.  The
    cost of an update does not depend on the size of the graph.

    Parameters
    ----------
    graph : Graph
        Undirected, with positive weights (conductances).  Parallel edges are merged by sum and
        self-loops left out; ``notes`` says so.
    sparsifier : Graph
        Where to start: a sub-graph with the same weights and connected components, for example
        from ``grass``.
    K : float or "auto"
        Threshold on weight times path resistance.  "auto" takes the 99th percentile of what the
        start has for the edges it lacks.
    seed : int
        Same seed, same decisions: with any number of threads, on any device.
    preset : {"default", "paper"} or DygrassOptions
        See :class:`DygrassOptions` and :func:`paper`; single fields can be given by name.
    strict : bool
        Refuse batches with self-loops or deletions of missing edges instead of counting them.
    grow : bool or int
        Let node ids above the last add isolated nodes; a number bounds the nodes.
    first_update_id : int
        Position in the life of the stream at which it starts.
    device : {"cpu", "cuda"}, optional
        Who walks; left out, the device where ``graph`` lies.  The host keeps the master copy
        and all decisions are the same.
    **options
        Fields of :class:`DygrassOptions` that differ from the preset.

    Raises
    ------
    ValueError
        If the graph is directed, the sparsifier is no sub-graph with equal weights and
        components, or an option is out of range.
    BackendError
        If CuPy, the driver, the device or NVRTC is missing for ``device="cuda"``.

    Notes
    -----
    Memory: about 48 bytes per edge of the graph for the table and 32 to 64 in its rows.  A batch
    is atomic: it is checked as a whole before anything changes.

    References
    ----------
    Y. Yuan, A. Aghdaei, Z. Feng, dyGRASS, ICCAD 2025, arXiv:2505.02741.

    Examples
    --------
    >>> square = Graph.from_edges([(0, 1), (1, 2), (2, 3)], num_nodes=4)
    >>> stream = DynamicSparsifier(square, square, K=4)
    >>> report = stream.update(inserts=[(0, 3)], deletes=[(1, 2)])
    >>> report.accepted, report.deleted, stream.graph().num_edges
    (1, 1, 3)
    """

    def __init__(
        self,
        graph: Graph,
        sparsifier: Graph,
        *,
        K: float | Literal["auto"] = "auto",
        seed: int = 0,
        preset: Literal["default", "paper"] | DygrassOptions = "default",
        strict: bool = False,
        grow: bool | int = False,
        first_update_id: int = 0,
        device: Literal["cpu", "cuda"] | None = None,
        **options: Any,
    ) -> None:
        if sparsifier is None:
            raise TypeError("sparsifier must be a Graph to start from, e.g. grass(graph, keep=0.4)")
        self._settings(K, seed, preset, strict, grow, first_update_id, options)
        edges, start = simple_edges("graph", graph), simple_edges("sparsifier", sparsifier)
        self._home = graph.device
        self._set_device(device or graph.device)
        n = graph.num_nodes
        if sparsifier.num_nodes != n:
            raise ValueError(
                f"sparsifier must have the {n} nodes of graph, got {sparsifier.num_nodes}"
            )
        mask = subgraph_mask(edges, start, n)
        check_components(n, edges, mask)
        self._notes = edges.notes + start.notes + self._options.notes()
        self._weights = "none" if graph.weights is None else str(graph.weights.dtype)
        self._store = load_store(n, edges, mask, core=self._options.space == "core")
        if self._given_threshold == "auto":
            self._threshold = auto_threshold(self._store, edges, mask, self._seed)
        self._rules = native_rules(self._options, self._threshold, self._seed)
        self._store.set_walks(self._walks)

    _home: Literal["cpu", "cuda"] = "cpu"  # where the graph given lay

    def _set_device(self, device: str) -> None:
        self._device = check_choice("device", device, ("cpu", "cuda"))
        self._walks = DeviceWalks() if device == "cuda" else None

    def _settings(
        self,
        K: float | Literal["auto"],
        seed: int,
        preset: Literal["default", "paper"] | DygrassOptions,
        strict: bool,
        grow: bool | int,
        first_update_id: int,
        options: dict[str, Any],
    ) -> None:
        self._seed = check_seed(seed)
        if not isinstance(preset, DygrassOptions):
            check_choice("preset", preset, ("default", "paper"))
            preset = paper() if preset == "paper" else DygrassOptions()
        known = {field.name for field in dataclasses.fields(DygrassOptions)}
        if unknown := sorted(options.keys() - known):
            raise TypeError(f"options must be among {', '.join(sorted(known))}, got {unknown}")
        self._options = dataclasses.replace(preset, **options)
        self._given_threshold = K
        self._threshold = 0.0 if K == "auto" else check_threshold(K)
        self._strict = bool(strict)
        self._most_nodes = _node_limit(grow)
        self._next_id = check_count("first_update_id", first_update_id, high=2**60)
        self._num_batches = 0
        self._lock = threading.Lock()
        self._broken = ""

    def update(
        self,
        batch: EdgeBatch | None = None,
        *,
        inserts: Any = None,
        deletes: Any = None,
        reweights: Any = None,
    ) -> BatchReport:
        """Apply one batch of updates.

        Only the net effect on each pair counts: first deletions, then new weights, then
        insertions, each in the order of the last operation on the pair.

        Parameters
        ----------
        batch : EdgeBatch, optional
            The updates in order.
        inserts, deletes, reweights : optional
            Instead of ``batch``: see :meth:`EdgeBatch.of`.

        Returns
        -------
        BatchReport
            Every decision, and the sizes afterwards.

        Raises
        ------
        ValueError
            If a weight or a sum of weights is out of range, or with ``strict`` for a self-loop.
        IndexError
            If a node id is not below the number of nodes and ``grow`` does not allow it.
        KeyError
            With ``strict``, if an edge to delete is missing.

        Notes
        -----
        After an error the stream is as it was.
        """
        if batch is None:
            batch = EdgeBatch.of(inserts, deletes, reweights)
        elif not isinstance(batch, EdgeBatch):
            raise TypeError(f"batch must be an EdgeBatch, got {type(batch).__name__}")
        elif any(part is not None for part in (inserts, deletes, reweights)):
            raise TypeError("give either batch or inserts, deletes and reweights, got both")
        start = time.perf_counter()
        with self._lock:
            self._check_usable()
            nodes = self._nodes_after(batch)
            net = self._store.prepare(batch.op, batch.u, batch.v, batch.w)
            self._check_net(net, batch)
            ignored = {
                "self_loops": net.loops,
                "missing": net.missing,
                "zero_inserts": net.zeros,
                "unchanged": net.unchanged,
            }
            with self._changing():
                if nodes > self._store.num_nodes:
                    self._store.grow_nodes(nodes)
                log = self._store.apply(net, self._rules, self._next_id, requested_threads())
            return self._finish(log, len(batch), ignored, start)

    def refresh(self) -> BatchReport:
        """Test every edge that the sparsifier lacks again, and add those without a detour.

        Edges were rejected because of edges that may have gone or become weaker since.  The tests
        take the next ids of the stream, one each.

        Returns
        -------
        BatchReport
        """
        start = time.perf_counter()
        with self._lock:
            self._check_usable()
            count = self._store.num_edges - self._store.num_sparsifier_edges
            with self._changing():
                log = self._store.retest(self._rules, self._next_id, requested_threads())
            return self._finish(log, count, {}, start)

    def _check_usable(self) -> None:
        if self._broken:
            raise RuntimeError(
                f"the stream stopped in the middle of a batch ({self._broken}); "
                "restore it with from_state"
            )

    def _changing(self) -> _Changing:
        return _Changing(self)

    def _finish(
        self, log: dict[str, Any], count: int, ignored: dict[str, int], start: float
    ) -> BatchReport:
        first, self._next_id = self._next_id, self._next_id + count
        self._num_batches += 1
        return BatchReport(
            first_id=first,
            num_updates=count,
            ignored=ignored,
            seconds=time.perf_counter() - start,
            num_nodes=self._store.num_nodes,
            num_edges=self._store.num_edges,
            num_sparsifier_edges=self._store.num_sparsifier_edges,
            **read_log(log),
        )

    def _nodes_after(self, batch: EdgeBatch) -> int:
        n = int(self._store.num_nodes)
        if len(batch) == 0:
            return n
        top = max(int(batch.u.max()), int(batch.v.max()))
        limit = max(n, self._most_nodes)
        if top >= limit:
            at = int(np.argmax(np.maximum(batch.u, batch.v) >= limit))
            hint = "" if self._most_nodes else "; pass grow=True to add nodes"
            raise IndexError(
                f"node ids must be below {limit}, got ({batch.u[at]}, {batch.v[at]}) "
                f"at update {at}{hint}"
            )
        return max(n, top + 1)

    def _check_net(self, net: Any, batch: EdgeBatch) -> None:
        def pair(at: int) -> tuple[int, int]:
            return int(batch.u[at]), int(batch.v[at])

        if net.first_overflow >= 0:
            at = net.first_overflow
            raise BadUpdate(
                f"the weights of an edge must add up to 1e300 at most, "
                f"got more for {pair(at)} at update {at}",
                at,
            )
        if self._store.num_rows + net.num_insertions > _MOST_EDGES:
            raise ValueError(f"the graph must have below 2^31 edges, got {_MOST_EDGES} and more")
        if self._strict and net.first_loop >= 0:
            at = net.first_loop
            raise ValueError(f"a strict stream takes no self-loop, got {pair(at)} at update {at}")
        if self._strict and net.first_missing >= 0:
            at = net.first_missing
            raise KeyError(f"edge to delete must exist, got {pair(at)} at update {at}")

    def graph(self) -> Graph:
        """Return the graph as it is now.

        Weights are float32 or float64 as in the graph given; an unweighted graph stays so while
        all weights are 1.  It lies on the device of the graph given.
        """
        return self._now(False)

    def sparsifier(self) -> Graph:
        """Return the sparsifier as it is now: a sub-graph of :meth:`graph` with equal weights."""
        return self._now(True)

    def _now(self, sparsifier: bool) -> Graph:
        with self._lock:
            self._check_usable()
            graph = store_graph(self._store, sparsifier, self._weights)
        return graph.to(self._home)

    def kappa(self, **options: Any) -> ConditionNumber:
        """Return the condition number of the graph and its sparsifier as they are now.

        Parameters
        ----------
        **options
            Passed on to :func:`graphsparse.linalg.condition_number`.
        """
        graph, sparsifier = (part.to("cpu") for part in (self.graph(), self.sparsifier()))
        return condition_number(graph, sparsifier, **options)

    def state(self) -> dict[str, Any]:
        """Return all that later decisions depend on: NumPy arrays, and one JSON text.

        ``np.savez(path, **stream.state())`` stores it; no pickle is needed to load it.
        """
        with self._lock:
            self._check_usable()
            arrays = self._store.save()
        header = {
            "seed": self._seed,
            "K": self._threshold,
            "strict": self._strict,
            "most_nodes": self._most_nodes,
            "next_id": self._next_id,
            "num_batches": self._num_batches,
            "weights": self._weights,
            "notes": list(self._notes),
            "first_free": int(arrays.pop("first_free")),
            "options": dataclasses.asdict(self._options),
        }
        return pack_state(header, arrays)

    @classmethod
    def from_state(cls, state: Any, *, device: Literal["cpu", "cuda"] = "cpu") -> DynamicSparsifier:
        """Return a stream that goes on where :meth:`state` was taken, bit for bit.

        Parameters
        ----------
        state : mapping
            What :meth:`state` returned, or the open ``.npz`` file with it.
        device : {"cpu", "cuda"}
            Who walks from now on, whoever did before.

        Raises
        ------
        ValueError
            If parts are missing, or do not fit together.
        """
        self = object.__new__(cls)
        header, arrays = read_state(state)
        self._settings(
            header["K"],
            header["seed"],
            DygrassOptions(**header["options"]),
            header["strict"],
            header["most_nodes"],
            header["next_id"],
            {},
        )
        self._set_device(device)
        self._num_batches = header["num_batches"]
        self._weights = check_choice("weights", header["weights"], ("none", "float32", "float64"))
        self._notes = tuple(header["notes"])
        self._store = native.Dygrass()
        self._store.restore(
            **arrays, first_free=header["first_free"], core=self._options.space == "core"
        )
        self._rules = native_rules(self._options, self._threshold, self._seed)
        self._store.set_walks(self._walks)
        return self

    @property
    def K(self) -> float:
        """Threshold on weight times resistance."""
        return self._threshold

    @property
    def device(self) -> str:
        """Who walks: "cpu" or "cuda"."""
        return self._device

    @property
    def transfers(self) -> Transfers | None:
        """What was copied to the GPU and back since the start; None on the CPU."""
        return self._walks.transfers if self._walks else None

    @property
    def options(self) -> DygrassOptions:
        """What decides an update."""
        return self._options

    @property
    def notes(self) -> tuple[str, ...]:
        """What was merged, left out or rounded at the start, in words."""
        return self._notes

    @property
    def next_update_id(self) -> int:
        """Position of the next update in the life of the stream."""
        return self._next_id

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return int(self._store.num_nodes)

    @property
    def node_limit(self) -> int:
        """Node ids must be below this: the number of nodes, or the bound of ``grow``."""
        return max(self.num_nodes, self._most_nodes)

    @property
    def num_edges(self) -> int:
        """Number of edges of the graph."""
        return int(self._store.num_edges)

    @property
    def num_sparsifier_edges(self) -> int:
        """Number of edges of the sparsifier."""
        return int(self._store.num_sparsifier_edges)

    @property
    def num_batches(self) -> int:
        """Number of batches so far."""
        return self._num_batches

    def __repr__(self) -> str:
        return (
            f"DynamicSparsifier(num_nodes={self.num_nodes}, num_edges={self.num_edges}, "
            f"num_sparsifier_edges={self.num_sparsifier_edges}, K={self.K:.4g}, "
            f"num_batches={self.num_batches})"
        )


class _Changing:
    """Mark the stream as broken if an exception leaves the block."""

    def __init__(self, stream: DynamicSparsifier) -> None:
        self._stream = stream

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None:
            self._stream._broken = f"{kind.__name__}: {error}"


def _node_limit(grow: bool | int) -> int:
    """Return the number of nodes up to which ids may grow; 0 if they may not."""
    if isinstance(grow, bool):
        return MOST_NODES if grow else 0
    return check_count("grow", grow, high=MOST_NODES)
