"""The border to PyG's HyperGraphData keeps order, repeats and both counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data.hypergraph_data import HyperGraphData

from graphsparse import GraphFormatError, Hypergraph
from graphsparse.convert import from_hyperedges, from_hypergraph_data, to_hypergraph_data


def test_there_and_back_with_empty_hyperedges_and_isolated_nodes():
    rng = np.random.default_rng(4711)
    for _ in range(200):
        n, nodes, edges = (int(x) for x in rng.integers((0, 1, 1), (20, 9, 9)))
        h = Hypergraph(rng.integers(0, nodes, n), rng.integers(0, edges, n), nodes, edges)
        assert from_hypergraph_data(to_hypergraph_data(h)) == h


def test_counts_come_from_attributes():
    index = torch.tensor([[0, 1, 1], [0, 0, 1]])
    data = HyperGraphData(x=torch.zeros(5, 2), edge_index=index, edge_attr=torch.zeros(4, 1))
    assert from_hypergraph_data(data) == Hypergraph([0, 1, 1], [0, 0, 1], 5, 4)
    assert from_hypergraph_data(data, num_hyperedges=7).num_hyperedges == 7
    bare = HyperGraphData(edge_index=index)
    assert from_hypergraph_data(bare) == Hypergraph([0, 1, 1], [0, 0, 1], 2, 2)


def test_lists_keep_their_order():
    h = from_hyperedges([[2, 0], [], [0, 0]], num_nodes=4)
    assert h == Hypergraph([2, 0, 0, 0], [0, 0, 2, 2], 4, 3)
    assert from_hyperedges([]).num_incidences == 0


def test_bad_shapes_are_refused():
    with pytest.raises(
        GraphFormatError, match=r"edge_index must have shape \(2, n\), got \(3, 1\)"
    ):
        from_hypergraph_data(HyperGraphData(edge_index=torch.zeros(3, 1, dtype=torch.long)))
    with pytest.raises(GraphFormatError, match=r"nodes must be in \[0, 1\), got 2"):
        from_hyperedges([[2]], num_nodes=1)
