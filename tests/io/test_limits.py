"""Memory that no header can inflate, Ctrl-C between pieces, and the import that stays light."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from graphsparse import GraphFormatError, read_graph
from graphsparse.io.streams import ByteSource

HEAD = "%%MatrixMarket matrix coordinate"
BIG = 10**11
LIES = {
    "a.mtx": f"{HEAD} pattern general\n3 3 {BIG}\n1 2\n",
    "b.mtx": f"{HEAD} real symmetric\n{BIG} {BIG} {BIG}\n1 2 1\n",
    "c.graph": f"{BIG} {BIG}\n2\n1\n",
    "d.graph": f"2 {BIG} 011 999\n2\n1\n",
    "e.txt": f"0 {BIG}\n",
    "f.txt": f"# graphsparse nodes={BIG} directed=no\n0 1\n",
    "g.csv": f"0,{2**31 - 1}\n",
}


def peak_bytes(path) -> int:
    """Return how far resident memory rises above an import of everything while a file is read."""
    code = (
        "import sys, graphsparse.io as io, graphsparse.io.edge_list, graphsparse.io.metis\n"
        "import graphsparse.io.matrix_market\n"
        "from pathlib import Path\n"
        "def status(field):\n"
        "    lines = Path('/proc/self/status').read_text().splitlines()\n"
        "    return next(int(x.split()[1]) for x in lines if x.startswith(field)) * 1024\n"
        "before = status('VmRSS')\n"
        "try:\n"
        "    io.read_graph(sys.argv[1])\n"
        "except ValueError:\n"
        "    pass\n"
        "print(status('VmHWM') - before)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    return int(run.stdout)


@pytest.mark.parametrize("name", LIES)
def test_lies_are_told_apart(name, tmp_path):
    path = tmp_path / name
    path.write_text(LIES[name])
    with pytest.raises(GraphFormatError, match="expected"):
        read_graph(path)


@pytest.mark.parametrize("name", ["b.mtx", "c.graph", "e.txt"])
def test_lies_do_not_allocate(name, tmp_path):
    path = tmp_path / name
    path.write_text(LIES[name])
    assert peak_bytes(path) < 64 << 20


@pytest.mark.parametrize("kind", ["shortest lines", "blank lines", "largest id", "blank rows"])
def test_memory_stays_within_64_times_the_text(kind, tmp_path):
    size = 4_000_000
    text = {
        "shortest lines": b"0 1\n" * (size // 4),
        "blank lines": b"0 1\n" + b"\n" * size,
        "largest id": b"0 1\n" * (size // 4) + b"0 %d\n" % (size // 4 + (1 << 19) - 1),
        "blank rows": b"%d 0\n" % size + b"\n" * size,
    }[kind]
    path = tmp_path / ("g.graph" if kind == "blank rows" else "g.txt")
    path.write_bytes(text)
    assert peak_bytes(path) < 64 * len(text) + (64 << 20)


def test_a_gzip_file_is_not_held_whole(tmp_path):
    path = tmp_path / "g.txt.gz"
    path.write_bytes(gzip.compress(b"0 1\n" + b"# nothing here\n" * 6_000_000, 1))
    assert peak_bytes(path) < 64 << 20  # the text has 90 MB


def test_ctrl_c_stops_between_pieces(tmp_path, monkeypatch):
    path = tmp_path / "g.txt"
    path.write_bytes(b"".join(b"%d %d\n" % (i, i + 1) for i in range(300_000)))
    monkeypatch.setattr("graphsparse.io.text.CHUNK", 4096)
    whole = ByteSource.readinto

    def slow(self, view):
        time.sleep(0.01)
        return whole(self, view)

    monkeypatch.setattr(ByteSource, "readinto", slow)
    timer = threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        read_graph(path)
    assert time.perf_counter() - start < 2
    timer.join()


def test_the_parser_lets_other_threads_run():
    from graphsparse.backend import native

    line = b"123456 7654321\n"
    text = np.frombuffer(line * 2_000_000 + b"\0" * 64, np.uint8).copy()
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    other = threading.Thread(target=tick)
    other.start()
    start = time.perf_counter()
    for _ in range(3):
        native.parse_edges(text, len(text) - 64, 0, 2, [0, 1, -1], 7, 0, 2**62, 1)
    end = time.perf_counter()
    stop.set()
    other.join()
    during = [t for t in ticks if start < t < end]
    assert len(during) >= (end - start) / 0.05


def test_import_of_io_is_light():
    code = "import sys, graphsparse.io; print(*{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    heavy = {"pyarrow", "networkx", "pandas", "torch", "scipy"}
    assert not set(run.stdout.split()) & heavy
