"""Recipes: a run described by a TOML file, checked key by key."""

from __future__ import annotations

import dataclasses
import json
import tomllib
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from graphsparse.checks import check_choice, check_count, check_fraction
from graphsparse.errors import GraphsparseError
from graphsparse.training.registry import model_names, registered

T = TypeVar("T")
WITH_HEADS = ("gat", "gin_attention")
DIRECTIONS = ("stored", "undirected", "amud")
FEATURES = ("stored", "identity", "degree")
_LINKS = ("predictor", "predictor_layers", "bfloat16")  # for link prediction only
# Keys of model.options; gin_attention and registered networks check theirs themselves.
_OPTIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("gat", "gcn", "gin", "sage"), _LINKS),
    "dirgnn": ("alpha",),
    "adpa": (
        "num_hops", "r", "norm", "hop_attention", "dp_attention", "patterns", "hop_scale",
        "input_dropout",
    ),
}  # fmt: skip


class RecipeError(GraphsparseError, ValueError):
    """A recipe has an unknown key or a value that does not fit."""


@dataclasses.dataclass(frozen=True)
class DataRecipe:
    """Which data set, where from, which split, and how its graph is taken.

    ``direction`` keeps the arcs as stored, symmetrises them, or lets AMUD decide by the training
    labels.  ``features = "identity"`` gives each node of a set without features its own,
    ``"degree"`` gives it 1 and log(1 + degree).
    """

    name: str = "digits"
    root: str | None = None
    split: int = 0
    normalize: bool = True
    direction: str = "stored"
    features: str = "stored"

    def __post_init__(self) -> None:
        check_choice("data.direction", self.direction, DIRECTIONS)
        check_choice("data.features", self.features, FEATURES)


@dataclasses.dataclass(frozen=True)
class ModelRecipe:
    """Which network; ``dropout``, ``heads`` and ``options`` only where it has them.

    TOML has no null: ``"null"`` in ``options`` stands for None.
    """

    name: str = "gcn"
    hidden: int = 512
    layers: int = 2
    heads: int | None = None
    dropout: float | None = None
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("model.name", self.name, model_names())
        known = _OPTIONS.get(self.name, ())
        for key in self.options:
            if key not in known and self.name != "gin_attention" and not registered(self.name):
                raise ValueError(
                    f"model.options of {self.name} must be among {list(known)}, got {key!r}"
                )
        check_count("model.hidden", self.hidden, low=1)
        check_count("model.layers", self.layers, low=1)
        if self.heads is not None and self.name not in WITH_HEADS and not registered(self.name):
            raise ValueError(
                f"model.heads is for {' and '.join(WITH_HEADS)} only, got {self.heads} "
                f"with {self.name!r}"
            )
        if self.dropout is not None and self.name == "gin":
            raise ValueError(f"model.dropout is not for gin, which has none, got {self.dropout}")

    @property
    def given(self) -> dict[str, Any]:
        """``heads`` and ``dropout`` where they are set, as keyword arguments."""
        found = {name: getattr(self, name) for name in ("heads", "dropout")}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def arguments(self) -> dict[str, Any]:
        """``options`` as keyword arguments."""
        return {key: None if value == "null" else value for key, value in self.options.items()}


@dataclasses.dataclass(frozen=True)
class TrainRecipe:
    """How to train; ``batch_size`` 0 is the full batch, or 32 for sets of graphs and 65536 for
    pairs of nodes.  ``fanouts`` sample neighbours for a batch of nodes, one number per layer.
    ``epoch_size`` is the number of pairs of an epoch (0: all), for link prediction.  A checkpoint
    is written every ``checkpoint_every`` epochs (0: by time only), and every minute."""

    epochs: int = 200
    lr: float = 0.01
    weight_decay: float = 5e-4
    metric: str = "accuracy"
    best: str = "first"
    patience: int = 0
    deterministic: bool = False
    device: str = "cpu"
    batch_size: int = 0
    fanouts: list[int] = dataclasses.field(default_factory=list)
    prefetch_threads: int = 1
    evaluate_every: int = 1
    epoch_size: int = 0
    checkpoint_every: int = 0

    def __post_init__(self) -> None:
        check_count("train.epochs", self.epochs, low=1)
        check_count("train.batch_size", self.batch_size)
        for fan in self.fanouts:
            check_count("train.fanouts", fan, low=-1)
        check_count("train.prefetch_threads", self.prefetch_threads)
        check_count("train.evaluate_every", self.evaluate_every, low=1)
        check_count("train.epoch_size", self.epoch_size)
        check_count("train.patience", self.patience)
        check_count("train.checkpoint_every", self.checkpoint_every)
        check_choice("train.best", self.best, ("first", "last"))


@dataclasses.dataclass(frozen=True)
class EdgesRecipe:
    """Which edges to keep; ``seed`` follows the run's seed when left out.

    ``when = "before"`` cuts the graph once; ``"batch"`` cuts every batch anew and ``"schedule"``
    cuts more from epoch to epoch, ``over`` so many: see :class:`~graphsparse.training.EdgePlan`.
    """

    method: str = "teddy"
    keep: float = 1.0
    seed: int | None = None
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    when: str = "before"
    over: int = 0

    def __post_init__(self) -> None:
        check_fraction("edges.keep", self.keep)
        check_choice("edges.when", self.when, ("before", "batch", "schedule"))
        check_count("edges.over", self.over)

    def seed_of(self, run: int) -> int:
        """Return the seed of the choice in the run of a seed."""
        return run if self.seed is None else self.seed


@dataclasses.dataclass(frozen=True)
class WeightsRecipe:
    """Which weights to keep after every step."""

    keep: float = 1.0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fraction("weights.keep", self.keep)


@dataclasses.dataclass(frozen=True)
class DistillRecipe:
    """Weight of the distillation from a dense teacher; 0 means none."""

    weight: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.weight < float("inf"):
            raise ValueError(f"distill.weight must be finite and >= 0, got {self.weight!r}")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One run: data, model, training, edges kept, weights kept, distillation.

    Every section may be left out; the fields of the sections are the keys of the TOML tables.

    Examples
    --------
    >>> Recipe.from_dict({"edges": {"keep": 0.5}}).edges.method
    'teddy'
    """

    data: DataRecipe = dataclasses.field(default_factory=DataRecipe)
    model: ModelRecipe = dataclasses.field(default_factory=ModelRecipe)
    train: TrainRecipe = dataclasses.field(default_factory=TrainRecipe)
    edges: EdgesRecipe = dataclasses.field(default_factory=EdgesRecipe)
    weights: WeightsRecipe = dataclasses.field(default_factory=WeightsRecipe)
    distill: DistillRecipe = dataclasses.field(default_factory=DistillRecipe)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """Build from nested dictionaries; an unknown key or a wrong type is a RecipeError."""
        return _build(cls, values, "")

    def to_dict(self) -> dict[str, Any]:
        """Return nested dictionaries with every key, defaults included."""
        return dataclasses.asdict(self)

    def replace(self, **sections: dict[str, Any]) -> Recipe:
        """Return the recipe with some keys of some sections changed.

        Examples
        --------
        >>> Recipe().replace(edges={"keep": 0.4}).edges.keep
        0.4
        """
        merged = self.to_dict()
        for section, changes in sections.items():
            merged[section] = {**merged.get(section, {}), **changes}
        return Recipe.from_dict(merged)


def load_recipe(path: str | Path, settings: Sequence[str] = ()) -> Recipe:
    """Read a TOML recipe and apply ``section.key=value`` settings.

    Parameters
    ----------
    path : str or Path
        The TOML file.
    settings : sequence of str
        Each ``section.key=value`` with a TOML value, or a bare string: ``edges.keep=0.5``.

    Raises
    ------
    RecipeError
        Names the file and the key.
    """
    values = load_table(path, settings)
    try:
        return Recipe.from_dict(values)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def load_table(path: str | Path, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Return the nested dictionaries of a TOML recipe with the settings applied, unchecked."""
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not valid TOML ({error})") from error
    for setting in settings:
        _apply(values, setting)
    return values


def build_sections(cls: type[T], values: Any) -> T:
    """Build a dataclass of dataclasses; an unknown key or a wrong type is a RecipeError."""
    return _build(cls, values, "")


def _apply(values: dict[str, Any], setting: str) -> None:
    name, equals, text = setting.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise RecipeError(f"a setting must read section.key=value, got {setting!r}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    table = values
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise RecipeError(f"{key} must be a section to set {name!r}, got {table!r}")
    table[keys[-1]] = value


def _build(cls: type[T], values: Any, prefix: str) -> T:
    if not isinstance(values, dict):
        raise RecipeError(f"{prefix.rstrip('.') or 'recipe'} must be a table, got {values!r}")
    hints = get_type_hints(cls)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise RecipeError(f"unknown key {prefix}{unknown[0]}; known: {', '.join(hints)}")
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        hint = hints[key]
        if dataclasses.is_dataclass(hint):
            arguments[key] = _build(hint, value, f"{prefix}{key}.")  # type: ignore[arg-type]
        else:
            arguments[key] = _convert(f"{prefix}{key}", value, hint)
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise RecipeError(str(error)) from error


def _convert(name: str, value: Any, hint: Any) -> Any:
    choices = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for choice in choices:
        kind = get_origin(choice) or choice
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
    names = ("nothing" if c is type(None) else getattr(c, "__name__", str(c)) for c in choices)
    raise RecipeError(f"{name} must be {' or '.join(names)}, got {json.dumps(value, default=str)}")
