"""Durable streams: updates per second and what durability costs, memory, a real temporal graph.

    python benchmarks/stream_store.py                          # about ten minutes
    python benchmarks/stream_store.py --sections speed fuzz
    python benchmarks/stream_store.py --sections memory --updates 10000000

``speed``: a CSV file of local updates of a Delaunay mesh of 2^16 points goes through parser,
sparsifier and disk in batches of 1,000, in turn without and with a store; the store is opened
again and must be the run in memory, bit for bit.  ``forms``: the same updates from every source.
``memory``: events that end by themselves; resident memory over millions of updates.
``overflow``: sx-mathoverflow with a window of 90 days, and TEDDY and FastRP beside it.  ``fuzz``:
rows with random bytes in them; accepted + rejected = read.  One thread of updates each; the disk is
that of ``--folder``.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from harness import RESULTS, ROOT, _status_bytes, write_result
from shared_graphs import data_folder

import graphsparse
from graphsparse import DynamicSparsifier, FastRPStream, Graph, fastrp, grass, teddy
from graphsparse.datasets.synthetic import delaunay_mesh, local_stream
from graphsparse.streaming import (
    DegreeStatistics,
    Embedding,
    InMemory,
    Store,
    StreamRun,
    TeddyStream,
    open_source,
    read_events,
)
from graphsparse.streaming.sources.piece import Piece, Stop

SECTIONS = ("speed", "forms", "memory", "overflow", "fuzz")
DAY = 86_400.0
WORDS = np.array(["insert", "delete"])


def mesh_updates(count: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return a saved start and local updates: four fifths inserts, then deletes."""
    graph, _ = delaunay_mesh(1 << 16, seed=3)
    start = grass(graph, alpha=0.105)
    deletes = count // 5
    updates = local_stream(graph, count - deletes, deletes, num_batches=1, sparsifier=start, seed=3)
    return DynamicSparsifier(graph, start).state(), updates


def write_rows(updates: dict[str, np.ndarray], folder: Path) -> dict[str, Path]:
    """Write the updates in every form; return the files."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ops, u, v = WORDS[updates["op"]].tolist(), updates["u"].tolist(), updates["v"].tolist()
    rows = list(zip(ops, u, v, strict=True))
    texts = {
        "csv": [f"{op},{a},{b},1.0" for op, a, b in rows],
        "tsv": [f"{op}\t{a}\t{b}\t1.0" for op, a, b in rows],
        "txt": [f"{op} {a} {b} 1.0" for op, a, b in rows],
        "jsonl": [f'{{"op": "{op}", "u": {a}, "v": {b}, "w": 1.0}}' for op, a, b in rows],
    }
    files = {}
    for form, lines in texts.items():
        files[form] = folder / f"updates.{form}"
        files[form].write_text("\n".join(lines) + "\n")
    files["parquet"] = folder / "updates.parquet"
    table = pa.table({"op": ops, "u": u, "v": v, "w": np.ones(len(u))})
    pq.write_table(table, files["parquet"])
    return files


def timed(run: Callable[[], Any]) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    start, start_cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - start, time.process_time() - start_cpu


def drain(target: Any, file: Path) -> None:
    for _ in StreamRun(target, open_source(file)).steps():
        pass


def speed(folder: Path, state: dict[str, Any], file: Path, count: int) -> dict[str, Any]:
    """Run in memory and with a store in turn; medians of both."""
    walls: dict[str, list[float]] = {"memory": [], "store": []}
    cpus: dict[str, list[float]] = {"memory": [], "store": []}
    ratios, recovery, size = [], [], 0
    for turn in range(7):
        memory = InMemory(DynamicSparsifier.from_state(state))
        pair = timed(lambda target=memory: drain(target, file))
        place = folder / f"store-{turn}"
        store = Store.create(place, DynamicSparsifier.from_state(state))
        other = timed(lambda target=store: drain(target, file))
        store.close()
        for name, (wall, cpu) in (("memory", pair), ("store", other)):
            walls[name].append(wall)
            cpus[name].append(cpu)
        ratios.append(other[0] / pair[0])
        size = sum(part.stat().st_size for part in place.iterdir())
        start = time.perf_counter()
        with Store.open(place) as again:
            recovery.append(time.perf_counter() - start)
            mine, want = again.stream.state(), memory.stream.state()
            assert all(np.array_equal(mine[name], want[name]) for name in want), "states differ"
            assert again.rows == (count, 0)
        shutil.rmtree(place)
    return {
        "updates": count,
        "batch": 1000,
        "memory_updates_per_s": round(count / statistics.median(walls["memory"])),
        "store_updates_per_s": round(count / statistics.median(walls["store"])),
        "overhead_wall_percent": round(100 * (statistics.median(ratios) - 1), 1),
        "memory_updates_per_cpu_s": round(count / statistics.median(cpus["memory"])),
        "store_updates_per_cpu_s": round(count / statistics.median(cpus["store"])),
        "overhead_cpu_percent": round(
            100 * (statistics.median(cpus["store"]) / statistics.median(cpus["memory"]) - 1), 1
        ),
        "recovery_s": round(statistics.median(recovery), 3),
        "store_bytes": size,
        "runs": len(ratios),
    }


def forms(
    folder: Path, state: dict[str, Any], files: dict[str, Path], count: int
) -> dict[str, Any]:
    """Updates per second into a store from files of every form, and from a folder of them."""
    many = folder / "many"
    many.mkdir()
    lines = files["csv"].read_text().splitlines(keepends=True)
    for part in range(10):
        piece = lines[part * len(lines) // 10 : (part + 1) * len(lines) // 10]
        (many / f"{part}.csv").write_text("".join(piece))
    rates, finals = {}, []
    for form, file in {**files, "folder": many}.items():
        place = folder / f"form-{form}"
        with Store.create(place, DynamicSparsifier.from_state(state)) as store:
            rates[form] = round(count / timed(lambda store=store, f=file: drain(store, f))[0])
            finals.append(store.stream.sparsifier())
        shutil.rmtree(place)
    assert all(final == finals[0] for final in finals), "forms disagree"
    return rates


class Contacts:
    """Events between near nodes of a mesh, one a second; made on the fly, from any offset on."""

    def __init__(self, graph: Graph, count: int) -> None:
        self._u, self._v = (ends.astype(np.int64) for ends in graph.edges())
        self._count = count

    def pieces(self, offset: Any, size: int, seconds: float, stop: Stop) -> Iterator[Piece]:
        at = 0 if offset is None else int(offset)
        while at < self._count and not stop():
            rows = np.arange(at, min(at + size, self._count))
            edge = np.random.default_rng(at).integers(0, len(self._u), len(rows))
            at += len(rows)
            ones = np.ones(len(rows))
            op = np.zeros(len(rows), np.uint8)
            u, v = self._u[edge], self._v[edge]
            yield Piece(op, u, v, ones, rows.astype(float), rows, [], at, lambda row: ("", ""))


def memory(folder: Path, updates: int) -> dict[str, Any]:
    """Resident memory and file size while events come and go, half of the updates each."""
    graph, _ = delaunay_mesh(20_000, seed=5)
    none = Graph.from_edges([], num_nodes=graph.num_nodes)
    store = Store.create(
        folder / "window", DynamicSparsifier(none, none, K=10), window=50_000.0, history="recovery"
    )
    done, marks = 0, []
    start = time.perf_counter()
    for step in StreamRun(store, Contacts(graph, updates // 2), batch_size=1000).steps():
        done += step.report.num_updates
        if step.number % max(1, updates // 200_000) == 0:
            disk = sum(part.stat().st_size for part in (folder / "window").iterdir())
            marks.append((done, _status_bytes("VmRSS") / 2**20, disk / 2**20))
    seconds = time.perf_counter() - start
    store.close()
    table = np.array(marks)
    settled = table[table[:, 0] > 0.1 * done]
    draw(table)
    half = len(settled) // 2
    return {
        "updates": done,
        "updates_per_s": round(done / seconds),
        "window_events": 50_000,
        "rss_mib_after_10_percent": round(float(settled[0, 1]), 1),
        "rss_mib_median_first_half": round(float(np.median(settled[:half, 1])), 1),
        "rss_mib_median_second_half": round(float(np.median(settled[half:, 1])), 1),
        "rss_mib_largest": round(float(settled[:, 1].max()), 1),
        "disk_mib_largest": round(float(settled[:, 2].max()), 1),
    }


def draw(table: np.ndarray) -> None:
    """Draw memory and disk over the updates into ``docs/images``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(table[:, 0] / 1e6, table[:, 1], color="#2663a6", label="resident memory")
    axes.plot(table[:, 0] / 1e6, table[:, 2], color="#9aa1ac", label="files of the store")
    axes.set_xlabel("million updates, a window of 50,000 events")
    axes.set_ylabel("MiB")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(ROOT / "docs" / "images" / "stream_memory.png", dpi=110)


def overflow(folder: Path) -> dict[str, Any]:
    """Stream sx-mathoverflow, in order of time, through a window of 90 days."""
    events = read_events(data_folder() / "temporal" / "sx-mathoverflow.txt.gz")
    file = folder / "events.txt"
    rows = zip(events.u.tolist(), events.v.tolist(), events.time.tolist(), strict=True)
    file.write_text("".join(f"{u} {v} {t:.0f}\n" for u, v, t in rows))
    figures: dict[str, Any] = {"events": len(events.u), "nodes": events.num_nodes}
    figures["self_loops"] = int((events.u == events.v).sum())
    for name, followed in (("sparsifier_alone", False), ("with_teddy_fastrp_degrees", True)):
        figures[name] = one_overflow(folder / name, file, events.num_nodes, followed)
    return figures


def one_overflow(place: Path, file: Path, nodes: int, followed: bool) -> dict[str, Any]:
    none = Graph.from_edges([], num_nodes=nodes)
    stream = DynamicSparsifier(none, none, K=10)
    store = Store.create(place, stream, window=90 * DAY)
    scores, vectors = TeddyStream(none), FastRPStream(none, 16, standardize=False)
    degrees = DegreeStatistics(none)
    consumers = [scores, Embedding(vectors), degrees] if followed else []
    run = StreamRun(store, open_source(file, columns="u v time"), consumers=consumers)
    start = time.perf_counter()
    step = list(run.steps())[-1]
    seconds = time.perf_counter() - start
    graph = stream.graph()
    out = {
        "seconds": round(seconds, 2),
        "events_per_s": round(step.read / seconds),
        "updates": stream.next_update_id,
        "batches": step.number,
        "rejected_rows": step.rejected,
        "edges": graph.num_edges,
        "sparsifier_edges": stream.num_sparsifier_edges,
        "keep": round(step.report.keep, 4),
        "kappa": round(float(stream.kappa().kappa), 3),
        "live_events": len(store.window or ()),
    }
    store.close()
    start = time.perf_counter()
    with Store.open(place) as again:
        out["recovery_s"] = round(time.perf_counter() - start, 3)
        assert again.stream.graph() == graph
        assert again.stream.sparsifier() == stream.sparsifier()
    if followed:
        out |= compare(graph, scores, vectors, degrees)
    return out


def compare(
    graph: Graph, scores: TeddyStream, vectors: FastRPStream, degrees: DegreeStatistics
) -> dict[str, Any]:
    """Compare what followed the stream with what is computed anew."""
    kept = teddy(Graph._trusted(graph.indptr, graph.indices, None, False), 0.5)
    ours = graph.edge_subgraph(scores.mask(0.5))
    assert np.array_equal(ours.indices, kept.indices), "the TEDDY masks differ"
    assert np.array_equal(ours.indptr, kept.indptr), "the TEDDY masks differ"
    again = fastrp(graph, 16, standardize=False)
    gap = float(np.abs(again - vectors.embedding).max())
    assert gap <= 1e-5, gap
    assert np.array_equal(degrees.degree, graph.degree)
    return {"teddy_mask_equal": True, "fastrp_largest_difference": gap, "degrees_equal": True}


def fuzz(folder: Path, count: int) -> dict[str, Any]:
    """Count fuzzed rows of every form; accepted and rejected must add up to what was written."""
    good = {"csv": b"insert,1,2,3", "tsv": b"insert\t1\t2", "text": b"+ 1 2", "jsonl": b'["+",1,2]'}
    figures = {}
    for form, plain in good.items():
        rng = random.Random(form)
        lines = [spoiled(plain, rng) for _ in range(count)]
        rows = sum(not x.startswith(b"#") and bool(x) and not x.isspace() for x in lines)
        nodes = Graph.from_edges([], num_nodes=1000)
        target = InMemory(DynamicSparsifier(nodes, nodes, K=10))
        source = open_source(io.BytesIO(b"\n".join(lines) + b"\n"), format=form)
        run = StreamRun(target, source, rejects=folder / f"bad-{form}")
        applied = sum(step.report.num_updates for step in run.steps())
        read, rejected = target.rows
        written = sum(1 for _ in (folder / f"bad-{form}").open())
        assert read == rows == applied + rejected, (form, read, rows, applied, rejected)
        assert written == rejected, (form, written, rejected)
        figures[form] = {"read": read, "accepted": applied, "rejected": rejected}
    return figures


def spoiled(plain: bytes, rng: random.Random) -> bytes:
    """Return a row with some random bytes in it."""
    line = bytearray(plain)
    for _ in range(rng.choice((0, 0, 1, 2, 8))):
        line[rng.randrange(len(line))] = rng.randrange(256)
    if rng.random() < 0.05:
        line = bytearray(rng.randbytes(rng.randrange(60)))
    return bytes(line).replace(b"\n", b"?")


def main() -> None:
    """Run the sections that were asked for, and keep the figures of the others."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--count", type=int, default=200_000, help="updates of speed and forms")
    parser.add_argument("--updates", type=int, default=10_000_000, help="updates of memory")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of fuzz, each form")
    parser.add_argument("--folder", type=Path, help="where stores are made")
    arguments = parser.parse_args()
    graphsparse.set_num_threads(1)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        if {"speed", "forms"} & set(arguments.sections):
            state, updates = mesh_updates(arguments.count)
            files = write_rows(updates, folder)
            if "speed" in arguments.sections:
                figures["speed"] = speed(folder, state, files["csv"], arguments.count)
            if "forms" in arguments.sections:
                figures["forms"] = forms(folder, state, files, arguments.count)
        if "memory" in arguments.sections:
            figures["memory"] = memory(folder, arguments.updates)
        if "overflow" in arguments.sections:
            figures["overflow"] = overflow(folder)
        if "fuzz" in arguments.sections:
            figures["fuzz"] = fuzz(folder, arguments.rows)
    file = RESULTS / "stream_store.json"
    old = json.loads(file.read_text()) if file.is_file() else {}
    kept = {name: old[name] for name in SECTIONS if name in old}
    write_result("stream_store", {**kept, **figures})


if __name__ == "__main__":
    main()
