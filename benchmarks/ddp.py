"""Data-parallel training against one process: loss curves, masks of the l0 projection, seconds.

    python benchmarks/ddp.py                       # 20,000 nodes, 2 replicas, about two minutes
    python benchmarks/ddp.py --nodes 169343 --edges 1166243 --epochs 3

The set is made by ``graphsparse datasets make ogbn-like``; GraphSAGE in mini-batches of sampled
neighbours, dropout 0 (replicas draw their own), weights on an l0 ball that shrinks and freezes.
Replicas are started by torchrun and talk through gloo; every process has one thread for torch and
one that draws batches, so that a machine of two cores is full with one process already.  Curves are
compared first; epochs are timed without the evaluation.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from harness import write_result
from ogb_scale import load, node_data

from graphsparse.models import SAGE
from graphsparse.training import Callback, L0Projection, adam, launched, set_seed, train
from graphsparse.training.distributed import fingerprint

FANOUTS, BATCH, HIDDEN = [10, 5], 1024, 128


class Clock(Callback):
    """Seconds of each epoch, and those that the training thread was on a processor."""

    def __init__(self) -> None:
        self.seconds: list[tuple[float, float]] = []
        self._start = (0.0, 0.0)

    def on_start(self, state: Any) -> None:
        """Start the clock."""
        self._start = (time.perf_counter(), time.thread_time())

    def on_epoch(self, state: Any) -> bool:
        """Read it."""
        wall, cpu = self._start
        self._start = (time.perf_counter(), time.thread_time())
        self.seconds.append((self._start[0] - wall, self._start[1] - cpu))
        return False


def work(root: Path, epochs: int) -> None:
    """Train as one of the replicas; the first writes what was found."""
    torch.set_num_threads(1)
    with launched() as replicas:
        data = replicas.after_first(lambda: node_data(load(root, (0, 0, 0, 0))))
        set_seed(7)
        model = SAGE(data.x.shape[1], HIDDEN, data.num_classes, dropout=0.0)
        optimizer = adam(model, 0.003, 0.0)
        steps = epochs * -(-len(data.train) // BATCH)
        projection = L0Projection(
            model, 0.25, schedule="cubic", end=steps // 2, freeze_after=3 * steps // 4
        ).attach(optimizer)
        clock = Clock()
        result = train(
            model, data, epochs=epochs, optimizer=optimizer, stateful={"projection": projection},
            batch_size=BATCH, fanouts=FANOUTS, keep_weights=False, keep_logits=False,
            evaluate_every=epochs, callbacks=[clock], replicas=replicas,
        )  # fmt: skip
        found = {
            "loss": result.history["loss"],
            "test": result.test,
            "masks": fingerprint(projection.export_mask()),
            "density": projection.density(),
            "weights": fingerprint(model.state_dict()),
            "epoch_seconds": clock.seconds[:-1],
        }
        print("FOUND", replicas.rank, json.dumps(found), flush=True)


def run(root: Path, size: int, epochs: int) -> list[dict[str, Any]]:
    """Return what each of so many replicas found."""
    launcher = [sys.executable]
    if size > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size)]
    command = [*launcher, __file__, "--epochs", str(epochs), "--work", str(root)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines() if "FOUND" in line]
    if done.returncode or len(lines) != size:
        sys.exit(done.stderr)
    return [json.loads(text) for _, _, text in sorted(lines)]


def main() -> None:
    """Compare, then time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=20_000)
    parser.add_argument("--edges", type=int, default=140_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work is not None:
        work(arguments.work, arguments.epochs)
        return
    with tempfile.TemporaryDirectory() as name:
        sizes = ["--nodes", str(arguments.nodes), "--edges", str(arguments.edges)]
        make = ["-m", "graphsparse", "datasets", "make", "ogbn-like", "--out", name, *sizes]
        subprocess.run([sys.executable, *make], check=True, stdout=subprocess.DEVNULL, cwd=name)
        (one,) = run(Path(name), 1, arguments.epochs)
        several = run(Path(name), arguments.replicas, arguments.epochs)
    pairs = zip(one["loss"], several[0]["loss"], strict=True)
    difference = max(abs(a - b) for a, b in pairs)
    seconds = {
        kind: {
            name: round(statistics.median(epoch[at] for epoch in found["epoch_seconds"]), 3)
            for name, found in (("one_process", one), ("replicas", several[0]))
        }
        for at, kind in enumerate(("epoch_seconds", "epoch_cpu_seconds_of_the_training_thread"))
    }
    figures = {
        "nodes": arguments.nodes,
        "edges": arguments.edges,
        "model": f"SAGE, {HIDDEN} hidden, fan-outs {FANOUTS}, batches of {BATCH}",
        "replicas": arguments.replicas,
        "epochs": arguments.epochs,
        "largest_difference_of_loss": difference,
        "loss": {"one_process": one["loss"], "replicas": several[0]["loss"]},
        "test": {"one_process": one["test"], "replicas": several[0]["test"]},
        "density": several[0]["density"],
        "masks_equal_on_replicas": len({found["masks"] for found in several}) == 1,
        "weights_equal_on_replicas": len({found["weights"] for found in several}) == 1,
        "masks_equal_to_one_process": several[0]["masks"] == one["masks"],
        **seconds,
    }
    write_result("ddp", figures)
    if difference > 1e-5:
        sys.exit(f"the curves differ by {difference}")


if __name__ == "__main__":
    main()
