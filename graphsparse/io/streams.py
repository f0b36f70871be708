"""Bytes in and out: compressed files that tell when they are cut short, writes that are atomic."""

from __future__ import annotations

import contextlib
import os
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from graphsparse.errors import GraphFormatError

PathLike = str | os.PathLike[str]
COMPRESSED = {".gz": "gzip", ".bz2": "bzip2", ".zst": "zstd"}
_MAGIC = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "zstd": b"\x28\xb5\x2f\xfd"}


def split_suffix(path: PathLike) -> tuple[str, str | None]:
    """Return the suffix without compression, in lower case, and the compression or None."""
    name = Path(path)
    compression = COMPRESSED.get(name.suffix.lower())
    if compression:
        name = name.with_suffix("")
    return name.suffix.lower(), compression


def source_name(source: PathLike | BinaryIO) -> str:
    """Return what messages call a source."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    return str(getattr(source, "name", "<stream>"))


def _decompressor(raw: BinaryIO, compression: str) -> Any:
    if compression == "gzip":
        import gzip

        return gzip.GzipFile(fileobj=raw)
    if compression == "bzip2":
        import bz2

        return bz2.BZ2File(raw)
    import pyarrow as pa

    return pa.CompressedInputStream(raw, "zstd")


class ByteSource:
    """A readable stream that turns every failure of a decompressor into a GraphFormatError."""

    def __init__(self, raw: Any, name: str, compression: str | None) -> None:
        self._raw = raw
        self.name = name
        self._compression = compression

    def readinto(self, view: memoryview) -> int:
        """Fill the start of ``view``; return the bytes read, 0 at the end."""
        if self._compression is None:
            once = getattr(self._raw, "readinto1", self._raw.readinto)  # what a pipe has now
            return int(once(view) or 0)
        try:
            block = self._raw.read(min(len(view), 1 << 20))
        except (OSError, EOFError, zlib.error) as error:
            raise GraphFormatError(
                f"{self.name}: expected a whole {self._compression} stream, got one that is cut "
                f"short or damaged ({error})"
            ) from error
        view[: len(block)] = block
        return len(block)

    def seek(self, position: int) -> int:
        """Go to a byte, if the source can; return where it stands, 0 if it cannot."""
        if self._compression is None and self._raw.seekable():
            return int(self._raw.seek(position))
        return 0


@contextlib.contextmanager
def open_bytes(source: PathLike | BinaryIO) -> Iterator[ByteSource]:
    """Open a path or a binary file, decompressed if its suffix says so."""
    name = source_name(source)
    if not isinstance(source, str | os.PathLike):
        yield ByteSource(source, name, None)
        return
    compression = split_suffix(source)[1]
    with open(source, "rb") as raw:
        if compression is None:
            yield ByteSource(raw, name, None)
            return
        magic = raw.read(4)
        raw.seek(0)
        if not magic.startswith(_MAGIC[compression]):
            raise GraphFormatError(
                f"{name}: expected {compression} data, got {magic!r} at its start"
            )
        with _decompressor(raw, compression) as plain:
            yield ByteSource(plain, name, compression)


@contextlib.contextmanager
def atomic_write(path: PathLike) -> Iterator[BinaryIO]:
    """Yield a file that takes the name ``path`` only when it is whole and on disk.

    It is written under another name in the same folder, synced and renamed; after an error
    nothing is left behind and an older file stays as it was.
    """
    target = Path(path)
    handle, part = tempfile.mkstemp(
        prefix=f".{target.name[:80]}.", suffix=".part", dir=target.parent
    )
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, _mode_of(target))
        os.replace(part, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _mode_of(target: Path) -> int:
    """Return the permissions that a plain open() would have left."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


@contextlib.contextmanager
def create_text(path: PathLike) -> Iterator[IO[bytes]]:
    """Like :func:`atomic_write`, compressed if the suffix says so."""
    compression = split_suffix(path)[1]
    with atomic_write(path) as raw:
        if compression is None:
            yield raw
            return
        with _compressor(raw, compression) as packed:
            yield cast("IO[bytes]", packed)


@contextlib.contextmanager
def _compressor(raw: BinaryIO, compression: str) -> Iterator[Any]:
    if compression == "gzip":
        import gzip

        # no name and no time inside: the same graph gives the same bytes
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed:
            yield packed
    elif compression == "bzip2":
        import bz2

        with bz2.BZ2File(raw, "wb") as packed:
            yield packed
    else:
        import pyarrow as pa

        # Arrow closes what it writes to: give it a handle of its own
        with (
            os.fdopen(os.dup(raw.fileno()), "wb") as own,
            pa.CompressedOutputStream(own, "zstd") as packed,
        ):
            yield packed
