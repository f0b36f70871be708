"""What every benchmark shares: the machine, the commit, timing, peak memory, the result file.

    from harness import measure, peak_rss, write_result
    time = measure(lambda: f(graph))            # median of five runs, wall clock and CPU
    extra = peak_rss(lambda: f(graph))          # bytes beyond what was resident before
    write_result("teddy", {"score": time.as_dict(), "score_peak_bytes": extra})

A benchmark checks its results first and times them afterwards.  Run from anywhere:
``python benchmarks/NAME.py``; the figures go to ``benchmarks/results/NAME.json``.
"""

from __future__ import annotations

import dataclasses
import datetime
import gc
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
ROOT = RESULTS.parent.parent


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds of ``len(wall)`` runs; ``cpu`` sums over the threads of the process."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median wall-clock seconds."""
        return statistics.median(self.wall)

    @property
    def cpu_median(self) -> float:
        """Median CPU seconds: the figure to quote on a machine that others use too."""
        return statistics.median(self.cpu)

    def as_dict(self) -> dict[str, Any]:
        """Return what goes into the result file."""
        return {
            "median_s": round(self.median, 6),
            "min_s": round(min(self.wall), 6),
            "max_s": round(max(self.wall), 6),
            "cpu_median_s": round(self.cpu_median, 6),
            "runs": len(self.wall),
        }


def measure(run: Callable[[], Any], *, repeat: int = 5, warmup: int = 1) -> Timing:
    """Time ``run`` ``repeat`` times after ``warmup`` runs that do not count."""
    for _ in range(warmup):
        run()
    wall, cpu = [], []
    for _ in range(repeat):
        gc.collect()
        gc.disable()
        try:
            start, start_cpu = time.perf_counter(), time.process_time()
            result = run()
            wall.append(time.perf_counter() - start)
            cpu.append(time.process_time() - start_cpu)
        finally:
            gc.enable()
        del result
    return Timing(tuple(wall), tuple(cpu))


def _status_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no field {field}")


def peak_rss(run: Callable[[], Any]) -> int:
    """Return the bytes by which resident memory rises above its start while ``run`` runs."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    before = _status_bytes("VmRSS")
    result = run()
    peak = _status_bytes("VmHWM")
    del result
    return max(peak - before, 0)


def machine() -> dict[str, Any]:
    """Describe the processor, the memory and the versions that decide a timing."""
    import numpy as np

    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "load_average": round(os.getloadavg()[0], 2),
    }


def commit() -> str:
    """Return the commit of the source tree, with ``+`` when files differ from it."""

    def git(*arguments: str) -> str:
        if shutil.which("git") is None:
            return ""
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    dirty = git("status", "--porcelain", "--untracked-files=no", "--", ":!benchmarks/results")
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + ("+" if dirty else "")


def shown(argument: str) -> str:
    """Return an argument without the folders of this machine."""
    path = Path(argument)
    if not path.is_absolute():
        return argument
    near = path.is_relative_to(ROOT.parent)
    return os.path.relpath(path, ROOT) if near else path.name


def write_result(name: str, figures: dict[str, Any]) -> Path:
    """Write ``benchmarks/results/NAME.json`` and print it; return its path."""
    record = {
        "benchmark": name,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "command": " ".join(
            ["python", f"benchmarks/{Path(sys.argv[0]).name}", *map(shown, sys.argv[1:])]
        ),
        "machine": machine(),
        **figures,
    }
    text = json.dumps(record, indent=2) + "\n"
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(text)
    part.replace(path)
    print(text, end="")
    return path
