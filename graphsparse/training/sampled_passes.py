"""Mini-batches of nodes with sampled neighbours; evaluation is exact, on the whole graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_count
from graphsparse.loaders.numbered import in_threads
from graphsparse.models.layers import Features
from graphsparse.models.sampled import SampledAdjacency, part_of, rows_of, table_of
from graphsparse.operators.neighbor_sampling import sample_neighbors
from graphsparse.training.data import NodeData
from graphsparse.training.distill import Loss, supervised_loss
from graphsparse.training.distributed import Replicas
from graphsparse.training.edge_plan import EdgePlan
from graphsparse.training.epochs import descend
from graphsparse.training.state import TrainState

Batch = tuple[int, Tensor, Features, SampledAdjacency]  # nodes of all replicas, own nodes, ...


class SampledPasses:
    """Steps on batches of training nodes.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(x, adjacency)``; one layer per fan-out.
    data : NodeData
        The task.
    batch_size : int
        Training nodes of a step; order from torch's generator.
    fanouts : sequence of int
        Neighbours drawn in each hop; -1 takes all.  Draws depend on torch's seed and on the
        number of the batch over all epochs, not on threads.
    edges : EdgePlan, optional
        What is thinned out on the way.
    threads : int
        That draw batches ahead; 0: none.
    replicas : Replicas, optional
        Who share the nodes of a step out.  Each draws the neighbours of the whole batch and takes
        what its own nodes need, so that a node's neighbours do not depend on their number.
    """

    tests_every_epoch = True

    def __init__(
        self,
        model: nn.Module,
        data: NodeData,
        batch_size: int,
        fanouts: Sequence[int],
        *,
        edges: EdgePlan | None = None,
        threads: int = 1,
        replicas: Replicas | None = None,
    ) -> None:
        self._replicas = Replicas() if replicas is None else replicas
        self._model, self._whole, self._data = model, data, data
        self._batch_size = check_count("batch_size", batch_size, low=1)
        self._fanouts = [check_count("fanouts", fan, low=-1) for fan in fanouts]
        self._edges, self._share = edges, 1.0
        self._threads = check_count("prefetch_threads", threads)
        self._table = table_of(data.adjacency)
        self._seed = torch.initial_seed() % 2**64
        self._logits: Tensor | None = None

    def step(self, state: TrainState, loss: Loss) -> float:
        """Train for one epoch and return its mean loss."""
        if loss is not supervised_loss:
            raise ValueError("batch_size must be 0 with a loss that looks at all nodes")
        self._thin_out(state.epoch)
        self._model.train()
        self._logits = None
        total = 0.0
        for size, ids, x, adjacency in self._batches(state.epoch):
            state.optimizer.zero_grad()
            with self._replicas.own_draws():
                part = self._loss(ids, x, adjacency) if len(ids) else None
            total += descend(state, part, len(ids), self._replicas) * size
        return total / len(self._data.train)

    def _loss(self, ids: Tensor, x: Features, adjacency: SampledAdjacency) -> Tensor:
        logits = self._model(x, adjacency)[: len(ids)]
        return F.cross_entropy(logits, self._data.y[ids])

    def validate(self) -> Tensor:
        """Return the evaluation-mode logits of the validation nodes."""
        return self.all_logits()[self._data.val]

    def all_logits(self) -> Tensor:
        """Return the evaluation-mode logits of all nodes, shape (n, classes)."""
        if self._logits is None:
            self._model.eval()
            with torch.no_grad():
                self._logits = self._model(self._data.x, self._data.adjacency)
        return self._logits

    def _thin_out(self, epoch: int) -> None:
        if self._edges is None:
            return
        changed = self._edges.graph_at(self._whole.graph, epoch, self._share)
        if changed is not None:
            graph, self._share = changed
            self._data = self._whole.with_graph(graph)
            self._table = table_of(self._data.adjacency)

    def _batches(self, epoch: int) -> Iterator[Batch]:
        train = self._data.train
        parts = train[torch.randperm(len(train))].split(self._batch_size)
        items = enumerate(parts, epoch * len(parts))
        if not self._threads:
            return (self._make(item) for item in items)
        return in_threads(self._make, items, self._threads, 2)

    def _make(self, item: tuple[int, Tensor]) -> Batch:
        number, ids = item
        sample = sample_neighbors(
            self._table,
            ids.numpy(),
            self._fanouts,
            seed=self._seed,
            batch=number % 2**32,
            threads=1 if self._threads else None,
        )
        start, stop = self._replicas.bounds(len(ids))
        if stop - start < len(ids):
            sample = part_of(sample, start, stop)
        kept = None if self._edges is None else self._edges.kept(sample, number)
        adjacency = SampledAdjacency(self._data.adjacency, sample, kept)
        return len(ids), ids[start:stop], rows_of(self._data.x, sample.nodes), adjacency
