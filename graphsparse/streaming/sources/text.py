"""Updates from lines: CSV, TSV, blanks between fields, JSON objects; from files and pipes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from graphsparse.io.streams import PathLike, open_bytes, source_name
from graphsparse.streaming.rows import COLUMNS, Update, check_columns, named, update_of
from graphsparse.streaming.sources.line_reader import MOST_LINE, LineReader, Lines
from graphsparse.streaming.sources.lines import LineParser
from graphsparse.streaming.sources.piece import Piece, Stop, piece_of, reject

FORMS = ("csv", "tsv", "text", "jsonl")


class TextSource:
    """Updates from the lines of a file or of a pipe.

    Parameters
    ----------
    source : path or binary file
        Compressed paths are read as they are packed.
    form : {"csv", "tsv", "text", "jsonl"}
        Fields apart by commas, tabs or blanks, or one JSON object or array a line.
    columns : sequence of str, optional
        What the fields are; a first line that starts with ``op`` names them otherwise.
    follow : bool
        Wait for more at the end.
    continued : bool
        A pipe goes on where it was left; else it starts from the beginning again, and what was
        read before is passed over.
    """

    def __init__(
        self,
        source: PathLike | BinaryIO,
        form: str,
        *,
        columns: str | Sequence[str] | None = None,
        follow: bool = False,
        continued: bool = False,
    ) -> None:
        self.name = source_name(source)
        self._source, self._form, self._follow = source, form, follow
        self._given = None if columns is None else check_columns(columns)
        self._skip = not continued
        self._pipe = None
        if not isinstance(source, str | os.PathLike) and not source.seekable():
            self._pipe = source.fileno()

    def pieces(self, offset: Any, size: int, seconds: float, stop: Stop) -> Iterator[Piece]:
        """Yield what comes after an offset; comments and empty lines are no rows."""
        order = self._given or COLUMNS
        if offset is not None:
            order = tuple(offset["columns"])
        with open_bytes(self._source) as raw:
            reader = LineReader(raw, offset, skip=self._skip, follow=self._follow, pipe=self._pipe)
            for part in reader.portions(size, seconds, stop):
                if self._given is None and part.first == 1 and self._form != "jsonl":
                    order = self._header(part, order)
                piece = self._piece(part, order, {**part.offset, "columns": list(order)})
                if piece.read:
                    yield piece

    def _header(self, part: Lines, order: tuple[str, ...]) -> tuple[str, ...]:
        """Take a first line that names the columns out of a portion."""
        parser = LineParser(self._form, order)
        for at, line in enumerate(part.lines):
            if is_row(line):
                try:
                    fields = parser.fields(line)
                except ValueError:
                    return order
                if fields[0].strip().lower() != "op":
                    return order
                part.lines[at] = b""
                return named(fields, f"{self.name}:{part.first + at}")
        return order

    def _piece(self, part: Lines, order: tuple[str, ...], offset: Any) -> Piece:
        def describe(row: int) -> tuple[str, str]:
            text = part.lines[row - part.first].decode(errors="replace")
            return f"{self.name}:{row}", text

        kept = [at for at, line in enumerate(part.lines) if is_row(line)]
        lines = part.lines if len(kept) == len(part.lines) else [part.lines[at] for at in kept]
        rows = part.first + np.array(kept, np.int64)
        if self._form == "jsonl":
            parsed = [_json_update(line, order) for line in lines]
            return piece_of(list(zip(rows.tolist(), parsed, strict=True)), offset, describe)
        columns, wrong = LineParser(self._form, order).many(lines)
        wrong |= {at: _TOO_LONG for at, line in enumerate(lines) if len(line) > MOST_LINE}
        bad = [reject(*describe(int(rows[at])), wrong[at]) for at in sorted(wrong)]
        if wrong:
            good = np.ones(len(lines), bool)
            good[list(wrong)] = False
            rows = rows[good]
            columns = tuple(column[good] for column in columns)
        op, u, v, w, time = columns
        return Piece(op, u, v, w, time, rows, bad, offset, describe)


_TOO_LONG = f"a line must not be longer than {MOST_LINE} bytes"


def is_row(line: bytes) -> bool:
    """Tell whether a line holds more than blanks or a comment."""
    return not line.startswith(b"#") and bool(line) and not line.isspace()


def _json_update(line: bytes, order: Sequence[str]) -> Update | str:
    """Return the update of one JSON object or array, or the reason why it is none."""
    if len(line) > MOST_LINE:
        return _TOO_LONG
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"expected JSON, got {error}"
    if isinstance(value, list):
        if len(value) > len(order):
            return f"expected {len(order)} entries at most, got {len(value)}"
        value = dict(zip(order, value, strict=False))
    if not isinstance(value, dict):
        return f"expected an object or an array, got {type(value).__name__}"
    return update_of_dict(value, order)


def update_of_dict(value: dict[str, Any], order: Sequence[str]) -> Update | str:
    """Return the update of named fields, or the reason why they are none."""
    unknown = sorted(value.keys() - set(order))
    needed = [name for name in ("op", "u", "v") if name in order and name not in value]
    if unknown or needed:
        return (
            f"expected the fields {', '.join(order)}, the first of them always, "
            f"got {', '.join(map(repr, value)) or 'none'}"
        )
    try:
        return update_of(value, "op" in order)
    except ValueError as error:
        return str(error)
