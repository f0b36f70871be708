"""How much memory a run takes, told before it is started."""

from __future__ import annotations

import dataclasses

import numpy as np

from graphsparse.checks import check_count
from graphsparse.graph import format_bytes
from graphsparse.sketch.options import FastRPOptions


@dataclasses.dataclass(frozen=True, repr=False)
class MemoryEstimate:
    """Bytes of a run of :func:`graphsparse.fastrp`.

    Attributes
    ----------
    graph : int
        The graph itself.
    result : int
        The embedding.
    scratch : int
        Everything else while the most is in use: powers, projection, degrees.
    shard : int
        Scratch of ``out=...`` with shards of ``shard_dim`` columns; the result is then on disk.
    disk : int
        Disk of ``out=...``: the result and the powers that are merged.
    """

    graph: int
    result: int
    scratch: int
    shard: int
    disk: int

    @property
    def peak(self) -> int:
        """Graph, result and scratch: what has to fit."""
        return self.graph + self.result + self.scratch

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{name}={format_bytes(getattr(self, name))}"
            for name in ("peak", "graph", "result", "scratch", "shard", "disk")
        )
        return f"MemoryEstimate({parts})"


def merged_last_two_only(options: FastRPOptions) -> bool:
    """Whether nothing is merged before the last power."""
    early = any(options.weights[: max(options.num_powers - 2, 0)]) or options.self_influence
    return options.num_powers > 2 and options.combine == "sum" and not early


def estimate_memory(
    num_nodes: int,
    num_arcs: int,
    dim: int = 256,
    *,
    weighted: bool = False,
    shard_dim: int = 64,
    **options: object,
) -> MemoryEstimate:
    """Return the bytes that :func:`graphsparse.fastrp` takes.

    Parameters
    ----------
    num_nodes, num_arcs : int
        ``n`` and the stored entries: an undirected edge has two.
    dim : int
        Dimension.
    weighted : bool
        Whether the graph has weights that differ from 1.
    shard_dim : int
        Columns of a shard, for the out-of-core figure.
    **options
        Further options of :func:`graphsparse.fastrp`.

    Returns
    -------
    MemoryEstimate

    Examples
    --------
    >>> estimate_memory(1_000_000, 21_000_000, 128)
    MemoryEstimate(peak=1.2 GB, graph=92.0 MB, result=512.0 MB, scratch=576.0 MB, shard=568.0 MB, \
disk=1.5 GB)
    """
    chosen = FastRPOptions(dim=dim, **options)  # type: ignore[arg-type]
    n, arcs = check_count("num_nodes", num_nodes), check_count("num_arcs", num_arcs)
    item = np.dtype(chosen.dtype).itemsize
    stored = 2 if chosen.storage_dtype else item
    index = 4 if n < 2**31 else 8
    values = (4 + item) * arcs if weighted else 0
    packed = chosen.projection == "sparse" and chosen.feature_dim == 0
    signs = 32 * n * -(-dim // 128) if packed else n * dim * item
    powers = chosen.num_powers - 1 + (0 if packed else 1)
    buffers = min(2, powers) * n * dim * stored
    if stored == item and merged_last_two_only(chosen):
        buffers -= n * dim * item  # the result lies where an older power was
    nodes = (8 + 8 + 8 + 2 * item) * n  # degrees, factors and scales
    merged = sum(1 for alpha in chosen.weights if alpha) or 1
    result = n * chosen.columns * item
    return MemoryEstimate(
        graph=8 * (n + 1) + index * arcs + values,
        result=result,
        scratch=max(buffers, signs + min(1, powers) * n * dim * stored) + nodes,
        shard=2 * n * min(shard_dim, dim) * item + nodes + 8 * n * (merged - 1) + 16 * n,
        disk=result + merged * n * dim * item,
    )
