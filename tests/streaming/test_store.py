"""Durable streams: what comes back, who may write, what damage is found and what a repair loses."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import crashing
import numpy as np
import pytest

from graphsparse import EdgeBatch, Graph
from graphsparse.errors import StoreDamagedError, StoreError, StoreLockedError
from graphsparse.streaming import DynamicSparsifier, Store
from graphsparse.streaming import journal as journal_module
from graphsparse.streaming.packing import chunks, describe_arrays, read_arrays

GRAPH, BATCHES = crashing.history()
DIGESTS = crashing.expected(GRAPH, BATCHES)


def fill(folder: Path, count: int, every: int | str = 5, **options: object) -> None:
    start = crashing.start_of(GRAPH)
    with Store.create(folder, start, snapshot_every=every, **options) as store:
        go_on(store, count)


def go_on(store: Store, upto: int, wait: bool = True) -> None:
    for number in range(store.num_batches + 1, upto + 1):
        offset = {"row": number * crashing.SIZE}
        store.update(BATCHES[number - 1], offset=offset, wait=wait)


def state_of(source: object) -> str:
    stream = getattr(source, "stream", source)
    return crashing.digest(stream.state(), source.offset)


def execute(folder: Path, statement: str, *values: object) -> None:
    db = sqlite3.connect(journal_module.database_file(folder))
    with db:
        db.execute(statement, values)
    db.close()


@pytest.mark.parametrize("every", [1, 4, 1000, "auto"])
@pytest.mark.parametrize("wait", [True, False])
def test_a_store_goes_on_bit_for_bit(tmp_path: Path, every: int | str, wait: bool) -> None:
    fill(tmp_path / "s", 7, every)
    with Store.open(tmp_path / "s") as store:
        assert state_of(store) == DIGESTS[7]
        assert store.rows == (7 * crashing.SIZE, 0)
        found = store.recovery
        assert found is not None
        assert (found.batches, found.snapshot + found.replayed) == (7, 7)
        go_on(store, len(BATCHES), wait)
        store.flush()
        assert store.num_committed == len(BATCHES)
    assert state_of(Store.read(tmp_path / "s")) == DIGESTS[-1]
    assert Store.verify(tmp_path / "s").findings == ()


def test_history_for_recovery_only_is_short(tmp_path: Path) -> None:
    fill(tmp_path / "s", 24, 4, history="recovery")
    assert Store.verify(tmp_path / "s").batches == 4
    with Store.open(tmp_path / "s") as store:
        assert store.recovery.snapshot == 24
        assert state_of(store) == DIGESTS[24]


def test_refresh_is_replayed(tmp_path: Path) -> None:
    fill(tmp_path / "s", 3)
    with Store.open(tmp_path / "s") as store:
        store.refresh()
        store.update(BATCHES[3], offset="x")
        want = state_of(store)
    assert state_of(Store.read(tmp_path / "s")) == want


def test_a_window_comes_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    tracks = []
    for kind in ("whole", "halves"):
        stream = DynamicSparsifier(
            Graph.from_edges([], num_nodes=9), Graph.from_edges([], num_nodes=9), K=3
        )
        store = Store.create(tmp_path / kind, stream, window=3.0, snapshot_every=2)
        rng = np.random.default_rng(2)
        time = 0.0
        for number in range(9):
            times = time + np.sort(rng.integers(0, 4, 8)).astype(float)
            time = float(times[-1])
            batch = EdgeBatch(
                np.zeros(8, int), rng.integers(0, 9, 8), rng.integers(0, 9, 8), np.ones(8), times
            )
            store.update(batch, offset=number)
            if kind == "halves" and number % 2 == 0:
                store.close()
                store = Store.open(tmp_path / kind)
        parts = {**store.window.state(), **store.stream.state()}
        tracks.append(crashing.digest(parts, store.offset))
        with pytest.raises(ValueError, match="must not be before"):
            store.update(EdgeBatch([0], [0], [1], [1.0], [0.0]))
        with pytest.raises(IndexError, match="node ids must be below 9"):
            store.update(EdgeBatch([0, 0], [0, 0], [1, 99], [1.0, 1.0], [time + 9, time + 9]))
        assert tracks[-1] == crashing.digest(
            {**store.window.state(), **store.stream.state()}, store.offset
        )
        store.close()
    assert tracks[0] == tracks[1]


def test_a_refused_batch_changes_nothing(tmp_path: Path) -> None:
    fill(tmp_path / "s", 2)
    with Store.open(tmp_path / "s") as store:
        with pytest.raises(IndexError, match="node ids must be below 400"):
            store.update(inserts=[(0, 999)])
        with pytest.raises(ValueError, match="rejected must be in"):
            store.update(inserts=[(0, 1)], read=1, rejected=2)
        with pytest.raises(TypeError, match="not JSON serializable"):
            store.update(inserts=[(0, 1)], offset=object())
        assert state_of(store) == DIGESTS[2]
    with pytest.raises(StoreError, match="it is closed; open the store again"):
        store.update(inserts=[(0, 1)])
    assert state_of(Store.read(tmp_path / "s")) == DIGESTS[2]


def test_one_writer(tmp_path: Path) -> None:
    fill(tmp_path / "s", 1)
    code = (
        "import sys\nfrom graphsparse.streaming import Store\n"
        "store = Store.open(sys.argv[1])\nprint('open', flush=True)\nsys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "s")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreLockedError, match=rf"has a writer, process {other.pid};"):
            Store.open(tmp_path / "s")
        assert state_of(Store.read(tmp_path / "s")) == DIGESTS[1]
        other.kill()
        other.wait()
    Store.open(tmp_path / "s").close()


def test_create_and_open_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no stream"):
        Store.open(tmp_path / "none")
    with pytest.raises(StoreError, match="holds no stream"):
        Store.read(tmp_path)
    fill(tmp_path / "s", 1)
    with pytest.raises(StoreError, match="holds a stream"):
        Store.create(tmp_path / "s", crashing.start_of(GRAPH))
    with pytest.raises(ValueError, match="snapshot_every must be >= 1"):
        Store.create(tmp_path / "t", crashing.start_of(GRAPH), snapshot_every=0)
    with pytest.raises(ValueError, match="history must be one of"):
        Store.create(tmp_path / "t", crashing.start_of(GRAPH), history="none")
    with pytest.raises(TypeError, match="stream must be a DynamicSparsifier, got Graph"):
        Store.create(tmp_path / "t", GRAPH)
    execute(tmp_path / "s", "PRAGMA user_version = 99")
    for use in (Store.open, Store.read, Store.repair):
        with pytest.raises(StoreError, match=r"has schema version 99, this graphsparse knows up"):
            use(tmp_path / "s")


def test_an_older_schema_is_brought_up_to_date(tmp_path, monkeypatch) -> None:
    fill(tmp_path / "s", 3)
    steps = (*journal_module._STEPS, "ALTER TABLE batch ADD COLUMN colour TEXT DEFAULT 'red';")
    monkeypatch.setattr(journal_module, "_STEPS", steps)
    monkeypatch.setattr(journal_module, "SCHEMA_VERSION", 2)
    with Store.open(tmp_path / "s") as store:
        assert store._journal.version == 2
        assert store._journal._db.execute("SELECT DISTINCT colour FROM batch").fetchall() == [
            ("red",)
        ]
        assert state_of(store) == DIGESTS[3]


def test_a_damaged_tail_is_refused_and_repaired(tmp_path: Path) -> None:
    fill(tmp_path / "s", 9)
    execute(tmp_path / "s", "UPDATE batch SET data = zeroblob(length(data)) WHERE number = 8")
    message = r"batch 8 has check sum .*'graphsparse stream repair .*' goes back to batch 7 and "
    with pytest.raises(StoreDamagedError, match=message + "loses 2 batches with 80 updates"):
        Store.open(tmp_path / "s")
    with pytest.raises(StoreDamagedError, match=message):
        Store.read(tmp_path / "s")
    finding = Store.verify(tmp_path / "s").findings
    assert [(f.what, f.number) for f in finding] == [("batch", 8)]
    done = Store.repair(tmp_path / "s")
    assert (done.batch, done.lost_batches, done.lost_updates) == (7, 2, 80)
    assert done.offset == {"row": 7 * crashing.SIZE}
    assert (tmp_path / "s" / done.old_file).is_file()
    with Store.open(tmp_path / "s") as store:
        assert state_of(store) == DIGESTS[7]
        go_on(store, len(BATCHES))
    assert state_of(Store.read(tmp_path / "s")) == DIGESTS[-1]
    assert Store.repair(tmp_path / "s").old_file is None


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM batch WHERE number = 8",
        "UPDATE batch SET source = '{}' WHERE number = 8",
        "UPDATE batch SET source = 'rubbish' WHERE number = 8",
        "UPDATE batch SET read = 'x' WHERE number = 8",
        "UPDATE batch SET rejected = rejected + 1 WHERE number = 8",
        "UPDATE batch SET data = NULL || data WHERE number = 8",
    ],
)
def test_every_column_is_covered(tmp_path: Path, statement: str) -> None:
    fill(tmp_path / "s", 9)
    try:
        execute(tmp_path / "s", statement)
    except sqlite3.IntegrityError:
        return
    with pytest.raises(StoreDamagedError, match="batch 8"):
        Store.open(tmp_path / "s")
    assert Store.repair(tmp_path / "s").batch == 7


def test_a_replay_to_another_state_is_found(tmp_path: Path, monkeypatch) -> None:
    fill(tmp_path / "s", 9)
    monkeypatch.setattr("graphsparse.streaming.recovery.fingerprint", lambda report, before: 1)
    with pytest.raises(StoreDamagedError, match="batch 6 replays to the state 00000001"):
        Store.open(tmp_path / "s")
    assert Store.verify(tmp_path / "s").findings[0].what == "replay"
    assert Store.repair(tmp_path / "s").batch == 5


def test_a_damaged_snapshot_costs_time_only(tmp_path: Path) -> None:
    fill(tmp_path / "s", 12)
    execute(tmp_path / "s", "UPDATE chunk SET data = zeroblob(length(data)) WHERE number = 10")
    with Store.open(tmp_path / "s") as store:
        assert store.recovery.snapshot == 5
        assert "an older one was taken" in store.recovery.notes[0]
        assert state_of(store) == DIGESTS[12]
    execute(tmp_path / "s", "UPDATE snapshot SET crc = 0")
    with pytest.raises(StoreDamagedError, match="nothing can be recovered"):
        Store.open(tmp_path / "s")
    with pytest.raises(StoreDamagedError, match="nothing can be recovered"):
        Store.repair(tmp_path / "s")


def test_damage_in_old_history_is_left_behind(tmp_path: Path) -> None:
    fill(tmp_path / "s", 12)
    execute(tmp_path / "s", "UPDATE batch SET crc = 0 WHERE number = 2")
    with Store.open(tmp_path / "s") as store:
        assert state_of(store) == DIGESTS[12]
    done = Store.repair(tmp_path / "s")
    assert (done.batch, done.first, done.lost_batches) == (12, 5, 0)
    assert Store.verify(tmp_path / "s").findings == ()


def test_a_torn_page_of_the_log_loses_no_more_than_its_batch(tmp_path: Path) -> None:
    with Store.create(tmp_path / "s", crashing.start_of(GRAPH), snapshot_every=5) as store:
        go_on(store, 9)
        shutil.copytree(tmp_path / "s", tmp_path / "t")
        shutil.copytree(tmp_path / "s", tmp_path / "u")
    for name, size in (("t", 100), ("u", 0)):
        log = next((tmp_path / name).glob("*-wal"))
        end = log.stat().st_size
        if size:
            os.truncate(log, end - size)
        else:
            with log.open("r+b") as file:
                file.seek(end - 2000)
                file.write(b"\xa5" * 2000)
        with Store.open(tmp_path / name) as again:
            assert again.num_batches == 8
            assert state_of(again) == DIGESTS[8]
            go_on(again, len(BATCHES))
            assert state_of(again) == DIGESTS[-1]


def test_torn_pages_of_the_file_are_found(tmp_path: Path) -> None:
    fill(tmp_path / "s", 12)
    file = journal_module.database_file(tmp_path / "s")
    pages = file.stat().st_size // 4096
    outcomes = set()
    for page in range(1, pages, max(1, pages // 40)):
        shutil.rmtree(tmp_path / "t", ignore_errors=True)
        shutil.copytree(tmp_path / "s", tmp_path / "t")
        with (tmp_path / "t" / file.name).open("r+b") as raw:
            raw.seek(page * 4096)
            raw.write(b"\xa5" * 4096)
        try:
            version = Store.read(tmp_path / "t")
            outcomes.add("whole")
        except StoreDamagedError:
            try:
                Store.repair(tmp_path / "t")
            except StoreDamagedError:
                outcomes.add("lost")
                continue
            version = Store.read(tmp_path / "t")
            outcomes.add("repaired")
        assert state_of_version(version) == DIGESTS[version.num_batches]
    assert {"whole", "repaired"} <= outcomes


def state_of_version(version: object) -> str:
    return crashing.digest(version.state(), version.offset)


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "s", crashing.start_of(GRAPH), snapshot_every=5)
    db = store._journal._db
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 9}")
    with pytest.raises(StoreError, match=r"could not be committed \(.*full\).*before are safe"):
        go_on(store, len(BATCHES))
    done = store.num_committed
    with pytest.raises(StoreError, match="a commit failed .*; open the store again"):
        store.update(inserts=[(0, 1)])
    store.close()
    assert 0 < done < len(BATCHES)
    with Store.open(tmp_path / "s") as store:
        assert store.num_batches == done
        assert state_of(store) == DIGESTS[done]
        go_on(store, len(BATCHES))
    assert state_of_version(Store.read(tmp_path / "s")) == DIGESTS[-1]


def test_a_full_disk_under_queued_commits(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "s", crashing.start_of(GRAPH), snapshot_every=1000)
    db = store._journal._db
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(StoreError, match="could not be committed"):  # noqa: PT012
        go_on(store, len(BATCHES), wait=False)
        store.flush()
    store.close()
    version = Store.read(tmp_path / "s")
    assert version.num_batches < len(BATCHES)
    assert state_of_version(version) == DIGESTS[version.num_batches]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    def run() -> None:
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = Store.create(tmp_path / "s", crashing.start_of(GRAPH), snapshot_every=1000)
        size = next((tmp_path / "s").glob("*-wal")).stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30_000, size + 30_000))
        with pytest.raises(StoreError, match="could not be committed"):
            go_on(store, len(BATCHES))

    assert crashing.in_child(run) == 0
    with Store.open(tmp_path / "s") as store:
        assert 0 < store.num_batches < len(BATCHES)
        assert state_of(store) == DIGESTS[store.num_batches]
        go_on(store, len(BATCHES))
        assert state_of(store) == DIGESTS[-1]


def test_readers_during_a_burst_of_writes(tmp_path: Path) -> None:
    fill(tmp_path / "s", 1)
    seen: list[list[int]] = [[], []]
    failures: list[BaseException] = []
    stop = threading.Event()

    def look(numbers: list[int]) -> None:
        try:
            while not (stop.is_set() and numbers):
                version = Store.read(tmp_path / "s")
                assert state_of_version(version) == DIGESTS[version.num_batches]
                numbers.append(version.num_batches)
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=look, args=(numbers,)) for numbers in seen]
    with Store.open(tmp_path / "s") as store:
        for reader in readers:
            reader.start()
        for number in range(2, len(BATCHES) + 1):
            go_on(store, number)
            if number % 4 == 0:
                stop.wait(0.05)
        stop.set()
        for reader in readers:
            reader.join()
    assert not failures, failures[0]
    for numbers in seen:
        assert numbers == sorted(numbers)


def test_kill_at_random_points(tmp_path: Path) -> None:
    rounds = int(os.environ.get("GRAPHSPARSE_CRASHES", "20"))
    code = (
        "import sys, json, pathlib\nsys.path.insert(0, sys.argv[1])\nimport crashing\n"
        "print(json.dumps(crashing.crash_rounds(pathlib.Path(sys.argv[2]), int(sys.argv[3]), 7)))"
    )
    tests = str(Path(crashing.__file__).parent)
    command = [sys.executable, "-c", code, tests, str(tmp_path), str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-3000:]
    counts = json.loads(done.stdout)
    assert counts["recoveries"] >= rounds
    assert counts["finished_runs"] > 0


@pytest.mark.parametrize("size", [8, 64, 4096])
def test_chunks_come_back(size: int) -> None:
    arrays = {
        "a": np.arange(37, dtype=np.int32),
        "b": np.array("text"),
        "c": np.zeros((0, 3)),
        "d": np.arange(5, dtype=np.float64).reshape(5, 1),
    }
    data = b"".join(chunks(arrays.values(), size))
    back = read_arrays(describe_arrays(arrays), data)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert np.array_equal(back[name], array)
    for wrong in (data[:-8], data + bytes(8)):
        with pytest.raises(ValueError, match="bytes"):
            read_arrays(describe_arrays(arrays), wrong)
