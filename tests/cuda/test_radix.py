"""Radix selection on the (emulated) GPU: the CPU's cut, ties, counts and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from graphsparse import radix
from graphsparse.backend import native
from graphsparse.radix import Ranking

INFINITY = {2: 0x7C00, 4: 0x7F80_0000, 8: 0x7FF0_0000_0000_0000}
FLOATS = {2: np.float16, 4: np.float32, 8: np.float64}


def pieces_of(rng: np.random.Generator, width: int, kind: str) -> list[np.ndarray]:
    """Return the words of some weights, several arrays long and short."""
    sizes = [int(size) for size in rng.choice([0, 1, 7, 300, 4096, 5000], rng.integers(1, 5))]
    if sum(sizes) == 0:
        sizes.append(3)
    values = [rng.normal(0, 1, size).astype(FLOATS[width]) for size in sizes]
    if kind == "ties":
        values = [np.round(v * 2) / 2 for v in values]
    if kind == "equal":
        values = [np.full_like(v, -0.5) for v in values]
    return [v.astype(FLOATS[width]).view(f"u{width}") for v in values]


@pytest.mark.parametrize("width", [2, 4, 8])
@pytest.mark.parametrize("kind", ["normal", "ties", "equal"])
def test_zeroing_is_that_of_the_cpu(gpu, width, kind):
    for seed in range(12):
        rng = np.random.default_rng(1000 * seed + width)
        words = pieces_of(rng, width, kind)
        total = sum(map(len, words))
        for keep in {0, 1, total // 3, max(total - 1, 0), total}:
            for dry in (True, False):
                want = [w.copy() for w in words]
                marks = [np.zeros(len(w), bool) for w in words]
                bad = native.keep_largest(want, keep, INFINITY[width], marks, dry, 1)
                got = [gpu.asarray(w) for w in words]
                masks = [gpu.asarray(m) for m in marks]
                ranking = Ranking(got, "Magnitude", INFINITY[width], masks)
                assert ranking.find(keep).zero(dry).result() == (*bad[:2], list(bad[2]))
                for a, b in zip(got + masks, want + marks, strict=True):
                    assert np.array_equal(a.get(), b)


def test_when_too_many_agree_all_keys_are_read_again(gpu):
    # One exponent and mantissa head: the copied-out keys overflow their room.
    rng = np.random.default_rng(5)
    base = np.uint64(0x3FF0_0000_0000_0000)
    keys = base + rng.integers(0, 1 << 30, 20_000).astype(np.uint64)
    for k in (1, 9_999, 19_999):
        mask = Ranking.of_keys(gpu.asarray(keys)).find(k).mask()
        assert np.array_equal(mask.get(), native.select_largest(keys, k, 1))


@pytest.mark.parametrize("place", [(0, 0), (1, 17), (2, 4999)])
def test_what_is_not_finite_is_named_and_nothing_changes(gpu, place):
    rng = np.random.default_rng(8)
    words = [rng.normal(0, 1, 5000).astype(np.float32) for _ in range(3)]
    words[place[0]][place[1]] = np.nan
    words[2][4999] = np.inf
    for keep in (0, 700, 15_000):
        views = [gpu.asarray(w.view(np.uint32)) for w in words]
        result = Ranking(views, "Magnitude", INFINITY[4]).find(keep).zero(False).result()
        assert result == (*place, [])
        for view, w in zip(views, words, strict=True):
            assert np.array_equal(view.get(), w.view(np.uint32))


def test_the_search_never_asks_the_device(gpu, monkeypatch):
    def fail(*_):
        raise AssertionError("a value was fetched from the device")

    keys = gpu.asarray(np.random.default_rng(3).normal(0, 1, 6000).astype(np.float32))
    with monkeypatch.context() as patch:
        for name in ("get", "__int__", "__bool__", "item"):
            patch.setattr(gpu.ndarray, name, fail, raising=False)
        ranking = Ranking([keys.view(np.uint32)], "Magnitude", INFINITY[4]).find(100).zero(False)
        mask = ranking.mask()
    assert int(mask.get().sum()) == 100
    assert np.count_nonzero(keys.get()) == 100


def test_constants_are_those_of_the_kernels():
    from graphsparse.backend import cuda_sources

    text = (cuda_sources() / "gpu" / "radix.cu").read_text()
    assert f"kChunk = {radix._CHUNK};" in text
    assert f"kDigitBits = {radix._DIGIT_BITS};" in text
