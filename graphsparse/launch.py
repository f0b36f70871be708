"""CUDA kernels through CuPy: found in the package, compiled by NVRTC at first use, started.

The headers are those that the CPU code is compiled from, without fused multiply-add, so that both
sides give the same bits.
"""

from __future__ import annotations

import functools
import hashlib
import sys
from types import ModuleType
from typing import Any

from graphsparse.backend import cuda_sources
from graphsparse.errors import BackendError, MissingDependencyError

OPTIONS = ("--std=c++17", "--fmad=false", "--prec-div=true", "--prec-sqrt=true")
BLOCK = 256
MAX_GRID = 1 << 16

_INDEX = ("int", "long long")
_WORDS = ("unsigned short", "unsigned int", "unsigned long long")
_KEYS = ("unsigned long long, gs::SameKey", *(f"{word}, gs::Magnitude" for word in _WORDS))


def _typed(names: str, *types: str) -> tuple[str, ...]:
    return tuple(f"{name}<{item}>" for name in names.split() for item in types)


# Every kernel of every file, template arguments included; tests compile and launch the same list.
KERNELS: dict[str, tuple[str, ...]] = {
    "amud.cu": ("path_counts_kernel", "path_rows_kernel"),
    "trim.cu": _typed(
        "node_scores_kernel pair_keys_kernel neighbour_mean_kernel arc_scores_kernel", *_INDEX
    ),
    "select.cu": (
        *_typed("upper_counts_kernel edge_codes_kernel arc_mask_kernel", *_INDEX),
        *_typed("inspect_kernel filter_kernel", *_INDEX),
        "kept_counts_kernel",
        *("draw_kernel", "tie_hash_kernel"),
        *("best_key_kernel", "best_tie_kernel", "best_edge_kernel"),
    ),
    "edge_attention.cu": _typed(
        "edge_attention_forward_kernel edge_attention_receiver_kernel edge_attention_sender_kernel",
        *("float", "double"),
    ),
    "project.cu": _typed("block_norms_kernel", *_WORDS),
    "radix.cu": (
        *_typed("digit_histogram_kernel hold_kernel choose_kernel", *_KEYS),
        *_typed("zero_kernel", *_WORDS),
        "pick_digit_kernel",
    ),
    "segment.cu": _typed(
        "segment_mean_kernel segment_mean_grad_kernel segment_max_kernel segment_max_grad_kernel "
        "segment_add_relu_kernel segment_add_relu_grad_kernel "
        "segment_pool_kernel segment_pool_grad_kernel segment_read_kernel segment_read_grad_kernel",
        *("float", "double"),
    ),
    "sketch.cu": (
        *_typed(
            "warp_rows_kernel block_rows_kernel hub_pieces_kernel hub_rows_kernel",
            *(f"{kind}, {tiles}" for kind in ("float", "double") for tiles in (1, 2, 4)),
        ),
        *_typed("projection_kernel", "float", "double"),
    ),
    "spmm.cu": _typed("spmm_kernel", "float", "double"),
    "walk.cu": (*_typed("walk_kernel", "false", "true"), "scatter_rows_kernel"),
}


def cupy() -> ModuleType:
    """Return CuPy with a device and a compiler behind it.

    Raises
    ------
    MissingDependencyError, BackendError
        Name what is missing, CuPy, driver, device or NVRTC, and the line that mends it.
    """
    try:
        import cupy as module
    except ImportError as error:
        raise MissingDependencyError(
            f"the GPU path needs CuPy ({error}): pip install 'graphsparse[cuda13]' "
            "(or [cuda12], as nvidia-smi names the driver's CUDA version)"
        ) from None
    _check_usable(module)
    return module  # type: ignore[no-any-return]


@functools.cache
def _check_usable(module: ModuleType) -> None:
    try:
        count = module.cuda.runtime.getDeviceCount()
    except Exception as error:
        raise BackendError(
            f"CuPy finds no usable CUDA driver ({error}); install the NVIDIA driver and check "
            "that nvidia-smi lists a GPU"
        ) from error
    if count == 0:
        raise BackendError("CuPy finds no CUDA device; check that nvidia-smi lists a GPU")
    try:
        nvrtc_version(module)
    except Exception as error:
        raise BackendError(
            f"CuPy finds no NVRTC, which compiles the kernels ({error}); "
            "pip install nvidia-cuda-nvrtc (nvidia-cuda-nvrtc-cu12 with CUDA 12)"
        ) from error


def nvrtc_version(module: ModuleType) -> str:
    """Return the version of the compiler that CuPy has loaded."""
    nvrtc = getattr(module.cuda, "nvrtc", None)  # a name that CuPy does not document
    return "unknown" if nvrtc is None else ".".join(str(part) for part in nvrtc.getVersion())


def is_device_array(array: Any) -> bool:
    """Tell whether ``array`` is a CuPy array, without importing CuPy."""
    module = sys.modules.get("cupy")
    return module is not None and isinstance(array, module.ndarray)


@functools.cache
def _headers_digest() -> str:
    """Return a hash of the headers: CuPy's cache of compiled kernels sees the .cu text alone."""
    folder, total = cuda_sources(), hashlib.sha256()
    for path in sorted((*folder.glob("core/*.hpp"), *folder.glob("gpu/*.cuh"))):
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


@functools.cache
def _module(file: str) -> Any:
    folder = cuda_sources()
    return cupy().RawModule(
        code=f"// headers {_headers_digest()}\n{(folder / 'gpu' / file).read_text()}",
        options=(*OPTIONS, f"-I{folder}"),
        name_expressions=tuple(f"gs::{name}" for name in KERNELS[file]),
    )


@functools.cache
def _function(file: str, name: str) -> Any:
    return _module(file).get_function(f"gs::{name}")


def forget() -> None:
    """Drop what was found and compiled; tests change what CuPy is."""
    for cached in (_check_usable, _module, _function):
        cached.cache_clear()


def launch(file: str, name: str, threads: int, *arguments: Any, grid: int | None = None) -> None:
    """Start a kernel on CuPy's current stream.

    Parameters
    ----------
    file, name : str
        A kernel of :data:`KERNELS`.
    threads : int
        Threads wanted, about: kernels loop with the size of the grid.
    *arguments : CuPy array or NumPy scalar
        Of the C++ types: a kernel sees no other difference than the size.
    grid : int, optional
        Blocks, instead of ``threads``.
    """
    blocks = min(max(1, -(-threads // BLOCK)), MAX_GRID) if grid is None else grid
    _function(file, name)((blocks,), (BLOCK,), arguments)
