"""Which id in the file became which node: numbering names, saving and loading the map."""

from __future__ import annotations

import csv
import io
import itertools
import os
from typing import Any

import numpy as np

from graphsparse.errors import GraphFormatError
from graphsparse.io.options import Array
from graphsparse.io.streams import atomic_write, create_text, open_bytes, split_suffix
from graphsparse.io.text import TextReader
from graphsparse.io.zipped import load_arrays

_SUFFIXES = (".npz", ".csv", ".parquet")


class NameTable:
    """Numbers names in the order of their first appearance."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}

    def number(self, names: Array, offsets: Array) -> Array:
        """Return the node of each name ``names[offsets[i]:offsets[i + 1]]`` (UTF-8 bytes).

        Raises
        ------
        UnicodeDecodeError
            If a name is no UTF-8; ``start`` is then the position of the name.
        """
        import pyarrow as pa

        coded = pa.Array.from_buffers(
            pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(names)]
        ).dictionary_encode()
        number = self._number
        distinct = []
        for code, name in enumerate(coded.dictionary.to_pylist()):
            try:
                distinct.append(number.setdefault(name.decode("utf-8"), len(number)))
            except UnicodeDecodeError as error:
                at = int(np.argmax(coded.indices.to_numpy() == code))
                raise UnicodeDecodeError("utf-8", name, at, at + 1, error.reason) from None
        nodes: Array = np.array(distinct, np.int64)[coded.indices.to_numpy()]
        return nodes

    def ids(self) -> Array:
        """Return the name of each node, an array of str objects."""
        return np.array(list(self._number), dtype=object)


def number_integers(u: Array, v: Array) -> tuple[Array, Array, Array]:
    """Return ``(u, v, ids)`` with the ids numbered from 0 in ascending order."""
    ids, nodes = np.unique(np.concatenate((u, v)), return_inverse=True)
    return nodes[: len(u)], nodes[len(u) :], ids


def check_id_map_path(path: str | os.PathLike[str]) -> None:
    """Refuse a suffix that says no format, before any work is done."""
    suffix, compression = split_suffix(path)
    if suffix not in _SUFFIXES or (compression and suffix != ".csv"):
        raise ValueError(f"id_map must end in {', '.join(_SUFFIXES)}, got {os.fspath(path)!r}")


def write_id_map(path: str | os.PathLike[str], ids: Array) -> None:
    """Save the id of each node as .npz, .csv or .parquet, atomically."""
    check_id_map_path(path)
    suffix = split_suffix(path)[0]
    if suffix == ".csv":
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([("node", "id"), *enumerate(ids.tolist())])
        with create_text(path) as file:
            file.write(text.getvalue().encode())
        return
    with atomic_write(path) as file:
        if suffix == ".npz":
            np.savez(file, **_as_arrays(ids))  # type: ignore[arg-type]
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        nodes = np.arange(len(ids))
        pq.write_table(pa.table({"node": nodes, "id": pa.array(ids.tolist())}), file)


def read_id_map(path: str | os.PathLike[str]) -> Array:
    """Load the id in the file of each node, as :func:`read_graph` saved it.

    Returns
    -------
    array of int64 or of str objects, shape (n,)
        Entry ``i`` is the id that node ``i`` had.
    """
    check_id_map_path(path)
    suffix = split_suffix(path)[0]
    if suffix == ".npz":
        return _from_arrays(load_arrays(path), os.fspath(path))
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        return _as_ids(pq.read_table(os.fspath(path)).column("id").to_pylist())
    with open_bytes(path) as stream:
        reader = TextReader(stream)
        lines = []
        while (line := reader.take_line()) is not None:
            lines.append(line.decode("utf-8"))
    rows = list(csv.reader(lines))
    if not rows or rows[0] != ["node", "id"] or any(len(row) != 2 for row in rows):
        raise GraphFormatError(f"{os.fspath(path)}:1: expected the columns node,id")
    values = [row[1] for row in rows[1:]]
    return _as_ids([int(v) for v in values] if all(v.isdigit() for v in values) else values)


def _as_ids(values: list[Any]) -> Array:
    integers = all(isinstance(value, int) for value in values)
    return np.array(values, dtype=np.int64 if integers else object)


def _as_arrays(ids: Array) -> dict[str, Array]:
    """Names become UTF-8 bytes and offsets: a fixed width would cost what the longest costs."""
    if ids.dtype != object:
        return {"ids": ids}
    coded = [str(name).encode() for name in ids]
    offsets = np.concatenate(([0], np.cumsum([len(name) for name in coded]))).astype(np.int64)
    return {"names": np.frombuffer(b"".join(coded), np.uint8), "offsets": offsets}


def _from_arrays(arrays: dict[str, Array], name: str) -> Array:
    if "ids" in arrays:
        return arrays["ids"].astype(np.int64)
    if not {"names", "offsets"} <= arrays.keys():
        raise GraphFormatError(f"{name}: expected the arrays of an id map, got {sorted(arrays)}")
    text, offsets = arrays["names"].tobytes(), arrays["offsets"].tolist()
    pairs = itertools.pairwise(offsets)
    return np.array([text[a:b].decode() for a, b in pairs], dtype=object)
