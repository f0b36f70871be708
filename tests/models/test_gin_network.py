"""Blocks and networks of GIN-attention: batches, virtual nodes, training, l0 scopes, decay."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from graphsparse.graph import Graph
from graphsparse.models import (
    Adjacency,
    CategoryEncoder,
    GINAttentionBlock,
    GINAttentionNet,
    SparseMatrix,
)
from graphsparse.models.pooling import GraphPool, graph_mean, graph_of_node
from graphsparse.operators.keep_by_scores import keep_by_scores
from graphsparse.training import NodeData, adam, project_l0, train
from graphsparse.training.report import count_macs, weights_kept


def molecules(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Small graphs as codes of nodes and edges, one edge list, and the first node of each."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 8, count)
    ptr = np.concatenate([[0], np.cumsum(sizes)])
    arcs = [rng.integers(0, s, (2, 2 * s)) + p for s, p in zip(sizes, ptr[:-1], strict=True)]
    index = torch.from_numpy(np.concatenate(arcs, axis=1))
    codes = torch.from_numpy(rng.integers(0, 4, (int(ptr[-1]), 2)))
    bonds = torch.from_numpy(rng.integers(0, 3, (index.shape[1], 1)))
    return codes, index, bonds, torch.from_numpy(ptr)


def graph_net(**options) -> GINAttentionNet:
    torch.manual_seed(5)
    return GINAttentionNet(
        0,
        16,
        2,
        task="graph",
        layers=3,
        heads=2,
        encoder=CategoryEncoder([4, 4], 16),
        edge_encoder=CategoryEncoder([3], 6),
        edge_dim=6,
        **{"edge_mode": "both", "normalize": "degree", **options},
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"virtual_node": True, "pool": "sum", "jk": "cat"},
        {"pool": "attention", "jk": "max", "norm": "batch", "ffn": 1.0},
        {"jk": "sum", "block_norm": None, "virtual_node": True},
    ],
)
def test_a_batch_of_graphs_equals_the_graphs(options: dict) -> None:
    codes, index, bonds, ptr = molecules(6, 31)
    net = graph_net(**options).eval()
    together = net(codes, index, bonds, ptr)
    for g in range(6):
        a, b = int(ptr[g]), int(ptr[g + 1])
        mine = (index[0] >= a) & (index[0] < b)
        alone = net(codes[a:b], index[:, mine] - a, bonds[mine])
        torch.testing.assert_close(together[g : g + 1], alone, rtol=1e-4, atol=1e-5)


def test_pools() -> None:
    x, ptr = torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([0, 2, 2, 3])
    graph = graph_of_node(ptr)
    assert graph.tolist() == [0, 0, 2]
    assert graph_mean(x, graph, 3).tolist() == [[2.0], [0.0], [5.0]]
    pool = GraphPool(1, "attention")
    pool.gate.weight.data.fill_(0.5)
    a = torch.softmax(torch.tensor([0.5, 1.5]), 0)
    want = torch.tensor([[float(a[0] + 3 * a[1])], [0.0], [5.0]])
    torch.testing.assert_close(pool(x, graph, 3), want)
    with pytest.raises(ValueError, match="pool must be one of 'mean', 'sum', 'attention'"):
        GraphPool(1, "max")


def test_categories_are_the_sum_of_their_embeddings() -> None:
    encoder = CategoryEncoder([2, 3], 4)
    got = encoder(torch.tensor([[1, 2], [0, 0]]))
    torch.testing.assert_close(got[0], encoder.weight[1] + encoder.weight[4])
    torch.testing.assert_close(got[1], encoder.weight[0] + encoder.weight[2])


def test_a_graph_network_overfits_a_batch() -> None:
    codes, index, bonds, ptr = molecules(24, 32)
    y = torch.arange(24) % 2
    net = graph_net(dropout=0.0, virtual_node=True, norm="batch")
    optimizer = adam(net, lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(codes, index, bonds, ptr), y)
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.05


def ring_task() -> NodeData:
    """Two communities on a ring with chords; features are noise and a weak hint."""
    rng = np.random.default_rng(33)
    n = 60
    y = (np.arange(n) >= n // 2).astype(np.int64)
    pairs = [(i, (i + s) % n) for i in range(n) for s in (1, 2)]
    x = rng.standard_normal((n, 12)).astype(np.float32)
    x[:, 0] += 5.0 * y
    graph = Graph.from_edges([p for p in pairs if y[p[0]] == y[p[1]]], num_nodes=n)
    ids = torch.from_numpy(rng.permutation(n))
    tensors = torch.from_numpy(x), torch.from_numpy(y)
    return NodeData(graph, *tensors, ids[:20], ids[20:40], ids[40:], 2)


@pytest.mark.parametrize("input_dropout", [0.0, 0.3])
def test_a_node_network_trains_in_the_trainer(input_dropout: float) -> None:
    torch.manual_seed(34)
    data = ring_task()
    net = GINAttentionNet(
        12, 16, 2, layers=2, heads=2, dropout=0.2, input_dropout=input_dropout, ffn=2.0
    )
    assert train(net, data, epochs=60).test > 0.8


def test_sparse_features_give_the_dense_output() -> None:
    torch.manual_seed(35)
    x = torch.randn(20, 12) * (torch.rand(20, 12) < 0.2)
    index = torch.randint(0, 20, (2, 50))
    net = GINAttentionNet(12, 16, 3, layers=2, heads=2, jk="cat").eval()
    adjacency = Adjacency.from_edge_index(index, 20)
    want = net(x, adjacency)
    torch.testing.assert_close(net(SparseMatrix.from_dense(x), adjacency), want)
    torch.testing.assert_close(net(x, index), want, rtol=1e-5, atol=1e-5)


KEPT_DENSE = ("eps", "alpha", "gain", "shift", "bias", "norm.weight", "ffn.0")


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("include", [None, "all"])
def test_projection_takes_the_weights_only(heads: int, include: str | None) -> None:
    torch.manual_seed(36)
    net = GINAttentionNet(
        12, 16, 3, layers=2, heads=heads, ffn=1.0, norm="layer", virtual_node=True
    )
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    kept = project_l0(net, 0.25, include=include, min_keep_per_layer=1)
    weights = {n for n in before if not any(tag in n for tag in KEPT_DENSE)} | {"encoder.weight"}
    assert set(kept) == weights
    for name, p in net.named_parameters():
        assert (name in weights) != torch.equal(p, before[name])
    total = sum(before[name].numel() for name in weights)
    assert sum(kept.values()) == total - int(np.ceil(0.75 * total - 1e-6))
    assert weights_kept(net) == (sum(kept.values()), total)
    graph = Graph.from_edges([(0, 1), (1, 2)])
    assert count_macs(net, graph) == 3 * sum(kept.values()) + 2 * 2 * (4 + 3) * 16


@pytest.mark.parametrize("options", [{"scope": "row", "keep": 0.5}, {"scope": "nm", "nm": (2, 4)}])
def test_rows_of_the_weights_are_output_neurons(options: dict) -> None:
    torch.manual_seed(37)
    net = GINAttentionNet(8, 16, 4, layers=1, heads=2, mlp_ratio=1.0)
    project_l0(net, **options)
    rows = net.blocks[0].attention.update.weight_in
    assert rows.shape == (16, 8)  # 2 heads of 8 neurons with 8 inputs
    assert bool((torch.count_nonzero(rows, dim=1) == 4).all())


def test_weight_decay_spares_what_is_no_weight() -> None:
    net = GINAttentionNet(8, 16, 4, layers=1, heads=2)
    decayed, free = adam(net).param_groups
    named = {id(p): name for name, p in net.named_parameters()}
    assert decayed["weight_decay"] == 5e-4
    assert free["weight_decay"] == 0.0
    spared = {named[id(p)] for p in free["params"]}
    assert {"blocks.0.attention.alpha", "blocks.0.attention.update.eps", "output.bias"} <= spared
    assert "blocks.0.attention.query.weight" in {named[id(p)] for p in decayed["params"]}


def test_scores_of_a_layer_trim_its_graph() -> None:
    torch.manual_seed(38)
    data = ring_task()
    block = GINAttentionBlock(12, heads=2, block_norm=None).eval()
    scores = block.attention.attention_scores(data.x, data.graph)
    kept = keep_by_scores(data.graph, scores.mean.numpy(), 0.5)
    m = data.graph.num_edges
    assert kept.num_edges == m - m // 2
    assert int((kept.degree == 0).sum()) == 0  # every node keeps the best of its edges
    assert block(data.x, kept).shape == (60, 12)


def test_a_block_without_residual_is_its_attention() -> None:
    torch.manual_seed(77)
    x, index = torch.randn(6, 8), torch.tensor([[0, 1, 2, 3, 4, 5], [1, 2, 0, 4, 5, 3]])
    block = GINAttentionBlock(8, ffn=None, residual=False, heads=2).eval()
    alone = block.attention(block.norm(x), index)
    torch.testing.assert_close(block(x, index), alone)
    block.residual = True
    torch.testing.assert_close(block(x, index), x + alone)
    net = GINAttentionNet(8, 8, 3, layers=2, heads=2, residual=False)
    assert not any(part.residual for part in net.blocks)
