"""Updates per second of DynamicSparsifier: modes, threads, size of the graph, against rebuilding.

    python benchmarks/dygrass.py                       # about six minutes, 8 GB
    python benchmarks/dygrass.py --sections speed      # meshes of 2^18 points only

Delaunay meshes of uniform points in random order, start from ``grass(alpha=0.105)``, insertions
whose far end is a 10-step random walk away, deletions of sparsifier edges.  Every run starts from
the same saved state.  One thread unless said otherwise.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from harness import RESULTS, commit, measure, write_result

import graphsparse
from graphsparse import DynamicSparsifier, EdgeBatch, Graph, grass
from graphsparse.datasets.synthetic import delaunay_mesh, local_stream

ALPHA = 0.105
SEED = 3
SECTIONS = ("speed", "flat", "rebuild")


def insertions(graph: Graph, count: int) -> EdgeBatch:
    stream = local_stream(graph, count, 0, seed=SEED)
    return EdgeBatch(stream["op"], stream["u"], stream["v"], stream["w"])


def pieces(batch: EdgeBatch, size: int) -> list[EdgeBatch]:
    """Cut a batch into API calls."""
    cuts = [slice(i, i + size) for i in range(0, len(batch), size)]
    return [EdgeBatch(batch.op[c], batch.u[c], batch.v[c], batch.w[c]) for c in cuts]


def check(graph: Graph, start: Graph) -> None:
    """One and two threads agree, the invariants hold, a saved stream goes on the same."""
    batch = insertions(graph, 2000)
    finals = []
    for threads in (1, 2):
        graphsparse.set_num_threads(threads)
        stream = DynamicSparsifier(graph, start)
        again = DynamicSparsifier.from_state(stream.state())
        for one in (stream, again):
            one.update(batch)
            assert one._store.check() == "", one._store.check()
            finals.append(one.sparsifier())
    assert all(final == finals[0] for final in finals[1:]), "threads or states disagree"
    graphsparse.set_num_threads(1)


def replay(
    state: dict[str, Any], batches: Sequence[EdgeBatch], repeat: int = 5
) -> dict[str, float]:
    """Median seconds of all batches from one state, and what the updates did."""
    wall, cpu, reports = [], [], []
    for _ in range(repeat):
        stream = DynamicSparsifier.from_state(state)
        gc.collect()
        start, start_cpu = time.perf_counter(), time.process_time()
        reports = [stream.update(batch) for batch in batches]
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    updates = sum(len(batch) for batch in batches)
    return {
        "updates": updates,
        "median_s": statistics.median(wall),
        "cpu_median_s": statistics.median(cpu),
        "per_second": round(updates / statistics.median(wall)),
        "per_cpu_second": round(updates / statistics.median(cpu)),
        "accepted": sum(report.accepted for report in reports),
        "steps": sum(report.steps for report in reports),
        "search_s": sum(report.search_seconds for report in reports),
    }


def speed() -> dict[str, Any]:
    """Insertions in both modes, deletions, walk steps, and the second thread."""
    graph = delaunay_mesh(2**18, seed=1)[0]
    start = grass(graph, alpha=ALPHA)
    new = pieces(insertions(graph, 63_884), 6389)
    gone = local_stream(graph, 0, 26_214, sparsifier=start, seed=SEED)
    old = pieces(EdgeBatch(gone["op"], gone["u"], gone["v"], gone["w"]), 2622)
    out: dict[str, Any] = {"nodes": graph.num_nodes, "edges": graph.num_edges}
    default = DynamicSparsifier(graph, start).state()
    paper = DynamicSparsifier(graph, start, K=35, preset="paper").state()
    runs = {
        "insert, default": (default, new),
        "insert, paper": (paper, new),
        "delete, exact": (default, old),
        "delete, walk (paper)": (paper, old),
    }
    for name, (state, batches) in runs.items():
        graphsparse.set_num_threads(1)
        one = replay(state, batches)
        graphsparse.set_num_threads(2)
        two = replay(state, batches)
        graphsparse.set_num_threads(1)
        out[name] = {
            **one,
            "million_steps_per_second": round(one["steps"] / one["search_s"] / 1e6, 1),
            "two_threads": round(one["median_s"] / two["median_s"], 2),
            "two_threads_in_searches": round(one["search_s"] / two["search_s"], 2),
        }
        print(name, out[name], flush=True)
    return out


def flat(sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Microseconds per insertion and deletion while the graph grows."""
    rows = []
    for n in sizes:
        graph = delaunay_mesh(n, seed=1)[0]
        start = grass(graph, alpha=ALPHA)
        count = min(n // 5, 50_000)
        gone = local_stream(graph, 0, min(n // 20, 20_000), sparsifier=start, seed=SEED)
        old = EdgeBatch(gone["op"], gone["u"], gone["v"], gone["w"])
        state = DynamicSparsifier(graph, start, K=10).state()
        put = replay(state, pieces(insertions(graph, count), count // 10), 3)
        drop = replay(state, pieces(old, len(old) // 10), 3)
        row = {
            "nodes": n,
            "insert_us": round(1e6 * put["cpu_median_s"] / put["updates"], 2),
            "delete_us": round(1e6 * drop["cpu_median_s"] / drop["updates"], 2),
            "steps_per_insert": round(put["steps"] / put["updates"], 1),
            "accepted": round(put["accepted"] / put["updates"], 4),
        }
        rows.append(row)
        print(row, flush=True)
    return rows


def rebuild(n: int) -> dict[str, Any]:
    """One batch of 100 updates against sparsifying the graph anew."""
    graph = delaunay_mesh(n, seed=1)[0]
    start = grass(graph, alpha=ALPHA)
    batches = pieces(insertions(graph, 100 * 50), 100)
    stream = DynamicSparsifier(graph, start)
    seconds = []
    for batch in batches:
        begin = time.perf_counter()
        stream.update(batch)
        seconds.append(time.perf_counter() - begin)
    now = stream.graph()
    anew = measure(lambda: grass(now, alpha=ALPHA), repeat=3, warmup=0)
    update = statistics.median(seconds)
    return {
        "nodes": n,
        "updates_per_batch": 100,
        "batch_median_s": round(update, 6),
        "batch_max_s": round(max(seconds), 6),
        "grass": anew.as_dict(),
        "rebuild_over_update": round(anew.median / update),
    }


def main() -> None:
    """Run the sections asked for; the others keep their figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", type=lambda s: s.split(","), default=list(SECTIONS))
    sizes = [10_000, 100_000, 1_000_000, 4_000_000]
    parser.add_argument("--sizes", type=lambda s: [int(x) for x in s.split(",")], default=sizes)
    options = parser.parse_args()
    graphsparse.set_num_threads(1)
    graph = delaunay_mesh(10_000, seed=2)[0]
    check(graph, grass(graph, alpha=ALPHA))
    run: dict[str, Callable[[], Any]] = {
        "speed": speed,
        "flat": lambda: flat(options.sizes),
        "rebuild": lambda: rebuild(1_000_000),
    }
    path = RESULTS / "dygrass.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    figures = {name: found[name] for name in SECTIONS if name in found}
    for name in options.sections:
        figures[name] = {"commit": commit(), "figures": run[name]()}
    write_result("dygrass", {name: figures[name] for name in SECTIONS if name in figures})


if __name__ == "__main__":
    main()
