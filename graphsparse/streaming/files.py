"""Streams of updates from files: CSV, TSV, text and Parquet tables of ``op, u, v, w[, time]``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from graphsparse.checks import check_choice, check_count
from graphsparse.errors import GraphFormatError
from graphsparse.io.streams import ByteSource, PathLike, open_bytes, source_name, split_suffix
from graphsparse.streaming.batch import LEAST_WEIGHT, MOST_WEIGHT, OPERATIONS, REWEIGHT, EdgeBatch

Row = Sequence[Any]

COLUMNS = ("op", "u", "v", "w", "time")
FORMATS = {".csv": "csv", ".tsv": "tsv", ".txt": "text", ".parquet": "parquet", ".pq": "parquet"}
_DELIMITERS = {"csv": ",", "tsv": "\t"}
_LAST_NODE = 2**31 - 2


def read_stream(
    source: PathLike | BinaryIO,
    *,
    batch_size: int = 1000,
    format: str | None = None,  # noqa: A002
) -> Iterator[EdgeBatch]:
    """Yield the updates of a file in batches, in their order.

    Parameters
    ----------
    source : path or binary file
        One update per line or row: ``op, u, v, w`` and optionally ``time``.  ``op`` is insert,
        delete or reweight (or set), or ``+ - =``; ``w`` may be missing in a delete, and in an
        insert it is then 1.  A first line that starts with ``op`` names the columns, in any
        order; lines that start with ``#`` and empty lines are skipped.  Text files may be
        compressed (``.gz``, ``.bz2``, ``.zst``).
    batch_size : int
        Updates per batch; the last one may be smaller.
    format : {"csv", "tsv", "text", "parquet"}, optional
        By the suffix when left out; "text" has columns apart by blanks.

    Yields
    ------
    EdgeBatch

    Raises
    ------
    GraphFormatError
        If a line is no update; the message names file, line and value.
    ValueError
        If the suffix does not tell the format.

    Notes
    -----
    Memory for one batch at a time, whatever the size of the file.
    """
    size = check_count("batch_size", batch_size, low=1)
    name = source_name(source)
    if format is None:
        suffix = split_suffix(source)[0] if not hasattr(source, "read") else ""
        if suffix not in FORMATS:
            raise ValueError(
                f"format must be given for {name!r}; suffixes: {' '.join(FORMATS)}, text ones also "
                "with .gz, .bz2 or .zst behind them"
            )
        format = FORMATS[suffix]  # noqa: A001
    check_choice("format", format, tuple(dict.fromkeys(FORMATS.values())))
    if format == "parquet":
        return _parquet(source, name, size)
    return _text(source, name, size, format)


def _text(source: PathLike | BinaryIO, name: str, size: int, form: str) -> Iterator[EdgeBatch]:
    with open_bytes(source) as raw:
        order: tuple[str, ...] = COLUMNS
        rows: list[Row] = []
        lines: list[int] = []
        first = True
        for line, row in text_rows(raw, name, form):
            if first and row[0].strip().lower() == "op":
                order, first = _named(row, f"{name}:{line}"), False
                continue
            first = False
            rows.append(row)
            lines.append(line)
            if len(rows) == size:
                yield _batch(rows, order, name, lines)
                rows, lines = [], []
        if rows:
            yield _batch(rows, order, name, lines)


def text_rows(raw: ByteSource, name: str, form: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each line that has some."""
    lines = io.TextIOWrapper(io.BufferedReader(_Raw(raw), 1 << 18), "utf-8", newline="")
    plain = ("\n" if line.startswith("#") else line for line in lines)
    line = 0
    try:
        if form == "text":
            for line, text in enumerate(plain, 1):
                if fields := text.split():
                    yield line, fields
            return
        reader = csv.reader(plain, delimiter=_DELIMITERS[form], strict=True)
        for fields in reader:
            line = reader.line_num
            if fields and (len(fields) > 1 or fields[0].strip()):
                yield line, fields
    except UnicodeDecodeError as error:
        raise GraphFormatError(f"{name}: expected UTF-8 text, got {error}") from error
    except csv.Error as error:
        raise GraphFormatError(f"{name}:{line + 1}: {error}") from error


class _Raw(io.RawIOBase):
    """A byte source as Python's buffered readers want it."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._source.readinto(memoryview(buffer))


def _named(row: Iterable[str], where: str) -> tuple[str, ...]:
    """Return the columns that a header names."""
    names = tuple(field.strip().lower() for field in row)
    unknown = [field for field in names if field not in COLUMNS]
    missing = [field for field in COLUMNS[:3] if field not in names]
    if unknown or missing or len(set(names)) != len(names):
        raise GraphFormatError(
            f"{where}: expected columns among {', '.join(COLUMNS)}, each once and with the first "
            f"three, got {', '.join(names)}"
        )
    return names


def _batch(rows: list[Row], order: tuple[str, ...], name: str, lines: Sequence[int]) -> EdgeBatch:
    """Return the updates of rows; a wrong one is named by its line."""
    least = 1 + max(order.index(column) for column in COLUMNS[:3])  # w and time may be left out
    parsed = []
    for line, row in zip(lines, rows, strict=True):
        if not least <= len(row) <= len(order):
            allowed = f"{least} to {len(order)}" if least < len(order) else str(least)
            raise GraphFormatError(f"{name}:{line}: expected {allowed} fields, got {len(row)}")
        try:
            parsed.append(_update(dict(zip(order, row, strict=False))))
        except ValueError as error:
            raise GraphFormatError(f"{name}:{line}: {error}") from error
    op, u, v, w, time = zip(*parsed, strict=True)
    stamped = all(stamp is not None for stamp in time)
    return EdgeBatch(
        np.array(op, np.uint8),
        np.array(u, np.int64),
        np.array(v, np.int64),
        np.array(w, np.float64),
        np.array(time, np.float64) if stamped else None,
    )


def _update(fields: dict[str, Any]) -> tuple[int, int, int, float, float | None]:
    """Return one update from its fields as text or values."""
    word = str(fields["op"]).strip().lower()
    if word not in OPERATIONS:
        raise ValueError(f"op must be one of {', '.join(OPERATIONS)}, got {word!r}")
    op = OPERATIONS[word]
    given = fields.get("w")
    if _is_empty(given):
        if op == REWEIGHT:
            raise ValueError("w must be given to reweight an edge")
        w = 1.0
    else:
        w = _number("w", given)
        if not (w == 0 or LEAST_WEIGHT <= w <= MOST_WEIGHT):
            raise ValueError(f"w must be 0 or in [1e-300, 1e300], got {given}")
    stamp = fields.get("time")
    time = None if _is_empty(stamp) else _number("time", stamp)
    return op, _node("u", fields["u"]), _node("v", fields["v"]), w, time


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _text_of(value: Any) -> Any:
    """Return the value; text in Python's own notation for numbers, as 1_000, is refused."""
    if isinstance(value, str) and "_" in value:
        raise ValueError
    return value


def _number(column: str, value: Any) -> float:
    try:
        return float(_text_of(value))
    except (TypeError, ValueError):
        raise ValueError(f"{column} must be a number, got {value!r}") from None


def _node(column: str, value: Any) -> int:
    try:
        node = int(_text_of(value))
        if node != value and not isinstance(value, str):  # 1.5 in a table of floats
            node = -1
    except (TypeError, ValueError, OverflowError):
        node = -1
    if not 0 <= node <= _LAST_NODE:
        raise ValueError(f"{column} must be a node id in [0, {_LAST_NODE}], got {value!r}")
    return node


def _parquet(source: PathLike | BinaryIO, name: str, size: int) -> Iterator[EdgeBatch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(source) as file:
            order = _named(file.schema_arrow.names, name)
            row = 1
            for table in file.iter_batches(batch_size=size):
                columns = [column.to_pylist() for column in table.columns]
                rows: list[Row] = list(zip(*columns, strict=True))
                yield _batch(rows, order, name, range(row, row + len(rows)))
                row += len(rows)
    except pa.ArrowInvalid as error:
        raise GraphFormatError(f"{name}: expected a Parquet file, got {error}") from error
