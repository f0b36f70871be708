"""Updates from a Redis stream: one entry an update, its id the offset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphsparse.checks import require
from graphsparse.errors import BackendError, GraphFormatError
from graphsparse.streaming.rows import Update, check_columns
from graphsparse.streaming.sources.piece import Piece, Stop, piece_of
from graphsparse.streaming.sources.text import update_of_dict

_START = "0-0"
_WAIT = 100  # milliseconds that a read may block, so that a request to stop is seen


class RedisSource:
    """Updates from the entries of a Redis stream, whose fields are those of a row.

    Parameters
    ----------
    url : str
        ``redis://HOST:PORT/DB``.
    key : str
        Name of the stream.
    columns : sequence of str, optional
        Fields that entries have.
    follow : bool
        Wait for more at the end.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        columns: str | Sequence[str] | None = None,
        follow: bool = False,
    ) -> None:
        self._redis = require("redis", "redis", "a Redis stream")
        self.name = f"{url}#{key}"
        self._url, self._key, self._follow = url, key, follow
        self._columns = check_columns(columns)

    def pieces(self, offset: Any, size: int, seconds: float, stop: Stop) -> Iterator[Piece]:
        """Yield what comes after an offset, up to ``size`` entries at a time."""
        last = _START if offset is None else str(offset["id"])
        client = self._redis.Redis.from_url(self._url)
        wait = max(1, min(_WAIT, int(seconds * 1000))) if self._follow else None
        try:
            seen = self._seen(client, offset)
            while not stop():
                found = client.xread({self._key: last}, count=size, block=wait)
                if not found and not self._follow:
                    return
                if found:
                    entries = _entries(found)
                    last, seen = entries[-1][0].decode(), seen + len(entries)
                    yield self._piece(entries, {"id": last, "seen": seen})
        except self._redis.RedisError as error:
            raise BackendError(f"{self.name}: cannot be read: {error}") from error
        finally:
            client.close()

    def _seen(self, client: Any, offset: Any) -> int:
        """Return how many entries came before an offset, deleted ones included.

        Raises
        ------
        GraphFormatError
            If entries were deleted after the offset, which nobody has read then.
        """
        info = client.xinfo_stream(self._key) if client.exists(self._key) else None
        if offset is None:
            return int(info["entries-added"]) - int(info["length"]) if info else 0
        seen, last = int(offset["seen"]), str(offset["id"])
        added = int(info["entries-added"]) if info else 0
        if added < seen:
            raise GraphFormatError(
                f"{self.name}: is another stream than was read: {added} entries were ever added, "
                f"but {seen} were read"
            )
        first = info["first-entry"] if info else None
        left = int(info["length"]) if info else 0
        is_behind = first is not None and _order(first[0].decode()) <= _order(last)
        if not is_behind and added - seen != left:
            raise GraphFormatError(
                f"{self.name}: {added - seen - left} entries after {last} were deleted before they "
                "were read"
            )
        return seen

    def _piece(self, entries: Sequence[Any], offset: Any) -> Piece:
        parsed = [(at, self._update(fields)) for at, (_, fields) in enumerate(entries)]

        def describe(row: int) -> tuple[str, str]:
            name, fields = entries[row]
            return f"{self.name}: entry {name.decode()}", repr(fields)

        return piece_of(parsed, offset, describe)

    def _update(self, fields: dict[bytes, bytes]) -> Update | str:
        try:
            named = {name.decode(): value.decode() for name, value in fields.items()}
        except UnicodeDecodeError as error:
            return f"expected UTF-8 text, got {error}"
        return update_of_dict(named, self._columns)


def _entries(found: Any) -> Sequence[Any]:
    """Return the entries of one stream; RESP2 answers with a list, RESP3 with a dict."""
    if isinstance(found, dict):
        (parts,) = found.values()
        entries: Sequence[Any] = parts[0]
        return entries
    entries = found[0][1]
    return entries


def _order(name: str) -> tuple[int, int]:
    """Return the numbers of an entry id: ids order by them, not as texts."""
    first, second = name.split("-")
    return int(first), int(second)
