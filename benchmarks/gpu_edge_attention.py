"""GIN-attention on the GPU: the fused kernels against PyG's TransformerConv of the same width.

    python benchmarks/gpu_edge_attention.py [--emulate]

n = 169,343, m = 2.48 million, width 128, 4 heads, float32: the attention part, and the whole layer
against TransformerConv, forward and with the gradient.  Where torch-geometric is not installed a
twin of its TransformerConv stands in: the same products, gathers and scatters, without its checks.
Results are compared with the CPU's kernel first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from gin_attention import random_graph
from gpu_bench import EMULATED, copy_bandwidth, milliseconds, save, scaled
from torch import Tensor, nn

from graphsparse.models import GINAttention, device_ops
from graphsparse.models.edge_attention import edge_attention
from graphsparse.models.edge_attention_gpu import DeviceAttention
from graphsparse.models.receivers import receivers

WIDTH, HEADS = 128, 4
DEVICE = "cpu" if EMULATED else "cuda"


class TransformerTwin(nn.Module):
    """TransformerConv from gathers and scatters: ``W_s x_i + sum_j softmax(q_i . k_j) v_j``."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        for name in ("lin_query", "lin_key", "lin_value", "lin_skip"):
            setattr(self, name, nn.Linear(width, width))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Return (n, width)."""
        sender, receiver = edge_index
        parts = (self.lin_query(x), self.lin_key(x), self.lin_value(x))
        q, k, v = (part.view(len(x), self.heads, -1) for part in parts)
        score = (q[receiver] * k[sender]).sum(-1) / q.shape[-1] ** 0.5
        index = receiver[:, None].expand_as(score)
        top = score.new_full((len(x), self.heads), -torch.inf)
        top = top.scatter_reduce(0, index, score.detach(), "amax")
        weight = (score - top[receiver]).exp()
        total = torch.zeros_like(top).scatter_add(0, index, weight)
        message = v[sender] * (weight / (total[receiver] + 1e-16))[:, :, None]
        out = torch.zeros_like(v).index_add(0, receiver, message)
        return out.flatten(1) + self.lin_skip(x)


def transformer() -> tuple[nn.Module, str]:
    """Return PyG's layer, or its twin where PyG is not installed, and which it is."""
    try:
        from torch_geometric.nn import TransformerConv
    except ImportError:
        return TransformerTwin(WIDTH, HEADS), "twin from gathers and scatters"
    return TransformerConv(WIDTH, WIDTH // HEADS, heads=HEADS), "TransformerConv (PyG)"


def check() -> None:
    """Compare outputs and gradients with the CPU's kernel; the twin with PyG where that is."""
    torch.manual_seed(5)
    n = scaled(3000, 40)
    index = random_graph(n, 12 * n, 3)
    edges = receivers(index, n, n)
    host = [torch.randn(n, WIDTH, requires_grad=True) for _ in range(3)]
    moved = [t.detach().to(DEVICE).requires_grad_() for t in host]
    want, _ = edge_attention(edges, *host, heads=HEADS, need_weights=False)
    got, _ = DeviceAttention.apply(*moved, None, edges, HEADS, 0)
    push = torch.randn_like(want)
    pairs = [(got, want)]
    found = torch.autograd.grad(got, moved, push.to(DEVICE))
    pairs += zip(found, torch.autograd.grad(want, host, push), strict=True)
    other, name = transformer()
    if "PyG" in name:
        twin = TransformerTwin(WIDTH, HEADS)
        twin.load_state_dict(other.state_dict())
        pairs.append((twin(host[0], index), other(host[0], index)))
    for a, b in pairs:
        torch.testing.assert_close(a.cpu(), b.cpu(), rtol=1e-3, atol=1e-4)


def both_ways(call: Callable[[], Tensor], leaves: list[Tensor], push: Tensor) -> dict[str, float]:
    """Return the milliseconds of a pass, and of a pass with its gradients."""

    def forward() -> None:
        with torch.no_grad():
            call()

    def backward() -> None:
        torch.autograd.grad(call(), leaves, push)

    return {"forward_ms": milliseconds(forward), "forward_backward_ms": milliseconds(backward)}


def times_faster(ours: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """Return how many times the other takes."""
    return {f"speedup_{key[:-3]}": round(other[key] / max(ours[key], 1e-9), 2) for key in ours}


def main() -> None:
    """Check, time, write."""
    if EMULATED:
        device_ops.stream_handle = lambda device: 0
        device_ops.is_on_gpu = lambda tensor: True
    check()
    bandwidth = copy_bandwidth()
    n, m = scaled(169_343, 60), scaled(2_480_000, 500)
    index = random_graph(n, m, 7).to(DEVICE)
    edges = receivers(index.cpu(), n, n)
    torch.manual_seed(8)
    x, push = torch.randn(n, WIDTH, device=DEVICE, requires_grad=True), torch.randn(n, WIDTH)
    push = push.to(DEVICE)
    parts = [torch.randn(n, WIDTH, device=DEVICE, requires_grad=True) for _ in range(3)]
    kernel = both_ways(lambda: DeviceAttention.apply(*parts, None, edges, HEADS, 0)[0], parts, push)
    layer = GINAttention(WIDTH, heads=HEADS, dropout=0.0).to(DEVICE)
    other, name = transformer()
    other = other.to(DEVICE)
    ours = both_ways(lambda: layer(x, index), [x, *layer.parameters()], push)
    theirs = both_ways(lambda: other(x, index), [x, *other.parameters()], push)
    gathered = 4 * m * (2 * WIDTH + 1) + 4 * n * WIDTH * 2  # keys and values of every edge
    figures: dict[str, Any] = {
        "nodes": n,
        "edges": m,
        "width": WIDTH,
        "heads": HEADS,
        "copy_bandwidth_bytes_per_s": round(bandwidth),
        "kernel": kernel,
        "kernel_forward_gathered_share_of_copy": round(
            gathered / (1e-3 * kernel["forward_ms"]) / bandwidth, 3
        ),
        "layer": ours,
        "compared_with": name,
        "other": theirs,
        **times_faster(ours, theirs),
    }
    save("edge_attention", figures)


if __name__ == "__main__":
    main()
