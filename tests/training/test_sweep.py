"""Sweeps resume, summaries add up, counts and levels agree with the vectors."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import numpy as np
import pytest
import torch

from graphsparse.graph import Graph
from graphsparse.models import GCN, GIN, SAGE
from graphsparse.training import NodeData, set_seed
from graphsparse.training.experiment import Experiment
from graphsparse.training.levels import level_keep
from graphsparse.training.recipe import Recipe
from graphsparse.training.report import count_macs, weights_kept
from graphsparse.training.run_files import RunFiles
from graphsparse.training.summary import markdown_table, summarize
from graphsparse.training.sweep import grid, load_data, run_recipe, sweep

SCHEDULE = Path(__file__).parents[1] / "vectors" / "teddy" / "schedule.json"
SMALL = {"model": {"hidden": 8}, "train": {"epochs": 5}}


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    rng = np.random.default_rng(71)
    pairs = np.unique(np.sort(rng.integers(0, 50, (120, 2)), axis=1), axis=0)
    graph = Graph.from_edges(pairs[pairs[:, 0] < pairs[:, 1]], num_nodes=50)
    y = torch.from_numpy(rng.integers(0, 3, 50))
    x = torch.from_numpy(rng.random((50, 12))).float()
    ids = torch.from_numpy(rng.permutation(50))
    return Experiment(NodeData(graph, x, y, ids[:15], ids[15:30], ids[30:], 3))


def test_sweep_goes_on_where_it_stopped(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arms = grid(Recipe.from_dict(SMALL), edges=[1.0, 0.5], weights=[1.0, 0.3])
    real, calls = experiment.run, []

    def counted(recipe: Recipe, seed: int, files: RunFiles) -> dict:
        calls.append(seed)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(recipe, seed, files)

    monkeypatch.setattr(experiment, "run", counted)
    with pytest.raises(KeyboardInterrupt):
        sweep(experiment, arms, [3, 8], tmp_path)
    assert len(list(tmp_path.iterdir())) == 5
    runs = sweep(experiment, arms, [3, 8], tmp_path)
    assert len(calls) == 6 + 3, "finished runs are read, not run again"
    assert [(r["seed"], r["arm"]) for r in runs] == [(s, a.name) for s in (3, 8) for a in arms]
    fresh = real(arms[1].recipe, 8)
    kept = {k: v for k, v in runs[5]["result"].items() if k not in ("seconds", "edges_details")}
    assert kept == {k: fresh[k] for k in kept}


def test_run_keeps_what_the_recipe_says(experiment: Experiment) -> None:
    m = experiment.data.graph.num_edges
    recipe = Recipe.from_dict(SMALL).replace(edges={"keep": 0.4}, weights={"keep": 0.25})
    result = experiment.run(recipe, 5)
    assert result["edges_kept"] == m - int(np.floor(0.6 * m + 1e-6))
    total = 12 * 8 + 8 * 3
    assert (result["weights_kept"], result["weights_total"]) == (total - int(0.75 * total), total)
    distilled = experiment.run(recipe.replace(distill={"weight": 10.0}), 5)
    dense = experiment.run(Recipe.from_dict(SMALL), 5)
    assert distilled["teacher_test"] == dense["test"]


def test_runs_repeat(experiment: Experiment) -> None:
    recipe = Recipe.from_dict(SMALL).replace(
        model={"name": "gat"}, edges={"method": "random", "keep": 0.5}
    )
    first, second = (experiment.run(recipe, 23) for _ in range(2))
    for key in ("test", "val", "best_epoch", "edges_kept"):
        assert first[key] == second[key]


@pytest.mark.parametrize("name", ["gcn", "gin", "gat", "sage"])
def test_deterministic_mode_runs(experiment: Experiment, name: str) -> None:
    recipe = Recipe.from_dict(SMALL).replace(model={"name": name}, train={"deterministic": True})
    try:
        strict = experiment.run(recipe, 29)
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    free = experiment.run(recipe.replace(train={"deterministic": False}), 29)
    assert (strict["test"], strict["val"]) == (free["test"], free["val"])


def test_summaries(experiment: Experiment, tmp_path: Path) -> None:
    arms = grid(Recipe.from_dict(SMALL), edges=[0.5])
    runs = sweep(experiment, arms, [2, 4, 9], tmp_path)
    (summary,) = summarize(runs)
    tests = [run["result"]["test"] for run in runs]
    assert summary.mean == pytest.approx(statistics.fmean(tests))
    assert summary.std == pytest.approx(statistics.stdev(tests))
    table = markdown_table([summary])
    assert f"{100 * summary.mean:.1f} ± {100 * summary.std:.1f}" in table
    assert "| 3 |" in table


def test_recipe_runs_on_bundled_data(tmp_path: Path) -> None:
    recipe = Recipe.from_dict({"data": {"name": "digits"}, **SMALL}).replace(edges={"keep": 0.5})
    (run,) = run_recipe(recipe, [7], tmp_path)
    assert run["recipe"] == recipe.to_dict()
    assert run["result"]["edges_kept"] < run["result"]["edges_total"]
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text())["result"]["test"] == run["result"]["test"]


def test_features_from_degrees_or_of_each_node() -> None:
    base = Recipe.from_dict({"data": {"name": "digits", "normalize": False}, **SMALL})
    stored, degree, own = (
        load_data(base.replace(data={"features": kind}))
        for kind in ("stored", "degree", "identity")
    )
    counts = np.bincount(stored.graph.indices, minlength=stored.graph.num_nodes)
    want = np.stack([np.ones_like(counts), np.log1p(counts)], axis=1)
    np.testing.assert_allclose(degree.x.numpy(), want, rtol=1e-6)
    assert own.x.shape == (len(counts), len(counts))
    assert torch.equal(own.x @ torch.ones(len(counts), 1), torch.ones(len(counts), 1))


def test_levels_equal_the_vectors() -> None:
    for row in json.loads(SCHEDULE.read_text())["rounds"]:
        edges, weights = level_keep(row["round"], 0.05), level_keep(row["round"], 0.10)
        assert 1 - edges == pytest.approx(row["graph_sparsity"], abs=1e-12)
        assert 1 - weights == pytest.approx(row["weight_sparsity"], abs=1e-12)
        assert int(np.floor((1 - edges) * 5278 + 1e-6)) == row["cora_pairs_removed"]
        assert int(np.ceil((1 - weights) * 737_280 - 1e-6)) == row["cora_gcn512_weights_removed"]


def test_macs_follow_the_formula() -> None:
    graph = Graph.from_edges([(0, 1), (1, 2), (3, 3)], num_nodes=5)  # 5 arcs
    set_seed(3)
    gcn = GCN(7, 4, 3)
    gcn.convs[0].weight.data[:3] = 0
    assert count_macs(gcn, graph) == 5 * 16 + (5 + 5) * 4 + 5 * 12 + (5 + 5) * 3
    assert weights_kept(gcn) == (16 + 12, 28 + 12)
    gin = 5 * 28 + 10 * 4 + 5 * 12 + 10 * 3 + 5 * 12
    assert count_macs(GIN(7, 4, 3), graph) == gin
    assert count_macs(SAGE(7, 4, 3), graph) == 2 * 5 * 28 + 10 * 4 + 2 * 5 * 12 + 10 * 3
