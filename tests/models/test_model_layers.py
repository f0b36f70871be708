"""Layers against PyG's with the same weights, and every hand-written gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck
from torch_geometric import nn as pyg

from graphsparse.graph import Graph
from graphsparse.models import GAT, GCN, GIN, SAGE, Adjacency, SparseMatrix
from graphsparse.models.attention import composed_attention, graph_attention
from graphsparse.models.dropout import NARROW, PreActivation, dropout
from graphsparse.models.layers import GATConv, GCNConv, GINConv, SAGEConv


def random_arcs(seed: int, n: int, m: int, symmetric: bool) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    arcs = rng.integers(0, n, (2, m))
    arcs = arcs[:, arcs[0] != arcs[1]]
    if symmetric:
        arcs = np.concatenate([arcs, arcs[::-1]], axis=1)
    return torch.from_numpy(np.unique(arcs, axis=1))


@pytest.fixture(params=["undirected", "directed", "isolated"])
def arcs(request: pytest.FixtureRequest) -> torch.Tensor:
    if request.param == "isolated":
        return random_arcs(57, 6, 9, True)  # nodes 6..39 have no edge
    return random_arcs(23, 40, 150, request.param == "undirected")


@pytest.mark.parametrize("kind", ["gcn", "gin", "gat", "sage"])
@pytest.mark.parametrize(("width", "sparse"), [(5, False), (33, False), (33, True)])
def test_layer_equals_pyg(arcs: torch.Tensor, kind: str, width: int, sparse: bool) -> None:
    torch.manual_seed(91)
    out_dim, heads = 19, 3
    x = torch.rand(40, width) * (torch.rand(40, width) < 0.2)
    if kind == "gcn":
        ours, theirs = GCNConv(width, out_dim), pyg.GCNConv(width, out_dim, bias=False)
        theirs.lin.weight.data = ours.weight.data.t().clone()
    elif kind == "gin":
        ours = GINConv(width, out_dim)
        lin = torch.nn.Linear(width, out_dim, bias=False)
        theirs = pyg.GINConv(lin, train_eps=True)
        lin.weight.data = ours.weight.data.t().clone()
        ours.eps.data.fill_(0.3)
        theirs.eps.data.fill_(0.3)
    elif kind == "sage":
        ours, theirs = SAGEConv(width, out_dim), pyg.SAGEConv(width, out_dim, bias=False)
        theirs.lin_l.weight.data = ours.weight.data.t().clone()
        theirs.lin_r.weight.data = ours.root_weight.data.t().clone()
    else:
        ours = GATConv(width, out_dim, heads)
        theirs = pyg.GATConv(width, out_dim, heads=heads, bias=False)
        theirs.lin.weight.data = ours.weight.data.t().clone()
        theirs.att_src.data = ours.att_src.data.view(1, heads, out_dim).clone()
        theirs.att_dst.data = ours.att_dst.data.view(1, heads, out_dim).clone()
    adjacency = Adjacency.from_edge_index(arcs, 40)
    features = SparseMatrix.from_dense(x) if sparse else x
    got, want = ours(features, adjacency), theirs(x, arcs)
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)
    push = torch.randn_like(got)
    got.backward(push)
    want.backward(push)
    mine = dict(ours.named_parameters())
    if kind == "gat":
        weight_grad = theirs.lin.weight.grad
        torch.testing.assert_close(
            mine["att_src"].grad, theirs.att_src.grad.view(-1), rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(
            mine["att_dst"].grad, theirs.att_dst.grad.view(-1), rtol=1e-4, atol=1e-5
        )
    elif kind == "gin":
        weight_grad = lin.weight.grad
        torch.testing.assert_close(mine["eps"].grad, theirs.eps.grad.view(()), rtol=1e-4, atol=1e-4)
    else:
        weight_grad = (theirs.lin_l if kind == "sage" else theirs.lin).weight.grad
    torch.testing.assert_close(mine["weight"].grad, weight_grad.t(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", ["sum", "mean", "gcn"])
@pytest.mark.parametrize("width", [1, 7, 8, 65, 130])
def test_product_and_gradient(form: str, width: int) -> None:
    adjacency = Adjacency.from_edge_index(random_arcs(7, 12, 40, False), 12)
    matrix = getattr(adjacency, form)(torch.float64)
    torch.manual_seed(3)
    dense = torch.randn(12, width, dtype=torch.float64, requires_grad=True)
    weight = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
    want = matrix.to_dense() @ dense + 1.7 * dense
    torch.testing.assert_close(matrix.matmul(dense, weight), want)
    assert gradcheck(lambda d, w: matrix.matmul(d, w), (dense, weight), atol=1e-6)


def test_product_does_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    arcs = random_arcs(13, 3000, 20000, True)
    adjacency = Adjacency.from_edge_index(arcs, 3000)
    torch.manual_seed(17)
    dense = torch.randn(3000, 200)
    results = []
    for threads in (1, 2, 5):
        monkeypatch.setattr("graphsparse.backend._num_threads", threads)
        results.append(adjacency.gcn() @ dense)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize(("heads", "dim"), [(1, 1), (3, 7), (2, 17)])
@pytest.mark.parametrize("scaled", [False, True])
def test_attention_gradient(heads: int, dim: int, scaled: bool) -> None:
    pattern = Adjacency.from_edge_index(random_arcs(29, 9, 25, False), 9).with_self_loops()
    torch.manual_seed(5)
    z = torch.randn(9, heads * dim, dtype=torch.float64, requires_grad=True)
    src, dst = (torch.randn(heads * dim, dtype=torch.float64, requires_grad=True) for _ in "ab")
    drawn = torch.rand(pattern.nnz, heads, dtype=torch.float64) < 0.5
    scale = 2.0 * drawn.double() if scaled else None

    def ours(*leaves: torch.Tensor) -> torch.Tensor:
        return graph_attention(pattern, *leaves, heads=heads, edge_scale=scale)

    want = composed_attention(pattern, z, src, dst, heads=heads, edge_scale=scale)
    torch.testing.assert_close(ours(z, src, dst), want)
    assert gradcheck(ours, (z, src, dst), atol=1e-6)


def test_sparse_dropout_is_dropout_of_the_dense_matrix() -> None:
    torch.manual_seed(31)
    x = torch.rand(200, 300) * (torch.rand(200, 300) < 0.1)
    matrix = SparseMatrix.from_dense(x)
    dropped = matrix.dropout(0.6)
    dense = dropped.to_dense()
    kept = dense != 0
    torch.testing.assert_close(dense[kept], x[kept] / 0.4)
    assert abs(kept.sum().item() / matrix.nnz - 0.4) < 0.04
    assert torch.equal(dropped.T.to_dense(), dense.T)


@pytest.mark.parametrize("p", [0.5, 0.6, 0.1])
def test_dropout(p: float) -> None:
    torch.manual_seed(37)
    x = torch.randn(400, 500, requires_grad=True)
    y = dropout(x, p, True)
    kept = y != 0
    assert abs(kept.float().mean().item() - (1 - p)) < 5e-3
    torch.testing.assert_close(y[kept], x[kept] / (1 - p), rtol=1e-4, atol=0)
    y.backward(torch.ones_like(y))
    torch.testing.assert_close(x.grad, kept / (1 - p), rtol=1e-4, atol=0)
    torch.manual_seed(37)
    torch.randn(400, 500)
    assert torch.equal(dropout(x, p, True), y)
    assert dropout(x, p, False) is x


@pytest.mark.parametrize("p", [0.0, 0.5, 0.3])
@pytest.mark.parametrize("dim", [3, 16, 37])
def test_fused_hidden_layer_equals_its_parts(p: float, dim: int) -> None:
    torch.manual_seed(47)
    x = torch.randn(90, dim, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(dim, 5, dtype=torch.float64, requires_grad=True)
    push = torch.randn(90, 5, dtype=torch.float64) * (torch.arange(90) % 3 == 0)[:, None]
    hidden = PreActivation(x, p, True)
    grads = []
    for out in (hidden.matmul(weight), hidden.tensor() @ weight):  # one draw serves both
        grads.append((out, *torch.autograd.grad(out, (x, weight), push)))
    for fused, parts in zip(*grads, strict=True):
        torch.testing.assert_close(fused, parts)
    assert torch.equal(PreActivation(x, p, False).tensor(), torch.relu(x))


def test_fused_hidden_layer_does_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(59)
    x = torch.randn(1500, 200, requires_grad=True)
    weight = torch.randn(200, NARROW, requires_grad=True)
    hidden = PreActivation(x, 0.6, True)
    results = []
    for threads in (1, 3):
        monkeypatch.setattr("graphsparse.backend._num_threads", threads)
        out = hidden.matmul(weight)
        results.append((out, *torch.autograd.grad(out.square().sum(), (x, weight))))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_sage_drops_the_same_entries_in_both_products() -> None:
    torch.manual_seed(73)
    adjacency = Adjacency(Graph.from_edges([(0, 1)], num_nodes=2))
    layer = SAGEConv(50, 3)
    layer.root_weight.data = -layer.weight.data
    x = torch.rand(1, 50).expand(2, 50)
    hidden = PreActivation(x, 0.5, True)
    kept = hidden.tensor()
    want = (kept.flip(0) - kept) @ layer.weight
    torch.testing.assert_close(layer(hidden, adjacency), want, rtol=1e-4, atol=1e-5)


def test_parameter_counts_of_the_reference_models() -> None:
    def count(model: torch.nn.Module) -> int:
        return sum(p.numel() for p in model.parameters())

    assert count(GCN(1433, 512, 7)) == 737_280
    assert count(GIN(1433, 512, 7)) == 740_866
    assert count(GIN(3703, 512, 6)) == 1_902_082


@pytest.mark.parametrize("make", [GCN, GIN, GAT, SAGE])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_backbones_fit_one_batch(make: type, layers: int) -> None:
    torch.manual_seed(41)
    arcs = random_arcs(43, 30, 40, True)
    adjacency = Adjacency.from_edge_index(arcs, 30)
    x, y = torch.randn(30, 24), torch.randint(0, 3, (30,))
    options = {} if make is GIN else {"dropout": 0.0}
    model = make(24, 32, 3, layers=layers, **options)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x, adjacency), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < (0.7 if layers == 1 else 0.3)


def test_weighted_gcn_keeps_loop_weights() -> None:
    graph = Graph.from_edges([(0, 1), (1, 1)], num_nodes=3, weights=np.array([2.0, 3.0]))
    dense = Adjacency(graph).gcn(torch.float64).to_dense().numpy()
    plain = np.array([[1.0, 2.0, 0.0], [2.0, 3.0, 0.0], [0.0, 0.0, 1.0]])
    root = 1 / np.sqrt(plain.sum(1))
    np.testing.assert_allclose(dense, root[:, None] * plain * root)


def test_wrong_shapes_and_types_are_named() -> None:
    adjacency = Adjacency(Graph.from_edges([(0, 1)], num_nodes=2))
    with pytest.raises(ValueError, match=r"\(2, width\), got \(3, 4\)"):
        adjacency.sum() @ torch.zeros(3, 4)
    with pytest.raises(TypeError, match="float64"):
        adjacency.sum() @ torch.zeros(2, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match="layers must be >= 1, got 0"):
        GCN(3, 4, 2, layers=0)
