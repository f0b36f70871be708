"""The isomorphic update in one native pass against the same from torch operations."""

import numpy as np
import pytest
import torch

import graphsparse
from graphsparse.models import fused_update
from graphsparse.models.isomorphic import IsomorphicUpdate


def twin(layer, own, aggregate):
    """The definition, head by head, in NumPy."""
    own, aggregate = own.detach().double().numpy(), aggregate.detach().double().numpy()
    values = {name: p.detach().double().numpy() for name, p in layer.named_parameters()}
    c = values["eps"] + (1.0 if layer.self_weight == "one_plus_eps" else 0.0)
    z = aggregate + np.repeat(c, layer.head_dim) * own
    out = np.zeros_like(z)
    width, hidden = z.shape[-1] // layer.groups, len(values["bias_in"]) // layer.groups
    for g in range(layer.groups):
        inner, outer = slice(g * hidden, (g + 1) * hidden), slice(g * width, (g + 1) * width)
        y = z[..., outer] @ values["weight_in"][inner].T + values["bias_in"][inner]
        if layer.norm == "rms":
            y /= np.sqrt((y**2).mean(-1, keepdims=True) + layer.norm_eps)
            y *= values["gain"][inner]
        y = y / (1.0 + np.exp(-y))
        out[..., outer] = y @ values["weight_out"][outer].T + values["bias_out"][outer]
    return out


def drawn(dim, heads, dtype=torch.float64, seed=5, **options):
    torch.manual_seed(seed)
    layer = IsomorphicUpdate(dim, heads, **options).to(dtype)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return layer


def with_gradients(layer, own, aggregate, push):
    inputs = [own.clone().requires_grad_(), aggregate.clone().requires_grad_()]
    out = layer(*inputs)
    return out, torch.autograd.grad(out, [*inputs, *layer.parameters()], push)


SHAPES = [
    (12, 4, "per_head", 0.5),
    (32, 1, "per_head", 1.0),
    (40, 5, "joint", 0.3),
    (34, 2, "per_head", 1.5),
    (128, 4, "per_head", 0.5),
]


@pytest.mark.parametrize("norm", ["rms", None])
@pytest.mark.parametrize(("dim", "heads", "mlp", "ratio"), SHAPES)
@pytest.mark.parametrize("rows", [0, 1, 7, 8, 41])
def test_agrees_with_the_twin(dim, heads, mlp, ratio, norm, rows):
    layer = drawn(dim, heads, mlp=mlp, mlp_ratio=ratio, norm=norm, dropout=0.0)
    own, aggregate = torch.randn(2, rows, dim, dtype=torch.float64)
    assert fused_update.is_usable(own, layer.weight_in, 1)
    np.testing.assert_allclose(layer(own, aggregate).detach(), twin(layer, own, aggregate), 1e-9)


@pytest.mark.parametrize("norm", ["rms", None])
@pytest.mark.parametrize(("dim", "heads", "mlp", "ratio"), SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_agree_with_torch(dim, heads, mlp, ratio, norm, dtype, monkeypatch):
    layer = drawn(dim, heads, dtype, mlp=mlp, mlp_ratio=ratio, norm=norm, dropout=0.0)
    own, aggregate, push = torch.randn(3, 2, 300, dim, dtype=dtype)
    out, grads = with_gradients(layer, own, aggregate, push)
    monkeypatch.setattr(fused_update, "LARGEST", 0)
    want, want_grads = with_gradients(layer, own, aggregate, push)
    close = {"rtol": 1e-9, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 2e-3, "atol": 2e-3}
    torch.testing.assert_close(out, want, **close)
    for got, expected in zip(grads, want_grads, strict=True):
        torch.testing.assert_close(got, expected, **close)


def test_passes_gradcheck():
    layer = drawn(10, 2, mlp_ratio=0.6, dropout=0.0)
    inputs = [torch.randn(9, 10, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    torch.autograd.gradcheck(lambda *rows: layer(*rows), inputs)


@pytest.mark.parametrize("p", [0.25, 0.1])
def test_dropout_takes_its_share_and_is_the_same_for_the_gradient(p):
    layer = drawn(32, 2, mlp_ratio=1.0, norm=None, dropout=p)
    with torch.no_grad():  # the output is the hidden layer: silu(b1) where it is not dropped
        layer.weight_in.zero_()
        layer.bias_in.fill_(3.0)
        layer.bias_out.zero_()
        layer.weight_out.copy_(torch.eye(16).repeat(2, 1))
    own = torch.randn(500, 32, dtype=torch.float64)
    out = layer(own, own).detach()
    alive = out != 0
    assert abs(float(alive.double().mean()) - (1 - p)) < 0.01
    kept = 3.0 / (1 - p)
    np.testing.assert_allclose(out[alive], kept / (1 + np.exp(-kept)), rtol=1e-4)
    torch.manual_seed(4)
    first = layer(own, own)
    torch.manual_seed(4)
    second = layer(own, own)
    assert torch.equal(first, second)
    (grad,) = torch.autograd.grad(first.sum(), layer.bias_in)
    gate = 1 / (1 + np.exp(-kept))
    slope = gate * (1 + kept * (1 - gate)) / (1 - p)
    np.testing.assert_allclose(grad, (first != 0).sum(0) * slope, rtol=1e-4)
    layer.eval()
    assert bool((layer(own, own) != 0).all())


def test_all_may_be_dropped():
    layer = drawn(8, 2, norm=None, dropout=1.0)
    own = torch.randn(3, 8, dtype=torch.float64)
    torch.testing.assert_close(layer(own, own), layer.bias_out.expand(3, 8))


def test_threads_change_no_bit():
    layer = drawn(64, 4, torch.float32, dropout=0.0)
    own, aggregate, push = torch.randn(3, 5000, 64)
    found = []
    for threads in (1, 8):
        graphsparse.set_num_threads(threads)
        found.append(with_gradients(layer, own, aggregate, push))
    graphsparse.set_num_threads(0)
    assert torch.equal(found[0][0], found[1][0])
    assert all(torch.equal(a, b) for a, b in zip(found[0][1], found[1][1], strict=True))


def test_keeps_leading_axes_and_wide_maps_stay_with_torch():
    layer = drawn(24, 3, dropout=0.0)
    own = torch.randn(2, 5, 24, dtype=torch.float64)
    flat = layer(own.view(10, 24), own.view(10, 24))
    assert torch.equal(layer(own, own), flat.view(2, 5, 24))
    assert not fused_update.is_usable(own, torch.empty(1, 1 << 12, dtype=own.dtype), 2)
    assert not fused_update.is_usable(own.half(), layer.weight_in.half(), 4)
