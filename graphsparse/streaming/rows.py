"""One row of a table of updates: from texts or values to numbers, or to a reason why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphsparse.errors import GraphFormatError
from graphsparse.streaming.batch import LEAST_WEIGHT, MOST_WEIGHT, OPERATIONS, REWEIGHT

COLUMNS = ("op", "u", "v", "w", "time")
SKIP = "skip"
LAST_NODE = 2**31 - 2
Update = tuple[int, int, int, float, float | None]


def named(row: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the columns that a header names."""
    names = tuple(field.strip().lower() for field in row)
    unknown = [field for field in names if field not in COLUMNS]
    missing = [field for field in COLUMNS[:3] if field not in names]
    if unknown or missing or len(set(names)) != len(names):
        raise GraphFormatError(
            f"{where}: expected columns among {', '.join(COLUMNS)}, each once and with the first "
            f"three, got {', '.join(names)}"
        )
    return names


def check_columns(columns: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the columns that a caller names: u and v, and op, w, time or skip."""
    if columns is None:
        return COLUMNS
    names = tuple(columns.replace(",", " ").split() if isinstance(columns, str) else columns)
    real = [name for name in names if name != SKIP]
    if not {"u", "v"} <= set(real) <= set(COLUMNS) or len(set(real)) != len(real):
        raise ValueError(
            f"columns must name u and v, and op, w, time or skip, each once, got {columns!r}"
        )
    return names


def least_fields(order: Sequence[str]) -> int:
    """Return how many fields a row must have: w and time may be left out at its end."""
    return 1 + max(order.index(column) for column in COLUMNS[:3] if column in order)


def update_of_fields(fields: Sequence[Any], order: Sequence[str], least: int) -> Update:
    """Return one update from the fields of a row."""
    if not least <= len(fields) <= len(order):
        allowed = f"{least} to {len(order)}" if least < len(order) else str(least)
        raise ValueError(f"expected {allowed} fields, got {len(fields)}")
    return update_of(dict(zip(order, fields, strict=False)), "op" in order)


def update_of(fields: Mapping[str, Any], has_op: bool = True) -> Update:
    """Return one update from its fields as text or values; without ``op`` it inserts.

    Raises
    ------
    ValueError
        If it is none; the message says why.
    """
    word = str(fields["op"]).strip().lower() if has_op else "insert"
    if word not in OPERATIONS:
        raise ValueError(f"op must be one of {', '.join(OPERATIONS)}, got {word!r}")
    op = OPERATIONS[word]
    given = fields.get("w")
    if _is_empty(given):
        if op == REWEIGHT:
            raise ValueError("w must be given to reweight an edge")
        w = 1.0
    else:
        w = _number("w", given)
        if not (w == 0 or LEAST_WEIGHT <= w <= MOST_WEIGHT):
            raise ValueError(f"w must be 0 or in [1e-300, 1e300], got {given}")
    stamp = fields.get("time")
    time = None if _is_empty(stamp) else _number("time", stamp)
    return op, _node("u", fields["u"]), _node("v", fields["v"]), w, time


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _text_of(value: Any) -> Any:
    """Return the value; text in Python's own notation for numbers, as 1_000, is refused."""
    if isinstance(value, str) and "_" in value:
        raise ValueError
    return value


def _number(column: str, value: Any) -> float:
    try:
        return float(_text_of(value))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{column} must be a number, got {value!r}") from None


def _node(column: str, value: Any) -> int:
    try:
        node = int(_text_of(value))
        if node != value and not isinstance(value, str):  # 1.5 in a table of floats
            node = -1
    except (TypeError, ValueError, OverflowError):
        node = -1
    if not 0 <= node <= LAST_NODE:
        raise ValueError(f"{column} must be a node id in [0, {LAST_NODE}], got {value!r}")
    return node
