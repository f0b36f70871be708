"""GIN-attention on a graph of the size of ogbn-arxiv: fused kernel against what one would write.

    python benchmarks/gin_attention.py           # n = 169,343, m = 2.48 M, width 128, 4 heads
    python benchmarks/gin_attention.py --part kernel
    python benchmarks/gin_attention.py --nodes 20000 --edges 300000

One thread.  ``--part kernel``: the attention part (scores, softmax, weighted sum; queries, keys
and values given) against the same from gathers (``composed_edge_attention``), forward and
backward.  ``--part layer``: the whole layer, projections and MLP included, against the same layer
on gathers and PyG's TransformerConv and GATConv of the same width.  Results are compared first.
CPU seconds are the figure to quote; peaks are bytes beyond what was resident before, arguments and
parameters excluded.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch
from harness import measure, peak_rss, write_result
from torch import Tensor, nn

import graphsparse
from graphsparse.models import GINAttention
from graphsparse.models.edge_attention import composed_edge_attention, edge_attention
from graphsparse.models.receivers import Receivers, receivers

Run = Callable[[], Any]


def random_graph(nodes: int, edges: int, seed: int) -> Tensor:
    """Return a random ``edge_index`` whose in-degrees are skewed as in citation graphs."""
    generator = torch.Generator().manual_seed(seed)
    sender = torch.randint(0, nodes, (edges,), generator=generator)
    skew = torch.rand(edges, generator=generator, dtype=torch.float64) ** 1.5
    receiver = (skew * nodes).long().clamp(max=nodes - 1)
    order = torch.randperm(nodes, generator=generator)
    return torch.stack([sender, order[receiver]])


class GatherLayer(nn.Module):
    """The same layer with the attention part made of gathers: a twin that shares the weights."""

    def __init__(self, layer: GINAttention, edges: Receivers) -> None:
        super().__init__()
        self.layer, self.edges = layer, edges

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, width)."""
        q, k = self.layer._query_key(x, x)
        mixed, _ = composed_edge_attention(self.edges, q, k, x, heads=self.layer.heads)
        return self.layer.update(x, mixed)


def forward_only(call: Callable[[], Tensor]) -> Run:
    """Return a run without gradients."""

    def run() -> Tensor:
        with torch.no_grad():
            return call()

    return run


def with_backward(call: Callable[[], Tensor], push: Tensor) -> Run:
    """Return a run of both passes; gradients are dropped each time."""

    def run() -> None:
        call().backward(push)

    return run


def timed(calls: dict[str, Callable[[], Tensor]], push: Tensor, clear: Run, repeat: int) -> Any:
    """Time and weigh every call, forward and with its backward pass, in turn."""
    figures: dict[str, Any] = {}
    for name, call in calls.items():
        both = with_backward(call, push)
        entry = {}
        for kind, run in (("forward", forward_only(call)), ("forward_backward", both)):
            time = measure(run, repeat=repeat, warmup=int(not figures))
            clear()
            entry[kind] = {**time.as_dict(), "peak_bytes": peak_rss(run)}
            clear()
        figures[name] = entry
    first = next(iter(figures))
    for entry in figures.values():
        for kind in ("forward", "forward_backward"):
            mine = figures[first][kind]["cpu_median_s"]
            entry[kind]["ours_is_faster_cpu"] = round(entry[kind]["cpu_median_s"] / mine, 2)
    return figures


def attention_part(index: Tensor, n: int, width: int, heads: int, repeat: int) -> Any:
    """The fused kernel against gathers."""
    edges = receivers(index, n, n)
    parts = [torch.randn(n, width).requires_grad_() for _ in range(3)]
    push = torch.randn(n, width)

    def clear() -> None:
        for part in parts:
            part.grad = None

    def fused() -> Tensor:
        return edge_attention(edges, *parts, heads=heads)[0]

    def gathered() -> Tensor:
        return composed_edge_attention(edges, *parts, heads=heads)[0]

    wanted = [torch.autograd.grad(call(), parts, push) for call in (fused, gathered)]
    for got, want in zip(*wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-4)
    del wanted
    return timed({"fused": fused, "gathers": gathered}, push, clear, repeat)


def whole_layer(index: Tensor, n: int, width: int, heads: int, repeat: int) -> Any:
    """The layer against its twin on gathers and PyG's layers of the same width."""
    from torch_geometric.nn import GATConv, TransformerConv

    layer = GINAttention(width, heads=heads, dropout=0.0)
    twin = GatherLayer(layer, receivers(index, n, n))
    transformer = TransformerConv(width, width // heads, heads=heads)
    gat = GATConv(width, width // heads, heads=heads, add_self_loops=False)
    x, push = torch.randn(n, width).requires_grad_(), torch.randn(n, width)
    with torch.no_grad():
        torch.testing.assert_close(layer(x, index), twin(x), rtol=1e-3, atol=1e-4)

    def clear() -> None:
        x.grad = None
        for module in (layer, transformer, gat):
            module.zero_grad(set_to_none=True)

    calls: dict[str, Callable[[], Tensor]] = {
        "GINAttention": lambda: layer(x, index),
        "GINAttention on gathers": lambda: twin(x),
        "TransformerConv (PyG)": lambda: transformer(x, index),
        "GATConv (PyG)": lambda: gat(x, index),
    }
    return timed(calls, push, clear, repeat)


def main() -> None:
    """Parse the command line, compare, time, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=169_343)
    parser.add_argument("--edges", type=int, default=2_480_000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--part", choices=("layer", "kernel"), default="layer")
    args = parser.parse_args()
    torch.set_num_threads(1)
    graphsparse.set_num_threads(1)
    torch.manual_seed(8)
    index = random_graph(args.nodes, args.edges, 7)
    shape = (args.nodes, args.width, args.heads, args.repeat)
    figures: dict[str, Any] = {**vars(args), "threads": 1}
    measured = attention_part if args.part == "kernel" else whole_layer
    figures[args.part] = measured(index, *shape)
    n, m, width, heads = args.nodes, args.edges, args.width, args.heads
    figures["bytes"] = {"n * width": 4 * n * width, "m * heads": 4 * m * heads}
    write_result("gin_attention" + ("_kernel" if args.part == "kernel" else ""), figures)


if __name__ == "__main__":
    main()
