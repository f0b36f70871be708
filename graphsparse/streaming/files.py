"""Streams of updates from files: CSV, TSV, text, JSON lines and Parquet tables of updates."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from graphsparse.checks import check_choice, check_count
from graphsparse.errors import GraphFormatError
from graphsparse.io.streams import ByteSource, PathLike, source_name, split_suffix
from graphsparse.streaming.batch import EdgeBatch
from graphsparse.streaming.sources import FORMATS, Source
from graphsparse.streaming.sources.table import ParquetSource
from graphsparse.streaming.sources.text import TextSource

_DELIMITERS = {"csv": ",", "tsv": "\t"}


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
    format : {"csv", "tsv", "text", "jsonl", "parquet"}, optional
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
        return _batches(ParquetSource(source), size)
    return _batches(TextSource(source, format), size)


def _batches(source: Source, size: int) -> Iterator[EdgeBatch]:
    """Yield batches of one size, whatever comments and groups of rows lie between."""
    waiting: list[EdgeBatch] = []
    count = 0
    for piece in source.pieces(None, size, math.inf, lambda: False):
        for bad in piece.rejects:
            raise GraphFormatError(f"{bad.where}: {bad.reason}")
        waiting.append(piece.batch())
        count += len(waiting[-1])
        if count >= size:
            joined = _joined(waiting)
            yield joined[:size]
            count -= size
            waiting = [joined[size:]] if count else []
    if count:
        yield _joined(waiting)


def _joined(batches: Sequence[EdgeBatch]) -> EdgeBatch:
    if len(batches) == 1:
        return batches[0]
    timed = all(batch.time is not None for batch in batches)
    names = ("op", "u", "v", "w", "time") if timed else ("op", "u", "v", "w")
    return EdgeBatch(*(np.concatenate([getattr(b, name) for b in batches]) for name in names))


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
