"""Forward and backward of CoNHD over a whole hypergraph, against plain torch operations.

    python benchmarks/conhd.py            # one thread; StackOverflowBiology, DBLP, synthetic

First logits and gradients are compared with benchmarks/conhd_plain.py (float64, bundled data and
StackOverflowBiology in float32); then the two run in turn at 128 columns and two layers.  ``epoch``
is one pass over the training hyperedges: in one step over everything, and in batches of 64
with 40 hyperedges per node as published, from a sample of the batches.  Peak memory is what
resident memory rises by.  CPU seconds are the figure to quote on a busy machine.
"""

from __future__ import annotations

import argparse
import ctypes
import json
from collections.abc import Callable
from typing import Any

import conhd_plain
import numpy as np
import torch
import torch.nn.functional as F
from harness import RESULTS, Timing, measure, peak_rss, write_result
from shared_graphs import data_folder
from torch import Tensor, nn

import graphsparse
from graphsparse import Hypergraph
from graphsparse.io import read_enc
from graphsparse.loaders import IncidenceNeighborLoader
from graphsparse.models import CoNHD
from graphsparse.models.tall_products import product_forward

DIM, LAYERS, FEATURES, PE = 128, 2, 44, 4
SAMPLED_BATCHES = 8


def build(classes: int, dim: int = DIM, layers: int = LAYERS, **options: Any) -> CoNHD:
    """Return a model with fixed weights; dropout 0 unless asked for."""
    torch.manual_seed(0)
    options = {"dropout": 0.0, **options}
    return CoNHD(FEATURES, dim, classes, layers, pe_dim=PE, **options)


def inputs(h: Hypergraph) -> tuple[nn.Parameter, Tensor]:
    """Return trained features and an encoding."""
    generator = torch.Generator().manual_seed(1)
    x = nn.Parameter(torch.randn(h.num_nodes, FEATURES, generator=generator))
    return x, torch.rand(h.num_incidences, PE, generator=generator)


def check(operator: str) -> float:
    """Return the largest difference of logits and gradients from the plain form, float64."""
    rng = np.random.default_rng(7)
    h = Hypergraph(rng.integers(0, 200, 900), rng.integers(0, 300, 900), 200, 300)
    model = build(3, dim=32, operator=operator).double()
    x, pe = inputs(h)
    x, pe = nn.Parameter(x.detach().double()), pe.double()
    outcomes = []
    for run in (model, lambda *a: conhd_plain.forward(model, *a)):
        logits = run(h, x, pe)
        grads = torch.autograd.grad(logits.square().sum(), [x, *model.parameters()])
        outcomes.append([logits, *grads])
    worst = max(float((a - b).detach().abs().max()) for a, b in zip(*outcomes, strict=True))
    if worst > 1e-9:
        raise AssertionError(f"{operator} differs from the plain form by {worst}")
    return worst


def step(
    forward: Callable[..., Tensor], model: CoNHD, h: Hypergraph, y: Tensor
) -> Callable[[], Any]:
    """Return a function that runs forward and backward."""
    x, pe = inputs(h)

    def run() -> None:
        model.zero_grad()
        F.cross_entropy(forward(h, x, pe), y).backward()

    return run


def speed(operator: str, h: Hypergraph, y: Tensor, repeat: int) -> dict[str, Any]:
    """Time both forms in turn on the whole hypergraph; measure peaks."""
    model = build(3, operator=operator)
    ours = step(model, model, h, y)
    plain = step(lambda *a: conhd_plain.forward(model, *a), model, h, y)
    lean = build(3, operator=operator, recompute=True)
    peaks = {
        "ours, recompute": peak(step(lean, lean, h, y)),
        "ours": peak(ours),
        "plain": peak(plain),
    }
    times: dict[str, list[Timing]] = {"ours": [], "plain": []}
    for _ in range(repeat):
        times["ours"].append(measure(ours, repeat=1, warmup=0))
        times["plain"].append(measure(plain, repeat=1, warmup=0))
    found: dict[str, Any] = {name: joined(runs).as_dict() for name, runs in times.items()}
    found["ratio_cpu"] = round(found["plain"]["cpu_median_s"] / found["ours"]["cpu_median_s"], 2)
    found["peak_bytes"] = peaks
    found["floor"] = floor(operator, h)
    found["recompute"] = measure(step(lean, lean, h, y), repeat=1, warmup=0).as_dict()
    return found


def floor(operator: str, h: Hypergraph) -> dict[str, float]:
    """Return what the matrix products of our form take alone, and the rates of both products."""
    n, nodes, groups = h.num_incidences, h.num_nodes, h.num_nodes + h.num_hyperedges
    square, points = DIM * DIM, 4
    # Rows, then groups, of one block: what reads the rows, what follows.
    entry = 2 * square + (0 if operator == "unb" else points * 4 * DIM)
    after = 0 if operator == "unb" else square
    per_group = square if operator == "unb" else 3 * points * square
    macs = 2 * (nodes + (LAYERS - 1) * n) * entry  # first blocks; of layer one on nodes
    macs += LAYERS * (2 * n * (entry + 2 * after) + 2 * groups * per_group)
    macs += LAYERS * (2 * n + nodes) * square + (LAYERS - 1) * n * square  # updates
    a, b, out = torch.randn(n, DIM), torch.randn(DIM, DIM), torch.empty(n, DIM)
    rate = 2 * n * square / min(measure(lambda: torch.mm(a, b, out=out), repeat=7).cpu)
    ours = 2 * n * square / min(measure(lambda: product_forward([(a, b)], None), repeat=7).cpu)
    flop = 6 * macs  # forward, and two products of that size backward
    return {
        "product_gflop": flop / 1e9,
        "torch_gflop_per_s": rate / 1e9,
        "own_gflop_per_s": ours / 1e9,
        "products_at_that_rate_s": flop / rate,
    }


def peak(run: Callable[[], Any]) -> int:
    """Return the bytes that a run adds, once the heap has given back what it holds unused."""
    ctypes.CDLL(None).malloc_trim(0)
    return peak_rss(run)


def joined(runs: list[Timing]) -> Timing:
    """Return the runs of several timings as one."""
    return Timing(
        tuple(t for run in runs for t in run.wall), tuple(t for run in runs for t in run.cpu)
    )


def epochs(operator: str, h: Hypergraph, y: Tensor, train: np.ndarray) -> dict[str, Any]:
    """Time one epoch with published dropouts: one whole step, and batches of 64 from a sample."""
    options = {"operator": operator, "dropout": 0.7, "input_dropout": 0.7}
    model = build(3, **options).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, eps=1e-4, weight_decay=1e-4)
    x, pe = inputs(h)
    loader = IncidenceNeighborLoader(h, train, LAYERS, batch_size=64, fan_hyperedges=40)

    def batches() -> None:
        for k, batch in enumerate(loader):
            if k == SAMPLED_BATCHES:
                break
            optimizer.zero_grad()
            F.cross_entropy(model(batch, x, pe), y[torch.from_numpy(batch.targets)]).backward()
            optimizer.step()

    def whole() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(h, x, pe), y).backward()
        optimizer.step()

    sample = measure(batches, repeat=1, warmup=1)
    return {
        "whole_step": measure(whole, repeat=1, warmup=0).as_dict(),
        "batches_of_64": len(loader),
        "batches_of_64_cpu_s": round(sample.cpu_median * len(loader) / SAMPLED_BATCHES, 1),
    }


def scaling() -> dict[str, Any]:
    """Time forward and backward over 10^4 to 10^6 incidences, UNB, 32 columns, one layer.

    Rows stand hyperedge by hyperedge, as files have them, but for the last figure.
    """
    rng = np.random.default_rng(3)
    found = {}
    for n, shuffled in ((10_000, False), (100_000, False), (1_000_000, False), (1_000_000, True)):
        edges = rng.integers(0, n // 3, n)
        edges = edges if shuffled else np.sort(edges)
        h = Hypergraph(rng.integers(0, n // 4, n), edges, n // 4, n // 3)
        y = torch.from_numpy(rng.integers(0, 3, n))
        model = build(3, dim=32, layers=1, operator="unb")
        time = measure(step(model, model, h, y), repeat=1 if shuffled else 3, warmup=1)
        name = f"{n}{' shuffled' if shuffled else ''}"
        found[name] = {**time.as_dict(), "cpu_us_per_incidence": 1e6 * time.cpu_median / n}
    return found


def large(folder: Any) -> dict[str, Any]:
    """Train one step on DBLP with recomputing: time and peak."""
    data = read_enc(folder)
    h, y = data.hypergraph, torch.from_numpy(data.y)
    model = build(3, operator="unb", recompute=True, dropout=0.7, input_dropout=0.7)
    run = step(model, model, h, y)
    most = peak(run)
    return {**measure(run, repeat=1, warmup=0).as_dict(), "peak_bytes": most}


def main() -> None:
    """Check, time, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--parts", default="unb,isab,scaling,DBLP", help="others stay as they are")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    graphsparse.set_num_threads(arguments.threads)
    old = RESULTS / "conhd.json"
    figures: dict[str, Any] = json.loads(old.read_text()) if old.exists() else {}
    figures |= {"threads": arguments.threads, "dim": DIM, "layers": LAYERS}
    figures["largest_difference"] = {name: check(name) for name in ("unb", "isab")}
    parts = arguments.parts.split(",")
    folder = data_folder() / "hypergraph"
    data = read_enc(folder / "StackOverflowBiology")
    h, y = data.hypergraph, torch.from_numpy(data.y)
    for operator in [part for part in parts if part in ("unb", "isab")]:
        figures[operator] = speed(operator, h, y, arguments.repeat)
        figures[operator]["epoch"] = epochs(operator, h, y, np.flatnonzero(data.part == 0))
    if "scaling" in parts:
        figures["scaling_unb_32"] = scaling()
    if "DBLP" in parts:
        figures["DBLP_unb_recompute"] = large(folder / "DBLP")
    shared = ("benchmark", "date", "commit", "command", "machine")
    write_result("conhd", {key: value for key, value in figures.items() if key not in shared})


if __name__ == "__main__":
    main()
