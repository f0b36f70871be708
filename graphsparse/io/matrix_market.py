"""Matrix Market coordinate files: general or symmetric; pattern, integer or real."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.graph import Graph
from graphsparse.io.assemble import EdgeTable, assemble, check_declared
from graphsparse.io.options import ReadOptions
from graphsparse.io.pieces import Piece, join
from graphsparse.io.streams import PathLike, create_text, open_bytes
from graphsparse.io.text import LineMap, TextReader

OPTIONS = frozenset({"weight"})
_ROWS_PER_WRITE = 1 << 18
_BANNER = (
    ("object", ("matrix",)),
    ("layout", ("coordinate",)),
    ("field", ("pattern", "integer", "real", "double")),
    ("symmetry", ("general", "symmetric")),
)
_WHY_NOT = {
    "vector": "; a graph is a matrix",
    "array": "; a dense matrix is no edge list",
    "complex": "; weights are real numbers",
    "hermitian": "; weights are real numbers",
    "skew-symmetric": "; its two directions differ in sign, which general entries can say",
}


def read(source: PathLike | BinaryIO, options: ReadOptions) -> tuple[Graph, dict[str, object]]:
    """Read a square matrix as a graph: symmetric is undirected, general is directed."""
    with open_bytes(source) as opened:
        reader, lines = TextReader(opened), LineMap()
        field, symmetric = _read_banner(reader)
        n, entries = _read_sizes(reader)
        u, v, weights = join(list(_pieces(reader, lines, n, entries, field)))
    check_declared(reader.name, n, options.num_nodes, reader.bytes_read)
    asked = options.directed
    table = EdgeTable(
        u=u,
        v=v,
        weights=None if options.weight is None else weights,
        num_nodes=n,
        directed=not symmetric and asked is not False,
        directed_by="file" if asked is None else "option",
        where=lambda row: f"{reader.name}:{lines.line(row)}",
        report={"comments": reader.comments},
    )
    graph, done = assemble(table, options)
    if asked and symmetric:
        graph = Graph._trusted(graph.indptr, graph.indices, graph.weights, True)
        done["directed"] = True
    return graph, done


def stream(source: PathLike | BinaryIO, options: ReadOptions) -> Iterator[Piece]:
    """Yield ``(u, v, weights)`` of the stored entries, piece by piece, ids from 0."""
    with open_bytes(source) as opened:
        reader = TextReader(opened)
        field, _ = _read_banner(reader)
        n, entries = _read_sizes(reader)
        for u, v, weights in _pieces(reader, LineMap(), n, entries, field):
            yield u, v, None if options.weight is None else weights


def _read_banner(reader: TextReader) -> tuple[str, bool]:
    """Return the field, and whether the matrix is symmetric."""
    line = (reader.take_line() or b"").decode("utf-8", "replace")
    words = line.lower().split()
    # one percent sign is wrong, but stands in real files
    if len(words) != 5 or words[0] not in ("%%matrixmarket", "%matrixmarket"):
        reader.fail(
            f"expected '%%MatrixMarket matrix coordinate FIELD SYMMETRY', got {line[:60]!r}",
            line=1,
        )
    for word, (name, known) in zip(words[1:], _BANNER, strict=True):
        if word not in known:
            reader.fail(
                f"expected {name} {' or '.join(known)}, got {word!r}{_WHY_NOT.get(word, '')}",
                line=1,
            )
    return words[3], words[4] == "symmetric"


def _read_sizes(reader: TextReader) -> tuple[int, int]:
    while (line := reader.take_line()) is not None:
        if not line.strip() or line.lstrip().startswith(b"%"):
            reader.comments += bool(line.strip())
            continue
        words = line.split()
        if len(words) != 3 or not all(word.isdigit() and len(word) < 19 for word in words):
            reader.fail(f"expected rows, columns and entries, got {line[:60]!r}", reader.line - 1)
        rows, columns, entries = map(int, words)
        if rows != columns:
            reader.fail(f"expected a square matrix, got {rows} x {columns}", reader.line - 1)
        return rows, entries
    reader.fail("expected rows, columns and entries, got the end of the file")


def _pieces(
    reader: TextReader, lines: LineMap, n: int, entries: int, field: str
) -> Iterator[Piece]:
    count = 2 if field == "pattern" else 3
    columns = [0, 1, count - 1 if count == 3 else -1]
    while size := reader.next_piece():
        u, v, weights, (skips, comments, *fault) = native.parse_edges(
            reader.buffer, size, 0, count, columns, 2, 1, n, requested_threads()
        )
        if fault[0]:
            reader.fail_at(
                tuple(fault), base=1, columns=count, limit=f"the header declares {n} nodes"
            )
        lines.add(reader.line, len(u), skips)
        if lines.rows > entries:
            reader.fail(f"expected {entries} entries, got another", lines.line(entries))
        if field == "integer" and (broken := weights != np.rint(weights)).any():
            row = int(np.argmax(broken))
            at = lines.line(lines.rows - len(u) + row)
            reader.fail(f"expected an integer weight, got {weights[row]}", at)
        reader.comments += comments
        reader.consume(size, len(u) + len(skips))
        if len(u):
            yield u, v, weights
    if lines.rows < entries:
        reader.fail(f"expected {entries} entries, got the end of the file after {lines.rows}")


def write(graph: Graph, path: PathLike) -> None:
    """Write a coordinate matrix: undirected graphs as symmetric, directed ones as general."""
    u, v = graph.edges()
    if not graph.directed:
        u, v = v, u  # a symmetric file holds the lower triangle: row >= column
    weights = graph.edge_weights()
    field = "pattern" if weights is None else "real"
    symmetry = "general" if graph.directed else "symmetric"
    n = graph.num_nodes
    with create_text(path) as file:
        file.write(f"%%MatrixMarket matrix coordinate {field} {symmetry}\n".encode())
        file.write(f"{n} {n} {len(u)}\n".encode())
        for start in range(0, len(u), _ROWS_PER_WRITE):
            part = slice(start, start + _ROWS_PER_WRITE)
            real = np.zeros(0) if weights is None else weights[part].astype(np.float64)
            file.write(native.format_edges(u[part], v[part], real, 1, ord(" ")))
