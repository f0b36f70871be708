"""Run a recipe with one seed: sparsify, train, measure.  Dense teachers are trained once."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from graphsparse.graph import Graph
from graphsparse.models.backbones import GAT, GCN, GIN, SAGE, Backbone
from graphsparse.models.gin_network import GINAttentionNet
from graphsparse.operators.sparsify import SparsifyResult, sparsify
from graphsparse.training.callbacks import EarlyStopping
from graphsparse.training.data import NodeData
from graphsparse.training.distill import DistillationLoss, Loss, supervised_loss
from graphsparse.training.loop import TrainResult, adam, set_seed, train
from graphsparse.training.projection import L0Projection
from graphsparse.training.recipe import ModelRecipe, Recipe, WeightsRecipe
from graphsparse.training.report import count_macs, weights_kept
from graphsparse.training.state import Stateful

_MODELS: dict[str, Callable[..., Backbone]] = {
    "gcn": GCN,
    "gin": GIN,
    "gat": GAT,
    "sage": SAGE,
    "gin_attention": GINAttentionNet,
}


def build_model(recipe: ModelRecipe, in_dim: int, num_classes: int) -> Backbone:
    """Return the network of a recipe, drawn from torch's generator."""
    options: dict[str, Any] = {"layers": recipe.layers, **recipe.options}
    for name in ("heads", "dropout"):
        if getattr(recipe, name) is not None:
            options[name] = getattr(recipe, name)
    return _MODELS[recipe.name](in_dim, recipe.hidden, num_classes, **options)


class Experiment:
    """Runs of recipes on one data set; a teacher is trained once per model and seed.

    Parameters
    ----------
    data : NodeData
        The task on its full graph.
    """

    def __init__(self, data: NodeData) -> None:
        self.data = data
        self._teachers: dict[tuple[str, int], TrainResult] = {}

    def run(self, recipe: Recipe, seed: int) -> dict[str, Any]:
        """Train once and return the figures of the run.

        Parameters
        ----------
        recipe : Recipe
            Its ``data`` section is not read: the data were given.
        seed : int
            Seeds the weights, the dropout, and the choice of edges unless the recipe does.

        Returns
        -------
        dict
            ``test`` and ``val`` scores at the best epoch, edges, weights and MACs kept, and the
            seconds of each part.  JSON can hold it.
        """
        trimmed, cut = self._trim(recipe, seed)
        loss: Loss = supervised_loss
        teacher = None
        if recipe.distill.weight > 0.0:
            teacher = self.teacher(recipe, seed)
            loss = DistillationLoss(teacher.logits, recipe.distill.weight)
        start, start_cpu = time.perf_counter(), time.process_time()
        model, result = _fit(self.data.with_graph(trimmed), recipe, seed, loss)
        wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        kept, total = weights_kept(model)
        figures: dict[str, Any] = {
            "test": result.test,
            "val": result.val,
            "best_epoch": result.best_epoch,
            "epochs": result.epochs,
            "edges_kept": trimmed.num_edges,
            "edges_total": self.data.graph.num_edges,
            "weights_kept": kept,
            "weights_total": total,
            "macs": count_macs(model, trimmed),
            "teacher_test": None if teacher is None else teacher.test,
            "seconds": {"train": wall, "train_cpu": cpu, "epoch": wall / result.epochs},
        }
        if cut is not None:
            figures["seconds"] |= {"score": cut.seconds["score"], "select": cut.seconds["select"]}
            figures["edges_details"] = cut.details
        return figures

    def teacher(self, recipe: Recipe, seed: int) -> TrainResult:
        """Return the dense run of the recipe's model and training on the full graph."""
        key = (repr((recipe.model, recipe.train)), seed)
        if key not in self._teachers:
            dense = dataclasses.replace(recipe, weights=WeightsRecipe())
            self._teachers[key] = _fit(self.data, dense, seed, supervised_loss)[1]
        return self._teachers[key]

    def _trim(self, recipe: Recipe, seed: int) -> tuple[Graph, SparsifyResult | None]:
        edges = recipe.edges
        if edges.keep == 1.0:
            return self.data.graph, None
        draw = seed if edges.seed is None else edges.seed
        cut = sparsify(self.data.graph, edges.method, edges.keep, seed=draw, **edges.options)
        return cut.graph, cut


def _fit(data: NodeData, recipe: Recipe, seed: int, loss: Loss) -> tuple[Backbone, TrainResult]:
    options = recipe.train
    set_seed(seed, deterministic=options.deterministic or None)
    model = build_model(recipe.model, data.x.shape[1], data.num_classes).to(options.device)
    optimizer = adam(model, options.lr, options.weight_decay)
    stateful = attach_projection(model, optimizer, recipe.weights)
    result = train(
        model,
        data.to(options.device),
        epochs=options.epochs,
        optimizer=optimizer,
        loss=loss,
        metric=options.metric,
        best=options.best,
        callbacks=[EarlyStopping(options.patience)] if options.patience else [],
        stateful=stateful,
        keep_weights=False,
    )
    return model, result


def attach_projection(
    model: nn.Module, optimizer: torch.optim.Optimizer, weights: WeightsRecipe
) -> dict[str, Stateful]:
    """Project the weights of a recipe after every step; return the projection by name, if any."""
    if weights.keep == 1.0 and not weights.options:
        return {}
    keep = weights.keep if weights.options.get("scope") != "nm" else None
    return {"projection": L0Projection(model, keep, **weights.options).attach(optimizer)}
