"""A stand-in for CuPy that keeps its arrays in NumPy and runs raw kernels in the emulator.

It knows what graphsparse uses of CuPy and no more.  The kernels are the real .cu files, compiled
by the C++ compiler against emulator.hpp; what is not tested here is CuPy itself and the device.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import shutil
import subprocess
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np

__version__ = "emulated"
HERE = Path(__file__).parent
_FOLDER = tempfile.TemporaryDirectory(prefix="emulated-")
_LAUNCHER = """
#include "emulator.hpp"
#include "{source}"
#include <utility>
template <class... A, size_t... I>
void start(void (*kernel)(A...), unsigned grid, unsigned block, void** args,
           std::index_sequence<I...>) {{
  emulate(grid, block, [&] {{ kernel(*static_cast<std::remove_reference_t<A>*>(args[I])...); }});
}}
template <class... A>
void start(void (*kernel)(A...), unsigned grid, unsigned block, void** args) {{
  start(kernel, grid, block, args, std::index_sequence_for<A...>());
}}
"""
_ENTRY = (
    'extern "C" void entry_{i}(unsigned g, unsigned b, void** a) {{ start(&{name}, g, b, a); }}\n'
)


class ndarray(np.ndarray):
    """An array that pretends to live on a device: NumPy functions refuse it."""

    def __array_function__(self, func: Any, kinds: Any, args: Any, kwargs: Any) -> Any:
        if not all(issubclass(kind, ndarray) for kind in kinds):
            raise TypeError(f"{func.__name__} mixes host and device arrays")
        return super().__array_function__(func, kinds, args, kwargs)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        for x in inputs:
            if type(x) is np.ndarray and x.ndim:
                raise TypeError(f"{ufunc.__name__} mixes host and device arrays")
        inputs = tuple(x.view(np.ndarray) if isinstance(x, ndarray) else x for x in inputs)
        if "out" in kwargs:
            kwargs["out"] = tuple(x.view(np.ndarray) for x in kwargs["out"])
        return _wrap(getattr(ufunc, method)(*inputs, **kwargs))

    @property
    def data(self) -> Any:
        return types.SimpleNamespace(ptr=self.ctypes.data)

    def get(self, out: np.ndarray | None = None, blocking: bool = True) -> np.ndarray:
        if out is None:
            return np.array(self.view(np.ndarray))
        out[:] = self.view(np.ndarray)
        return out

    def set(self, value: np.ndarray) -> None:
        assert (value.shape, value.dtype) == (self.shape, self.dtype)
        self.view(np.ndarray)[:] = value


def _wrap(value: Any) -> Any:
    return np.asarray(value).view(ndarray)


def asarray(value: Any, dtype: Any = None) -> ndarray:
    return _wrap(np.array(value, dtype=dtype))


def empty(shape: Any, dtype: Any) -> ndarray:
    return _wrap(np.full(shape, 7, dtype))  # never a lucky zero


def zeros(shape: Any, dtype: Any = np.float64) -> ndarray:
    return _wrap(np.zeros(shape, dtype))


def full(shape: Any, value: Any, dtype: Any = None) -> ndarray:
    return _wrap(np.full(shape, value, dtype))


def asnumpy(value: Any) -> np.ndarray:
    return value.get()


def from_dlpack(tensor: Any) -> ndarray:
    assert not tensor.requires_grad, "DLPack takes no tensor that autograd watches"
    assert str(tensor.dtype) not in ("torch.bool", "torch.bfloat16"), "not in CuPy's DLPack"
    return tensor.numpy().view(ndarray)  # the same memory


def cumsum(a: ndarray, out: ndarray) -> None:
    np.cumsum(a.view(np.ndarray), out=out.view(np.ndarray))


def __getattr__(name: str) -> Any:
    function = getattr(np, name)  # the rest of NumPy, on wrapped arrays

    def call(*args: Any, **kwargs: Any) -> Any:
        bare = [a.view(np.ndarray) if isinstance(a, ndarray) else a for a in args]
        return _wrap(function(*bare, **kwargs))

    return call


class RawModule:
    """Compiles the code by the C++ compiler, once per text."""

    def __init__(self, code: str, options: tuple[str, ...], name_expressions: tuple[str, ...]):
        assert "--fmad=false" in options
        digest = hashlib.sha256(code.encode()).hexdigest()[:16]
        library = Path(_FOLDER.name) / f"{digest}.so"
        self._names = list(name_expressions)
        if not library.exists():
            source = library.with_suffix(".cu")
            source.write_text(code)
            entries = [_ENTRY.format(i=i, name=name) for i, name in enumerate(self._names)]
            main = library.with_suffix(".cpp")
            main.write_text(_LAUNCHER.format(source=source) + "".join(entries))
            compiler = shutil.which("g++") or shutil.which("c++")
            assert compiler, "the emulated kernels need a C++ compiler, as the package does"
            include = [option for option in options if option.startswith("-I")]
            command = [compiler, "-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC"]
            subprocess.run(
                [*command, *include, f"-I{HERE}", str(main), "-o", str(library)], check=True
            )
        self._library = ctypes.CDLL(str(library))

    def get_function(self, name: str) -> Any:
        entry = getattr(self._library, f"entry_{self._names.index(name)}")

        def launch(grid: tuple[int], block: tuple[int], arguments: tuple[Any, ...]) -> None:
            slots = (ctypes.c_void_p * len(arguments))()
            keep = []
            for i, argument in enumerate(arguments):
                if isinstance(argument, ndarray):
                    assert argument.flags.c_contiguous
                    cell = np.array([argument.ctypes.data], np.uint64)
                else:
                    assert isinstance(argument, np.generic), f"untyped argument {argument!r}"
                    cell = np.array([argument])
                keep.append(cell)
                slots[i] = cell.ctypes.data
            entry(min(grid[0], 5), block[0], slots)  # fewer blocks: every kernel loops by the grid

        return launch


class ExternalStream(contextlib.nullcontext):
    """Torch's stream, as CuPy is told of it; there is one, 0."""

    def __init__(self, handle: int, device: int):
        assert (handle, device) == (0, 0)
        super().__init__()


class Event:
    """Something that has happened as soon as it is recorded."""

    done = False

    def record(self) -> None:
        self.done = True

    def synchronize(self) -> None:
        assert self.done


cuda = types.SimpleNamespace(
    runtime=types.SimpleNamespace(
        getDeviceCount=lambda: 1,
        getDeviceProperties=lambda index: {"name": b"emulated"},
        driverGetVersion=lambda: 13000,
    ),
    nvrtc=types.SimpleNamespace(getVersion=lambda: (13, 0)),
    Device=lambda index=0: contextlib.nullcontext(index),
    ExternalStream=ExternalStream,
    alloc_pinned_memory=bytearray,
    Event=Event,
)
