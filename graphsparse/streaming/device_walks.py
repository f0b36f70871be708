"""The walks of a stream on a GPU: copies of the adjacency lists, kept current by what changed.

The host's lists are the master copy.  For each sub-batch there is one upload (rule, queries,
changed entries and node records), one launch of each of two kernels, and one download of 16 bytes
per update.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np

from graphsparse.launch import BLOCK, cupy, launch

_RULE, _QUERY, _NODE, _ENTRY, _SLOT, _ID, _HIT = 32, 32, 16, 16, 8, 4, 16  # bytes
_WARPS = BLOCK // 32
_MAX_BLOCKS = 2048  # more than any device holds at once: warps draw updates until none is left


@dataclasses.dataclass
class Transfers:
    """What went to the device and came back since the stream was made.

    Attributes
    ----------
    launches : int
        Walk kernels started.
    full_copies : int
        Copies of all lists of the graph or of the sparsifier: at the start, and when a pool was
        laid out anew or has outgrown the copy.
    bytes_up, bytes_down : int
        Bytes copied to the device and back.
    """

    launches: int = 0
    full_copies: int = 0
    bytes_up: int = 0
    bytes_down: int = 0


@dataclasses.dataclass
class _Rows:
    """The lists of one graph on the device, with room to grow; bytes."""

    nodes: Any
    pool: Any


class DeviceWalks:
    """Makes the walks of one stream; called by the compiled part for each sub-batch.

    Raises
    ------
    BackendError
        If CuPy, the driver, the device or NVRTC is missing; the message says what mends it.
    """

    def __init__(self) -> None:
        self._cupy = cupy()
        self._device = self._cupy.cuda.Device()
        self._rows: dict[bool, _Rows] = {}
        self.transfers = Transfers()

    def __call__(self, work: Any) -> int:
        """Fill the hits of ``work`` (a native ``WalkWork``); return the steps walked."""
        with self._device:
            upload = self._send(work.upload)
            rule, queries, *changes = _split(upload, work)
            rows = self._current(work, changes)
            out = self._cupy.empty(_HIT * (work.num_queries + 1), np.uint8)
            hits, counters = out[:-_HIT], out[-_HIT:]
            counters.fill(0)
            launch(
                "walk.cu",
                f"walk_kernel<{str(work.best).lower()}>",
                0,
                *(rows.nodes, rows.pool, rule, queries),
                *(np.int64(work.num_queries), counters, hits),
                grid=min(-(-work.num_queries // _WARPS), _MAX_BLOCKS),
            )
            back = out.get()
        self.transfers.launches += 1
        self.transfers.bytes_down += back.nbytes
        work.hits[:] = back[:-_HIT]
        return int(back[-8:].view(np.uint64)[0])

    def _send(self, host: Any) -> Any:
        self.transfers.bytes_up += host.nbytes
        return self._cupy.asarray(host)

    def _current(self, work: Any, changes: list[Any]) -> _Rows:
        """Return the lists that ``work`` walks in, brought up to date."""
        rows = self._rows.get(work.sparse)
        nodes, pool = work.nodes, work.pool
        fits = rows and nodes.nbytes <= rows.nodes.nbytes and pool.nbytes <= rows.pool.nbytes
        if rows is None or not fits:
            self._rows.pop(work.sparse, None)  # free the old ones first
            del rows
            rows = _Rows(self._room(nodes.nbytes), self._room(pool.nbytes))
            self._rows[work.sparse] = rows
        if work.everything or not fits:
            self._copy_all(rows, nodes, pool)
        elif work.num_nodes or work.num_slots:
            records, entries, slots, ids = changes
            launch(
                "walk.cu",
                "scatter_rows_kernel",
                max(work.num_nodes, work.num_slots),
                *(rows.nodes, rows.pool, records, ids, np.int64(work.num_nodes)),
                *(entries, slots, np.int64(work.num_slots)),
            )
        return rows

    def _room(self, size: int) -> Any:
        return self._cupy.empty((size + size // 4) // _NODE * _NODE + (1 << 12), np.uint8)

    def _copy_all(self, rows: _Rows, nodes: Any, pool: Any) -> None:
        rows.nodes[: nodes.nbytes].set(nodes)
        rows.pool[: pool.nbytes].set(pool)
        self.transfers.full_copies += 1
        self.transfers.bytes_up += nodes.nbytes + pool.nbytes


def _split(upload: Any, work: Any) -> list[Any]:
    """Return rule, queries, node records, entries, slots and node ids; see walk_upload.hpp."""
    sizes = (
        *(_RULE, _QUERY * work.num_queries),
        *(_NODE * work.num_nodes, _ENTRY * work.num_slots),
        *(_SLOT * work.num_slots, _ID * work.num_nodes),
    )
    ends = np.cumsum((0, *sizes)).tolist()
    return [upload[a:b] for a, b in itertools.pairwise(ends)]
