"""Graphs on the GPU are refused in words: the spectral functions run on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import karate

from graphsparse import BackendError, grass, sample_by_resistance
from graphsparse.linalg import condition_number, effective_resistance, laplacian, pcg


@pytest.fixture
def on_gpu(gpu):
    return karate().to("cuda")


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
