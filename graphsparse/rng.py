"""Counter-based random numbers: a draw depends on (seed, item, step, domain) and nothing else.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011) with counter ``(lo32 item, hi32 item, step,
domain)`` and key ``(lo32 seed, hi32 seed)``.  The number of threads, the device and the presence
of other items never change a draw.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.backend import requested_threads
from graphsparse.checks import check_seed
from graphsparse.device import kernels

UInt64 = np.ndarray[Any, np.dtype[np.uint64]]

# One domain per use, so that two methods with one seed are independent.
RANDOM_EDGES = 1
RANDOM_NODES = 2
RANDOM_NODE_EDGES = 3
K_NEIGHBORS = 4
FOREST_FIRE = 5
BASWANA_SEN = 6
REPORT = 7
DATASETS = 64
SHUFFLE_WITHIN = 65
INCIDENCE_SAMPLING = 66
HYPERGRAPH_WALKS = 67
SKIP_GRAM = 68
RANDOM_WALKS = 69
CLUSTERS = 70
NEIGHBOR_SAMPLING = 71
NEGATIVE_PAIRS = 72


def draw(seed: int, items: UInt64, step: int, domain: int) -> UInt64:
    """Return the first 64 random bits of each item, shape of ``items``."""
    seed, threads = check_seed(seed), requested_threads()
    bits: UInt64 = kernels(items).draw_a(seed, items, step, domain, threads)
    return bits


def tie_hash(seed: int, codes: UInt64) -> UInt64:
    """Return the hash that orders edges of equal score, ascending."""
    hashes: UInt64 = kernels(codes).tie_hashes(check_seed(seed), codes, requested_threads())
    return hashes


def uniform(
    seed: int, items: UInt64, step: int, domain: int
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return one float64 in [0, 1) per item."""
    bits = draw(seed, items, step, domain) >> np.uint64(11)
    return bits.astype(np.float64) * 2.0**-53
