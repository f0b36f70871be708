"""Every CUDA file compiles for the GPUs people have, with no GPU here: by NVRTC and by nvcc."""

from __future__ import annotations

import ctypes
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from graphsparse.backend import cuda_sources
from graphsparse.launch import KERNELS, OPTIONS

SOURCES = sorted((cuda_sources() / "gpu").glob("*.cu"))
ARCHITECTURES = ("sm_80", "sm_90", "sm_100")
MAX_REGISTERS = 64  # 1,024 threads of a block still fit
# Rows of up to 512 columns stay in registers, and an attention's gradient walks five matrices at
# once; blocks are of 256 threads, so 144 and 128 fit.
WIDE = {"sketch.cu": 144, "segment.cu": 128}
MAX_SHARED_BYTES = 48 << 10


def library() -> ctypes.CDLL:
    spec = importlib.util.find_spec("nvidia")
    folders = list(spec.submodule_search_locations or []) if spec else []
    found = [p for folder in folders for p in Path(folder).rglob("libnvrtc.so.*")]
    assert found, "the dev group's nvidia-cuda-nvrtc is missing: pip install nvidia-cuda-nvrtc"
    return ctypes.CDLL(str(found[0]))


class Program:
    """One compilation; ``log`` holds what ptxas says of registers and memory."""

    def __init__(
        self,
        nvrtc: ctypes.CDLL,
        source: Path,
        architecture: str,
        names: Sequence[str] = (),
        extra: Sequence[str] = (),
    ) -> None:
        handle = ctypes.c_void_p()
        text, name = source.read_bytes(), source.name.encode()
        status = nvrtc.nvrtcCreateProgram(ctypes.byref(handle), text, name, 0, None, None)
        assert status == 0
        for expression in names:
            assert nvrtc.nvrtcAddNameExpression(handle, expression.encode()) == 0
        options = [*OPTIONS, f"-I{cuda_sources()}", f"-arch={architecture}", "--ptxas-options=-v"]
        options += extra
        array = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        self.status = nvrtc.nvrtcCompileProgram(handle, len(options), array)
        size = ctypes.c_size_t()
        nvrtc.nvrtcGetProgramLogSize(handle, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetProgramLog(handle, log)
        self.log = log.value.decode()
        self.ptx = self._ptx(nvrtc, handle) if architecture.startswith("compute") else ""
        self.lowered = {name: self._lowered(nvrtc, handle, name) for name in names}
        nvrtc.nvrtcDestroyProgram(ctypes.byref(handle))

    @staticmethod
    def _ptx(nvrtc: ctypes.CDLL, handle: ctypes.c_void_p) -> str:
        size = ctypes.c_size_t()
        nvrtc.nvrtcGetPTXSize(handle, ctypes.byref(size))
        text = ctypes.create_string_buffer(size.value)
        assert nvrtc.nvrtcGetPTX(handle, text) == 0
        return text.value.decode()

    @staticmethod
    def _lowered(nvrtc: ctypes.CDLL, handle: ctypes.c_void_p, name: str) -> str:
        found = ctypes.c_char_p()
        status = nvrtc.nvrtcGetLoweredName(handle, name.encode(), ctypes.byref(found))
        return (found.value or b"").decode() if status == 0 else ""


def test_every_file_has_its_kernels_listed():
    assert {path.name for path in SOURCES} == KERNELS.keys()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_compiles_within_limits(source, architecture):
    names = [f"gs::{name}" for name in KERNELS[source.name]]
    program = Program(library(), source, architecture, names)
    assert program.status == 0, program.log
    kernels = re.findall(r"Compiling entry function '(\w+)'", program.log)
    registers = [int(x) for x in re.findall(r"Used (\d+) registers", program.log)]
    shared = [int(x) for x in re.findall(r"(\d+) bytes smem", program.log)]
    spills = [int(x) for x in re.findall(r"(\d+) bytes spill stores", program.log)]
    frames = [int(x) for x in re.findall(r"(\d+) bytes stack frame", program.log)]
    # CuPy finds kernels by these names; what is not listed cannot be started.
    assert set(program.lowered.values()) == set(kernels)
    assert kernels, f"no kernel in {source.name}:\n{program.log}"
    assert len(registers) >= len(kernels)
    assert max(registers) <= WIDE.get(source.name, MAX_REGISTERS)
    assert max(shared, default=0) <= MAX_SHARED_BYTES
    assert max(spills, default=0) == 0
    assert max(frames, default=0) == 0, "an array in local memory: its index is not a constant"


def test_no_fused_multiply_add_and_no_fast_math():
    assert "--fmad=false" in OPTIONS  # the CPU's bits
    assert not any("fast" in option or option == "--prec-div=false" for option in OPTIONS)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_subnormal_numbers_and_roundings_are_the_cpus(source):
    # CuPy adds -ftz=true to whatever it is asked for.  FastRP and attention promise no bits of the
    # CPU's, nor do softmaxes over groups: exp of the device's library uses both.
    names = [f"gs::{name}" for name in KERNELS[source.name]]
    program = Program(library(), source, "compute_90", names, extra=["-ftz=true"])
    assert program.status == 0, program.log
    with_exp = ("edge_attention.cu", "segment.cu")
    assert ("fma." in program.ptx) == (source.name in with_exp)
    assert (".ftz" in program.ptx) == (source.name in ("sketch.cu", *with_exp))


def test_a_broken_kernel_is_noticed(tmp_path):
    broken = tmp_path / "broken.cu"
    broken.write_text("__global__ void f(int* x) { *x = undeclared; }")
    program = Program(library(), broken, "sm_90")
    assert program.status != 0
    assert "undeclared" in program.log


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed here")
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_nvcc_compiles_it_too(source, tmp_path):
    command = ["nvcc", *OPTIONS, "-arch=sm_90", f"-I{cuda_sources()}"]
    subprocess.run([*command, "-cubin", str(source), "-o", str(tmp_path / "a.cubin")], check=True)
