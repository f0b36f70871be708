"""Tables and page of benchmarks/static_page.py."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import Any

import numpy as np
from harness import ROOT, write_result
from scipy.stats import rankdata

KEEPS = (0.7, 0.5, 0.3, 0.1)
SHOWN = 0.5  # budget of the tables of single graphs
GOALS = {
    "distances": "distance", "components": "connectivity", "cuts and resistances": "resistance",
    "spectrum": "spectral", "groups": "community", "clustering": "clustering",
    "ranking": "pagerank", "shape of the degrees": "degree", "smoothing (GNN)": "propagation",
    "probe (GNN)": "probe",
}  # fmt: skip
FIGURES = tuple(GOALS.values())
HEAD = """# The static family on all shared graphs

Made by `python benchmarks/static_page.py table` from the runs of `python benchmarks/static_page.py
run`; all values stand in `benchmarks/results/static_page.json`.

Every method sparsifies every graph, taken as undirected, to 70, 50, 30 and 10 % of its edges (seed
0), and [figures](../methods/quality.md) between 0 and 1 tell what is kept: 1 is as good as the full
graph. `spectral` and `community` were measured on the smaller graphs only, `probe` where nodes have
features and labels (first split). `heaviest`, `disparity` and `noise_corrected` ran on weighted
graphs only. `teddy top1` protects the best edge of each node, `jaccard connected` a spanning
forest; a budget below what a method must keep has no value (–) and ranks last. `er` reweights what
it keeps, which all figures that use weights see.

"""
RANKS = """
## Mean ranks

Rank of a method among all on a graph (1 is best; equal values share their mean rank), averaged over
the graphs with that figure; the best three of a column are bold. Mean ranks of a few tenths apart
say nothing.

"""

Row = dict[str, Any]


def write(rows: list[Row], left_out: dict[str, str], arms: list[str]) -> None:
    """Write the page and the result file."""
    whole = [row for row in rows if row["graph"] not in left_out]
    graphs = sorted({row["graph"] for row in whole}, key=lambda name: size_of(whole, name))
    ranks = all_ranks(whole, graphs)
    text = HEAD + f"{len(graphs)} graphs from {size_of(whole, graphs[0]):,} to "
    text += f"{size_of(whole, graphs[-1]):,} edges. Not on this page: {listed(left_out)}.\n\n"
    text += goals(whole, ranks, arms) + RANKS
    text += "\n".join(rank_table(ranks, keep, arms) for keep in KEEPS)
    text += speed(whole, arms) + "\n## Graph by graph\n\n"
    text += f"At {SHOWN:.0%} of the edges; seconds of CPU from CSR to the sparse graph, and "
    text += "NetworKit's time over ours.\n\n"
    text += "\n".join(graph_table(whole, name, arms) for name in graphs)
    (ROOT / "docs" / "results").mkdir(exist_ok=True)
    (ROOT / "docs" / "results" / "static.md").write_text(text)
    write_result("static_page", {"left_out": left_out, "graphs": stored(whole, graphs)})


def listed(left_out: dict[str, str]) -> str:
    """Return the graphs that are missing, by reason."""
    reasons: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        reasons.setdefault(reason, []).append(name)
    return "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())


def size_of(rows: list[Row], graph: str) -> int:
    """Return the edges of a graph."""
    return int(next(row["edges"] for row in rows if row["graph"] == graph))


def values(row: Row, figure: str) -> dict[float, float | None]:
    """Return a figure of an arm by budget; empty where it was not measured."""
    return {e["keep"]: e["value"] for e in row["entries"] if e["figure"] == figure}


def all_ranks(
    rows: list[Row], graphs: Iterable[str]
) -> dict[tuple[float, str], dict[str, list[float]]]:
    """Return, for every budget and figure, the ranks of each arm on all graphs."""
    found: dict[tuple[float, str], dict[str, list[float]]] = {}
    for graph in graphs:
        here = [row for row in rows if row["graph"] == graph]
        for figure in FIGURES:
            table = {row["arm"]: values(row, figure) for row in here}
            table = {arm: cells for arm, cells in table.items() if cells}
            for keep in KEEPS if table else ():
                column = [cells[keep] for cells in table.values()]
                numbers = np.array([-1.0 if v is None else round(v, 9) for v in column])
                for arm, rank in zip(table, rankdata(-numbers), strict=True):
                    found.setdefault((keep, figure), {}).setdefault(arm, []).append(float(rank))
    return found


def goals(rows: list[Row], ranks: Any, arms: list[str]) -> str:
    """Return the best methods of every figure and budget."""
    lines = [
        "## Which method for which goal", "",
        "The three methods of best mean rank, with the mean of the figure; of the methods that ran "
        "on all graphs with that figure.", "",
        "| goal | figure | graphs | " + " | ".join(f"{keep:.0%}" for keep in KEEPS) + " |",
        "|---|---|---:|---|---|---|---|",
    ]  # fmt: skip
    for goal, figure in GOALS.items():
        cells, count = [], 0
        for keep in KEEPS:
            table = ranks.get((keep, figure), {})
            count = max(map(len, table.values()), default=0)
            full = {arm: statistics.fmean(r) for arm, r in table.items() if len(r) == count}
            best = sorted((arm for arm in arms if arm in full), key=full.__getitem__)[:3]
            means = [mean_value(rows, arm, figure, keep) for arm in best]
            cells.append(
                ", ".join(f"`{arm}` {mean:.2f}" for arm, mean in zip(best, means, strict=True))
            )
        if count:
            lines.append(f"| {goal} | `{figure}` | {count} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def mean_value(rows: list[Row], arm: str, figure: str, keep: float) -> float:
    """Return the mean of a figure over the graphs; no value counts 0."""
    found = [values(row, figure).get(keep) or 0.0 for row in rows
             if row["arm"] == arm and values(row, figure)]  # fmt: skip
    return statistics.fmean(found)


def rank_table(ranks: Any, keep: float, arms: list[str]) -> str:
    """Return the mean ranks at one budget."""
    figures = [figure for figure in FIGURES if (keep, figure) in ranks]
    means = {
        figure: {arm: statistics.fmean(r) for arm, r in ranks[keep, figure].items()}
        for figure in figures
    }
    counts = [max(map(len, ranks[keep, figure].values())) for figure in figures]
    lines = [f"### {keep:.0%} of the edges", "", "| method | " + " | ".join(figures) + " |"]
    lines.append("|---|" + "---:|" * len(figures))
    lines.append("| graphs | " + " | ".join(map(str, counts)) + " |")
    for arm in arms:
        cells = []
        for figure in figures:
            mean = means[figure].get(arm)
            best = sorted(means[figure].values())[:3]
            text = "" if mean is None else f"{mean:.1f}"
            cells.append(f"**{text}**" if mean is not None and mean <= best[-1] else text)
        lines.append(f"| `{arm}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def speed(rows: list[Row], arms: list[str]) -> str:
    """Return times beside NetworKit's, on the graphs on which a call takes more than its set-up."""
    least = 5_000
    lines = [
        "", "## Time beside NetworKit", "",
        f"Geometric mean over the graphs of {least:,} edges and more of NetworKit's CPU time over "
        "ours at half of the edges, one thread, both in one process one after the other; and by "
        "how many edges NetworKit misses the budget.", "",
        "| method | graphs | ratio | least | most | missed by at most |",
        "|---|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    for arm in arms:
        here = [r for r in rows if r["arm"] == arm and r.get("networkit_seconds")
                and r["edges"] >= least]  # fmt: skip
        if not here:
            continue
        ratio = [r["networkit_seconds"] / r["seconds"] for r in here]
        mean = math.exp(statistics.fmean(map(math.log, ratio)))
        missed = max(abs(r["networkit_edges"] - r["kept"]) / r["edges"] for r in here)
        lines.append(
            f"| `{arm}` | {len(here)} | {mean:.1f} | {min(ratio):.1f} | {max(ratio):.1f} | "
            f"{missed:.1%} |"
        )
    return "\n".join(lines) + "\n"


def graph_table(rows: list[Row], graph: str, arms: list[str]) -> str:
    """Return the figures of all methods on one graph."""
    here = {row["arm"]: row for row in rows if row["graph"] == graph}
    first = next(iter(here.values()))
    figures = [f for f in FIGURES if values(first, f)]
    weighted = ", weighted" if first["weighted"] else ""
    lines = [
        f"### {graph}", "", f"{first['nodes']:,} nodes, {first['edges']:,} edges{weighted}.", "",
        "| method | " + " | ".join(figures) + " | seconds | NetworKit |",
        "|---|" + "---:|" * (len(figures) + 2),
    ]  # fmt: skip
    for arm in arms:
        if arm not in here:
            continue
        row = here[arm]
        found = [values(row, figure)[SHOWN] for figure in figures]
        cells = ["–" if value is None else f"{value:.2f}" for value in found]
        ours, other = row.get("seconds"), row.get("networkit_seconds")
        cells.append("–" if ours is None else f"{ours:.3f}")
        cells.append(f"{other / ours:.1f}" if ours and other else "")
        lines.append(f"| `{arm}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def stored(rows: list[Row], graphs: list[str]) -> dict[str, Any]:
    """Return all values in short: per graph and arm a text of the figures by budget."""
    found: dict[str, Any] = {}
    for graph in graphs:
        here = [row for row in rows if row["graph"] == graph]
        arms = {}
        for row in here:
            cells = {}
            for figure in FIGURES:
                column = values(row, figure)
                if column:
                    cells[figure] = " ".join(
                        "-" if column[k] is None else f"{column[k]:.4f}" for k in KEEPS
                    )
            cells["seconds"] = f"{row.get('seconds')} {row.get('networkit_seconds', '')}".strip()
            arms[row["arm"]] = cells
        found[graph] = {"nodes": here[0]["nodes"], "edges": here[0]["edges"], "arms": arms}
    return found
