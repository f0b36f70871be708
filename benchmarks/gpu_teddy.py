"""TEDDY on the GPU: 10^8 pairs, against the bandwidth that a copy reaches.

    python benchmarks/gpu_teddy.py [--emulate]

The graph is a ring lattice with 1.25 * 10^8 pairs of which a fifth is left out at random, so that
degrees and scores differ; it is made on the device.  The CPU's edges are compared on a small one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gpu_bench import copy_bandwidth, cupy, milliseconds, save, scaled

from graphsparse import Graph, random_edges, teddy
from graphsparse.launch import is_device_array
from graphsparse.operators.teddy import teddy_scores


def ring_lattice(num_nodes: int, reach: int) -> Graph:
    """Return the graph that joins each node with the ``reach`` next ones on a ring."""
    module = cupy()
    steps = np.concatenate([np.arange(-reach, 0), np.arange(1, reach + 1)])
    rows = module.arange(num_nodes).astype(np.int32)[:, None]
    table = (rows + module.asarray(steps.astype(np.int32))[None, :]) % np.int32(num_nodes)
    ends = np.int32(reach), np.int32(num_nodes - reach)  # elsewhere the rows are sorted
    for part in (slice(0, int(ends[0])), slice(int(ends[1]), num_nodes)):
        table[part] = module.sort(table[part], axis=1)
    indptr = module.arange(num_nodes + 1).astype(np.int64) * np.int64(2 * reach)
    return Graph._trusted(indptr, table.reshape(-1).astype(np.int32), None, False)


def check() -> None:
    """Compare the edges with the CPU's."""
    graph = random_edges(ring_lattice(3000, 12), keep=0.8, seed=3)
    host = graph.to("cpu")
    for keep in (0.9, 0.35):
        assert teddy(graph, keep=keep).to("cpu") == teddy(host, keep=keep)


def main() -> None:
    """Check, time, write."""
    check()
    bandwidth = copy_bandwidth()
    whole = ring_lattice(scaled(2_500_000, 400), scaled(50, 6))
    graph = random_edges(whole, keep=0.8, seed=1)
    del whole
    pairs, nodes = graph.num_edges, graph.num_nodes
    assert is_device_array(graph.indices)
    scores_ms = milliseconds(lambda: teddy_scores(graph), repeat=5)
    whole_ms = milliseconds(lambda: teddy(graph, keep=0.5), repeat=5)
    # What has to move: indices twice and the scores once; then scores in, new indices out.
    arcs = 2 * pairs
    score_bytes = 4 * arcs + 4 * pairs + 8 * pairs + 16 * nodes
    whole_bytes = score_bytes + 8 * pairs + 4 * arcs + 4 * (arcs // 2)

    def figures(ms: float, moved: int) -> dict[str, Any]:
        rate = moved / (1e-3 * ms)
        return {
            "ms": round(ms, 3),
            "bytes_that_must_move": moved,
            "share_of_copy_bandwidth": round(rate / bandwidth, 3),
        }

    save(
        "teddy",
        {
            "nodes": nodes,
            "pairs": pairs,
            "copy_bandwidth_bytes_per_s": round(bandwidth),
            "scores": figures(scores_ms, score_bytes),
            "scores_selection_and_filter": figures(whole_ms, whole_bytes),
        },
    )


if __name__ == "__main__":
    main()
