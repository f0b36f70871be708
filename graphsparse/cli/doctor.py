"""``graphsparse doctor``: what is installed, what is missing, and what mends it."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

from graphsparse.cli.console import Steps, print_facts, print_json
from graphsparse.cli.options import AsJson, Quiet

_VECTOR_UNITS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512dq", "avx512vl", "asimd", "sve")


def command(json: AsJson = False, quiet: Quiet = False) -> None:
    """Tell versions, threads, processor, GPU, optional packages and where data are kept."""
    steps = Steps(quiet)
    with steps.step("doctor", "looking around"):
        facts = _facts()
    if json:
        print_json(facts)
    else:
        print_facts(_lines(facts))


def _facts() -> dict[str, Any]:
    import numpy
    import scipy

    import graphsparse
    from graphsparse import backend
    from graphsparse.datasets.catalogue import default_root

    return {
        "graphsparse": graphsparse.__version__,
        "package": str(Path(graphsparse.__file__).parent),
        "native_module": str(backend.native.__file__),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "cores": os.cpu_count(),
        "threads": backend.num_threads(),
        "vector_units": _vector_units(),
        "gpu": _gpu(),
        "extras": _extras(),
        "data_root": str(default_root()),
        "bundled_data": str(backend.bundled_data()),
    }


def _vector_units() -> list[str]:
    """Return the vector instructions of the processor; empty where they cannot be read."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return []
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    flags = set(found.group(1).split()) if found else set()
    return [unit for unit in _VECTOR_UNITS if unit in flags]


def _gpu() -> dict[str, Any]:
    """Return whether kernels can run on a GPU, and if not, what is missing and what mends it."""
    from graphsparse.errors import BackendError
    from graphsparse.launch import cupy, nvrtc_version

    try:
        module = cupy()
    except BackendError as error:
        return {"usable": False, "reason": str(error)}
    runtime = module.cuda.runtime
    devices = [runtime.getDeviceProperties(i) for i in range(runtime.getDeviceCount())]
    return {
        "usable": True,
        "cupy": module.__version__,
        "nvrtc": nvrtc_version(module),
        "driver_cuda": runtime.driverGetVersion(),
        "devices": [found["name"].decode() for found in devices],
    }


def _extras() -> dict[str, Any]:
    """Return the packages of each extra with their versions, None where one is missing."""
    from importlib import metadata  # costs 20 ms

    try:
        declared = metadata.requires("graphsparse") or []
    except metadata.PackageNotFoundError:  # run from a source tree
        return {}
    extras: dict[str, Any] = {}
    for line in declared:
        found = re.match(r"""([\w.-]+).*extra == ['"]([\w-]+)['"]""", line)
        if found and found.group(1) != "graphsparse":
            name, extra = found.groups()
            extras.setdefault(extra, {})[name] = _version(name)
    return {
        extra: {
            "complete": all(packages.values()),
            "packages": packages,
            "install": f"pip install 'graphsparse[{extra}]'",
        }
        for extra, packages in extras.items()
    }


def _version(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _gpu_line(gpu: dict[str, Any]) -> str:
    if not gpu["usable"]:
        return f"not usable: {gpu['reason']}"
    return f"{', '.join(gpu['devices'])}; CuPy {gpu['cupy']}, NVRTC {gpu['nvrtc']}"


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    gpu = facts["gpu"]
    lines = [
        ("graphsparse", f"{facts['graphsparse']} in {facts['package']}"),
        ("native module", facts["native_module"]),
        ("python", f"{facts['python']} on {facts['platform']}"),
        ("numpy, scipy", f"{facts['numpy']}, {facts['scipy']}"),
        ("threads", f"{facts['threads']} used, {facts['cores']} cores"),
        ("vector units", " ".join(facts["vector_units"]) or "unknown"),
        ("GPU", _gpu_line(gpu)),
        ("data", f"{facts['data_root']} (GRAPHSPARSE_DATA sets another)"),
        ("bundled data", facts["bundled_data"]),
    ]
    for extra, state in facts["extras"].items():
        missing = [name for name, version in state["packages"].items() if version is None]
        installed = ", ".join(f"{n} {v}" for n, v in state["packages"].items() if v)
        text = (
            f"complete: {installed}"
            if state["complete"]
            else (f"missing {', '.join(missing)}: {state['install']}")
        )
        lines.append((f"extra {extra}", text))
    if not facts["extras"]:
        lines.append(("extras", "unknown: this is a source tree, not an installed package"))
    return lines
