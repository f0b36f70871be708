"""What a caller may ask of a reader, and what a reader reports back."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Literal, TypedDict

import numpy as np

from graphsparse.checks import check_choice, check_count

Array = np.ndarray[Any, np.dtype[Any]]
Column = int | str
Duplicates = Literal["error", "keep", "sum", "first", "max", "min"]
SelfLoops = Literal["error", "keep", "drop"]
Negative = Literal["error", "allow", "abs"]
Ids = Literal["auto", "integer", "string"]

_CHOICES = {
    "duplicates": ("error", "keep", "sum", "first", "max", "min"),
    "self_loops": ("error", "keep", "drop"),
    "negative": ("error", "allow", "abs"),
    "ids": ("auto", "integer", "string"),
}
COMMENTS = ("#", "%", "//")


class ReadKeywords(TypedDict, total=False):
    """Keyword arguments of the readers; :class:`ReadOptions` explains them."""

    directed: bool | None
    num_nodes: int | None
    duplicates: Duplicates | None
    self_loops: SelfLoops | None
    negative: Negative | None
    weight: Column | None
    columns: tuple[Column, Column] | None
    delimiter: str | None
    header: bool | None
    comments: tuple[str, ...]
    base: int
    ids: Ids
    relabel: bool
    id_map: str | os.PathLike[str] | None


@dataclasses.dataclass(frozen=True)
class ReadOptions:
    """How a file is to be read.  What stays None is left to the format.

    Parameters
    ----------
    directed : bool, optional
        Take each entry as an arc.  Left out: what the file says; edge lists are undirected.
    num_nodes : int, optional
        ``n``; the largest id + 1, or what the file says, when left out.
    duplicates : {"error", "keep", "sum", "first", "max", "min"}, optional
        What becomes of a pair that is given twice.  Left out: an error.  A file that lists
        every pair in both directions has no duplicates: it is recognised and reported.
    self_loops : {"error", "keep", "drop"}, optional
        Left out: kept (METIS: an error, as its definition forbids them).
    negative : {"error", "allow", "abs"}, optional
        What becomes of negative weights.  Left out: an error.  NaN and infinity always are one.
    weight : int, str or None
        Column or attribute of the weights; None reads none.  ``"auto"``: the one called
        "weight"; without a header, the third of exactly three columns.
    columns : (int or str, int or str), optional
        Columns of source and target.  Left out: by their names, or the first two.
    delimiter : str, optional
        One character; ``" "`` is any run of blanks.  Left out: detected.
    header : bool, optional
        Whether the first line names the columns.  Left out: detected.
    comments : tuple of str
        Starts of lines to skip, out of "#", "%" and "//".
    base : {0, 1}
        Id of the first node in an edge list.
    ids : {"auto", "integer", "string"}
        What the node ids are.
    relabel : bool
        Number the nodes anew from 0: integer ids in ascending order, names as they appear.
    id_map : path, optional
        Relabel, and save which id became which node (.npz, .csv or .parquet).
    """

    directed: bool | None = None
    num_nodes: int | None = None
    duplicates: Duplicates | None = None
    self_loops: SelfLoops | None = None
    negative: Negative | None = None
    weight: Column | None = "auto"
    columns: tuple[Column, Column] | None = None
    delimiter: str | None = None
    header: bool | None = None
    comments: tuple[str, ...] = COMMENTS
    base: int = 0
    ids: Ids = "auto"
    relabel: bool = False
    id_map: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value is not None:
                check_choice(name, value, choices)
        if self.num_nodes is not None:
            check_count("num_nodes", self.num_nodes)
        check_count("base", self.base, high=1)
        if self.delimiter is not None and (
            len(self.delimiter) != 1 or not self.delimiter.isascii() or self.delimiter in '\r\n"'
        ):
            raise ValueError(f"delimiter must be one ASCII character, got {self.delimiter!r}")
        unknown = [mark for mark in self.comments if mark not in COMMENTS]
        if unknown:
            raise ValueError(f"comments must come from {COMMENTS}, got {unknown[0]!r}")
        if self.columns is not None and len(self.columns) != 2:
            raise ValueError(f"columns must be (source, target), got {self.columns!r}")
        if self.id_map is not None:
            object.__setattr__(self, "relabel", True)


_COMMON = frozenset({"directed", "num_nodes", "duplicates", "self_loops", "negative"})


def make_options(given: Mapping[str, Any], form: str, understood: frozenset[str]) -> ReadOptions:
    """Build the options of one format; one that it cannot use is an error, not ignored."""
    known = {field.name for field in dataclasses.fields(ReadOptions)}
    for name in given:
        if name not in known:
            raise TypeError(f"no option is called {name!r}; known: {', '.join(sorted(known))}")
        if name not in _COMMON | understood:
            raise ValueError(f"option {name!r} means nothing to the format {form!r}")
    return ReadOptions(**given)


@dataclasses.dataclass(frozen=True)
class ReadReport:
    """What reading a file found and did.

    Attributes
    ----------
    path, format : str
        The file and the format that it was read as.
    rows : int
        Entries read, before any merging.
    directed : bool
        Whether the graph is directed, and in ``directed_by`` what decided it: "option",
        "file", "default" or "detected".
    both_directions : bool
        The file lists every pair in both directions; each was taken as one edge.
    duplicates_merged, self_loops_dropped, negatives_made_positive : int
        Repairs that were asked for, in entries of the file.
    comments : int
        Comment lines skipped.
    header : tuple of str, optional
        Column names of the first line, or None if there was none.
    columns : tuple, optional
        Columns of source, target and weight.
    smallest_id : int, optional
        Smallest id in an edge list: 1 or more hints at ``base=1``.
    ids : array, optional
        Id in the file of each node, if the nodes were numbered anew.
    id_map : str, optional
        Where ``ids`` were saved.
    ignored : tuple of str
        What the file holds and the graph does not.
    """

    path: str
    format: str
    rows: int
    directed: bool
    directed_by: str
    both_directions: bool = False
    duplicates_merged: int = 0
    self_loops_dropped: int = 0
    negatives_made_positive: int = 0
    comments: int = 0
    header: tuple[str, ...] | None = None
    columns: tuple[Column | None, ...] | None = None
    smallest_id: int | None = None
    ids: Array | None = dataclasses.field(default=None, repr=False, compare=False)
    id_map: str | None = None
    ignored: tuple[str, ...] = ()
