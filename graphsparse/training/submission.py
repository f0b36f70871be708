"""What a leaderboard asks for: means, unbiased deviations, parameters, hardware, versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphsparse.training.sweep import Run

_PACKAGES = ("graphsparse", "numpy", "torch", "torch-geometric", "ogb")


def submission(runs: Sequence[Run], command: Sequence[str]) -> dict[str, Any]:
    """Return what ``ogb_submission.json`` holds for the runs of one recipe.

    Parameters
    ----------
    runs : sequence of dict
        As :func:`~graphsparse.training.sweep.run_recipe` returns them.
    command : sequence of str
        How they were made.

    Returns
    -------
    dict
        ``test`` and ``validation`` with ``mean``, ``std`` (unbiased; None for one run) and
        ``scores``; ``parameters`` in all and ``matrix_weights`` with those that are zero told
        apart; edges, hardware, versions, command, recipe.

    Raises
    ------
    ValueError
        If there are no runs.
    """
    if not runs:
        raise ValueError("runs must not be empty, got []")
    results = [run["result"] for run in runs]
    recipe, first = runs[0]["recipe"], results[0]
    kept = [result["weights_kept"] for result in results]
    return {
        "dataset": recipe["data"]["name"],
        "synthetic": recipe["data"]["name"].startswith("synthetic"),
        "model": recipe["model"]["name"],
        "metric": first.get("metric") or recipe["train"]["metric"],
        "seeds": [run["seed"] for run in runs],
        "test": _spread([result["test"] for result in results]),
        "validation": _spread([result["val"] for result in results]),
        "parameters": first.get("parameters"),
        "matrix_weights": {
            "total": first["weights_total"],
            "kept": round(statistics.fmean(kept)),
            "zeroed": first["weights_total"] - round(statistics.fmean(kept)),
        },
        "edges": {"total": first["edges_total"], "kept": first["edges_kept"]},
        "train_seconds": _spread([result["seconds"]["train"] for result in results]),
        "hardware": hardware(),
        "versions": versions(),
        "command": " ".join(command),
        "recipe": recipe,
    }


def hardware() -> dict[str, Any]:
    """Return processor, cores, memory and GPU of this machine."""
    import torch

    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "gpu": gpu,
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide a score."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _spread(scores: list[float]) -> dict[str, Any]:
    std = statistics.stdev(scores) if len(scores) > 1 else None
    return {"mean": statistics.fmean(scores), "std": std, "scores": scores}
