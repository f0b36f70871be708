"""Mini-batches that are whole subgraphs: clusters of near nodes, and nodes of random walks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.csgraph import reverse_cuthill_mckee
from torch import Tensor
from torch.utils.data import DataLoader, Sampler
from torch_geometric.data import Data
from torch_geometric.loader.utils import filter_data

from graphsparse.checks import check_count, check_seed
from graphsparse.loaders.numbered import Places, in_threads
from graphsparse.operators.neighbor_sampling import NeighborTable, induced_sample
from graphsparse.rng import CLUSTERS, RANDOM_WALKS, draw, uniform

Array = np.ndarray[Any, np.dtype[Any]]


class _Subgraphs(DataLoader[Any]):
    """Batches by number: an epoch is ``steps`` of them, numbers run on over the epochs."""

    def __init__(self, data: Data, steps: int, seed: int, threads: int, **options: Any) -> None:
        self.data, self.seed = data, check_seed(seed)
        self.prefetch_threads = check_count("prefetch_threads", threads)
        source, target = data.edge_index.cpu().numpy()
        self.table = NeighborTable.from_arcs(source, target, int(data.num_nodes or 0))
        super().__init__(
            Places(steps),
            batch_size=None,
            sampler=_Steps(steps),
            collate_fn=self.make,  # type: ignore[arg-type]
            **options,
        )

    def make(self, step: int) -> Data:
        """Return the batch of a number."""
        raise NotImplementedError

    def induced(self, nodes: Array) -> Data:
        """Return the arcs between some nodes with all attributes, ``n_id`` and ``e_id``."""
        got = induced_sample(self.table, nodes)
        row, col, node, arcs = map(torch.from_numpy, (got.row, got.col, got.nodes, got.arcs))
        out = filter_data(self.data, node, row, col, arcs)
        out.n_id, out.e_id = node, arcs
        return out

    def __iter__(self) -> Any:
        if not self.prefetch_threads:
            return super().__iter__()
        return in_threads(self.make, iter(self.sampler), self.prefetch_threads, 2)


class ClusterLoader(_Subgraphs):
    """Mini-batches of clusters: some parts of the nodes and all arcs between these nodes.

    Parameters
    ----------
    data : torch_geometric.data.Data
        Graph, features, labels.
    num_parts : int
        Parts of near nodes, of equal size up to one node.
    batch_size : int
        Parts of a batch.
    shuffle : bool
        New order in every epoch.
    seed : int
        Of the order.
    prefetch_threads, **kwargs
        As in :class:`~graphsparse.loaders.NeighborLoader`.

    Notes
    -----
    The parts are pieces of the nodes in reverse Cuthill-McKee order: near nodes, at the cost of a
    breadth-first search.  METIS would cut fewer arcs and is not needed.

    References
    ----------
    W.-L. Chiang et al., Cluster-GCN, KDD 2019, arXiv:1905.07953.
    """

    def __init__(
        self,
        data: Data,
        num_parts: int,
        batch_size: int = 1,
        *,
        shuffle: bool = True,
        seed: int = 0,
        prefetch_threads: int = 0,
        **kwargs: Any,
    ) -> None:
        n = int(data.num_nodes or 0)
        self.num_parts = check_count("num_parts", num_parts, low=1, high=max(n, 1))
        self.parts_of_batch = check_count("batch_size", batch_size, low=1, high=num_parts)
        self.shuffle_parts = shuffle
        self.steps = -(-num_parts // batch_size)
        super().__init__(data, self.steps, seed, prefetch_threads, **kwargs)
        self.parts = near_parts(self.table, num_parts)

    def make(self, step: int) -> Data:
        """Return the batch of a number."""
        epoch, at = divmod(step, self.steps)
        order = np.arange(self.num_parts)
        if self.shuffle_parts:
            order = np.argsort(draw(self.seed, order.astype(np.uint64), epoch, CLUSTERS))
        chosen = order[at * self.parts_of_batch : (at + 1) * self.parts_of_batch]
        return self.induced(np.concatenate([self.parts[part] for part in chosen]))


class RandomWalkLoader(_Subgraphs):
    """Mini-batches of the nodes that random walks visit, with GraphSAINT's corrections.

    Parameters
    ----------
    data : torch_geometric.data.Data
        Graph, features, labels.
    batch_size : int
        Walks of a batch; they begin at uniform nodes.
    walk_length : int
        Steps of each walk, against the arcs: to nodes that send messages.
    num_steps : int
        Batches of an epoch.
    sample_coverage : int
        Batches are drawn beforehand until they have visited that many times as many nodes as
        there are; how often nodes and arcs came up gives ``node_norm`` (weights of the loss) and
        ``edge_norm`` (weights of the messages).  0: none.
    seed : int
        Of the walks.
    prefetch_threads, **kwargs
        As in :class:`~graphsparse.loaders.NeighborLoader`.

    References
    ----------
    H. Zeng et al., GraphSAINT, ICLR 2020, arXiv:1907.04931.
    """

    def __init__(
        self,
        data: Data,
        batch_size: int,
        walk_length: int,
        *,
        num_steps: int = 1,
        sample_coverage: int = 0,
        seed: int = 0,
        prefetch_threads: int = 0,
        **kwargs: Any,
    ) -> None:
        self.walks = check_count("batch_size", batch_size, low=1)
        self.walk_length = check_count("walk_length", walk_length)
        check_count("num_steps", num_steps, low=1)
        check_count("sample_coverage", sample_coverage)
        if not data.num_nodes:
            raise ValueError(f"data must have nodes to walk on, got {data.num_nodes}")
        super().__init__(data, num_steps, seed, prefetch_threads, **kwargs)
        self.node_norm: Tensor | None = None
        self.edge_norm: Tensor | None = None
        if sample_coverage:
            self._count(sample_coverage)

    def make(self, step: int) -> Data:
        """Return the batch of a number."""
        out = self.induced(self.visited(step, RANDOM_WALKS))
        if self.node_norm is not None and self.edge_norm is not None:
            out.node_norm, out.edge_norm = self.node_norm[out.n_id], self.edge_norm[out.e_id]
        return out

    def visited(self, step: int, domain: int) -> Array:
        """Return the nodes of a batch, ascending."""
        n, degree = self.table.num_nodes, self.table.degree
        walk = np.arange(self.walks, dtype=np.uint64) + np.uint64(step * self.walks)
        here = np.minimum((uniform(self.seed, walk, 0, domain) * n).astype(np.int64), n - 1)
        seen = [here]
        for hop in range(self.walk_length):
            d = degree[here]
            chosen = (uniform(self.seed, walk, hop + 1, domain) * d).astype(np.int64)
            entry = self.table.indptr[here] + np.minimum(chosen, np.maximum(d - 1, 0))
            here = here.copy()  # a node without arcs keeps its walk
            here[d > 0] = self.table.indices[entry[d > 0]]
            seen.append(here)
        return np.unique(np.concatenate(seen))

    def _count(self, coverage: int) -> None:
        n, m = self.table.num_nodes, len(self.table.indices)
        nodes, arcs = np.zeros(n), np.zeros(m)
        batches = 0
        while nodes.sum() < n * coverage:
            got = induced_sample(self.table, self.visited(batches, CLUSTERS))
            nodes[got.nodes] += 1
            arcs[got.arcs] += 1
            batches += 1
        target = self.data.edge_index[1].cpu().numpy()
        ratio = np.divide(nodes[target], arcs, out=np.zeros(m), where=arcs > 0)
        nodes[nodes == 0] = 0.1
        self.edge_norm = torch.from_numpy(np.clip(ratio, 0.0, 1e4)).float()
        self.node_norm = torch.from_numpy(batches / nodes / n).float()


class _Steps(Sampler[int]):
    """Numbers of batches, running on over the epochs."""

    def __init__(self, steps: int) -> None:
        self._steps, self._epoch = steps, 0

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[int]:
        first = self._epoch * self._steps
        self._epoch += 1
        yield from range(first, first + self._steps)


def near_parts(table: NeighborTable, parts: int) -> list[Array]:
    """Return the nodes in ``parts`` pieces of equal size up to one, near nodes together.

    Parameters
    ----------
    table : NeighborTable
        Directions do not matter.
    parts : int
        Number of pieces.
    """
    n = table.num_nodes
    ones = np.ones(len(table.indices), np.int8)
    pattern = sparse.csr_array((ones, table.indices, table.indptr), shape=(n, n))
    order = reverse_cuthill_mckee(sparse.csr_matrix(pattern + pattern.T), symmetric_mode=True)
    return [np.sort(piece.astype(np.int64)) for piece in np.array_split(order, parts)]
