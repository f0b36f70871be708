"""FastRP against SciPy, torch, the authors' formulation and Cleora; memory, scaling, streams.

``python benchmarks/fastrp.py power whole memory linear large stream`` runs the sections named;
each adds to ``benchmarks/results/fastrp.json``, so that they can run one by one.  Contenders run
in one process on the threads that are stated; ratios are of medians of one run.
``--cache FILE.npz`` keeps the graph between runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from harness import RESULTS, commit, machine, measure, peak_rss, write_result

import graphsparse
from graphsparse import FastRPStream, Graph, fastrp
from graphsparse.datasets.synthetic import power_law
from graphsparse.io import read_graph, write_graph
from graphsparse.sketch import FastRPOptions, estimate_memory
from graphsparse.sketch.powers import Run
from graphsparse.sketch.projection import Inputs, Projection
from graphsparse.sketch.rows import Sink, Source, fresh, multiply
from graphsparse.sketch.transition import transition

NODES, EDGES, EXPONENT, SEED = 1_000_000, 10_543_406, 2.3, 271
ALPHA = 6.67


def make_graph(cache: str | None) -> Graph:
    if cache and Path(cache).is_file():
        return read_graph(cache)
    graph = power_law(NODES, EDGES, exponent=EXPONENT, seed=SEED)
    if cache:
        write_graph(graph, cache)
    return graph


def scipy_transition(graph: Graph, dtype=np.float32):
    """D^-1 A as SciPy has it, int32 indices."""
    import scipy.sparse as sp

    scale = (1.0 / np.maximum(graph.degree, 1)).astype(dtype)
    arrays = (np.repeat(scale, graph.degree), graph.indices, graph.indptr.astype(np.int32))
    return sp.csr_matrix(arrays, shape=(graph.num_nodes, graph.num_nodes))


def normalise_and_add(power, merged) -> None:
    """What the fused kernel does after the product, as one writes it in NumPy."""
    length = np.linalg.norm(power, axis=1, keepdims=True)
    length[length == 0] = 1
    merged += ALPHA * (power / length)


def normalise_and_add_tuned(power, merged) -> None:
    """The same with fewer passes over memory."""
    length = np.sqrt(np.einsum("ij,ij->i", power, power))
    factor = np.divide(ALPHA, length, out=np.zeros_like(length), where=length > 0)
    merged += factor[:, None] * power


def copy_bandwidth() -> float:
    """Bytes read and written per second by NumPy's copy of 1 GB, one thread."""
    a = np.ones(1 << 27)
    b = np.empty_like(a)
    return 2 * a.nbytes / measure(lambda: np.copyto(b, a)).median


def traffic(graph: Graph, dim: int) -> dict[str, float]:
    """Bytes of one power with merging: every row gathered from memory, and each row once."""
    n, arcs, row = graph.num_nodes, graph.num_arcs, 4 * dim
    fixed = 4 * arcs + 8 * n + 4 * n + 3 * n * row  # arcs, rows, scale; write U, read and write S
    return {"no_cache": fixed + arcs * row, "once": fixed + n * row}


def section_power(graph: Graph, dim: int) -> dict:
    """One power, with row norm and accumulation, and the first power."""
    import torch

    torch.set_num_threads(1)
    matrix = transition(graph, FastRPOptions(dim=dim))
    projection = Projection(FastRPOptions(dim=dim, n_threads=1), Inputs(), matrix.ell)
    signs, n = projection.source(), graph.num_nodes
    x, y, merged = (fresh(n, dim, np.float32) for _ in range(3))
    merged[:] = 0

    def ours(source: Source, threads: int = 1, **sink) -> None:
        sink = Sink(power=sink.pop("power", y), **sink)
        multiply(matrix.rows, source, dim, sink, threads, dtype=np.float32)

    full = {"merged": merged, "alpha": ALPHA, "unit": True}
    ours(signs, power=x)
    csr = scipy_transition(graph)
    ours(Source(x))
    want = csr @ x
    assert np.abs(y - want).max() <= 1e-5 * np.abs(want).max(), "the kernel is wrong"
    dense = projection.dense()
    assert np.abs(csr @ dense - x).max() <= 1e-5 * np.abs(x).max(), "the first power is wrong"
    del dense, want
    wide = torch.sparse_csr_tensor(
        torch.from_numpy(csr.indptr), torch.from_numpy(csr.indices), torch.from_numpy(csr.data),
        size=csr.shape,
    )  # fmt: skip
    tensor = torch.from_numpy(x)
    times = {
        "power": measure(lambda: ours(Source(x)), repeat=3),
        "power_merged": measure(lambda: ours(Source(x), **full), repeat=5),
        "power_merged_2_threads": measure(lambda: ours(Source(x), 2, **full), repeat=5),
        "first": measure(lambda: ours(signs), repeat=5),
        "first_2_threads": measure(lambda: ours(signs, 2), repeat=5),
        "scipy": measure(lambda: csr @ x, repeat=3 if dim < 512 else 1, warmup=0),
        "numpy_merge": measure(lambda: normalise_and_add(y, merged), repeat=3, warmup=0),
        "numpy_merge_tuned": measure(
            lambda: normalise_and_add_tuned(y, merged), repeat=3, warmup=0
        ),
        "torch": measure(lambda: wide @ tensor, repeat=3, warmup=0),
    }
    return power_figures(graph, dim, times)


def power_figures(graph: Graph, dim: int, times: dict) -> dict:
    """Ratios and bandwidth of one width."""
    t = {name: time.median for name, time in times.items()}
    scipy_numpy = t["scipy"] + t["numpy_merge"]
    bandwidth, bytes_moved = copy_bandwidth(), traffic(graph, dim)
    return {
        "times": {name: time.as_dict() for name, time in times.items()},
        "scipy_numpy_over_power": round(scipy_numpy / t["power_merged"], 2),
        "scipy_tuned_numpy_over_power": round(
            (t["scipy"] + t["numpy_merge_tuned"]) / t["power_merged"], 2
        ),
        "torch_over_power": round(t["torch"] / t["power_merged"], 2),
        "torch_alone_over_power_alone": round(t["torch"] / t["power"], 2),
        "torch_and_tuned_numpy_over_power": round(
            (t["torch"] + t["numpy_merge_tuned"]) / t["power_merged"], 2
        ),
        "scipy_numpy_over_first": round(scipy_numpy / t["first"], 2),
        "scipy_over_first": round(t["scipy"] / t["first"], 2),
        "two_threads_speedup": round(t["power_merged"] / t["power_merged_2_threads"], 2),
        "two_threads_speedup_first": round(t["first"] / t["first_2_threads"], 2),
        "copy_bandwidth_gb_s": round(bandwidth / 1e9, 1),
        "bandwidth_fraction_if_no_cache": round(
            bytes_moved["no_cache"] / t["power_merged"] / bandwidth, 2
        ),
        "bandwidth_fraction_if_each_row_once": round(
            bytes_moved["once"] / t["power_merged"] / bandwidth, 2
        ),
    }


def authors_form(graph: Graph, dim: int, *, sparse: bool):
    """The published formulation: float64 products in SciPy, every power kept, then the merge.

    The random matrix is scikit-learn's, as in the authors' code; isolated nodes, which divide by
    zero there, get zero rows.
    """
    from scipy.sparse import diags, issparse
    from sklearn import random_projection
    from sklearn.preprocessing import normalize, scale

    adjacency = graph.to_scipy()
    degree = np.asarray(adjacency.sum(1), dtype=np.float64).ravel()
    m = diags(np.divide(1.0, degree, out=np.zeros_like(degree), where=degree > 0)) @ adjacency
    kind = "SparseRandomProjection" if sparse else "GaussianRandomProjection"
    maker = getattr(random_projection, kind)(n_components=dim, random_state=42)
    n = graph.num_nodes
    components = (
        maker._make_random_matrix(dim, n)
        if not sparse
        else random_projection._sparse_random_matrix(dim, n, 1 / np.sqrt(n), random_state=42)
    )
    factors = np.where(degree > 0, np.maximum(degree, 1.0) ** -0.5, 1.0)
    power = m @ (diags(factors) @ components.T)
    powers = [power]
    for _ in range(3):
        powers.append(m @ powers[-1])
    total = sum(a * normalize(u) for a, u in zip((0, 0, 1, ALPHA), powers, strict=True) if a)
    return scale(total.toarray() if issparse(total) else total)


def cleora_seconds(graph: Graph, dim: int) -> dict | None:
    """Loading and four iterations of pycleora on one thread; None where it is not installed."""
    try:
        from pycleora import SparseMatrix
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "edges.txt"
        np.savetxt(file, np.stack(graph.edges(), 1), fmt="%d")
        start = time.perf_counter()
        matrix = SparseMatrix.from_files([str(file)], "complex::reflexive::node", num_workers=1)
        load = time.perf_counter() - start

    def embed() -> None:
        matrix.embed_fast(dim, 4, propagation="left", seed=1, num_workers=1)

    return {"load_s": round(load, 2), **measure(embed, repeat=3, warmup=0).as_dict()}


def section_whole(graph: Graph, dim: int) -> dict:
    """Four powers from the graph to standardised vectors."""
    graphsparse.set_num_threads(1)
    ours = measure(lambda: fastrp(graph, dim), repeat=3)
    graphsparse.set_num_threads(2)
    two = measure(lambda: fastrp(graph, dim), repeat=3)
    graphsparse.set_num_threads(1)
    half = measure(lambda: fastrp(graph, dim, storage_dtype="bfloat16"), repeat=3)
    out = {
        "fastrp": ours.as_dict(),
        "fastrp_2_threads": two.as_dict(),
        "fastrp_bfloat16": half.as_dict(),
        "two_threads_speedup": round(ours.median / two.median, 2),
    }
    cleora = cleora_seconds(graph, dim)
    if cleora:
        out["cleora"] = cleora
        out["cleora_over_fastrp"] = round(cleora["median_s"] / ours.median, 2)
    if dim <= 256:  # above, their four float64 powers do not fit 24 GB
        theirs = measure(lambda: authors_form(graph, dim, sparse=False), repeat=1, warmup=0)
        out["authors_gaussian"] = theirs.as_dict()
        out["authors_gaussian_over_fastrp"] = round(theirs.median / ours.median, 2)
    return out


def section_authors_sparse(graph: Graph) -> dict:
    """The authors' formulation with their very sparse matrix: all powers stay sparse."""
    graphsparse.set_num_threads(1)
    ours = measure(lambda: fastrp(graph, 64), repeat=3)
    theirs = measure(lambda: authors_form(graph, 64, sparse=True), repeat=1, warmup=0)
    ratio = round(theirs.median / ours.median, 2)
    return {"dim": 64, "fastrp": ours.as_dict(), "authors": theirs.as_dict(), "ratio": ratio}


def section_memory(cache: str) -> dict:
    """Peak beyond the graph, in a fresh process per width."""
    rows = {}
    for dim in (128, 256, 512):
        code = (
            f"import fastrp as b, harness; graph = b.make_graph({cache!r}); "
            f"b.fastrp(b.power_law(1000, 20000, seed=3), {dim}); "
            f"print(harness.peak_rss(lambda: b.fastrp(graph, {dim})))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=Path(__file__).parent, check=True,
            capture_output=True, text=True,
        )  # fmt: skip
        peak = int(done.stdout)
        told = estimate_memory(NODES, 2 * EDGES, dim)
        rows[dim] = {
            "peak_bytes": peak,
            "peak_over_3nd4": round(peak / (12 * NODES * dim), 3),
            "estimated_bytes": told.result + told.scratch,
        }
    return rows


def section_linear(largest: int) -> dict:
    """Seconds of four powers at dim 64 for 10^5 to ``largest`` arcs; 20 arcs a node."""
    graphsparse.set_num_threads(1)
    rows = []
    for arcs in (10**5, 10**6, 10**7, 3 * 10**7, 10**8):
        if arcs > largest:
            break
        graph = power_law(arcs // 20, arcs // 2, exponent=EXPONENT, seed=SEED)
        seconds = measure(lambda graph=graph: fastrp(graph, 64), repeat=3)
        rows.append({"arcs": graph.num_arcs, **seconds.as_dict()})
        del graph
    logs = np.log([[row["arcs"], row["median_s"]] for row in rows])
    slope = round(float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0]), 3)
    beyond = logs[-2:]
    last = round(float((beyond[1, 1] - beyond[0, 1]) / (beyond[1, 0] - beyond[0, 0])), 3)
    return {"rows": rows, "slope_of_log_time": slope, "slope_between_the_last_two": last}


def section_large(cache: str | None) -> dict:
    """100 M arcs, 5 M nodes, dim 128, two threads; ``cache`` keeps the graph."""
    file = f"{cache}.large.npz" if cache else None
    if file and Path(file).is_file():
        graph = read_graph(file)
    else:
        graph = power_law(5_000_000, 50_000_000, exponent=EXPONENT, seed=SEED)
        if file:
            write_graph(graph, file)
    graphsparse.set_num_threads(2)
    clock = time.perf_counter()
    extra = peak_rss(lambda: fastrp(graph, 128))
    seconds = time.perf_counter() - clock
    return {
        "graph": repr(graph),
        "seconds": round(seconds, 2),
        "peak_bytes_beyond_graph": extra,
        "peak_with_graph_gb": round((extra + graph.nbytes) / 1e9, 2),
    }


def row_errors(stream: FastRPStream) -> dict:
    """How far the rows of a stream are from those of a rebuild."""
    graph, options = stream.graph(), stream.options
    matrix = transition(graph, options)
    run = Run(matrix.rows, Projection(options, Inputs(), matrix.ell), keep=True)
    run.run()
    gap = [np.linalg.norm(a - b, axis=1) for a, b in zip(stream.powers, run.powers, strict=True)]
    length = [np.linalg.norm(b, axis=1) for b in run.powers]
    out = {"largest_row_error": [float(f"{g.max():.3g}") for g in gap]}
    out["median_row_length"] = [float(f"{np.median(x):.3g}") for x in length]
    relative = [g / np.maximum(x, 1e-30) for g, x in zip(gap, length, strict=True)]
    out["mean_relative_error"] = [float(f"{r.mean():.3g}") for r in relative]
    out["share_of_rows_above_1_percent"] = [float(f"{(r > 0.01).mean():.3g}") for r in relative]
    return out


def section_stream(graph: Graph) -> None:
    """Batches of 1, 10 and 100 edges at dim 128, one thread, against computing all powers."""
    graphsparse.set_num_threads(1)
    for prune in (1e-4, 1e-5, 0.0, 1e-6):
        for freeze in (False, True):
            stream = FastRPStream(graph, 128, prune=prune, freeze_degree=freeze)
            rebuild = measure(stream.rebuild, repeat=2).median
            rng = np.random.default_rng(1)
            rows = {}
            for size in (1, 10, 100):
                seconds, recomputed = [], []
                for _ in range(3 if prune == 0 else 9):
                    report = stream.update(inserts=rng.integers(0, NODES, (size, 2)))
                    seconds.append(report.seconds)
                    recomputed.append(report.recomputed)
                typical = float(np.median(seconds))
                rows[size] = {
                    "seconds": round(typical, 6),
                    "speedup_over_rebuild": round(rebuild / typical, 1),
                    "rows_recomputed": np.median(recomputed, axis=0).astype(int).tolist(),
                }
            name = f"prune={prune:g}, freeze_degree={freeze}"
            figures: dict = {"rebuild_s": round(rebuild, 3), "batches": rows}
            if prune and not freeze:
                figures["errors"] = row_errors(stream)
            save("stream", {name: figures})
            del stream


def save(section: str, figures: dict) -> None:
    """Add a section to the result file."""
    file = RESULTS / "fastrp.json"
    before = json.loads(file.read_text()) if file.is_file() else {}
    sections = before.get("sections", {})
    own = sections.get(section, {}) if section in ("power", "whole", "stream") else {}
    sections[section] = {**own, **figures, "commit": commit(), "load": machine()["load_average"]}
    write_result("fastrp", {"sections": dict(sorted(sections.items()))})


def main() -> None:
    names = ["power", "whole", "authors_sparse", "memory", "linear", "large", "stream"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", default=names, metavar="SECTION")
    parser.add_argument("--dim", type=int, nargs="*", default=[128, 256, 512])
    parser.add_argument("--largest", type=int, default=10**8)
    parser.add_argument("--cache")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*have no signal")
    warnings.filterwarnings("ignore", category=UserWarning, module="torch")
    for section in options.sections:
        if section in ("power", "whole"):
            graph = make_graph(options.cache)
            for dim in options.dim:
                save(section, {"graph": repr(graph), "max_degree": int(graph.degree.max()),
                               str(dim): globals()[f"section_{section}"](graph, dim)})  # fmt: skip
        elif section == "stream":
            section_stream(make_graph(options.cache))
        elif section == "authors_sparse":
            save(section, section_authors_sparse(make_graph(options.cache)))
        elif section == "memory":
            save(section, section_memory(options.cache))
        elif section == "linear":
            save(section, section_linear(options.largest))
        else:
            save(section, section_large(options.cache))


if __name__ == "__main__":
    main()
