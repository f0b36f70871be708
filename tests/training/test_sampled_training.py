"""Mini-batches in the trainer: full fan-outs equal the full batch, threads, plans, recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphsparse import Graph
from graphsparse.datasets.ogbn_like import ogbn_like
from graphsparse.models import GAT, GCN, GIN, SAGE, GINAttentionNet
from graphsparse.training import Checkpoint, EdgePlan, NodeData, adam, set_seed, train
from graphsparse.training.experiment import Experiment
from graphsparse.training.recipe import Recipe, RecipeError
from graphsparse.training.sweep import run_key


def task(seed: int = 3, n: int = 400) -> NodeData:
    made = ogbn_like(n, 4 * n, 8, 3, homophily=0.8, signal=2.0, directed=False, seed=seed)
    u, v = made.edge_index
    graph = Graph.from_edges((u[u < v], v[u < v]), num_nodes=n)
    ids = {name: torch.from_numpy(ids) for name, ids in made.split.items()}
    return NodeData(
        graph, torch.from_numpy(made.x), torch.from_numpy(made.y),
        ids["train"], ids["valid"], ids["test"], num_classes=3,
    )  # fmt: skip


def run(data: NodeData, make: Any = SAGE, **options: Any) -> Any:
    set_seed(5)
    model = make(8, 16, 3)
    optimizer = adam(model, 0.01, 0.0)
    defaults = {"epochs": 3, "batch_size": 50, "fanouts": [5, 5]}
    result = train(model, data, optimizer=optimizer, **{**defaults, **options})
    return result, model


def test_one_full_batch_equals_full_batch_training() -> None:
    data = task()
    n = len(data.train)
    for make in (SAGE, GCN, GIN):
        no_dropout = {} if make is GIN else {"dropout": 0.0}
        part = lambda *a, make=make, o=no_dropout: make(*a, **o)  # noqa: E731
        whole, one = run(data, part, batch_size=0, fanouts=())
        batch, two = run(data, part, batch_size=n, fanouts=[-1, -1])
        assert whole.history["loss"] == pytest.approx(batch.history["loss"], rel=1e-4)
        for a, b in zip(one.parameters(), two.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("make", [SAGE, GCN, GIN, GAT, GINAttentionNet])
def test_it_learns(make: Any) -> None:
    layers = {"layers": 2} if make is GINAttentionNet else {}
    data = task(n=1500)
    result, _ = run(data, lambda *a: make(*a, **layers), epochs=8, batch_size=100)
    assert result.test > 0.75
    assert result.history["loss"][-1] < 0.8 * result.history["loss"][0]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_threads_change_no_bit(threads: int) -> None:
    data = task()
    one, model = run(data, prefetch_threads=1)
    other, again = run(data, prefetch_threads=threads)
    assert one.history["loss"] == other.history["loss"]
    assert all(map(torch.equal, model.parameters(), again.parameters()))


def test_resume_gives_the_same_bits(tmp_path: Path) -> None:
    data = task()
    _, model = run(data, epochs=6)
    set_seed(5)
    part = SAGE(8, 16, 3)
    path = tmp_path / "state"
    options: dict[str, Any] = {"batch_size": 50, "fanouts": [5, 5]}
    saving = [Checkpoint(path, 1)]
    train(part, data, epochs=4, optimizer=adam(part, 0.01, 0.0), callbacks=saving, **options)
    set_seed(99)
    resumed = SAGE(8, 16, 3)
    optimizer = adam(resumed, 0.01, 0.0)
    train(resumed, data, epochs=6, optimizer=optimizer, resume=path, **options)
    assert all(map(torch.equal, model.parameters(), resumed.parameters()))


def test_evaluation_between_repeats() -> None:
    result, _ = run(task(), epochs=5, evaluate_every=2)
    val = result.history["val"]
    assert val[0] == 0.0
    assert val[1] == val[2]
    assert len(val) == len(result.history["seconds"]) == 5
    assert result.best_epoch in (2, 4, 5)


def test_edges_go_per_batch() -> None:
    data = task()
    plain, _ = run(data)
    thin, _ = run(data, edges=EdgePlan("batch", 0.5))
    same, _ = run(data, edges=EdgePlan("batch", 1.0))
    assert plain.history["loss"] == same.history["loss"]
    assert plain.history["loss"] != thin.history["loss"]


def test_batch_plan_keeps_a_share_and_both_directions() -> None:
    from graphsparse.operators.neighbor_sampling import NeighborTable, sample_neighbors

    graph = task(n=2000).graph
    table = NeighborTable.from_graph(graph)
    sample = sample_neighbors(table, np.arange(2000), [-1])
    kept = EdgePlan("batch", 0.3, seed=4).kept(sample, 7)
    assert kept is not None
    assert abs(float(kept.mean()) - 0.3) < 0.02
    u, v = sample.nodes[sample.row], sample.nodes[sample.col]
    pairs = set(zip(u[kept].tolist(), v[kept].tolist(), strict=True))
    assert all((b, a) in pairs for a, b in pairs)
    other = EdgePlan("batch", 0.3, seed=4).kept(sample, 8)
    assert not np.array_equal(kept, other)


def test_edges_go_by_schedule() -> None:
    whole = task().graph
    plan = EdgePlan("schedule", 0.4, "teddy", over=4)
    share, counts = 1.0, []
    for epoch in range(7):
        changed = plan.graph_at(whole, epoch, share)
        if changed is not None:
            graph, share = changed
        counts.append(whole.num_edges if changed is None and epoch == 0 else graph.num_edges)
    assert counts[0] == whole.num_edges
    assert counts == sorted(counts, reverse=True)
    assert counts[4:] == [round(0.4 * whole.num_edges)] * 3
    result, _ = run(task(), epochs=6, edges=plan)
    assert result.epochs == 6


def test_recipe_runs_mini_batches() -> None:
    base = {
        "model": {"name": "sage", "hidden": 16},
        "train": {"epochs": 4, "batch_size": 60, "fanouts": [4, 4], "evaluate_every": 2},
    }
    experiment = Experiment(task())
    for edges in (
        {},
        {"keep": 0.5},
        {"keep": 0.5, "method": "random", "when": "batch"},
        {"keep": 0.5, "when": "schedule", "over": 2},
    ):
        recipe = Recipe.from_dict({**base, "edges": edges, "weights": {"keep": 0.3}})
        figures = experiment.run(recipe, 1)
        assert figures["weights_kept"] <= 0.3 * figures["weights_total"] + 1
        assert figures["test"] > 0.4


def test_run_keys_of_older_recipes_stay() -> None:
    assert run_key(Recipe(), 0) == "digits-gcn-0-" + run_key(Recipe(), 0).rsplit("-", 1)[1]
    values = Recipe().to_dict()
    assert values["train"]["fanouts"] == []
    changed = Recipe().replace(train={"fanouts": [3, 3], "batch_size": 8})
    assert run_key(changed, 0) != run_key(Recipe(), 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fanouts": ()}, "batch_size and fanouts must be given together to SAGE, got only batch"),
        ({"batch_size": 0}, "batch_size and fanouts must be given together to SAGE, got only fan"),
        ({"fanouts": [-2, 1]}, "fanouts must be >= -1, got -2"),
        ({"fanouts": [2, 2, 2]}, "a network of 2 layers needs 2 fan-outs, got 3"),
        (
            {"fanouts": (), "batch_size": 0, "edges": EdgePlan("batch", 0.5)},
            "edges must be left out without batch_size, got when='batch'",
        ),
        ({"evaluate_every": 0}, "evaluate_every must be >= 1, got 0"),
        ({"loss": lambda logits, data: logits.sum()}, "batch_size must be 0 with a loss"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(task(), **options)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"when": "never", "keep": 0.5}, "edges.when must be one of 'batch', 'schedule'"),
        ({"when": "batch", "keep": 0.0}, "edges.keep must be in"),
        ({"when": "batch", "keep": 0.5, "method": "teddy"}, "edges.method must be 'random' per"),
        ({"when": "schedule", "keep": 0.5}, "edges.over must be >= 1, got 0"),
    ],
)
def test_wrong_plans(plan: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EdgePlan(**plan)


def test_wrong_recipes_name_the_key() -> None:
    with pytest.raises(RecipeError, match="train.fanouts must be >= -1, got -3"):
        Recipe.from_dict({"train": {"fanouts": [-3]}})
    with pytest.raises(RecipeError, match="edges.when must be one of"):
        Recipe.from_dict({"edges": {"when": "later"}})
