"""Every sparsifier on every shared graph: what it keeps of each figure, and how fast it is.

    python benchmarks/static_page.py run --folder runs/static_page --edges 150000
    python benchmarks/static_page.py table --folder runs/static_page

``run`` goes from the smallest graph to the largest.  For each arm it sparsifies to 70, 50, 30 and
10 % of the edges (scored once, seed 0) and measures the default figures, on small graphs also
``spectral``, ``community`` and, where there are labels, the linear probe (``SLOW``).  Then it
times the way from CSR to the sparse graph at 50 %, one thread, CPU seconds, and NetworKit's right
after it where it has the method, from its own graph.  Each arm of a graph is a JSON file and each
figure a line in the graph's cache, so a stopped run goes on where it was.

``table`` writes docs/results/static.md and benchmarks/results/static_page.json.  The data come
from $GRAPHSPARSE_TEST_DATA or ../shared/data.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import static_tables
from harness import measure
from static_graphs import Subject, index, listed_size, names, subject

import graphsparse as gs
from graphsparse import Graph, sparsify
from graphsparse.operators.sparsify import METHODS
from graphsparse.quality import compare
from graphsparse.quality.report import DEFAULT
from graphsparse.training.checkpoint import write_atomic

KEEPS = (0.7, 0.5, 0.3, 0.1)
TIMED = 0.5
SLOW = {
    "spectral": 20_000,
    "community": 3_500,
    "probe": 10_000,
}  # edges up to which they are measured
# Arm -> method and options.
ARMS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in sorted(METHODS)},
    "teddy top1": ("teddy", {"protect": "top1"}),
    "jaccard connected": ("jaccard", {"connected": True}),
}
WEIGHTED = ("disparity", "heaviest", "noise_corrected")  # say nothing without weights
_PATIENCE = 2.0  # CPU seconds from which one timing has to do


def run(args: argparse.Namespace) -> None:
    """Measure what is missing until it is done or the time is up."""
    gs.set_num_threads(1)
    end = time.monotonic() + 60 * args.minutes
    for name in names(args.edges)[0]:
        folder = Path(args.folder) / name
        if all((folder / f"{arm}.json").exists() for arm in ARMS if arm not in WEIGHTED):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        found = subject(name)
        missing = [arm for arm in arms(found) if not (folder / f"{arm}.json").exists()]
        rivals = networkit_methods(found.graph)
        gc.freeze()  # what timings collect is then little
        for arm in missing:
            if time.monotonic() > end:
                return
            start = time.perf_counter()
            row = measured(found, arm, folder / "figures.jsonl")
            if row["entries"]:
                row |= timed(found, arm, rivals.get(arm))
            write_atomic(folder / f"{arm}.json", json.dumps(row).encode())
            seconds = time.perf_counter() - start
            print(f"{datetime.datetime.now():%H:%M:%S} {name:24} {arm:18} {seconds:.1f} s",
                  flush=True)  # fmt: skip


def arms(found: Subject) -> list[str]:
    """Return the arms that have something to say about a graph."""
    return [arm for arm in ARMS if arm not in WEIGHTED or found.graph.weights is not None]


def figures_of(found: Subject) -> list[str]:
    """Return the figures that are measured on a graph."""
    slow = [name for name, most in SLOW.items() if found.graph.num_edges <= most]
    return [*DEFAULT, *(name for name in slow if name != "probe" or found.probe)]


def measured(found: Subject, arm: str, cache: Path) -> dict[str, Any]:
    """Return the figures of one arm on one graph; random edges are found in the cache."""
    method, options = ARMS[arm]
    table = compare(
        found.graph, {} if method == "random" else {method: options}, KEEPS,
        figures_of(found), cache=cache, directed=False, **found.probe,
    )  # fmt: skip
    fields = ("keep", "figure", "num_edges", "value", "error", "note")
    entries = [{f: getattr(e, f) for f in fields} for e in table.entries if e.method == method]
    return {
        "graph": found.name, "arm": arm, "method": method, "options": options,
        "nodes": found.graph.num_nodes, "edges": found.graph.num_edges,
        "weighted": found.graph.weights is not None, "entries": entries,
    }  # fmt: skip


def timed(found: Subject, arm: str, rival: Callable[[], Any] | None) -> dict[str, Any]:
    """Return CPU seconds from CSR to the sparse graph, NetworKit's and its number of edges."""
    method, options = ARMS[arm]

    def ours() -> Any:
        return sparsify(found.graph, method, TIMED, **options)

    try:
        out: dict[str, Any] = {"seconds": _seconds(ours)}
    except ValueError as error:
        return {"seconds": None, "untimed": str(error)}
    if rival is not None:
        out |= {"networkit_seconds": _seconds(rival), "networkit_edges": rival().numberOfEdges(),
                "kept": ours().num_kept}  # fmt: skip
    return out


def _seconds(run: Callable[[], Any]) -> float:
    start = time.process_time()
    run()
    first = time.process_time() - start
    return first if first > _PATIENCE else measure(run, repeat=3, warmup=0).cpu_median


def networkit_methods(graph: Graph) -> dict[str, Callable[[], Any]]:
    """Return NetworKit's counterparts, from its graph to a sparse one of half the edges."""
    import networkit as nk

    nk.setNumberOfThreads(1)
    u, v = (ends.astype(np.uint64) for ends in graph.edges())
    weights = graph.edge_weights()
    rows = (u, v) if weights is None else (weights.astype(np.float64), (u, v))
    other = nk.GraphFromCoo(rows, n=graph.num_nodes, weighted=weights is not None)
    other.indexEdges()
    s = nk.sparsification
    makers = {
        "forest_fire": lambda: s.ForestFireSparsifier(0.6, 5.0),
        "jaccard": s.JaccardSimilaritySparsifier,
        "local_degree": s.LocalDegreeSparsifier,
        "local_similarity": s.LocalSimilaritySparsifier,
        "random": s.RandomEdgeSparsifier,
        "random_node_edges": s.RandomNodeEdgeSparsifier,
        "scan": s.SCANSparsifier,
        "simmelian": s.SimmelianSparsifierNonParametric,
    }

    def of(make: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: make().getSparsifiedGraphOfSize(other, TIMED)

    return {name: of(make) for name, make in makers.items()}


def table(args: argparse.Namespace) -> None:
    """Write the page and the result file."""
    rows = [json.loads(path.read_text()) for path in sorted(Path(args.folder).glob("*/*.json"))]
    limit = max(listed_size(index()[row["graph"]]) for row in rows)
    static_tables.write(rows, names(limit)[1] | unfinished(rows, limit), list(ARMS))


def unfinished(rows: list[dict[str, Any]], limit: int) -> dict[str, str]:
    """Return the graphs up to the largest one that lack arms."""
    lacking = {}
    for name in names(limit)[0]:
        here = [row for row in rows if row["graph"] == name]
        weighted = any(row["weighted"] for row in here)
        wanted = len(ARMS) - (0 if weighted else len(WEIGHTED))
        if len(here) < wanted:
            lacking[name] = "not finished" if here else "not run"
    return lacking


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, action in (("run", run), ("table", table)):
        command = commands.add_parser(name)
        command.add_argument("--folder", default="runs/static_page")
        command.set_defaults(action=action)
        if name == "run":
            command.add_argument("--edges", type=int, default=10**6, help="largest graph")
            command.add_argument("--minutes", type=float, default=60.0)
    args = parser.parse_args()
    args.action(args)


if __name__ == "__main__":
    main()
