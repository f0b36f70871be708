"""What text lists and tables of edges share: node numbers, node count, directedness."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from graphsparse.errors import GraphFormatError
from graphsparse.graph import Graph
from graphsparse.io.assemble import EdgeTable, assemble, check_num_nodes
from graphsparse.io.id_map import number_integers, write_id_map
from graphsparse.io.options import Array, ReadOptions
from graphsparse.io.pieces import Piece

NEEDS_NUMBERS = (
    "expected integer node ids, got names; id_map=PATH numbers them and saves which is which, "
    "relabel=True numbers them only"
)


@dataclasses.dataclass(frozen=True)
class Declared:
    """What a file that we wrote says of itself and its pairs cannot."""

    nodes: int | None = None
    directed: bool | None = None
    parallel: bool = False


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a table comes from: name and bytes of the file, place of an entry for messages."""

    name: str
    size: int
    where: Callable[[int], str]
    declared: Declared


def build(
    piece: Piece, names: Array | None, origin: Origin, options: ReadOptions, report: dict[str, Any]
) -> tuple[Graph, dict[str, Any]]:
    """Return the graph of a table of edges, and the report.

    Parameters
    ----------
    piece : (u, v, weights)
        Ids from 0; numbers of ``names`` where there are names.
    names : array of str objects, optional
        Names of the nodes.
    """
    u, v, weights = piece
    ids = names
    if names is None and len(u):
        report["smallest_id"] = int(min(u.min(), v.min())) + options.base
    if names is None and options.relabel:
        u, v, ids = number_integers(u, v)
        ids = ids + options.base
    asked, declared = options.directed, origin.declared.directed
    table = EdgeTable(
        u=u,
        v=v,
        weights=weights,
        num_nodes=_count_nodes(u, v, ids, origin, options),
        directed=bool(declared) if asked is None else asked,
        directed_by=_decided_by(asked, declared),
        where=origin.where,
        duplicates="keep" if origin.declared.parallel else "error",
        report=report,
    )
    graph, done = assemble(table, options)
    if ids is not None:
        done["ids"] = ids
    if options.id_map is not None and ids is not None:
        write_id_map(options.id_map, ids)
        done["id_map"] = os.fspath(options.id_map)
    return graph, done


def _decided_by(asked: bool | None, declared: bool | None) -> str:
    if asked is not None:
        return "option"
    return "default" if declared is None else "file"


def _count_nodes(
    u: Array, v: Array, ids: Array | None, origin: Origin, options: ReadOptions
) -> int:
    asked, declared = options.num_nodes, origin.declared.nodes
    top = int(max(u.max(), v.max())) if len(u) else -1
    if asked is not None or ids is not None:
        found = top + 1 if ids is None else len(ids)
        if asked is not None and found > asked:
            raise GraphFormatError(f"{origin.name}: expected num_nodes={asked} nodes, got {found}")
        return found if asked is None else asked
    if declared is not None:
        check_num_nodes(origin.name, declared, origin.size, f"num_nodes={declared} accepts it")
        if top >= declared:
            raise GraphFormatError(f"{origin.name}: declares {declared} nodes, got node id {top}")
        return declared
    if top < 0:
        raise GraphFormatError(
            f"{origin.name}: expected at least one edge, got none; num_nodes=N reads a graph "
            "without edges"
        )
    row = int(np.argmax((u == top) | (v == top)))
    check_num_nodes(
        origin.where(row),
        top + 1,
        origin.size,
        "relabel=True numbers the ids anew, num_nodes=N accepts them as they are",
    )
    return top + 1
