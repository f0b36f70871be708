"""Sparse-GIN adapter: published numbers, messages between tokens, a base model left as it was."""

from __future__ import annotations

import types
import warnings
from typing import Any

import numpy as np
import oracles_gin as oracle
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.models import AttentionGraph, GINSelfAttention, SparseGINAdapter
from graphsparse.models.adapter_graph import AdapterLayer

VECTORS = ["default", "raw_threshold", "mean_noself", "any_binaryweights", "learnable"]
NAMES = {
    "scale": "trainable_scale",
    "gain": "gnn_norm.weight",
    "activation.weight": "gnn.activation.weight",
    "down.weight": "gnn.input_projection.weight",
    "down.bias": "gnn.input_projection.bias",
    "up.weight": "gnn.output_projection.weight",
    "up.bias": "gnn.output_projection.bias",
    "combine.0.weight": "adj_transform.mlp.0.weight",
    "combine.0.bias": "adj_transform.mlp.0.bias",
    "combine.2.weight": "adj_transform.mlp.3.weight",
    "combine.2.bias": "adj_transform.mlp.3.bias",
}


def tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array))


def close(got: Tensor, want: np.ndarray) -> None:
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=0, atol=2e-5)


def published(name: str, orientation: str) -> tuple[AdapterLayer, dict[str, np.ndarray]]:
    arrays, meta = oracle.load(f"sparse_gin_{name}")
    options = meta["options"]
    combine = options["adj_construction_method"]
    graph = AttentionGraph(
        combine="learnable" if combine == "learnable_aggregate" else combine,
        sharpness=options["continuous_transform_alpha"],
        threshold=options["threshold"],
        tau=options.get("threshold_any_tau", 0.1),
        cut=options["epsilon_threshold"],
        keep_self=not options["remove_self_connections"],
        orientation=orientation,
        learnable=options.get("learnable_aggregate_activation", "softmax"),
        softmax_over_all=True,
    )
    share = meta["layer_index"] / (meta["num_layers"] - 1)
    first, last = options["lambda_GNN_initial"], options["lambda_GNN"]
    layer = AdapterLayer(
        meta["hidden_size"],
        meta["heads"],
        options["hidden_dim"],
        graph,
        num_layers=options["num_layers"],
        hidden_multiplier=options["GIN_hidden_dim_multiplier"],
        activation=options["activation"],
        norm=options["GIN_use_norm"],
        residual=options["gnn_residual"],
        weighted=options["GIN_edge_weight_scaling"],
        scale=first + (last - first) * share,
        combine_dim=options.get("adj_transform_hidden_dim", 16),
    ).eval()
    close(layer.scale[0], arrays["trainable_scale_init"])
    named = dict(layer.named_parameters())
    wanted = {ours: theirs for ours, theirs in NAMES.items() if ours in named}
    for at in range(options["num_layers"]):
        for ours, theirs in (("first", "linear1"), ("second", "linear2"), ("norms", "norm")):
            for kind in ("weight", "bias"):
                if f"{ours}.{at}.{kind}" in named:
                    wanted[f"{ours}.{at}.{kind}"] = f"gnn.convs.{at}.{theirs}.{kind}"
    for ours, theirs in wanted.items():
        named[ours].data = tensor(arrays[f"p:{theirs}"]).view(named[ours].shape)
    eps = [arrays[f"p:gnn.convs.{at}.epsilon"] for at in range(options["num_layers"])]
    layer.eps.data = tensor(np.concatenate(eps))
    assert set(named) == {*wanted, "eps"}
    return layer, arrays


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("orientation", ["causal", "reference"])
def test_published_adapters(name: str, orientation: str) -> None:
    layer, arrays = published(name, orientation)
    hidden, attention = tensor(arrays["hidden"]), tensor(arrays["attention"])
    close(layer.graph.adjacency(attention, layer.combine), arrays["adjacency"])
    out = hidden + layer(hidden, attention)
    close(out, arrays[f"out_{orientation}_orientation"])


def test_size_is_the_published_one() -> None:
    layer = AdapterLayer(3072, 24, 155, AttentionGraph())
    assert sum(p.numel() for p in layer.parameters()) == 1_006_982


class Layer(nn.Module):
    """A decoder layer of ours: attention that returns its map, then an MLP."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(dim, heads)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.SiLU(), nn.Linear(2 * dim, dim))

    def forward(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        x = x + self.attention(self.norms[0](x), padding)[0]
        return x + self.mlp(self.norms[1](x))


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.inner = GINSelfAttention(dim, heads, dropout=0.0)

    def forward(self, x: Tensor, padding: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.inner(x, key_padding_mask=padding, return_attention=True)


class Decoder(nn.Module):
    """Three layers over an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.config = types.SimpleNamespace(hidden_size=16, num_attention_heads=4)
        self.embedding = nn.Embedding(11, 16)
        self.layers = nn.ModuleList(Layer(16, 4) for _ in range(3))
        self.head = nn.Linear(16, 11, bias=False)

    def forward(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        return self.run(self.embedding(tokens), padding)

    def run(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            x = layer(x, padding)
        return self.head(x)


class Llama(nn.Module):
    """A small, randomly drawn Llama behind the same two calls."""

    def __init__(self) -> None:
        super().__init__()
        transformers = import_transformers()
        config = transformers.LlamaConfig(
            vocab_size=11,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            attn_implementation="eager",
        )
        self.inner = transformers.LlamaForCausalLM(config)
        self.config, self.layers = config, self.inner.model.layers

    def forward(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        mask = None if padding is None else (~padding).long()
        return self.inner(input_ids=tokens, attention_mask=mask, use_cache=False).logits

    def run(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        return self.inner(inputs_embeds=x, use_cache=False).logits


def import_transformers() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("transformers", reason="transformers is not installed")


@pytest.fixture(params=[Decoder, Llama], ids=["ours", "llama"])
def model(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(51)
    made = request.param().eval()
    for parameter in made.parameters():
        if parameter.dim() > 1:  # attention far from uniform
            parameter.data = torch.randn_like(parameter) * 0.5
    return made


TOKENS = torch.tensor([[1, 5, 2, 9, 0, 3, 7], [4, 4, 8, 10, 6, 1, 2]])


def adapted(model: nn.Module, **options: Any) -> SparseGINAdapter:
    torch.manual_seed(52)
    return SparseGINAdapter(model, width=8, **{"scale_first": 0.5, **options}).eval()


def jacobian(adapter: SparseGINAdapter, length: int = 5) -> Tensor:
    """Of one adapter layer: what is added to token i by the state of token j, (i, j)."""
    layer = adapter.adapters["0"]
    attention = torch.rand(1, 4, length, length).tril() + 0.05
    attention = attention.tril() / attention.tril().sum(-1, keepdim=True)
    x = torch.randn(1, length, 16)
    full = torch.autograd.functional.jacobian(lambda t: layer(t, attention)[0], x)[:, :, 0]
    return full.abs().amax((1, 3))


def test_messages_pass_between_tokens_and_only_forward(model: nn.Module) -> None:
    found = jacobian(adapted(model))
    assert bool((found.tril(-1) > 0).any())
    assert not found.triu(1).any()
    reference = jacobian(adapted(model, graph=AttentionGraph(orientation="reference")))
    assert not (reference - torch.diag(reference.diagonal())).any()
    assert bool((reference.diagonal() > 0).all())


@pytest.mark.parametrize("combine", ["sum", "mean", "threshold_any", "learnable"])
def test_the_adapted_model_stays_causal(model: nn.Module, combine: str) -> None:
    graph = AttentionGraph(combine=combine, cut=0.05)
    adapter = adapted(model, graph=graph)
    x = torch.randn(1, 6, 16)
    found = torch.autograd.functional.jacobian(lambda t: model.run(t)[0], x)[:, :, 0]
    for i in range(6):
        assert not found[i, :, i + 1 :].any()
    whole = model.run(x)
    torch.testing.assert_close(model.run(x[:, :4]), whole[:, :4], rtol=1e-4, atol=1e-5)
    adapter.remove()


def test_scale_zero_is_the_base_model_bit_for_bit(model: nn.Module) -> None:
    with torch.no_grad():
        want = model(TOKENS)
        adapter = adapted(model, scale_first=0.0, scale_last=0.0)
        assert torch.equal(adapter(TOKENS), want)
        adapter.adapters["1"].scale.data.fill_(0.5)
        assert not torch.equal(adapter(TOKENS), want)
        adapter.remove()
        assert torch.equal(model(TOKENS), want)


def test_padding_does_not_reach_the_tokens(model: nn.Module) -> None:
    adapter = adapted(model, graph=AttentionGraph(combine="threshold_any", cut=0.1))
    padding = torch.zeros(2, 9, dtype=torch.bool)
    padding[:, :2] = True
    other = torch.cat([torch.tensor([[3, 3], [3, 3]]), TOKENS], dim=1)
    one = torch.cat([torch.tensor([[9, 1], [0, 2]]), TOKENS], dim=1)
    a, b = (adapter(tokens, padding)[:, 2:] for tokens in (one, other))
    torch.testing.assert_close(a, b)


def test_only_the_adapters_learn_and_removal_restores(model: nn.Module) -> None:
    frozen_before = next(model.parameters())
    frozen_before.requires_grad_(False)
    adapter = adapted(model)
    assert adapter.merge is False
    targets = TOKENS.roll(-1, 1)
    optimizer = torch.optim.Adam(adapter.parameters(), lr=0.02)
    losses = []
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for _ in range(25):
        optimizer.zero_grad()
        loss = F.cross_entropy(adapter(TOKENS).flatten(0, 1), targets.flatten())
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert all(p.grad is None and torch.equal(p, before[n]) for n, p in model.named_parameters())
    assert all(p.grad is not None for p in adapter.parameters())
    adapter.remove()
    assert not frozen_before.requires_grad
    assert all(p.requires_grad for p in list(model.parameters())[1:])


def test_saving_and_loading(model: nn.Module) -> None:
    adapter = adapted(model)
    state = {name: t.clone() for name, t in adapter.adapter_state_dict().items()}
    assert all(name.startswith("adapters.") for name in state)
    want = adapter(TOKENS)
    adapter.remove()
    torch.manual_seed(53)
    other = SparseGINAdapter(model, width=8).eval()
    assert not torch.equal(other(TOKENS), want)
    other.load_adapter(state)
    assert torch.equal(other(TOKENS), want)


def test_gradient_through_the_map_can_be_cut(model: nn.Module) -> None:
    norms = []
    for detach in (False, True):
        adapter = adapted(model, detach_adjacency=detach, graph=AttentionGraph(cut=0.0))
        adapter(TOKENS).square().mean().backward()
        norms.append(adapter.adapters["0"].down.weight.grad.clone())
        adapter.remove()
    assert not torch.allclose(norms[0], norms[1])


def test_some_layers_only_and_start_of_the_scales(model: nn.Module) -> None:
    adapter = SparseGINAdapter(model, layers=[0, 2], width=8)
    assert list(adapter.adapters) == ["0", "2"]
    assert [a.scale.tolist() for a in adapter.adapters.values()] == [[0.0], [0.5]]
    adapter.remove()
    with pytest.raises(ValueError, match=r"layers must be 'all' or numbers in \[0, 3\), got \[3\]"):
        SparseGINAdapter(model, layers=[3])


def test_a_model_without_probabilities_is_refused(model: nn.Module) -> None:
    adapter = adapted(model)
    attention = next(c for n, c in model.layers[0].named_children() if "att" in n)
    attention.register_forward_hook(lambda module, args, out: (out[0], None), prepend=True)
    with pytest.raises(ValueError, match="attention of layer 0 must return its probabilities"):
        adapter(TOKENS)


def test_a_model_that_is_no_decoder_is_refused() -> None:
    with pytest.raises(ValueError, match="ModuleList of layers with a child named self_attn"):
        SparseGINAdapter(nn.Linear(3, 3))


@pytest.mark.parametrize("placement", ["before", "after", "parallel"])
@pytest.mark.parametrize("combine", ["sum", "per_head"])
def test_placements_against_a_decoder_written_out(placement: str, combine: str) -> None:
    torch.manual_seed(54)
    model = Decoder().eval()
    for parameter in model.parameters():
        parameter.data = torch.randn_like(parameter) * 0.5
    x = model.embedding(TOKENS).detach()
    want = x
    graph = AttentionGraph(combine=combine, cut=0.05)
    adapter = SparseGINAdapter(
        model, graph=graph, placement=placement, scale_first=0.4, width=None
    ).eval()
    for at, layer in enumerate(model.layers):
        run = adapter.adapters[str(at)]
        mixed, attention = layer.attention.inner(layer.norms[0](want), return_attention=True)
        middle = want + mixed
        if placement == "before":
            middle = middle + run(middle, attention)
        end = middle + layer.mlp(layer.norms[1](middle))
        if placement == "after":
            end = end + run(end, attention)
        if placement == "parallel":
            end = end + run(middle, attention)
        want = end
    torch.testing.assert_close(adapter(TOKENS), model.head(want))
    adapter.remove()
    assert not torch.allclose(model(TOKENS), model.head(want))


def test_a_gin_per_head_sees_its_own_map_and_columns() -> None:
    torch.manual_seed(55)
    graph = AttentionGraph(combine="per_head", cut=0.1)
    layer = AdapterLayer(12, 3, 4, graph, activation="silu", scale=0.7, num_layers=2).eval()
    layer.eps.data = torch.randn_like(layer.eps)
    hidden = torch.randn(2, 5, 12)
    attention = torch.rand(2, 3, 5, 5).tril()
    parts = []
    for head in range(3):
        a = attention[:, head] * (attention[:, head] > 0.1)
        z = hidden[..., 4 * head : 4 * head + 4]
        for first, second, eps in zip(layer.first, layer.second, layer.eps, strict=True):
            rows = slice(4 * head, 4 * head + 4)
            u = eps[head] * z + a @ z
            y = F.silu(F.linear(u, first.weight[rows], first.bias[rows]))
            z = F.silu(F.linear(y, second.weight[rows], second.bias[rows]) + u)
        parts.append(z)
    whole = torch.cat(parts, dim=-1)
    want = 0.7 * whole / (whole.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(layer(hidden, attention), want)


@pytest.mark.parametrize("placement", ["after", "parallel"])
@pytest.mark.parametrize("combine", ["sum", "per_head"])
def test_other_placements_stay_causal_and_start_at_the_base_model(
    model: nn.Module, placement: str, combine: str
) -> None:
    with torch.no_grad():
        want = model(TOKENS)
    options = {"graph": AttentionGraph(combine=combine, cut=0.05), "placement": placement}
    adapter = SparseGINAdapter(model, scale_first=0.0, scale_last=0.0, **options).eval()
    assert torch.equal(adapter(TOKENS), want)
    for layer in adapter.adapters.values():
        layer.scale.data.fill_(0.5)
    found = torch.autograd.functional.jacobian(lambda t: model.run(t)[0], torch.randn(1, 5, 16))
    for i in range(5):
        assert not found[i, :, 0, i + 1 :].any()
    adapter.remove()
    assert torch.equal(model(TOKENS), want)


def test_bad_widths_and_placements(model: nn.Module) -> None:
    graph = AttentionGraph(combine="per_head")
    with pytest.raises(ValueError, match="width must be 4 without projections, got 8"):
        SparseGINAdapter(model, width=8, graph=graph)
    with pytest.raises(ValueError, match="project=True does not go with combine='per_head'"):
        AdapterLayer(16, 4, 4, graph, project=True)
    with pytest.raises(ValueError, match=r"placement must be one of .*, got 'under'"):
        SparseGINAdapter(model, width=8, placement="under")
