"""Edge lists: one pair of nodes per line, separated by blanks, commas, tabs or semicolons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.graph import Graph
from graphsparse.io.id_map import NameTable, check_id_map_path
from graphsparse.io.options import COMMENTS, Array, ReadOptions
from graphsparse.io.pieces import Piece, join
from graphsparse.io.sniff import MARK, Layout, find_layout
from graphsparse.io.streams import PathLike, create_text, open_bytes, source_name, split_suffix
from graphsparse.io.tables import NEEDS_NUMBERS, Origin, build
from graphsparse.io.text import LineMap, TextReader

OPTIONS = frozenset(
    {"weight", "columns", "delimiter", "header", "comments", "base", "ids", "relabel", "id_map"}
)
_NO_LIMIT = 2**63 - 1
_ROWS_PER_WRITE = 1 << 18


def read(source: PathLike | BinaryIO, options: ReadOptions) -> tuple[Graph, dict[str, Any]]:
    """Read an edge list; return the graph and what the report says of it."""
    if options.id_map is not None:
        check_id_map_path(options.id_map)
    lines, names = LineMap(), NameTable()
    with open_bytes(source) as opened:
        reader, layout = _open(opened, source, options)
        piece = join(list(_pieces(reader, layout, options, lines, names)))
    report = {
        "comments": reader.comments,
        "ignored": tuple(f"column {name!r}" for name in layout.unused()),
        "header": layout.header,
        "columns": tuple(None if column < 0 else column for column in layout.columns),
    }
    origin = Origin(
        reader.name,
        reader.bytes_read,
        lambda row: f"{reader.name}:{lines.line(row)}",
        layout.declared,
    )
    return build(piece, names.ids() if layout.named else None, origin, options, report)


def stream(source: PathLike | BinaryIO, options: ReadOptions) -> Iterator[Piece]:
    """Yield ``(u, v, weights)`` of an edge list, piece by piece."""
    with open_bytes(source) as opened:
        reader, layout = _open(opened, source, options)
        yield from _pieces(reader, layout, options, LineMap(), NameTable())


def _open(
    opened: Any, source: PathLike | BinaryIO, options: ReadOptions
) -> tuple[TextReader, Layout]:
    reader = TextReader(opened)
    return reader, find_layout(reader, options, split_suffix(source_name(source))[0])


def _pieces(
    reader: TextReader, layout: Layout, options: ReadOptions, lines: LineMap, names: NameTable
) -> Iterator[Piece]:
    if layout.named and not options.relabel:
        reader.fail(NEEDS_NUMBERS)
    if layout.header is not None:
        _skip_header(reader, options)
    marks = sum(1 << COMMENTS.index(mark) for mark in set(options.comments))
    shape = (ord(layout.delimiter or "\0"), layout.num_columns, list(layout.columns), marks)
    limit, limit_text = _limit(layout, options)
    while size := reader.next_piece():
        if layout.named:
            pool, offsets, weights, found = native.parse_names(reader.buffer, size, *shape)
        else:
            u, v, weights, found = native.parse_edges(
                reader.buffer, size, *shape, options.base, limit, requested_threads()
            )
        skips, comments, *fault = found
        if fault[0]:
            told = {"base": options.base, "limit": limit_text, "columns": layout.num_columns}
            reader.fail_at(tuple(fault), **told)
        if layout.named:
            u, v = _number(names, pool, offsets, reader, skips)
        lines.add(reader.line, len(u), skips)
        reader.comments += comments
        reader.consume(size, len(u) + len(skips))
        if len(u):
            yield u, v, weights


def _number(
    names: NameTable, pool: Array, offsets: Array, reader: TextReader, skips: Array
) -> tuple[Array, Array]:
    try:
        nodes = names.number(pool, offsets)
    except UnicodeDecodeError as error:
        here = LineMap()
        here.add(reader.line, len(offsets) // 2, skips)
        reader.fail(f"expected a name in UTF-8, got {error.object!r}", here.line(error.start // 2))
    return nodes[0::2], nodes[1::2]


def _limit(layout: Layout, options: ReadOptions) -> tuple[int, str]:
    """Return what ids must be below, and how a message says so."""
    if not options.relabel and options.num_nodes is not None:
        return options.num_nodes, f"expected node ids for num_nodes={options.num_nodes}"
    if not options.relabel and layout.declared.nodes is not None:
        return layout.declared.nodes, f"the first line declares {layout.declared.nodes} nodes"
    return _NO_LIMIT, "expected node ids below 2^63 - 1"


def _skip_header(reader: TextReader, options: ReadOptions) -> None:
    marks = tuple(mark.encode() for mark in options.comments)
    while (line := reader.take_line()) is not None:
        text = line.strip()
        if text and not text.startswith(marks):
            return
        reader.comments += bool(text)


def write(graph: Graph, path: PathLike) -> None:
    """Write an edge list: commas or tabs, with column names, by suffix; blanks otherwise.

    The first line is a comment that tells what the pairs cannot: nodes and directedness.
    """
    suffix = split_suffix(path)[0]
    delimiter = {".csv": ",", ".tsv": "\t"}.get(suffix, " ")
    weights = graph.edge_weights()
    u, v = graph.edges()
    with create_text(path) as file:
        parallel = " parallel=yes" if graph.has_parallel_edges else ""
        directed = "yes" if graph.directed else "no"
        file.write(f"{MARK} nodes={graph.num_nodes} directed={directed}{parallel}\n".encode())
        if suffix in (".csv", ".tsv"):
            header = ["source", "target"] + ["weight"] * (weights is not None)
            file.write((delimiter.join(header) + "\n").encode())
        for start in range(0, len(u), _ROWS_PER_WRITE):
            part = slice(start, start + _ROWS_PER_WRITE)
            real = np.zeros(0) if weights is None else weights[part].astype(np.float64)
            file.write(native.format_edges(u[part], v[part], real, 0, ord(delimiter)))
