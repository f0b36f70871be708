"""TEDDY against NumPy, torch and NetworKit, its scaling and its memory.

``python benchmarks/teddy.py`` takes about five minutes; ``--pairs 500000`` is a short run.  All
contenders run on one thread in this process; ratios are of medians of the same run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
from harness import measure, write_result

import graphsparse
from graphsparse import Graph, teddy
from graphsparse.backend import native
from graphsparse.datasets.synthetic import power_law
from graphsparse.operators.teddy import TeddyMethod

KEEP = 0.5


def score_and_select(graph: Graph) -> np.ndarray:
    """The operator between two CSR graphs: mask of kept pairs."""
    method = TeddyMethod()
    return method.choose(graph, graph, budget(graph), lambda phase: None).mask


def budget(graph: Graph) -> int:
    return graph.num_edges - int((1 - KEEP) * graph.num_edges + 1e-6)


def numpy_form(adjacency, rows: np.ndarray, cols: np.ndarray, count: int) -> np.ndarray:
    """The same in SciPy and NumPy: one CSR @ vector, two gathers, argpartition over pairs."""
    degree = np.diff(adjacency.indptr).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.nan_to_num((adjacency @ np.nan_to_num(degree**-0.5, posinf=0.0)) / degree**2)
    score = t[rows] * t[cols]
    mask = np.zeros(len(rows), bool)
    mask[np.argpartition(score, len(score) - count)[len(score) - count :]] = True
    return mask


def torch_form(edge_index, num_nodes: int, count: int):
    """The usual GNN form: scatter sums over directed entries and one top-k over all of them."""
    import torch

    row, col = edge_index
    one = torch.ones(row.numel())
    degree = torch.zeros(num_nodes).scatter_add_(0, row, one)
    inverse = degree.pow(-0.5)
    inverse[torch.isinf(inverse)] = 0
    mean = torch.zeros(num_nodes).scatter_add_(0, row, inverse[col]) / degree.clamp(min=1)
    node = mean / degree.clamp(min=1)
    score = node[row] * node[col]
    kept = torch.topk(score, count, sorted=False).indices
    mask = torch.zeros(row.numel(), dtype=torch.bool)
    mask[kept] = True
    return mask


def check(graph: Graph) -> None:
    """The mask is the exact one up to float rounding of the NumPy form at the cut."""
    ours = score_and_select(graph)
    rows, cols = graph.edges()
    theirs = numpy_form(graph.to_scipy(), rows, cols, budget(graph))
    assert ours.sum() == theirs.sum() == budget(graph)
    differ = ours != theirs
    scores = graphsparse.teddy_scores(graph)
    cut = scores[ours].min()
    assert np.allclose(scores[differ], cut, rtol=1e-9), "masks differ away from the cut"


def contenders(graph: Graph) -> dict:
    """Medians of each form on one thread."""
    import networkit as nk
    import torch

    torch.set_num_threads(1)
    nk.setNumberOfThreads(1)
    graphsparse.set_num_threads(1)
    adjacency, (rows, cols) = graph.to_scipy(), graph.edges()
    edge_index = torch.from_numpy(
        np.stack((graph.arc_rows().astype(np.int64), graph.indices.astype(np.int64)))
    )
    count = budget(graph)
    out = {
        "copy_arcs": measure(lambda: graph.indices.copy(), repeat=9),
        "score_and_select": measure(lambda: score_and_select(graph), repeat=9),
        "teddy_graph_to_graph": measure(lambda: teddy(graph, keep=KEEP), repeat=5),
        "numpy": measure(lambda: numpy_form(adjacency, rows, cols, count), repeat=5),
        "torch": measure(lambda: torch_form(edge_index, graph.num_nodes, 2 * count), repeat=3),
    }
    theirs = nk.Graph(graph.num_nodes)
    theirs = nk.GraphFromCoo(
        (np.ones(graph.num_edges), (rows.astype(np.uint64), cols.astype(np.uint64))),
        n=graph.num_nodes,
    )
    theirs.indexEdges()
    sparsifier = nk.sparsification.LocalDegreeSparsifier()
    out["networkit_local_degree"] = measure(
        lambda: sparsifier.getSparsifiedGraphOfSize(theirs, KEEP), repeat=1, warmup=0
    )
    graphsparse.set_num_threads(2)
    out["score_and_select_2_threads"] = measure(lambda: score_and_select(graph), repeat=9)
    graphsparse.set_num_threads(1)
    return out


def peak_of_a_fresh_process(nodes: int, pairs: int) -> int:
    """Bytes beyond the graph; measured where no earlier run has left memory to reuse."""
    code = (
        "import ctypes, teddy, harness; graph = teddy.power_law({}, {}, seed=271); "
        "teddy.score_and_select(teddy.power_law(1000, 20000, seed=3)); "
        "ctypes.CDLL(None).malloc_trim(0); "
        "print(harness.peak_rss(lambda: teddy.score_and_select(graph)))"
    )
    command = [sys.executable, "-c", code.format(nodes, pairs)]
    here = Path(__file__).parent
    done = subprocess.run(command, cwd=here, check=True, capture_output=True, text=True)
    return int(done.stdout)


def scaling(largest: int) -> list[dict]:
    """Seconds for 10^5 pairs up to ``largest``; mean degree 20 throughout."""
    rows = []
    for pairs in (100_000, 500_000, 1_000_000, 5_000_000, 10_000_000, 50_000_000):
        if pairs > largest:
            break
        graph = power_law(pairs // 10, pairs, seed=271)
        time = measure(lambda graph=graph: score_and_select(graph), repeat=5)
        rows.append({"pairs": graph.num_edges, "median_s": time.median, "cpu_s": time.cpu_median})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5_000_000)
    parser.add_argument("--nodes", type=int, default=500_000)
    parser.add_argument("--largest", type=int, default=50_000_000)
    options = parser.parse_args()
    graph = power_law(options.nodes, options.pairs, seed=271)
    check(graph)
    times = contenders(graph)
    ours = times["score_and_select"].median
    ratio = {name: round(time.median / ours, 2) for name, time in times.items()}
    end_to_end = times["networkit_local_degree"].median / times["teddy_graph_to_graph"].median
    scratch = peak_of_a_fresh_process(options.nodes, options.pairs)
    per_pair = (scratch - 24 * graph.num_nodes) / graph.num_edges
    rows = scaling(options.largest)
    slope = None
    if len(rows) > 1:
        logs = np.log([[row["pairs"], row["median_s"]] for row in rows])
        slope = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
    write_result(
        "teddy",
        {
            "graph": repr(graph),
            "max_degree": int(graph.degree.max()),
            "threads": native.resolve_threads(1),
            "times": {name: time.as_dict() for name, time in times.items()},
            "times_over_ours": ratio,
            "copies_of_the_arc_array": round(ours / times["copy_arcs"].median, 2),
            "networkit_over_teddy_end_to_end": round(end_to_end, 1),
            "two_threads_speedup": round(ours / times["score_and_select_2_threads"].median, 2),
            "peak_bytes": scratch,
            "peak_bytes_per_pair_beside_24_per_node": round(per_pair, 2),
            "scaling": rows,
            "slope_of_log_time": slope,
        },
    )


if __name__ == "__main__":
    main()
