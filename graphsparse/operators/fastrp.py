"""FastRP: node embeddings by very sparse random projection of random-walk powers."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphsparse.convert import as_graph
from graphsparse.sketch import FastRPOptions, FastRPState, embed, embed_shards
from graphsparse.sketch.projection import check_inputs

Array = np.ndarray[Any, np.dtype[Any]]


def fastrp(
    graph: Any,
    dim: int = 256,
    *,
    weights: Sequence[float] = (0.0, 0.0, 1.0, 6.67),
    beta: float = -0.5,
    s: float | str = 3.0,
    projection: Any = "sparse",
    matrix: str = "transition",
    row_norm: str | None = "merge",
    standardize: bool = True,
    combine: str = "sum",
    self_influence: float = 0.0,
    features: Any = None,
    feature_ratio: float = 0.0,
    degree: str = "out",
    degree_scale: str = "plain",
    dangling: str = "zero",
    direction: str = "out",
    add_self_loops: bool = False,
    allow_negative: bool = False,
    node_ids: Any = None,
    seed: int = 42,
    dtype: str = "float32",
    storage_dtype: str | None = None,
    n_threads: int | None = None,
    out: str | Path | Array | None = None,
    shard_dim: int = 64,
) -> Array:
    """Return one vector per node: close for nodes whose random walks go to the same places.

    ``sum_k weights[k] * N(U_k)`` with ``U_k = M^k L R``: powers of the transition matrix ``M``,
    degree factors ``L`` and a random matrix ``R`` whose rows depend on seed and node id alone.

    Parameters
    ----------
    graph : Graph, PyG Data, edge_index, SciPy matrix, torch sparse tensor, networkx graph
        ``n`` nodes; parallel edges are summed.
    dim : int
        Columns ``d`` of the result.
    weights : sequence of float
        ``alpha_1 .. alpha_q`` of the powers; edge weights live in the graph.
    beta : float
        Exponent of the degree factor: 0 leaves hubs their weight, -1 takes it away.
    s : float or "auto"
        An entry of ``R`` is not zero with probability ``1 / s``; 1 <= s <= 2^31.  "auto" is
        ``max(1, min(sqrt(n), d / 8))``.
    projection : {"sparse", "gaussian"} or array of shape (n, dim)
        Kind of ``R``, or ``R`` itself.
    matrix : {"transition", "adjacency"}
        ``M = D^-1 A`` or ``M = A``.
    row_norm : {"merge", "loop", None}
        Rows of length 1 when powers are added up; after every step (the variant of Neo4j GDS
        and Cleora, whose degree factor counts arcs); or nowhere.
    standardize : bool
        Columns of mean 0 and population deviation 1; constant ones become 0.
    combine : {"sum", "concat"}
        Add the powers, or put all of them side by side: ``(n, q * dim)``, not standardised;
        of ``weights`` only the number counts then.
    self_influence : float
        Weight of ``N(L R)`` itself, so that isolated nodes get a vector, too.
    features : array or sparse matrix, shape (n, f), optional
        Node properties.
    feature_ratio : float
        The last ``floor(feature_ratio * dim)`` columns start from ``features`` times random signs.
    degree : {"out", "in", "total"}
        Degree of the factor ``L``, for directed graphs.
    degree_scale : {"plain", "paper"}
        ``d ** beta``, or ``(d / 2m) ** beta``.
    dangling : {"zero", "self"}
        What a walk does at a node without out-arcs: end, or stay.
    direction : {"out", "in", "both", "undirected"}
        Walk along arcs, against them, the mean of both, or along ``A + A^T``.
    add_self_loops : bool
        Add a loop of weight 1 to every node.
    allow_negative : bool
        Take negative weights; degrees are then sums of magnitudes.
    node_ids : array of int64, shape (n,), optional
        Stable ids: a node keeps its random row when others come and go.  Row numbers when
        left out.
    seed : int
        64 bits, signed or not.
    dtype : {"float32", "float64"}
        What is computed with and returned.
    storage_dtype : {None, "bfloat16"}
        Keep powers in half the memory; sums stay float32.
    n_threads : int, optional
        Threads, 0 for all; the setting of :func:`graphsparse.set_num_threads` when left out.
    out : path of a .npy file, or array, optional
        Compute out of core, ``shard_dim`` columns at a time, into this file or array.
    shard_dim : int
        Columns of a shard; a multiple of 4.

    Returns
    -------
    array of shape (n, dim)
        The same bits for any number of threads.  With ``out`` a path, a memory map of it; for a
        graph on the GPU a CuPy array, within 1e-5 of the CPU's.

    Raises
    ------
    ValueError
        For an option out of range, a graph with negative weights, ids that are not unique, or
        properties that are missing or not finite; the message names what came.

    BackendError
        On a graph of the GPU for ``dim`` above 512, ``storage_dtype``, ``direction="both"`` and
        ``out``, which run on the CPU only.

    Warns
    -----
    UserWarning
        If nodes have no signal at all and ``self_influence`` is 0.

    Notes
    -----
    O(q * nnz * dim) time.  At most three matrices of ``n * dim`` numbers in memory, the result
    included; :func:`graphsparse.sketch.estimate_memory` tells before.

    References
    ----------
    H. Chen, S. F. Sultan, Y. Tian, M. Chen, S. Skiena, Fast and Accurate Network Embeddings via
    Very Sparse Random Projection, CIKM 2019, arXiv:1908.11512.

    Examples
    --------
    >>> from graphsparse import Graph
    >>> graph = Graph.from_edges([(0, 1), (0, 2), (1, 2), (2, 3)])
    >>> start = [[1, 0], [0, 1], [-1, 1], [1, -1]]
    >>> fastrp(graph, 2, weights=(1, 2), projection=start, standardize=False).round(4)
    array([[1.505 , 1.4892],
           [1.1347, 2.7539],
           [0.0474, 1.5972],
           [1.2641, 0.3689]], dtype=float32)
    """
    given = not isinstance(projection, str)
    options = FastRPOptions(
        dim=dim, weights=weights, beta=beta, s=s, projection="given" if given else projection,
        matrix=matrix, row_norm=row_norm, standardize=standardize, combine=combine,
        self_influence=self_influence, feature_ratio=feature_ratio, degree=degree,
        degree_scale=degree_scale, dangling=dangling, direction=direction,
        add_self_loops=add_self_loops, allow_negative=allow_negative, seed=seed, dtype=dtype,
        storage_dtype=storage_dtype, n_threads=n_threads,
    )  # fmt: skip
    start = projection if given else None
    return run_fastrp(graph, options, node_ids, features, start, out, shard_dim).embedding


def run_fastrp(
    graph: Any,
    options: FastRPOptions,
    node_ids: Any = None,
    features: Any = None,
    start: Any = None,
    out: Any = None,
    shard_dim: int = 64,
    *,
    keep_powers: bool = False,
) -> FastRPState:
    """Return the state of a run: :func:`fastrp` with its options checked."""
    simple = as_graph(graph)
    inputs = check_inputs(options, simple.num_nodes, node_ids, features, start)
    if out is not None and keep_powers:
        raise ValueError("keep_powers must be False with out=..., got True")
    if out is not None:
        state = embed_shards(simple, options, inputs, out, shard_dim=shard_dim)
    else:
        state = embed(simple, options, inputs, keep_powers=keep_powers)
    if state.num_zero_rows and options.self_influence == 0.0:
        warnings.warn(
            f"{state.num_zero_rows} of {simple.num_nodes} nodes have no signal (no walk leaves "
            "them, or their projected neighbourhoods are zero); self_influence > 0 gives isolated "
            "nodes a vector",
            stacklevel=3,
        )
    return state


class FastRP:
    """:func:`fastrp` with the face of an estimator.

    Parameters
    ----------
    dim : int
        Columns of the result.
    **options
        Keyword options of :func:`fastrp`.

    Attributes
    ----------
    state_ : FastRPState
        Embedding, degree factors, column statistics, number of zero rows, times; powers if asked
        for.  Made by :meth:`fit`.

    Examples
    --------
    >>> from graphsparse import Graph
    >>> model = FastRP(dim=8, seed=7)
    >>> model.fit_transform(Graph.from_edges([(0, 1), (1, 2), (2, 0)])).shape
    (3, 8)
    >>> model.state_.num_zero_rows
    0
    """

    def __init__(self, dim: int = 256, **options: Any) -> None:
        known = inspect.signature(fastrp).parameters
        unknown = sorted(options.keys() - (known.keys() - {"graph", "dim"}))
        if unknown:
            raise TypeError(f"options must be those of fastrp, got {', '.join(unknown)}")
        self._inputs: dict[str, Any] = {
            name: options.pop(name)
            for name in ("node_ids", "features", "out", "shard_dim")
            if name in options
        }
        if not isinstance(options.get("projection", "sparse"), str):
            self._inputs["start"] = options["projection"]
            options["projection"] = "given"
        self.options = FastRPOptions(dim=dim, **options)

    def fit(self, graph: Any, *, keep_powers: bool = False) -> FastRP:
        """Compute ``state_``; with ``keep_powers`` it holds ``U_1 .. U_q``."""
        self.state_ = run_fastrp(graph, self.options, **self._inputs, keep_powers=keep_powers)
        return self

    def fit_transform(self, graph: Any) -> Array:
        """Return the embedding of a graph."""
        return self.fit(graph).state_.embedding

    def __repr__(self) -> str:
        return f"FastRP({self.options!r})"
