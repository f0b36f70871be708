"""Sets of graphs: batches, budgets over all edges, the loop, its scores."""

from __future__ import annotations

import types

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data

from graphsparse.datasets.splits import Split
from graphsparse.models import CategoryEncoder, GINAttentionNet
from graphsparse.training import GraphTask, set_seed, train_graphs
from graphsparse.training.graph_experiment import GraphExperiment, build_graph_model
from graphsparse.training.graph_loop import score_graphs
from graphsparse.training.recipe import Recipe
from graphsparse.training.sweep import run_key


def task(count: int, metric: str, seed: int = 71) -> GraphTask:
    """Rings with a chord (class 1) and without (class 0); or the number of nodes as target."""
    rng = np.random.default_rng(seed)
    graphs = []
    for at in range(count):
        n = int(rng.integers(5, 9))
        pairs = [(i, (i + 1) % n) for i in range(n)] + ([(0, 2)] if at % 2 else [])
        both = torch.tensor(pairs + [(b, a) for a, b in pairs]).T
        target = float(at % 2) if metric == "roc_auc" else n / 4.0
        graphs.append(
            Data(
                x=torch.zeros(n, 1, dtype=torch.int64),
                edge_index=both,
                edge_attr=torch.from_numpy(rng.integers(0, 2, (both.shape[1], 1))),
                y=torch.tensor([[target]]),
            )
        )
    third = count // 3
    ids = np.arange(count)
    split = Split("first", train=ids[: 2 * third], val=ids[2 * third :], test=ids[2 * third :])
    found = types.SimpleNamespace(content=graphs, splits=(split,), metric=metric)
    return GraphTask.from_dataset(found)


def net(**options) -> GINAttentionNet:
    set_seed(72)
    return GINAttentionNet(
        0,
        16,
        1,
        task="graph",
        layers=2,
        heads=2,
        dropout=0.0,
        encoder=CategoryEncoder([1], 16),
        edge_encoder=CategoryEncoder([2], 4),
        edge_dim=4,
        **{"normalize": "degree", "norm": None, **options},
    )


def test_batches_are_the_graphs_in_order() -> None:
    whole = task(9, "roc_auc")
    batch = whole.batch(torch.tensor([4, 0, 7]))
    model = net().eval()
    together = model(batch.x, batch.edge_index, batch.edge_attr, batch.ptr)
    alone = []
    for at in (4, 0, 7):
        one = whole.batch(torch.tensor([at]))
        assert int(one.edge_index.min()) == 0
        alone.append(model(one.x, one.edge_index, one.edge_attr, one.ptr))
    torch.testing.assert_close(together, torch.cat(alone))
    assert batch.y[:, 0].tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(("metric", "bound"), [("roc_auc", 0.95), ("rmse", -0.15)])
def test_the_loop_learns(metric: str, bound: float) -> None:
    model = net(pool="sum")
    result = train_graphs(model, task(60, metric), epochs=60, batch_size=16)
    assert (result.test if metric == "roc_auc" else -result.test) > bound
    assert len(result.history["val"]) == result.epochs == 60
    assert result.val == result.history["val"][result.best_epoch - 1]
    again = train_graphs(net(pool="sum"), task(60, metric), epochs=3, batch_size=16)
    assert again.history["val"] == result.history["val"][:3]


def test_patience() -> None:
    stopped = train_graphs(net(), task(12, "rmse"), epochs=400, batch_size=8, patience=2)
    assert stopped.epochs == stopped.best_epoch + 2 or stopped.epochs == 400


def test_one_budget_over_the_edges_of_all_graphs() -> None:
    whole = task(20, "roc_auc")
    pairs = whole.whole.edge_index.shape[1] // 2
    less = whole.sparsified("teddy", 0.7)
    assert less.whole.edge_index.shape[1] == 2 * (pairs - int((1 - 0.7) * pairs + 1e-6))
    found = {tuple(e) for e in less.whole.edge_index.T.tolist()}
    rows = dict(
        zip(map(tuple, whole.whole.edge_index.T.tolist()), whole.whole.edge_attr, strict=True)
    )
    assert found <= set(rows)
    for edge, attr in zip(less.whole.edge_index.T.tolist(), less.whole.edge_attr, strict=True):
        assert torch.equal(attr, rows[tuple(edge)])
    batch = less.batch(torch.tensor([3, 11]))
    assert int(batch.edge_index.max()) < int(batch.ptr[-1])


def test_scores_skip_what_is_not_known() -> None:
    nan = float("nan")
    y = torch.tensor([[1.0, nan], [0.0, 1.0], [1.0, nan], [0.0, 1.0]])
    output = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.5, 0.0], [0.0, 0.0]])
    assert score_graphs(output, y, "roc_auc") == 0.75
    values: Tensor = torch.tensor([[1.0], [2.0]])
    assert score_graphs(values, torch.tensor([[nan], [5.0]]), "rmse") == 3.0
    with pytest.raises(ValueError, match="roc_auc needs both classes"):
        score_graphs(output[:, 1:], y[:, 1:], "roc_auc")
    with pytest.raises(ValueError, match="metric must be one of 'roc_auc', 'rmse', got 'f1'"):
        task(3, "f1")


def test_a_recipe_runs_on_graphs_with_fewer_edges_and_weights() -> None:
    recipe = Recipe.from_dict(
        {
            "model": {"name": "gin_attention", "hidden": 8, "layers": 2, "heads": 2},
            "train": {"epochs": 2, "batch_size": 8},
            "edges": {"keep": 0.7},
            "weights": {"keep": 0.5, "options": {"min_keep_per_layer": 1}},
        }
    )
    run = GraphExperiment(task(30, "roc_auc")).run(recipe, seed=3)
    assert run["weights_kept"] == run["weights_total"] // 2
    assert run["edges_kept"] == run["edges_total"] - int(0.3 * run["edges_total"] + 1e-6)
    assert run["epochs"] == 2
    assert run == {**GraphExperiment(task(30, "roc_auc")).run(recipe, 3), "seconds": run["seconds"]}
    assert run["metric"] == "roc_auc"


@pytest.mark.parametrize("name", ["gat", "gcn", "gin", "sage"])
def test_backbones_run_on_graphs(name: str) -> None:
    heads = 2 if name == "gat" else None
    recipe = Recipe.from_dict(
        {
            "model": {"name": name, "hidden": 16, "layers": 2, "heads": heads},
            "train": {"epochs": 60, "batch_size": 16, "lr": 0.01, "weight_decay": 0.0},
        }
    )
    run = GraphExperiment(task(60, "rmse")).run(recipe, seed=5)
    assert run["metric"] == "rmse"
    assert run["weights_total"] >= 2 * 16 * 16
    spread = float(task(60, "rmse").whole.y.std())
    assert run["test"] < 1.3 * spread  # the number of nodes is not in the mean of equal rows
    half = GraphExperiment(task(60, "rmse")).run(
        recipe.replace(
            train={"epochs": 2}, weights={"keep": 0.5, "options": {"min_keep_per_layer": 1}}
        ),
        seed=5,
    )
    assert half["weights_kept"] == half["weights_total"] // 2


def test_a_graph_is_predicted_alone_as_in_its_batch() -> None:
    given = task(12, "rmse")
    recipe = Recipe.from_dict({"model": {"name": "gin", "hidden": 8, "layers": 3}})
    model = build_graph_model(recipe.model, given).eval()
    whole = given.batch(torch.arange(12))
    together = model(whole.x, whole.edge_index, whole.edge_attr, whole.ptr)
    for at in range(12):
        one = given.batch(torch.tensor([at]))
        alone = model(one.x, one.edge_index, one.edge_attr, one.ptr)
        torch.testing.assert_close(alone[0], together[at], rtol=1e-5, atol=1e-6)


def test_models_and_options_that_graphs_do_not_have() -> None:
    for change, message in (
        ({"name": "adpa"}, "model.name must be one of gat, gcn, gin, gin_attention, sage"),
        ({"name": "gcn", "options": {"predictor": "dot"}}, "model.options of gcn must be empty"),
    ):
        with pytest.raises(ValueError, match=message):
            GraphExperiment(task(9, "rmse")).run(Recipe().replace(model=change), 0)


def test_new_keys_leave_the_names_of_old_run_files() -> None:
    plain = Recipe.from_dict({"data": {"name": "Cora"}})
    assert run_key(plain, 3) == "Cora-gcn-3-7e5b39233ce8"
    changed = plain.replace(train={"batch_size": 8})
    assert run_key(changed, 3) != run_key(plain, 3)
