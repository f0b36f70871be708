"""Our own binary format, and the matrices of ``scipy.sparse.save_npz``."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np

from graphsparse.checks import check_ids
from graphsparse.errors import GraphFormatError
from graphsparse.graph import Graph
from graphsparse.io.assemble import EdgeTable, assemble, check_declared
from graphsparse.io.options import Array, ReadOptions
from graphsparse.io.streams import PathLike, atomic_write, source_name
from graphsparse.io.zipped import load_arrays

OPTIONS = frozenset({"weight"})
VERSION = 1


def read(source: PathLike | BinaryIO, options: ReadOptions) -> tuple[Graph, dict[str, object]]:
    """Read a graph that :func:`write_graph` or ``scipy.sparse.save_npz`` wrote."""
    name, arrays = source_name(source), load_arrays(source)
    size = sum(array.nbytes for array in arrays.values())
    try:
        if "graphsparse" in arrays:
            graph = _our_graph(arrays)
            if options == ReadOptions(num_nodes=options.num_nodes):
                check_declared(name, graph.num_nodes, options.num_nodes, size)
                return graph, _as_stored(graph)
            table = _our_table(graph, options, name)
        elif "format" in arrays:
            table = _scipy_table(arrays, options, name)
        else:
            raise GraphFormatError(
                "expected the arrays of a graph (graphsparse, indptr, indices) or of a SciPy "
                f"matrix (format, shape, ...), got {sorted(arrays)}"
            )
    except (GraphFormatError, TypeError, ValueError, KeyError, OverflowError) as error:
        missing = "no array " if isinstance(error, KeyError) else ""
        raise GraphFormatError(f"{name}: {missing}{error}") from error
    check_declared(name, table.num_nodes, options.num_nodes, size)
    return assemble(table, options)


def _scalar(arrays: dict[str, Any], key: str) -> Any:
    if arrays[key].size != 1:
        raise GraphFormatError(f"{key} must be one value, got shape {arrays[key].shape}")
    return arrays[key].reshape(-1)[0].item()


def _our_graph(arrays: dict[str, Any]) -> Graph:
    version = _scalar(arrays, "graphsparse")
    if version != VERSION:
        raise GraphFormatError(f"expected version {VERSION} of the format, got {version!r}")
    directed = bool(_scalar(arrays, "directed"))
    return Graph(arrays["indptr"], arrays["indices"], arrays.get("weights"), directed)


def _as_stored(graph: Graph) -> dict[str, object]:
    return {"rows": graph.num_edges, "directed": graph.directed, "directed_by": "file"}


def _our_table(graph: Graph, options: ReadOptions, name: str) -> EdgeTable:
    u, v = graph.edges()
    weights = graph.edge_weights()
    asked = options.directed
    if asked and not graph.directed:
        u, v, weights = graph.arc_rows(), graph.indices, graph.weights
    return EdgeTable(
        u=u,
        v=v,
        weights=None if options.weight is None else weights,
        num_nodes=graph.num_nodes,
        directed=graph.directed if asked is None else asked,
        directed_by="file" if asked is None else "option",
        where=lambda row: f"{name}: edge {row}",
        duplicates="keep",
        negative="allow",
    )


def _scipy_table(arrays: dict[str, Any], options: ReadOptions, name: str) -> EdgeTable:
    form = _scalar(arrays, "format")
    form = form.decode("ascii", "replace") if isinstance(form, bytes) else str(form)
    shape = [int(extent) for extent in check_ids("shape", arrays["shape"])]
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 0:
        raise GraphFormatError(f"expected a square matrix, got shape {tuple(shape)}")
    data = arrays["data"]
    if form == "coo":
        u, v = check_ids("row", arrays["row"]), check_ids("col", arrays["col"])
    elif form in ("csr", "csc"):
        u = _rows(check_ids("indptr", arrays["indptr"]), shape[0], len(arrays["indices"]))
        v = check_ids("indices", arrays["indices"])
        u, v = (v, u) if form == "csc" else (u, v)
    else:
        raise GraphFormatError(f"expected format coo, csr or csc, got {form!r}")
    if not len(u) == len(v) == len(data) or data.ndim != 1:
        raise GraphFormatError(
            f"expected arrays of one length, got {len(u)}, {len(v)} and {data.shape}"
        )
    for ids in (u, v):
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < shape[0]:
            raise GraphFormatError(
                f"expected ids in [0, {shape[0]}), got {ids.min()} to {ids.max()}"
            )
    pattern = data.dtype == np.bool_ or options.weight is None
    return EdgeTable(
        u=u.astype(np.int64),
        v=v.astype(np.int64),
        weights=None if pattern else _real(data),
        num_nodes=shape[0],
        directed=options.directed,
        directed_by="detected" if options.directed is None else "option",
        where=lambda row: f"{name}: entry {row}",
    )


def _rows(indptr: Array, n: int, entries: int) -> Array:
    steps = np.diff(indptr)
    if len(indptr) != n + 1 or indptr[0] != 0 or indptr[-1] != entries or (steps < 0).any():
        raise GraphFormatError(
            f"expected indptr of {n + 1} entries that rise from 0 to {entries}, got {len(indptr)}"
        )
    return np.repeat(np.arange(n), steps)


def _real(data: Array) -> Array:
    if data.dtype.kind not in "iuf":
        raise GraphFormatError(f"expected real weights, got dtype {data.dtype}")
    weights = data if data.dtype == np.float32 else data.astype(np.float64)
    if not np.isfinite(weights).all():
        at = int(np.argmin(np.isfinite(weights)))
        raise GraphFormatError(f"expected finite weights, got {weights[at]} at entry {at}")
    return weights


def write(graph: Graph, path: PathLike) -> None:
    """Write the arrays of the graph, not compressed: reading them back costs a copy."""
    arrays = {
        "graphsparse": np.int64(VERSION),
        "indptr": graph.indptr,
        "indices": graph.indices,
        "directed": np.bool_(graph.directed),
    }
    if graph.weights is not None:
        arrays["weights"] = graph.weights
    with atomic_write(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
