"""Edges sorted by receiver, kept for as long as the caller keeps the graph they came from."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from graphsparse.graph import Graph
from graphsparse.models.adjacency import Adjacency
from graphsparse.models.sparse import Pattern

Array = np.ndarray[Any, np.dtype[Any]]
Edges = Tensor | Graph | Adjacency


@dataclasses.dataclass(frozen=True, eq=False)
class Receivers:
    """The edges of a graph as rows of receivers, senders ascending in each row.

    Attributes
    ----------
    pattern : Pattern
        Row ``i`` lists the senders of the messages to ``i``.
    position : Tensor of int64, shape (num_edges + added,)
        Entry of each edge; added self-loops follow the given edges, and merged edges share one.
    num_edges : int
        Edges that were given.
    """

    pattern: Pattern
    position: Tensor
    num_edges: int

    @cached_property
    def rows(self) -> Tensor:
        """Receiver of every entry, int64."""
        return torch.from_numpy(self.pattern.rows()).to(self.position.device)

    @cached_property
    def senders(self) -> Tensor:
        """Sender of every entry, int64."""
        return torch.from_numpy(self.pattern.indices.astype(np.int64)).to(self.position.device)

    @cached_property
    def counts(self) -> Tensor:
        """Entries of each row, int64 of shape (receivers,)."""
        return torch.from_numpy(np.diff(self.pattern.indptr)).to(self.position.device)

    @cached_property
    def order(self) -> Tensor:
        """Edge behind each entry, where none were merged."""
        return torch.argsort(self.position)

    @cached_property
    def own_rows(self) -> Receivers:
        """The same rows, each entry referring to a row of its own: for messages per entry."""
        nnz = self.pattern.nnz
        pattern = Pattern(self.pattern.indptr, np.arange(nnz, dtype=np.int32), nnz)
        return Receivers(pattern, self.position, self.num_edges)

    def entries_of(self, values: Tensor, loop_value: float, *, mean: bool = False) -> Tensor:
        """Return values per edge in the order of the entries.

        Parameters
        ----------
        values : Tensor, shape (num_edges, ...)
            In the order of the edges.
        loop_value : float
            What added self-loops get.
        mean : bool
            Merged edges are averaged, else summed.
        """
        added = len(self.position) - self.num_edges
        if added:
            filler = values.new_full((added, *values.shape[1:]), loop_value)
            values = torch.cat([values, filler])
        if len(values) == self.pattern.nnz:
            return values[self.order]
        total = values.new_zeros(self.pattern.nnz, *values.shape[1:])
        total = total.index_add(0, self.position, values)
        if not mean:
            return total
        copies = torch.bincount(self.position, minlength=self.pattern.nnz).to(values.dtype)
        return total / copies.view(-1, *[1] * (values.dim() - 1))


_CACHE: WeakIdKeyDictionary = WeakIdKeyDictionary()


def receivers(
    edges: Edges,
    num_receivers: int,
    num_senders: int,
    *,
    self_loops: bool = False,
    coalesce: bool = False,
) -> Receivers:
    """Return the edges sorted by receiver; computed once for each graph object.

    Parameters
    ----------
    edges : Tensor, Graph or Adjacency
        ``edge_index``, int64 of shape (2, m): senders, receivers; or a graph, whose arc
        ``u -> v`` carries a message from ``u`` to ``v``.
    num_receivers, num_senders : int
        Nodes on each side; receivers are the first of the senders.
    self_loops : bool
        Add the missing self-loops of the receivers.
    coalesce : bool
        Make one entry of edges between the same nodes.

    Raises
    ------
    ValueError
        If an id is out of range, or the graph has other nodes.

    Notes
    -----
    A Graph is frozen and an Adjacency belongs to one, so both are known by identity; a tensor by
    identity and version: a change in place is noticed.
    """
    version = edges._version if isinstance(edges, Tensor) and not edges.is_inference() else 0
    key = (version, num_receivers, num_senders, self_loops, coalesce)
    known: dict[Any, Receivers] = _CACHE.get(edges, {})
    if key not in known:
        sender, receiver = _ends(edges, num_receivers, num_senders)
        made = _sorted(sender, receiver, num_receivers, num_senders, self_loops, coalesce)
        if isinstance(edges, Tensor):
            made = dataclasses.replace(made, position=made.position.to(edges.device))
        known = {k: v for k, v in known.items() if k[0] == version} | {key: made}
        _CACHE[edges] = known
    return known[key]


def _ends(edges: Edges, num_receivers: int, num_senders: int) -> tuple[Array, Array]:
    if isinstance(edges, Adjacency):
        edges = edges.graph
    if isinstance(edges, Graph):
        if not edges.num_nodes == num_receivers == num_senders:
            raise ValueError(
                f"the graph has {edges.num_nodes} nodes, but x has {num_senders} rows"
                + ("" if num_senders == num_receivers else f" and {num_receivers} receivers")
            )
        return edges.arc_rows(), edges.indices.astype(np.int64)
    if edges.dim() != 2 or edges.shape[0] != 2 or edges.dtype not in (torch.int64, torch.int32):
        raise ValueError(
            f"edge_index must hold integers of shape (2, m), got {edges.dtype} {tuple(edges.shape)}"
        )
    sender, receiver = edges.detach().cpu().numpy().astype(np.int64, copy=False)
    for name, ids, count in (
        ("sender", sender, num_senders),
        ("receiver", receiver, num_receivers),
    ):
        if len(ids) and not 0 <= ids.min() <= ids.max() < count:
            bad = ids.min() if ids.min() < 0 else ids.max()
            raise ValueError(f"edge_index must have {name}s in [0, {count}), got {bad}")
    return sender, receiver


def _sorted(
    sender: Array, receiver: Array, rows: int, cols: int, self_loops: bool, coalesce: bool
) -> Receivers:
    num_edges = len(sender)
    if self_loops:
        missing = np.ones(rows, dtype=bool)
        missing[receiver[sender == receiver]] = False
        loops = np.flatnonzero(missing)
        sender, receiver = np.concatenate([sender, loops]), np.concatenate([receiver, loops])
    order = np.lexsort((sender, receiver))
    sender, receiver = sender[order], receiver[order]
    place = np.arange(len(order))
    if coalesce and len(order):
        new = np.append(True, (np.diff(sender) != 0) | (np.diff(receiver) != 0))
        place = np.cumsum(new) - 1
        sender, receiver = sender[new], receiver[new]
    position = np.empty(len(order), dtype=np.int64)
    position[order] = place
    indptr = np.concatenate([[0], np.cumsum(np.bincount(receiver, minlength=rows))])
    pattern = Pattern(indptr.astype(np.int64), sender.astype(np.int32), cols)
    return Receivers(pattern, torch.from_numpy(position), num_edges)
