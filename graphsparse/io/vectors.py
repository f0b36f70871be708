"""Node vectors to files: NumPy's .npy, Parquet, and the text format of word2vec."""

from __future__ import annotations

from typing import IO, Any

import numpy as np

from graphsparse.io.streams import PathLike, atomic_write, create_text, source_name, split_suffix

Array = np.ndarray[Any, np.dtype[Any]]

VECTOR_FORMATS = {
    "npy": (".npy",),
    "parquet": (".parquet", ".pq"),
    "word2vec": (".txt", ".vec", ".w2v", ".emb"),
}
_LINES = 1 << 12  # rows turned into text at once


def vector_format(path: PathLike, form: str | None = None) -> str:
    """Return the format of a file of vectors; ValueError if neither name nor caller tells it."""
    suffix, compression = split_suffix(source_name(path))
    if form is None:
        for name, suffixes in VECTOR_FORMATS.items():
            if suffix in suffixes:
                form = name
    if form not in VECTOR_FORMATS:
        raise ValueError(
            f"format must be one of {', '.join(VECTOR_FORMATS)}, or told by a suffix among "
            f"{' '.join(s for group in VECTOR_FORMATS.values() for s in group)}; got "
            f"{form!r} for {source_name(path)!r}"
        )
    if compression and form != "word2vec":
        raise ValueError(f"files of the format {form!r} are not compressed, got {str(path)!r}")
    return form


def write_vectors(
    vectors: Array,
    path: PathLike,
    *,
    names: Any = None,
    format: str | None = None,  # noqa: A002
) -> None:
    """Write one vector per node, under the file's name only once it is whole.

    Parameters
    ----------
    vectors : array of float, shape (n, d)
        Rows of nodes.
    path : path
        The suffix tells the format.
    names : sequence of int or str, shape (n,), optional
        What nodes are called; row numbers when left out.  A .npy file has no place for them.
    format : {"npy", "parquet", "word2vec"}, optional
        By suffix when left out.  Parquet has the columns ``node`` and ``vector`` (fixed-size
        lists); word2vec text starts with a line ``n d`` and may be compressed.
    """
    form = vector_format(path, format)
    if names is not None:
        if form == "npy":
            raise ValueError("names must be None for a .npy file, which has no place for them")
        if len(names) != len(vectors):
            raise ValueError(
                f"names must have one entry per row ({len(vectors)}), got {len(names)}"
            )
    if form == "word2vec":
        with create_text(path) as text:
            _write_word2vec(vectors, text, names)
        return
    with atomic_write(path) as file:
        if form == "npy":
            np.lib.format.write_array(file, np.ascontiguousarray(vectors))
        else:
            _write_parquet(vectors, file, names)


def _write_parquet(vectors: Array, file: Any, names: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    nodes = np.arange(len(vectors)) if names is None else list(names)
    pq.write_table(pa.table({"node": pa.array(nodes), "vector": column}), file)


def _write_word2vec(vectors: Array, file: IO[bytes], names: Any) -> None:
    file.write(f"{vectors.shape[0]} {vectors.shape[1]}\n".encode())
    digits = 9 if vectors.dtype == np.float32 else 17
    pattern = " ".join(["%s"] + [f"%.{digits}g"] * vectors.shape[1])
    for start in range(0, len(vectors), _LINES):
        rows = vectors[start : start + _LINES].tolist()
        called = range(start, start + len(rows)) if names is None else names[start : start + _LINES]
        lines = [pattern % (_word(name), *row) for name, row in zip(called, rows, strict=True)]
        file.write(("\n".join(lines) + "\n").encode())


def _word(name: Any) -> str:
    """Return a name as one word: blanks would shift the columns."""
    return "_".join(str(name).split())
