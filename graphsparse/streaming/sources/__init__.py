"""Where updates come from: files, folders, pipes and Redis streams, each with offsets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from graphsparse.checks import check_choice
from graphsparse.errors import GraphFormatError
from graphsparse.io.streams import split_suffix
from graphsparse.streaming.sources.folder import FolderSource
from graphsparse.streaming.sources.piece import Piece, Reject, Source
from graphsparse.streaming.sources.redis_stream import RedisSource
from graphsparse.streaming.sources.table import ParquetSource
from graphsparse.streaming.sources.text import FORMS, TextSource

__all__ = ["Piece", "Reject", "Source", "open_source"]

FORMATS = {
    ".csv": "csv", ".tsv": "tsv", ".txt": "text", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip


def open_source(
    source: str | Path | BinaryIO,
    *,
    format: str | None = None,  # noqa: A002
    columns: str | Sequence[str] | None = None,
    follow: bool = False,
    continued: bool = False,
) -> Source:
    """Return a source of updates that can go on at an offset.

    Parameters
    ----------
    source : path, str or binary file
        A file; a folder, whose files are read in the order of their names; ``redis://HOST/DB#KEY``
        for a Redis stream; or an open file such as ``sys.stdin.buffer``.
    format : {"csv", "tsv", "text", "jsonl", "parquet"}, optional
        By the suffix when left out; needed for open files.
    columns : str or sequence of str, optional
        What the fields are, as ``"u v time"``: ``u`` and ``v``, and ``op``, ``w``, ``time`` or
        ``skip``.  Without ``op`` every row is an insert.
    follow : bool
        Wait for more at the end.
    continued : bool
        A pipe goes on where it was left, instead of starting over.

    Returns
    -------
    Source

    Raises
    ------
    GraphFormatError
        If the name does not tell the format, or there is no such file.
    MissingDependencyError
        If the package for Redis is missing.

    Examples
    --------
    >>> import io
    >>> source = open_source(io.BytesIO(b"insert,0,1\\nfly,1,2\\n"), format="csv")
    >>> piece = next(source.pieces(None, 1000, 1.0, lambda: False))
    >>> piece.read, piece.batch(), piece.rejects[0].reason[:23]
    (2, EdgeBatch(inserts=1, deletes=0, reweights=0), 'op must be one of inser')
    """
    if isinstance(source, str) and source.startswith(("redis://", "rediss://", "unix://")):
        url, _, key = source.partition("#")
        if not key:
            raise ValueError(f"a Redis source must be URL#KEY, got {source!r}")
        return RedisSource(url, key, columns=columns, follow=follow)
    if not isinstance(source, str | Path):
        form = check_choice("format", format or "", FORMS)
        return TextSource(source, form, columns=columns, follow=follow, continued=continued)
    path = Path(source)
    if path.is_dir():
        return FolderSource(
            path,
            lambda file: open_source(file, format=format, columns=columns),
            follow=follow,
        )
    if not path.is_file():
        raise GraphFormatError(f"{source}: is neither a file nor a folder")
    form = check_choice("format", format or _by_suffix(path), (*FORMS, "parquet"))
    if form == "parquet":
        return ParquetSource(str(path), columns=columns)
    return TextSource(str(path), form, columns=columns, follow=follow)


def _by_suffix(path: Path) -> str:
    suffix = split_suffix(path)[0]
    if suffix not in FORMATS:
        raise GraphFormatError(
            f"{path}: its format must be given; known suffixes: {' '.join(FORMATS)}"
        )
    return FORMATS[suffix]
