"""How many node pairs each directed pattern joins, and how many of them share a label."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np

from graphsparse.backend import native, requested_threads
from graphsparse.graph import Graph
from graphsparse.patterns import device

Array = np.ndarray[Any, np.dtype[Any]]

TWO_STEP = ("AA", "AAT", "ATA")
# What the kernels add up.  F and B are the class histograms of a node's labelled out- and
# in-neighbours, f and b their totals; the rest is over labelled nodes.
SUMS = (
    "bf",  # sum of b f
    "bb",
    "ff",
    "same_bf",  # sum over classes of B F
    "same_bb",
    "same_ff",
    "shared",  # neighbours on both sides
    "out",  # out-neighbours, labelled or not
    "in",
    "same_out",  # out-neighbours of the same label
    "rec",  # labelled neighbours on both sides
)
_ENDS = {"AA": ("bf", "shared"), "AAT": ("bb", "out"), "ATA": ("ff", "in")}
_NOBODY = np.zeros(0, np.int64)


@dataclasses.dataclass(frozen=True, eq=False)
class Arcs:
    """The arcs of a simple digraph by tail and by head, without loops."""

    out: Graph
    into: Graph

    @classmethod
    def of(cls, graph: Graph) -> Arcs:
        """Build from a graph without self-loops and parallel arcs; weights are left out."""
        if graph.num_nodes > 2**31 - 2:
            raise ValueError(f"graph must have fewer than 2^31 - 1 nodes, got {graph.num_nodes}")
        plain = Graph._trusted(graph.indptr, graph.indices, None, True)
        return cls(plain, plain.reverse() if graph.directed else plain)

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return self.out.num_nodes

    def to(self, place: Literal["cpu", "cuda"]) -> Arcs:
        """Return the arcs on a device; path statistics are then counted there."""
        return Arcs(self.out.to(place), self.into.to(place))

    def lists(self) -> tuple[Array, Array, Array, Array]:
        """Return the CSR arrays by tail and by head, as the kernels take them."""
        return self.out.indptr, self.out.indices, self.into.indptr, self.into.indices

    def wedges(self) -> dict[str, int]:
        """Return the two-step walks that the support of each pattern takes to count."""
        outs, ins = self.out.degree, self.into.degree
        mixed = int(np.dot(outs, ins))
        return {"AA": 2 * mixed, "AAT": int(np.dot(ins, ins)), "ATA": int(np.dot(outs, outs))}


@dataclasses.dataclass(frozen=True, eq=False)
class PatternCounts:
    """Ordered pairs of distinct labelled nodes that a pattern joins.

    Attributes
    ----------
    pairs, matches : int, or float with features or sampled rows
        Pairs, and those of one label (with features: the sum of their similarities).
    node_pairs, node_matches : array of int64 or float64, shape (l,)
        Per labelled node: those that start or end at it.  Of sampled rows only these.
    returned : int or None
        Pairs whose reverse the pattern joins too.
    """

    pairs: float
    matches: float
    node_pairs: Array
    node_matches: Array
    returned: int | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class ClassCodes:
    """Labels as the kernels take them: classes from 0, and their number for "no label"."""

    codes: Array
    classes: int

    @classmethod
    def of(cls, classes: Array, num_classes: int) -> ClassCodes:
        """Build from classes in [-1, num_classes), -1 where there is no label."""
        narrow = np.uint8 if num_classes < 256 else np.uint32
        return cls(np.where(classes < 0, num_classes, classes).astype(narrow), num_classes)

    def labelled(self) -> Array:
        """Return the nodes that have a label, ascending."""
        return np.flatnonzero(self.codes != self.classes)


def path_counts(arcs: Arcs, labels: ClassCodes) -> dict[str, PatternCounts]:
    """Count with multiplicity: every path of two steps, except back to its start.

    Notes
    -----
    O(m) time and 92 bytes of scratch memory per node; no product of matrices is formed.
    """
    sums, outs, _ins, rows = _path_kernel(arcs, labels, per_node=True)
    nodes = labels.labelled()
    own = rows.reshape(-1, 6)[nodes]
    found = counts_from_sums(sums, int(outs[nodes].sum(dtype=np.int64)))
    for k, name in enumerate(TWO_STEP):
        found[name] = dataclasses.replace(
            found[name], node_pairs=own[:, 2 * k], node_matches=own[:, 2 * k + 1]
        )
    return found


def counts_from_sums(sums: dict[str, int], num_arcs: int) -> dict[str, PatternCounts]:
    """Return the path counts of each pattern, without those of single nodes.

    Parameters
    ----------
    sums : dict of str to int
        By the names of ``SUMS``.
    num_arcs : int
        Arcs between labelled nodes.
    """
    found = {"A": PatternCounts(num_arcs, sums["same_out"], _NOBODY, _NOBODY, sums["rec"])}
    for name, (ends, back) in _ENDS.items():  # paths back to their start are taken out
        found[name] = PatternCounts(
            sums[ends] - sums[back], sums[f"same_{ends}"] - sums[back], _NOBODY, _NOBODY
        )
    return found


def path_totals(arcs: Arcs, labels: ClassCodes) -> dict[str, int]:
    """Return the bare sums of the path formulas: see the method page for their names."""
    return _path_kernel(arcs, labels, per_node=False)[0]


def support_counts(
    arcs: Arcs, labels: ClassCodes, rows: Array | None = None
) -> dict[str, PatternCounts]:
    """Count each joined pair once, by a walk of two steps from every labelled node.

    Parameters
    ----------
    arcs : Arcs
        ``n`` nodes.
    labels : ClassCodes
        Only pairs with two labels count; the node between them needs none.
    rows : array of int, optional
        Labelled nodes to walk from instead of all; totals are then scaled up.

    Notes
    -----
    O(wedges) time; 8 bytes of scratch memory per node and thread.
    """
    sums, outs, ins, _ = _path_kernel(arcs, labels, per_node=False)
    nodes = labels.labelled()
    walked = nodes if rows is None else rows
    found = {"A": _one_step(sums, outs, ins, nodes)}
    for k, name in enumerate(TWO_STEP):
        pairs, matches, end_pairs, end_matches, returned = native.amud_support(
            *arcs.lists(),
            labels.codes.astype(np.uint32, copy=False),
            labels.classes,
            walked.astype(np.int32),
            k,
            True,
            requested_threads(),
        )
        pairs, matches = pairs.astype(np.int64), matches.astype(np.int64)
        to_pairs, to_matches = (end_pairs, end_matches) if name == "AA" else (pairs, matches)
        total, same = int(pairs.sum()), int(matches.sum())
        counts = PatternCounts(
            total,
            same,
            pairs + to_pairs,
            matches + to_matches,
            int(returned) if name == "AA" else total,
        )
        found[name] = counts if rows is None else _scaled(counts, len(nodes) / max(len(rows), 1))
    return found


def _path_kernel(
    arcs: Arcs, labels: ClassCodes, *, per_node: bool
) -> tuple[dict[str, int], Array, Array, Array]:
    paths = device.amud_paths if arcs.out.device == "cuda" else native.amud_paths
    words, outs, ins, rows = paths(
        *arcs.lists(), labels.codes, labels.classes, per_node, requested_threads()
    )
    return wide_sums(words, SUMS), outs, ins, rows


def wide_sums(words: Array, names: tuple[str, ...]) -> dict[str, int]:
    """Return the 128-bit sums that a kernel gives as pairs of words, low word first."""
    low, high = words[::2].tolist(), words[1::2].tolist()
    return {name: low[k] + (high[k] << 64) for k, name in enumerate(names)}


def _one_step(sums: dict[str, int], outs: Array, ins: Array, nodes: Array) -> PatternCounts:
    """The arcs themselves: the jackknife does not use their matches per node."""
    ends = outs[nodes].astype(np.int64) + ins[nodes]
    num_arcs = int(outs[nodes].sum(dtype=np.int64))
    return PatternCounts(num_arcs, sums["same_out"], ends, _NOBODY, sums["rec"])


def _scaled(counts: PatternCounts, factor: float) -> PatternCounts:
    """Totals of all rows from those of a sample; which pairs return is then not known."""
    return PatternCounts(
        factor * counts.pairs,
        factor * counts.matches,
        counts.node_pairs,
        counts.node_matches,
        None,
    )
