"""Trainings that several processes share out; run by ``torchrun``, or by the test in one process.

torchrun --nproc-per-node 2 tests/training/replicated.py FOLDER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import killing
import torch

from graphsparse.models import (
    ADPA,
    GCN,
    SAGE,
    GINAttentionNet,
    LinkModel,
    LinkPredictor,
    NodeEmbedding,
)
from graphsparse.training import (
    Checkpoint,
    EdgePlan,
    L0Projection,
    adam,
    set_seed,
    train,
    train_graphs,
    train_links,
)
from graphsparse.training.distributed import ReplicaError, Replicas, fingerprint, launched
from graphsparse.training.graph_experiment import build_graph_model
from graphsparse.training.recipe import ModelRecipe

EPOCHS = 4


def started(model: torch.nn.Module) -> dict[str, Any]:
    """Optimiser and projection of a model."""
    optimizer = adam(model)
    projection = L0Projection(
        model, 0.3, scope="layer", schedule="cubic", end=8, freeze_after=12
    ).attach(optimizer)
    return {"optimizer": optimizer, "stateful": {"projection": projection}, "epochs": EPOCHS}


def nodes(make: Callable[[], torch.nn.Module], replicas: Replicas, **options: Any) -> Any:
    """Node classification."""
    set_seed(3)
    model = make()
    common = {**started(model), "replicas": replicas, "batch_size": 51, **options}
    result = train(model, killing.node_task(300), **common)
    return model, common, result


def graphs(replicas: Replicas) -> Any:
    """Sets of graphs, with batch normalisation."""
    set_seed(3)
    task = killing.graph_task(60)
    task.whole.y[::7] = float("nan")  # unequal numbers of targets
    model = build_graph_model(
        ModelRecipe("gin_attention", 8, 2, 2, 0.0, {"mlp_dropout": 0.0}), task
    )
    common = {**started(model), "replicas": replicas}
    return model, common, train_graphs(model, task, batch_size=7, **common)


def links(replicas: Replicas) -> Any:
    """Link prediction."""
    set_seed(3)
    task = killing.link_task(80)
    encoder, predictor = GCN(8, 8, 8, dropout=0.0), LinkPredictor(8, dropout=0.0)
    model = LinkModel(encoder, predictor, NodeEmbedding(80, 8))
    common = {**started(model), "replicas": replicas}
    return model, common, train_links(model, task, batch_size=77, **common)


def normalized() -> GINAttentionNet:
    """A network with batch normalisation."""
    return GINAttentionNet(16, 8, 3, layers=2, block_norm="batch", norm="batch")


SAMPLED = {"fanouts": [3, 3]}
ROWS: dict[str, Any] = {"num_hops": 2, "dropout": 0.0, "patterns": ("A", "AA")}
DROP = EdgePlan("batch", 0.7)
THIN = EdgePlan("schedule", 0.4, "random", over=3)
CASES: dict[str, Callable[[Replicas], Any]] = {
    "sampled": lambda r: nodes(lambda: SAGE(16, 8, 3, dropout=0.0), r, edges=DROP, **SAMPLED),
    "scheduled": lambda r: nodes(lambda: GCN(16, 8, 3, dropout=0.0), r, edges=THIN, **SAMPLED),
    "small batches": lambda r: nodes(
        lambda: SAGE(16, 8, 3, dropout=0.0), r, **{**SAMPLED, "batch_size": 200 // 3}
    ),
    "rows": lambda r: nodes(lambda: ADPA(16, 8, 3, **ROWS), r, evaluate_every=3),
    "all rows": lambda r: nodes(lambda: ADPA(16, 8, 3, **ROWS), r, batch_size=0),
    "graphs": graphs,
    "links": links,
    "with dropout": lambda r: nodes(lambda: SAGE(16, 8, 3, dropout=0.5), r, **SAMPLED),
    "with batch norm": lambda r: nodes(normalized, r, **{**SAMPLED, "batch_size": 55}),
}  # fmt: skip


def outcome(name: str, replicas: Replicas) -> dict[str, Any]:
    """Curves of a case, and hashes of its masks and weights."""
    model, common, result = CASES[name](replicas)
    projection = common["stateful"]["projection"]
    return {
        **{key: result.history[key] for key in ("loss", "val", "test")},
        "best": [result.best_epoch, result.val, result.test],
        "masks": fingerprint(projection.export_mask()),
        "kept": projection.density(),
        "weights": fingerprint(model.state_dict()),
    }


def resumed(replicas: Replicas, folder: Path) -> dict[str, Any]:
    """Stop the case with dropout half way, then go on from the checkpoint of the first replica."""
    path = folder / "state"
    make = lambda: SAGE(16, 8, 3, dropout=0.5)  # noqa: E731
    half = {**SAMPLED, "epochs": EPOCHS // 2, "callbacks": [Checkpoint(path)]}
    nodes(make, replicas, **half)
    replicas.agree(lambda: None)
    model, _, result = nodes(make, replicas, **SAMPLED, resume=path)
    return {"loss": result.history["loss"], "weights": fingerprint(model.state_dict())}


def come_apart(replicas: Replicas) -> str:
    """Change the weights of one replica only; return what is said about it."""

    class Off(SAGE):
        def forward(self, *args: Any) -> torch.Tensor:
            if replicas.rank == 1:
                with torch.no_grad():
                    weight = next(self.parameters())
                    weight.copy_(weight.flip(0))
            return super().forward(*args)

    try:
        nodes(lambda: Off(16, 8, 3), replicas, **SAMPLED)
    except ReplicaError as error:
        return str(error)
    return "nothing"


def refused(replicas: Replicas) -> dict[str, str]:
    """What is said where batches cannot be shared out."""
    cases: dict[str, Callable[[], Any]] = {
        "full batch": lambda: nodes(lambda: SAGE(16, 8, 3), replicas, batch_size=0),
        "tiny batch": lambda: nodes(normalized, replicas, fanouts=[2, 2], batch_size=1),
        "not finite": lambda: nodes(lambda: Nan(16, 8, 3), replicas, **SAMPLED),
    }

    class Nan(SAGE):
        def forward(self, *args: Any) -> torch.Tensor:
            return super().forward(*args) * (float("nan") if replicas.rank else 1.0)

    said = {}
    for name, run in cases.items():
        try:
            run()
        except (ValueError, FloatingPointError) as error:
            said[name] = str(error)
    return said


def main(folder: Path) -> None:
    """Run every case and write one file per rank."""
    torch.set_num_threads(1)
    with launched() as replicas:
        found: dict[str, Any] = {name: outcome(name, replicas) for name in CASES}
        found["come apart"] = come_apart(replicas)
        found["resumed"] = resumed(replicas, folder)
        found["refused"] = refused(replicas)
        (folder / f"{replicas.rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
