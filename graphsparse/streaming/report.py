"""What one batch did: counts, and one row for each decision."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def _row(columns: str) -> np.dtype[Any]:
    """Return the type of a row from "name type, name type"; the layout is that of dygrass.hpp."""
    return np.dtype([tuple(column.split()) for column in columns.split(", ")])


_TEST = _row("id u8, w f8, R f8, u i4, v i4, walker i4, accepted ?, how u1, rechecked ?, unused u1")
_DELETION = _row(
    "id u8, w f8, R f8, path_end i8, added_end i8, u i4, v i4, walker i4, "
    "in_sparsifier ?, fallback ?, disconnected ?, redundant ?"
)
_CHANGE = _row("id u8, before f8, after f8, u i4, v i4, in_sparsifier ?, tested ?, unused V6")
_EDGE = _row("w f8, u i4, v i4")
HOW = ("walk", "tree", "component")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BatchReport:
    """Decisions and costs of one batch.

    Attributes
    ----------
    first_id, num_updates : int
        The updates have the ids ``first_id .. first_id + num_updates - 1``.
    tests : structured array
        One row per insertion test, by id: ``id, u, v, w, accepted, R, walker, how, rechecked``.
        ``R`` is the resistance of the detour that was found (NaN if accepted), ``walker`` who
        found it (-1: decided without a walk), ``how`` indexes ``("walk", "tree", "component")``.
    deletions : structured array
        One row per deleted edge: ``id, u, v, w, in_sparsifier, R, walker, fallback,
        disconnected, redundant``; see also :meth:`path` and :meth:`added`.
    changes : structured array
        One row per new weight: ``id, u, v, before, after, in_sparsifier, tested``.
    repaired : structured array
        Edges ``u, v, w`` added because deletions had split the sparsifier but not the graph.
    ignored : dict of str to int
        Updates without effect: self-loops, deletions of missing edges, zero inserts, pairs that
        end with the weight they had.
    steps : int
        Steps made by all walkers.
    seconds, search_seconds : float
        Wall time of the batch, and of its parallel part.
    num_nodes, num_edges, num_sparsifier_edges : int
        Sizes afterwards.
    """

    first_id: int
    num_updates: int
    tests: Array
    deletions: Array
    changes: Array
    repaired: Array
    ignored: dict[str, int]
    steps: int
    seconds: float
    search_seconds: float
    num_nodes: int
    num_edges: int
    num_sparsifier_edges: int
    _path_nodes: Array
    _added: Array

    @property
    def accepted(self) -> int:
        """Number of tested insertions that entered the sparsifier."""
        return int(np.count_nonzero(self.tests["accepted"]))

    def new_edges(self) -> Array:
        """Return the rows of ``tests`` that belong to edges the graph did not have."""
        old = np.isin(self.tests["id"], self.changes["id"])
        rows: Array = self.tests[~old]
        return rows

    @property
    def rejected(self) -> int:
        """Number of tested insertions that have a short detour."""
        return len(self.tests) - self.accepted

    @property
    def deleted(self) -> int:
        """Number of edges deleted from the graph."""
        return len(self.deletions)

    @property
    def deleted_from_sparsifier(self) -> int:
        """Number of them that were in the sparsifier."""
        return int(np.count_nonzero(self.deletions["in_sparsifier"]))

    @property
    def recovered(self) -> int:
        """Number of edges put into the sparsifier for deleted ones, repairs included."""
        return len(self._added) + len(self.repaired)

    @property
    def density(self) -> float:
        """Sparsifier edges per node; a tree has about 1."""
        return self.num_sparsifier_edges / self.num_nodes if self.num_nodes else 0.0

    @property
    def keep(self) -> float:
        """Sparsifier edges per edge of the graph."""
        return self.num_sparsifier_edges / self.num_edges if self.num_edges else 1.0

    def path(self, row: int) -> Array:
        """Return the nodes of the detour for ``deletions[row]``; empty if there is none."""
        return self._path_nodes[_piece(self.deletions["path_end"], row)]

    def added(self, row: int) -> Array:
        """Return the edges ``u, v, w`` that the detour for ``deletions[row]`` added."""
        return self._added[_piece(self.deletions["added_end"], row)]

    def summary(self) -> dict[str, Any]:
        """Return the counts as a dict that JSON can hold."""
        return {
            "first_id": self.first_id,
            "updates": self.num_updates,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "deleted": self.deleted,
            "deleted_from_sparsifier": self.deleted_from_sparsifier,
            "recovered": self.recovered,
            "repaired": len(self.repaired),
            "reweighted": len(self.changes),
            "ignored": dict(self.ignored),
            "steps": self.steps,
            "seconds": self.seconds,
            "nodes": self.num_nodes,
            "edges": self.num_edges,
            "sparsifier_edges": self.num_sparsifier_edges,
            "edges_per_node": self.density,
            "off_tree_percent": 100 * (self.density - 1),
            "keep": self.keep,
        }

    def __repr__(self) -> str:
        return (
            f"BatchReport(updates={self.num_updates}, accepted={self.accepted}, "
            f"rejected={self.rejected}, deleted={self.deleted}, recovered={self.recovered}, "
            f"sparsifier_edges={self.num_sparsifier_edges}, seconds={self.seconds:.3g})"
        )


def _piece(ends: Array, row: int) -> slice:
    row = range(len(ends))[row]
    return slice(int(ends[row - 1]) if row else 0, int(ends[row]))


def read_log(log: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays of a native report under their names and with their types."""
    types = {
        "tests": _TEST,
        "deletions": _DELETION,
        "changes": _CHANGE,
        "repaired": _EDGE,
        "_added": _EDGE,
        "_path_nodes": np.dtype(np.int32),
    }
    out = {name: log[name.lstrip("_")].view(dtype) for name, dtype in types.items()}
    return {**out, "steps": log["steps"], "search_seconds": log["search_seconds"]}
