"""Kill -9 training runs at random moments, resume them, compare their weights bit for bit.

    python benchmarks/resume.py                    # 20 runs of four tasks, about a minute
    python benchmarks/resume.py --runs 100 --seed 3

Node classification on the full batch and in sampled mini-batches with edges left out per batch,
sets of graphs, link prediction; all with an l0 projection that tightens and freezes.  Every run is
killed one to three times; its last weights and its figures must be those of a run that nobody
killed.  What differs is counted, not hidden.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from harness import write_result

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import killing

TASKS = ("node full batch", "node sampled", "graphs", "links")


def main() -> None:
    """Count the runs that end with the same bits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    start = time.perf_counter()
    met: Counter[str] = Counter()
    equal: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        jobs = {task: killing.Job(task) for task in TASKS}
        wholes: dict[str, Any] = {}
        for task, job in jobs.items():
            seconds = killing.uninterrupted(job, Path(name) / task)
            wholes[task] = (seconds, job.outcome(Path(name) / task))
        for number in range(arguments.runs):
            task = TASKS[number % len(TASKS)]
            seconds, want = wholes[task]
            folder = Path(name) / str(number)
            met += killing.killed(jobs[task], folder, seconds, rng)
            runs[task] += 1
            equal[task] += jobs[task].outcome(folder) == want
    figures = {
        "runs": arguments.runs,
        "equal_bit_for_bit": equal.total(),
        "by_task": {task: f"{equal[task]} of {runs[task]}" for task in TASKS},
        "kills": met.total(),
        "killed": dict(sorted(met.items())),
        "seconds": round(time.perf_counter() - start, 1),
    }
    write_result("resume", figures)
    if equal.total() < arguments.runs:
        sys.exit("some runs differ")


if __name__ == "__main__":
    main()
