"""edge_index and pairs: types, dtypes, node counts, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphsparse import Graph, GraphFormatError, Hypergraph
from graphsparse.convert import as_border, from_edge_index, to_edge_index

PATH = np.array([[0, 1, 1, 2], [1, 0, 2, 1]])


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_numpy_edge_index_comes_back_with_its_dtype_and_order(dtype: type) -> None:
    border = as_border(PATH.astype(dtype))
    assert (border.graph.num_edges, border.graph.directed) == (2, False)
    assert border.directed_detected
    kept = border.restore(np.array([False, True]))
    assert kept.dtype == dtype
    np.testing.assert_array_equal(kept, [[1, 2], [2, 1]])


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_tensor_edge_index_comes_back_with_its_dtype(dtype: torch.dtype) -> None:
    given = torch.from_numpy(PATH).to(dtype)
    kept = as_border(given).restore(np.array([True, False]))
    assert torch.equal(kept, torch.tensor([[0, 1], [1, 0]], dtype=dtype))


def test_pairs_come_back_as_pairs() -> None:
    pairs = np.array([[0, 1], [1, 2], [2, 0]])
    border = as_border(pairs)
    assert border.graph.directed
    np.testing.assert_array_equal(border.restore(np.array([True, False, True])), pairs[[0, 2]])


def test_square_array_of_two_is_an_edge_index() -> None:
    graph = as_border(np.array([[0, 5], [1, 6]])).graph
    np.testing.assert_array_equal(np.stack(graph.edges()), [[0, 5], [1, 6]])


def test_directed_overrides_what_the_entries_say() -> None:
    assert as_border(PATH, directed=True).graph.num_edges == 4
    once = np.array([[0, 1], [2, 1], [2, 3]]).T
    border = as_border(np.array([[0, 1, 2, 3], [1, 2, 1, 3]]), directed=False)
    assert (border.graph.num_edges, border.graph.directed) == (3, False)
    assert not border.directed_detected
    np.testing.assert_array_equal(border.restore(np.array([False, True, False])), [[1, 2], [2, 1]])
    assert as_border(once, directed=False).graph.num_edges == 3


def test_copies_of_an_entry_share_its_fate() -> None:
    given = np.array([[0, 1, 0, 2, 2], [1, 0, 1, 2, 2]])
    border = as_border(given)
    assert (border.graph.num_edges, border.num_entries, border.num_merged) == (2, 5, 2)
    np.testing.assert_array_equal(border.restore(np.array([True, False])), given[:, :3])
    np.testing.assert_array_equal(border.restore(np.array([False, True])), given[:, 3:])


def test_node_count_is_the_largest_id_or_what_is_given() -> None:
    assert as_border(PATH).graph.num_nodes == 3
    assert as_border(PATH, num_nodes=7).graph.num_nodes == 7
    assert as_border(np.zeros((2, 0), np.int64)).graph.num_nodes == 0
    assert as_border(np.zeros((0, 2), np.int64), num_nodes=1).graph.num_nodes == 1


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (np.array([[0, -1], [1, 2]]), GraphFormatError, r"got \(-1, 2\) at entry 1"),
        (np.array([[0.0, 1.0], [1.0, 2.0]]), TypeError, "float64"),
        (np.zeros((3, 3), np.int64), ValueError, r"\(3, 3\)"),
        (np.arange(4), ValueError, r"\(4,\)"),
        (torch.zeros(2, 3), TypeError, "float32"),
        (torch.zeros((2, 3), dtype=torch.bool), TypeError, "bool"),
        (torch.zeros((3, 2), dtype=torch.int64), ValueError, r"\(3, 2\).*pairs.t"),
        (torch.zeros((2, 3), dtype=torch.int64, device="meta"), RuntimeError, "'meta'.*cpu"),
        ([(0, 1)], TypeError, "list"),
        ("graph.txt", TypeError, "str"),
        (Hypergraph([0, 1], [0, 0]), TypeError, "Hypergraph"),
    ],
)
def test_errors_say_what_came(given: object, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        as_border(given)


def test_too_few_nodes_names_the_first_bad_entry() -> None:
    with pytest.raises(GraphFormatError, match=r"\[0, 2\), got \(1, 2\) at entry 2"):
        as_border(PATH, num_nodes=2)


def test_mask_is_checked() -> None:
    with pytest.raises(ValueError, match=r"bool of shape \(2,\), got bool \(3,\)"):
        as_border(PATH).restore(np.ones(3, bool))
    with pytest.raises(ValueError, match="int64"):
        as_border(PATH).restore(np.ones(2, np.int64))


def test_round_trip_keeps_parallel_edges() -> None:
    graph = Graph.from_edges([(0, 1), (0, 1), (2, 2), (1, 3)], num_nodes=6)
    tensor = to_edge_index(graph)
    assert tensor.dtype == torch.int64
    assert tensor.shape == (2, graph.num_arcs)
    assert from_edge_index(tensor, num_nodes=6) == graph
    assert from_edge_index(tensor.numpy(), num_nodes=6) == graph


def test_weights_decide_directedness_with_the_entries() -> None:
    even = from_edge_index(PATH, weights=[1.0, 1.0, 3.0, 3.0])
    assert not even.directed
    np.testing.assert_array_equal(even.edge_weights(), [1.0, 3.0])
    assert from_edge_index(PATH, weights=torch.tensor([1.0, 2.0, 3.0, 3.0])).directed


def test_lossy_undirected_reading_is_refused() -> None:
    with pytest.raises(GraphFormatError, match="symmetrize"):
        from_edge_index(np.array([[0, 1], [1, 2]]), directed=False)
