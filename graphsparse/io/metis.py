"""METIS graph files: line i names the neighbours of node i, counted from 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from graphsparse.backend import native
from graphsparse.errors import GraphFormatError
from graphsparse.graph import Graph
from graphsparse.io.assemble import EdgeTable, assemble
from graphsparse.io.options import Array, ReadOptions
from graphsparse.io.pieces import Piece, join
from graphsparse.io.streams import PathLike, create_text, open_bytes
from graphsparse.io.text import LineMap, TextReader

OPTIONS = frozenset({"weight"})
_MOST_NODE_WEIGHTS = 1000
_ROWS_PER_WRITE = 1 << 16


class Header(NamedTuple):
    """First line of a METIS file; ``node_weights`` counts the numbers before the neighbours."""

    num_nodes: int
    num_edges: int
    node_weights: int
    weighted: bool


def read(source: PathLike | BinaryIO, options: ReadOptions) -> tuple[Graph, dict[str, object]]:
    """Read an undirected graph; the weights of nodes are checked and reported, not kept."""
    with open_bytes(source) as opened:
        reader, lines = TextReader(opened, long_lines=True), LineMap()
        header = _read_header(reader)
        u, v, weights = join(list(_pieces(reader, lines, header)))
    n = header.num_nodes
    if options.num_nodes not in (None, n):  # that the header does not lie is known: a line each
        raise GraphFormatError(
            f"{reader.name}: expected num_nodes={options.num_nodes} as asked, got {n}"
        )
    loops = int(np.count_nonzero(u == v))
    if len(u) + loops != 2 * header.num_edges:
        raise GraphFormatError(
            f"{reader.name}: expected {header.num_edges} edges as the header declares, "
            f"got {len(u)} neighbours, {loops} of them self-loops, which is "
            f"{(len(u) + loops) / 2:g} edges"
        )
    table = EdgeTable(
        u=u,
        v=v,
        weights=None if options.weight is None else weights,
        num_nodes=n,
        directed=False,
        directed_by="file",
        where=lambda entry: f"{reader.name}:{lines.line(int(u[entry]))}",
        both_directions=True,
        loops="error",
        report={"comments": reader.comments, "ignored": _ignored(header)},
    )
    graph, done = assemble(table, options)
    if options.directed:
        graph = Graph._trusted(graph.indptr, graph.indices, graph.weights, True)
        done["directed"], done["directed_by"] = True, "option"
    return graph, done


def stream(source: PathLike | BinaryIO, options: ReadOptions) -> Iterator[Piece]:
    """Yield ``(u, v, weights)`` of the neighbours, both directions, piece by piece."""
    with open_bytes(source) as opened:
        reader = TextReader(opened, long_lines=True)
        for u, v, weights in _pieces(reader, LineMap(), _read_header(reader)):
            yield u, v, None if options.weight is None else weights


def _ignored(header: Header) -> tuple[str, ...]:
    count = header.node_weights
    return (f"{count} weight{'s' * (count > 1)} of each node",) if count else ()


def _read_header(reader: TextReader) -> Header:
    while (line := reader.take_line()) is not None:
        if line.strip() and not line.lstrip().startswith(b"%"):
            break
        reader.comments += bool(line.strip())
    if line is None:
        reader.fail("expected a header of nodes and edges, got the end of the file")
    words = line.split()
    at = reader.line - 1
    if not 2 <= len(words) <= 4 or not all(word.isdigit() and len(word) < 19 for word in words):
        reader.fail(f"expected nodes, edges and perhaps fmt and ncon, got {line[:60]!r}", at)
    fmt = words[2].decode().zfill(3) if len(words) > 2 else "000"
    if len(fmt) > 3 or set(fmt) - {"0", "1"}:
        reader.fail(f"expected fmt of up to three digits 0 or 1, got {fmt!r}", at)
    sizes, node_weighted, weighted = (digit == "1" for digit in fmt)
    ncon = int(words[3]) if len(words) > 3 else int(node_weighted)
    if ncon > _MOST_NODE_WEIGHTS or (ncon > 0) != node_weighted:
        reader.fail(
            f"expected ncon to fit fmt {fmt} and {_MOST_NODE_WEIGHTS} at most, got {ncon}", at
        )
    return Header(int(words[0]), int(words[1]), sizes + ncon, weighted)


def _pieces(reader: TextReader, lines: LineMap, header: Header) -> Iterator[Piece]:
    n = header.num_nodes
    parse = native.parse_rows32 if n <= 2**31 - 1 else native.parse_rows64
    while size := reader.next_piece():
        counts, v, weights, (skips, comments, *fault) = parse(
            reader.buffer, size, n, lines.rows, header.node_weights, header.weighted
        )
        if fault[0]:
            reader.fail_at(tuple(fault), base=1, columns=n, limit=f"the header declares {n} nodes")
        u: Array = np.repeat(np.arange(lines.rows, lines.rows + len(counts), dtype=v.dtype), counts)
        lines.add(reader.line, len(counts), skips)
        reader.comments += comments
        reader.consume(size, len(counts) + len(skips))
        if len(u):
            yield u, v, weights
    if lines.rows < n:
        reader.fail(f"expected {n} node lines, got the end of the file after {lines.rows}")


def write(graph: Graph, path: PathLike) -> None:
    """Write an undirected graph without self-loops; weights must be positive integers."""
    if graph.directed:
        raise ValueError("METIS files hold undirected graphs, got a directed one")
    if graph.num_self_loops or graph.has_parallel_edges:
        raise ValueError(
            "METIS files hold no self-loops and no parallel edges, "
            f"got {graph.num_self_loops} self-loops, parallel edges: {graph.has_parallel_edges}"
        )
    weights = np.zeros(0, np.int64)
    if graph.weights is not None:
        wrong = (graph.weights != np.rint(graph.weights)) | (graph.weights < 1)
        wrong |= graph.weights >= 2.0**53
        if wrong.any():
            at = int(np.argmax(wrong))
            raise ValueError(
                f"METIS weights must be positive integers, got {graph.weights[at]} at arc {at}"
            )
        weights = graph.weights.astype(np.int64)
    with create_text(path) as file:
        fmt = "" if graph.weights is None else " 1"
        file.write(f"{graph.num_nodes} {graph.num_edges}{fmt}\n".encode())
        for start in range(0, graph.num_nodes, _ROWS_PER_WRITE):
            rows = graph.indptr[start : start + _ROWS_PER_WRITE + 1]
            file.write(native.format_rows(rows, graph.indices, weights))
