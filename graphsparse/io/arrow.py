"""Parquet, Arrow IPC and Feather tables of edges: columns source, target and perhaps weight."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from graphsparse.errors import GraphFormatError
from graphsparse.graph import Graph
from graphsparse.io.id_map import check_id_map_path
from graphsparse.io.options import Array, Column, ReadOptions
from graphsparse.io.pieces import Piece, join
from graphsparse.io.record_batches import Tables, arrow_failures, column_values, is_parquet
from graphsparse.io.sniff import SOURCE, TARGET, WEIGHT
from graphsparse.io.streams import PathLike, atomic_write, source_name
from graphsparse.io.tables import NEEDS_NUMBERS, Declared, Origin, build

OPTIONS = frozenset({"weight", "columns", "base", "relabel", "id_map"})
_KEY = b"graphsparse"
_ROWS_PER_WRITE = 1 << 20


def read(source: PathLike | BinaryIO, options: ReadOptions) -> tuple[Graph, dict[str, Any]]:
    """Read a table of edges."""
    if options.id_map is not None:
        check_id_map_path(options.id_map)
    numbers: dict[str, int] = {}
    name = source_name(source)
    with arrow_failures(name):
        tables = Tables(source)
        origin = Origin(name, tables.size, lambda row: f"{name}: row {row}", _declared(tables))
        columns = _columns(tables, options)
        piece = join(list(_pieces(tables, columns, options, numbers)))
    names = np.array(list(numbers), dtype=object) if numbers else None
    unused = tuple(f"column {name!r}" for name in tables.schema.names if name not in columns)
    return build(piece, names, origin, options, {"columns": columns, "ignored": unused})


def stream(source: PathLike | BinaryIO, options: ReadOptions) -> Iterator[Piece]:
    """Yield ``(u, v, weights)`` of a table, a record batch at a time."""
    with arrow_failures(source_name(source)):
        tables = Tables(source)
        yield from _pieces(tables, _columns(tables, options), options, {})


def _declared(tables: Tables) -> Declared:
    stored = (tables.schema.metadata or {}).get(_KEY)
    if stored is None:
        return Declared()
    found = json.loads(stored)
    nodes = found["nodes"]
    if not isinstance(nodes, int) or nodes < 0:
        raise GraphFormatError(f"{tables.name}: expected a count of nodes, got {nodes!r}")
    return Declared(nodes, bool(found["directed"]), bool(found.get("parallel")))


def _find(tables: Tables, asked: Column | None, known: tuple[str, ...]) -> str | None:
    names: list[str] = tables.schema.names
    if asked is None:
        return next((column for column in names if column.lower() in known), None)
    found = names[asked] if isinstance(asked, int) and 0 <= asked < len(names) else asked
    if found not in names:
        raise GraphFormatError(f"{tables.name}: expected a column {asked!r}, got {names}")
    return str(found)


def _columns(tables: Tables, options: ReadOptions) -> tuple[str, str, str | None]:
    """Return the names of the columns of source, target and weight."""
    asked = options.columns or (None, None)
    source, target = _find(tables, asked[0], SOURCE), _find(tables, asked[1], TARGET)
    names = tables.schema.names
    if source is None or target is None:
        if len(names) < 2:
            raise GraphFormatError(f"{tables.name}: expected two columns of node ids, got {names}")
        source, target = names[:2]
    weight = None
    if options.weight is not None:
        weight = _find(tables, None if options.weight == "auto" else options.weight, WEIGHT)
    chosen = [column for column in (source, target, weight) if column is not None]
    if sum(names.count(column) for column in set(chosen)) != len(chosen):
        raise GraphFormatError(
            f"{tables.name}: expected columns that differ, got {chosen} of {names}"
        )
    return source, target, weight


def _pieces(
    tables: Tables,
    columns: tuple[str, str, str | None],
    options: ReadOptions,
    numbers: dict[str, int],
) -> Iterator[Piece]:
    """Yield the edges; ``numbers`` takes up names in the order of their appearance."""
    source, target, weight = columns
    row = 0
    for batch in tables.batches([column for column in columns if column is not None]):
        where = f"{tables.name}: rows from {row} on"
        ends = [column_values(batch, c, "a node id", where) for c in (source, target)]
        u, v = _number(ends, options, numbers, where)
        weights = None
        if weight is not None:
            weights = _finite(column_values(batch, weight, "a weight", where), where)
        row += len(u)
        if len(u):
            yield u, v, weights


def _number(
    ends: list[Array], options: ReadOptions, numbers: dict[str, int], where: str
) -> tuple[Array, Array]:
    """Return ids from 0: integers as they are, names by their number."""
    kinds = {ids.dtype.kind for ids in ends}
    if len(kinds) != 1 or kinds == {"f"}:
        raise GraphFormatError(f"{where}: expected ids of one kind, integers or names")
    if kinds == {"O"}:
        if not options.relabel:
            raise GraphFormatError(f"{where}: {NEEDS_NUMBERS}")
        both = np.stack(ends, axis=1).reshape(-1)
        nodes = np.array([numbers.setdefault(one, len(numbers)) for one in both], np.int64)
        return nodes[0::2], nodes[1::2]
    if len(ends[0]) and (least := int(min(ends[0].min(), ends[1].min()))) < options.base:
        raise GraphFormatError(f"{where}: expected node ids >= {options.base}, got {least}")
    return ends[0] - options.base, ends[1] - options.base


def _finite(weights: Array, where: str) -> Array:
    if weights.dtype == object:
        raise GraphFormatError(f"{where}: expected numbers as weights, got {weights[:1]}")
    if weights.dtype.kind == "i":
        weights = weights.astype(np.float64)
    finite = np.isfinite(weights)
    if not finite.all():
        raise GraphFormatError(
            f"{where}: expected finite weights, got {weights[int(np.argmin(finite))]}"
        )
    return weights


def write(graph: Graph, path: PathLike) -> None:
    """Write Parquet or Arrow IPC by suffix; node count and directedness go to its metadata."""
    import pyarrow as pa

    u, v = graph.edges()
    columns = {"source": u, "target": v}
    weights = graph.edge_weights()
    if weights is not None:
        columns["weight"] = weights
    parallel = graph.has_parallel_edges
    told = {"nodes": graph.num_nodes, "directed": graph.directed, "parallel": parallel}
    table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(told)})
    parquet = is_parquet(path)
    with atomic_write(path) as file:
        if parquet:
            import pyarrow.parquet as pq

            pq.write_table(table, file)
        else:
            with pa.ipc.new_file(pa.PythonFile(file), table.schema) as sink:
                sink.write_table(table, _ROWS_PER_WRITE)
