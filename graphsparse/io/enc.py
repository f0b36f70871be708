"""Folders of edge-dependent node labels: the text files of the WHATsNet and CoNHD data sets.

``hypergraph.txt`` has one hyperedge per line, node names separated by tabs; where hyperedges have
names, the first field is the name in single quotes.  ``hypergraph_pos.txt`` has the labels in the
same places.  ``valid_hindex.txt`` and ``test_hindex.txt`` list hyperedges by line number from 0, or
by name.  Each file may be compressed (``.gz``, ``.bz2``, ``.zst``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphsparse.errors import GraphFormatError
from graphsparse.graph import Hypergraph
from graphsparse.io.labelled_hypergraph import LabelledHypergraph
from graphsparse.io.streams import ByteSource, open_bytes

Array = np.ndarray[Any, np.dtype[Any]]
_COMPRESSION = ("", ".gz", ".bz2", ".zst")
_SPLITS = ((1, "valid_hindex"), (2, "test_hindex"))
MAX_LABEL = 1 << 20


def is_enc_folder(folder: str | Path) -> bool:
    """Tell whether a folder holds ``hypergraph.txt``, compressed or not."""
    return _find(Path(folder), "hypergraph") is not None


def read_enc(
    folder: str | Path,
    *,
    named: bool | None = None,
    shuffle_within: bool = True,
    seed: int = 0,
    allow_empty: bool = False,
) -> LabelledHypergraph:
    """Read a folder of edge-dependent node labels.

    Parameters
    ----------
    folder : path
        Holds ``hypergraph.txt`` and ``hypergraph_pos.txt``, and perhaps the split files.
    named : bool, optional
        Whether the first field of each line is the hyperedge's quoted name; seen from the first
        line when left out.
    shuffle_within : bool
        Put the members of each hyperedge into random order.  The known files list them by role:
        in file order the column tells the label.
    seed : int
        Of that order.
    allow_empty : bool
        Take an empty line as a hyperedge without members.

    Returns
    -------
    LabelledHypergraph
        Nodes are numbered in order of first appearance, before any shuffling.  Hyperedges in no
        split file are for training.

    Raises
    ------
    GraphFormatError
        Names file and line: unequal lengths, a label that is no number, an unknown hyperedge in a
        split, one hyperedge in two splits, an empty line.
    """
    folder = Path(folder)
    members, labels = _required(folder, "hypergraph"), _required(folder, "hypergraph_pos")
    names: list[str] = []
    number: dict[str, int] = {}
    nodes: list[int] = []
    sizes: list[int] = []
    y: list[int] = []
    pairs = _paired_lines(members, labels)
    for line, (fields, values) in enumerate(pairs, 1):
        if named is None:
            named = bool(fields) and _is_quoted(fields[0])
        if named:
            names.append(_take_name(members, labels, line, fields, values))
        if not fields and not allow_empty:
            raise GraphFormatError(
                f"{members}:{line}: a hyperedge must have members, got an empty line "
                "(allow_empty=True keeps it)"
            )
        if len(fields) != len(values):
            raise GraphFormatError(
                f"{labels}:{line}: must have {len(fields)} labels, one per member of "
                f"{members.name}, got {len(values)}"
            )
        nodes += [number.setdefault(field, len(number)) for field in fields]
        sizes.append(len(fields))
        y += [_label(labels, line, value) for value in values]
    edges = np.repeat(np.arange(len(sizes)), sizes)
    data = LabelledHypergraph(
        Hypergraph(np.array(nodes, np.int64), edges, len(number), len(sizes)),
        np.array(y, np.int64),
        _read_parts(folder, len(sizes), names if named else None),
        list(number),
        names if named else None,
    )
    return data.shuffle_within(seed) if shuffle_within else data


def _find(folder: Path, name: str) -> Path | None:
    # WHATsNet's copies number their splits: valid_hindex_0.txt.
    for stem in (name, f"{name}_0"):
        for suffix in _COMPRESSION:
            if (folder / f"{stem}.txt{suffix}").is_file():
                return folder / f"{stem}.txt{suffix}"
    return None


def _required(folder: Path, name: str) -> Path:
    found = _find(folder, name)
    if found is None:
        raise GraphFormatError(f"{folder} must hold {name}.txt (or .txt.gz), got no such file")
    return found


def _lines(path: Path) -> Iterator[str]:
    with open_bytes(path) as source:
        for count, raw in enumerate(_raw_lines(source), 1):
            try:
                yield raw.decode("utf-8").rstrip("\r")
            except UnicodeDecodeError as error:
                raise GraphFormatError(f"{path}:{count}: must be UTF-8, got {error}") from None


def _raw_lines(source: ByteSource) -> Iterator[bytes]:
    buffer = bytearray(1 << 16)
    rest = b""
    while size := source.readinto(memoryview(buffer)):
        *whole, rest = (rest + buffer[:size]).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _fields(path: Path, line: int, text: str) -> list[str]:
    fields = text.rstrip("\t").split("\t") if text.strip() else []
    if "" in fields:
        raise GraphFormatError(f"{path}:{line}: fields must not be empty, got {text!r}")
    return fields


def _paired_lines(members: Path, labels: Path) -> Iterator[tuple[list[str], list[str]]]:
    left, right = _lines(members), _lines(labels)
    line = 0
    for text in left:
        line += 1
        other = next(right, None)
        if other is None:
            raise GraphFormatError(
                f"{labels}: must have a line for each of {members.name}, got {line - 1}"
            )
        yield _fields(members, line, text), _fields(labels, line, other)
    if next(right, None) is not None:
        raise GraphFormatError(
            f"{labels}:{line + 1}: must have as many lines as {members.name}, {line}, got more"
        )


def _is_quoted(field: str) -> bool:
    return len(field) >= 2 and field[0] == field[-1] == "'"


def _take_name(members: Path, labels: Path, line: int, fields: list[str], values: list[str]) -> str:
    """Remove the quoted name from both lines and return it without its quotes."""
    if not fields or not _is_quoted(fields[0]):
        got = repr(fields[0]) if fields else "an empty line"
        raise GraphFormatError(
            f"{members}:{line}: the first field must be a name in single quotes, got {got}"
        )
    if not values or values[0] != fields[0]:
        got = repr(values[0]) if values else "an empty line"
        raise GraphFormatError(f"{labels}:{line}: must begin with {fields[0]}, got {got}")
    del values[0]
    return fields.pop(0)[1:-1]


def _label(path: Path, line: int, value: str) -> int:
    try:
        label = int(value)
    except ValueError:
        label = -2
    if not -1 <= label <= MAX_LABEL:
        raise GraphFormatError(
            f"{path}:{line}: a label must be an integer in [-1, {MAX_LABEL}], got {value!r}"
        )
    return label


def _read_parts(folder: Path, count: int, names: list[str] | None) -> Array:
    part = np.zeros(count, np.int64)
    index = None if names is None else {name: e for e, name in enumerate(names)}
    for code, stem in _SPLITS:
        path = _find(folder, stem)
        if path is None:
            continue
        for line, text in enumerate(_lines(path), 1):
            if not text.strip():
                continue
            e = _hyperedge(path, line, text.strip(), count, index)
            if part[e] not in (0, code):
                raise GraphFormatError(f"{path}:{line}: hyperedge {text!r} is in two splits")
            part[e] = code
    return part


def _hyperedge(path: Path, line: int, text: str, count: int, index: dict[str, int] | None) -> int:
    if index is not None:
        if text not in index:
            raise GraphFormatError(f"{path}:{line}: no hyperedge is called {text!r}")
        return index[text]
    if not text.isdecimal() or int(text) >= count:
        raise GraphFormatError(
            f"{path}:{line}: a hyperedge must be a number in [0, {count}), got {text!r}"
        )
    return int(text)
