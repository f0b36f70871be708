"""Weights multiplied in place of what held them, in every type that can."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from graphs import karate, random_graph
from torch_geometric.data import Batch, Data, HeteroData

from graphsparse import Graph
from graphsparse.convert import as_border, to_networkx, to_pyg, to_torch_sparse
from graphsparse.convert.scaling import check_scalable, scale_weights

FACTORS = np.random.default_rng(313).uniform(0.5, 4, 78)


def weighted_karate() -> Graph:
    return Graph.from_edges(
        karate().edges(), num_nodes=34, weights=np.random.default_rng(7).uniform(1, 2, 78)
    )


def scaled_weights(obj) -> np.ndarray:
    """Return the edge weights of the simple graph that the result stands for."""
    return as_border(obj, directed=False).graph.edge_weights()


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("kind", ["graph", "csr", "csc", "coo", "lil", "matrix", "networkx"])
def test_each_type(kind, weighted):
    graph = weighted_karate() if weighted else karate()
    want = FACTORS * (graph.edge_weights() if weighted else 1)
    obj = {
        "graph": lambda: graph,
        "matrix": lambda: sp.csr_matrix(graph.to_scipy()),
        "networkx": lambda: to_networkx(graph),
    }.get(kind, lambda: graph.to_scipy().asformat(kind))()
    before = obj.copy() if kind != "graph" else None
    found = scale_weights(obj, FACTORS)
    assert type(found) is type(obj)
    assert np.allclose(scaled_weights(found), want)
    if kind == "networkx":
        assert nx.utils.graphs_equal(obj, before)
    elif kind != "graph":
        assert (obj != before).nnz == 0


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc])
def test_torch_sparse(layout):
    tensor = to_torch_sparse(weighted_karate()).to_sparse_coo().coalesce()
    tensor = tensor.to_sparse(layout=layout)
    found = scale_weights(tensor, FACTORS)
    assert found.layout == layout
    assert found.dtype == tensor.dtype
    assert np.allclose(scaled_weights(found), FACTORS * weighted_karate().edge_weights())


def test_parallel_edges_share_a_factor():
    graph = random_graph(5, n=7, m=40, weighted=True)
    simple = as_border(graph).graph
    factors = np.random.default_rng(3).uniform(1, 2, simple.num_edges)
    found = scale_weights(graph, factors)
    assert found.num_edges == graph.num_edges
    assert np.allclose(scaled_weights(found), simple.edge_weights() * factors)


def test_data_without_weights_gets_them():
    data = to_pyg(karate(), x=torch.ones(34, 2))
    found = scale_weights(data, FACTORS)
    assert "edge_weight" not in data
    assert found.edge_weight.dtype == torch.float32
    assert np.allclose(scaled_weights(found), FACTORS)


def test_data_weights_are_scaled_where_they_are():
    graph = weighted_karate()
    want = FACTORS * graph.edge_weights()
    data = to_pyg(graph)
    assert np.allclose(scaled_weights(scale_weights(data, FACTORS)), want)
    attributes = Data(edge_index=data.edge_index, edge_attr=data.edge_weight, num_nodes=34)
    found = scale_weights(attributes, FACTORS)
    assert "edge_weight" not in found
    assert np.allclose(scaled_weights(found), want)
    adjacency = Data(adj_t=to_torch_sparse(graph), num_nodes=34)
    assert np.allclose(scaled_weights(scale_weights(adjacency, FACTORS)), want)
    odd = Data(edge_index=data.edge_index, edge_weight=torch.ones(156, 2), num_nodes=34)
    with pytest.raises(ValueError, match=r"edge_weight must have one dimension, got \(156"):
        scale_weights(odd, FACTORS)


def test_a_batch_takes_its_new_weights_apart():
    parts = [to_pyg(karate()) for _ in range(2)]
    batch = Batch.from_data_list(parts)
    found = scale_weights(batch, np.concatenate((FACTORS, FACTORS / 2)))
    first, second = found.to_data_list()
    assert torch.allclose(first.edge_weight, 2 * second.edge_weight)
    assert np.allclose(scaled_weights(first), FACTORS)


def test_integer_weights_become_float64():
    matrix = karate().to_scipy().astype(np.int64) * 3
    found = scale_weights(matrix, FACTORS)
    assert found.dtype == np.float64
    assert np.allclose(scaled_weights(found), 3 * FACTORS)


def test_multigraphs_keep_their_keys():
    network = nx.MultiGraph([(0, 1), (0, 1), (1, 2, {"weight": 5.0})])
    found = scale_weights(network, np.array([2.0, 3.0]))
    assert [d["weight"] for *_, d in found.edges(data=True)] == [2.0, 2.0, 15.0]
    assert all("weight" not in d for *_, d in network.edges([0], data=True))


def test_types_without_a_place_for_weights():
    edge_index = torch.tensor([[0, 1], [1, 0]])
    for obj in (edge_index, edge_index.numpy()):
        with pytest.raises(TypeError, match="an edge_index has no place for them"):
            check_scalable(obj)
        with pytest.raises(TypeError, match="has no place for them"):
            scale_weights(obj, np.ones(1))
    with pytest.raises(TypeError, match="one graph at a time, got a HeteroData"):
        check_scalable(HeteroData())
    check_scalable(karate())
