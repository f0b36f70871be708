"""dyGRASS on the GPU: steps per second, and a stream of local insertions with its transfers.

    python benchmarks/gpu_walks.py [--emulate]

n = 10^6 (triangulated grid, tree sparsifier with 10 % off-tree edges), 256,000 new edges whose far
end is a walk of 10 steps away, in one batch.  The CPU's decisions are compared first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gpu_bench import EMULATED, cupy, local_edges, save, scaled, seconds, triangulated

from graphsparse import DynamicSparsifier, Graph, grass, set_num_threads
from graphsparse.streaming import device_walks

_KERNEL_SECONDS: list[float] = []


def timed_launch(*arguments: Any, **options: Any) -> None:
    """Start a kernel between two events; the time is added up once the walks are back."""
    if EMULATED:
        return launch(*arguments, **options)
    cuda = cupy().cuda
    begin, end = cuda.Event(), cuda.Event()
    begin.record()
    launch(*arguments, **options)
    end.record()
    end.synchronize()
    _KERNEL_SECONDS.append(1e-3 * float(cuda.get_elapsed_time(begin, end)))


launch = device_walks.launch


def same(a: Any, b: Any) -> bool:
    """Tell whether two reports hold the same decisions."""
    return a.tests.tobytes() == b.tests.tobytes()


def stream_of(graph: Graph, start: Graph, device: str, **options: Any) -> DynamicSparsifier:
    """Return a stream with a fixed threshold."""
    return DynamicSparsifier(graph, start, K=10, seed=5, device=device, **options)  # type: ignore[arg-type]


def insertions(graph: Graph, start: Graph, edges: Any) -> dict[str, Any]:
    """Time one batch of local insertions on both sides."""
    set_num_threads(2)
    on_cpu = stream_of(graph, start, "cpu")
    cpu_seconds, want = seconds(lambda: on_cpu.update(inserts=edges))
    set_num_threads(0)
    stream_of(graph, start, "cuda").update(inserts=edges[:64])  # compiles
    times = []
    for _ in range(1 if EMULATED else 3):
        stream = stream_of(graph, start, "cuda")
        stream.update(inserts=edges[:1])  # the first copy of the lists
        before = vars(stream.transfers).copy()
        fresh = edges[1:]
        elapsed, report = seconds(lambda s=stream, e=fresh: s.update(inserts=e))
        times.append((elapsed, report.search_seconds, report))
    again = stream_of(graph, start, "cuda").update(inserts=edges)
    assert same(again, want), "the GPU decides otherwise than the CPU"
    elapsed, search, report = sorted(times, key=lambda t: t[0])[len(times) // 2]
    after = vars(stream.transfers)
    return {
        "insertions": len(edges),
        "gpu_s": round(elapsed, 4),
        "gpu_walks_and_transfers_s": round(search, 4),
        "cpu_2_threads_s": round(cpu_seconds, 4),
        "cpu_walks_2_threads_s": round(want.search_seconds, 4),
        "speedup_of_the_batch": round(cpu_seconds / elapsed, 2),
        "speedup_of_the_walks": round(want.search_seconds / max(search, 1e-9), 2),
        "accepted": report.accepted,
        "transfers": {name: after[name] - before[name] for name in after},
    }


def walking(graph: Graph, start: Graph, count: int) -> dict[str, Any]:
    """Count steps of long walks: ends far apart, no threshold, no early end."""
    rng = np.random.default_rng(3)
    edges = np.sort(rng.integers(0, graph.num_nodes, (count, 2)), axis=1)
    options = {"space": "full", "walkers": 512, "recheck": False, "sub_batch": count}
    device_walks.launch = timed_launch  # type: ignore[attr-defined]
    stream_of(graph, graph, "cuda", **options).update(inserts=edges[:64])
    _KERNEL_SECONDS.clear()
    stream = DynamicSparsifier(graph, graph, K=1e300, seed=5, device="cuda", **options)
    report = stream.update(inserts=edges)
    device_walks.launch = launch  # type: ignore[attr-defined]
    few = edges[: max(count // 50, 8)]
    set_num_threads(2)
    on_cpu = DynamicSparsifier(graph, graph, K=1e300, seed=5, **options).update(inserts=few)
    set_num_threads(0)
    kernel = sum(_KERNEL_SECONDS) or report.search_seconds
    rate, cpu_rate = report.steps / kernel, on_cpu.steps / on_cpu.search_seconds
    return {
        "steps": report.steps,
        "kernel_s": round(kernel, 5),
        "steps_per_s": round(rate),
        "cpu_2_threads_steps_per_s": round(cpu_rate),
        "speedup": round(rate / cpu_rate, 2),
        "bytes_per_s": round(32 * rate),  # one node record and one entry a step
    }


def main() -> None:
    """Check, time, write."""
    graph = triangulated(scaled(1000, 12))
    start = grass(graph, alpha=0.1, seed=1)
    edges = local_edges(graph, scaled(256_000, 60))
    figures = {
        "nodes": graph.num_nodes,
        "edges": graph.num_edges,
        "sparsifier_edges": start.num_edges,
        "local_stream": insertions(graph, start, edges),
        "long_walks": walking(graph, start, scaled(20_000, 10)),
    }
    save("walks", figures)


if __name__ == "__main__":
    main()
