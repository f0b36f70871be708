"""A stream that is killed at random points, many times, and must end as if it never had been.

Children are forked from here.  They count ticks: SQLite statements, slices of them, and calls of
``DynamicSparsifier.update`` (those of a replay too), and kill themselves at a random one.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sqlite3
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from graphsparse import DynamicSparsifier, EdgeBatch, Graph, grass
from graphsparse.datasets.synthetic import grid, local_stream
from graphsparse.errors import StoreError
from graphsparse.streaming import Store, StoreVersion

SIZE = 40


def history(num_batches: int = 24) -> tuple[Graph, list[EdgeBatch]]:
    """Return a graph, and batches that insert, delete and set weights."""
    graph = grid(20, 20)
    half = SIZE * num_batches // 2
    raw = local_stream(graph, half, half, num_batches=1, seed=11)
    order = np.random.default_rng(5).permutation(2 * half)
    op = raw["op"].astype(np.int64)[order]
    w = np.where(op == 0, 1 + order % 7 / 4, 0.0)
    op[::9], w[::9] = 2, 0.75
    columns = (op, raw["u"][order], raw["v"][order], w)
    return graph, [
        EdgeBatch(*(column[at : at + SIZE] for column in columns))
        for at in range(0, 2 * half, SIZE)
    ]


def start_of(graph: Graph) -> DynamicSparsifier:
    return DynamicSparsifier(graph, grass(graph, alpha=0.1), K=6, seed=3)


def digest(state: dict[str, Any], offset: Any) -> str:
    """Return a hash of every bit of a state, and of the offset."""
    total = hashlib.sha256(repr(offset).encode())
    for name in sorted(state):
        total.update(name.encode() + np.ascontiguousarray(state[name]).tobytes())
    return total.hexdigest()


def expected(graph: Graph, batches: list[EdgeBatch]) -> list[str]:
    """Return the digests of a run without a store, after 0, 1, 2, ... batches."""
    stream = start_of(graph)
    digests = [digest(stream.state(), None)]
    for number, batch in enumerate(batches, 1):
        stream.update(batch)
        digests.append(digest(stream.state(), {"row": number * SIZE}))
    return digests


def open_or_create(folder: Path, graph: Graph) -> Store:
    if read_or_none(folder) is not None:
        return Store.open(folder)
    return Store.create(folder, start_of(graph), snapshot_every=3)


def go_on(folder: Path, graph: Graph, batches: list[EdgeBatch], wait: bool = True) -> None:
    """Apply the batches that a store does not have yet; note those that are said to be on disk."""
    said = folder.with_suffix(".said")
    with open_or_create(folder, graph) as store:
        done = (store.offset or {"row": 0})["row"] // SIZE
        for number, batch in enumerate(batches[done:], done + 1):
            store.update(batch, offset={"row": number * SIZE}, wait=wait)
            said.write_text(f"{store.num_committed:6}")


class Ticks:
    """Kill this process at a certain tick, and leave a word on where it was."""

    def __init__(self, limit: int, log: Path) -> None:
        self._limit, self._log, self.count = limit, log, 0
        connect, update = sqlite3.connect, DynamicSparsifier.update

        def watched(*args: Any, **options: Any) -> sqlite3.Connection:
            db = connect(*args, **options)
            db.set_trace_callback(lambda text: self.tick(text.split("(")[0][:28].strip()))
            db.set_progress_handler(lambda: self.tick("within a statement"), 20)
            return db

        def counted(stream: DynamicSparsifier, *args: Any, **options: Any) -> Any:
            self.tick("before an update")
            report = update(stream, *args, **options)
            self.tick("after an update")
            return report

        sqlite3.connect = watched  # type: ignore[assignment]
        DynamicSparsifier.update = counted  # type: ignore[method-assign]

    def tick(self, where: str) -> int:
        self.count += 1
        if self.count == self._limit:
            self._log.write_text(where)
            os.kill(os.getpid(), signal.SIGKILL)
        return 0


def in_child(job: Callable[[], None]) -> int:
    """Run a job in a forked process; return its exit status, -9 if it was killed."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        job()
        status = 0
    except BaseException:
        traceback.print_exc()
    os._exit(status)


def read_or_none(folder: Path) -> StoreVersion | None:
    """Return what is on disk, None if that is no store yet."""
    try:
        return Store.read(folder)
    except StoreError as error:
        if "holds no stream" in str(error):
            return None
        raise


def count_ticks(folder: Path, graph: Graph, batches: list[EdgeBatch]) -> int:
    """Return the ticks of a run that nobody kills."""
    log = folder / "count"

    def run() -> None:
        ticks = Ticks(0, log)
        go_on(folder / "count-run", graph, batches)
        log.write_text(str(ticks.count))

    assert in_child(run) == 0
    return int(log.read_text())


def crash_rounds(folder: Path, recoveries: int, seed: int) -> dict[str, Any]:
    """Kill writers until so many recoveries were compared; return counts.

    Raises
    ------
    AssertionError
        If a recovery is not, bit for bit and with its offset, the uninterrupted run, or lacks a
        batch that was said to be on disk.
    """
    graph, batches = history()
    digests = expected(graph, batches)
    rng = random.Random(seed)
    where: Counter[str] = Counter()
    checked = finished = 0
    ticks = count_ticks(folder, graph, batches)
    while checked < recoveries:
        path = folder / f"round-{finished}"
        while True:
            limit, waits = rng.randrange(1, ticks), rng.random() < 0.5

            def run(path: Path = path, limit: int = limit, waits: bool = waits) -> None:
                Ticks(limit, folder / "where")
                go_on(path, graph, batches, waits)

            status = in_child(run)
            assert status in (0, -signal.SIGKILL), f"a writer left with status {status}"
            if status == -signal.SIGKILL:
                where[(folder / "where").read_text()] += 1
            version = read_or_none(path)
            if version is None:  # killed before the store was there
                assert status == -signal.SIGKILL
                continue
            found = digest(version.state(), version.offset)
            assert found == digests[version.num_batches], f"differs after {version.num_batches}"
            said = path.with_suffix(".said")
            promised = int(said.read_text() or 0) if said.exists() else 0  # empty: being written
            assert version.num_batches >= promised, f"batch {promised} was lost"
            checked += status != 0
            if status == 0:
                assert version.num_batches == len(batches)
                finished += 1
                break
    return {"recoveries": checked, "finished_runs": finished, "killed_at": dict(where)}
