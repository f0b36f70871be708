"""How close a sparsifier stays to a graph that changes: ours, as published, rebuilt, random.

    python benchmarks/dygrass_quality.py run            # about ten minutes; goes on where it was
    python benchmarks/dygrass_quality.py table

The stream: new edges worth 24 % of the nodes whose far end is a 10-step random walk away, in 10
batches, then deletions of sparsifier edges worth 1 % of the nodes, in 10 batches.  Every method
starts from the same graph.  "rebuilt" and "random" have the edges of the default mode at that
point: ``grass`` from scratch after every batch, and a random spanning forest with random others.
"published" takes the published numbers of insertions and starts of the published density.

``run`` writes benchmarks/results/dygrass_quality/NAME.json, ``table`` docs/results/dygrass.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from harness import RESULTS, ROOT, commit, machine
from shared_graphs import shared_graph

from graphsparse import DynamicSparsifier, EdgeBatch, Graph, condition_number, grass, random_edges
from graphsparse.datasets.synthetic import delaunay_mesh, local_stream

GRAPHS = (
    "airfoil1",
    "crack",
    "fe_4elt2",
    "fe_sphere",
    "cti",
    "delaunay_n15",
    "t60k",
    "wing",
    "delaunay_2^18",
    "power",
    "PGPgiantcompo",
    "memplus",
    "facebook_combined",
    "astro-ph",
)
BATCHES = 10  # of insertions, and again of deletions
SEED = 3
PUBLISHED_K = {"fe_4elt2": 33.0, "fe_sphere": 40.0, "delaunay_2^18": 35.0}
USUAL_K = 35.0
# E_H / V at the start, insertions, E_H / V and kappa after them, as published.
PUBLISHED = {"fe_4elt2": (1.0991, 3359, 1.1282, 104.6), "fe_sphere": (1.1052, 4063, 1.1282, 145.2)}
AGAINST: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "defaults": ({}, {}),
    "max_weight tree, K = 14": ({"tree": "max_weight"}, {"K": 14}),
    "max_weight tree, refine=4, K = 14": ({"tree": "max_weight", "refine": 4}, {"K": 14}),
}
# E_H / V at the start and insertions of the mesh of 2^18 points.
LARGE = (1.105, 63_884, 2_621)
FOLDER = RESULTS / "dygrass_quality"


def load(name: str) -> Graph:
    return delaunay_mesh(2**18, seed=1)[0] if name == "delaunay_2^18" else shared_graph(name)


def batches(stream: dict[str, np.ndarray], graph: Graph) -> Iterator[EdgeBatch]:
    """Yield the updates; a weighted graph gets weights that it has already."""
    w = stream["w"].astype(np.float64)
    if graph.weights is not None:
        w = np.random.default_rng(SEED).choice(graph.edge_weights(), len(w))
    for number in range(2 * BATCHES):
        part = stream["batch"] == number
        yield EdgeBatch(stream["op"][part], stream["u"][part], stream["v"][part], w[part])


def look(graph: Graph, sparsifier: Graph) -> dict[str, float | None]:
    """Return density and condition number; None where a Laplacian is singular in double."""
    density = round(sparsifier.num_edges / graph.num_nodes, 4)
    try:
        kappa = float(f"{condition_number(graph, sparsifier).kappa:.5g}")
    except ValueError as error:
        if "singular" not in str(error):
            raise
        kappa = None
    return {"density": density, "kappa": kappa}


def follow(
    graph: Graph, start: Graph, stream: dict[str, np.ndarray], **options: Any
) -> tuple[dict[str, Any], list[tuple[Graph, int]]]:
    """Run the stream; return its figures, and the graph and the edges of H after every batch."""
    sparsifier = DynamicSparsifier(graph, start, **options)
    points, seconds, history = [look(graph, start)], [0.0, 0.0], []
    accepted = tested = 0
    for number, batch in enumerate(batches(stream, graph)):
        report = sparsifier.update(batch)
        seconds[number >= BATCHES] += report.seconds
        accepted, tested = accepted + report.accepted, tested + len(report.tests)
        history.append((sparsifier.graph(), sparsifier.num_sparsifier_edges))
        if number + 1 in (BATCHES, 2 * BATCHES):
            points.append(look(history[-1][0], sparsifier.sparsifier()))
    return {
        "K": sparsifier.K,
        "points": points,
        "accepted": round(accepted / max(tested, 1), 4),
        "seconds": [round(s, 4) for s in seconds],
    }, history


def rebuilt(history: list[tuple[Graph, int]]) -> dict[str, Any]:
    """Sparsify from scratch after every batch, with as many edges as the default mode has."""
    points, seconds = [], 0.0
    for number, (graph, edges) in enumerate(history, 1):
        start = time.perf_counter()
        sparsifier = grass(graph, num_edges=edges)
        seconds += time.perf_counter() - start
        if number in (BATCHES, 2 * BATCHES):
            points.append(look(graph, sparsifier))
    return {"points": points, "seconds": round(seconds, 3)}


def at_random(graph: Graph, edges: int) -> dict[str, float | None]:
    return look(graph, random_edges(graph, num_edges=edges, connected=True, seed=SEED))


def one_graph(name: str) -> dict[str, Any]:
    """Return every figure of one graph."""
    graph = load(name)
    n = graph.num_nodes
    density, inserts, deletes = None, round(0.24 * n), round(0.01 * n)
    if name == "delaunay_2^18":
        density, inserts, deletes = LARGE
    options: dict[str, Any] = {"num_edges": round(density * n)} if density else {"alpha": 0.1}
    start = grass(graph, **options)
    stream = local_stream(graph, inserts, deletes, sparsifier=start, seed=SEED)
    ours, history = follow(graph, start, stream)
    states = [(graph, start.num_edges), history[BATCHES - 1], history[-1]]
    figures: dict[str, Any] = {
        "nodes": n,
        "edges": graph.num_edges,
        "insertions": inserts,
        "deletions": deletes,
        "default": ours,
        "paper": follow(graph, start, stream, K=PUBLISHED_K.get(name, USUAL_K), preset="paper")[0],
        "no update": look(states[1][0], start),
        "rebuilt": rebuilt(history),
        "random": [at_random(*state) for state in states],
    }
    better = grass(graph, num_edges=start.num_edges, refine=4, tree="max_weight")
    again = local_stream(graph, inserts, deletes, sparsifier=better, seed=SEED)
    figures["refined start"] = follow(graph, better, again, K=ours["K"])[0]
    if name in PUBLISHED:
        figures["published"] = against_published(name, graph)
    return figures


def against_published(name: str, graph: Graph) -> dict[str, Any]:
    """Follow a stream of the published length from a start of the published density."""
    density, inserts, *_ = PUBLISHED[name]
    n, out = graph.num_nodes, {}
    for label, (options, rules) in AGAINST.items():
        start = grass(graph, num_edges=round(density * n), **options)
        stream = local_stream(graph, inserts, round(0.01 * n), sparsifier=start, seed=SEED)
        out[label] = follow(graph, start, stream, **rules)[0]
    return out


def run(args: argparse.Namespace) -> None:
    """Run what is missing."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in args.graphs:
        path = FOLDER / f"{name.replace('^', '')}.json"
        if path.exists():
            continue
        start = time.perf_counter()
        record = {"graph": name, "commit": commit(), "machine": machine(), **one_graph(name)}
        record["seconds"] = round(time.perf_counter() - start, 1)
        path.write_text(json.dumps(record, indent=1) + "\n")
        print(f"{name}: {record['seconds']} s", flush=True)


HEAD = """# Quality on a changing graph

Made by `python benchmarks/dygrass_quality.py table` from the runs of
`python benchmarks/dygrass_quality.py run`; all figures are in
`benchmarks/results/dygrass_quality/`.

Each cell is edges of the sparsifier per node, then kappa of graph and sparsifier: at the start,
after insertions worth 24 % of the nodes (far end 10 random steps away), and after deletions of
sparsifier edges worth 1 % of the nodes. One seed. *default*: `DynamicSparsifier(graph,
grass(graph, alpha=0.1))`. *paper*: `preset="paper"`, K as published, else 35. *refined start*:
the same K from `grass(graph, refine=4, tree="max_weight")`. *rebuilt*: `grass` from scratch after
every batch, with the edge count of default. *random*: a random spanning forest and random other
edges, the same count. *no update*: the start against the graph after the insertions. A question
mark: the Laplacian is singular in double precision (memplus has weights from 3e-24 to 0.3).
"""


def cell(point: dict[str, float | None]) -> str:
    kappa = point["kappa"]
    if kappa is None:
        return f"{point['density']:.3f} / ?"
    shown = f"{kappa:.1f}" if kappa < 1000 else f"{kappa:,.0f}" if kappa < 1e7 else f"{kappa:.1e}"
    return f"{point['density']:.3f} / {shown}"


def rows(record: dict[str, Any]) -> Iterator[tuple[str, list[str], str, str]]:
    """Yield mode, its three points, the part of the insertions accepted, seconds."""
    for mode in ("default", "refined start", "paper"):
        found = record[mode]
        seconds = sum(found["seconds"])
        yield (
            f"{mode}, K = {found['K']:.3g}",
            [cell(point) for point in found["points"]],
            f"{100 * found['accepted']:.1f} %",
            f"{seconds:.3f}",
        )
    again = record["rebuilt"]
    yield "rebuilt", ["", *map(cell, again["points"])], "", f"{again['seconds']:.2f}"
    yield "random", [cell(point) for point in record["random"]], "", ""
    yield "no update", ["", cell(record["no update"]), ""], "", ""


def table(args: argparse.Namespace) -> None:
    """Write the Markdown page of the runs that exist."""
    text = [HEAD]
    found = {}
    for name in args.graphs:
        path = FOLDER / f"{name.replace('^', '')}.json"
        if path.exists():
            found[name] = json.loads(path.read_text())
    for name, record in found.items():
        text.append(
            f"\n## {name}\n\n{record['nodes']:,} nodes, {record['edges']:,} edges, "
            f"{record['insertions']:,} insertions, {record['deletions']:,} deletions\n\n"
            "| mode | start | after insertions | after deletions | accepted | seconds |\n"
            "|---|---:|---:|---:|---:|---:|\n"
        )
        for mode, points, accepted, seconds in rows(record):
            text.append(f"| {mode} | {' | '.join(points)} | {accepted} | {seconds} |\n")
    text.append(published_table(found))
    target = ROOT / "docs" / "results" / "dygrass.md"
    target.write_text("".join(text))
    print("".join(text))


def published_table(found: dict[str, Any]) -> str:
    lines = [
        "\n## Against the published figures\n\n"
        "After insertions of the published number into a start of the published density, on the "
        "same graphs; the published streams themselves are not to be had.\n\n"
        f"| graph | start | published | {' | '.join(AGAINST)} |\n"
        f"|---|---:|---:|{'---:|' * len(AGAINST)}\n"
    ]
    for name, (density, _, after, kappa) in PUBLISHED.items():
        if name in found:
            ours = [cell(found[name]["published"][way]["points"][1]) for way in AGAINST]
            lines.append(f"| {name} | {density} | {after:.3f} / {kappa} | {' | '.join(ours)} |\n")
    return "".join(lines)


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("run", "table"))
    parser.add_argument("--graphs", type=lambda s: s.split(","), default=list(GRAPHS))
    args = parser.parse_args()
    {"run": run, "table": table}[args.command](args)


if __name__ == "__main__":
    main()
