"""Bytes on disk: batches of updates, saved states in chunks, and their check sums."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from graphsparse.streaming.batch import DELETE, EdgeBatch
from graphsparse.streaming.report import BatchReport

Array = np.ndarray[Any, np.dtype[Any]]

_HEAD = struct.Struct("<4sBxxxI")  # magic, flags, updates
_MAGIC = b"GSB1"
_UNIT, _TIMED = 1, 2
_ALIGN = 8


def pack_batch(batch: EdgeBatch) -> bytes:
    """Return a batch as bytes: 9 per update, 8 more for weights other than 1, and for times."""
    unit = bool((batch.w == (batch.op != DELETE)).all())
    flags = (_UNIT if unit else 0) | (_TIMED if batch.time is not None else 0)
    parts = [_HEAD.pack(_MAGIC, flags, len(batch)), batch.op.tobytes()]
    parts += [ends.astype("<u4").tobytes() for ends in (batch.u, batch.v)]
    if not unit:
        parts.append(batch.w.astype("<f8").tobytes())
    if batch.time is not None:
        parts.append(batch.time.astype("<f8").tobytes())
    return b"".join(parts)


def unpack_batch(data: bytes) -> EdgeBatch:
    """Return the batch that :func:`pack_batch` wrote.

    Raises
    ------
    ValueError
        If the bytes are no batch.
    """
    if len(data) < _HEAD.size:
        raise ValueError(f"a packed batch has at least {_HEAD.size} bytes, got {len(data)}")
    magic, flags, size = _HEAD.unpack_from(data)
    timed, unit = bool(flags & _TIMED), bool(flags & _UNIT)
    want = _HEAD.size + size * (9 + 8 * (not unit) + 8 * timed)
    if magic != _MAGIC or len(data) != want:
        raise ValueError(f"expected {_MAGIC!r} and {want} bytes, got {magic!r} and {len(data)}")
    at = _HEAD.size

    def take(kind: str) -> Array:
        nonlocal at
        column = np.frombuffer(data, kind, size, at)
        at += column.nbytes
        return column

    op, u, v = take("u1"), take("<u4"), take("<u4")
    w = (op != DELETE).astype(np.float64) if unit else take("<f8")
    return EdgeBatch(op, u.astype(np.int64), v.astype(np.int64), w, take("<f8") if timed else None)


def checksum(*fields: Any) -> int:
    """Return the CRC-32 of some numbers, texts and bytes."""
    crc = 0
    for field in fields:
        data = field if isinstance(field, bytes | bytearray | memoryview) else repr(field).encode()
        crc = zlib.crc32(data, crc)
    return crc


def fingerprint(report: BatchReport, before: int) -> int:
    """Return a number that stands for the state after a batch.

    The state after a batch follows from the state before it and the decisions; so a CRC-32 over
    all decisions of the batch, started from the fingerprint before it, tells two histories apart.
    """
    crc = checksum(before, report.first_id, report.num_nodes, report.num_edges)
    parts = (report.tests, report.deletions, report.changes, report.repaired)
    for rows in (*parts, report._added, report._path_nodes):
        crc = zlib.crc32(np.ascontiguousarray(rows).view(np.uint8).data, crc)
    return crc


def describe_arrays(arrays: Mapping[str, Array]) -> str:
    """Return names, types and shapes of some arrays as JSON."""
    return json.dumps([[name, a.dtype.str, list(a.shape)] for name, a in arrays.items()])


def chunks(arrays: Iterable[Array], size: int) -> Iterator[bytes]:
    """Yield the bytes of arrays, each padded to 8, in pieces of ``size``; the last is shorter."""
    waiting = bytearray()
    for array in arrays:
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        at = 0
        while at < len(data):
            take = min(size - len(waiting), len(data) - at)
            waiting += data[at : at + take]
            at += take
            if len(waiting) == size:
                yield bytes(waiting)
                waiting.clear()
        waiting += bytes(-len(data) % _ALIGN)
    if waiting:
        yield bytes(waiting)


def read_arrays(description: str, data: bytes | bytearray) -> dict[str, Array]:
    """Return the arrays of :func:`describe_arrays` from the joined chunks.

    Raises
    ------
    ValueError
        If the bytes are fewer or more than described.
    """
    arrays: dict[str, Array] = {}
    at = 0
    for name, kind, shape in json.loads(description):
        count = int(np.prod(shape, dtype=np.int64))
        size = count * np.dtype(kind).itemsize
        if at + size > len(data):
            raise ValueError(f"expected {at + size} bytes or more, got {len(data)}")
        arrays[name] = np.frombuffer(data, kind, count, at).reshape(shape)
        at += size + -size % _ALIGN
    if at != len(data):
        raise ValueError(f"expected {at} bytes, got {len(data)}")
    return arrays
