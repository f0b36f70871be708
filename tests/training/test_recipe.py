"""Recipes: files, settings, and errors that name the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsparse.training.experiment import build_model
from graphsparse.training.levels import level_keep
from graphsparse.training.recipe import Recipe, RecipeError, load_recipe

RECIPES = Path(__file__).parents[2] / "examples" / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda p: p.stem)
def test_shipped_recipes_resolve_to_themselves(path: Path) -> None:
    recipe = load_recipe(path)
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    others = ("adpa_", "ogbl_", "ogbn_")
    if not path.stem.startswith(others) and recipe.model.name != "gin_attention":
        assert recipe.edges.keep < 1.0
        assert recipe.weights.keep < 1.0


def test_shipped_recipes_stand_at_their_levels() -> None:
    cora = load_recipe(RECIPES / "cora_gcn.toml")
    assert (cora.edges.keep, cora.weights.keep) == (
        pytest.approx(level_keep(20, 0.05), abs=1e-15),
        pytest.approx(level_keep(20, 0.10), abs=1e-15),
    )
    citeseer = load_recipe(RECIPES / "citeseer_gin.toml")
    assert citeseer.edges.keep == pytest.approx(level_keep(10, 0.05), abs=1e-15)


def test_settings_change_keys() -> None:
    recipe = load_recipe(
        RECIPES / "digits_gcn.toml",
        ["edges.keep=0.25", "model.name=gat", "model.heads=2", 'edges.options={protect="top1"}',
         "distill.weight=3", "data.root=/some/where"],
    )  # fmt: skip
    assert recipe.edges.keep == 0.25
    assert (recipe.model.name, recipe.model.heads) == ("gat", 2)
    assert recipe.edges.options == {"protect": "top1"}
    assert recipe.distill.weight == 3.0
    assert recipe.data.root == "/some/where"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("edges.kep=0.5", "unknown key edges.kep; known: method, keep"),
        ("edge.keep=0.5", "unknown key edge; known: data, model"),
        ("edges.keep=1.5", r"edges.keep must be in \(0, 1\], got 1.5"),
        ("edges.keep=true", "edges.keep must be float, got true"),
        ("train.epochs=1.5", "train.epochs must be int, got 1.5"),
        ("train.epochs=0", "train.epochs must be >= 1, got 0"),
        ("model.name=rnn", "model.name must be one of 'gcn', .*'adpa', .*got 'rnn'"),
        (
            "model.options={r=0.5}",
            r"model.options of gcn must be among \['predictor', .*\], got 'r'",
        ),
        ("data.direction=both", "data.direction must be one of 'stored', .*got 'both'"),
        ("data.features=ones", "data.features must be one of 'stored', .*got 'ones'"),
        ("train.batch_size=-1", "train.batch_size must be >= 0, got -1"),
        ("model.heads=4", "model.heads is for gat and gin_attention only, got 4 with 'gcn'"),
        ("edges.seed=half", 'edges.seed must be int or nothing, got "half"'),
        ("distill.weight=-1", "distill.weight must be finite and >= 0, got -1"),
        ("edges.keep", "a setting must read section.key=value, got 'edges.keep'"),
        ("model=3", "model must be a table, got 3"),
    ],
)
def test_errors_name_the_key(setting: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(RECIPES / "digits_gcn.toml", [setting])


def test_broken_toml_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.write_text("[edges\nkeep = 0.5")
    with pytest.raises(RecipeError, match=r"odd\.toml: not valid TOML"):
        load_recipe(path)


def test_null_in_options_is_none() -> None:
    gains = []
    for norm in ("rms", "null"):
        recipe = Recipe.from_dict(
            {"model": {"name": "gin_attention", "hidden": 8, "heads": 2, "options": {"norm": norm}}}
        )
        assert recipe.to_dict()["model"]["options"] == {"norm": norm}
        names = dict(build_model(recipe.model, 4, 3).named_parameters())
        gains.append(sum(name.endswith("gain") for name in names))
    assert gains == [2, 0]
