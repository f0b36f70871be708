"""Fixtures shared by the whole suite."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

# No doctests live in them, and several of one name confuse --doctest-modules.
collect_ignore_glob = ["conftest.py", "*/conftest.py"]

# A shell that runs us in the background ignores Ctrl-C for us; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let reports tell which tests need a real GPU."""
    for item in items:
        if item.get_closest_marker("gpu"):
            item.user_properties.append(("needs gpu", True))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Count and name the GPU tests that were skipped, with the reason of each."""
    by_reason: dict[str, list[str]] = {}
    for report in terminalreporter.stats.get("skipped", ()):
        if any(name == "needs gpu" for name, _ in report.user_properties):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            by_reason.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)
    if not by_reason:
        return
    count = sum(map(len, by_reason.values()))
    terminalreporter.section(f"{count} GPU tests did not run")
    for reason, names in by_reason.items():
        terminalreporter.line(f"{len(names)}: {reason}")
        for name in sorted(names):
            terminalreporter.line(f"   {name}")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of the real graphs; absent, the test is skipped, but not under CI."""
    folder = Path(os.environ.get("GRAPHSPARSE_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "index.json").is_file():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs the shared test data, which is not at {folder}")
        pytest.skip(f"the shared test data is not at {folder}; set GRAPHSPARSE_TEST_DATA")
    return folder


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Put a stand-in in CuPy's place that runs kernels on the CPU, thread by thread."""
    import fake_cupy

    from graphsparse import launch

    monkeypatch.setitem(sys.modules, "cupy", fake_cupy)
    launch.forget()
    yield fake_cupy
    launch.forget()


@pytest.fixture
def torch_gpu(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Take torch's CPU tensors for tensors on the stand-in's device."""
    from graphsparse.models import device_ops

    monkeypatch.setattr(device_ops, "is_on_gpu", lambda tensor: tensor.device.type == "cpu")
    monkeypatch.setattr(device_ops, "stream_handle", lambda device: 0)
    return gpu


@pytest.fixture(params=["cpu", "cuda"])
def walker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let streams walk on the CPU, then on the stand-in of a GPU."""
    if request.param == "cuda":
        from graphsparse import DynamicSparsifier

        request.getfixturevalue("gpu")
        choose = DynamicSparsifier._set_device
        monkeypatch.setattr(DynamicSparsifier, "_set_device", lambda self, _: choose(self, "cuda"))
    return str(request.param)
