"""Lines from a file, a growing file or a pipe, with the position behind each."""

from __future__ import annotations

import dataclasses
import select
import time
import zlib
from collections.abc import Iterator
from typing import Any

from graphsparse.errors import GraphFormatError
from graphsparse.io.streams import ByteSource
from graphsparse.streaming.sources.piece import Stop

_BLOCK = 1 << 18
MOST_LINE = 1 << 16  # bytes; a longer line is no update, is cut, and need not fit into memory
_TAIL = 64  # bytes before an offset that tell whether a file is still the same
_NAP = 0.1  # seconds between looks at a file that may grow, or at the request to stop


@dataclasses.dataclass(frozen=True)
class Lines:
    """Lines that were read together.

    Attributes
    ----------
    lines : list of bytes
        Without their ends; empty ones and comments are among them, and long ones are cut to
        ``MOST_LINE + 1`` bytes.
    first : int
        Number of the first line, from 1.
    offset : dict
        Where to go on: ``byte``, ``line`` (lines before it), ``check`` and ``partial``.
    ended : bool
        Whether there are no more.
    """

    lines: list[bytes]
    first: int
    offset: dict[str, Any]
    ended: bool


class LineReader:
    """Read lines in portions.

    Parameters
    ----------
    source : ByteSource
        Where bytes come from; at its beginning.
    offset : dict or None
        Where to go on: :attr:`Lines.offset`.
    skip : bool
        Whether ``source`` starts at the beginning of all, so that what was read has to be passed
        over; else it starts at the offset.
    follow : bool
        Wait for more at the end.
    pipe : int, optional
        Descriptor to wait for before reading.
    """

    def __init__(
        self,
        source: ByteSource,
        offset: dict[str, Any] | None,
        *,
        skip: bool = True,
        follow: bool = False,
        pipe: int | None = None,
    ) -> None:
        self._source, self._follow, self._pipe = source, follow, pipe
        self._buffer = bytearray(_BLOCK)
        self._rest = b""  # of a line without end
        self._rest_size = 0
        self._waiting: list[bytes] = []  # whole lines that were not given out, long ones cut
        self._sizes: list[int] = []
        self._at = 0
        self._ended = False
        self._byte, self._line, self._tail, self._partial = 0, 0, b"", False
        if offset is not None:
            self._go_to(offset, skip)

    def _go_to(self, offset: dict[str, Any], skip: bool) -> None:
        name, byte = self._source.name, int(offset["byte"])
        if skip:
            size, crc = offset["check"]
            passed = self._pass_over(byte, name)
            self._tail = passed[len(passed) - size :]
            if zlib.crc32(self._tail) != crc:
                raise GraphFormatError(
                    f"{name}: is another file than was read: the {size} bytes before byte {byte} "
                    "differ"
                )
        self._byte, self._line = byte, int(offset["line"])
        self._partial = bool(offset["partial"])

    def _pass_over(self, byte: int, name: str) -> bytes:
        """Read up to a byte; return the last bytes before it."""
        start = self._source.seek(max(0, byte - _TAIL))
        tail = b""
        while start < byte:
            view = memoryview(self._buffer)[: min(_BLOCK, byte - start)]
            count = self._source.readinto(view)
            if count == 0:
                raise GraphFormatError(f"{name}: ends at byte {start}, but {byte} were read before")
            tail = (tail + bytes(view[:count]))[-_TAIL:]
            start += count
        return tail

    def portions(self, size: int, seconds: float, stop: Stop) -> Iterator[Lines]:
        """Yield up to ``size`` lines at a time, or what came within ``seconds``."""
        while not stop():
            until = time.monotonic() + seconds
            while len(self._waiting) - self._at < size and not self._ended and not stop():
                now = time.monotonic()
                if now >= until and self._at < len(self._waiting):
                    break
                self._fill(min(_NAP, max(until - now, 0.0)))
            if self._ended and self._rest and len(self._waiting) - self._at < size:
                self._waiting.append(self._rest)
                self._sizes.append(self._rest_size)
                self._rest, self._partial = b"", True
            if taken := self._take(size):
                yield taken
            if self._ended and self._at == len(self._waiting) and not self._rest:
                return

    def _take(self, size: int) -> Lines | None:
        lines = self._waiting[self._at : self._at + size]
        if not lines:
            return None
        self._at += len(lines)
        last = self._ended and self._at == len(self._waiting) and not self._rest
        partial = last and self._partial
        first = self._line + 1
        self._byte += sum(self._sizes[self._at - len(lines) : self._at]) + len(lines) - partial
        self._line += len(lines)
        joined = b"\n".join(lines[-_TAIL:]) + (b"" if partial else b"\n")
        if max(self._sizes[max(0, self._at - _TAIL) : self._at]) > MOST_LINE:
            self._tail, joined = b"", b""  # cut: the bytes before the offset are not at hand
        self._tail = (self._tail + joined)[-_TAIL:]
        offset = {
            "byte": self._byte, "line": self._line,
            "check": [len(self._tail), zlib.crc32(self._tail)], "partial": partial,
        }  # fmt: skip
        return Lines(lines, first, offset, last)

    def _fill(self, patience: float) -> None:
        """Read a block, and cut it into lines; waits so long if there is nothing."""
        if self._pipe is not None and not select.select([self._pipe], [], [], patience)[0]:
            return
        count = self._source.readinto(memoryview(self._buffer))
        if count == 0:
            if self._follow:
                time.sleep(patience)
            else:
                self._ended = True
            return
        block = bytes(memoryview(self._buffer)[:count])
        if self._partial:  # the last line of an earlier run had no end
            self._partial = False
            if block[:1] != b"\n":
                raise GraphFormatError(
                    f"{self._source.name}: line {self._line} was read before it was complete"
                )
            self._byte, self._tail, block = self._byte + 1, (self._tail + b"\n")[-_TAIL:], block[1:]
        parts = block.split(b"\n")
        sizes = [len(part) for part in parts]
        parts[0] = (self._rest + parts[0])[: MOST_LINE + 1]
        sizes[0] += self._rest_size
        if max(sizes) > MOST_LINE:
            parts = [part[: MOST_LINE + 1] for part in parts]
        self._rest, self._rest_size = parts.pop(), sizes.pop()
        self._waiting = self._waiting[self._at :] + parts
        self._sizes = self._sizes[self._at :] + sizes
        self._at = 0
