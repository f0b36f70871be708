"""Sparsifiers on the types of other packages: the same kind out, attributes filtered along."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp

from graphsparse import random_edges, sparsify, teddy


def test_edge_index_and_data_agree():
    torch = pytest.importorskip("torch")
    data_module = pytest.importorskip("torch_geometric.data")
    graph = nx.gnm_random_graph(60, 300, seed=11)
    ends = torch.tensor(list(graph.edges())).t()
    edge_index = torch.cat((ends, ends.flip(0)), dim=1)[:, torch.randperm(600)]
    data = data_module.Data(
        x=torch.randn(60, 3), edge_index=edge_index, edge_attr=torch.arange(600).view(-1, 1)
    )
    kept = teddy(data, keep=0.25)
    assert kept.num_edges == 150
    assert pytest.importorskip("torch_geometric.utils").is_undirected(kept.edge_index)
    assert torch.equal(kept.edge_index, edge_index[:, kept.edge_attr.view(-1)])
    assert torch.equal(kept.edge_index, teddy(edge_index, keep=0.25))
    assert data.num_edges == 600


def test_hetero_data_keeps_the_fraction_of_each_type():
    torch = pytest.importorskip("torch")
    data_module = pytest.importorskip("torch_geometric.data")
    data = data_module.HeteroData()
    data["a"].x, data["b"].x = torch.randn(30, 2), torch.randn(40, 2)
    data["a", "to", "b"].edge_index = torch.stack((torch.arange(30), torch.arange(30) + 5))
    data["a", "to", "b"].edge_attr = torch.arange(30)
    ring = torch.arange(40)
    data["b", "next", "b"].edge_index = torch.stack((ring, (ring + 1) % 40))
    result = sparsify(data, "random", keep=0.4, seed=5)
    assert result.graph["a", "to", "b"].edge_index.shape == (2, 12)
    assert len(result.graph["a", "to", "b"].edge_attr) == 12
    assert result.graph["b", "next", "b"].edge_index.shape == (2, 16)
    assert (result.num_candidates, result.num_kept) == (70, 28)
    assert result.details["edge_types"]["a__to__b"]["num_kept"] == 12
    assert data["a", "to", "b"].edge_index.shape == (2, 30)
    with pytest.raises(ValueError, match="a HeteroData needs keep"):
        sparsify(data, "random", num_edges=3)


def test_scipy_and_networkx_agree():
    graph = nx.gnm_random_graph(50, 200, seed=3)
    nx.set_edge_attributes(graph, {edge: f"{edge}" for edge in graph.edges()}, "name")
    kept = random_edges(graph, keep=0.3, seed=9)
    assert type(kept) is nx.Graph
    assert kept.number_of_edges() == 60
    assert all(graph.edges[edge] == kept.edges[edge] for edge in kept.edges())
    matrix = sp.csc_matrix(nx.to_scipy_sparse_array(graph, nodelist=range(50)))
    sparse = random_edges(matrix, keep=0.3, seed=9)
    assert isinstance(sparse, sp.csc_matrix)
    assert np.array_equal(
        sparse.toarray(), nx.to_numpy_array(kept, nodelist=range(50)), equal_nan=False
    )


def test_directedness_can_be_told():
    arcs = np.array([[0, 1, 1, 2, 2], [1, 0, 2, 1, 0]])
    assert sparsify(arcs, "random", keep=1.0).directed
    told = sparsify(arcs, "random", num_edges=1, directed=False)
    assert (told.directed, told.num_candidates) == (False, 3)
