"""What the GPU benchmarks share: CUDA events, the measured copy bandwidth, data, emulation.

``--emulate`` runs a benchmark at toy size against the stand-in of tests/cuda, to see that its
code works where there is no GPU; its figures mean nothing and are not written.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import write_result

from graphsparse import Graph

EMULATED = "--emulate" in sys.argv
if EMULATED:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "cuda"))
    import fake_cupy

    sys.modules["cupy"] = fake_cupy

from graphsparse.launch import cupy  # noqa: E402


def scaled(full: int, toy: int) -> int:
    """Return a size: the real one, or a toy one in emulation."""
    return toy if EMULATED else full


def milliseconds(run: Callable[[], Any], *, repeat: int = 9, warmup: int = 2) -> float:
    """Return the median time of ``run`` between two CUDA events, in milliseconds."""
    module = cupy()
    for _ in range(warmup):
        run()
    times = []
    for _ in range(3 if EMULATED else repeat):
        if EMULATED:
            start = time.perf_counter()
            run()
            times.append(1e3 * (time.perf_counter() - start))
            continue
        begin, end = module.cuda.Event(), module.cuda.Event()
        begin.record()
        run()
        end.record()
        end.synchronize()
        times.append(float(module.cuda.get_elapsed_time(begin, end)))
    return statistics.median(times)


def copy_bandwidth() -> float:
    """Return bytes per second that a copy on the device moves, reads and writes together."""
    size = scaled(1 << 30, 1 << 12)
    source = cupy().zeros(size // 8, np.float64)
    return 2 * size / (1e-3 * milliseconds(lambda: source.copy()))


def device_name() -> str:
    """Return the name of the GPU."""
    return str(cupy().cuda.runtime.getDeviceProperties(0)["name"].decode())


def peak_bytes() -> int:
    """Return the most device memory that CuPy's pool has held so far."""
    return 0 if EMULATED else int(cupy().get_default_memory_pool().total_bytes())


def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return wall-clock seconds of one run, the device's work included, and its result."""
    module = cupy()
    if not EMULATED:
        module.cuda.get_current_stream().synchronize()
    start = time.perf_counter()
    result = run()
    if not EMULATED:
        module.cuda.get_current_stream().synchronize()
    return time.perf_counter() - start, result


def save(name: str, figures: dict[str, Any]) -> None:
    """Write ``results/gpu-NAME.json``; in emulation only print that the code has run."""
    if EMULATED:
        print(f"gpu-{name}: ran in emulation; no figures")
        return
    figures = {"gpu": device_name(), "peak_device_bytes": peak_bytes(), **figures}
    write_result(f"gpu-{name}", figures)


def triangulated(side: int) -> Graph:
    """Return a grid of ``side * side`` nodes with one diagonal in every square, unit weights."""
    node = np.arange(side * side).reshape(side, side)
    pairs = [(node[:-1], node[1:]), (node[:, :-1], node[:, 1:]), (node[:-1, :-1], node[1:, 1:])]
    u, v = (np.concatenate([pair[k].ravel() for pair in pairs]) for k in (0, 1))
    return Graph.from_edges((u, v), num_nodes=side * side)


def local_edges(graph: Graph, count: int, hops: int = 10, seed: int = 1) -> Any:
    """Return new edges (count, 2) whose far end is a random walk of ``hops`` steps away."""
    rng = np.random.default_rng(seed)
    u = rng.integers(0, graph.num_nodes, 3 * count)
    v = u.copy()
    for _ in range(hops):
        begin, degree = graph.indptr[v], graph.indptr[v + 1] - graph.indptr[v]
        v = graph.indices[begin + (rng.random(len(v)) * degree).astype(np.int64)].astype(np.int64)
    low, high = np.minimum(u, v), np.maximum(u, v)
    codes = np.unique((low * graph.num_nodes + high)[low < high])
    a, b = graph.edges()
    known = a.astype(np.int64) * graph.num_nodes + b
    fresh = codes[~np.isin(codes, known, assume_unique=True)]
    chosen = np.sort(rng.permutation(fresh)[:count])
    return np.stack([chosen // graph.num_nodes, chosen % graph.num_nodes], 1)


def skewed_graph(num_nodes: int, num_pairs: int) -> Graph:
    """Return a random undirected graph made on the device: ends skewed as ``x ** 2``."""
    from graphsparse import device

    module = cupy()
    items = module.arange(num_pairs).astype(np.uint64)
    bits = [device.draw_a(17, items, step, 64, 0) for step in range(2)]
    share = [(b >> np.uint64(11)).astype(np.float64) * 2.0**-53 for b in bits]
    u = (share[0] * num_nodes).astype(np.int64)
    v = (share[1] * share[1] * num_nodes).astype(np.int64)
    arcs = module.concatenate((u * num_nodes + v, v * num_nodes + u))
    arcs = module.unique(arcs[module.concatenate((u != v, u != v))])
    rows, cols = arcs // num_nodes, (arcs % num_nodes).astype(np.int32)
    indptr = module.searchsorted(rows, module.arange(num_nodes + 1)).astype(np.int64)
    return Graph._trusted(indptr, cols, None, False)
