"""Condition numbers: seconds by size and engine, and how far the engines agree.

    python benchmarks/condition_number.py               # about two minutes, 4 GB

Delaunay meshes and a grid with their tree sparsifiers.  The check comes first: on graphs of up
to 3,000 nodes the engines must agree with dense eigenvalues to 1e-6.  One thread.
"""

from __future__ import annotations

import argparse
from typing import Any

from harness import measure, write_result
from shared_graphs import shared_graph

import graphsparse
from graphsparse import Graph, condition_number, grass, random_edges
from graphsparse.datasets.synthetic import delaunay_mesh, grid

TOL = 1e-6
SMALL = ("add20", "data", "minnesota", "USAir97", "jazz", "delaunay_n10")
SIZES = (100_000, 262_144, 1_050_000)


def agreement(graph: Graph, sparse: Graph, engines: tuple[str, ...]) -> float:
    """Return the largest relative difference of kappa between engines."""
    values = [condition_number(graph, sparse, method=engine).kappa for engine in engines]
    return max(values) / min(values) - 1


def check() -> dict[str, float]:
    """Compare all three engines on small graphs."""
    worst = {}
    for name in SMALL:
        graph = shared_graph(name)
        for way, sparse in {
            "grass": grass(graph, alpha=0.1),
            "random": random_edges(graph, 0.85, connected=True),
        }.items():
            found = agreement(graph, sparse, ("dense", "factor", "iterative"))
            assert found <= TOL, f"{name}, {way}: engines differ by {found:.1e}"
            worst[f"{name}, {way}"] = float(f"{found:.1e}")
    return worst


def timed(name: str, graph: Graph, repeat: int) -> dict[str, Any]:
    """Return the seconds of the engine that "auto" takes, beside the iterative one."""
    sparse = grass(graph, alpha=0.1)
    number = condition_number(graph, sparse)
    row: dict[str, Any] = {
        "graph": name,
        "nodes": graph.num_nodes,
        "edges": graph.num_edges,
        "kappa": number.kappa,
        "engine": number.method,
        "residual": number.residual,
        "auto": measure(lambda: condition_number(graph, sparse), repeat=repeat).as_dict(),
        "iterative": measure(
            lambda: condition_number(graph, sparse, method="iterative"), repeat=1, warmup=0
        ).as_dict(),
        "engines_differ_by": float(f"{agreement(graph, sparse, ('factor', 'iterative')):.1e}"),
    }
    print(row, flush=True)
    return row


def main() -> None:
    """Run everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="nodes of the largest mesh")
    options = parser.parse_args()
    graphsparse.set_num_threads(1)
    figures: dict[str, Any] = {"small_graphs_differ_by": check()}
    rows = [timed("grid", grid(316, 316), 5)]
    for n in (size for size in SIZES if size <= options.largest):
        rows.append(timed("Delaunay", delaunay_mesh(n, seed=1)[0], 5 if n < 10**6 else 3))
    write_result("condition_number", {**figures, "times": rows})


if __name__ == "__main__":
    main()
