"""Many lines at once: those of one number of fields are parsed as columns, the others singly."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphsparse.streaming.batch import LEAST_WEIGHT, MOST_WEIGHT, OPERATIONS, REWEIGHT
from graphsparse.streaming.rows import (
    LAST_NODE,
    SKIP,
    Update,
    least_fields,
    update_of_fields,
)
from graphsparse.streaming.sources.piece import Array

_UNKNOWN = 255
DELIMITERS = {"csv": b",", "tsv": b"\t", "text": None}


class LineParser:
    """Parse lines of text of one form.

    Parameters
    ----------
    form : {"csv", "tsv", "text"}
        What stands between fields.
    order : sequence of str
        What the fields are.
    """

    def __init__(self, form: str, order: Sequence[str]) -> None:
        self.order = tuple(order)
        self.least = least_fields(order)
        self._between = DELIMITERS[form]

    def single(self, line: bytes) -> Update | str:
        """Return the update of one line, or the reason why it is none."""
        try:
            return update_of_fields(self.fields(line), self.order, self.least)
        except UnicodeDecodeError as error:
            return f"expected UTF-8 text, got {error}"
        except (ValueError, csv.Error) as error:
            return str(error)

    def fields(self, line: bytes) -> list[str]:
        """Return the fields of a line."""
        text = line.decode()
        if self._between is None:
            return text.split()
        between = self._between.decode()
        if '"' not in text:
            return text.split(between)
        return next(csv.reader([text], delimiter=between, strict=True))

    def many(self, lines: Sequence[bytes]) -> tuple[tuple[Array, ...], dict[int, str]]:
        """Return the columns op, u, v, w, time of lines, and by position why one is no update."""
        size = len(lines)
        columns: tuple[Array, ...] = (
            np.full(size, _UNKNOWN, np.uint8),
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.zeros(size),
            np.full(size, np.nan),
        )
        wrong: dict[int, str] = {}
        between = self._between or b"\t"  # no field between blanks holds a tab
        plain = lines
        if self._between is None:
            plain = [between.join(line.split()) for line in lines]
        counts = np.fromiter((line.count(between) for line in plain), np.int64, size)
        for fields in np.unique(counts).tolist():
            rows = np.flatnonzero(counts == fields)
            group = plain if len(rows) == size else [plain[row] for row in rows.tolist()]
            self._group(group, fields + 1, rows, columns)
        for row in np.flatnonzero(columns[0] == _UNKNOWN).tolist():
            parsed = self.single(lines[row])
            if isinstance(parsed, str):
                wrong[row] = parsed
                continue
            time = np.nan if parsed[4] is None else parsed[4]
            for column, value in zip(columns, (*parsed[:4], time), strict=True):
                column[row] = value
        return columns, wrong

    def _group(
        self, lines: Sequence[bytes], fields: int, rows: Array, out: tuple[Array, ...]
    ) -> None:
        """Fill in the lines of one number of fields, as far as they are plain updates."""
        if not self.least <= fields <= len(self.order):
            return
        text = b"\n".join(lines) + b"\n"
        if b'"' in text or b"x" in text or b"X" in text:  # quotes; pyarrow reads 0x10 as 16
            return
        if text.count(b"\r") != text.count(b"\r\n"):  # which ends a line for pyarrow alone
            return
        table = _columns(text, self.order[:fields], self._between or b"\t")
        if table is None:
            return
        good = find_updates(table)
        for column, name in zip(out, ("op", "u", "v", "w", "time"), strict=True):
            column[rows[good]] = table[name][good]


def _columns(text: bytes, names: Sequence[str], between: bytes) -> dict[str, Array] | None:
    """Return the columns of plain lines; None if a field is not what its column wants."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    kinds = {"op": pa.dictionary(pa.int32(), pa.string()), "u": pa.int64(), "v": pa.int64()}
    kinds |= {"w": pa.float64(), "time": pa.float64()}
    unique = [f"{name} {at}" if name == SKIP else name for at, name in enumerate(names)]
    try:
        table = arrow.read_csv(
            pa.BufferReader(text),
            arrow.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=unique),
            arrow.ParseOptions(
                delimiter=between.decode(), quote_char=False, ignore_empty_lines=False
            ),
            arrow.ConvertOptions(
                column_types={name: kinds.get(name, pa.binary()) for name in unique},
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid:
        return None
    found: dict[str, Array] = {}
    for name in ("u", "v"):
        found[name] = table[name].fill_null(-1).to_numpy()
    size = table.num_rows
    for name in ("w", "time"):
        given = table[name].to_numpy() if name in names else np.full(size, np.nan)
        found[name] = given
        found[f"no {name}"] = table[name].is_null().to_numpy() if name in names else given != 0
    found["op"] = (
        operation_codes(table["op"].combine_chunks()) if "op" in names else np.zeros(size, np.uint8)
    )
    return found


def operation_codes(column: Any) -> Array:
    """Return the codes of operations by name; 255 for an unknown one."""
    words = column.dictionary.to_pylist()
    codes = [OPERATIONS.get((word or "").strip().lower(), _UNKNOWN) for word in words] + [_UNKNOWN]
    at = column.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
    found: Array = np.array(codes, np.uint8)[at]
    return found


def find_updates(table: dict[str, Array]) -> Array:
    """Return which rows are updates, and give the others' places to the slow way."""
    good: Array = table["op"] != _UNKNOWN
    for name in ("u", "v"):
        good &= (table[name] >= 0) & (table[name] <= LAST_NODE)
    w, none = table["w"], table["no w"]
    with np.errstate(invalid="ignore"):
        in_range = (w == 0) | ((w >= LEAST_WEIGHT) & (w <= MOST_WEIGHT))
    good &= np.where(none, table["op"] != REWEIGHT, in_range)
    table["w"] = np.where(none, 1.0, w)
    table["time"] = np.where(table["no time"], np.nan, table["time"])
    return good
