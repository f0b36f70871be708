"""The one place that meets the habits of torch-geometric's and ogb's loaders.

Inside :func:`guarded` their code downloads through :mod:`graphsparse.datasets.download`, unpickles
nothing but tensors and arrays, asks no question and prints to standard error.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from graphsparse.checks import require
from graphsparse.datasets import pickles
from graphsparse.errors import GraphFormatError

Fetch = Callable[[str, Path, str | None], Path]
_LOCK = threading.RLock()
_WEIGHTS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
_NOT_WEIGHTS_ONLY = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


def import_ogb(module: str) -> ModuleType:
    """Import a module of ogb without its version check, which would ask the network in a thread.

    Parameters
    ----------
    module : str
        ``"ogb.nodeproppred"``, ``"ogb.graphproppred.evaluate"``, ...
    """
    require("torch_geometric", "gnn", module)
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # ogb starts the check only if it can import the package `outdated`.
        hidden = sys.modules.get("outdated")
        sys.modules["outdated"] = None  # type: ignore[assignment]
        try:
            require("ogb", "gnn", module)
            return importlib.import_module(module)
        finally:
            del sys.modules["outdated"]
            if hidden is not None:
                sys.modules["outdated"] = hidden


@contextlib.contextmanager
def guarded(fetch: Fetch, module: ModuleType) -> Iterator[None]:
    """Run loaders of torch-geometric or ogb with their habits replaced.

    Parameters
    ----------
    fetch : callable
        From ``(url, folder, name)`` to the path of the file, downloaded or found.
    module : module
        The one that defines the loader.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_LOCK)
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(_tensors_only())
        for owner, name, value in _replacements(fetch, module):
            stack.enter_context(_replaced(owner, name, value))
        try:
            yield
        except pickle.UnpicklingError as error:
            raise GraphFormatError(
                f"a cached file holds more than tensors and is refused: {error}; "
                "delete the processed folder of the data set to have it made again"
            ) from error


def _replacements(fetch: Fetch, module: ModuleType) -> list[tuple[ModuleType, str, Any]]:
    from torch_geometric.io import fs, planetoid

    def download_url(url: str, folder: str, log: bool = True, filename: str | None = None) -> str:
        return str(fetch(url, Path(folder), filename))

    def copy(source: str, target: str, *args: Any, **kwargs: Any) -> Any:
        if "://" in source:
            return fetch(source, Path(target), None)
        return original(source, target, *args, **kwargs)

    original = fs.cp
    found: list[tuple[ModuleType, str, Any]] = [(fs, "cp", copy), (planetoid, "pickle", pickles)]
    if hasattr(module, "download_url"):
        found.append((module, "download_url", download_url))
    if hasattr(module, "decide_download"):  # ogb asks on standard input above 1 GB
        found.append((module, "decide_download", lambda url: True))
        # ... and whether to delete a folder of another release: it is used as it is.
        found.append((module, "input", lambda *question: "n"))
    return found


@contextlib.contextmanager
def _replaced(owner: ModuleType, name: str, value: Any) -> Iterator[None]:
    missing = object()
    before = getattr(owner, name, missing)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is missing:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


@contextlib.contextmanager
def _tensors_only() -> Iterator[None]:
    """Make every ``torch.load`` take tensors, arrays and PyG's containers only.

    torch-geometric retries with ``weights_only=False`` and ogb passes nothing; the environment
    variable overrides both.
    """
    import torch

    before = {key: os.environ.pop(key, None) for key in (_WEIGHTS_ONLY, _NOT_WEIGHTS_ONLY)}
    os.environ[_WEIGHTS_ONLY] = "1"
    try:
        with torch.serialization.safe_globals(_containers()):
            yield
    finally:
        del os.environ[_WEIGHTS_ONLY]
        os.environ.update({key: value for key, value in before.items() if value is not None})


def _containers() -> list[Any]:
    """Return the classes that processed files and split files are made of."""
    import numpy as np
    from numpy._core import multiarray
    from torch_geometric.data import data, hetero_data, storage

    classes = [
        data.Data,
        data.DataEdgeAttr,
        data.DataTensorAttr,
        hetero_data.HeteroData,
        storage.BaseStorage,
        storage.NodeStorage,
        storage.EdgeStorage,
        storage.GlobalStorage,
    ]
    rebuild = multiarray._reconstruct
    arrays = [
        rebuild,
        (rebuild, "numpy.core.multiarray._reconstruct"),
        multiarray.scalar,  # the number of nodes of binary sets such as papers100M
        (multiarray.scalar, "numpy.core.multiarray.scalar"),
        np.ndarray,
        np.dtype,
        *{type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"},
    ]
    return classes + arrays
