"""Run a link prediction recipe with one seed: sparsify the message graph, train, rank."""

from __future__ import annotations

from typing import Any

from graphsparse.models.backbones import BACKBONES
from graphsparse.models.links import LinkModel, LinkPredictor, NodeEmbedding
from graphsparse.quality.sparsify import sparsify
from graphsparse.training.experiment import attach_projection
from graphsparse.training.link_loop import train_links
from graphsparse.training.links import LinkTask
from graphsparse.training.loop import adam, set_seed
from graphsparse.training.recipe import ModelRecipe, Recipe
from graphsparse.training.report import Clock, count_macs, run_figures
from graphsparse.training.run_files import RunFiles

_BATCH = 65536
LINK_OPTIONS = ("predictor", "predictor_layers", "bfloat16")


def build_link_model(recipe: ModelRecipe, task: LinkTask) -> LinkModel:
    """Return the network of a recipe, drawn from torch's generator.

    Nodes without features get trained vectors as wide as the network.  ``model.options``:
    ``predictor`` ("mlp" or "dot"), ``predictor_layers``, ``bfloat16`` for the MLP.
    """
    if recipe.name not in BACKBONES:
        known = ", ".join(BACKBONES)
        raise ValueError(
            f"model.name must be one of {known} for link prediction, got {recipe.name!r}"
        )
    for key in recipe.options:
        if key not in LINK_OPTIONS:
            raise ValueError(
                f"model.options must be among {list(LINK_OPTIONS)} for link prediction, got {key!r}"
            )
    width = recipe.hidden
    dropout = 0.5 if recipe.dropout is None else recipe.dropout
    embedding = NodeEmbedding(task.graph.num_nodes, width) if task.x is None else None
    in_dim = width if task.x is None else task.x.shape[1]
    encoder = BACKBONES[recipe.name](in_dim, width, width, layers=recipe.layers, **recipe.given)
    options = recipe.options
    predictor = LinkPredictor(
        width,
        options.get("predictor", "mlp"),
        layers=options.get("predictor_layers", 3),
        dropout=dropout,
        bfloat16=options.get("bfloat16", False),
    )
    return LinkModel(encoder, predictor, embedding)


class LinkExperiment:
    """Runs of recipes on one link prediction task.

    Parameters
    ----------
    task : LinkTask
        With all edges.
    """

    def __init__(self, task: LinkTask) -> None:
        self.task = task

    def run(self, recipe: Recipe, seed: int, files: RunFiles | None = None) -> dict[str, Any]:
        """Train once and return the figures of the run.

        Parameters
        ----------
        recipe : Recipe
            Its ``data`` section is not read: the data were given; ``train.metric`` is the set's.
            ``edges`` cuts the graph that messages pass along; all pairs are learnt.
        seed : int
            Seeds the weights, the dropout, the order of the pairs, the false pairs, and the choice
            of edges unless the recipe does.
        files : RunFiles, optional
            Where checkpoints go and come from.

        Returns
        -------
        dict
            As :meth:`graphsparse.training.experiment.Experiment.run`; ``macs`` are those of one
            pass of the encoder.
        """
        _check(recipe)
        edges, options = recipe.edges, recipe.train
        task = self.task
        if edges.keep < 1.0:
            cut = sparsify(
                task.graph, edges.method, edges.keep, seed=edges.seed_of(seed), **edges.options
            )
            task = task.with_graph(cut.graph)
        set_seed(seed, deterministic=options.deterministic or None)
        model = build_link_model(recipe.model, task)
        optimizer = adam(model, options.lr, options.weight_decay)
        stateful = attach_projection(model, optimizer, recipe.weights)
        files = RunFiles() if files is None else files
        clock = Clock()
        result = train_links(
            model,
            task,
            epochs=options.epochs,
            batch_size=options.batch_size or _BATCH,
            epoch_size=options.epoch_size,
            optimizer=optimizer,
            evaluate_every=options.evaluate_every,
            patience=options.patience,
            callbacks=files.callbacks(options.checkpoint_every),
            stateful=stateful,
            resume=files.resume(),
            replicas=files.replicas,
        )
        seconds = clock.seconds(result.history)
        files.keep(model)
        return run_figures(
            result,
            model,
            task.metric,
            edges=(task.graph.num_edges, self.task.graph.num_edges),
            macs=count_macs(model.encoder, task.graph),
            seconds=seconds,
        )


def _check(recipe: Recipe) -> None:
    """Refuse keys that link prediction does not know."""
    if recipe.distill.weight > 0.0:
        raise ValueError(
            f"distill.weight must be 0 for link prediction, got {recipe.distill.weight}"
        )
    if recipe.train.fanouts:
        raise ValueError(
            f"train.fanouts must be left out for link prediction, got {recipe.train.fanouts}"
        )
    if recipe.edges.when != "before":
        raise ValueError(
            f"edges.when must be 'before' for link prediction, got {recipe.edges.when!r}"
        )
