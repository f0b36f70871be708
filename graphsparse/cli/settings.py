"""``--set NAME=VALUE``, ``--read NAME=VALUE`` and ``--seeds 0-9`` as Python values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer


def parse_settings(texts: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """Return settings by name.

    Parameters
    ----------
    texts : sequence of str
        ``NAME=VALUE``; a value that is JSON (``3``, ``0.5``, ``true``, ``[1, 2]``) is that
        value, anything else is text.
    option : str
        Option that the texts were given with.

    Raises
    ------
    typer.BadParameter
        For a text without ``=``, or a name given twice.
    """
    settings: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"must look like NAME=VALUE, got {text!r}", param_hint=option)
        if name.strip() in settings:
            raise typer.BadParameter(f"{name.strip()!r} is given twice", param_hint=option)
        settings[name.strip()] = _value(value.strip())
    return settings


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def parse_seeds(text: str) -> list[int]:
    """Return the seeds of ``"3"``, ``"0-9"`` or ``"1,5,7-9"``, in order."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise typer.BadParameter(f"--seeds must look like 0-9 or 1,5,7-9, got {text!r}")
        end = int(last) if dash else int(first)
        if end < int(first):
            raise typer.BadParameter(f"--seeds must count up, got {part.strip()!r}")
        seeds += range(int(first), end + 1)
    if len(set(seeds)) < len(seeds):
        raise typer.BadParameter(f"--seeds must not repeat a seed, got {text!r}")
    return seeds


def parse_shares(text: str, option: str) -> list[float]:
    """Return the fractions of ``"1,0.5,0.25"``, each in (0, 1]; an empty list for no text."""
    try:
        shares = [float(part) for part in text.split(",")] if text else []
    except ValueError:
        shares = [0.0]
    if not all(0.0 < share <= 1.0 for share in shares) or len(set(shares)) < len(shares):
        raise typer.BadParameter(f"{option} must list fractions in (0, 1] once, got {text!r}")
    return shares
