"""The walk kernel, run thread by thread on the CPU, makes the decisions of the CPU's rounds."""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "cuda"  # the wheel carries headers only


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("g++") or shutil.which("c++")
    assert compiler, "the emulated kernels need a C++ compiler, as the package itself does"
    out = tmp_path_factory.mktemp("emulated") / "walk.so"
    sources = [HERE / "walk_emulated.cpp", SOURCES / "cpu" / "two_core.cpp"]
    command = [compiler, "-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC"]
    command += [f"-I{SOURCES}", f"-I{HERE}", *map(str, sources), "-o", str(out)]
    subprocess.run(command, check=True)
    loaded = ctypes.CDLL(str(out))
    loaded.compare_walks.restype = ctypes.c_int64
    return loaded


@pytest.mark.parametrize(("grid", "block"), [(1, 32), (3, 64), (2, 256)])
@pytest.mark.parametrize("best", [False, True])
@pytest.mark.parametrize("core", [False, True])
def test_same_hits_as_the_cpu(library, core, best, grid, block):
    hits = ctypes.c_int64()
    total = 0
    for seed, limit in ((5, 0.4), (8, 2.0), (11, math.inf)):
        wrong = library.compare_walks(
            ctypes.c_uint64(seed),
            core,
            best,
            ctypes.c_double(limit),
            grid,
            block,
            ctypes.byref(hits),
        )
        assert wrong == 0
        total += hits.value
    assert 20 < total < 120
