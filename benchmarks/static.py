"""The static family against NetworKit, `compare` on astro-ph and the report of a large pair.

    python benchmarks/static.py               everything
    python benchmarks/static.py --part speed|compare|report

Speed: a skewed random graph of about 10^6 edges, one thread, keep 20 %, from CSR to the sparse
graph; NetworKit's end-to-end time starts from its own graph object, so building that is not
counted against it.  Seconds are CPU seconds, medians of three.  Checked first: triangles and
Jaccard indices against NetworKit's.  Then our kernels with two threads.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from harness import measure, peak_rss, write_result
from shared_graphs import shared_graph

import graphsparse as gs
from graphsparse import Graph, sparsify
from graphsparse.operators.similarity import edge_triangles
from graphsparse.quality import compare, quality_report

KEEP = 0.2
COMPARED = ["local_degree", "spanner", "spanning_forests", "k_neighbors", "local_similarity",
            "teddy", "forest_fire"]  # fmt: skip


def skewed(scale: int, edges: int, seed: int) -> Graph:
    """Return an R-MAT graph with probabilities .57 .19 .19 .05, without loops and repeats."""
    rng = np.random.default_rng(seed)
    ends = np.zeros((edges, 2), np.int64)
    for _ in range(scale):
        quarter = np.searchsorted([0.57, 0.76, 0.95], rng.random(edges), side="right")
        ends = 2 * ends + np.stack([quarter // 2, quarter % 2], axis=1)
    graph = Graph.from_edges(ends, num_nodes=2**scale).coalesce().without_self_loops()
    return Graph(graph.indptr, graph.indices)


def networkit_methods(graph: Any) -> dict[str, Callable[[], Any]]:
    """Return NetworKit's counterparts, from its graph to a sparse one of 20 % of the edges."""
    import networkit as nk

    s = nk.sparsification

    def run(sparsifier: Any) -> Callable[[], Any]:
        return lambda: sparsifier.getSparsifiedGraphOfSize(graph, KEEP)

    return {
        "jaccard": run(s.JaccardSimilaritySparsifier()),
        "scan": run(s.SCANSparsifier()),
        "local_degree": run(s.LocalDegreeSparsifier()),
        "local_similarity": run(s.LocalSimilaritySparsifier()),
        "random": run(s.RandomEdgeSparsifier()),
        "random_node_edges": run(s.RandomNodeEdgeSparsifier()),
        "forest_fire": run(s.ForestFireSparsifier(0.6, 5.0)),
        "simmelian": run(s.SimmelianSparsifierNonParametric()),
    }


def speed(only: list[str]) -> dict[str, Any]:
    """Time the methods, all unless some are named, and NetworKit's where it has one."""
    import networkit as nk

    graph = skewed(17, 1_100_000, 1)
    nk.setNumberOfThreads(1)
    gs.set_num_threads(1)
    u, v = graph.edges()
    other = nk.GraphFromCoo((u.astype(np.uint64), v.astype(np.uint64)), n=graph.num_nodes)
    other.indexEdges()
    theirs = np.array(nk.sparsification.TriangleEdgeScore(other).run().scores())
    ids = np.array([other.edgeId(a, b) for a, b in zip(u[:2000], v[:2000], strict=True)])
    assert (edge_triangles(graph)[:2000] == theirs[ids]).all()
    rivals = networkit_methods(other)
    out: dict[str, Any] = {
        "nodes": graph.num_nodes, "edges": graph.num_edges, "keep": KEEP,
        "max_degree": int(graph.degree.max()), "methods": {},
    }  # fmt: skip
    from graphsparse.operators.sparsify import METHODS

    for name in only or METHODS:
        if name in ("er", "grass", "noise_corrected", "disparity", "heaviest"):
            continue  # spectral ones have pages of their own, and weights are missing here
        row: dict[str, Any] = {}
        ours = measure(lambda name=name: sparsify(graph, name, KEEP), repeat=3)
        row["one_thread"] = ours.as_dict()
        row["peak_bytes"] = peak_rss(lambda name=name: sparsify(graph, name, KEEP))
        if name in rivals:
            theirs_time = measure(rivals[name], repeat=3, warmup=0)
            row["networkit"] = theirs_time.as_dict()
            row["networkit_over_ours"] = round(theirs_time.cpu_median / ours.cpu_median, 2)
        gs.set_num_threads(2)
        two = measure(lambda name=name: sparsify(graph, name, KEEP), repeat=3)
        gs.set_num_threads(1)
        row["two_threads"] = two.as_dict()
        row["speedup_two_threads"] = round(ours.median / two.median, 2)
        out["methods"][name] = row
        print(name, row, flush=True)
    kernel = {}
    for threads in (1, 2):
        gs.set_num_threads(threads)
        kernel[threads] = measure(lambda: edge_triangles(graph), repeat=5)
        out[f"triangles_{threads}"] = kernel[threads].as_dict()
    out["triangles_speedup"] = round(kernel[1].median / kernel[2].median, 2)
    gs.set_num_threads(0)
    return out


def table() -> dict[str, Any]:
    """Time `compare` on astro-ph: eight methods (random among them) and five budgets."""
    graph = shared_graph("astro-ph")
    start, cpu = time.perf_counter(), time.process_time()
    found = compare(graph, COMPARED, [0.1, 0.2, 0.35, 0.5, 0.7])
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(found.to_markdown())
    figures = dict.fromkeys(e.figure for e in found.entries)
    return {
        "graph": "astro-ph", "nodes": graph.num_nodes, "edges": graph.num_edges,
        "methods": len(COMPARED) + 1, "budgets": 5, "seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "table": [list(row) for row in found.table()],
        "pareto": {figure: found.pareto(figure) for figure in figures},
    }  # fmt: skip


def large_report() -> dict[str, Any]:
    """Time the default report of a pair with a million edges, half of them kept."""
    graph = skewed(17, 1_100_000, 1)
    sparse = sparsify(graph, "local_degree", 0.5).graph
    start, cpu = time.perf_counter(), time.process_time()
    report = quality_report(graph, sparse)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(report.to_text())
    return {"edges": graph.num_edges, "seconds": round(wall, 1), "cpu_seconds": round(cpu, 1),
            "report": report.to_dict()}  # fmt: skip


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("speed", "compare", "report"))
    parser.add_argument("--methods", default="", help="of the part speed, apart by commas")
    given = parser.parse_args()
    part, only = given.part, given.methods.split(",") if given.methods else []
    if part in (None, "speed"):
        write_result("static_some" if only else "static", speed(only))
    if part in (None, "compare"):
        write_result("static_compare", table())
    if part in (None, "report"):
        write_result("static_report", large_report())


if __name__ == "__main__":
    main()
