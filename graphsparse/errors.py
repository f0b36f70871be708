"""Exceptions of the library: one base class, four kinds."""

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
