"""Tables and page of benchmarks/gin_accuracy.py."""

from __future__ import annotations

import statistics
from typing import Any

from gin_models import ABLATIONS, MODELS

SPARSE = ("weights 50", "weights 20", "weights 10", "edges 80", "edges 60", "edges 60 weights 20")
ARMS = ("dense", *SPARSE)
HEAD = """# Accuracy of GIN-attention

Made by `python benchmarks/gin_accuracy.py table` from the runs of `... search` and `... run`;
every run, the options of every winner and all validation scores of the searches are listed in
`benchmarks/results/gin_accuracy.json`.

All models stand in one shell (input map, layers, output map; width 64) and are tuned alike: for
each set and model the same number of random trials, judged by validation scores only; the winner
is then trained with other seeds. Shared space: depth, dropout, input dropout, learning rate,
weight decay, skip connection or none, normalisation between layers; on the airports also the
features (identity as stored, or 1 and log degree). Attention models add heads and attention
dropout, the baselines an activation after the layer, GIN-attention its normalisation, MLP, ratio,
dropout, value map and how the own value enters: more options in the same number of trials. The
defaults for Cora and CiteSeer (trial 0, of all models) and GIN-attention's ratio of 2 on later
sets were set after a look at validation and test scores of some thirty configurations of
GIN-attention on Cora: on that set it had more trials than the others.

Test score at the first best validation epoch, mean ± sample standard deviation over the seeds
that all models were run with (their number in brackets): accuracy and ROC AUC in percent, RMSE as
it is (less is better). Seed s takes split s where a set has ten. Sets and arms that are missing
were not run. "weights 20" keeps 20 % of the weights, projected after every step; "edges 60" keeps
60 % of the edges by TEDDY. Rows below the baselines change one thing in the winner of
`gin_attention`: uniform attention, no self term, no MLP, the
other normalisation (softmax against degree), a narrow MLP, and a skip round each layer where the
winner has none, or none where it has one.
"""


def cell_text(scores: list[float], metric: str) -> str:
    """Return ``mean ± deviation (seeds)``, in percent unless it is an error."""
    if not scores:
        return "–"
    unit, digits = (1.0, 3) if metric == "rmse" else (100.0, 1)
    spread = f" ± {unit * statistics.stdev(scores):.{digits}f}" if len(scores) > 1 else ""
    return f"{unit * statistics.fmean(scores):.{digits}f}{spread} ({len(scores)})"


def verdict(scores: dict[str, list[float]], metric: str) -> tuple[str, str]:
    """Return the best baseline, and how GIN-attention stands to it."""
    sign = -1.0 if metric == "rmse" else 1.0
    means = {model: sign * statistics.fmean(found) for model, found in scores.items()}
    best = max((m for m in means if m != "gin_attention"), key=lambda m: means[m])
    gap = means["gin_attention"] - means[best]
    spread = statistics.stdev(scores[best]) if len(scores[best]) > 1 else 0.0
    return best, "best" if gap >= 0 else "within 1 std" if -gap <= spread else "behind"


def set_section(name: str, metric: str, tuning: str, runs: list[dict[str, Any]]) -> list[str]:
    """Return the table of a set."""
    arms = [arm for arm in ARMS if any(r["arm"] == arm for r in runs)]
    lines = [f"\n## {name} ({metric})\n\n{tuning}\n\n"]
    lines.append("| model | " + " | ".join(arms) + " |\n|---|" + "---:|" * len(arms) + "\n")
    for model in (*MODELS, *ABLATIONS):
        cells = [[r["test"] for r in runs if (r["model"], r["arm"]) == (model, a)] for a in arms]
        if any(cells):
            text = " | ".join(cell_text(cell, metric) for cell in cells)
            lines.append(f"| {model} | {text} |\n")
    return lines
