"""Training on incidences: learns, batches, projection, baselines, recipes, command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from graphsparse import Hypergraph
from graphsparse.cli import _run as run_cli
from graphsparse.io import LabelledHypergraph, read_enc
from graphsparse.models import CoNHD
from graphsparse.training.incidence import (
    IncidenceOptions,
    parameter_groups,
    projectable,
    train_incidences,
)
from graphsparse.training.incidence_baselines import (
    IncidenceMLP,
    diffused_labels,
    majority,
    node_majority,
)
from graphsparse.training.incidence_recipe import IncidenceRecipe, load_any_recipe
from graphsparse.training.incidence_task import IncidenceTask, load_incidence_task, node_features
from graphsparse.training.metrics import f1_scores
from graphsparse.training.recipe import Recipe, RecipeError

# Majority and node majority on the test part, micro and macro, of the published floors.
FLOORS = {
    "StackOverflowBiology": ((0.464, 0.211), (0.672, 0.591)),
    "DBLP": ((0.430, 0.201), (0.523, 0.494)),
}


@pytest.fixture(scope="module")
def bundled() -> IncidenceTask:
    return load_incidence_task("hypergraph", dim=16)


def small_model(task: IncidenceTask, dim: int = 16, **options) -> CoNHD:
    torch.manual_seed(0)
    pe_dim = 0 if task.pe is None else task.pe.shape[1]
    conv = {"dropout": 0.2, **options}
    return CoNHD(task.x.shape[1], dim, task.num_classes, 1, pe_dim=pe_dim, **conv)


def test_f1_is_that_of_scikit_learn():
    rng = np.random.default_rng(88)
    for _ in range(200):
        n, classes = int(rng.integers(1, 30)), int(rng.integers(1, 5))
        y, guess = rng.integers(0, classes, (2, n))
        got = f1_scores(torch.from_numpy(guess), torch.from_numpy(y))
        assert got.micro == pytest.approx(f1_score(y, guess, average="micro"))
        assert got.macro == pytest.approx(f1_score(y, guess, average="macro"))
        assert got.confusion.sum() == n
    empty = f1_scores(torch.zeros(2, 3), torch.tensor([-1, -1]))
    assert np.isnan(empty.micro)
    with pytest.raises(ValueError, match="predicted must have 3 rows, as y has, got 2"):
        f1_scores(torch.zeros(2, 3), torch.zeros(3, dtype=torch.long))
    masked = f1_scores(torch.eye(3), torch.tensor([0, 0, -1]), torch.tensor([0, 1]))
    assert masked.micro == 0.5


@pytest.mark.parametrize("batch_size", [0, 100])
def test_learns_more_than_the_nodes_majority(bundled, batch_size):
    floor = f1_scores(node_majority(bundled), bundled.y, bundled.rows("test")).micro
    options = IncidenceOptions(
        epochs=100 if batch_size == 0 else 40, lr=1e-2, batch_size=batch_size, patience=0
    )
    result = train_incidences(small_model(bundled, dim=32), bundled, options, seed=1)
    assert result.history["loss"][-1] < 0.6 * result.history["loss"][0]
    assert result.test.micro > floor + 0.01
    assert result.x.shape == bundled.x.shape
    assert not torch.equal(result.x, bundled.x)


def test_a_run_repeats_bit_for_bit_and_reports_its_best(bundled):
    options = IncidenceOptions(epochs=6, lr=1e-2, batch_size=300, every=2)
    first, second = (
        train_incidences(small_model(bundled), bundled, options, seed=4) for _ in range(2)
    )
    assert first.history["loss"] == second.history["loss"]
    assert all(torch.equal(first.weights[k], second.weights[k]) for k in first.weights)
    assert first.best_epoch in (2, 4, 6)
    assert first.val.micro == max(first.history["val"])
    model = small_model(bundled)
    model.load_state_dict(first.weights)
    found = model.predict(bundled.hypergraph, first.x, bundled.pe)
    assert f1_scores(found.logits, bundled.y, bundled.rows("test")).micro == first.test.micro


def test_patience_ends_a_run(bundled):
    options = IncidenceOptions(epochs=50, lr=0.0, weight_decay=0.0, every=1, patience=3)
    result = train_incidences(small_model(bundled), bundled, options)
    assert (result.epochs, result.best_epoch) == (4, 1)


def test_projection_keeps_its_share_and_leaves_the_rest(bundled):
    model = small_model(bundled, operator="isab", layer_norm=True)
    names = projectable(model)
    assert not any(word in name for name in names for word in ("inducing", "pe_", "head", "norm"))
    assert "convs.0.update.weight" in names
    assert "in_proj.weight" in names
    assert sum(name.endswith(("q.weight", "out.weight")) for name in names) == 16
    options = IncidenceOptions(
        epochs=3, keep=0.1, train_features=False, projection={"scope": "layer"}
    )
    result = train_incidences(model, bundled, options)
    for name in names:
        total, kept = result.weights[name].numel(), int(result.weights[name].count_nonzero())
        assert kept == total - int(np.ceil(0.9 * total - 1e-6))
    assert torch.equal(result.x, bundled.x)


def test_gradients_are_clipped_in_three_groups(bundled):
    model = small_model(bundled)
    x = torch.nn.Parameter(bundled.x.clone())
    features, body, head = parameter_groups(model, x)
    assert features == [x] or features[0] is x
    assert {id(p) for p in head} == {id(p) for p in model.head.parameters()}
    assert len(body) + len(head) == len(list(model.parameters()))


def test_quirk_leaves_node_zero_to_the_decay(bundled):
    options = IncidenceOptions(epochs=1, lr=1e-2, weight_decay=0.0, reference_quirks=True)
    result = train_incidences(small_model(bundled), bundled, options)
    assert torch.equal(result.x[0], bundled.x[0])
    assert not torch.equal(result.x[1], bundled.x[1])


def test_no_training_rows_is_an_error():
    data = LabelledHypergraph(Hypergraph([0, 1], [0, 0]), np.array([-1, -1]), np.array([0]))
    task = IncidenceTask(data, torch.zeros(2, 3))
    with pytest.raises(ValueError, match="must have labelled training incidences, got none"):
        train_incidences(CoNHD(3, 4, 2, 1), task)


def test_baselines_take_no_batches(bundled):
    model = IncidenceMLP(16, 4, 8, 3)
    with pytest.raises(ValueError, match="batch_size must be 0 for IncidenceMLP.*got 50"):
        train_incidences(model, bundled, IncidenceOptions(batch_size=50))


def test_features_are_standardised_and_repeat(bundled):
    h = bundled.hypergraph
    for kind in ("fastrp", "random"):
        a, b = node_features(h, kind, 8, 3), node_features(h, kind, 8, 3)
        assert torch.equal(a, b)
        assert not torch.equal(a, node_features(h, kind, 8, 4))
    np.testing.assert_allclose(bundled.x.mean(0), 0.0, atol=1e-5)


def test_diffused_labels_beat_the_majority(bundled):
    rows, y = bundled.rows("test"), bundled.y
    plain = f1_scores(majority(bundled), y, rows).micro
    assert f1_scores(diffused_labels(bundled), y, rows).micro >= plain


@pytest.mark.parametrize("name", FLOORS)
def test_published_floors(shared_data, name):
    data = read_enc(shared_data / "hypergraph" / name)
    task = IncidenceTask(data, torch.zeros(data.hypergraph.num_nodes, 1))
    for guess, want in zip((majority(task), node_majority(task)), FLOORS[name], strict=True):
        got = f1_scores(guess, task.y, task.rows("test"))
        assert (round(got.micro, 3), round(got.macro, 3)) == want


def test_recipes_are_checked(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('[model]\nname = "conhd"\noperator = "isab"\n[train]\nbatch_size = 64\n')
    recipe = load_any_recipe(path, ["train.lr=1e-4"])
    assert isinstance(recipe, IncidenceRecipe)
    assert (recipe.model.operator, recipe.train.lr) == ("isab", 1e-4)
    assert IncidenceRecipe.from_dict(recipe.to_dict()) == recipe
    with pytest.raises(RecipeError, match=r"r.toml: unknown key model.hidden"):
        load_any_recipe(path, ["model.hidden=3"])
    with pytest.raises(RecipeError, match="train.epochs must be >= 1, got 0"):
        load_any_recipe(path, ["train.epochs=0"])
    path.write_text('[model]\nname = "gcn"\n')
    assert isinstance(load_any_recipe(path), Recipe)


@pytest.mark.parametrize("model", ["conhd", "incidence_mlp", "mean_convolution"])
def test_command_line_trains_and_does_not_run_again(tmp_path, capsys, model):
    path = tmp_path / "r.toml"
    path.write_text(
        f'[data]\nfeature_dim = 8\n[model]\nname = "{model}"\ndim = 8\nlayers = 1\n'
        "[train]\nepochs = 4\nevery = 2\nlr = 0.01\n"
    )
    command = ["train", str(path), "--seeds", "0,1", "--out", str(tmp_path / "runs"), "-q"]
    assert run_cli([*command, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert len(facts["runs"]) == 2
    assert 0.0 < facts["test_mean"] < 1.0
    assert (facts["runs"][0]["weights_kept"] is None) == (model != "conhd")
    files = sorted((tmp_path / "runs").iterdir())
    before = [file.stat().st_mtime_ns for file in files]
    assert run_cli(command) == 0
    assert "micro F1" in capsys.readouterr().out
    assert [file.stat().st_mtime_ns for file in files] == before


def test_info_reads_hypergraph_folders(tmp_path, capsys):
    (tmp_path / "hypergraph.txt").write_text("a\tb\nc\n")
    (tmp_path / "hypergraph_pos.txt").write_text("0\t1\n1\n")
    assert run_cli(["info", str(tmp_path), "-q", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["num_nodes"], facts["num_hyperedges"], facts["labels"]) == (3, 2, [1, 2])
    assert run_cli(["info", str(tmp_path), "-q"]) == 0
    assert "repeated memberships" in capsys.readouterr().out
    assert run_cli(["info", str(tmp_path), "-q", "--read", "base=1"]) == 2
    (tmp_path / "hypergraph.txt").write_text("a\tb\n\n")
    assert run_cli(["info", str(tmp_path), "-q"]) == 3


@pytest.mark.parametrize("mode", ["gd", "admm"])
def test_blocks_of_the_update_have_budgets_of_their_own(bundled, mode):
    torch.manual_seed(4)
    model = CoNHD(bundled.x.shape[1], 16, bundled.num_classes, 1, pe_dim=4, mode=mode)
    options = IncidenceOptions(
        epochs=3,
        keep=0.5,
        split_update=True,
        projection={"scope": "layer", "overrides": {"convs.0.update.weight.edge": 0.125}},
    )
    train_incidences(model, bundled, options)
    blocks = projectable(model, split_update=True)
    found = {
        name.rsplit(".", 1)[1]: int(block.count_nonzero())
        for name, block in blocks.items()
        if ".update.weight." in name
    }
    kinds = ("state", "edge", "node", "source")[int(mode == "admm") :]
    assert found == {kind: 32 if kind == "edge" else 128 for kind in kinds}
    assert not any(name.endswith("update.weight") for name in blocks)


def test_blocks_that_stay_free_only():
    with pytest.raises(ValueError, match="freeze_after must be left out with split_update, got 3"):
        IncidenceOptions(split_update=True, projection={"freeze_after": 3})
