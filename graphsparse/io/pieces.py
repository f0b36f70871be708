"""Pieces of an edge table: joining them, cutting them into batches of one size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from graphsparse.io.options import Array

Piece = tuple[Array, Array, Array | None]


def join(pieces: list[Piece]) -> Piece:
    """Return all pieces as one."""
    if not pieces:
        return np.zeros(0, np.int32), np.zeros(0, np.int32), None
    if len(pieces) == 1:
        return pieces[0]
    us, vs, ws = zip(*pieces, strict=True)
    return np.concatenate(us), np.concatenate(vs), None if ws[0] is None else np.concatenate(ws)


def rebatch(pieces: Iterable[Piece], rows: int) -> Iterator[Piece]:
    """Yield the same rows ``rows`` at a time; the last batch may be smaller."""
    held: list[Piece] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += len(piece[0])
        if count < rows:
            continue
        u, v, w = join(held)
        whole = count - count % rows
        for start in range(0, whole, rows):
            part = slice(start, start + rows)
            yield u[part], v[part], None if w is None else w[part]
        held, count = [(u[whole:], v[whole:], None if w is None else w[whole:])], count - whole
    if count:
        yield join(held)
