"""Run a recipe on a set of graphs: sparsify, train, measure."""

from __future__ import annotations

from typing import Any

import torch

from graphsparse.models.backbones import BACKBONES
from graphsparse.models.gin_network import CategoryEncoder, GINAttentionNet
from graphsparse.models.graph_level import GraphNet
from graphsparse.training.experiment import attach_projection
from graphsparse.training.graph_loop import train_graphs
from graphsparse.training.graphs import GraphTask
from graphsparse.training.loop import adam, set_seed
from graphsparse.training.recipe import ModelRecipe, Recipe
from graphsparse.training.report import Clock, count_macs_of, run_figures
from graphsparse.training.run_files import RunFiles


def category_sizes(codes: torch.Tensor) -> list[int]:
    """Return how many categories each column of integer codes has."""
    return [int(top) + 1 for top in codes.amax(0)]


def build_graph_model(recipe: ModelRecipe, task: GraphTask) -> GINAttentionNet | GraphNet:
    """Return the network of a recipe for a set of graphs with categorical features.

    Bonds, where there are, get embeddings as wide as a quarter of a GINAttentionNet; the other
    networks do not read them.
    """
    if recipe.name in BACKBONES:
        return _graph_net(recipe, task)
    if recipe.name != "gin_attention":
        known = ", ".join(sorted([*BACKBONES, "gin_attention"]))
        raise ValueError(
            f"model.name must be one of {known} for sets of graphs, got {recipe.name!r}"
        )
    options: dict[str, Any] = {
        "edge_mode": "both",
        "normalize": "degree",
        "norm": "batch",
        "block_norm": "batch",
        **recipe.arguments,
    }
    options |= recipe.given
    attr = task.whole.edge_attr
    if attr is not None:
        options["edge_dim"] = max(recipe.hidden // 4, 1)
        options["edge_encoder"] = CategoryEncoder(category_sizes(attr), options["edge_dim"])
    return GINAttentionNet(
        0,
        recipe.hidden,
        task.whole.y.shape[1],
        task="graph",
        layers=recipe.layers,
        encoder=CategoryEncoder(category_sizes(task.whole.x), recipe.hidden),
        **options,
    )


def _graph_net(recipe: ModelRecipe, task: GraphTask) -> GraphNet:
    if recipe.options:
        raise ValueError(
            f"model.options of {recipe.name} must be empty for sets of graphs, "
            f"got {sorted(recipe.options)}"
        )
    width = recipe.hidden
    backbone = BACKBONES[recipe.name](width, width, width, layers=recipe.layers, **recipe.given)
    encoder = CategoryEncoder(category_sizes(task.whole.x), width)
    return GraphNet(encoder, backbone, width, task.whole.y.shape[1])


class GraphExperiment:
    """Runs of recipes on one set of graphs.

    Parameters
    ----------
    task : GraphTask
        All graphs, with all edges.
    """

    def __init__(self, task: GraphTask) -> None:
        self.task = task

    def run(self, recipe: Recipe, seed: int, files: RunFiles | None = None) -> dict[str, Any]:
        """Train once and return the figures of the run.

        Parameters
        ----------
        recipe : Recipe
            Its ``data`` section is not read: the data were given; ``train.metric`` is the set's.
        seed : int
            Seeds the weights, the dropout, the order of the graphs, and the choice of edges
            unless the recipe does.
        files : RunFiles, optional
            Where checkpoints go and come from.

        Returns
        -------
        dict
            As :meth:`graphsparse.training.experiment.Experiment.run`.
        """
        if recipe.distill.weight > 0.0:
            raise ValueError(
                f"distill.weight must be 0 for sets of graphs, got {recipe.distill.weight}"
            )
        edges, options = recipe.edges, recipe.train
        task = self.task
        if edges.keep < 1.0:
            task = task.sparsified(
                edges.method, edges.keep, seed=edges.seed_of(seed), **edges.options
            )
        set_seed(seed, deterministic=options.deterministic or None)
        model = build_graph_model(recipe.model, task)
        optimizer = adam(model, options.lr, options.weight_decay)
        stateful = attach_projection(model, optimizer, recipe.weights)
        files = RunFiles() if files is None else files
        clock = Clock()
        result = train_graphs(
            model,
            task,
            epochs=options.epochs,
            batch_size=options.batch_size or 32,
            optimizer=optimizer,
            patience=options.patience,
            callbacks=files.callbacks(options.checkpoint_every),
            stateful=stateful,
            resume=files.resume(),
            replicas=files.replicas,
        )
        seconds = clock.seconds(result.history)
        files.keep(model)
        arcs, nodes = task.whole.edge_index.shape[1], len(task.whole.x)
        return run_figures(
            result,
            model,
            task.metric,
            edges=(arcs // 2, self.task.whole.edge_index.shape[1] // 2),
            macs=count_macs_of(model, nodes, arcs),
            seconds=seconds,
        )
