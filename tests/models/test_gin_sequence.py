"""Attention over sequences: published numbers, causality, prefixes, caches, padding."""

from __future__ import annotations

import numpy as np
import oracles_gin as oracle
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.models import GINSelfAttention, KeyValueCache, PNASelfAttention
from graphsparse.models.attention_modes import REFERENCE, sparsified
from graphsparse.models.pna_sequence import neighbour_max

PREFIX = "attention_GIN_MLP_"


def tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array))


def close(got: Tensor, want: np.ndarray, *, gradient: bool = False) -> None:
    bound = 1e-4 * max(float(np.abs(want).max()), 1e-3) if gradient else 2e-5
    np.testing.assert_allclose(got.detach().numpy().reshape(want.shape), want, rtol=0, atol=bound)


def published(name: str) -> tuple[GINSelfAttention, dict[str, np.ndarray], dict[str, Tensor]]:
    """The layer of a vector file, its arrays, and its parameters by the reference's name."""
    arrays, meta = oracle.load(name)
    options = meta["options"]
    threshold_mode = options.get(f"{PREFIX}GIN_threshold_mode")
    layer = GINSelfAttention(
        meta["hidden_size"],
        meta["heads"],
        mlp_ratio=options[f"{PREFIX}multiplier"],
        score="mlp" if options.get(f"{PREFIX}use_scoring_fnct") else "dot",
        score_dim=options.get(f"{PREFIX}scoring_hidden_dim", 512),
        temperature=options.get(f"{PREFIX}GIN_softmax_temperature", 1.0),
        out_proj=options.get(f"{PREFIX}o_proj_at_end", False),
        differential=options.get("use_differential_attention", False),
        mode=threshold_mode,
        threshold=options.get(f"{PREFIX}GIN_threshold_value", 0.2),
        rotary_base=meta["rope_theta"],
    ).eval()
    named: dict[str, Tensor] = {}
    if layer.pair_score is not None:
        score = layer.pair_score
        named |= {"mlp_scoring.0.weight": score.weight_in, "mlp_scoring.0.bias": score.bias_in}
        named |= {"mlp_scoring.2.weight": score.weight_out, "mlp_scoring.2.bias": score.bias_out}
    for i, end in enumerate(["", "_2"][: len(layer.queries)]):
        named[f"q_proj{end}.weight"] = layer.queries[i].weight
        named[f"k_proj{end}.weight"] = layer.keys[i].weight
    if options.get("use_sharpening"):
        named["sharpening_parameters.0"] = layer.alpha
    if len(layer.queries) == 2:
        named["lambda_param.0"] = layer.mu
    if layer.out is not None:
        named["o_proj.weight"] = layer.out.weight
    for key, parameter in named.items():
        parameter.data = tensor(arrays[f"p:{key}"]).view(parameter.shape)
    for ours, theirs in HEADS.items():
        parts = [np.atleast_1d(arrays[f"p:gin_layers.{h}.{theirs}"]) for h in range(layer.heads)]
        getattr(layer.update, ours).data = tensor(np.concatenate(parts))
    return layer, arrays, named


HEADS = {
    "weight_in": "mlp.0.weight",
    "bias_in": "mlp.0.bias",
    "gain": "normlayer.weight",
    "weight_out": "mlp.4.weight",
    "bias_out": "mlp.4.bias",
    "eps": "epsilon",
}
SEQUENCES = ["default", "oproj_mult2_pad", "scoring_mlp", "differential", "relu_threshold"]


@pytest.mark.parametrize("name", SEQUENCES)
def test_published_sequences(name: str) -> None:
    layer, arrays, named = published(f"gin_seq_{name}")
    x, mask = tensor(arrays["x"]).requires_grad_(), tensor(arrays["mask"])
    out, attention = layer(x, mask, return_attention=True)
    close(out, arrays["out"])
    close(attention, arrays["attention"])
    close(layer(x, mask), arrays["out"])  # without the map, where there is such a way
    (out * tensor(arrays["loss_weight"])).sum().backward()
    close(x.grad, arrays["grad_x"], gradient=True)
    for key, parameter in named.items():
        if key == "mlp_scoring.2.bias":  # softmax ignores it: rounding on both sides
            assert float(parameter.grad.abs().max()) < 1e-5
        elif f"g:{key}" in arrays:
            close(parameter.grad, arrays[f"g:{key}"], gradient=True)
    for ours, theirs in HEADS.items():
        parts = [np.atleast_1d(arrays[f"g:gin_layers.{h}.{theirs}"]) for h in range(layer.heads)]
        close(getattr(layer.update, ours).grad, np.concatenate(parts), gradient=True)


def published_pna(name: str, **options) -> tuple[PNASelfAttention, dict[str, np.ndarray]]:
    arrays, meta = oracle.load(name)
    given = meta["options"]
    mode = given.get(f"{PREFIX}GIN_threshold_mode")
    layer = PNASelfAttention(
        meta["hidden_size"],
        meta["heads"],
        mlp_ratio=given[f"{PREFIX}multiplier"],
        mode=None if mode is None else f"reference:{mode}",
        threshold=given.get(f"{PREFIX}GIN_threshold_value", 0.2),
        **options,
    ).eval()
    for ours, theirs in ((layer.queries[0], "q"), (layer.keys[0], "k"), (layer.value, "v")):
        ours.weight.data = tensor(arrays[f"p:{theirs}_proj.weight"])
    layer.out.weight.data = tensor(arrays["p:o_proj.weight"])
    for ours, part in (("weight_in", 0), ("weight_out", 2)):
        both = [arrays[f"p:aggregator_mlps.{h}.{part}.weight"] for h in range(layer.heads)]
        getattr(layer, ours).data = tensor(np.concatenate(both))
    return layer, arrays


@pytest.mark.parametrize("name", ["pna_seq", "pna_seq_relu_below_binary"])
def test_published_pna_with_the_true_maximum(name: str) -> None:
    layer, arrays = published_pna(name)
    x, mask = tensor(arrays["x"]), tensor(arrays["mask"])
    close(layer(x, mask), arrays["out_true_max"])
    value = layer.value(x).view(*x.shape[:2], layer.heads, -1).transpose(1, 2)
    a = tensor(arrays["processed_attention"])
    total, mean, largest, variance = layer._aggregates(a, value, a > -1)
    for got, key in ((total, "sum"), (mean, "mean"), (largest, "true_max"), (variance, "var")):
        close(got, arrays[f"agg_{key}"])
    # The reference took the receiver's own value: what the vectors call "out" must not come out.
    assert not torch.allclose(layer(x, mask), tensor(arrays["out"]), atol=1e-2)


def test_published_pna_for_language() -> None:
    layer, arrays = published_pna("pna_lm_seq", variant="lm")
    x = tensor(arrays["x"]).requires_grad_()
    out = layer(x, tensor(arrays["mask"]))
    close(out, arrays["out"])
    (out * tensor(arrays["loss_weight"])).sum().backward()
    close(x.grad, arrays["grad_x"], gradient=True)
    close(layer.value.weight.grad, arrays["g:v_proj.weight"], gradient=True)


def test_maximum_equals_the_loop_and_has_its_gradient() -> None:
    rng = np.random.default_rng(41)
    for _ in range(200):
        n, k, d = (int(v) for v in rng.integers(1, 7, 3))
        a = rng.random((n, k)) * (rng.random((n, k)) < 0.5)
        v = torch.from_numpy(rng.standard_normal((k, d))).requires_grad_()
        got = neighbour_max(torch.from_numpy(a)[None, None] > 0, v[None, None])[0, 0]
        np.testing.assert_array_equal(
            got.detach().numpy(), oracle.true_maximum(a, v.detach().numpy())
        )
        got.sum().backward()
        assert float(v.grad.sum()) == float((a > 0).any(1).sum() * d)


@pytest.mark.parametrize("name", list(REFERENCE))
def test_published_modes(name: str) -> None:
    arrays, meta = oracle.load("sparsify_modes")
    a = tensor(arrays["A"])
    threshold = meta["threshold"]
    if name == "scaled_topk_causal_4d":
        threshold = meta["threshold_for_scaled_topk"]
    seen = torch.ones(8, 8, dtype=torch.bool).tril()
    got = sparsified(a, seen, f"reference:{name}", threshold, meta["top_k_fraction"])
    close(got, arrays[f"adj:{name}"])


def test_own_modes_on_a_row() -> None:
    a = torch.tensor([[0.3, 0.1, 0.3, 0.3, 0.0]])
    seen = torch.tensor([[True, True, True, True, False]])
    top = sparsified(a, seen, "top_k", 0.0, 0.5)
    assert top.tolist() == [[1, 0, 1, 0, 0]]  # 2 of 4, ties to the lower key
    causal = sparsified(a, seen, "causal_top_k", 0.2, 0.5)
    assert causal.tolist() == [[1, 0, 0, 1, 0]]  # itself, and 1 of the others
    assert sparsified(a, seen, "causal_top_k", 0.9, 1.0).tolist() == [[0, 0, 0, 1, 0]]
    torch.testing.assert_close(
        sparsified(a, seen, "relu", 0.2, 0.1), torch.tensor([[0.1, 0.0, 0.1, 0.1, 0.0]])
    )


CASES = {
    "plain": (GINSelfAttention, {}),
    "no rotation": (GINSelfAttention, {"rotary": False, "mlp": None}),
    "projections": (GINSelfAttention, {"value_proj": True, "out_proj": True, "norm": "layer"}),
    "grouped": (GINSelfAttention, {"value_proj": True, "kv_heads": 2}),
    "one key head": (GINSelfAttention, {"value_proj": True, "kv_heads": 1, "mlp": "joint"}),
    "mlp score": (GINSelfAttention, {"score": "mlp", "score_dim": 9}),
    "differential": (GINSelfAttention, {"differential": True, "layer_index": 2}),
    "relu": (GINSelfAttention, {"mode": "relu", "threshold": 0.1}),
    "binary": (GINSelfAttention, {"mode": "binary", "threshold": 0.1}),
    "top k": (GINSelfAttention, {"mode": "top_k", "share": 0.4}),
    "causal top k": (GINSelfAttention, {"mode": "causal_top_k", "share": 0.4, "threshold": 0.05}),
    "silu": (GINSelfAttention, {"mode": "reference:silu"}),
    "pna": (PNASelfAttention, {}),
    "pna grouped": (PNASelfAttention, {"kv_heads": 2, "mode": "relu", "threshold": 0.1}),
    "pna lm": (PNASelfAttention, {"variant": "lm", "threshold": 0.15}),
}


@pytest.fixture(params=CASES, ids=list(CASES))
def layer(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(42)
    kind, options = CASES[request.param]
    made = kind(16, 4, **options).eval()
    if hasattr(made, "update"):
        made.update.eps.data = torch.tensor([0.5, -0.3, 0.1, 1.0])
    return made


def test_the_future_has_no_influence(layer: nn.Module) -> None:
    x = torch.randn(1, 7, 16)
    jacobian = torch.autograd.functional.jacobian(lambda t: layer(t)[0], x)[:, :, 0]
    for i in range(7):
        assert not jacobian[i, :, i + 1 :].any()
    assert any(bool(jacobian[i, :, :i].any()) for i in range(1, 7))


def test_a_prefix_gives_the_prefix_of_the_output(layer: nn.Module) -> None:
    x = torch.randn(2, 9, 16)
    whole = layer(x)
    for length in (1, 4, 8):
        torch.testing.assert_close(layer(x[:, :length]), whole[:, :length], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("steps", [[1] * 9, [4, 1, 3, 1], [9]])
def test_decoding_with_a_cache_equals_the_whole(layer: nn.Module, steps: list[int]) -> None:
    x, cache, outputs = torch.randn(2, 9, 16), KeyValueCache(), []
    for part in x.split(steps, dim=1):
        outputs.append(layer(part, cache=cache))
    assert cache.length == 9
    torch.testing.assert_close(torch.cat(outputs, dim=1), layer(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing(layer: nn.Module, side: str) -> None:
    short, long = torch.randn(1, 5, 16), torch.randn(1, 8, 16)
    filler = torch.randn(1, 3, 16)
    parts = [filler, short] if side == "left" else [short, filler]
    batch = torch.cat([torch.cat(parts, dim=1), long])
    padding = torch.zeros(2, 8, dtype=torch.bool)
    padding[0, :3] = side == "left"
    padding[0, 5:] = side == "right"
    out = layer(batch, key_padding_mask=padding)
    own = out[:1, 3:] if side == "left" else out[:1, :5]
    torch.testing.assert_close(own, layer(short), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out[1:], layer(long), rtol=1e-4, atol=1e-5)
    assert bool(torch.isfinite(out).all())


@pytest.mark.parametrize("least", [-torch.inf, -1e9, "float16"])
def test_every_kind_of_mask_hides(layer: nn.Module, least: float | str) -> None:
    x = torch.randn(1, 6, 16)
    hidden = torch.zeros(6, 6, dtype=torch.bool)
    hidden[:, 2] = True
    hidden[4] = True  # this query sees nothing
    want = layer(x, ~hidden)
    assert bool(torch.isfinite(want).all())
    if least == "float16":
        mask = torch.zeros(6, 6, dtype=torch.float16).masked_fill(hidden, -65504.0)
    else:
        mask = torch.zeros(6, 6).masked_fill(hidden, least)
    torch.testing.assert_close(layer(x, mask), want)


def test_reduces_to_multi_head_attention() -> None:
    torch.manual_seed(43)
    ours = GINSelfAttention(16, 4, mlp=None, value_proj=True, out_proj=True, rotary=False).eval()
    theirs = nn.MultiheadAttention(16, 4, bias=False, batch_first=True).eval()
    parts = ours.queries[0].weight, ours.keys[0].weight, ours.value.weight
    theirs.in_proj_weight.data = torch.cat(parts).detach()
    theirs.out_proj.weight.data = ours.out.weight.data
    x, future = torch.randn(2, 7, 16), torch.ones(7, 7, dtype=torch.bool).triu(1)
    want = theirs(x, x, x, attn_mask=future, need_weights=False)[0]
    torch.testing.assert_close(ours(x), want, rtol=1e-5, atol=1e-5)
    ours.update.eps.data.fill_(0.4)
    shifted = want + 0.4 * F.linear(ours.value(x), ours.out.weight)
    torch.testing.assert_close(ours(x), shifted, rtol=1e-5, atol=1e-5)


def test_number_of_parameters() -> None:
    # D=560, H=8: 2 D^2 + H (2 g d^2 + 2 g d + d + 1) + 1
    for ratio, want in ((0.5, 667_505), (1.0, 707_000), (2.0, 786_000), (4.0, 946_000)):
        layer = GINSelfAttention(560, 8, mlp_ratio=ratio)
        count = sum(p.numel() for p in layer.parameters())
        hidden = int(70 * ratio)
        assert count == 2 * 560**2 + 8 * (2 * hidden * 70 + 2 * hidden + 70 + 1) + 1
        assert abs(count - want) < 1000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kv_heads": 2}, "kv_heads=2 of heads=4 needs value_proj=True"),
        ({"kv_heads": 3, "value_proj": True}, "kv_heads must divide heads, got 3 and 4"),
        ({"norm": "batch"}, "norm must not look at other tokens, got norm='batch'"),
        ({"mode": "tanh"}, "mode must be one of 'relu', 'binary', .* got 'tanh'"),
        ({"dim": 12}, "rotary=True needs an even width per head, got 3"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GINSelfAttention(**{"dim": 16, "heads": 4, **options})


def test_bad_padding() -> None:
    layer = GINSelfAttention(16, 4)
    with pytest.raises(
        ValueError, match=r"key_padding_mask must have shape \(1, 5\), got \(1, 4\)"
    ):
        layer(torch.zeros(1, 5, 16), key_padding_mask=torch.zeros(1, 4, dtype=torch.bool))


@pytest.mark.parametrize("steps", [[8], [3, 5], [5, 1, 1, 1]])
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_cached_decoding_of_a_padded_batch_with_grouped_heads(
    kv_heads: int, steps: list[int]
) -> None:
    torch.manual_seed(44)
    layer = GINSelfAttention(16, 4, kv_heads=kv_heads, value_proj=True, mlp_ratio=1.0).eval()
    layer.update.eps.data = torch.tensor([0.5, -0.3, 0.1, 1.0])
    short, long = torch.randn(1, 6, 16), torch.randn(1, 8, 16)
    batch = torch.cat([torch.cat([torch.randn(1, 2, 16), short], dim=1), long])
    padding = torch.zeros(2, 8, dtype=torch.bool)
    padding[0, :2] = True
    positions = torch.stack([torch.arange(8) - 2, torch.arange(8)])
    cache, outputs, done = KeyValueCache(), [], 0
    for length in steps:
        now, done = done, done + length
        options = {"positions": positions[:, now:done], "key_padding_mask": padding[:, :done]}
        outputs.append(layer(batch[:, now:done], cache=cache, **options))
    out = torch.cat(outputs, dim=1)
    torch.testing.assert_close(out[:1, 2:], layer(short), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(out[1:], layer(long), rtol=1e-5, atol=1e-5)


def test_a_cache_grows_by_the_key_heads_of_each_token_and_no_more() -> None:
    layer = GINSelfAttention(16, 4, kv_heads=2, value_proj=True).eval()
    cache = KeyValueCache()
    with torch.no_grad():
        for length in range(1, 41):
            layer(torch.randn(3, 1, 16), cache=cache)
            assert cache.length == length
            assert [part.shape for part in cache.parts] == [(3, 2, length, 4)] * 2
            held = sum(part.untyped_storage().nbytes() for part in cache.parts)
            assert held == 2 * 3 * 2 * length * 4 * 4
            assert not any(part.requires_grad for part in cache.parts)


def test_positions_shift_both_queries_and_keys() -> None:
    torch.manual_seed(45)
    layer = GINSelfAttention(16, 4).eval()
    x = torch.randn(2, 6, 16)
    shifted = layer(x, positions=torch.arange(6) + 1000)
    torch.testing.assert_close(shifted, layer(x), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(layer(x, positions=2 * torch.arange(6)), layer(x), atol=1e-3)
