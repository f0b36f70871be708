"""Run a recipe with one seed: sparsify, train, measure.  Dense teachers are trained once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from graphsparse.graph import Graph
from graphsparse.models.adpa import ADPA
from graphsparse.models.adpa_features import SYMMETRIC_PATTERNS
from graphsparse.models.backbones import BACKBONES, Backbone
from graphsparse.models.directed import MLP, DirGNN
from graphsparse.models.gin_network import GINAttentionNet
from graphsparse.models.rows import RowModel
from graphsparse.operators.sparsify import SparsifyResult
from graphsparse.quality.sparsify import sparsify
from graphsparse.training.callbacks import EarlyStopping
from graphsparse.training.data import NodeData
from graphsparse.training.distill import DistillationLoss, Loss, supervised_loss
from graphsparse.training.edge_plan import EdgePlan
from graphsparse.training.loop import TrainResult, adam, set_seed, train
from graphsparse.training.projection import L0Projection
from graphsparse.training.recipe import EdgesRecipe, ModelRecipe, Recipe, WeightsRecipe
from graphsparse.training.registry import registered
from graphsparse.training.report import Clock, count_macs, run_figures
from graphsparse.training.run_files import RunFiles
from graphsparse.training.state import Stateful

Model = Backbone | RowModel

_MODELS: dict[str, Callable[..., Model]] = {
    "adpa": ADPA,
    "dirgnn": DirGNN,
    "gin_attention": GINAttentionNet,
    "mlp": MLP,
    **BACKBONES,
}


def build_model(
    recipe: ModelRecipe, in_dim: int, num_classes: int, *, directed: bool = True
) -> Model:
    """Return the network of a recipe, drawn from torch's generator.

    Of the patterns of ADPA an undirected graph has two that differ: they are the default there.
    """
    options: dict[str, Any] = recipe.arguments
    if options and recipe.name in BACKBONES:
        raise ValueError(
            f"model.options of {recipe.name} are for link prediction, got {sorted(options)}"
        )
    options["num_layers" if recipe.name == "adpa" else "layers"] = recipe.layers
    if recipe.name == "adpa" and not directed:
        options.setdefault("patterns", SYMMETRIC_PATTERNS)
    options |= recipe.given
    build = registered(recipe.name) or _MODELS[recipe.name]
    model: Model = build(in_dim, recipe.hidden, num_classes, **options)
    return model


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
        self._features = _Features()

    def run(self, recipe: Recipe, seed: int, files: RunFiles | None = None) -> dict[str, Any]:
        """Train once and return the figures of the run.

        Parameters
        ----------
        recipe : Recipe
            Its ``data`` section is not read: the data were given.
        seed : int
            Seeds the weights, the dropout, and the choice of edges unless the recipe does.
        files : RunFiles, optional
            Where checkpoints go and come from.

        Returns
        -------
        dict
            ``test`` and ``val`` scores at the best epoch, edges, weights and MACs kept, and the
            seconds of each part.  JSON can hold it.
        """
        files = RunFiles() if files is None else files
        if recipe.distill.weight > 0.0 and files.replicas.size > 1:
            raise ValueError(
                f"distill.weight must be 0 with several replicas, got {recipe.distill.weight}"
            )
        trimmed, cut = self._trim(recipe, seed)
        loss: Loss = supervised_loss
        teacher = None
        if recipe.distill.weight > 0.0:
            teacher = self.teacher(recipe, seed)
            loss = DistillationLoss(teacher.logits, recipe.distill.weight)
        clock = Clock()
        data = self.data.with_graph(trimmed)
        model, result = _fit(data, recipe, seed, loss, self._features, files)
        seconds = clock.seconds(result.history)
        files.keep(model)
        figures = run_figures(
            result,
            model,
            recipe.train.metric,
            edges=(trimmed.num_edges, self.data.graph.num_edges),
            macs=_macs(model, trimmed),
            seconds=seconds,
        )
        figures["teacher_test"] = None if teacher is None else teacher.test
        if cut is not None:
            figures["seconds"] |= {"score": cut.seconds["score"], "select": cut.seconds["select"]}
            figures["edges_details"] = cut.details
        return figures

    def teacher(self, recipe: Recipe, seed: int) -> TrainResult:
        """Return the dense run of the recipe's model and training on the full graph."""
        key = (repr((recipe.model, recipe.train)), seed)
        if key not in self._teachers:
            dense = dataclasses.replace(recipe, weights=WeightsRecipe())
            loss, features = supervised_loss, self._features
            self._teachers[key] = _fit(self.data, dense, seed, loss, features)[1]
        return self._teachers[key]

    def _trim(self, recipe: Recipe, seed: int) -> tuple[Graph, SparsifyResult | None]:
        edges = recipe.edges
        if edges.keep == 1.0 or edges.when != "before":
            return self.data.graph, None
        cut = sparsify(
            self.data.graph, edges.method, edges.keep, seed=edges.seed_of(seed), **edges.options
        )
        return cut.graph, cut


class _Features:
    """The propagated features that were used last: a search changes little else."""

    def __init__(self) -> None:
        self._key: Any = None
        self._last: Tensor | None = None

    def of(self, model: RowModel, data: NodeData) -> Tensor:
        """Return what a model of rows takes."""
        key = (data.graph, data.x, getattr(model, "propagation", None))
        if self._last is None or self._key is None or not _same(self._key, key):
            self._last = model.precompute(data.graph, data.x)
            self._key = key
        return self._last


def _same(a: Any, b: Any) -> bool:
    return a[0] is b[0] and a[1] is b[1] and a[2] is not None and a[2] == b[2]


def _fit(
    data: NodeData,
    recipe: Recipe,
    seed: int,
    loss: Loss,
    features: _Features,
    files: RunFiles | None = None,
) -> tuple[Model, TrainResult]:
    """Train; the logits are kept where there are no files, for a teacher."""
    options = recipe.train
    keeper = RunFiles() if files is None else files
    patience = [EarlyStopping(options.patience)] if options.patience else []
    set_seed(seed, deterministic=options.deterministic or None)
    width, directed = data.x.shape[1], data.graph.directed
    model = build_model(recipe.model, width, data.num_classes, directed=directed)
    rows = features.of(model, data).to(options.device) if isinstance(model, RowModel) else None
    model = model.to(options.device)
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
        callbacks=[*patience, *keeper.callbacks(options.checkpoint_every)],
        stateful=stateful,
        keep_weights=False,
        keep_logits=files is None,
        resume=keeper.resume(),
        replicas=keeper.replicas,
        features=rows,
        batch_size=options.batch_size,
        fanouts=options.fanouts,
        edges=edge_plan(recipe.edges, seed),
        prefetch_threads=options.prefetch_threads,
        evaluate_every=options.evaluate_every,
    )
    return model, result


def _macs(model: nn.Module, graph: Graph) -> int | None:
    """Return the multiply-accumulates of one pass; None for registered networks."""
    return count_macs(model, graph) if isinstance(model, Backbone | RowModel) else None


def edge_plan(edges: EdgesRecipe, seed: int) -> EdgePlan | None:
    """Return what is thinned out during training, if anything."""
    if edges.when == "before":
        return None
    return EdgePlan(
        edges.when, edges.keep, edges.method, edges.over, edges.options, edges.seed_of(seed)
    )


def attach_projection(
    model: nn.Module, optimizer: torch.optim.Optimizer, weights: WeightsRecipe
) -> dict[str, Stateful]:
    """Project the weights of a recipe after every step; return the projection by name, if any."""
    if weights.keep == 1.0 and not weights.options:
        return {}
    keep = weights.keep if weights.options.get("scope") != "nm" else None
    return {"projection": L0Projection(model, keep, **weights.options).attach(optimizer)}
