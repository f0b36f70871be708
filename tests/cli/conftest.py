"""Calling the command line inside the test's process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from graphsparse.cli import main

Call = Callable[..., tuple[int, str, str]]


class NoInput:
    """A standard input that must not be touched."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"standard input was touched: {name}")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run a command; returns status, stdout, stderr."""
    monkeypatch.delenv("GRAPHSPARSE_DEBUG", raising=False)
    monkeypatch.setattr(sys, "stdin", NoInput())

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run
