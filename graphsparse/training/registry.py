"""Networks of users and of other packages, under names that recipes can say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Builder = Callable[..., Any]

BUILT_IN = ("gcn", "gin", "gat", "sage", "mlp", "dirgnn", "adpa", "gin_attention")
_registered: dict[str, Builder] = {}


def register_model(name: str, build: Builder) -> None:
    """Let recipes of this process say ``model.name = name``.

    Parameters
    ----------
    name : str
        Not one of the library's own models; registering a name again replaces it.
    build : callable
        ``build(in_dim, hidden, out_dim, *, layers, **options)`` with the options of the recipe, and
        ``dropout`` and ``heads`` where it gives them.  Returns an ``nn.Module`` that is called as
        ``model(x, adjacency)`` and returns logits of shape (n, out_dim).

    Raises
    ------
    ValueError
        If the name is taken by the library, or empty.

    Examples
    --------
    >>> from graphsparse.models import SAGE
    >>> register_model("my_sage", SAGE)
    """
    if not isinstance(name, str) or not name:
        raise ValueError(f"name must be a text that is not empty, got {name!r}")
    if name in BUILT_IN:
        raise ValueError(f"name must not be one of {', '.join(BUILT_IN)}, got {name!r}")
    if not callable(build):
        raise TypeError(f"build must be callable, got {type(build).__name__}")
    _registered[name] = build


def registered(name: str) -> Builder | None:
    """Return what builds a model of that name, None for one of the library's own."""
    return _registered.get(name)


def model_names() -> tuple[str, ...]:
    """Return every name that a recipe can say."""
    return (*BUILT_IN, *sorted(_registered))
