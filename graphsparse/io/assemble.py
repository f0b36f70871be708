"""From the entries of a file to a graph: policies, directions, node numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from graphsparse.backend import native
from graphsparse.errors import GraphFormatError
from graphsparse.graph import Graph, build_csr
from graphsparse.io.options import Array, ReadOptions

FREE_NODES = 1 << 19  # nodes that a file of any size may have; and one more per 4 bytes


@dataclasses.dataclass(frozen=True)
class EdgeTable:
    """Entries of a file as it lists them.

    Attributes
    ----------
    u, v : array of int, shape (rows,)
        Ends, from 0, checked to be below ``num_nodes``.
    weights : array of float, shape (rows,), optional
        Finite weights.
    num_nodes : int
        ``n``.
    directed : bool, optional
        None: undirected if the arcs are symmetric, else directed.
    directed_by : str
        What decided it, for the report.
    both_directions : bool
        The format lists the pairs of an undirected graph in both directions; otherwise that is
        found out.
    where : callable
        Place of an entry for messages: "roads.csv:17".
    loops : str
        Policy for self-loops where the caller gave none.
    report : dict
        Fields of the report that the reader knows.
    """

    u: Array
    v: Array
    weights: Array | None
    num_nodes: int
    directed: bool | None
    directed_by: str
    where: Callable[[int], str]
    both_directions: bool = False
    loops: str = "keep"
    duplicates: str = "error"
    negative: str = "error"
    report: dict[str, Any] = dataclasses.field(default_factory=dict)


def check_num_nodes(where: str, num_nodes: int, text_bytes: int, remedy: str) -> None:
    """Refuse a node count that the size of the file cannot justify: memory is bounded by it."""
    most = FREE_NODES + text_bytes // 4
    if num_nodes > most:
        raise GraphFormatError(
            f"{where}: expected at most {most} nodes in {text_bytes} bytes of text, "
            f"got {num_nodes}; {remedy}"
        )


def check_declared(where: str, declared: int, asked: int | None, text_bytes: int) -> None:
    """Check the node count of a header against the file and what the caller asked for."""
    if asked is None:
        check_num_nodes(where, declared, text_bytes, f"num_nodes={declared} accepts it")
    elif asked != declared:
        raise GraphFormatError(f"{where}: expected num_nodes={asked} as asked, got {declared}")


def assemble(table: EdgeTable, options: ReadOptions) -> tuple[Graph, dict[str, Any]]:
    """Return the graph of a table and the report of what was done to it."""
    done: dict[str, Any] = {"rows": len(table.u), **table.report}
    table = _settle_weights(_settle_loops(table, options, done), options, done)
    policy = options.duplicates or table.duplicates
    if table.directed is False and not table.both_directions:
        graph = _undirected(table, policy, done)
    else:
        graph = _from_arcs(table, policy, done)
    done["directed"], done["directed_by"] = graph.directed, table.directed_by
    return graph, done


def _settle_loops(table: EdgeTable, options: ReadOptions, done: dict[str, Any]) -> EdgeTable:
    policy = options.self_loops or table.loops
    if policy == "keep":
        return table
    loops = table.u == table.v
    count = int(np.count_nonzero(loops))
    if count == 0:
        return table
    if policy == "error":
        at = int(np.argmax(loops))
        raise GraphFormatError(
            f"{table.where(at)}: expected no self-loop, got one at the node numbered "
            f"{table.u[at]}; self_loops='keep' or 'drop' reads the file"
        )
    done["self_loops_dropped"] = count
    rows = np.flatnonzero(~loops)
    where = table.where
    return dataclasses.replace(
        table,
        u=table.u[rows],
        v=table.v[rows],
        weights=None if table.weights is None else table.weights[rows],
        where=lambda row: where(int(rows[row])),
    )


def _settle_weights(table: EdgeTable, options: ReadOptions, done: dict[str, Any]) -> EdgeTable:
    policy = options.negative or table.negative
    weights = table.weights
    if weights is None or policy == "allow" or len(weights) == 0 or not weights.min() < 0:
        return table
    if policy == "error":
        at = int(np.argmax(weights < 0))
        raise GraphFormatError(
            f"{table.where(at)}: expected a weight of at least 0, got {weights[at]}; "
            "negative='allow' keeps it, negative='abs' drops the sign"
        )
    done["negatives_made_positive"] = int(np.count_nonzero(weights < 0))
    return dataclasses.replace(table, weights=np.abs(weights))


def _csr(table: EdgeTable, *, mirror: bool) -> Graph:
    if table.weights is not None:
        graph, entry = build_csr(table.u, table.v, table.num_nodes, mirror=mirror)
        weights = table.weights[entry]
        return Graph._trusted(graph.indptr, graph.indices, weights, not mirror)
    wide = table.num_nodes > 2**31 - 1
    ends = [x.astype(np.int64, copy=False) if wide else x for x in (table.u, table.v)]
    build = native.pattern_csr64 if wide else native.pattern_csr32
    indptr, indices = build(*ends, table.num_nodes, mirror)
    return Graph._trusted(indptr, indices, None, not mirror)


def _undirected(table: EdgeTable, policy: str, done: dict[str, Any]) -> Graph:
    """Build from pairs that stand once each, or all of them in both directions."""
    graph = _csr(table, mirror=True)
    if not graph.has_parallel_edges:
        return graph
    arcs = _csr(table, mirror=False)
    once = arcs if policy in ("keep", "error") else arcs.coalesce(policy)  # type: ignore[arg-type]
    if once.num_arcs > once.num_self_loops and once.is_symmetric():
        if policy == "error" and arcs.has_parallel_edges:
            _fail_duplicate(table, mirror=False)
        done["both_directions"] = True
        done["duplicates_merged"] = arcs.num_arcs - once.num_arcs
        return Graph._trusted(once.indptr, once.indices, once.weights, False)
    return _merge(table, graph, policy, done)


def _from_arcs(table: EdgeTable, policy: str, done: dict[str, Any]) -> Graph:
    arcs = _merge(table, _csr(table, mirror=False), policy, done)
    if table.directed:
        return arcs
    symmetric = arcs.is_symmetric()
    if table.directed is False and not symmetric:
        _fail_asymmetric(table)
    if not symmetric:
        return arcs
    done["both_directions"] = True
    return Graph._trusted(arcs.indptr, arcs.indices, arcs.weights, False)


def _merge(table: EdgeTable, graph: Graph, policy: str, done: dict[str, Any]) -> Graph:
    if policy == "keep" or not graph.has_parallel_edges:
        return graph
    if policy == "error":
        _fail_duplicate(table, mirror=not graph.directed)
    merged = graph.coalesce(policy)  # type: ignore[arg-type]
    done["duplicates_merged"] = graph.num_edges - merged.num_edges
    return merged


def _fail_duplicate(table: EdgeTable, *, mirror: bool) -> NoReturn:
    """Name the earliest entry that repeats another one."""
    graph, entry = build_csr(table.u, table.v, table.num_nodes, mirror=mirror)
    rows = graph.arc_rows()
    again = np.flatnonzero((rows[1:] == rows[:-1]) & (graph.indices[1:] == graph.indices[:-1])) + 1
    at = int(again[np.argmin(entry[again])])
    first, second = int(entry[at - 1]), int(entry[at])
    turned = table.u[first] != table.u[second]
    hint = "; directed=True reads both directions as arcs" if turned else ""
    raise GraphFormatError(
        f"{table.where(second)}: expected each pair once, got nodes {table.u[second]} and "
        f"{table.v[second]} again after {table.where(first)}; duplicates='sum', 'first', 'max', "
        f"'min' or 'keep' says what to do{hint}"
    )


def _fail_asymmetric(table: EdgeTable) -> NoReturn:
    """Name the first entry whose reverse is missing or has another weight."""
    weights = np.ones(len(table.u)) if table.weights is None else table.weights
    n = max(table.num_nodes, 1)
    forward = table.u.astype(np.int64) * n + table.v
    backward = table.v.astype(np.int64) * n + table.u
    order, reverse = np.lexsort((weights, forward)), np.lexsort((weights, backward))
    differ = (forward[order] != backward[reverse]) | (weights[order] != weights[reverse])
    at = int(np.argmax(differ))
    # the smaller key is the one without a partner
    at = int(order[at] if forward[order[at]] <= backward[reverse[at]] else reverse[at])
    raise GraphFormatError(
        f"{table.where(at)}: expected each edge in the lines of both its nodes with one weight, "
        f"got {table.u[at]} -> {table.v[at]} (numbered from 0) in one only"
    )
