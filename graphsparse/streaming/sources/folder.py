"""Updates from the files of a folder, in the order of their names."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from graphsparse.errors import GraphFormatError
from graphsparse.streaming.sources.piece import Piece, Source, Stop

_NAP = 0.2  # seconds between looks at a folder


class FolderSource:
    """Updates from files in the order of their names; hidden ones are not looked at.

    Parameters
    ----------
    folder : Path
        Its files must not change, and new ones must come last in order: a writer gives a file its
        name when it is whole.
    open_file : callable
        Makes the source of one file.
    follow : bool
        Wait for more files at the end.
    """

    def __init__(
        self, folder: Path, open_file: Callable[[Path], Source], *, follow: bool = False
    ) -> None:
        self.name = str(folder)
        self._folder, self._open, self._follow = folder, open_file, follow
        for name in self._names():  # an unknown suffix is an error now, not in an hour
            open_file(folder / name)

    def _names(self) -> list[str]:
        return sorted(
            entry.name
            for entry in self._folder.iterdir()
            if entry.is_file() and not entry.name.startswith(".")
        )

    def pieces(self, offset: Any, size: int, seconds: float, stop: Stop) -> Iterator[Piece]:
        """Yield what comes after an offset, file by file."""
        last, inner = ("", None) if offset is None else (offset["file"], offset["inner"])
        before = 0 if offset is None else int(offset["before"])
        while not stop():
            names = self._names()
            self._check(names, last, before)
            todo = [name for name in names if name > last or (name == last and inner is not None)]
            for name in todo:
                last, before = name, names.index(name)
                for piece in self._open(self._folder / name).pieces(inner, size, seconds, stop):
                    where = {"file": name, "before": before, "inner": piece.offset}
                    yield dataclasses.replace(piece, offset=where)
                inner = None
                if stop():
                    return
            if not todo:
                if not self._follow:
                    return
                time.sleep(_NAP)

    def _check(self, names: list[str], last: str, before: int) -> None:
        """Refuse a folder in which something came or went among the files that were read."""
        if not last:
            return
        if last not in names:
            raise GraphFormatError(f"{self.name}: the file {last!r}, read before, is gone")
        if names.index(last) != before:
            raise GraphFormatError(
                f"{self.name}: expected {before} files before {last!r} as when it was read, "
                f"got {names.index(last)}"
            )
