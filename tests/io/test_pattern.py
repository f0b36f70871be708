"""The pattern built by three bucket passes against the one that sorts its rows."""

from __future__ import annotations

import numpy as np
import pytest

from graphsparse.backend import native
from graphsparse.graph import build_csr


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("seed", range(617, 667))
def test_same_as_the_sorted_one(seed, dtype, mirror):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    m = int(rng.integers(0, 120))
    u, v = rng.integers(0, n, (2, m)).astype(dtype)
    want, _ = build_csr(u, v, n, mirror=mirror)
    indptr, indices = native.pattern_csr32(u, v, n, mirror)
    assert indices.dtype == np.int32
    assert np.array_equal(indptr, want.indptr)
    assert np.array_equal(indices, want.indices)
    wide = native.pattern_csr64(u.astype(np.int64), v.astype(np.int64), n, mirror)
    assert wide[1].dtype == np.int64
    assert np.array_equal(wide[0], want.indptr)
    assert np.array_equal(wide[1], want.indices)


def test_nothing():
    none = np.zeros(0, np.int32)
    indptr, indices = native.pattern_csr32(none, none, 0, True)
    assert indptr.tolist() == [0]
    assert len(indices) == 0
