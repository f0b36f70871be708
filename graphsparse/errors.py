"""Exceptions of the library: one base class, and a kind for each cause."""

from __future__ import annotations


class GraphsparseError(Exception):
    """Base class of every error that graphsparse raises on purpose."""


class GraphFormatError(GraphsparseError, ValueError):
    """A file or an array does not describe a graph; the message says where and why."""


class BackendError(GraphsparseError, RuntimeError):
    """A device, a driver or a compiled part is missing; the message says what mends it."""


class MissingDependencyError(BackendError, ImportError):
    """An optional package is not installed; the message holds the pip line that mends it."""


class DownloadError(GraphsparseError, OSError):
    """A file cannot be had from the network, or is not the one that was asked for."""


class DatasetTooLargeError(GraphsparseError, MemoryError):
    """A data set needs more memory than this machine has free; the message holds both figures."""


class StoreError(GraphsparseError, RuntimeError):
    """A durable stream cannot be used as asked; the message says why and what mends it."""


class StoreLockedError(StoreError):
    """Another process writes to the store; the message names it."""


class StoreDamagedError(StoreError):
    """What the store holds is not what was written; the message says what a repair would lose.

    Attributes
    ----------
    batch : int or None
        First batch that is damaged, where one is.
    """

    def __init__(self, message: str, batch: int | None = None) -> None:
        super().__init__(message)
        self.batch = batch
