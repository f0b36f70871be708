"""ADPA's cost: propagation of a large digraph against SciPy, epochs at m, 4 m and 16 m arcs.

    python benchmarks/adpa.py [--nodes 2000000 --arcs 20000000]

Propagation: 64 features, two hops, six patterns, written for 20,000 labelled nodes (what a training
run needs); SciPy does the same products, two in sequence for patterns of two steps, on a column
block of the same width, and is scaled up from one hop of it.  Checked first: both agree on a
smaller graph.  Epochs: mini-batches of 1,024 rows, the same nodes, three numbers of arcs.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch
from harness import measure, peak_rss, write_result

import graphsparse as gs
from graphsparse import Graph
from graphsparse.models import ADPA
from graphsparse.models.adpa_features import PATTERNS, Propagation, beta, propagate
from graphsparse.models.adpa_operators import FACTORS, Operators
from graphsparse.training import NodeData, adam, set_seed, train

WIDTH, HOPS, ROWS = 64, 2, 20_000


def random_digraph(n: int, m: int, seed: int) -> Graph:
    """Return about ``m`` distinct arcs between random nodes."""
    arcs = np.random.default_rng(seed).integers(0, n, (2, m))
    graph = Graph.from_edges((arcs[0], arcs[1]), num_nodes=n, directed=True)
    return graph.coalesce().without_self_loops()


def scipy_hop(pattern: str, a: Any, turned: Any, x: np.ndarray) -> np.ndarray:
    """Return one hop of a pattern, normalised with r = 0.5, by SciPy."""
    factors = [a if f == "+" else turned for f in FACTORS[pattern]]
    ones = np.ones(len(x), np.float32)
    rows, cols = ones, ones
    for f in reversed(factors):
        rows = f @ rows
    for f in factors:
        cols = f.T @ cols
    if len(factors) == 1:
        rows, cols = rows + 1, cols + 1

    def root(s: np.ndarray) -> np.ndarray:
        scale = np.divide(1.0, np.sqrt(s), out=np.zeros_like(s), where=s > 0)
        return scale[:, None].astype(np.float32)

    h = x * (np.float32(beta(1)) * root(cols))
    y = h
    for f in reversed(factors):
        y = f @ y
    return (y + h if len(factors) == 1 else y) * root(rows)


def check() -> None:
    """Compare one hop of every pattern."""
    graph = random_digraph(20_000, 200_000, 1)
    x = np.random.default_rng(2).random((graph.num_nodes, 8), dtype=np.float32)
    ours = propagate(graph, x, Propagation(1))
    a = graph.to_scipy().astype(np.float32)
    turned = a.T.tocsr()
    for d, name in enumerate(PATTERNS):
        assert np.allclose(ours[:, 1 + d], scipy_hop(name, a, turned, x), rtol=1e-4, atol=1e-5)


def precompute(n: int, m: int) -> dict[str, Any]:
    """Time the propagation of a large digraph, and one hop of each pattern against SciPy."""
    graph = random_digraph(n, m, 3)
    x = np.random.default_rng(4).random((n, WIDTH), dtype=np.float32)
    rows = np.sort(np.random.default_rng(5).choice(n, ROWS, replace=False))
    options = Propagation(HOPS)
    took: list[float] = []

    def work() -> None:
        start = time.perf_counter(), time.process_time()
        propagate(graph, x, options, rows=rows, columns=WIDTH)
        took.extend([time.perf_counter() - start[0], time.process_time() - start[1]])

    peak = peak_rss(work)
    block = x
    a = graph.to_scipy().astype(np.float32)
    turned = a.T.tocsr()
    operators = Operators(graph)
    hops: dict[str, Any] = {}
    for name in ("A", "AAT"):
        steps = [a if f == "+" else turned for f in FACTORS[name]]

        def theirs(steps: list[Any] = steps) -> None:
            y = block
            for f in reversed(steps):
                y = f @ y

        spare, kept = np.empty_like(block), block.copy()  # the products overwrite what they get
        ours = measure(lambda p=name, a=kept, b=spare: operators.apply(p, a, b), repeat=3)
        scipy_time = measure(theirs, repeat=1, warmup=0)
        hops[name] = {
            "ours": ours.as_dict(),
            "scipy": scipy_time.as_dict(),
            "ratio": round(scipy_time.median / ours.median, 2),
            "ratio_of_cpu_time": round(scipy_time.cpu_median / ours.cpu_median, 2),
        }
    return {
        "nodes": n,
        "arcs": graph.num_arcs,
        "features": WIDTH,
        "column_block": WIDTH,
        "hops": HOPS,
        "rows_kept": ROWS,
        "seconds": round(took[0], 2),
        "cpu_seconds": round(took[1], 2),
        "peak_bytes_beside_input": peak,
        "input_bytes": graph.nbytes + x.nbytes,
        "products": hops,
    }


def epochs(n: int = 20_000) -> list[dict[str, Any]]:
    """Time epochs of mini-batches on graphs of one size and more and more arcs."""
    rng = np.random.default_rng(6)
    x = torch.from_numpy(rng.random((n, WIDTH), dtype=np.float32))
    y = torch.from_numpy(rng.integers(0, 10, n))
    ids = torch.from_numpy(rng.permutation(n))
    figures = []
    for factor in (1, 4, 16):
        graph = random_digraph(n, 100_000 * factor, 7)
        data = NodeData(graph, x, y, ids[: n // 2], ids[n // 2 :][:1000], ids[-1000:], 10)
        set_seed(1)
        model = ADPA(WIDTH, 64, 10)
        features = model.precompute(graph, x)

        def run(data: NodeData = data, model: ADPA = model, f: torch.Tensor = features) -> None:
            train(
                model, data, epochs=3, optimizer=adam(model), features=f, batch_size=1024,
                keep_weights=False,
            )  # fmt: skip

        time_of = measure(run, repeat=3)
        figures.append(
            {
                "arcs": graph.num_arcs,
                "ms_per_epoch": round(1000 * time_of.median / 3, 1),
                "cpu_ms_per_epoch": round(1000 * time_of.cpu_median / 3, 1),
            }
        )
    return figures


def main() -> None:
    """Run all parts and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=2_000_000)
    parser.add_argument("--arcs", type=int, default=20_000_000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    gs.set_num_threads(1)
    check()
    figures = {"epochs": epochs(), "precompute": precompute(args.nodes, args.arcs)}
    write_result("adpa", figures)


if __name__ == "__main__":
    main()
