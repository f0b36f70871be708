"""Record batches of Parquet, Arrow IPC and Feather files, their columns as NumPy arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from graphsparse.errors import GraphFormatError, GraphsparseError
from graphsparse.io.options import Array
from graphsparse.io.streams import PathLike, source_name, split_suffix

_BATCH_ROWS = 1 << 20


@contextlib.contextmanager
def arrow_failures(name: str) -> Iterator[None]:
    """Turn what Arrow raises on a damaged file into a GraphFormatError."""
    import pyarrow as pa

    try:
        yield
    except (GraphsparseError, FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, MemoryError) as error:
        text = str(error).split("\n")[0]
        raise GraphFormatError(f"{name}: expected a whole table of edges ({text})") from error


def is_parquet(source: PathLike | BinaryIO) -> bool:
    """Tell by the suffix."""
    return split_suffix(source_name(source))[0] in (".parquet", ".pq")


class Tables:
    """Schema and record batches of a file."""

    def __init__(self, source: PathLike | BinaryIO) -> None:
        import pyarrow as pa

        self.name = source_name(source)
        file: Any = source if hasattr(source, "read") else pa.OSFile(str(source))
        file = pa.PythonFile(file, mode="r") if file is source else file
        self.size = int(file.size())
        if self.size == 0:
            raise GraphFormatError(f"{self.name}: expected a graph, got an empty file")
        magic = file.read(6)
        file.seek(0)
        if is_parquet(source) or magic[:4] == b"PAR1":
            import pyarrow.parquet as pq

            self._file = pq.ParquetFile(file)
            self.schema = self._file.schema_arrow
        else:
            self._file = (pa.ipc.open_file if magic == b"ARROW1" else pa.ipc.open_stream)(file)
            self.schema = self._file.schema

    def batches(self, columns: list[str]) -> Iterator[Any]:
        """Yield record batches that hold ``columns``, checked for consistency."""
        if hasattr(self._file, "iter_batches"):
            found = self._file.iter_batches(_BATCH_ROWS, columns=columns)
        elif hasattr(self._file, "num_record_batches"):
            found = (self._file.get_batch(i) for i in range(self._file.num_record_batches))
        else:
            found = iter(self._file)
        for batch in found:
            batch.validate(full=True)
            yield batch


def column_values(batch: Any, column: str, what: str, where: str) -> Array:
    """Return a column without nulls: int64, float32 or float64, or names as str objects."""
    import pyarrow as pa

    values = batch.column(batch.schema.get_field_index(column))
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    kind = values.type
    if values.null_count:
        raise GraphFormatError(f"{where}: expected {what} in every row of {column!r}, got null")
    if pa.types.is_integer(kind):
        return np.asarray(values.cast(pa.int64()).to_numpy(zero_copy_only=False))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.array(values.to_pylist(), dtype=object)
    if pa.types.is_floating(kind):
        array = np.asarray(values.to_numpy(zero_copy_only=False))
        return array if array.dtype == np.float32 else array.astype(np.float64)
    raise GraphFormatError(f"{where}: expected {what} in column {column!r}, got type {kind}")
