"""FastRP on the GPU: one fused power against cuSPARSE's product and a normalisation.

    python benchmarks/gpu_fastrp.py [--emulate]

n = 10^6, about 21 million arcs with skewed ends, 128 columns, float32; the graph is made on the
device.  A small graph is compared with the CPU first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gpu_bench import EMULATED, copy_bandwidth, cupy, milliseconds, save, scaled, skewed_graph

from graphsparse import Graph, fastrp
from graphsparse.sketch.device import _matrix, _Run
from graphsparse.sketch.options import FastRPOptions
from graphsparse.sketch.projection import Inputs, Projection

DIM = 128


def check() -> None:
    """Compare the embedding with the CPU's."""
    graph = skewed_graph(scaled(20_000, 300), scaled(200_000, 1500))
    got = fastrp(graph, DIM, standardize=False, self_influence=0.5).get()
    want = fastrp(graph.to("cpu"), DIM, standardize=False, self_influence=0.5)
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()


def fused(graph: Graph, options: FastRPOptions) -> tuple[_Run, Any, Any]:
    """Return a run whose parts are on the device, its X_0, and room for a power."""
    module = cupy()
    degree = (graph.indptr[1:] - graph.indptr[:-1]).astype(np.float64)
    inverse = module.where(degree > 0, 1.0 / module.maximum(degree, 1.0), 0.0)
    matrix = _matrix(
        graph.indptr[:-1], graph.indptr[1:], graph.indices, None, inverse.astype(np.float32)
    )
    run = _Run(options, Projection(options, Inputs(), np.ones(graph.num_nodes)), matrix)
    x = run.start()
    run.merged = module.zeros((graph.num_nodes, DIM), np.float32)
    return run, x, module.empty_like(x)


def library(graph: Graph, scale: Any, x: Any, merged: Any) -> Any:
    """Return the same power by cuSPARSE: product, row lengths, weighted sum."""
    from cupyx.scipy.sparse import csr_matrix

    module, n = cupy(), graph.num_nodes
    values = scale[graph.arc_rows()]
    matrix = csr_matrix((values, graph.indices, graph.indptr.astype(np.int32)), shape=(n, n))

    def run() -> None:
        power = matrix @ x
        length = module.sqrt((power * power).sum(axis=1, keepdims=True))
        module.add(merged, power / module.maximum(length, 1e-30), out=merged)

    return run


def main() -> None:
    """Check, time, write."""
    check()
    bandwidth = copy_bandwidth()
    graph = skewed_graph(scaled(1_000_000, 300), scaled(10_600_000, 1200))
    options = FastRPOptions(dim=DIM, weights=(1.0, 1.0), beta=0.0)
    run, x, power = fused(graph, options)
    power_ms = milliseconds(lambda: run._power(x, 0, power), repeat=15)
    other_ms = 0.0
    if not EMULATED:
        other = library(graph, run.matrix.scale, x, run.merged)
        other_ms = milliseconds(other, repeat=15)
    whole_ms = milliseconds(lambda: fastrp(graph, DIM), repeat=3, warmup=1)
    row = 4 * DIM
    gathered = graph.num_arcs * (row + 4) + graph.num_nodes * (3 * row + 16)
    least = graph.num_arcs * 4 + graph.num_nodes * (4 * row + 16)
    save(
        "fastrp",
        {
            "nodes": graph.num_nodes,
            "arcs": graph.num_arcs,
            "dim": DIM,
            "copy_bandwidth_bytes_per_s": round(bandwidth),
            "power_ms": round(power_ms, 4),
            "cusparse_and_normalisation_ms": round(other_ms, 4),
            "speedup_over_cusparse": round(other_ms / power_ms, 2),
            "gathered_bytes_per_s": round(gathered / (1e-3 * power_ms)),
            "least_bytes_share_of_copy": round(least / (1e-3 * power_ms) / bandwidth, 3),
            "fastrp_ms": round(whole_ms, 2),
        },
    )


if __name__ == "__main__":
    main()
