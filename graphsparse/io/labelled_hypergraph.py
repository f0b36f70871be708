"""A hypergraph whose incidences carry labels: what an ENC folder or data set holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphsparse.checks import check_choice, check_count, check_ids
from graphsparse.graph import Hypergraph
from graphsparse.rng import SHUFFLE_WITHIN, draw

Array = np.ndarray[Any, np.dtype[Any]]
PARTS = ("train", "val", "test")
NO_PART = -1


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledHypergraph:
    """Hypergraph with one label per incidence, split by hyperedge.

    Parameters
    ----------
    hypergraph : Hypergraph
        ``n`` incidences, ``M`` hyperedges.
    y : array of int, shape (n,)
        Class of each incidence; -1 where there is none.
    part : array of int, shape (M,)
        Of each hyperedge 0 (train), 1 (validation), 2 (test) or -1 (none of them).
    node_names, hyperedge_names : sequence of str, optional
        What the file calls them.
    """

    hypergraph: Hypergraph
    y: Array
    part: Array
    node_names: Sequence[str] | None = None
    hyperedge_names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        h = self.hypergraph
        for name, size in (("y", h.num_incidences), ("part", h.num_hyperedges)):
            values = check_ids(name, getattr(self, name)).astype(np.int64, copy=False)
            if values.shape != (size,):
                raise ValueError(f"{name} must have shape ({size},), got {values.shape}")
            if size and values.min() < -1:
                at = int(values.argmin())
                raise ValueError(f"{name} must be >= -1, got {values[at]} at position {at}")
            object.__setattr__(self, name, values)
        if h.num_hyperedges and self.part.max() >= len(PARTS):
            at = int(self.part.argmax())
            raise ValueError(f"part must be in [-1, 2], got {self.part[at]} at hyperedge {at}")

    @property
    def num_classes(self) -> int:
        """Largest label + 1."""
        return int(self.y.max()) + 1 if len(self.y) else 0

    def rows(self, part: str) -> Array:
        """Return the labelled incidences of the hyperedges of ``"train"``, ``"val"`` or ``"test"``.

        Ascending ids, int64.
        """
        check_choice("part", part, PARTS)
        wanted = self.part[self.hypergraph.hyperedges] == PARTS.index(part)
        return np.flatnonzero(wanted & (self.y >= 0))

    def subset(self, hyperedges: Any) -> LabelledHypergraph:
        """Return the part that some hyperedges make, renumbered in the order given.

        Nodes keep their ids, so features still fit; incidences stand hyperedge by hyperedge.
        """
        h = self.hypergraph
        chosen = check_ids("hyperedges", hyperedges).astype(np.int64, copy=False)
        if len(chosen) and not 0 <= chosen.min() <= chosen.max() < h.num_hyperedges:
            bad = chosen[(chosen < 0) | (chosen >= h.num_hyperedges)][0]
            raise ValueError(f"hyperedges must be in [0, {h.num_hyperedges}), got {bad}")
        if len(np.unique(chosen)) != len(chosen):
            raise ValueError("hyperedges must differ from each other, got a repeated id")
        indptr, order = h.by_hyperedge
        rows = np.concatenate([order[indptr[e] : indptr[e + 1]] for e in chosen] or [order[:0]])
        number = np.full(h.num_hyperedges, -1)
        number[chosen] = np.arange(len(chosen))
        names = self.hyperedge_names
        return LabelledHypergraph(
            Hypergraph(h.nodes[rows], number[h.hyperedges[rows]], h.num_nodes, len(chosen)),
            self.y[rows],
            self.part[chosen],
            self.node_names,
            None if names is None else [names[e] for e in chosen],
        )

    def shuffle_within(self, seed: int) -> LabelledHypergraph:
        """Return the same incidences, in random order within each hyperedge.

        Many files list members by role, so that the place in the line gives the label away.
        """
        check_count("seed", seed)
        h = self.hypergraph
        items = np.arange(h.num_incidences, dtype=np.uint64)
        order = np.lexsort((draw(seed, items, 0, SHUFFLE_WITHIN), h.hyperedges))
        shuffled = Hypergraph(h.nodes[order], h.hyperedges[order], h.num_nodes, h.num_hyperedges)
        return dataclasses.replace(self, hypergraph=shuffled, y=self.y[order])

    def statistics(self) -> dict[str, Any]:
        """Return counts of nodes, hyperedges, incidences, sizes, degrees, labels and splits."""
        h = self.hypergraph
        size, degree = np.diff(h.by_hyperedge[0]), np.diff(h.by_node[0])
        pair = h.nodes * np.int64(max(h.num_hyperedges, 1)) + h.hyperedges
        return {
            "num_nodes": h.num_nodes,
            "num_hyperedges": h.num_hyperedges,
            "num_incidences": h.num_incidences,
            "size": _spread(size),
            "degree": _spread(degree),
            "empty_hyperedges": int((size == 0).sum()),
            "singleton_hyperedges": int((size == 1).sum()),
            "isolated_nodes": int((degree == 0).sum()),
            "repeated_memberships": h.num_incidences - len(np.unique(pair)),
            "labels": np.bincount(self.y[self.y >= 0], minlength=self.num_classes).tolist(),
            "unlabelled": int((self.y < 0).sum()),
            "splits": {name: int((self.part == k).sum()) for k, name in enumerate(PARTS)},
        }


def _spread(values: Array) -> dict[str, float] | None:
    if len(values) == 0:
        return None
    return {
        "min": int(values.min()),
        "median": float(np.median(values)),
        "mean": float(values.mean()),
        "max": int(values.max()),
    }
