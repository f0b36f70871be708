"""Link prediction: ogb's formulas, false pairs, the loop against plain torch, recipes."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from graphsparse import Graph, load_dataset
from graphsparse.datasets.block_model import BlockModel
from graphsparse.models import GCN, SAGE, Adjacency, LinkModel, LinkPredictor, NodeEmbedding
from graphsparse.models.links import pair_dots
from graphsparse.training import LinkTask, RankedPairs, set_seed, train_links
from graphsparse.training import link_loop as loop
from graphsparse.training.link_experiment import LinkExperiment
from graphsparse.training.link_metrics import hits_at, mean_reciprocal_rank, metric_of
from graphsparse.training.recipe import Recipe, RecipeError


def task(seed: int = 1, n: int = 120, metric: str = "hits@20") -> LinkTask:
    """Blocks: pairs inside a block are true, pairs between two are false."""
    model = BlockModel(n, 4, 3.0, seed)
    u, v = model.edges(6 * n, 1.0)
    order = np.random.default_rng(seed).permutation(len(u))
    pairs = torch.from_numpy(np.stack([u, v], 1)[order])
    x, y = torch.from_numpy(np.stack(BlockModel(n, 4, 3.0, seed).edges(n, 0.0)))
    false = torch.stack([x, y], dim=1)
    train, val, test = pairs[: 4 * n], pairs[4 * n : 5 * n], pairs[5 * n :]
    graph = Graph.from_edges(train.numpy(), num_nodes=n)
    if metric == "mrr":
        targets = torch.randint(0, n, (n, 5), generator=torch.Generator().manual_seed(seed))
        ranked = RankedPairs(val, targets), RankedPairs(test, targets)
        return LinkTask(graph, None, train, *ranked, metric)
    return LinkTask(graph, None, train, RankedPairs(val, false), RankedPairs(test, false), metric)


def net(kind: str = "mlp", n: int = 120, make: Any = SAGE, **options: Any) -> LinkModel:
    set_seed(3)
    encoder = make(16, 16, 16, dropout=0.0)
    predictor = LinkPredictor(16, kind, dropout=0.0, **options)
    return LinkModel(encoder, predictor, NodeEmbedding(n, 16))


@pytest.mark.parametrize("seed", range(200))
def test_formulas_are_those_of_ogb(seed: int) -> None:
    evaluate = pytest.importorskip("ogb.linkproppred.evaluate").Evaluator
    rng = np.random.default_rng(seed)
    levels = int(rng.integers(2, 50))  # few levels: ties
    count, width = int(rng.integers(1, 60)), int(rng.integers(1, 40))
    positive = torch.from_numpy(rng.integers(0, levels, count)).float()
    negative = torch.from_numpy(rng.integers(0, levels, int(rng.integers(1, 80)))).float()
    given = {"y_pred_pos": positive, "y_pred_neg": negative}
    want = evaluate("ogbl-ddi").eval(given)["hits@20"]
    assert hits_at(positive, negative, 20) == pytest.approx(want, abs=1e-7)
    wide = torch.from_numpy(rng.integers(0, levels, (count, width))).float()
    lists = evaluate("ogbl-citation2").eval({"y_pred_pos": positive, "y_pred_neg": wide})
    want = float(lists["mrr_list"].double().mean())
    assert mean_reciprocal_rank(positive, wide) == pytest.approx(want, abs=1e-6)


def test_metric_names() -> None:
    assert (metric_of("hits@50"), metric_of("mrr")) == (50, 0)
    for name in ("hits", "hits@", "hits@x", "hits@0", "auc"):
        with pytest.raises(ValueError, match="metric must be one of 'hits@K', 'mrr', got"):
            metric_of(name)
    with pytest.raises(ValueError, match=r"negative must have shape \(2, q\), got \(3,\)"):
        mean_reciprocal_rank(torch.zeros(2), torch.zeros(3))


@pytest.mark.parametrize("seed", range(200))
def test_pair_dots_and_their_gradient(seed: int) -> None:
    torch.manual_seed(seed)
    n = int(torch.randint(1, 20, ()))
    pairs = torch.randint(0, n, (int(torch.randint(0, 60, ())), 2))
    one = torch.randn(n, 5, dtype=torch.float64, requires_grad=True)
    two = one.detach().clone().requires_grad_()
    scale = torch.randn(len(pairs), dtype=torch.float64)
    got = pair_dots(one, pairs)
    want = (two[pairs[:, 0]] * two[pairs[:, 1]]).sum(1)
    torch.testing.assert_close(got, want)
    (got * scale).sum().backward()
    (want * scale).sum().backward()
    torch.testing.assert_close(one.grad, two.grad)


def test_false_pairs_are_false_and_seeded() -> None:
    given = task()
    torch.manual_seed(4)
    false = given.false_pairs(3000)
    known = set(map(tuple, given.train.tolist()))
    assert len(false) == 3000
    assert all(u != v and (u, v) not in known and (v, u) not in known for u, v in false.tolist())
    torch.manual_seed(4)
    assert torch.equal(false, given.false_pairs(3000))
    assert len(given.false_pairs(0)) == 0


def test_false_pairs_of_a_task_without_training_pairs() -> None:
    given = task()
    empty = LinkTask(given.graph, None, given.train[:0], given.val, given.test, given.metric)
    assert len(empty.false_pairs(10)) == 10


@pytest.mark.parametrize("kind", ["mlp", "dot"])
def test_step_equals_plain_torch(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_PART", 7)  # many parts
    given = task()
    one, two = net(kind, make=GCN), net(kind, make=GCN)
    true = given.train[:50]
    false = given.false_pairs(50)
    vectors = one.encode(None, given.adjacency)
    value = loop._descend(one, vectors, torch.cat([true, false]))
    h = two.encode(None, given.adjacency)
    left, right = (two.score(h, pairs) for pairs in (true, false))
    loss = -F.logsigmoid(left).mean() - F.logsigmoid(-right).mean()
    loss.backward()
    assert value == pytest.approx(float(loss.detach()), rel=1e-5)
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["mlp", "dot"])
@pytest.mark.parametrize("make", [GCN, SAGE])
def test_it_learns_blocks(kind: str, make: Any) -> None:
    given = task()
    result = train_links(net(kind, make=make), given, epochs=40, batch_size=200)
    assert result.history["loss"][-1] < 0.7 * result.history["loss"][0]
    assert result.test > 0.6
    assert result.val == max(result.history["val"])


def test_mean_reciprocal_rank_task() -> None:
    given = task(metric="mrr")
    result = train_links(net(), given, epochs=10, batch_size=100, evaluate_every=5)
    assert 0.2 < result.test < 1.0
    assert result.history["val"][0] == 0.0
    assert result.epochs == 10


def test_bfloat16_is_near_and_repeats() -> None:
    given = task()
    runs = [
        train_links(net(bfloat16=half), given, epochs=4, batch_size=100).history["loss"]
        for half in (False, True, True)
    ]
    assert runs[0] != runs[1] == runs[2]
    assert runs[0] == pytest.approx(runs[1], rel=0.05)
    model, pairs = net(bfloat16=True).eval(), given.test.positive
    vectors = model.encode(given.x, given.adjacency)
    exact = model.predictor.double()(vectors.double(), pairs)
    assert exact.tolist() == pytest.approx(
        model.predictor.float()(vectors, pairs).tolist(), rel=1e-4
    )


def test_epoch_size_and_patience() -> None:
    given = task()
    drawn: list[int] = []
    real = loop._descend

    def counted(model: Any, vectors: Any, pairs: Any) -> float:
        drawn.append(len(pairs) // 2)
        return real(model, vectors, pairs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_descend", counted)
        train_links(net(), given, epochs=2, batch_size=40, epoch_size=100)
    assert drawn == [40, 40, 20] * 2
    stopped = train_links(net(), given, epochs=300, batch_size=480, patience=3)
    assert stopped.epochs == stopped.best_epoch + 3


def test_recipe_cuts_the_message_graph() -> None:
    given = task()
    base = Recipe.from_dict(
        {
            "model": {"name": "sage", "hidden": 16, "options": {"predictor_layers": 2}},
            "train": {"epochs": 5, "lr": 0.01, "batch_size": 100, "weight_decay": 0.0},
        }
    )
    whole = LinkExperiment(given).run(base, 1)
    half = LinkExperiment(given).run(
        base.replace(edges={"keep": 0.5}, weights={"keep": 0.25, "options": {"scope": "layer"}}), 1
    )
    assert whole["edges_kept"] == whole["edges_total"] == given.graph.num_edges
    assert half["edges_kept"] == given.graph.num_edges - given.graph.num_edges // 2
    assert half["weights_kept"] <= 0.25 * half["weights_total"] + 8
    assert half["macs"] < whole["macs"]
    assert whole["metric"] == "hits@20"


@pytest.mark.parametrize("name", ["gat", "gcn", "gin", "sage"])
def test_every_backbone_learns_links(name: str) -> None:
    heads = 2 if name == "gat" else None
    options = {"predictor_layers": 2}
    recipe = Recipe.from_dict(
        {
            "model": {"name": name, "hidden": 32, "heads": heads, "options": options},
            "train": {"epochs": 60, "lr": 0.01, "batch_size": 200, "weight_decay": 0.0},
        }
    )
    run = LinkExperiment(task()).run(recipe, 1)
    assert run["test"] > 0.5
    assert run["parameters"] > run["weights_total"] > 32 * 32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"name": "mlp"}}, "model.name must be one of gat, gcn, gin, sage for link pred"),
        ({"distill": {"weight": 1.0}}, "distill.weight must be 0 for link prediction"),
        ({"train": {"fanouts": [2, 2]}}, "train.fanouts must be left out for link prediction"),
        ({"edges": {"when": "batch"}}, "edges.when must be 'before' for link prediction"),
        ({"model": {"options": {"predictor": "sum"}}}, "predictor must be one of 'mlp', 'dot'"),
    ],
)
def test_recipes_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LinkExperiment(task()).run(Recipe().replace(**changes), 0)


def test_unknown_option_is_named() -> None:
    with pytest.raises(RecipeError, match="model.options of gcn must be among .* got 'width'"):
        Recipe().replace(model={"options": {"width": 3}})


def test_wrong_tasks() -> None:
    given = task()
    ids = torch.tensor([[0, 500]])
    ranked = (given.val, given.test, "hits@20")
    with pytest.raises(ValueError, match=r"train must hold node ids in \[0, 120\), got 500"):
        LinkTask(given.graph, None, ids, *ranked)
    with pytest.raises(TypeError, match=r"train must be int64 of shape \(m, 2\)"):
        LinkTask(given.graph, None, given.train.float(), *ranked)
    short = RankedPairs(given.val.positive, given.val.negative[:50])
    with pytest.raises(ValueError, match=r"val.negative must have shape \(120, q\) for 'mrr'"):
        LinkTask(given.graph, None, given.train, short, given.test, "mrr")
    with pytest.raises(ValueError, match="x must be given to a model without embedding"):
        LinkModel(GCN(4, 4, 4), LinkPredictor(4)).encode(None, Adjacency(given.graph))


def test_ddi_loads_and_ranks(shared_data: Path, tmp_path: Path) -> None:
    import importlib.util
    import sys

    pytest.importorskip("ogb")
    spec = importlib.util.spec_from_file_location("stage", shared_data / "stage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        spec.loader.exec_module(module)
    module.stage("ogbl-ddi", tmp_path)
    with contextlib.redirect_stderr(io.StringIO()):
        given = LinkTask.from_dataset(load_dataset("ogbl-ddi", root=tmp_path, offline=True))
    assert given.train.shape == (1_067_911, 2)
    assert (len(given.val.positive), len(given.test.negative)) == (133_489, 95_599)
    set_seed(1)
    model = LinkModel(SAGE(8, 8, 8), LinkPredictor(8, "dot"), NodeEmbedding(4267, 8))
    untrained = loop.evaluate_links(model, given)[0]
    result = train_links(model, given, epochs=2, batch_size=16384, epoch_size=6 * 16384)
    assert result.val > untrained
