"""Updates from the rows of a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from graphsparse.errors import GraphFormatError
from graphsparse.io.streams import PathLike, source_name
from graphsparse.streaming.rows import COLUMNS, SKIP, check_columns
from graphsparse.streaming.sources.lines import find_updates, operation_codes
from graphsparse.streaming.sources.piece import Array, Piece, Stop, piece_of
from graphsparse.streaming.sources.text import update_of_dict


class ParquetSource:
    """Updates from a Parquet file with columns ``op``, ``u``, ``v``, perhaps ``w`` and ``time``.

    Parameters
    ----------
    path : path
        The file; it must not change.
    columns : sequence of str, optional
        What the columns of the file are, in their order; by their names when left out.
    """

    def __init__(
        self, path: PathLike | BinaryIO, *, columns: str | Sequence[str] | None = None
    ) -> None:
        self.name = source_name(path)
        self._file = path
        self._given = None if columns is None else check_columns(columns)

    def pieces(self, offset: Any, size: int, seconds: float, stop: Stop) -> Iterator[Piece]:
        """Yield what comes after an offset, up to ``size`` rows at a time."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        first = 0 if offset is None else int(offset["row"])
        try:
            with pq.ParquetFile(self._file) as file:
                order = self._order(file.schema_arrow.names)
                start = 0
                for group in range(file.num_row_groups):
                    end = start + file.metadata.row_group(group).num_rows
                    if end > first:
                        for piece in self._group(file, group, start, first, size, order):
                            yield piece
                            if stop():
                                return
                    start = end
                if start < first:
                    raise GraphFormatError(
                        f"{self.name}: has {start} rows, but {first} were read before"
                    )
        except pa.ArrowException as error:
            raise GraphFormatError(f"{self.name}: expected a Parquet file, got {error}") from error

    def _order(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return what each column is."""
        if self._given is not None:
            if len(self._given) != len(names):
                raise GraphFormatError(
                    f"{self.name}: expected {len(self._given)} columns, got {len(names)}"
                )
            return self._given
        order = tuple(name.strip().lower() for name in names)
        unknown = [name for name in order if name not in COLUMNS]
        if unknown or not {"op", "u", "v"} <= set(order) or len(set(order)) != len(order):
            raise GraphFormatError(
                f"{self.name}: expected columns among {', '.join(COLUMNS)}, each once and with "
                f"the first three, got {', '.join(order)}"
            )
        return order

    def _group(
        self, file: Any, group: int, start: int, first: int, size: int, order: Sequence[str]
    ) -> Iterator[Piece]:
        for table in file.iter_batches(batch_size=size, row_groups=[group]):
            end = start + table.num_rows
            if end > first:
                yield self._piece(table.slice(max(first - start, 0)), max(start, first), order)
            start = end

    def _piece(self, table: Any, start: int, order: Sequence[str]) -> Piece:
        named = dict(zip(order, table.columns, strict=True))
        named.pop(SKIP, None)

        def values(at: int) -> dict[str, Any]:
            return {name: column[at].as_py() for name, column in named.items()}

        def describe(row: int) -> tuple[str, str]:
            return f"{self.name}:{row + 1}", repr(values(row - start))

        offset = {"row": start + table.num_rows}
        columns = plain_columns(named, table.num_rows)
        good = None if columns is None else find_updates(columns)
        if columns is not None and good is not None and good.all():
            rows = start + np.arange(table.num_rows)
            op, u, v, w, time = (columns[name] for name in COLUMNS)
            return Piece(op, u, v, w, time, rows, [], offset, describe)
        known = [name for name in order if name != SKIP]
        parsed = [(start + at, update_of_dict(values(at), known)) for at in range(table.num_rows)]
        return piece_of(parsed, offset, describe)


def plain_columns(named: dict[str, Any], size: int) -> dict[str, Array] | None:
    """Return columns of Arrow arrays as :func:`find_updates` takes them; None if not plain."""
    import pyarrow as pa

    found: dict[str, Array] = {}
    for name in ("u", "v"):
        if not pa.types.is_integer(named[name].type) or named[name].null_count:
            return None
        found[name] = named[name].cast(pa.int64(), safe=False).to_numpy(zero_copy_only=False)
    for name in ("w", "time"):
        column = named.get(name)
        if column is None:
            found[name], found[f"no {name}"] = np.full(size, np.nan), np.ones(size, bool)
            continue
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            return None
        found[f"no {name}"] = column.is_null().to_numpy(zero_copy_only=False)
        found[name] = column.to_numpy(zero_copy_only=False).astype(np.float64)
    if "op" not in named:
        found["op"] = np.zeros(size, np.uint8)
        return found
    column = named["op"]
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.dictionary_encode()
    if not pa.types.is_dictionary(column.type) or not pa.types.is_string(column.type.value_type):
        return None
    found["op"] = operation_codes(column)
    return found
