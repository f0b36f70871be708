"""What commands print, and when."""

from __future__ import annotations

import io
import json
import sys
import time

import numpy as np
import pytest

from graphsparse.cli import console


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_json_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"a": np.float32(0.5), "b": np.arange(3), "c": np.int64(7), "d": None})
    assert json.loads(capsys.readouterr().out) == {"a": 0.5, "b": [0, 1, 2], "c": 7, "d": None}


def test_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        console.print_json({"a": float("nan")})


def test_table_aligns_numbers_right(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table(["name", "edges"], [["karate", "78"], ["jazz", "2,742"]])
    assert capsys.readouterr().out == "name    edges\nkarate     78\njazz    2,742\n"


def test_quick_steps_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    steps = console.Steps()
    with steps.step("read", "reading"):
        pass
    assert capsys.readouterr() == ("", "")
    assert 0 <= steps.seconds["read"] < console.PATIENCE


def test_slow_steps_say_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "PATIENCE", 0.05)
    with console.Steps().step("read", "reading x"):
        time.sleep(0.3)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == "graphsparse: reading x ..."
    assert lines[1].startswith("graphsparse: reading x: 0.")
    with console.Steps(quiet=True).step("read", "reading x"):
        time.sleep(0.1)
    assert capsys.readouterr() == ("", "")


def test_terminals_get_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "PATIENCE", 0.05)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with console.Steps().step("train", "training", total=4) as advance:
        for _ in range(4):
            advance()
            time.sleep(0.1)
    shown = terminal.getvalue()
    assert "training" in shown
    assert "4/4" in shown
    assert "\x1b[3" not in shown  # no colours


def test_a_failing_step_still_closes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "PATIENCE", 0.05)
    with pytest.raises(ZeroDivisionError), console.Steps().step("a", "dividing"):
        raise ZeroDivisionError
    time.sleep(0.15)
    assert capsys.readouterr().err == ""
