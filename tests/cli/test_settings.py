"""``--set`` and ``--seeds``."""

from __future__ import annotations

import pytest
import typer

from graphsparse.cli.settings import parse_seeds, parse_settings


def test_settings_are_json_or_text() -> None:
    texts = ["a=3", "b=0.5", "c=true", "d=gcn", "e=[1, 2]", "f.g = null", "h=a=b", "i="]
    expected = {"a": 3, "b": 0.5, "c": True, "d": "gcn", "e": [1, 2], "f.g": None, "h": "a=b"}
    assert parse_settings(texts) == {**expected, "i": ""}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["lr"], "must look like NAME=VALUE, got 'lr'"),
        (["=3"], "must look like NAME=VALUE, got '=3'"),
        (["a=1", "a=2"], "'a' is given twice"),
    ],
)
def test_bad_settings(texts: list[str], message: str) -> None:
    with pytest.raises(typer.BadParameter) as raised:
        parse_settings(texts)
    assert raised.value.message == message


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("7", [7]), ("0-3", [0, 1, 2, 3]), ("5, 2", [5, 2]), ("9-9", [9]), ("1,4-6", [1, 4, 5, 6])],
)
def test_seeds(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-", "-3", "5-2", "1,,2", "1,1", "0-3,2", "1.5"])
def test_bad_seeds(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="--seeds must"):
        parse_seeds(text)
