"""Every code block of the README runs, and prints what the README says it prints."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

import graphsparse
from graphsparse.cli import main
from graphsparse.datasets import load_dataset

pytest.importorskip("torch_geometric")

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = [
    (code, after if kind == "text" else None)
    for (language, code), (kind, after) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True)
    if language == "python"
]
CONSOLE = [code for language, code in BLOCKS if language == "console"]


def test_the_blocks_are_found() -> None:
    assert len(PYTHON) >= 3
    assert all(output is not None for _, output in PYTHON)
    assert len(CONSOLE) == 1


@pytest.mark.filterwarnings("default::DeprecationWarning")
@pytest.mark.parametrize(("code", "expected"), PYTHON)
def test_python_blocks(
    code: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert printed.getvalue() == expected


def test_console_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    graph = load_dataset("digits").graph.symmetrize()
    graphsparse.write_graph(graph, "digits.csv")
    shown = ""
    for line in CONSOLE[0].splitlines():
        if line.startswith("$ "):
            shown += line + "\n"
            with pytest.raises(SystemExit) as left:
                main(shlex.split(line)[2:])
            assert not left.value.code
            shown += capsys.readouterr().out
    assert shown == CONSOLE[0]


def test_links_lead_somewhere() -> None:
    root = Path(__file__).resolve().parents[1]
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) >= 8
    missing = [link for link in links if not (root / link).exists()]
    assert not missing
