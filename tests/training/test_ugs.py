"""UGS: exact counts, ties, one mask per pair, rewinding, dropout on throughout."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from graphsparse.graph import Graph
from graphsparse.models import GAT, GCN, GIN, SAGE, Adjacency, MaskedAdjacency
from graphsparse.training import NodeData, set_seed
from graphsparse.training.ugs import UgsOptions, _prune_edges, _prune_weights, ugs


def toy(seed: int, directed: bool = False) -> NodeData:
    rng = np.random.default_rng(seed)
    pairs = np.unique(np.sort(rng.integers(0, 30, (80, 2)), axis=1), axis=0)
    graph = Graph.from_edges(pairs, num_nodes=30, directed=directed)
    ids = torch.from_numpy(rng.permutation(30))
    y = torch.from_numpy(rng.integers(0, 3, 30))
    return NodeData(graph, torch.randn(30, 6), y, ids[:10], ids[10:20], ids[20:], 3)


@pytest.mark.parametrize("make", [GCN, GIN, GAT, SAGE])
@pytest.mark.parametrize("directed", [False, True])
def test_counts_are_exact_in_every_round(make: type, directed: bool) -> None:
    set_seed(3)
    data = toy(83, directed)
    model = make(6, 8, 3)
    matrices = sum(p.numel() for p in model.parameters() if p.dim() >= 2)
    loops, edges, weights = data.graph.num_self_loops, data.graph.num_edges, matrices
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    options = UgsOptions(edge_rate=0.1, weight_rate=0.2, mask_epochs=3, epochs=3)
    graph = data.graph
    for done in ugs(model, data, 3, options):
        edges = edges - int(0.1 * (edges - loops) + 1e-6)
        weights = weights - int(np.ceil(0.2 * weights - 1e-6))
        assert (done.edges, done.weights) == (edges, weights)
        assert done.graph.num_self_loops == loops
        assert done.graph.directed or done.graph.is_symmetric()
        old, new = (
            set(zip(*map(np.ndarray.tolist, g.edges()), strict=True)) for g in (graph, done.graph)
        )
        assert new < old
        for name, mask in done.masks.items():
            assert not model.state_dict()[name][~mask].any()
        graph = done.graph
    assert any(not torch.equal(before[n], t) for n, t in model.state_dict().items())


def test_ties_go_by_index() -> None:
    graph = Graph.from_edges([(0, 1), (0, 2), (1, 1), (1, 2), (2, 3)], num_nodes=4)
    left = _prune_edges(graph, torch.tensor([1.0, 1, 0, 1, 1]), 0.5)
    assert [end.tolist() for end in left.edges()] == [[0, 0, 1], [1, 2, 1]]
    trained = {"a": torch.tensor([[2.0, 1.0]]), "b": torch.tensor([[1.0], [-1.0]])}
    masks = {name: torch.ones_like(t, dtype=torch.bool) for name, t in trained.items()}
    kept = _prune_weights(trained, masks, 0.5)
    assert kept["a"].tolist() == [[True, True]]
    assert kept["b"].tolist() == [[False], [False]]


@pytest.mark.parametrize("make", [GCN, GIN, GAT, SAGE])
@pytest.mark.parametrize("directed", [False, True])
def test_mask_acts_on_messages_and_has_the_right_gradient(make: type, directed: bool) -> None:
    torch.manual_seed(7)
    graph = toy(89, directed).graph
    adjacency = Adjacency(graph)
    model = make(4, 3, 2).double().eval()
    x = torch.randn(30, 4, dtype=torch.float64)
    ones = torch.ones(graph.num_edges, dtype=torch.float64)
    same = model(x, MaskedAdjacency(adjacency, ones))
    torch.testing.assert_close(same, model(x, adjacency))
    mask = (0.5 + torch.rand(graph.num_edges, dtype=torch.float64)).requires_grad_()
    assert gradcheck(lambda m: model(x, MaskedAdjacency(adjacency, m)).sum(0), (mask,), atol=1e-6)


def test_a_zero_mask_silences_the_edge() -> None:
    graph = Graph.from_edges([(0, 1), (1, 2), (2, 2)], num_nodes=3)
    mask = torch.tensor([0.0, 3.0, 5.0])
    dense = MaskedAdjacency(Adjacency(graph), mask).sum().to_dense()
    assert dense.tolist() == [[0, 0, 0], [0, 0, 3], [0, 3, 1]]  # loops keep the factor 1


def test_mask_training_keeps_dropout_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    forward = GCN.suffix

    def spy(self: GCN, hidden: torch.Tensor, adjacency: Adjacency) -> torch.Tensor:
        seen.append(self.training)
        return forward(self, hidden, adjacency)

    monkeypatch.setattr(GCN, "suffix", spy)
    next(ugs(GCN(6, 8, 3), toy(97), 1, UgsOptions(mask_epochs=3, epochs=2)))
    assert seen == [True, False] * 5


def test_masks_of_wrong_length_are_refused() -> None:
    graph = Graph.from_edges([(0, 1)], num_nodes=2)
    with pytest.raises(ValueError, match=r"mask must have shape \(1,\), got \(2,\)"):
        MaskedAdjacency(Adjacency(graph), torch.ones(2))
