"""Reading the pickles of the Planetoid files: arrays and dictionaries, never code."""

from __future__ import annotations

import pickle
from typing import Any, BinaryIO

from graphsparse.errors import GraphFormatError

# (module, name) -> where it is now.  What the files of Yang et al. (2016) are made of.
_ALLOWED = {
    ("numpy", "dtype"): ("numpy", "dtype"),
    ("numpy", "ndarray"): ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
    ("scipy.sparse.csr", "csr_matrix"): ("scipy.sparse", "csr_matrix"),
    ("scipy.sparse._csr", "csr_matrix"): ("scipy.sparse", "csr_matrix"),
    ("collections", "defaultdict"): ("collections", "defaultdict"),
    ("__builtin__", "list"): ("builtins", "list"),
    ("builtins", "list"): ("builtins", "list"),
}


def _bytes(text: str, encoding: str) -> bytes:
    """Stand in for ``_codecs.encode``, as which Python 3 writes bytes for Python 2."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding!r}")
    return text.encode("latin1")


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that finds no other class or function than those of ``_ALLOWED``."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _bytes
        try:
            return super().find_class(*_ALLOWED[module, name])
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def load(file: BinaryIO, *, encoding: str = "latin1") -> Any:
    """Return what a pickle holds if it is arrays, sparse matrices, lists and dictionaries.

    Raises
    ------
    GraphFormatError
        If it asks for anything else, or is no pickle; nothing of it has run then.
    """
    name = getattr(file, "name", "the file")
    try:
        return _ArraysOnly(file, encoding=encoding).load()
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError) as error:
        raise GraphFormatError(
            f"{name}: it must be a pickle of arrays and dictionaries, and is refused: {error}"
        ) from error
