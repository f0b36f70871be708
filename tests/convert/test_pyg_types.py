"""PyG Data: which attributes are edge-level, adjacencies, batches, node counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data, TemporalData

from graphsparse import Graph, GraphFormatError
from graphsparse.convert import as_border, from_pyg, to_pyg

PATH = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])  # edges 01, 12, 23
MIDDLE = np.array([False, True, False])


def adjacency(layout: torch.layout, values: list[float] | None = None) -> torch.Tensor:
    """Return the path as ``adj_t``."""
    numbers = torch.ones(6) if values is None else torch.tensor(values)
    coo = torch.sparse_coo_tensor(PATH.flip(0), numbers, (5, 5)).coalesce()
    return {
        torch.sparse_coo: lambda: coo,
        torch.sparse_csr: coo.to_sparse_csr,
        torch.sparse_csc: coo.to_sparse_csc,
    }[layout]()


def test_every_edge_level_attribute_is_filtered() -> None:
    data = Data(
        x=torch.randn(5, 2),
        y=torch.arange(5),
        edge_index=PATH,
        edge_attr=torch.arange(12).view(6, 2),
        e_id=torch.arange(6),
        names=list("abcdef"),
        times=np.arange(6),
        both_ways=torch.arange(12).view(2, 6),  # first dimension decides: not edge-level
        train_mask=torch.ones(5, dtype=torch.bool),
        title="path",
    )
    kept = as_border(data).restore(MIDDLE)
    assert kept.edge_index.tolist() == [[1, 2], [2, 1]]
    assert kept.edge_attr.tolist() == [[4, 5], [6, 7]]
    assert kept.e_id.tolist() == [2, 3]
    assert kept.names == ["c", "d"]
    assert kept.times.tolist() == [2, 3]
    for key in ("x", "y", "both_ways", "train_mask", "title"):
        assert kept[key] is data[key]
    assert kept.num_edges == 2
    assert kept.is_edge_attr("edge_attr")
    assert data.num_edges == 6
    assert data.names == list("abcdef")


def test_supervision_edges_are_no_edge_attributes() -> None:
    # RandomLinkSplit gives as many labelled pairs as message edges: a trap of is_edge_attr.
    data = Data(
        edge_index=PATH, num_nodes=5, edge_label_index=PATH.flip(1), edge_label=torch.ones(6)
    )
    data.neg_edge_index = PATH.flip(1)
    assert data.is_edge_attr("edge_label")
    kept = as_border(data).restore(MIDDLE)
    assert kept.edge_label.shape == (6,)
    assert kept.edge_label_index.shape == (2, 6)
    assert kept.neg_edge_index.shape == (2, 6)


@pytest.mark.parametrize("layout", [torch.sparse_csr, torch.sparse_coo, torch.sparse_csc])
def test_adj_t_alone(layout: torch.layout) -> None:
    data = Data(adj_t=adjacency(layout), edge_attr=torch.arange(6), x=torch.ones(5, 1))
    border = as_border(data)
    assert border.graph == Graph.from_edges([(0, 1), (1, 2), (2, 3)], num_nodes=5)
    kept = border.restore(MIDDLE)
    assert kept.adj_t.layout == layout
    assert kept.adj_t.to_dense().nonzero().tolist() == [[1, 2], [2, 1]]
    assert kept.edge_attr.tolist() == [2, 3]
    assert data.adj_t._nnz() == 6


def test_adj_t_is_turned_and_weighted() -> None:
    arcs = torch.sparse_coo_tensor(torch.tensor([[1, 2], [0, 0]]), torch.tensor([3.0, 4.0]), (3, 3))
    graph = as_border(Data(adj_t=arcs.to_sparse_csr())).graph
    assert [e.tolist() for e in graph.edges()] == [[0, 0], [1, 2]]
    assert graph.weights is not None
    assert graph.weights.tolist() == [3.0, 4.0]
    turned = as_border(Data(adj=arcs.to_sparse_csr())).graph
    assert [e.tolist() for e in turned.edges()] == [[1, 2], [0, 0]]


def test_edge_index_and_adj_t_are_filtered_together() -> None:
    shuffled = PATH[:, [5, 0, 3, 2, 4, 1]]
    data = Data(edge_index=shuffled, adj_t=adjacency(torch.sparse_csr), e_id=torch.arange(6))
    kept = as_border(data).restore(MIDDLE)
    assert kept.e_id.tolist() == [2, 3]
    assert kept.adj_t.to_dense().nonzero().tolist() == [[1, 2], [2, 1]]
    wrong = Data(edge_index=shuffled[:, 1:], adj_t=adjacency(torch.sparse_csr), num_nodes=5)
    with pytest.raises(
        GraphFormatError, match=r"data.adj_t must hold the edges of data.edge_index"
    ):
        as_border(wrong)


def test_weights_come_from_edge_weight_or_flat_float_edge_attr() -> None:
    flat = torch.tensor([1.0, 1.0, 2.0, 2.0, 3.0, 3.0], requires_grad=True)
    for key in ("edge_weight", "edge_attr"):
        border = as_border(Data(edge_index=PATH, num_nodes=5, **{key: flat}))
        assert border.graph.edge_weights().tolist() == [1.0, 2.0, 3.0]
        assert border.restore(MIDDLE)[key].requires_grad
    half = as_border(Data(edge_index=PATH, num_nodes=4, edge_weight=flat.detach().bfloat16()))
    assert half.restore(MIDDLE).edge_weight.dtype == torch.bfloat16
    kinds = as_border(Data(edge_index=PATH, num_nodes=5, edge_attr=torch.arange(6))).graph
    assert kinds.weights is None
    with pytest.raises(GraphFormatError, match="edge_weight must have 6 entries, got 5"):
        as_border(Data(edge_index=PATH, num_nodes=5, edge_weight=torch.ones(5)))
    with pytest.raises(ValueError, match="finite, got nan at position 1"):
        as_border(
            Data(edge_index=PATH, num_nodes=5, edge_weight=torch.tensor([1, torch.nan, 1, 1, 1, 1]))
        )


def test_batch_can_be_taken_apart_again() -> None:
    parts = [
        Data(edge_index=PATH, edge_attr=torch.arange(6) + 10 * i, num_nodes=4 + i) for i in (1, 2)
    ]
    batch = Batch.from_data_list(parts, follow_batch=["edge_attr"])
    border = as_border(batch)
    kept = border.restore(np.array([True, False, False, False, True, True]))
    assert type(kept) is type(batch)
    first, second = kept.to_data_list()
    assert first.edge_index.tolist() == [[0, 1], [1, 0]]
    assert first.edge_attr.tolist() == [10, 11]
    assert second.edge_attr.tolist() == [22, 23, 24, 25]
    assert second.num_nodes == 6
    assert kept.edge_attr_batch.tolist() == [0, 0, 1, 1, 1, 1]
    assert kept.edge_attr_ptr.tolist() == [0, 2, 6]
    assert [d.num_edges for d in batch.to_data_list()] == [6, 6]


def test_edge_index_class_stays() -> None:
    index = EdgeIndex(PATH, sort_order="row", is_undirected=True, sparse_size=(5, 5))
    kept = as_border(Data(edge_index=index, num_nodes=5)).restore(MIDDLE)
    assert isinstance(kept.edge_index, EdgeIndex)
    kept.edge_index.validate()
    assert kept.edge_index.as_tensor().tolist() == [[1, 2], [2, 1]]


def test_node_count_is_that_of_data() -> None:
    assert as_border(Data(edge_index=PATH)).graph.num_nodes == 4  # PyG's own warning is kept off
    assert as_border(Data(edge_index=PATH, x=torch.ones(9, 1))).graph.num_nodes == 9
    empty = Data(edge_index=torch.zeros((2, 0), dtype=torch.int64), num_nodes=0)
    assert as_border(empty).restore(np.zeros(0, bool)).num_nodes == 0
    with pytest.raises(GraphFormatError, match=r"data.edge_index must hold node ids in \[0, 3\)"):
        as_border(Data(edge_index=PATH, num_nodes=3))
    with pytest.raises(ValueError, match="num_nodes must be 9, as in data, got 3"):
        as_border(Data(edge_index=PATH, x=torch.ones(9, 1)), num_nodes=3)


def test_own_edge_count_is_kept_right() -> None:
    data = Data(edge_index=PATH, num_nodes=5)
    data.num_edges = 6
    assert as_border(data).restore(MIDDLE).num_edges == 2


def test_errors_say_what_came() -> None:
    with pytest.raises(GraphFormatError, match=r"must have edge_index, adj_t or adj, got \['x'\]"):
        as_border(Data(x=torch.ones(2, 1)))
    with pytest.raises(TypeError, match="adj_t must be a sparse torch tensor, got list"):
        as_border(Data(adj_t=[1, 2], num_nodes=2))
    with pytest.raises(TypeError, match="edge_index must be a dense tensor, got list"):
        as_border(Data(edge_index=[[0], [1]], num_nodes=2))
    with pytest.raises(TypeError, match="TemporalData"):
        as_border(TemporalData(src=torch.tensor([0]), dst=torch.tensor([1]), t=torch.tensor([2])))
    with pytest.raises(TypeError, match=r"must be a torch_geometric.data.Data, got dict"):
        from_pyg({})


@pytest.mark.parametrize("directed", [False, True])
def test_round_trip(directed: bool) -> None:
    edges = [(0, 1), (0, 1), (2, 2), (3, 1)]
    graph = Graph.from_edges(edges, num_nodes=6, weights=[1, 2, 3, 4], directed=directed)
    data = to_pyg(graph, y=torch.zeros(6))
    assert data.num_edges == graph.num_arcs
    assert data.y.shape == (6,)
    assert from_pyg(data) == graph
