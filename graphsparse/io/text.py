"""Text by the piece: whole lines in a buffer that the native parser can use, and where they are."""

from __future__ import annotations

import bisect
from typing import Any, NoReturn

import numpy as np

from graphsparse.backend import native
from graphsparse.errors import GraphFormatError
from graphsparse.io.streams import ByteSource

CHUNK = 1 << 22  # bytes of text per piece; the parser is fastest while it stays in cache
HEAD = 1 << 16  # bytes that are looked at to find out what a file is
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_Int32 = np.ndarray[Any, np.dtype[np.int32]]
_BOM = b"\xef\xbb\xbf"

# Code of cuda/cpu/text.hpp -> what was expected there; {got} is the text that came.
_EXPECTED = {
    1: "expected a node id, an integer, got {got}",
    2: "expected a node id of at least {base}, got {got}",
    3: "expected a node id below 2^63, got {got}",
    4: "expected node ids from 1 on, as the file counts from 1, got {got}",
    5: "{limit}, got node id {got}",
    6: "expected {columns} columns, got {size}",
    7: "expected a weight, a number, got {got}",
    8: "expected a finite weight, got {got}",
    9: "expected a weight in the range of float64, got {got}",
    10: 'expected a field that ends at its closing ", got {got}',
    11: "expected text, got binary data {got}",
    12: "expected a line break after a carriage return, got {got}",
    13: "expected {columns} node lines and no more, got {got}",
    14: "expected a weight for every {size}, got the end of the line",
}


class TextReader:
    """Whole lines of a stream, piece by piece.

    ``buffer[:size]`` holds the lines of the present piece; ``line`` is the number of the first.
    """

    def __init__(self, source: ByteSource, *, long_lines: bool = False) -> None:
        self.name = source.name
        self.line = 1
        self.bytes_read = 0
        self.comments = 0
        self._source = source
        self._long_lines = long_lines
        self._begin = self._end = 0
        self._done = False
        self._allocate(CHUNK)
        self._fill(HEAD)
        self._check_encoding()

    @property
    def buffer(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The text not consumed yet, and room behind it."""
        return self._array[self._begin :]

    def head(self) -> bytes:
        """Return the text that comes next, as far as it was read."""
        return bytes(self._store[self._begin : min(self._end, self._begin + HEAD)])

    def take_line(self) -> bytes | None:
        """Consume one line and return it without its end, or None at the end of the file."""
        size = self.next_piece()
        if size == 0:
            return None
        stop = self._store.find(b"\n", self._begin, self._begin + size)
        line = bytes(self._store[self._begin : self._begin + size if stop < 0 else stop])
        self.consume(min(len(line) + 1, size), 1)
        return line.rstrip(b"\r")

    def next_piece(self) -> int:
        """Return the bytes of whole lines now at the start of ``buffer``; 0 at the end."""
        if self._end - self._begin < CHUNK // 2:
            self._fill(len(self._store))
        while not self._done:
            cut = self._store.rfind(b"\n", self._begin, self._end) + 1
            if cut > 0:
                return cut - self._begin
            self._grow()
            self._fill(len(self._store))
        return self._end - self._begin

    def consume(self, size: int, lines: int) -> None:
        """Drop the first ``size`` bytes, which are ``lines`` lines."""
        self._begin += size
        self.line += lines

    def fail(self, message: str, line: int | None = None) -> NoReturn:
        """Raise a GraphFormatError that names the file and the line."""
        raise GraphFormatError(f"{self.name}:{self.line if line is None else line}: {message}")

    def fail_at(self, fault: tuple[int, int, int], **context: Any) -> NoReturn:
        """Raise the error of a fault (code, position, size) that the native parser found."""
        code, position, size = fault
        line = self.line + int(np.count_nonzero(self.buffer[:position] == 10))
        got = repr(bytes(self.buffer[position : position + min(size, 40)]))[1:]
        if code == 14:
            context["size"] = "edge" if size else "node"
        elif code == 6:
            context["size"] = size
        self.fail(_EXPECTED[code].format(got=got + "..." * (size > 40), **context), line)

    def _allocate(self, size: int) -> None:
        self._store = bytearray(size + native.text_padding)
        self._array = np.frombuffer(self._store, np.uint8)

    def _grow(self) -> None:
        if not self._long_lines:
            self.fail(f"expected lines below {CHUNK} bytes, got a longer one")
        old = self._store
        self._allocate(2 * len(old))
        self._store[: len(old)] = old

    def _fill(self, size: int) -> None:
        """Read until ``size`` bytes are there, the buffer is full or the file ends."""
        if self._done:
            return
        held = self._end - self._begin
        if self._begin:
            self._store[:held] = self._store[self._begin : self._end]
            self._begin, self._end = 0, held
        view = memoryview(self._store)[: len(self._store) - native.text_padding]
        while self._end < min(size, len(view)) and not self._done:
            count = self._source.readinto(view[self._end :])
            self._done = count == 0
            self._end += count
            self.bytes_read += count

    def _check_encoding(self) -> None:
        head = self.head()
        if not head:
            raise GraphFormatError(f"{self.name}: expected a graph, got an empty file")
        if head.startswith(_BOM):
            self._begin += len(_BOM)
        elif head.startswith(_WIDE_MARKS) or b"\x00" in head[:4096]:
            what = "UTF-16 text" if head.startswith(_WIDE_MARKS[:2]) else "binary data"
            raise GraphFormatError(f"{self.name}:1: expected UTF-8 text, got {what} {head[:8]!r}")


class LineMap:
    """From the number of an entry to its line, for messages."""

    def __init__(self) -> None:
        self._first_rows: list[int] = []
        self._pieces: list[tuple[int, _Int32, _Int32]] = []
        self.rows = 0

    def add(self, line: int, rows: int, skips: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Note a piece that starts at ``line``; ``skips`` as the native parser tells them."""
        last = np.flatnonzero(np.append(skips[1:] != skips[:-1], True)) if len(skips) else skips
        self._first_rows.append(self.rows)
        # the rows before which lines were skipped, and how many lines up to there
        self._pieces.append((line, skips[last].astype(np.int32), (last + 1).astype(np.int32)))
        self.rows += rows

    def line(self, row: int) -> int:
        """Return the line of entry ``row``."""
        at = bisect.bisect_right(self._first_rows, row) - 1
        line, skipped_at, skipped = self._pieces[at]
        within = row - self._first_rows[at]
        gaps = int(np.searchsorted(skipped_at, within, side="right"))
        return line + within + (int(skipped[gaps - 1]) if gaps else 0)
