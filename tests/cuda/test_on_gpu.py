"""The same work on a real GPU: the CPU's edges, decisions and weights, bit for bit."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import pytest

from graphsparse import (
    BackendError,
    DynamicSparsifier,
    Graph,
    fastrp,
    grass,
    random_edges,
    sparsify,
)
from graphsparse.backend import native
from graphsparse.launch import cupy
from graphsparse.radix import Ranking
from graphsparse.streaming import EdgeBatch

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:.*nodes have no signal"),
]


@pytest.fixture(scope="module", autouse=True)
def gpu():
    try:
        return cupy()
    except BackendError as error:
        if os.environ.get("GRAPHSPARSE_REQUIRE_GPU") == "1":
            raise
        pytest.skip(f"no GPU here: {error}")


@pytest.fixture(scope="module")
def on_torch(gpu):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("torch has no CUDA here: install a CUDA build of torch")
    return torch


@pytest.fixture(scope="module")
def graph() -> Graph:
    rng = np.random.default_rng(51_001)
    pairs = rng.zipf(1.5, (400_000, 2)) % 60_013
    return Graph.from_edges(pairs, num_nodes=60_013).coalesce().without_self_loops()


@pytest.mark.parametrize(
    "options",
    [{}, {"protect": "top1"}, {"tie_break": "hash", "seed": 12}, {"hops": 3}, {"g": "inv"}],
    ids=str,
)
def test_teddy(graph, options):
    for keep in (0.9, 0.5, 0.1):
        want = sparsify(graph, "teddy", keep=keep, **options)
        got = sparsify(graph.to("cuda"), "teddy", keep=keep, **options)
        assert got.graph.to("cpu") == want.graph
        assert got.details == want.details


def test_random_edges(graph):
    for seed in (5, 2**63 + 1):
        want = random_edges(graph, keep=0.37, seed=seed)
        assert random_edges(graph.to("cuda"), keep=0.37, seed=seed).to("cpu") == want


@pytest.mark.parametrize("options", [{}, {"row_norm": "loop"}, {"dtype": "float64"}], ids=str)
@pytest.mark.parametrize("dim", [64, 128, 130, 512])
def test_fastrp(graph, dim, options):
    want = fastrp(graph, dim, standardize=False, **options)
    got = fastrp(graph.to("cuda"), dim, standardize=False, **options).get()
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()


@pytest.mark.parametrize("kind", ["random", "ties", "equal", "crowded"])
def test_selection(gpu, kind):
    rng = np.random.default_rng(88)
    keys = rng.integers(0, 2**64, 3_000_000, dtype=np.uint64, endpoint=False)
    if kind == "ties":
        keys %= np.uint64(17)
    if kind == "equal":
        keys[:] = 2**63 + 5
    if kind == "crowded":  # one head of 22 bits: the copied-out keys overflow their room
        keys = (keys >> np.uint64(30)) | np.uint64(1 << 60)
    for k in (1, 12_345, 2_999_999):
        mask = Ranking.of_keys(gpu.asarray(keys)).find(k).mask()
        assert np.array_equal(mask.get(), native.select_largest(keys, k, 0))


def triangulated(side: int, seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    node = np.arange(side * side).reshape(side, side)
    pairs = [(node[:-1], node[1:]), (node[:, :-1], node[:, 1:]), (node[:-1, :-1], node[1:, 1:])]
    u, v = (np.concatenate([pair[k].ravel() for pair in pairs]) for k in (0, 1))
    return Graph.from_edges((u, v), num_nodes=side * side, weights=rng.lognormal(0, 0.6, len(u)))


def random_batch(graph: Graph, rng: np.random.Generator, size: int) -> EdgeBatch:
    u, v = graph.edges()
    known = rng.integers(0, len(u), size)
    op = rng.choice(3, size, p=[0.7, 0.2, 0.1])
    near = np.clip(u[known] + rng.integers(-40, 41, size), 0, graph.num_nodes - 1)
    ends = np.where(op == 0, near, u[known]), np.where(op == 0, u[known[::-1]], v[known])
    return EdgeBatch(op, *ends, rng.lognormal(0, 0.6, size))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"space": "full"},
        {"engine": "walk", "recovery_steps": 12},
        {"preset": "paper"},
        {"engine": "walk", "redundancy_check": True, "sub_batch": 500},
    ],
    ids=str,
)
def test_streams(gpu, options: Any):
    graph = triangulated(120, 9)
    start = grass(graph, alpha=0.1)
    made = [DynamicSparsifier(graph, start, seed=3, device=d, **options) for d in ("cpu", "cuda")]
    rng = np.random.default_rng(4)
    for size in (6000, 1, 3000, 4500):
        batch = random_batch(graph, rng, size)
        want, got = (stream.update(batch) for stream in made)
        for name in ("tests", "deletions", "changes", "repaired", "_added", "_path_nodes"):
            assert getattr(got, name).tobytes() == getattr(want, name).tobytes(), name
    state = [stream.state() for stream in made]
    for name, value in state[0].items():
        assert np.array_equal(value, state[1][name]), name
    transfers = made[1].transfers
    assert transfers is not None
    assert 1 <= transfers.full_copies <= 8
    assert transfers.launches > transfers.full_copies


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("scope", ["global", "layer", "row", "nm", "block"])
def test_l0(on_torch, dtype, scope):
    from graphsparse.training import project_l0

    torch = on_torch
    torch.manual_seed(11)
    made = [torch.randn(shape).to(getattr(torch, dtype)) for shape in ((900, 731), (64, 4001))]
    options = {"nm": {"nm": (2, 4)}, "block": {"block": (4, 8)}}.get(scope, {})
    keep = {} if scope == "nm" else {"keep": 0.13}
    want = [w.clone() for w in made]
    got = [w.cuda() for w in made]
    kept = project_l0(want, scope=scope, **keep, **options)
    assert project_l0(got, scope=scope, **keep, **options) == kept
    for a, b in zip(got, want, strict=True):
        assert torch.equal(a.cpu().view(torch.uint8), b.view(torch.uint8))


def test_l0_training_on_a_side_stream(on_torch):
    from graphsparse.training import L0Projection

    torch = on_torch
    torch.manual_seed(12)
    model = torch.nn.Sequential(torch.nn.Linear(300, 400), torch.nn.ReLU(), torch.nn.Linear(400, 9))
    model.cuda()
    optimizer = torch.optim.Adam(model.parameters())
    projection = L0Projection(model, keep=0.4, freeze_after=15).attach(optimizer)
    with torch.cuda.stream(torch.cuda.Stream()):
        for _ in range(20):
            optimizer.zero_grad()
            model(torch.randn(64, 300, device="cuda")).square().sum().backward()
            optimizer.step()
        kept = projection.finish()
    total = projection.num_weights
    assert sum(kept.values()) == total - math.ceil(0.6 * total - 1e-6)
    alive = sum(int(layer.weight.count_nonzero()) for layer in (model[0], model[2]))
    assert 0 < alive <= sum(kept.values())


def test_l0_refuses_late(on_torch):
    from graphsparse.training import L0Projection

    torch = on_torch
    weight = torch.nn.Parameter(torch.randn(5000, device="cuda"))
    projection = L0Projection([weight], keep=0.5)
    with torch.no_grad():
        weight[77] = torch.inf

    def step_and_finish() -> None:
        projection.step()  # in time to hear of it, or not
        projection.finish()

    with pytest.raises(ValueError, match="step 0: 0 must be finite, got inf at flat index 77"):
        step_and_finish()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sparse_products(on_torch, graph, dtype):
    from graphsparse.models import SparseMatrix
    from graphsparse.models.sparse import Pattern

    torch = on_torch
    torch.manual_seed(13)
    kind = getattr(torch, dtype)
    pattern = Pattern(graph.indptr, graph.indices, graph.num_nodes)
    values, x = torch.rand(pattern.nnz, dtype=kind), torch.randn(graph.num_nodes, 37, dtype=kind)
    x[::7] *= 1e-41  # subnormal in float32: CuPy would flush them
    results = []
    for device in ("cpu", "cuda"):
        matrix = SparseMatrix(pattern, values.to(device))
        y = x.to(device).requires_grad_()
        out = matrix.matmul(y, torch.tensor(0.5, dtype=kind, device=device))
        out.sum().backward()
        results.append((out.detach().cpu(), y.grad.cpu()))
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("operator", ["unb", "isab"])
def test_hypergraph_diffusion(on_torch, operator):
    from graphsparse import Hypergraph
    from graphsparse.models import CoNHD

    torch, rng = on_torch, np.random.default_rng(71)
    n, edges, rows = 900, 1300, 4000
    h = Hypergraph(rng.integers(0, n, rows) ** 2 // n, rng.integers(0, edges, rows), n, edges)
    torch.manual_seed(14)
    model, x = CoNHD(20, 64, 3, 2, operator=operator, dropout=0.0), torch.randn(n, 20)
    results = []
    for device in ("cpu", "cuda"):
        moved = model.to(device)
        logits = moved(h, x.to(device))
        grads = torch.autograd.grad(logits.square().mean(), list(moved.parameters()))
        results.append([t.detach().cpu() for t in (logits, *grads)])
    for want, got in zip(*results, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-4 * float(want.abs().max() + 1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("heads", "dim"), [(4, 32), (1, 64), (3, 5)])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_edge_attention(on_torch, graph, dtype, heads, dim, kind):
    from graphsparse.models.edge_attention import edge_attention
    from graphsparse.models.receivers import receivers

    torch, kind_of = on_torch, getattr(on_torch, dtype)
    torch.manual_seed(14)
    n = graph.num_nodes
    edges = receivers(graph, n, n)
    host = [torch.randn(n, heads * dim, dtype=kind_of, requires_grad=True) for _ in range(3)]
    host.append(torch.randn(edges.pattern.nnz, heads, dtype=kind_of, requires_grad=True))
    moved = [t.detach().cuda().requires_grad_() for t in host]
    push = torch.randn(n, heads * dim, dtype=kind_of)
    found = []
    for leaves, device in ((host, "cpu"), (moved, "cuda"), (moved, "cuda")):
        out, att = edge_attention(edges, *leaves, heads=heads, kind=kind)
        grads = torch.autograd.grad(out, leaves, push.to(device))
        found.append([t.detach().cpu() for t in (out, att, *grads)])
    bound = 1e-9 if dtype == "float64" else 2e-4
    for want, got, again in zip(*found, strict=True):
        assert (got - want).abs().max() <= bound * want.abs().max()
        assert torch.equal(got, again)


def test_gin_attention_layer(on_torch, graph):
    from graphsparse.models import GINAttention

    torch = on_torch
    torch.manual_seed(15)
    layer, x = GINAttention(32, heads=4, dropout=0.0), torch.randn(graph.num_nodes, 32)
    rows = torch.from_numpy(graph.arc_rows())
    index = torch.stack([rows, torch.from_numpy(graph.indices).long()])
    want = layer(x, index)
    got = layer.cuda()(x.cuda(), index.cuda())
    torch.testing.assert_close(got.cpu(), want, rtol=1e-3, atol=1e-4)
