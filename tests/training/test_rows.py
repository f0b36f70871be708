"""Models of precomputed rows and the baselines of digraphs in the trainer and in recipes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric import nn as pyg

from graphsparse.datasets import describe_dataset
from graphsparse.graph import Graph
from graphsparse.models import ADPA, GCN, MLP, Adjacency, DirConv, DirGNN
from graphsparse.training import DistillationLoss, NodeData, set_seed, train
from graphsparse.training.experiment import Experiment, build_model
from graphsparse.training.recipe import ModelRecipe, Recipe, load_recipe
from graphsparse.training.sweep import directed_as, run_key, run_recipe

RECIPES = Path(__file__).parents[2] / "examples" / "recipes"


@pytest.fixture(scope="module")
def data() -> NodeData:
    """Arcs that lead to the next class: neighbours along the arcs tell the label."""
    rng = np.random.default_rng(31)
    n = 150
    y = rng.integers(0, 3, n)
    arcs = rng.integers(0, n, (2500, 2))
    good = ((y[arcs[:, 1]] - y[arcs[:, 0]]) % 3 == 1) & (arcs[:, 0] != arcs[:, 1])
    graph = Graph.from_edges(np.unique(arcs[good], axis=0), num_nodes=n, directed=True)
    noise = rng.random((n, 30)) < 0.1
    x = torch.from_numpy(noise | (rng.random((n, 30)) < 0.15 * (np.arange(30) % 3 == y[:, None])))
    ids = torch.from_numpy(rng.permutation(n))
    return NodeData(
        graph, x.float(), torch.from_numpy(y), ids[:60], ids[60:100], ids[100:], num_classes=3
    )


def adpa(seed: int = 3, **options: object) -> ADPA:
    set_seed(seed)
    return ADPA(30, 16, 3, **options)


def test_adpa_learns_from_directions(data: NodeData) -> None:
    result = train(adpa(), data, epochs=60)
    assert result.test > 0.7
    assert result.logits.shape == (150, 3)
    best = result.history["val"].index(max(result.history["val"])) + 1
    assert (result.best_epoch, result.val) == (best, max(result.history["val"]))
    assert result.history["test"][best - 1] == result.test == result.history["test"][-1]


def test_batches_see_every_training_node(data: NodeData) -> None:
    model = adpa()
    features = model.precompute(data.graph, data.x)
    seen: list[int] = []
    forward = model.forward

    def spied(rows: torch.Tensor, ids: torch.Tensor | None = None) -> torch.Tensor:
        if model.training:
            seen.append(len(rows))
        return forward(rows, ids)

    model.forward = spied  # type: ignore[method-assign]
    result = train(model, data, epochs=30, features=features, batch_size=16)
    assert seen == [16, 16, 16, 12] * 30
    assert result.test > 0.7


def test_whole_graph_mode_trains_and_distils(data: NodeData) -> None:
    compat = train(adpa(reference_compat=True), data, epochs=3)
    assert compat.history["loss"][2] < compat.history["loss"][0]
    teacher = train(GCN(30, 8, 3), data, epochs=3)
    student = train(adpa(), data, epochs=3, loss=DistillationLoss(teacher.logits, 1.0))
    assert student.history["loss"][2] < student.history["loss"][0]
    with pytest.raises(ValueError, match="batch_size must be 0 for this model, which mixes nodes"):
        train(adpa(reference_compat=True), data, epochs=1, batch_size=8)
    with pytest.raises(ValueError, match="batch_size must be 0 with a loss that looks at all"):
        train(adpa(), data, epochs=1, batch_size=8, loss=DistillationLoss(teacher.logits, 1.0))
    with pytest.raises(ValueError, match="batch_size and fanouts must be given together to GCN"):
        train(GCN(30, 8, 3), data, epochs=1, batch_size=8)
    with pytest.raises(ValueError, match="features must have 150 rows, got 149"):
        train(adpa(), data, epochs=1, features=torch.zeros(149, 13, 30))


def test_runs_repeat_and_do_not_mix_their_features(data: NodeData) -> None:
    experiment = Experiment(data)
    base = {"model": {"name": "adpa", "hidden": 8, "layers": 1}, "train": {"epochs": 6}}
    recipe = Recipe.from_dict(base)
    other = recipe.replace(model={"options": {"num_hops": 1, "r": 0.2}})
    first = [experiment.run(r, 5) for r in (recipe, other, recipe)]
    fresh = Experiment(data).run(other, 5)
    for key in ("test", "val", "best_epoch"):
        assert first[0][key] == first[2][key]
        assert first[1][key] == fresh[key]
    halved = experiment.run(recipe.replace(weights={"keep": 0.5}), 5)
    assert halved["weights_kept"] == halved["weights_total"] - halved["weights_total"] // 2
    matrices = 7 * 30 * 8 + 7 * 8 * 3
    assert (first[0]["weights_total"], first[0]["macs"]) == (matrices, 150 * matrices)


@pytest.mark.parametrize("name", ["mlp", "dirgnn", "sage", "gcn"])
def test_baselines_run(data: NodeData, name: str) -> None:
    recipe = Recipe.from_dict({"model": {"name": name, "hidden": 16}, "train": {"epochs": 60}})
    result = Experiment(data).run(recipe, 4)
    assert result["test"] > (0.9 if name == "dirgnn" else 0.4)


def test_dir_conv_equals_pyg() -> None:
    rng = np.random.default_rng(4)
    arcs = np.unique(rng.integers(0, 20, (60, 2)), axis=0)
    adjacency = Adjacency(Graph.from_edges(arcs, num_nodes=20, directed=True))
    set_seed(1)
    ours = DirConv(6, 4, alpha=0.3)
    x = torch.randn(20, 6)
    plain = pyg.GCNConv(6, 4, add_self_loops=False, bias=False)
    theirs = pyg.DirGNNConv(plain, alpha=0.7)
    with torch.no_grad():
        theirs.conv_in.lin.weight.copy_(ours.in_weight.t())
        theirs.conv_out.lin.weight.copy_(ours.out_weight.t())
        theirs.lin.weight.copy_(ours.root_weight.t())
        theirs.lin.bias.zero_()
    # PyG's GCNConv scales by the in-degree on both ends; give it our weights instead.
    index = torch.from_numpy(arcs.T.copy())
    for conv in (theirs.conv_in, theirs.conv_out):
        conv.normalize = False
    out = np.bincount(arcs[:, 0], minlength=20)
    into = np.bincount(arcs[:, 1], minlength=20)
    weight = torch.from_numpy(1.0 / np.sqrt(out[arcs[:, 0]] * into[arcs[:, 1]])).float()
    behind = theirs.conv_in(x, index, weight)
    ahead = theirs.conv_out(x, index.flip(0), weight)
    want = theirs.lin(x) + 0.3 * ahead + 0.7 * behind
    assert torch.allclose(ours(x, adjacency), want, atol=1e-5)


def test_models_by_name(data: NodeData) -> None:
    made = build_model(ModelRecipe("dirgnn", 8, options={"alpha": 0.25}), 30, 3)
    assert isinstance(made, DirGNN)
    assert made.convs[0].alpha == 0.25
    assert isinstance(build_model(ModelRecipe("mlp", 8), 30, 3), MLP)
    both = build_model(ModelRecipe("adpa", 8), 30, 3, directed=False)
    assert both.propagation.patterns == ("A", "AA")
    asked = ModelRecipe("adpa", 8, options={"patterns": ["AAT"]})
    assert build_model(asked, 30, 3, directed=False).propagation.patterns == ("AAT",)


def test_directions(data: NodeData) -> None:
    assert directed_as(data, "stored") is data.graph
    assert directed_as(data, "undirected") == data.graph.symmetrize()
    assert directed_as(data, "amud") is data.graph
    few = NodeData(data.graph, data.x, data.y, data.train[:3], data.val, data.test, num_classes=3)
    with pytest.warns(UserWarning, match="do not decide"):
        assert not directed_as(few, "amud").directed


def test_new_keys_do_not_move_old_runs() -> None:
    recipe = load_recipe(RECIPES / "digits_gcn.toml")
    assert run_key(recipe, 0) == "digits-gcn-0-90f155ed3640"
    assert run_key(recipe.replace(train={"batch_size": 8}), 0) != run_key(recipe, 0)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("adpa_*.toml")), ids=lambda p: p.stem)
def test_adpa_recipes_name_sets_that_exist(path: Path) -> None:
    recipe = load_recipe(path)
    entry = describe_dataset(recipe.data.name)
    assert entry.metric == recipe.train.metric
    model = build_model(recipe.model, 5, 3)
    assert isinstance(model, ADPA)
    assert model.propagation.num_hops == recipe.model.options["num_hops"]


def test_a_recipe_runs_on_a_real_set(shared_data: Path, tmp_path: Path) -> None:
    """Texas as its recipe says, for a few epochs, with the direction left to AMUD."""
    spec = importlib.util.spec_from_file_location("stage", shared_data / "stage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    module.stage("texas", tmp_path / "data", link=True)
    settings = [f"data.root={tmp_path / 'data'}", "train.epochs=15", "data.direction=amud"]
    recipe = load_recipe(RECIPES / "adpa_texas.toml", settings)
    (run,) = run_recipe(recipe, [0], tmp_path / "runs")
    assert run["result"]["edges_total"] in (309, 325), "AMUD keeps the arcs of split 0"
    assert run["result"]["val"] > 0.5
