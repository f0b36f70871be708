"""What an installed package must carry, and facts that are written in one place only."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

import graphsparse
from graphsparse import backend

ROOT = Path(__file__).resolve().parents[1]


def test_files_beside_the_code_are_there() -> None:
    assert (Path(graphsparse.__file__).parent / "py.typed").is_file()
    for name in ("digits", "delaunay", "planted_partition", "stream", "hypergraph"):
        assert (backend.bundled_data() / name / "meta.json").is_file()
    sources = {
        file.relative_to(backend.cuda_sources()) for file in backend.cuda_sources().rglob("*")
    }
    in_tree = {file.relative_to(ROOT / "cuda") for file in (ROOT / "cuda").rglob("*.hpp")}
    in_tree |= {file.relative_to(ROOT / "cuda") for file in (ROOT / "cuda").rglob("*.cu*")}
    assert in_tree <= sources, "CMakeLists.txt must install these"


def test_one_version() -> None:
    try:
        installed = importlib.metadata.version("graphsparse")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("a source tree that is not installed")
    assert installed == graphsparse.__version__


def test_every_requirement_has_an_exact_version() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = table["project"]["optional-dependencies"]
    wanted = [*table["project"]["dependencies"], *extras["gnn"], *extras["viz"]]
    for group in table["dependency-groups"].values():
        wanted += group
    names = {_plain(re.split(r"[<>=;\[ ]", line)[0]) for line in wanted}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    exact = {_plain(line.split("==")[0]) for line in lines if "==" in line}
    assert not names - exact, "constraints.txt lacks these"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
