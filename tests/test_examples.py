"""The examples run as they stand, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch_geometric")

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run an example with one thread, as when it is called by hand."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    environment.pop("PYTHONSAFEPATH", None)  # the demo imports the files beside it
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env=environment
    )


def test_examples_are_short() -> None:
    for file in [*EXAMPLES.glob("sparsify_*.py"), EXAMPLES / "stream_updates.py"]:
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 80, file.name


def test_sparsify_digits() -> None:
    done = run("sparsify_digits.py", "--keep", 0.5)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("6,170 of 12,339 edges") == 3
    assert ", 0 nodes without an edge" in done.stdout


def test_sparsify_cora(shared_data: Path, tmp_path: Path) -> None:
    stage = [sys.executable, str(shared_data / "stage.py"), "Cora", str(tmp_path)]
    root = subprocess.run(stage, capture_output=True, text=True, check=True).stdout.strip()
    done = run("sparsify_cora.py", "--root", root, "--seeds", 2, "--epochs", 3)
    assert done.returncode == 0, done.stderr
    assert "all edges: 5,278 edges" in done.stdout
    assert done.stdout.count(": 1,901 edges") == 3


def test_sparsify_cora_without_data(tmp_path: Path) -> None:
    done = run("sparsify_cora.py", "--root", tmp_path, GRAPHSPARSE_OFFLINE="1")
    assert done.returncode == 1
    assert "Cora cannot be loaded: " in done.stderr
    assert "Traceback" not in done.stderr


def test_stream_updates(tmp_path: Path) -> None:
    done = run("stream_updates.py", "--out", tmp_path / "stream.png")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 22
    assert "num_edges=6599" in lines[-1]  # 6,119 + 500 - 20
    kappa = [float(line.split()[3]) for line in lines[:-1]]
    assert kappa[-1] < kappa[0]
    assert (tmp_path / "stream.png").read_bytes().startswith(b"\x89PNG")


def test_demo(tmp_path: Path) -> None:
    done = run("demo.py", "--out", tmp_path, "--epochs", 3, "--seeds", 1)
    assert done.returncode == 0, done.stderr
    rows = [line.split("  ") for line in done.stdout.splitlines() if "4,443" in line]
    assert len(rows) == 7  # three sparsifiers, four sparse runs
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<table>") == 3
    assert page.count("data:image/png;base64,") == 2
    assert 'src="http' not in page
    assert 'href="' not in page
