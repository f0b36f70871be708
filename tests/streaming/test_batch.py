"""Batches of updates: columns, rows, operations, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from graphsparse import EdgeBatch


def test_lists_become_one_batch_deletes_first() -> None:
    batch = EdgeBatch.of(
        inserts=[(0, 1), (1, 2)], deletes=np.array([[3, 4]]), reweights=[(5, 6, 0.5)]
    )
    assert batch.op.tolist() == [1, 2, 0, 0]
    assert batch.w.tolist() == [0.0, 0.5, 1.0, 1.0]
    assert [column.tolist() for column in batch.inserts] == [[0, 1], [1, 2], [1.0, 1.0]]
    assert [column.tolist() for column in batch.deletes] == [[3], [4]]
    assert [column.tolist() for column in batch.reweights] == [[5], [6], [0.5]]
    assert repr(batch) == "EdgeBatch(inserts=2, deletes=1, reweights=1)"


def test_columns_and_rows_agree() -> None:
    rows = [(4, 2, 1.5), (7, 0, 2.5)]
    columns = (np.array([4, 7]), np.array([2, 0]), np.array([1.5, 2.5]))
    for form in (rows, np.array(rows), columns):
        batch = EdgeBatch.of(inserts=form)
        assert (batch.u.tolist(), batch.v.tolist(), batch.w.tolist()) == (
            [4, 7],
            [2, 0],
            [1.5, 2.5],
        )


def test_operations_keep_their_order() -> None:
    batch = EdgeBatch.from_operations(
        [("set", 3, 1, 2.0), ("delete", 3, 1), ("+", 1, 3), ("-", 0, 1), ("=", 0, 1, 0.0)]
    )
    assert batch.op.tolist() == [2, 1, 0, 1, 2]
    assert batch.w.tolist() == [2.0, 0.0, 1.0, 0.0, 0.0]
    assert batch[1:3].op.tolist() == [1, 0]
    assert len(batch[:0]) == len(EdgeBatch.from_operations([])) == len(EdgeBatch.of()) == 0


def test_arrays_are_frozen_copies() -> None:
    u = np.array([1, 2])
    batch = EdgeBatch(np.zeros(2, int), u, u + 1, np.ones(2), time=np.array([3, 4]))
    u[0] = 9
    assert batch.u.tolist() == [1, 2]
    assert batch.time is not None
    assert batch[1:].time.tolist() == [4.0]
    with pytest.raises(ValueError, match="read-only"):
        batch.u[0] = 5


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        (([3], [0], [1], [1.0]), ValueError, "op must be 0, 1 or 2, got 3 at update 0"),
        (([0, -1], [0, 0], [1, 1], [1.0, 1]), ValueError, "got -1 at update 1"),
        (([0], [0, 1], [1], [1.0]), ValueError, r"u must have one entry per update \(1\), got 2"),
        (([0], [0], [1], [[1.0]]), ValueError, r"w must have 1 dimension, got shape \(1, 1\)"),
        (([0], [0], [1], ["a"]), TypeError, "w must hold real numbers"),
        (([0], [0.5], [1], [1.0]), TypeError, "u must hold integers, got dtype float64"),
        (([0], [0], [-4], [1.0]), IndexError, "v must not be negative, got -4 at update 0"),
        (([2], [0], [1], [-0.5]), ValueError, "w must be 0 or in .* got -0.5 at update 0"),
    ],
)
def test_wrong_columns_are_refused(
    columns: tuple[list[object], ...], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        EdgeBatch(*columns)


def test_the_weight_of_a_delete_is_ignored() -> None:
    assert EdgeBatch([1], [0], [1], [np.nan]).w.tolist() == [0.0]


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (("insert", 0), r"update 0 must be \(name, u, v\[, w\]\), got \('insert', 0\)"),
        (("add", 0, 1), "update 0 must be one of insert, .*, got 'add'"),
        (("set", 0, 1), "update 0 must have a weight to set"),
    ],
)
def test_wrong_operations_are_refused(operation: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EdgeBatch.from_operations([operation])
