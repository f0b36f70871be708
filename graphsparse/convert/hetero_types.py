"""PyTorch Geometric ``HeteroData``: one graph per edge type, a reverse type with its original."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from graphsparse.convert import pyg_types
from graphsparse.convert.border import Border, entries_border
from graphsparse.convert.entries import Array, Entries
from graphsparse.errors import GraphFormatError
from graphsparse.graph import Graph

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData

EdgeType = tuple[str, str, str]


def hetero_borders(data: HeteroData, *, directed: bool | None = None) -> dict[EdgeType, Border]:
    """See each edge type of a ``HeteroData`` as a :class:`~graphsparse.convert.Border`.

    Parameters
    ----------
    data : HeteroData
        An edge type from a kind of nodes to itself is read like a ``Data``.  One between two
        kinds is a bipartite graph: source nodes first, then destination nodes.
    directed : bool, optional
        As in :func:`~graphsparse.convert.as_border`, for every edge type.  Left out, a bipartite
        one is undirected.

    Returns
    -------
    dict
        One border per edge type.  A type ``(b, "rev_x", a)`` that holds the edges of
        ``(a, "x", b)`` the other way round (as ``ToUndirected`` makes it) has none of its own:
        its edges share the fate of their originals.  ``restore`` of a border filters its edge
        type and the reverse of that; :func:`restore_hetero` filters all of them.
    """
    if not pyg_types.is_hetero(data):
        raise TypeError(f"data must be a HeteroData, got {type(data).__name__}")
    borders, reverses = {}, set()
    for kind in data.edge_types:
        border = entries_border(_entries(data, kind, directed), directed, lambda keep: keep)
        followers = {kind: border}
        back = (kind[2], f"rev_{kind[1]}", kind[0])
        if back in data.edge_types:
            entries = _entries(data, back, directed, turned=True)
            turned = entries_border(entries, border.graph.directed, lambda keep: keep)
            if _same_pattern(turned.graph, border.graph):
                followers[back] = turned
                reverses.add(back)
        borders[kind] = dataclasses.replace(border, _rebuild=_Rebuild(data, followers))
    return {kind: border for kind, border in borders.items() if kind not in reverses}


def restore_hetero(
    data: HeteroData, borders: Mapping[EdgeType, Border], masks: Mapping[EdgeType, Any]
) -> HeteroData:
    """Return a ``HeteroData`` in which each mask filters its edge type.

    Parameters
    ----------
    data : HeteroData
        What ``borders`` were made from; it is not changed.
    borders : dict
        From :func:`hetero_borders`.
    masks : dict of arrays of bool, shape (borders[kind].graph.num_edges,)
        Edge types that are not named stay as they are.
    """
    for kind, mask in masks.items():
        rebuild = cast(_Rebuild, borders[kind]._rebuild)
        data = dataclasses.replace(rebuild, data=data)(borders[kind].check_mask(mask))
    return data


@dataclasses.dataclass(frozen=True)
class _Rebuild:
    """From a mask of edges to a ``HeteroData`` in which some edge types are filtered."""

    data: Any
    followers: dict[EdgeType, Border]

    def __call__(self, mask: Array) -> Any:
        out = copy.copy(self.data)
        for kind, border in self.followers.items():
            keep = border._rebuild(mask)
            filtered = pyg_types.keep_store(out[kind], keep)
            slices = out._global_store.__dict__.get("_slice_dict")  # a Batch
            if slices is not None:
                own = pyg_types.kept_slices(slices[kind], filtered, keep)
                out._slice_dict = {**slices, kind: own}
        return out


def _same_pattern(a: Graph, b: Graph) -> bool:
    return np.array_equal(a.indptr, b.indptr) and np.array_equal(a.indices, b.indices)


def _entries(
    data: HeteroData, kind: EdgeType, directed: bool | None, *, turned: bool = False
) -> Entries:
    """Return the entries of an edge type; ``turned`` ones from destination to source."""
    store, name = data[kind], f"data[{kind}]"
    source, target = (pyg_types.count_store_nodes(data[kind[i]]) for i in (0, 2))
    if kind[0] == kind[2]:
        entries = pyg_types.read_store(store, source, name)
        if turned:
            entries = dataclasses.replace(entries, row=entries.col, col=entries.row)
        return entries
    entries = pyg_types.read_store(store, None, name)
    sides = [
        (entries.row, _side("source", entries, entries.row, source)),
        (entries.col, _side("destination", entries, entries.col, target)),
    ]
    (row, first), (col, second) = reversed(sides) if turned else sides
    return Entries(
        row.astype(np.int64),
        col.astype(np.int64) + first,
        first + second,
        entries.weights,
        directed=bool(directed),
        pairs=not directed,
        name=entries.name,
    )


def _side(side: str, entries: Entries, ids: Array, count: int | None) -> int:
    """Return the nodes of one side of a bipartite edge type, which hold its ids."""
    largest = int(ids.max(initial=-1))
    if count is None:
        return largest + 1
    if largest >= count:
        at = int(np.argmax(ids >= count))
        raise GraphFormatError(
            f"{entries.name} must hold {side} ids in [0, {count}), got {ids[at]} at entry {at}"
        )
    return count
