"""Bad rows in a file of their own, one JSON object a line, each once even after a crash."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

from graphsparse.errors import GraphFormatError
from graphsparse.streaming.sources.piece import Reject


class RejectFile:
    """Append bad rows to a file.

    Parameters
    ----------
    path : Path or None
        The file; None refuses every bad row.
    size : int
        Bytes that belong to batches that were committed; what lies behind is cut off.
    """

    def __init__(self, path: Path | None, size: int = 0) -> None:
        self._path, self.size, self._before = path, size, size
        if path is None or not path.exists():
            return
        if path.stat().st_size < size:
            raise GraphFormatError(
                f"{path}: expected {size} bytes or more, got {path.stat().st_size}"
            )
        os.truncate(path, size)

    def add(self, rejects: Sequence[Reject]) -> None:
        """Write bad rows to disk.

        Raises
        ------
        GraphFormatError
            If there are some and no file for them.
        """
        self._before = self.size
        if not rejects:
            return
        if self._path is None:
            raise GraphFormatError(f"{rejects[0].where}: {rejects[0].reason}")
        lines = "".join(json.dumps(dataclasses.asdict(bad)) + "\n" for bad in rejects)
        with self._path.open("ab") as file:
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())
            self.size = file.tell()

    def take_back(self) -> None:
        """Undo the last :meth:`add`."""
        if self._path is not None and self.size > self._before:
            os.truncate(self._path, self._before)
        self.size = self._before
