"""Kill -9 a durable stream at random points, and compare every recovery with an unbroken run.

    python benchmarks/durability.py                    # 200 recoveries, about two minutes
    python benchmarks/durability.py --recoveries 1000 --seed 3

Writers are killed within SQLite statements, transactions and snapshots, and within updates, those
of a replay too.  What a recovery holds must be the unbroken run after as many batches, in every bit
of the state and in the offset of the source; the first difference stops the run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from harness import write_result

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import crashing


def main() -> None:
    """Count recoveries and where the writers were killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recoveries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        counts = crashing.crash_rounds(Path(folder), arguments.recoveries, arguments.seed)
    figures = {**counts, "equal_bit_for_bit": counts["recoveries"]}
    write_result("durability", {**figures, "seconds": round(time.perf_counter() - start, 1)})


if __name__ == "__main__":
    main()
