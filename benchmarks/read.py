"""Reading a text edge list: the parser alone, the whole of read_graph, and what others do.

    PYTHONPATH=. python benchmarks/read.py [--edges 5000000] [--nodes 1000000] [--skip-loadtxt]

One thread, the file in the page cache.  Every reader's arrays are compared with what was written
before anything is timed.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import measure, peak_rss, write_result

from graphsparse import Graph, read_graph, set_num_threads, write_graph
from graphsparse.backend import native
from graphsparse.io import iter_edge_batches

Array = np.ndarray[Any, Any]


def make_edges(n: int, m: int) -> tuple[Array, Array]:
    """Return ``m`` different pairs ``u < v`` in random order, ends by a power law."""
    rng = np.random.default_rng(31)
    found = np.zeros(0, np.int64)
    while len(found) < m:
        ends = (n * rng.random((2, m)) ** 2).astype(np.int64)
        low, high = ends.min(axis=0), ends.max(axis=0)
        found = np.unique(np.concatenate((found, (low * n + high)[low != high])))
    chosen = rng.permutation(found)[:m]
    return chosen // n, chosen % n


def parse_only(text: bytes) -> Callable[[], tuple[Array, Array]]:
    """Return the native parser applied to text in memory, in pieces as read_graph takes them."""
    size, piece = len(text), 1 << 22
    buffer = np.frombuffer(text + b"\n" * native.text_padding, np.uint8).copy()
    cuts = [0]
    while cuts[-1] < size:
        end = min(size, cuts[-1] + piece)
        cuts.append(text.rfind(b"\n", cuts[-1], end) + 1)

    def run() -> tuple[Array, Array]:
        parts = [
            native.parse_edges(buffer[a:], b - a, 0, 2, [0, 1, -1], 7, 0, 2**62, 1)[:2]
            for a, b in itertools.pairwise(cuts)
        ]
        u, v = (np.concatenate([part[i] for part in parts]) for i in range(2))
        return u, v

    return run


def others(path: Path, loadtxt: bool) -> dict[str, Callable[[], tuple[Array, Array]]]:
    """Return what else reads such a file into two arrays, where it is installed."""
    found: dict[str, Callable[[], tuple[Array, Array]]] = {}

    def batches() -> tuple[Array, Array]:
        u, v = zip(*((u, v) for u, v, _ in iter_edge_batches(path)), strict=True)
        return np.concatenate(u), np.concatenate(v)

    found["iter_edge_batches"] = batches
    try:
        import pyarrow.csv as pc

        options = {
            "read_options": pc.ReadOptions(column_names=["u", "v"], use_threads=False),
            "parse_options": pc.ParseOptions(delimiter=" "),
        }

        def arrow() -> tuple[Array, Array]:
            table = pc.read_csv(path, **options)
            return table["u"].to_numpy(), table["v"].to_numpy()

        found["pyarrow.csv"] = arrow
    except ImportError:
        pass
    try:
        import pandas as pd

        def pandas() -> tuple[Array, Array]:
            frame = pd.read_csv(path, sep=" ", header=None)
            return frame[0].to_numpy(), frame[1].to_numpy()

        found["pandas.read_csv"] = pandas
    except ImportError:
        pass
    if loadtxt:
        found["numpy.loadtxt"] = lambda: tuple(np.loadtxt(path, dtype=np.int64).T)  # type: ignore[assignment]
    return found


def row(run: Callable[[], Any], m: int, repeat: int = 5) -> dict[str, Any]:
    """Time one reader."""
    time = measure(run, repeat=repeat)
    return {**time.as_dict(), "million_edges_per_s": round(m / time.cpu_median / 1e6, 1)}


def formats(graph: Graph, folder: Path) -> dict[str, Any]:
    """Time reading and writing the same graph in the other formats."""
    m = graph.num_edges
    found = {}
    for suffix in (".csv", ".mtx", ".graph", ".npz", ".parquet", ".txt.gz"):
        path = folder / f"g{suffix}"
        written = measure(lambda path=path: write_graph(graph, path), repeat=1, warmup=0)
        assert read_graph(path) == graph, suffix
        found[suffix] = {
            "bytes": path.stat().st_size,
            "read": row(lambda path=path: read_graph(path), m, repeat=3),
            "write_s": round(written.cpu_median, 3),
        }
        path.unlink()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--edges", type=int, default=5_000_000)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--skip-loadtxt", action="store_true", help="it takes seconds per run")
    given = parser.parse_args()
    set_num_threads(1)
    m = given.edges
    u, v = make_edges(given.nodes, m)
    want = Graph.from_edges((u, v), num_nodes=int(max(u.max(), v.max())) + 1)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "g.txt"
        text = bytes(native.format_edges(u, v, np.zeros(0), 0, ord(" ")))
        path.write_bytes(text)
        readers = {"parse": parse_only(text), **others(path, not given.skip_loadtxt)}
        for name, reader in readers.items():
            got = reader()
            assert np.array_equal(got[0], u), name
            assert np.array_equal(got[1], v), name
        assert read_graph(path) == want
        figures: dict[str, Any] = {
            "edges": m,
            "nodes": want.num_nodes,
            "bytes": len(text),
            "threads": 1,
            "note": "million_edges_per_s is by CPU time; all results equal before timing",
            "read_graph": row(lambda: read_graph(path), m),
            "read_graph_peak_bytes_beside_result": peak_rss(lambda: read_graph(path)) - want.nbytes,
        }
        for name, reader in readers.items():
            figures[name] = row(reader, m, repeat=1 if name == "numpy.loadtxt" else 5)
        path.unlink()
        figures["other_formats"] = formats(want, Path(scratch))
    write_result("read", figures)


if __name__ == "__main__":
    main()
