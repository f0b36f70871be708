"""Follow a stream of edge updates; plot kappa and density of the sparsifier after each batch.

    python examples/stream_updates.py --out stream.png

Needs no network and no torch; the extra ``viz`` draws the picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from matplotlib.figure import Figure

from graphsparse import DynamicSparsifier, EdgeBatch, condition_number, grass, load_dataset

BLUE, GREY, INK = "#2663a6", "#9aa1ac", "#20242c"


def follow(dynamic: DynamicSparsifier) -> list[dict[str, float]]:
    """Apply the bundled stream; return the figures of every batch, the start first."""
    stream, start = load_dataset("stream").arrays, dynamic.sparsifier()
    rows = [{"kappa": dynamic.kappa().kappa, "untouched": dynamic.kappa().kappa}]
    rows[0] |= {"edges_per_node": start.num_edges / start.num_nodes, "seconds": 0.0}
    for number in range(int(stream["batch"].max()) + 1):
        part = stream["batch"] == number
        batch = EdgeBatch(*(stream[name][part] for name in ("op", "u", "v", "w")))
        report = dynamic.update(batch)
        untouched = condition_number(dynamic.graph(), start).kappa
        rows.append({"kappa": dynamic.kappa().kappa, "untouched": untouched, **report.summary()})
    return rows


def plot(rows: list[dict[str, float]], file: Path) -> None:
    """Draw kappa above and edges per node below, batch by batch."""
    figure = Figure(figsize=(8, 5.2), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    x = range(len(rows))
    for name, color, label in (
        ("untouched", GREY, "the start, left as it was"),
        ("kappa", BLUE, "DynamicSparsifier"),
    ):
        top.plot(x, [row[name] for row in rows], "o-", ms=3.5, color=color, label=label)
    bottom.plot(x, [row["edges_per_node"] for row in rows], "o-", ms=3.5, color=BLUE)
    for axes, name in ((top, "condition number"), (bottom, "edges per node")):
        axes.set_ylabel(name, color=INK)
        axes.grid(axis="y", lw=0.4)
        axes.spines[["top", "right"]].set_visible(False)
    top.set_ylim(bottom=0)
    top.legend(frameon=False, loc="lower left")
    bottom.set_xticks(x[::2])
    bottom.set_xlabel("batch: 1 to 10 insert, 11 to 20 delete", color=INK)
    top.set_title("A sparsifier that follows its graph", loc="left", color=INK)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)


def main() -> None:
    """Print one line per batch and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("stream.png"), help="file of the picture")
    out = parser.parse_args().out
    graph = load_dataset("delaunay").graph
    dynamic = DynamicSparsifier(graph, grass(graph, alpha=0.1), seed=5)
    rows = follow(dynamic)
    for number, row in enumerate(rows):
        print(
            f"batch {number:2}: kappa {row['kappa']:6.1f} (start as it was {row['untouched']:6.1f})"
            f", {row['edges_per_node']:.3f} edges per node, {1e3 * row['seconds']:.2f} ms"
        )
    print(dynamic)
    plot(rows, out)


if __name__ == "__main__":
    main()
