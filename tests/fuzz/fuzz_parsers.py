"""Damaged files by the million: each must give a sound graph or a GraphFormatError, at once.

    PYTHONPATH=. python tests/fuzz/fuzz_parsers.py --inputs 100000 --seed 2711 --format metis

Valid files are mutated (bits, bytes, numbers, lines, splices of two files, truncation, headers
that lie) and read in this process.  Any other exception, a graph that breaks its own rules, more
than one second of CPU time, or more memory than 64 times the input + 64 MB ends the run with the
input in a file.  Under the sanitizers:

    cmake -S . -B build/asan -G Ninja -DGS_INPLACE=ON -DGS_SANITIZE=ON && cmake --build build/asan
    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \\
      ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1 PYTHONPATH=. \\
      python tests/fuzz/fuzz_parsers.py --inputs 100000 --format metis --no-memory
"""

from __future__ import annotations

import argparse
import faulthandler
import gzip
import io
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphsparse import Graph, GraphFormatError, set_num_threads
from graphsparse.io import iter_edge_batches, read_graph, write_graph

MAX_SECONDS = 1.0
FREE_BYTES = 64 << 20
MOST_TIMES = 64
EXTREMES = (
    *("0", "-0", "-1", "1", "2", "400000", "2147483646", "2147483647", "2147483648", "4294967296"),
    *("9223372036854775807", "9223372036854775808", "9" * 20, "1" * 40, "100000000000", "1e400"),
    *("-1e400", "1e-400", "nan", "inf", "0x7f", "1.5", "1e5", ".", "-", "+1", "", "٣", "1_0"),
)
TOKENS = (
    *(b"\n", b"\r", b"\r\n", b" ", b"\t", b",", b";", b'"', b"'", b"#", b"%", b"//", b"\0"),
    *(b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"[", b"]", b"<", b">", b"&amp;", b"{}", b"-", b"."),
)


def graphs() -> list[Graph]:
    """Return small graphs of every kind that a file can hold."""
    rng = np.random.default_rng(5)
    made = []
    for n, m in ((1, 0), (4, 4), (30, 60)):
        edges = rng.integers(0, n, (m, 2))
        for directed in (False, True):
            plain = Graph.from_edges(edges, num_nodes=n, directed=directed).coalesce()
            plain = plain.without_self_loops()
            weights = rng.integers(1, 99, plain.num_edges).astype(float)
            made.append(plain)
            made.append(
                Graph.from_edges(plain.edges(), num_nodes=n, weights=weights, directed=directed)
            )
    return made


def written(suffix: str) -> list[bytes]:
    """Return the bytes of every graph that the format holds."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"g{suffix}"
        for graph in graphs():
            try:
                write_graph(graph, path)
            except ValueError:
                continue
            found.append(path.read_bytes())
    return found


def scipy_files() -> list[bytes]:
    """Return matrices as ``scipy.sparse.save_npz`` writes them."""
    import scipy.sparse as sp

    found = []
    for graph in graphs():
        for form in ("csr", "csc", "coo"):
            file = io.BytesIO()
            sp.save_npz(file, graph.to_scipy().asformat(form), compressed=form == "coo")
            found.append(file.getvalue())
    return found


EDGE_TEXTS = [
    b"0 1\n1 2\n2 0\n",
    b"# c\r\n0\t1\t0.5\r\n\r\n1\t2\t1e-3\r\n",
    b'source,target,weight\n"0","1",0.25\n2, 3 ,7\n',
    b"0;1;-1\n1;2;3.5\n",
    b"1 2 3 4\n2 3 4 5\n",
]
NAME_TEXTS = [
    b'alice bob\n"bob" "carol ""c"""\n',
    "zoë\t日本\nзоя\tzoë\n".encode(),
    b"a,b,1\nb,c,2\n",
]
METIS_TEXTS = [
    b"4 4 011 2\n1 1 2 5 4 8\n1 1 1 5 3 6\n1 1 2 6 4 7\n1 1 1 8 3 7\n",
    b"% c\n3 1 100\n9\n9 3\n9 2\n",
]
MARKET_TEXTS = [
    b"%%MatrixMarket matrix coordinate integer symmetric\n% c\n3 3 2\n2 1 5\n3 2 -6\n",
    b"%%MatrixMarket matrix coordinate real general\n3 3 2\n2 1 5e-1\n3 2 .5\n",
]
ANY_POLICY: list[dict[str, Any]] = [
    {},
    {"duplicates": "sum", "self_loops": "drop", "negative": "abs"},
    {"duplicates": "keep", "self_loops": "keep", "negative": "allow", "directed": True},
    {"duplicates": "first", "directed": False},
]
LIST_OPTIONS = [*ANY_POLICY, {"base": 1}, {"weight": None}, {"relabel": True}, {"header": True}]

# name -> (format, corpus, options)
TARGETS: dict[str, tuple[str, Callable[[], list[bytes]], list[dict[str, Any]]]] = {
    "edge_list": (
        "edge_list",
        lambda: EDGE_TEXTS + written(".txt") + written(".csv"),
        LIST_OPTIONS,
    ),
    "names": ("edge_list", lambda: NAME_TEXTS, [{"relabel": True}, {"ids": "string"}, {}]),
    "matrix_market": ("matrix_market", lambda: MARKET_TEXTS + written(".mtx"), ANY_POLICY),
    "metis": ("metis", lambda: METIS_TEXTS + written(".graph"), ANY_POLICY),
    "npz": ("npz", lambda: written(".npz"), ANY_POLICY),
    "scipy": ("npz", scipy_files, ANY_POLICY),
    "parquet": ("arrow", lambda: written(".parquet"), ANY_POLICY),
    "arrow": ("arrow", lambda: written(".feather"), ANY_POLICY),
    "graphml": ("graphml", lambda: written(".graphml"), ANY_POLICY),
    "gml": ("gml", lambda: written(".gml"), ANY_POLICY),
    "gzip": ("edge_list", lambda: [gzip.compress(text, 6) for text in written(".txt")], [{}]),
}
NATIVE = ("edge_list", "names", "matrix_market", "metis")


def replace_number(rng: random.Random, data: bytes, first_line: bool) -> bytes:
    """Put an extreme in the place of a number, in the first lines if a header is to lie."""
    limit = len(data) if not first_line else (data + b"\n\n").index(b"\n") + 40
    found = list(re.finditer(rb"[-+.\deE]+", data[:limit]))
    if not found:
        return data
    at = rng.choice(found)
    number = rng.choice(EXTREMES)
    if rng.random() < 0.2:
        number = str(rng.randrange(10 ** rng.randrange(1, 22)))
    return data[: at.start()] + number.encode() + data[at.end() :]


def mutate_lines(rng: random.Random, data: bytes) -> bytes:
    """Drop, double, swap or turn round a line."""
    lines = data.split(b"\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(4)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(other, lines[at])
    elif kind == 2:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at] = b" ".join(reversed(lines[at].split()))
    return b"\n".join(lines)


def mutate(rng: random.Random, data: bytes, corpus: list[bytes]) -> bytes:
    """Return ``data`` with one thing wrong with it."""
    kind = rng.randrange(9)
    at = rng.randrange(len(data)) if data else 0
    if kind == 0 or not data:
        return data[:at] + rng.choice(TOKENS) + data[at:]
    if kind == 1:
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    if kind == 2:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    if kind == 3:
        return data[:at]
    if kind == 4:
        return data[:at] + data[at + rng.randrange(1, 9) :]
    if kind == 5:
        other = rng.choice(corpus)
        return data[:at] + other[rng.randrange(len(other)) :]
    if kind == 6:
        return mutate_lines(rng, data)
    return replace_number(rng, data, first_line=kind == 7)


def inputs(name: str, seed: int, count: int) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield damaged files of one kind with options to read them."""
    rng = random.Random(f"{name} {seed}")
    _, corpus_of, options = TARGETS[name]
    corpus = corpus_of()
    for _ in range(count):
        data = rng.choice(corpus)
        for _ in range(1 + int(rng.expovariate(1.0))):
            data = mutate(rng, data, corpus)
        yield data, rng.choice(options)


def read(name: str, data: bytes, options: dict[str, Any], folder: Path) -> str:
    """Read one input; return how it ended.  Whatever else is raised is a finding."""
    form = TARGETS[name][0]
    source: Any = io.BytesIO(data)
    if name == "gzip":
        source = folder / "g.txt.gz"
        source.write_bytes(data)
    try:
        graph = read_graph(source, format=form, **options)
    except GraphFormatError:
        return "GraphFormatError"
    Graph(graph.indptr, graph.indices, graph.weights, graph.directed)
    return "graph"


def read_batches(name: str, data: bytes, options: dict[str, Any]) -> None:
    """Read the same bytes as a stream of batches."""
    kept = {key: value for key, value in options.items() if key in ("base", "weight", "header")}
    try:
        for u, v, _ in iter_edge_batches(
            io.BytesIO(data), batch_rows=3, format=TARGETS[name][0], **kept
        ):
            assert 0 < len(u) == len(v) <= 3
    except GraphFormatError:
        return


def peak_bytes() -> int:
    """Return the high-water mark of resident memory, and reset it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
    Path("/proc/self/clear_refs").write_text("5")
    return peak


def fuzz(name: str, seed: int, count: int, *, check_memory: bool = True) -> Counter[str]:
    """Run ``count`` inputs of one kind; return the outcomes and the slowest in microseconds."""
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        import pyarrow.parquet  # noqa: F401, what a format imports is not the file's doing

        for data, options in inputs(name, seed + 1, 50):
            read(name, data, options, folder)
        peak_bytes()
        base, largest = peak_bytes(), 0
        for i, (data, options) in enumerate(inputs(name, seed, count)):
            if i % 64 == 0:  # for a hang inside native code
                faulthandler.dump_traceback_later(120, exit=True)
            start = time.process_time()
            try:
                ends[read(name, data, options, folder)] += 1
                if name in NATIVE and i % 4 == 0:
                    read_batches(name, data, options)
            except BaseException:
                report(name, data, options)
                raise
            seconds = time.process_time() - start
            ends["slowest, us"] = max(ends["slowest, us"], round(seconds * 1e6))
            largest = max(largest, len(data))
            if seconds > MAX_SECONDS:
                report(name, data, options)
                raise TimeoutError(f"{seconds:.2f} s of CPU time for {len(data)} bytes")
            if check_memory and i % 64 == 63:
                grown = peak_bytes() - base
                ends["most memory, kB"] = max(ends["most memory, kB"], grown >> 10)
                if grown > FREE_BYTES + MOST_TIMES * largest:
                    report(name, data, options)
                    raise MemoryError(f"{grown} bytes more for inputs up to {largest} bytes")
        faulthandler.cancel_dump_traceback_later()
    return ends


def report(name: str, data: bytes, options: dict[str, Any]) -> None:
    """Keep the input that failed."""
    path = Path(tempfile.gettempdir()) / f"fuzz-{name}.bin"
    path.write_bytes(data)
    print(f"{name}: failed with {options} on {path} ({len(data)} bytes)", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int, default=1000, help="inputs of each format")
    parser.add_argument("--seed", type=int, default=2711)
    parser.add_argument("--format", choices=sorted(TARGETS), action="append", help="default: all")
    parser.add_argument("--no-memory", action="store_true", help="do not bound memory (sanitizers)")
    given = parser.parse_args()
    set_num_threads(1)
    for name in given.format or TARGETS:
        start = time.perf_counter()
        ends = fuzz(name, given.seed, given.inputs, check_memory=not given.no_memory)
        seconds = time.perf_counter() - start
        told = dict(sorted(ends.items()))
        print(f"{name}: {given.inputs} inputs in {seconds:.1f} s: {told}", flush=True)


if __name__ == "__main__":
    main()
