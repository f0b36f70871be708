"""Runs of a sweep in few numbers: one row per arm, a table, and which arms no other one beats."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from graphsparse.quality.svg import COLOURS, Plot

Run = dict[str, Any]
ERRORS = ("rmse", "mae")  # metrics of which less is better


@dataclasses.dataclass(frozen=True)
class Summary:
    """Mean and sample standard deviation of one arm over its seeds.

    Attributes
    ----------
    arm : str
        Name of the arm.
    runs : int
        Seeds that were run.
    metric : str
        Name of the score.
    val, mean, std : float
        Mean validation score; mean and deviation of the test score, NaN for a single run.
    edges, weights, macs : float
        Mean kept counts; ``macs`` is NaN for networks whose products are not counted.
    edge_share, weight_share : float
        Shares kept.
    """

    arm: str
    runs: int
    metric: str
    val: float
    mean: float
    std: float
    edges: float
    weights: float
    macs: float
    edge_share: float
    weight_share: float


def summarize(runs: Iterable[Run]) -> list[Summary]:
    """Return one summary per arm, in the order of first appearance."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run["arm"], []).append(run)
    return [_summary(arm, group) for arm, group in groups.items()]


def _summary(arm: str, group: list[Run]) -> Summary:
    results = [run["result"] for run in group]
    metric = metric_of_run(group[0])
    tests = [r["test"] for r in results]

    def mean(key: str) -> float:
        return statistics.fmean(math.nan if r[key] is None else r[key] for r in results)

    edges, weights = mean("edges_kept"), mean("weights_kept")
    return Summary(
        arm,
        len(tests),
        metric,
        mean("val"),
        statistics.fmean(tests),
        statistics.stdev(tests) if len(tests) > 1 else math.nan,
        edges,
        weights,
        mean("macs"),
        edges / max(mean("edges_total"), 1),
        weights / max(mean("weights_total"), 1),
    )


def metric_of_run(run: Run) -> str:
    """Return the name of a run's score; accuracy where neither run nor recipe says."""
    trained = run.get("recipe", {}).get("train", {})
    name: str = run["result"].get("metric") or trained.get("metric", "accuracy")
    return name


def markdown_table(summaries: Sequence[Summary]) -> str:
    """Return the summaries as a Markdown table; arms on the front are in bold type."""
    lines = [
        "| arm | runs | test | validation | edges | weights | MACs |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for s, best in zip(summaries, pareto_front(summaries), strict=True):
        score = f"**{score_text(s)}**" if best and len(summaries) > 1 else score_text(s)
        macs = "–" if math.isnan(s.macs) else f"{s.macs / 1e6:,.1f} M"
        val = figure_text(s.val, s.metric)
        kept = f"{s.edges:,.0f} | {s.weights:,.0f} | {macs}"
        lines.append(f"| {s.arm} | {s.runs} | {score} | {val} | {kept} |")
    return "\n".join(lines) + "\n"


def score_text(summary: Summary) -> str:
    """Return ``mean ± std`` of the test score: in percent, errors as they are."""
    return figure_text(summary.mean, summary.metric, summary.std)


def figure_text(mean: float, metric: str, std: float = math.nan) -> str:
    """Return a score, with its deviation unless that is NaN, in the unit of the metric."""
    unit, digits, sign = (1, 3, "") if metric in ERRORS else (100, 1, " %")
    spread = "" if math.isnan(std) else f" ± {unit * std:.{digits}f}"
    return f"{unit * mean:.{digits}f}{spread}{sign}"


def pareto_front(summaries: Sequence[Summary]) -> list[bool]:
    """Tell which arms no other arm dominates.

    An arm dominates another one if it keeps no more edges and no more weights, its mean test score
    is no worse, and one of the three differs.
    """
    points = [(s.edges, s.weights, _cost(s)) for s in summaries]
    return [
        not any(
            q != p and all(b <= a for a, b in zip(p, q, strict=True)) for q in points
        )
        for p in points
    ]  # fmt: skip


def pareto_plot(summaries: Sequence[Summary], title: str) -> str:
    """Return a drawing as SVG text: test score over weights kept, a line per share of edges.

    Arms on the front have a ring; a bar spans one standard deviation each way.
    """
    unit = 1 if summaries[0].metric in ERRORS else 100
    spread = [0.0 if math.isnan(s.std) else s.std for s in summaries]
    low = min(s.mean - d for s, d in zip(summaries, spread, strict=True))
    high = max(s.mean + d for s, d in zip(summaries, spread, strict=True))
    shares = sorted({round(s.edge_share, 3) for s in summaries}, reverse=True)
    plot = Plot((0.0, 1.0), (unit * low, unit * high), title, "share of weights kept", (520, 340))
    front = pareto_front(summaries)
    for share, colour in zip(shares, _colours(len(shares)), strict=True):
        arms = sorted(
            (at for at, s in enumerate(summaries) if round(s.edge_share, 3) == share),
            key=lambda at: summaries[at].weight_share,
        )
        x = [summaries[at].weight_share for at in arms]
        y = [unit * summaries[at].mean for at in arms]
        plot.line(x, y, colour, dots=True)
        for a, b, at in zip(x, y, arms, strict=True):
            plot.whisker(a, b - unit * spread[at], b + unit * spread[at], colour)
            if front[at]:
                plot.ring(a, b, colour)
    names = [f"{share:.0%} of the edges" for share in shares]
    return plot.names(names, _colours(len(shares))).svg()


def _colours(count: int) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(count)]


def _cost(summary: Summary) -> float:
    return summary.mean if summary.metric in ERRORS else -summary.mean
