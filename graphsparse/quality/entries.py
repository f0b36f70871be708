"""Entries of a comparison, and the file that remembers them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from graphsparse.errors import GraphFormatError
from graphsparse.graph import Graph
from graphsparse.quality.pair import Task
from graphsparse.quality.report import VERSION


@dataclasses.dataclass(frozen=True)
class Entry:
    """One figure of one sparse graph.

    Attributes
    ----------
    method, keep, seed, figure
        What was measured.
    num_edges : int
        Edges kept.
    value, error : float
        The figure and its standard error; ``value`` is None if it failed.
    score_seconds, select_seconds, figure_seconds : float
        Wall times; edges are scored once per method and seed.
    peak_bytes : int
        Largest memory of the process so far.
    note : str
        Why there is no value, or that random edges do better.
    """

    method: str
    keep: float
    seed: int
    figure: str
    num_edges: int
    value: float | None
    error: float
    score_seconds: float
    select_seconds: float
    figure_seconds: float
    peak_bytes: int
    note: str = ""


class EntryCache:
    """Entries in a file of JSON lines, found by a hash of all they depend on."""

    def __init__(
        self, path: str | Path | None, graph: Graph, samples: int, task: Task | None
    ) -> None:
        self._path = None if path is None else Path(path)
        self._entries: dict[str, Entry] = {}
        if self._path is None:
            return
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((graph.directed, samples)).encode())
        if task is not None and task.test_on != "sparse":
            digest.update(task.test_on.encode())
        arrays = [graph.indptr, graph.indices, graph.weights]
        if task is not None:
            arrays += [task.features, task.labels, task.train, task.val, task.test]
        for array in arrays:
            digest.update(b"-" if array is None else np.ascontiguousarray(array).data)
        self._graph = digest.hexdigest()
        if self._path.exists():
            self._read(self._path)

    def _read(self, path: Path) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):  # of a run that was killed
            lines.pop()
            with path.open("r+b") as file:
                file.truncate(sum(map(len, lines)))
        for number, line in enumerate(lines, 1):
            try:
                found = json.loads(line)
                key = found.pop("key")
                self._entries[key] = Entry(**found)
            except (ValueError, TypeError, KeyError) as error:
                raise GraphFormatError(f"{path}:{number}: not an entry of a comparison") from error

    def key(self, name: str, options: dict[str, Any], keep: float, seed: int, figure: str) -> str:
        """Return the hash of an entry."""
        if self._path is None:
            return ""
        facts = (self._graph, name, sorted(options.items()), keep, seed, figure, VERSION)
        return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()

    def get(self, key: str) -> Entry | None:
        """Return an entry that is known."""
        return self._entries.get(key) if key else None

    def put(self, key: str, entry: Entry) -> None:
        """Remember an entry, unless it may take longer next time."""
        if self._path is None or entry.note.startswith("TimeoutError"):
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"key": key, **dataclasses.asdict(entry)})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
