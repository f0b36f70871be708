"""One step and one evaluation of a model: the whole graph, precomputed rows, or sampled batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.models.backbones import Backbone
from graphsparse.models.rows import RowModel
from graphsparse.training.data import NodeData
from graphsparse.training.distill import Loss, supervised_loss
from graphsparse.training.distributed import Replicas
from graphsparse.training.edge_plan import EdgePlan
from graphsparse.training.epochs import descend
from graphsparse.training.sampled_passes import SampledPasses
from graphsparse.training.state import TrainState

_ROWS = 1 << 14  # rows that are evaluated together


class Passes(Protocol):
    """What the loop asks of a model."""

    def step(self, state: TrainState, loss: Loss) -> float:
        """Train for one epoch and return its loss."""

    def validate(self) -> Tensor:
        """Return the evaluation-mode logits of the validation nodes."""

    def all_logits(self) -> Tensor:
        """Return the evaluation-mode logits of all nodes, shape (n, classes)."""

    @property
    def tests_every_epoch(self) -> bool:
        """Whether the logits of the test nodes come with those of the validation nodes."""


def make_passes(
    model: nn.Module,
    data: NodeData,
    features: Tensor | None,
    batch_size: int,
    fanouts: Sequence[int] = (),
    *,
    edges: EdgePlan | None = None,
    threads: int = 1,
    replicas: Replicas | None = None,
) -> Passes:
    """Return the passes of a model."""
    name = type(model).__name__
    if isinstance(model, RowModel):
        if fanouts or edges is not None:
            given = "fanouts" if fanouts else "edges"
            raise ValueError(f"{given} must be left out for a model of rows, got {name}")
        return RowPasses(model, data, features, batch_size, replicas)
    if features is not None:
        raise ValueError(f"features are for models of precomputed rows such as ADPA, got {name}")
    if bool(batch_size) != bool(fanouts):
        given = "only batch_size" if batch_size else "only fanouts"
        raise ValueError(f"batch_size and fanouts must be given together to {name}, got {given}")
    if batch_size:
        drawing: dict[str, Any] = {"edges": edges, "threads": threads, "replicas": replicas}
        return SampledPasses(model, data, batch_size, fanouts, **drawing)
    if replicas is not None and replicas.size > 1:
        raise ValueError("batch_size must be above 0 with several replicas, got 0")
    if edges is not None:
        raise ValueError(f"edges must be left out without batch_size, got when={edges.when!r}")
    return GraphPasses(model, data)


class GraphPasses:
    """One full-batch step per epoch; what training and evaluation share is computed once."""

    tests_every_epoch = True

    def __init__(self, model: nn.Module, data: NodeData) -> None:
        self._model, self._data = model, data
        self._shared = self._prefix()
        self._logits: Tensor | None = None

    def step(self, state: TrainState, loss: Loss) -> float:
        """Train for one epoch and return its loss."""
        self._model.train()
        state.optimizer.zero_grad()
        count = len(self._data.train)
        value = descend(state, loss(self._forward(), self._data), count, Replicas())
        self._shared = self._prefix()
        self._logits = None
        return value

    def validate(self) -> Tensor:
        """Return the evaluation-mode logits of the validation nodes."""
        return self.all_logits()[self._data.val]

    def all_logits(self) -> Tensor:
        """Return the evaluation-mode logits of all nodes, shape (n, classes)."""
        if self._logits is None:
            self._model.eval()
            with torch.no_grad():
                self._logits = self._forward().detach()
        return self._logits

    def _prefix(self) -> object:
        """What training and evaluation at the present weights share, with its gradient graph."""
        if isinstance(self._model, Backbone):
            return self._model.prefix(self._data.x, self._data.adjacency)
        return None

    def _forward(self) -> Tensor:
        if isinstance(self._model, Backbone):
            return self._model.suffix(self._shared, self._data.adjacency)  # type: ignore[arg-type]
        logits: Tensor = self._model(self._data.x, self._data.adjacency)
        return logits


class RowPasses:
    """Mini-batches of rows; only validation rows are looked at after every epoch.

    Parameters
    ----------
    model : RowModel
        Classifies rows.
    data : NodeData
        Labels and splits; graph and features are used if ``features`` is left out.
    features : Tensor, shape (n, ...), optional
        What ``model.precompute`` returns.
    batch_size : int
        Training nodes of a step, in random order; 0: all of them in one step.
    replicas : Replicas, optional
        Who share the rows of a step out.
    """

    tests_every_epoch = False

    def __init__(
        self,
        model: RowModel,
        data: NodeData,
        features: Tensor | None,
        batch_size: int,
        replicas: Replicas | None = None,
    ) -> None:
        self._replicas = Replicas() if replicas is None else replicas
        if self._replicas.size > 1 and model.needs_all_rows:
            size = self._replicas.size
            raise ValueError(f"this model mixes nodes: it trains in one process, got {size}")
        if features is None:
            features = model.precompute(data.graph, data.x).to(data.y.device)
        if len(features) != data.graph.num_nodes:
            raise ValueError(f"features must have {data.graph.num_nodes} rows, got {len(features)}")
        if batch_size and model.needs_all_rows:
            raise ValueError(f"batch_size must be 0 for this model, which mixes nodes, "
                             f"got {batch_size}")  # fmt: skip
        self._model, self._data, self._features = model, data, features
        self._batch_size, self._whole = batch_size, model.needs_all_rows
        self._train = self._rows(self._replicas.shard(data.train)) if not batch_size else None
        self._val = self._rows(data.val)

    def _rows(self, ids: Tensor) -> Tensor | None:
        return None if self._whole else self._features[ids]

    def step(self, state: TrainState, loss: Loss) -> float:
        """Train for one epoch and return its mean loss."""
        self._model.train()
        replicas = self._replicas
        if loss is not supervised_loss:
            if self._batch_size or replicas.size > 1:
                given = self._batch_size or f"{replicas.size} replicas"
                raise ValueError(
                    f"batch_size must be 0 with a loss that looks at all nodes, got {given}"
                )
            state.optimizer.zero_grad()
            value = loss(self._model(self._features), self._data)
            return descend(state, value, len(self._data.train), replicas)
        total = 0.0
        for whole in self._batches():
            state.optimizer.zero_grad()
            ids = replicas.shard(whole)
            with replicas.own_draws():
                part = F.cross_entropy(self._logits(ids), self._data.y[ids]) if len(ids) else None
            total += descend(state, part, len(ids), replicas) * len(whole)
        return total / len(self._data.train)

    def _batches(self) -> Sequence[Tensor]:
        train = self._data.train
        if not self._batch_size:
            return [train]
        order = torch.randperm(len(train)).to(train.device)
        return train[order].split(self._batch_size)

    def _logits(self, ids: Tensor) -> Tensor:
        if self._whole:
            return self._model(self._features)[ids]
        return self._model(self._features[ids] if self._train is None else self._train)

    def validate(self) -> Tensor:
        """Return the evaluation-mode logits of the validation nodes."""
        if self._val is None:
            return self.all_logits()[self._data.val]
        return self._evaluate(self._val)

    def all_logits(self) -> Tensor:
        """Return the evaluation-mode logits of all nodes, shape (n, classes)."""
        return self._evaluate(self._features)

    def _evaluate(self, features: Tensor) -> Tensor:
        self._model.eval()
        step = max(len(features), 1) if self._whole else _ROWS
        with torch.no_grad():
            return torch.cat([self._model(part) for part in features.split(step)])
