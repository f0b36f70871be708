"""The l0 projection against what torch and NumPy offer, and its share of a training step.

``python benchmarks/l0.py`` takes about a minute.  Every contender is checked first: it must leave
the same weights as a stable sort.  Each run gets a fresh copy of the weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from harness import Timing, measure, peak_rss, write_result
from torch import Tensor, nn

import graphsparse
from graphsparse.training import project_l0

KEEP = 1.0 - 0.8784  # level 20 of the published schedule
CORA = {"nodes": 2708, "pairs": 5278, "features": 1433, "classes": 7, "density": 0.0127}
Projection = Callable[[list[Tensor]], object]


def ours(weights: list[Tensor]) -> None:
    project_l0(weights, KEEP)


def by_cut(weights: list[Tensor], cut: Tensor) -> None:
    for weight in weights:
        weight.masked_fill_(weight.abs() <= cut, 0.0)


def magnitudes(weights: list[Tensor]) -> tuple[Tensor, int]:
    flat = torch.cat([weight.abs().view(-1) for weight in weights])
    return flat, int(np.ceil((1.0 - KEEP) * flat.numel() - 1e-6))


def by_kthvalue(weights: list[Tensor]) -> None:
    flat, removed = magnitudes(weights)
    by_cut(weights, flat.kthvalue(removed).values)


def by_topk(weights: list[Tensor]) -> None:
    flat, removed = magnitudes(weights)
    by_cut(weights, flat.topk(removed, largest=False, sorted=False).values.max())


def by_sorted_topk(weights: list[Tensor]) -> None:
    flat, removed = magnitudes(weights)
    by_cut(weights, flat.topk(removed, largest=False, sorted=True).values[-1])


def by_sort(weights: list[Tensor]) -> None:
    flat, removed = magnitudes(weights)
    by_cut(weights, flat.sort().values[removed - 1])


def by_partition(weights: list[Tensor]) -> None:
    flat, removed = magnitudes(weights)
    by_cut(weights, torch.tensor(np.partition(flat.numpy(), removed - 1)[removed - 1]))


CONTENDERS: dict[str, Projection] = {
    "graphsparse": ours,
    "torch_kthvalue": by_kthvalue,
    "torch_topk_unsorted": by_topk,
    "torch_topk_sorted": by_sorted_topk,
    "torch_sort": by_sort,
    "numpy_partition": by_partition,
}


def weights_of(size: int) -> list[Tensor]:
    """Two distinct-valued tensors of ``size`` entries together."""
    generator = torch.Generator().manual_seed(271)
    flat = torch.randn(size, generator=generator)
    return list(flat.split(size - size // 200))


def check(size: int) -> None:
    """All contenders must agree with a stable sort; ours also on all-equal weights."""
    start = weights_of(size)
    flat = torch.cat(start)
    kept = flat.numel() - int(np.ceil((1.0 - KEEP) * flat.numel() - 1e-6))
    order = np.argsort(-flat.abs().numpy(), kind="stable")
    want = torch.zeros_like(flat)
    want[torch.from_numpy(order[:kept])] = flat[torch.from_numpy(order[:kept])]
    for name, contender in CONTENDERS.items():
        weights = [weight.clone() for weight in start]
        contender(weights)
        assert torch.equal(torch.cat(weights), want) or len(flat.abs().unique()) < size, name
    equal = torch.full((size,), -0.5)
    project_l0(equal, KEEP)
    assert int(equal.count_nonzero()) == int(equal[:kept].count_nonzero()) == kept


def time_projection(contender: Projection, start: list[Tensor], repeat: int) -> Timing:
    copies: Iterator[list[Tensor]] = iter(
        [[weight.clone() for weight in start] for _ in range(repeat + 1)]
    )
    return measure(lambda: contender(next(copies)), repeat=repeat)


def compare(size: int, repeat: int) -> dict[str, object]:
    """Time all contenders on one thread, ours on two as well."""
    start = weights_of(size)
    timings = {}
    graphsparse.set_num_threads(1)
    for name, contender in CONTENDERS.items():
        timings[name] = time_projection(contender, start, repeat)
    one = timings["graphsparse"]
    graphsparse.set_num_threads(2)
    two = time_projection(ours, start, repeat)
    graphsparse.set_num_threads(1)
    spare = [weight.clone() for weight in start]
    return {
        "size": size,
        "one_thread": {name: t.as_dict() for name, t in timings.items()},
        "times_faster_than": {
            name: round(t.cpu_median / one.cpu_median, 1) for name, t in timings.items()
        },
        "two_threads": two.as_dict(),
        "two_threads_speedup": round(one.median / two.median, 2),
        "scratch_bytes": peak_rss(lambda: ours(spare)),
    }


class DenseGCN(nn.Module):
    """GCN-512 of the Cora experiments over dense features, adjacency as torch CSR."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.empty(CORA["features"], 512))
        self.second = nn.Parameter(torch.empty(512, CORA["classes"]))
        for weight in (self.first, self.second):
            nn.init.xavier_uniform_(weight)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        hidden = F.dropout(F.relu(adjacency @ (x @ self.first)), 0.5, self.training)
        return adjacency @ (hidden @ self.second)


def cora_like() -> tuple[Tensor, Tensor, Tensor]:
    """Features, normalised adjacency and labels with the shape and density of Cora."""
    n, rng = int(CORA["nodes"]), np.random.default_rng(613)
    x = (rng.random((n, int(CORA["features"]))) < CORA["density"]).astype(np.float32)
    x /= np.maximum(x.sum(axis=1, keepdims=True), 1.0)
    u, v = rng.integers(0, n, size=(2, int(CORA["pairs"])))
    dense = torch.eye(n)
    dense[u, v] = dense[v, u] = 1.0
    root = dense.sum(1).rsqrt()
    adjacency = (root[:, None] * dense * root).to_sparse_csr()
    return torch.from_numpy(x), adjacency, torch.from_numpy(rng.integers(0, 7, size=n))


def share_of_step(
    model: nn.Module, forward: Callable[[], Tensor], labels: Tensor, repeat: int
) -> dict[str, object]:
    """Time a whole training step of Adam, and the projection after it."""
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    weights = [p for p in model.parameters() if p.dim() == 2]

    def step() -> None:
        optimiser.zero_grad()
        F.cross_entropy(forward()[:140], labels[:140]).backward()
        optimiser.step()

    step_time = measure(step, repeat=repeat)
    # The projection meets what a step leaves, hence one step before each.
    wall, cpu = [], []
    for _ in range(repeat):
        step()
        once = measure(lambda: project_l0(weights, KEEP), repeat=1, warmup=0)
        wall += once.wall
        cpu += once.cpu
    projection = Timing(tuple(wall), tuple(cpu))
    return {
        "weights": sum(weight.numel() for weight in weights),
        "step": step_time.as_dict(),
        "projection": projection.as_dict(),
        "projection_share_of_step": round(projection.cpu_median / step_time.cpu_median, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    check(300_000)
    figures = {f"floats_{size}": compare(size, options.repeat) for size in (options.size, 737_280)}
    graphsparse.set_num_threads(1)
    x, adjacency, labels = cora_like()
    model = DenseGCN()
    figures["cora_gcn_512_dense_features"] = share_of_step(
        model, lambda: model(x, adjacency), labels, options.repeat
    )
    write_result("l0", figures)


if __name__ == "__main__":
    main()
