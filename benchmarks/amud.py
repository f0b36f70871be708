"""AMUD's counting against SciPy: path statistics of 10 M arcs, support statistics against A @ A.

    python benchmarks/amud.py

Path statistics need two passes that gather a label per arc (out-lists and in-lists); the counts per
node that the jackknife takes add two that scatter and two that gather: six.  The unit is SciPy's
CSR @ vector on the same matrix, one pass.  Checked first: the sums against explicit products of
vectors (float64, exact here), support counts against A @ A.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from harness import measure, peak_rss, write_result

import graphsparse as gs
from graphsparse import AmudTracker, Graph
from graphsparse.backend import native
from graphsparse.patterns.counts import (
    Arcs,
    ClassCodes,
    path_counts,
    path_totals,
    support_counts,
)

CLASSES = 40
PASSES = {"totals": 2, "per_node": 6}


def random_digraph(n: int, m: int, seed: int, *, skew: bool = False) -> Graph:
    """Return about ``m`` distinct arcs; skewed, ends are drawn with probability ~ rank^-0.5."""
    rng = np.random.default_rng(seed)
    ends = rng.random((m, 2))
    ends = ends**2 if skew else ends
    arcs = (ends * n).astype(np.int64)
    if skew:
        arcs[:, 1] = (arcs[:, 1] * 7919 + 13) % n  # hubs of out- and in-degree differ
    graph = Graph.from_edges((arcs[:, 0], arcs[:, 1]), num_nodes=n, directed=True)
    return graph.coalesce().without_self_loops()


def check_paths(arcs: Arcs, labels: ClassCodes, sums: dict[str, int]) -> None:
    """Compare with sums over classes of products of vectors."""
    a = arcs.out.to_scipy()
    names = {"bf": 0.0, "bb": 0.0, "ff": 0.0}
    same = dict(names)
    everyone = (labels.codes != labels.classes).astype(np.float64)
    f, b = a @ everyone, a.T @ everyone
    names = {"bf": b @ f, "bb": b @ b, "ff": f @ f}
    for c in range(labels.classes):
        members = (labels.codes == c).astype(np.float64)
        f, b = a @ members, a.T @ members
        same["bf"] += b @ f
        same["bb"] += b @ b
        same["ff"] += f @ f
    for key, value in names.items():
        assert sums[key] == value, key
        assert sums[f"same_{key}"] == same[key], key


def paths() -> dict[str, Any]:
    """Time the path statistics of 10 M arcs with one and two threads."""
    graph = random_digraph(1_000_000, 10_000_000, 3)
    classes = np.random.default_rng(4).integers(-1, CLASSES, graph.num_nodes)
    arcs, labels = Arcs.of(graph), ClassCodes.of(classes, CLASSES)
    check_paths(arcs, labels, path_totals(arcs, labels))
    matrix, x = graph.to_scipy(), np.ones(graph.num_nodes)
    figures: dict[str, Any] = {
        "nodes": graph.num_nodes,
        "arcs": graph.num_arcs,
        "classes": CLASSES,
        "passes": PASSES,
    }
    gs.set_num_threads(1)
    unit = measure(lambda: matrix @ x)
    figures["scipy_matvec"] = unit.as_dict()
    for name, work in (
        ("totals", lambda: path_totals(arcs, labels)),
        ("per_node", lambda: path_counts(arcs, labels)),
    ):
        gs.set_num_threads(1)
        one = measure(work)
        again = measure(lambda: matrix @ x)
        gs.set_num_threads(2)
        two = measure(work)
        figures[name] = {
            "one_thread": one.as_dict(),
            "two_threads": two.as_dict(),
            "matvecs_per_pass": round(one.median / PASSES[name] / again.median, 2),
            "speedup_two_threads": round(one.median / two.median, 2),
            "cpu_of_two_threads_over_one": round(two.cpu_median / one.cpu_median, 2),
        }
    return figures


def support(name: str, graph: Graph) -> dict[str, Any]:
    """Time the support statistics of AA against SciPy's product.

    Once what the product gives (pairs and matches of each row), once with what the library takes
    beside it: the pairs that end in each node, and those that return.
    """
    classes = np.random.default_rng(5).integers(0, CLASSES, graph.num_nodes)
    arcs, labels = Arcs.of(graph), ClassCodes.of(classes, CLASSES)
    matrix = graph.to_scipy().astype(np.int32)
    product = matrix @ matrix
    off = product.nnz - int((product.diagonal() > 0).sum())
    counts = support_counts(arcs, labels)
    assert counts["AA"].pairs == off
    del product
    figures: dict[str, Any] = {
        "graph": name,
        "nodes": graph.num_nodes,
        "arcs": graph.num_arcs,
        "wedges": arcs.wedges(),
        "pairs": off,
        "scipy_product_peak_bytes": peak_rss(lambda: matrix @ matrix),
    }
    for what, ends in (("rows", False), ("rows_and_ends", True)):
        for threads in (1, 2):
            theirs = measure(lambda: matrix @ matrix, repeat=3)
            ours = measure(lambda t=threads, e=ends: walk(arcs, labels, 0, e, t), repeat=3)
            figures[f"{what}_{threads}_threads"] = {
                "ours": ours.as_dict(),
                "scipy_product": theirs.as_dict(),
                "ratio": round(theirs.median / ours.median, 2),
                "ratio_of_cpu_time": round(theirs.cpu_median / ours.cpu_median, 2),
            }
    return figures


def walk(arcs: Arcs, labels: ClassCodes, pattern: int, ends: bool, threads: int) -> Any:
    """Count the support of a pattern from every row."""
    rows = np.arange(arcs.num_nodes, dtype=np.int32)
    codes = labels.codes.astype(np.uint32)
    return native.amud_support(*arcs.lists(), codes, labels.classes, rows, pattern, ends, threads)


def memory() -> dict[str, Any]:
    """Measure what the walk needs beside the graph, on a graph large enough to see it."""
    graph = random_digraph(6_000_000, 6_000_000, 10)
    arcs = Arcs.of(graph)
    labels = ClassCodes.of(np.zeros(graph.num_nodes, np.int64), 1)
    rows = np.arange(arcs.num_nodes, dtype=np.int32)
    codes = labels.codes.astype(np.uint32)
    figures: dict[str, Any] = {"nodes": graph.num_nodes}
    for threads in (1, 2):
        peak = peak_rss(
            lambda t=threads: native.amud_support(*arcs.lists(), codes, 1, rows, 1, False, t)
        )
        figures[f"bytes_per_node_{threads}_threads"] = round(peak / graph.num_nodes, 1)
    return figures


def tracker() -> dict[str, Any]:
    """Time updates of graphs of growing size: the cost of one must not grow with the graph."""
    figures = []
    for m in (10_000, 100_000, 1_000_000):
        n = m // 10
        rng = np.random.default_rng(6)
        follow = AmudTracker(random_digraph(n, m, 7), rng.integers(0, CLASSES, n))
        fresh = rng.integers(0, n, (20_000, 2))

        def there_and_back(follow: AmudTracker = follow, fresh: np.ndarray = fresh) -> None:
            follow.update(inserts=fresh)
            follow.update(deletes=fresh)

        time = measure(there_and_back)
        figures.append({"arcs": m, "ns_per_update": round(1e9 * time.median / 40_000)})
    return {"updates": figures}


def main() -> None:
    """Run all parts and write the result."""
    figures = {"paths": paths()}
    figures["support"] = [
        support("uniform", random_digraph(200_000, 2_000_000, 8)),
        support("dense", random_digraph(20_000, 1_000_000, 11)),
        support("skewed", random_digraph(200_000, 1_000_000, 9, skew=True)),
    ]
    figures["support_memory"] = memory()
    figures["tracker"] = tracker()
    write_result("amud", figures)


if __name__ == "__main__":
    main()
