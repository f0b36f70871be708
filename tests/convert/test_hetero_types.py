"""HeteroData: one graph per edge type; reverse types follow their originals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, HeteroData
from torch_geometric.transforms import ToUndirected

from graphsparse import GraphFormatError, sparsify
from graphsparse.convert import as_border, hetero_borders, restore_hetero

WRITES = ("author", "writes", "paper")
BACK = ("paper", "rev_writes", "author")
CITES = ("paper", "cites", "paper")


def library() -> HeteroData:
    data = HeteroData()
    data["author"].x = torch.ones(4, 1)
    data["paper"].num_nodes = 3
    data[WRITES].edge_index = torch.tensor([[3, 0, 0, 2], [1, 2, 0, 1]])
    data[WRITES].edge_attr = torch.arange(4)
    data[CITES].edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    return data


def test_each_edge_type_is_a_graph() -> None:
    borders = hetero_borders(library())
    assert list(borders) == [WRITES, CITES]
    writes = borders[WRITES].graph
    assert (writes.num_nodes, writes.directed) == (7, False)
    assert [e.tolist() for e in writes.edges()] == [[0, 0, 2, 3], [4, 6, 5, 5]]
    assert (borders[CITES].graph.num_nodes, borders[CITES].graph.num_edges) == (3, 2)
    assert not borders[WRITES].directed_detected
    assert borders[CITES].directed_detected


def test_directed_bipartite_edges_go_from_source_to_destination() -> None:
    graph = hetero_borders(library(), directed=True)[WRITES].graph
    assert graph.directed
    assert graph.num_arcs == 4


def test_masks_filter_their_type_only() -> None:
    data = library()
    borders = hetero_borders(data)
    one = borders[WRITES].restore(np.array([True, False, False, True]))
    assert one[WRITES].edge_index.tolist() == [[3, 0], [1, 0]]
    assert one[WRITES].edge_attr.tolist() == [0, 2]
    assert one[CITES].num_edges == 4
    both = restore_hetero(
        data, borders, {WRITES: np.zeros(4, bool), CITES: np.array([False, True])}
    )
    assert both[WRITES].num_edges == 0
    assert both[CITES].edge_index.tolist() == [[1, 2], [2, 1]]
    assert both["paper"].num_nodes == 3
    assert data[WRITES].num_edges == 4
    assert data[CITES].num_edges == 4


def test_reverse_edges_share_the_fate_of_their_originals() -> None:
    data = ToUndirected()(library())
    order = torch.tensor([2, 0, 3, 1])
    data[BACK].edge_index = data[BACK].edge_index[:, order]
    data[BACK].edge_attr = data[BACK].edge_attr[order]
    borders = hetero_borders(data)
    assert BACK not in borders
    result = sparsify(data, "random", keep=0.5, seed=11)
    there = result.graph[WRITES].edge_index
    back = result.graph[BACK].edge_index
    assert there.shape == (2, 2)
    assert sorted(there.t().tolist()) == sorted(back.flip(0).t().tolist())
    assert sorted(result.graph[WRITES].edge_attr.tolist()) == sorted(
        result.graph[BACK].edge_attr.tolist()
    )


def test_other_edges_under_a_reverse_name_are_a_graph_of_their_own() -> None:
    data = library()
    data[BACK].edge_index = torch.tensor([[1, 2], [3, 1]])
    assert list(hetero_borders(data)) == [WRITES, CITES, BACK]


def test_reverse_of_a_square_type() -> None:
    data = HeteroData()
    data["paper"].num_nodes = 4
    arcs = torch.tensor([[0, 1, 2], [1, 2, 3]])
    data["paper", "cites", "paper"].edge_index = arcs
    data["paper", "rev_cites", "paper"].edge_index = arcs.flip(0)
    borders = hetero_borders(data)
    assert list(borders) == [CITES]
    kept = borders[CITES].restore(np.array([True, False, False]))
    assert kept["paper", "rev_cites", "paper"].edge_index.tolist() == [[1], [0]]


def test_batch_can_be_taken_apart_again() -> None:
    parts = [library(), library()]
    for part in parts:
        part["paper"].x = torch.ones(3, 2)  # PyG itself cannot separate a store without tensors
    batch = Batch.from_data_list(parts)
    borders = hetero_borders(batch)
    mask = np.zeros(8, bool)
    mask[0] = mask[-1] = True
    first, second = borders[WRITES].restore(mask).to_data_list()
    assert first[WRITES].edge_index.tolist() == [[0], [0]]
    assert second[WRITES].edge_index.tolist() == [[3], [1]]
    assert second[WRITES].edge_attr.tolist() == [0]
    assert [d[WRITES].num_edges for d in batch.to_data_list()] == [4, 4]


def test_errors_say_what_came() -> None:
    with pytest.raises(TypeError, match="one graph per edge type"):
        as_border(library())
    with pytest.raises(TypeError, match="must be a HeteroData, got ndarray"):
        hetero_borders(np.zeros((2, 0), int))
    data = library()
    data[WRITES].edge_index[1, 2] = 3
    with pytest.raises(GraphFormatError, match=r"destination ids in \[0, 3\), got 3 at entry 2"):
        hetero_borders(data)
