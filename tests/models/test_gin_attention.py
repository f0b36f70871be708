"""GINAttention: published numbers, reductions to GIN and to standard attention, its own claims."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import oracles_gin as oracle
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import gradcheck
from torch_geometric.nn import GINConv as PygGINConv

from graphsparse.graph import Graph
from graphsparse.models import Adjacency, GINAttention

TINY = torch.tensor([[0, 1, 0, 1, 2, 1, 2], [0, 0, 1, 1, 1, 2, 2]])  # senders, receivers


def random_index(seed: int, n: int, m: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.unique(torch.randint(0, n, (2, m), generator=generator), dim=1)


def tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array))


def set_heads(update: nn.Module, arrays: dict[str, np.ndarray], kind: str = "p") -> None:
    """Copy the reference's parameters per head into an update."""
    heads = update.heads
    names = {
        "weight_in": "mlp.0.weight",
        "bias_in": "mlp.0.bias",
        "gain": "normlayer.weight",
        "weight_out": "mlp.4.weight",
        "bias_out": "mlp.4.bias",
    }
    for ours, theirs in names.items():
        parts = [arrays[f"{kind}:gin_layers.{h}.{theirs}"] for h in range(heads)]
        getattr(update, ours).data = tensor(np.concatenate(parts))
    update.eps.data = tensor(
        np.stack([arrays[f"{kind}:gin_layers.{h}.epsilon"] for h in range(heads)])
    )


def close(got: Tensor, want: np.ndarray, *, gradient: bool = False) -> None:
    bound = 1e-4 * max(float(np.abs(want).max()), 1e-3) if gradient else 2e-5
    np.testing.assert_allclose(got.detach().numpy().reshape(want.shape), want, rtol=0, atol=bound)


@pytest.mark.parametrize("name", ["graph_main", "graph_directed", "graph_edge_bias"])
def test_published_graphs(name: str) -> None:
    arrays, meta = oracle.load(name)
    options, heads = meta["options"], meta["heads"]
    layer = GINAttention(
        meta["hidden_size"],
        heads=heads,
        mlp_ratio=options["attention_GIN_MLP_multiplier"],
        self_weight="eps",
        out_proj=options.get("attention_GIN_MLP_o_proj_at_end", False),
        edge_dim=heads if arrays["edge_bias"].shape[1] else None,
    ).eval()
    set_heads(layer.update, arrays)
    layer.query.weight.data = tensor(arrays["p:q_proj.weight"])
    layer.key.weight.data = tensor(arrays["p:k_proj.weight"])
    if "p:sharpening_parameters.0" in arrays:
        layer.alpha.data = tensor(arrays["p:sharpening_parameters.0"]).view(1)
    attr = None
    if layer.edge_dim:
        attr = tensor(arrays["edge_bias"]).T
        layer.edge_bias.weight.data = torch.eye(heads)
    if layer.out is not None:
        layer.out.weight.data = tensor(arrays["p:o_proj.weight"])
    x = tensor(arrays["x"]).requires_grad_()
    index = tensor(arrays["edges"]).flip(0)
    out, att = layer(x, index, edge_attr=attr, return_attention=True)
    close(out, arrays["out"])
    close(att.T, arrays["attention"])
    (out * tensor(arrays["loss_weight"])).sum().backward()
    close(x.grad, arrays["grad_x"], gradient=True)
    close(layer.query.weight.grad, arrays["g:q_proj.weight"], gradient=True)
    close(layer.key.weight.grad, arrays["g:k_proj.weight"], gradient=True)
    if "g:sharpening_parameters.0" in arrays:
        close(layer.alpha.grad, arrays["g:sharpening_parameters.0"], gradient=True)
    grads = [arrays[f"g:gin_layers.{h}.mlp.0.weight"] for h in range(heads)]
    close(layer.update.weight_in.grad, np.concatenate(grads), gradient=True)
    close(
        layer.update.eps.grad,
        np.stack([arrays[f"g:gin_layers.{h}.epsilon"] for h in range(heads)]),
        gradient=True,
    )


def test_published_update() -> None:
    arrays, _ = oracle.load("gin_update")
    renamed = {
        f"p:gin_layers.0.{key[2:]}": value for key, value in arrays.items() if key[:2] == "p:"
    }
    layer = GINAttention(6, heads=1, self_weight="eps").eval()
    set_heads(layer.update, renamed)
    x, a = tensor(arrays["x"]), tensor(arrays["A"])
    close(layer.update(x, a @ x), arrays["out"])


def tiny_layer(dtype: torch.dtype = torch.float32) -> GINAttention:
    layer = GINAttention(2, heads=1, mlp_ratio=1.0, self_weight="eps", eps=0.5, sharpen=2.0)
    layer.query.weight.data = torch.eye(2)
    layer.key.weight.data = torch.eye(2).flip(0)
    layer.update.weight_in.data = torch.tensor([[1.0, -1.0], [0.5, 0.5]])
    layer.update.bias_in.data = torch.tensor([0.5, 0.0])
    layer.update.weight_out.data = torch.tensor([[1.0, 0.0], [2.0, -1.0]])
    layer.update.bias_out.data = torch.tensor([0.0, 0.1])
    return layer.eval().to(dtype)


def test_the_example_of_the_documentation() -> None:
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    out, att = tiny_layer()(x, TINY, return_attention=True)
    want_att = [0.195570, 0.804430, 0.445808, 0.108383, 0.445808, 0.195570, 0.804430]
    want = [[0.430235, -0.015063], [0.284445, -0.389132], [0.172362, -0.659943]]
    torch.testing.assert_close(att[:, 0], torch.tensor(want_att), rtol=0, atol=2e-6)
    torch.testing.assert_close(out, torch.tensor(want), rtol=0, atol=2e-6)


VARIANTS = {
    "plain": {},
    "degree": {"normalize": "degree"},
    "sigmoid": {"normalize": "sigmoid"},
    "none": {"normalize": "none"},
    "mlp score": {"score": "mlp", "score_dim": 7},
    "threshold": {"sparsify": ("threshold", 0.2), "renormalize": True},
    "top k": {"sparsify": ("top_k", 0.5)},
    "values": {"value_proj": True, "out_dim": 5},
    "joint": {"mlp": "joint", "norm": "layer"},
    "loops": {"add_self_loops": True, "norm": None},
}


@pytest.mark.parametrize("options", VARIANTS.values(), ids=list(VARIANTS))
def test_permuting_nodes_and_edges_permutes_the_output(options: dict) -> None:
    torch.manual_seed(11)
    n = 30
    index, x = random_index(11, n, 90), torch.randn(n, 8)
    layer = GINAttention(8, heads=2, **options).eval()
    want = layer(x, index)
    order, shuffle = torch.randperm(n), torch.randperm(index.shape[1])
    place = torch.argsort(order)
    torch.testing.assert_close(
        layer(x[order], place[index][:, shuffle]), want[order], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("aggregation", ["add", "mean"])
def test_uniform_attention_is_gin(aggregation: str) -> None:
    torch.manual_seed(12)
    n, index = 25, random_index(12, 25, 70)
    normalize = "degree" if aggregation == "add" else "softmax"
    layer = GINAttention(6, heads=1, normalize=normalize, norm=None, eps=0.3, mlp_ratio=2.0).eval()
    layer.query.weight.data.zero_()
    mlp = nn.Sequential(nn.Linear(6, 12), nn.SiLU(), nn.Linear(12, 6))
    theirs = PygGINConv(mlp, eps=0.3, aggr=aggregation)  # draws the MLP anew
    mlp[0].weight.data, mlp[0].bias.data = layer.update.weight_in.data, layer.update.bias_in.data
    mlp[2].weight.data, mlp[2].bias.data = layer.update.weight_out.data, layer.update.bias_out.data
    x = torch.randn(n, 6)
    torch.testing.assert_close(layer(x, index), theirs(x, index), rtol=1e-5, atol=1e-5)


def test_without_mlp_and_self_term_it_is_standard_attention() -> None:
    torch.manual_seed(13)
    n, index = 20, random_index(13, 20, 80)
    index = torch.cat([index, torch.arange(n).repeat(2, 1)], dim=1).unique(dim=1)
    layer = GINAttention(8, heads=2, mlp=None, self_weight="eps", value_proj=True, out_proj=True)
    x = torch.randn(n, 8)
    mask = torch.zeros(n, n, dtype=torch.bool)
    mask[index[1], index[0]] = True

    def heads(t: Tensor) -> Tensor:
        return t.view(n, 2, 4).transpose(0, 1)[None]

    parts = (heads(f(x)) for f in (layer.query, layer.key, layer.value))
    want = F.scaled_dot_product_attention(*parts, attn_mask=mask)[0].transpose(0, 1).reshape(n, 8)
    torch.testing.assert_close(layer(x, index), layer.out(want), rtol=1e-5, atol=1e-5)
    layer.update.eps.data = torch.tensor([0.7, -0.4])
    own = layer.value(x) * torch.tensor([0.7, -0.4]).repeat_interleave(4)
    torch.testing.assert_close(layer(x, index), layer.out(want + own), rtol=1e-5, atol=1e-5)


def test_alpha_moves_from_uniform_to_the_best_neighbour() -> None:
    torch.manual_seed(14)
    n, index = 20, random_index(14, 20, 100)
    layer, x = GINAttention(8, heads=2), torch.randn(n, 8)
    counts = torch.bincount(index[1], minlength=n)
    layer.alpha.data.fill_(0.0)
    _, att = layer(x, index, return_attention=True)
    torch.testing.assert_close(att, (1.0 / counts[index[1]])[:, None].expand(-1, 2))
    layer.alpha.data.fill_(1e4)
    _, att = layer(x, index, return_attention=True)
    total = torch.zeros(n, 2).index_add(0, index[1], att)
    torch.testing.assert_close(total, (counts > 0).float()[:, None].expand(-1, 2))
    largest = torch.zeros(n, 2).scatter_reduce(0, index[1][:, None].expand_as(att), att, "amax")
    torch.testing.assert_close(largest[counts > 0], torch.ones(int((counts > 0).sum()), 2))


def test_softmax_ignores_a_shift_of_all_scores() -> None:
    torch.manual_seed(15)
    index, x = random_index(15, 20, 80), torch.randn(20, 8)
    layer = GINAttention(8, heads=2, edge_dim=1).eval()
    layer.edge_bias.weight.data = torch.tensor([[1.0], [2.0]])
    constant = torch.full((index.shape[1], 1), 3.0)
    want = layer(x, index, edge_attr=torch.zeros_like(constant))
    torch.testing.assert_close(layer(x, index, edge_attr=constant), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("normalize", ["softmax", "degree"])
@pytest.mark.parametrize("with_bias", [False, True])
def test_edges_of_a_complete_graph_equal_the_dense_form(normalize: str, with_bias: bool) -> None:
    torch.manual_seed(16)
    sizes, width = [5, 9, 1], 8
    layer = GINAttention(width, heads=2, normalize=normalize, edge_dim=2 if with_bias else None)
    layer = layer.eval()
    graphs = [torch.randn(size, width) for size in sizes]
    padded = nn.utils.rnn.pad_sequence(graphs, batch_first=True)
    missing = torch.arange(9)[None] >= torch.tensor(sizes)[:, None]
    bias = None
    dense = layer
    if with_bias:
        layer.edge_bias.weight.data = torch.eye(2)
        bias = torch.randn(3, 2, 9, 9)
        bias[:, :, 0, 1] = -1e9  # receiver 0 does not see sender 1
        dense = GINAttention(width, heads=2, normalize=normalize).eval()
        dense.load_state_dict(layer.state_dict(), strict=False)
    got = dense.dense(padded, missing, bias)
    for at, x in enumerate(graphs):
        pairs = [
            p for p in itertools.product(range(len(x)), repeat=2) if bias is None or p != (1, 0)
        ]
        index = torch.tensor(pairs).T
        attr = None if bias is None else bias[at][:, index[1], index[0]].T
        torch.testing.assert_close(got[at, : len(x)], layer(x, index, edge_attr=attr))
        assert not got[at, len(x) :].any()


def test_a_masked_row_of_the_dense_form_sees_itself_only() -> None:
    torch.manual_seed(17)
    layer, x = GINAttention(8, heads=2), torch.randn(1, 4, 8, requires_grad=True)
    layer.eval()
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[2] = False
    out = layer.dense(x, bias=mask)
    torch.testing.assert_close(out[:, 2], layer.update(x[:, 2], torch.zeros(1, 8)))
    out.sum().backward()
    assert bool(torch.isfinite(x.grad).all())


@pytest.mark.parametrize("options", [{}, {"normalize": "degree", "sparsify": ("top_k", 0.5)}])
def test_a_batch_equals_its_graphs(options: dict) -> None:
    torch.manual_seed(18)
    layer = GINAttention(8, heads=2, **options).eval()
    parts = [(torch.randn(n, 8), random_index(n, n, 3 * n)) for n in (4, 7, 1)]
    ptr = torch.tensor([0, 4, 11, 12])
    x = torch.cat([p[0] for p in parts])
    index = torch.cat([p[1] + start for p, start in zip(parts, ptr[:-1], strict=True)], dim=1)
    want = torch.cat([layer(*p) for p in parts])
    torch.testing.assert_close(layer(x, index, ptr=ptr), want)
    index[0, 0] = 11
    with pytest.raises(ValueError, match="within the graphs of ptr, got edge 11 -> 0"):
        layer(x, index, ptr=ptr)


def test_degree_tells_graphs_apart_that_softmax_cannot() -> None:
    torch.manual_seed(19)

    def ring(n: int, reach: int) -> Tensor:
        pairs = [(i, (i + s) % n) for i in range(n) for s in range(1, reach + 1)]
        both = torch.tensor(pairs + [(b, a) for a, b in pairs])
        return both.T

    star = torch.tensor([[0, 0, 0, 1, 2, 3], [1, 2, 3, 0, 0, 0]])
    path = torch.tensor([[0, 1, 2, 1, 2, 3], [1, 2, 3, 0, 1, 2]])
    for options in ({"norm": None}, {"norm": "rms"}):  # b_1 is not 0
        for left, right, n in ((star, path, 4), (ring(8, 1), ring(8, 2), 8)):
            x = torch.ones(n, 8)
            count = GINAttention(8, heads=2, normalize="degree", **options).eval()
            mean = GINAttention(8, heads=2, normalize="softmax", **options).eval()
            sums = [count(x, index).sum(0) for index in (left, right)]
            assert not torch.allclose(*sums, atol=1e-3)
            torch.testing.assert_close(mean(x, left).sum(0), mean(x, right).sum(0))


@pytest.mark.parametrize(("normalize", "renormalize"), [("softmax", True), ("sigmoid", False)])
def test_dropping_edges_after_or_before(normalize: str, renormalize: bool) -> None:
    torch.manual_seed(20)
    index, x = random_index(20, 30, 150), torch.randn(30, 8)
    layer = GINAttention(
        8, heads=1, normalize=normalize, renormalize=renormalize, sparsify=("top_k", 0.4)
    ).eval()
    out, att = layer(x, index, return_attention=True)
    plain = GINAttention(8, heads=1, normalize=normalize).eval()
    plain.load_state_dict(layer.state_dict())
    kept = index[:, att[:, 0] > 0]
    assert kept.shape[1] < index.shape[1]
    torch.testing.assert_close(plain(x, kept), out)
    if normalize == "softmax":
        layer.renormalize = False
        assert not torch.allclose(layer(x, index), out, atol=1e-4)


def test_gradients_in_double_precision() -> None:
    torch.manual_seed(21)
    index = torch.tensor([[0, 1, 2, 3, 1, 0], [0, 0, 0, 0, 2, 3]])
    layer = GINAttention(4, heads=2, edge_dim=2, mlp_ratio=1.0, dropout=0.0).double()
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    attr = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    names = ["query.weight", "key.weight", "edge_bias.weight", "update.eps", "alpha"]
    values = [dict(layer.named_parameters())[name].detach().requires_grad_() for name in names]

    def run(x: Tensor, attr: Tensor, *given: Tensor) -> Tensor:
        arguments = (x, index, None, attr)
        return torch.func.functional_call(layer, dict(zip(names, given, strict=True)), arguments)

    assert gradcheck(run, (x, attr, *values))
    weight = torch.tensor([0.5, 1.0, 0.0, 2.0, 1.0, 3.0], dtype=torch.float64, requires_grad=True)
    layer(x, index, weight, attr).sum().backward()
    assert bool(torch.isfinite(weight.grad).all())


def test_edge_messages_equal_their_formula() -> None:
    torch.manual_seed(22)
    n, index = 12, random_index(22, 12, 40)
    x, attr = torch.randn(n, 8), torch.randn(index.shape[1], 3)
    layer = GINAttention(8, heads=2, edge_dim=3, edge_mode="both", add_self_loops=True).eval()
    out, att = layer(x, index, edge_attr=attr, return_attention=True)
    loops = sorted(set(range(n)) - set(index[1][index[0] == index[1]].tolist()))
    q, k = (f(x).view(n, 2, 4) for f in (layer.query, layer.key))
    full = torch.cat([index, torch.tensor([loops, loops])], dim=1)
    features = torch.cat([attr, torch.zeros(len(loops), 3)])
    score = (q[full[1]] * k[full[0]]).sum(-1) / 2.0 + layer.edge_bias(features)
    want = torch.zeros(n, 8)
    for i in range(n):
        mine = full[1] == i
        a = torch.softmax(score[mine], 0)
        message = torch.relu(x[full[0][mine]] + layer.edge_message(features[mine]))
        want[i] = (a[:, :, None] * message.view(-1, 2, 4)).sum(0).reshape(8)
        torch.testing.assert_close(att[index[1] == i], a[: int((index[1] == i).sum())])
    torch.testing.assert_close(out, layer.update(x, want), rtol=1e-5, atol=1e-5)


def test_bipartite_input_equals_the_part_of_the_whole() -> None:
    torch.manual_seed(23)
    x, index = torch.randn(20, 8), random_index(23, 20, 60)
    layer = GINAttention(8, heads=2).eval()
    inside = index[:, index[1] < 6]
    torch.testing.assert_close(layer((x, x[:6]), inside), layer(x, index)[:6])


def test_graph_adjacency_and_weights() -> None:
    torch.manual_seed(24)
    x, layer = torch.randn(6, 8), GINAttention(8, heads=2).eval()
    arcs, weights = [(0, 1), (1, 2), (3, 2), (4, 0), (2, 2)], [1.0, 2.0, 0.5, 1.0, 3.0]
    graph = Graph.from_edges(arcs, weights=weights, num_nodes=6, directed=True)
    index = torch.tensor(arcs).T
    want = layer(x, index, edge_weight=torch.tensor(weights))
    torch.testing.assert_close(layer(x, graph), want)
    torch.testing.assert_close(layer(x, Adjacency(graph)), want)
    doubled = torch.cat([index, index[:, :1]], dim=1)
    ones = torch.ones(6)
    merged = GINAttention(8, heads=2, coalesce=True).eval()
    merged.load_state_dict(layer.state_dict())
    torch.testing.assert_close(
        merged(x, doubled, ones), layer(x, index, torch.tensor([2.0, 1, 1, 1, 1]))
    )
    removed = torch.tensor([0.0, 1, 1, 1, 1])
    torch.testing.assert_close(layer(x, index, removed), layer(x, index[:, 1:]))


def test_attention_scores_are_the_coefficients() -> None:
    torch.manual_seed(25)
    x, index = torch.randn(20, 8), random_index(25, 20, 60)
    layer = GINAttention(8, heads=2, sparsify=("threshold", 0.4))
    scores = layer.attention_scores(x, index)
    plain = GINAttention(8, heads=2)
    plain.load_state_dict(layer.state_dict())
    _, att = plain(x, index, return_attention=True)
    torch.testing.assert_close(scores.per_head, att)
    torch.testing.assert_close(scores.mean, att.mean(1))


@pytest.mark.parametrize("options", VARIANTS.values(), ids=list(VARIANTS))
def test_empty_graphs_and_half_precision(options: dict) -> None:
    layer = GINAttention(8, heads=2, **options).eval()
    none = torch.zeros(2, 0, dtype=torch.int64)
    assert layer(torch.zeros(0, 8), none).shape == (0, layer.out_dim)
    assert bool(torch.isfinite(layer(torch.randn(3, 8), none)).all())
    x, index = torch.randn(10, 8), random_index(26, 10, 30)
    low = layer.to(torch.bfloat16)(x.bfloat16(), index)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), layer.float()(x, index), rtol=0.1, atol=0.1)


def test_zero_input_of_the_update_is_warned_of_once() -> None:
    layer = GINAttention(8, heads=2, self_weight="eps")
    none = torch.zeros(2, 0, dtype=torch.int64)
    with pytest.warns(UserWarning, match="receive no message"):
        layer(torch.randn(3, 8), none)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(torch.randn(3, 8), none)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_dim": 9, "heads": 2}, "in_dim must be a multiple of heads, got 9 and 2"),
        ({"mlp_ratio": 0.1}, "hidden width of 1 or more, got 0.1 of 4"),
        ({"score": "cosine"}, "score must be one of 'dot', 'mlp', got 'cosine'"),
        ({"sparsify": ("top_k", 0.0)}, r"sparsify\[1\] must be in \(0, 1\], got 0.0"),
        ({"sparsify": 0.5}, "sparsify must be None or a pair"),
        ({"norm": "group"}, "norm must be one of 'rms', 'batch', 'layer', None, got 'group'"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GINAttention(**{"in_dim": 8, "heads": 2, **options})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": torch.zeros(3, 7)}, r"x must have shape \(n, 8\), got \(3, 7\)"),
        ({"edge_index": torch.tensor([[0], [3]])}, r"receivers in \[0, 3\), got 3"),
        ({"edge_index": torch.tensor([[-1], [0]])}, r"senders in \[0, 3\), got -1"),
        ({"edge_weight": torch.tensor([-1.0])}, "edge_weight must hold 1 finite numbers >= 0"),
        ({"edge_weight": torch.tensor([torch.nan])}, "edge_weight must hold 1 finite numbers"),
        ({"edge_weight": torch.tensor([torch.inf])}, "edge_weight must hold 1 finite numbers"),
        ({"edge_attr": torch.zeros(1, 2)}, "edge_attr needs a layer with edge_dim"),
    ],
)
def test_bad_input(given: dict, message: str) -> None:
    layer = GINAttention(8, heads=2)
    arguments = {"x": torch.zeros(3, 8), "edge_index": torch.tensor([[0], [1]]), **given}
    with pytest.raises(ValueError, match=message):
        layer(**arguments)
