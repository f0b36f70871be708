"""Every kernel once on small data, compared with the CPU: what compute-sanitizer watches.

compute-sanitizer python benchmarks/gpu_small.py
"""

from __future__ import annotations

import numpy as np
import torch
from gpu_bench import EMULATED, cupy, local_edges, scaled, triangulated

from graphsparse import DynamicSparsifier, Graph, fastrp, grass, random_edges, teddy
from graphsparse.backend import native
from graphsparse.models import device_ops
from graphsparse.models.edge_attention import edge_attention
from graphsparse.models.edge_attention_gpu import DeviceAttention
from graphsparse.models.receivers import receivers
from graphsparse.radix import Ranking


def sparsifiers() -> None:
    """TEDDY and random edges, with every option that has a kernel of its own."""
    rng = np.random.default_rng(2)
    graph = Graph.from_edges(rng.zipf(1.6, (3000, 2)) % 500, num_nodes=500).coalesce()
    graph = graph.without_self_loops()
    moved = graph.to("cuda")
    options = ({}, {"protect": "top1", "tie_break": "hash"}, {"hops": 2})
    for option in options:
        assert teddy(moved, keep=0.4, **option).to("cpu") == teddy(graph, keep=0.4, **option)
    assert random_edges(moved, keep=0.3).to("cpu") == random_edges(graph, keep=0.3)


def projection() -> None:
    """The radix selection on words of every width."""
    rng = np.random.default_rng(3)
    for kind, infinity in ((np.float16, 0x7C00), (np.float32, 0x7F80_0000)):
        word = f"u{np.dtype(kind).itemsize}"
        host = [rng.normal(0, 1, size).astype(kind).view(word) for size in (5000, 3, 9000)]
        device = [cupy().asarray(part) for part in host]
        want = native.keep_largest(host, 700, infinity, [], False, 1)
        got = Ranking(device, "Magnitude", infinity).find(700).zero(False).result()
        assert got == (*want[:2], list(want[2]))
        for a, b in zip(device, host, strict=True):
            assert np.array_equal(a.get(), b)


def streams() -> None:
    """Insertions and deletions, both engines, with deltas and full copies."""
    graph = triangulated(25)
    start, edges = grass(graph, alpha=0.1), local_edges(graph, 150)
    for options in ({}, {"engine": "walk"}, {"preset": "paper"}):
        made = [
            DynamicSparsifier(graph, start, K=10, device=device, **options)
            for device in ("cpu", "cuda")
        ]
        for part in (slice(0, 100), slice(100, 150)):
            drop = np.stack(graph.edges(), 1)[part]
            a, b = (stream.update(inserts=edges[part], deletes=drop) for stream in made)
            assert a.tests.tobytes() == b.tests.tobytes()
            assert a.deletions.tobytes() == b.deletions.tobytes()
        assert made[0].sparsifier() == made[1].sparsifier()


def embedding() -> None:
    """FastRP with rows for a warp, for a block and for pieces."""
    rng, most, some = np.random.default_rng(6), scaled(20_000, 900), scaled(900, 600)
    hub = np.stack([np.zeros(most, np.int64), 1 + rng.permutation(most)], 1)
    middle = np.stack([np.full(some, 7), 20 + rng.permutation(some)], 1)
    graph = Graph.from_edges(np.concatenate([hub, middle]), num_nodes=most + 1).coalesce()
    for dim in (128, 30):
        got = fastrp(graph.to("cuda"), dim, standardize=False, self_influence=1.0).get()
        want = fastrp(graph, dim, standardize=False, self_influence=1.0)
        assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()


def attention() -> None:
    """Edge attention both ways, with a bias, a hub and a head that fills no warp."""
    torch.manual_seed(7)
    edges = receivers(torch.randint(0, 30, (2, 200)) // torch.tensor([[1], [2]]), 30, 30)
    host = [torch.randn(30, 3 * 20, requires_grad=True) for _ in range(3)]
    host.append(torch.randn(200, 3, requires_grad=True))
    moved = [t.detach().to("cpu" if EMULATED else "cuda").requires_grad_() for t in host]
    want, _ = edge_attention(edges, *host, heads=3, need_weights=False)
    got, _ = DeviceAttention.apply(*moved, edges, 3, 0)
    pairs = [(got, want)]
    push = torch.randn_like(want)
    grads = torch.autograd.grad(got, moved, push.to(got.device))
    pairs += zip(grads, torch.autograd.grad(want, host, push), strict=True)
    for a, b in pairs:
        torch.testing.assert_close(a.cpu(), b, rtol=1e-4, atol=1e-4)


def main() -> None:
    """Run all of it."""
    if EMULATED:
        device_ops.stream_handle = lambda device: 0
    else:
        cupy().cuda.set_allocator(None)  # no pool: each array ends where its memory ends
    sparsifiers()
    projection()
    streams()
    embedding()
    attention()
    print("small run: the GPU agrees with the CPU")


if __name__ == "__main__":
    main()
