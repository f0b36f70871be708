"""Tree sparsifiers: kappa against spanning trees of SciPy and NetworKit, time, linearity.

    python benchmarks/grass.py                          # about five minutes, 12 GB
    python benchmarks/grass.py --largest 1100000

All sparsifiers of a row have the same number of edges.  The peers are a maximum spanning tree (of
SciPy, of NetworKit) and uniformly random other edges, which is what a user would put together.
One thread.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse.csgraph
from harness import measure, write_result
from shared_graphs import shared_graph

import graphsparse
from graphsparse import Graph, condition_number, grass
from graphsparse.datasets.synthetic import delaunay_mesh, grid
from graphsparse.linalg.components import component_labels

ALPHA = 0.1
SEED = 5
SHARED = ("airfoil1", "crack", "fe_4elt2", "fe_sphere", "cti", "t60k", "wing", "power")
SHARED += ("PGPgiantcompo", "USAir97", "facebook_combined", "astro-ph")
SIZES = (10_000, 100_000, 1_050_000, 3_400_000)


def scipy_tree(graph: Graph) -> np.ndarray:
    """Mask of the edges of SciPy's maximum spanning forest."""
    adjacency = graph.to_scipy().copy()
    adjacency.data = 1.0 + adjacency.data.max() - adjacency.data  # its weights must not be zero
    tree = scipy.sparse.csgraph.minimum_spanning_tree(adjacency).tocoo()
    return edge_mask(graph, tree.row, tree.col)


def networkit_tree(graph: Graph) -> np.ndarray:
    """Mask of the edges of NetworKit's random maximum spanning forest."""
    import networkit as nk

    nk.setSeed(SEED, False)
    u, v = graph.edges()
    w = np.ones(len(u)) if graph.weights is None else graph.edge_weights()
    ends = (u.astype(np.uint64), v.astype(np.uint64))
    theirs = nk.GraphFromCoo((w, ends), n=graph.num_nodes, weighted=True)
    theirs.indexEdges()
    forest = nk.graph.RandomMaximumSpanningForest(theirs)
    forest.run()
    pairs = np.array(list(forest.getMSF(move=True).iterEdges()), np.int64)
    return edge_mask(graph, pairs[:, 0], pairs[:, 1])


def edge_mask(graph: Graph, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    n = np.int64(graph.num_nodes)
    low, high = np.minimum(u, v).astype(np.int64), np.maximum(u, v).astype(np.int64)
    all_u, all_v = graph.edges()
    return np.isin(all_u * n + all_v, low * n + high)


def with_random(graph: Graph, tree: np.ndarray, count: int) -> Graph:
    """Add random edges to a forest until there are ``count``."""
    rest = np.flatnonzero(~tree)
    chosen = tree.copy()
    extra = count - int(tree.sum())
    chosen[np.random.default_rng(SEED).choice(rest, extra, replace=False)] = True
    return graph.edge_subgraph(chosen)


def quality(name: str, graph: Graph) -> dict[str, Any]:
    """Return kappa of every way to keep the edges of one graph."""
    graph = graph.coalesce().without_self_loops()
    ours = grass(graph, alpha=ALPHA)
    count = ours.num_edges
    forest = graph.num_nodes - component_labels(graph)[0]
    ways: dict[str, Callable[[], Graph]] = {
        "grass": lambda: ours,
        'grass, tree="max_weight"': lambda: grass(graph, num_edges=count, tree="max_weight"),
        "grass, refine=1": lambda: grass(graph, num_edges=count, refine=1),
        "grass, refine=4": lambda: grass(graph, num_edges=count, refine=4),
        "NetworKit tree + random": lambda: with_random(graph, networkit_tree(graph), count),
        "SciPy tree + random": lambda: with_random(graph, scipy_tree(graph), count),
    }
    row: dict[str, Any] = {"graph": name, "nodes": graph.num_nodes, "edges": graph.num_edges}
    row |= {"kept": count, "tree_edges": forest}
    for way, make in ways.items():
        sparse = make()
        assert sparse.num_edges == count, (way, sparse.num_edges, count)
        row[way] = float(f"{condition_number(graph, sparse).kappa:.4g}")
    print(row, flush=True)
    return row


def scaling(largest: int) -> list[dict[str, Any]]:
    """Seconds for Delaunay meshes up to 10^7 edges."""
    rows = []
    for n in (size for size in SIZES if size <= largest):
        graph = delaunay_mesh(n, seed=1)[0]
        time = measure(lambda graph=graph: grass(graph, alpha=ALPHA), repeat=5 if n < 2e6 else 3)
        rows.append({"nodes": n, "edges": graph.num_edges, **time.as_dict()})
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Run everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="nodes of the largest mesh")
    options = parser.parse_args()
    graphsparse.set_num_threads(1)
    graphs = {"Delaunay, n = 100,000": delaunay_mesh(100_000, seed=1)[0], "grid": grid(316, 316)}
    graphs |= {f"Delaunay, seed {s}": delaunay_mesh(100_000, seed=s)[0] for s in range(2, 6)}
    table = [quality(name, graph) for name, graph in graphs.items()]
    table += [quality(name, shared_graph(name)) for name in SHARED]
    rows = scaling(options.largest)
    logs = np.log([[row["edges"], row["cpu_median_s"]] for row in rows])
    slope = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0]) if len(rows) > 1 else None
    write_result("grass", {"kappa": table, "scaling": rows, "slope_of_log_cpu_time": slope})


if __name__ == "__main__":
    main()
