"""Graphs on the GPU are refused in words: the spectral functions run on the CPU."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from graphs import karate

from graphsparse import BackendError, device, grass, sample_by_resistance
from graphsparse.linalg import condition_number, effective_resistance, laplacian, pcg


@pytest.fixture
def on_gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "cuda"))
    import fake_cupy

    monkeypatch.setitem(sys.modules, "cupy", fake_cupy)
    device._module.cache_clear()
    yield karate().to("cuda")
    device._module.cache_clear()


def test_refused_with_the_way_out(on_gpu):
    for call in (
        lambda: laplacian(on_gpu),
        lambda: effective_resistance(on_gpu),
        lambda: condition_number(karate(), on_gpu),
        lambda: pcg(on_gpu, np.zeros(34)),
        lambda: grass(on_gpu, keep=0.9),
        lambda: sample_by_resistance(on_gpu, keep=0.9),
    ):
        with pytest.raises(BackendError, match=r"lies on the GPU.*to\('cpu'\)"):
            call()
