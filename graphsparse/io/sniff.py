"""What an edge list looks like, told from its first lines: delimiter, header, columns, ids."""

from __future__ import annotations

import dataclasses
import re

from graphsparse.io.options import Column, ReadOptions
from graphsparse.io.tables import Declared
from graphsparse.io.text import TextReader

SOURCE = ("source", "src", "from", "u", "node1", "node_1", "id1", "head", "fromnodeid", "i")
TARGET = ("target", "dst", "to", "v", "node2", "node_2", "id2", "tail", "tonodeid", "j")
WEIGHT = ("weight", "w", "weights", "value")
MARK = "# graphsparse"  # first line of the lists that we write: nodes=5 directed=no


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the lines of an edge list are built.

    ``delimiter`` is "" for runs of blanks; ``columns`` holds source, target and weight (-1: none);
    ``declared`` what a list of ours says of itself.
    """

    delimiter: str
    num_columns: int
    columns: tuple[int, int, int]
    header: tuple[str, ...] | None
    named: bool
    declared: Declared

    def unused(self) -> list[str | int]:
        """Return the names, or numbers, of the columns that the graph has no place for."""
        rest = [i for i in range(self.num_columns) if i not in self.columns]
        return [self.header[i] if self.header else i for i in rest]


def split_line(line: str, delimiter: str) -> list[str]:
    """Split a line into fields, blanks and quotes taken off."""
    if delimiter == "" and '"' not in line:
        return line.split()
    fields: list[str] = []
    rest = line.strip(" " if delimiter == "\t" else " \t")
    while True:
        if rest.startswith('"'):
            stop = rest.find('"', 1)
            while stop > 0 and rest[stop + 1 : stop + 2] == '"':
                stop = rest.find('"', stop + 2)
            if stop < 0:
                return [*fields, rest]
            field, rest = rest[1:stop].replace('""', '"'), rest[stop + 1 :].lstrip(" ")
            more = bool(rest) if delimiter == "" else rest.startswith(delimiter)
            rest = rest if delimiter == "" else rest[1:]
        elif delimiter == "":
            field, _, rest = rest.replace("\t", " ").partition(" ")
            more = bool(rest.strip())
        else:
            field, found, rest = rest.partition(delimiter)
            more = bool(found)
        fields.append(field.strip())
        if not more:
            return fields
        rest = rest.lstrip(" ") if delimiter else rest.lstrip()


def is_integer(field: str) -> bool:
    """Tell whether a field holds an integer, be it out of range."""
    return field.isascii() and field.removeprefix("-").isdigit()


def _first_lines(text: bytes, comments: tuple[str, ...]) -> list[str]:
    """Return the first two lines with data."""
    lines: list[str] = []
    for raw in text.split(b"\n"):
        line = raw.decode("utf-8", "replace").strip("\r")
        if line.strip() and not line.lstrip().startswith(comments):
            lines.append(line)
            if len(lines) == 2:
                break
    return lines


def _skip_comments(reader: TextReader, comments: tuple[str, ...]) -> None:
    """Consume a preamble of comments and empty lines, however long."""
    marks = "|".join(re.escape(mark) for mark in comments).encode()
    comment = re.compile(rb"(?m)^[ \t]*(?:" + marks + rb")") if marks else re.compile(rb"(?!)")
    other = re.compile(rb"(?m)^(?!" + comment.pattern.removeprefix(rb"(?m)^") + rb")[ \t]*\S")
    while size := reader.next_piece():
        text = bytes(reader.buffer[:size])
        found = other.search(text)
        stop = found.start() if found else size
        reader.comments += len(comment.findall(text, 0, stop))
        reader.consume(stop, text.count(b"\n", 0, stop))
        if found:
            return


def _declared(reader: TextReader) -> Declared:
    """Return what the first line of a list of ours says."""
    first = reader.head().split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    if not first.startswith(MARK + " "):
        return Declared()
    told = dict(word.partition("=")[::2] for word in first[len(MARK) :].split())
    nodes, directed = told.get("nodes", ""), told.get("directed")
    if not (nodes.isascii() and nodes.isdigit() and len(nodes) < 19) or directed not in (
        "yes",
        "no",
    ):
        reader.fail(f"expected '{MARK} nodes=COUNT directed=yes' or no, got {first[:60]!r}")
    return Declared(int(nodes), directed == "yes", told.get("parallel") == "yes")


def _find_delimiter(line: str, suffix: str) -> str:
    line = re.sub('"[^"]*"', "quoted", line)
    if suffix == ".tsv":
        return "\t"
    if suffix == ".csv":
        return ";" if ";" in line and "," not in line else ","
    if "\t" in line and len(line.split("\t")) != len(line.split()):
        return "\t"
    for mark in ",;|":
        if mark in line:
            return mark
    return ""


def _has_header(first: list[str], second: list[str] | None, ends: tuple[int, int] | None) -> bool:
    names = {field.lower() for field in first}
    if names & set(SOURCE) and names & set(TARGET):
        return True
    if second is None:
        return False
    at = ends or (0, 1)
    if max(at) >= min(len(first), len(second)):
        return False
    return not any(is_integer(first[i]) for i in at) and all(is_integer(second[i]) for i in at)


def _position(reader: TextReader, column: Column, header: list[str] | None, count: int) -> int:
    if isinstance(column, int):
        if not 0 <= column < count:
            reader.fail(f"expected a column {column}, got {count} columns (counted from 0)")
        return column
    if header is None:
        reader.fail(f"expected a header with a column {column!r}, got no header")
    names = [name.lower() for name in header]
    if column.lower() not in names:
        reader.fail(f"expected a column {column!r}, got the columns {header}")
    return names.index(column.lower())


def _known(header: list[str] | None, names: tuple[str, ...], otherwise: int) -> int:
    lowered = [name.lower() for name in header or ()]
    return next((lowered.index(name) for name in names if name in lowered), otherwise)


def _weight_column(
    reader: TextReader, options: ReadOptions, header: list[str] | None, count: int, ends: set[int]
) -> int:
    if options.weight is None:
        return -1
    if options.weight != "auto":
        return _position(reader, options.weight, header, count)
    if header is not None:
        return _known(header, WEIGHT, -1)
    if count > 3:
        reader.fail(
            f"expected 2 or 3 columns, or a header that names them, got {count}; "
            "weight=2 or weight=None says which column is the weight"
        )
    return ({0, 1, 2} - ends).pop() if count == 3 else -1


def find_layout(reader: TextReader, options: ReadOptions, suffix: str) -> Layout:
    """Find out how the lines of an edge list are built, from the options and its first lines."""
    declared, lines = _declared(reader), _first_lines(reader.head(), options.comments)
    if not lines:  # nothing but comments in sight
        _skip_comments(reader, options.comments)
        lines = _first_lines(reader.head(), options.comments)
    if not lines:
        return Layout("", 2, (0, 1, -1), None, False, declared)
    given = options.delimiter
    delimiter = _find_delimiter(lines[0], suffix) if given is None else given.replace(" ", "")
    rows = [split_line(line, delimiter) for line in lines]
    fixed = options.columns
    ends = (fixed[0], fixed[1]) if fixed and all(isinstance(c, int) for c in fixed) else None
    has_header = options.header
    if has_header is None:
        has_header = _has_header(rows[0], rows[1] if len(rows) > 1 else None, ends)  # type: ignore[arg-type]
    header = rows[0] if has_header else None
    data = rows[-1] if has_header and len(rows) > 1 else rows[0]
    count = len(header or data)
    if count < 2:
        reader.fail(f"expected two node ids and perhaps a weight, got {lines[0][:40]!r}")
    source, target = _known(header, SOURCE, -1), _known(header, TARGET, -1)
    if fixed is not None:
        source, target = (_position(reader, column, header, count) for column in fixed)
    elif min(source, target) < 0:
        source, target = 0, 1
    if source == target:
        reader.fail(f"expected two columns of node ids, got column {source} twice")
    weight = _weight_column(reader, options, header, count, {source, target})
    named = options.ids == "string"
    if options.ids == "auto" and max(source, target) < len(data) and len(rows) > bool(header):
        named = not (is_integer(data[source]) and is_integer(data[target]))
    return Layout(
        delimiter,
        count,
        (source, target, weight),
        tuple(header) if header else None,
        named,
        declared,
    )
