"""The l0 projection against published vectors, brute force and a slow twin."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import oracles_l0 as oracle
import pytest
import torch
from torch import Tensor, nn

import graphsparse
from graphsparse import BackendError
from graphsparse.backend import native
from graphsparse.training import project_l0, project_l0_

pytestmark = pytest.mark.usefixtures("place")
VECTORS = Path(__file__).parents[1] / "vectors" / "teddy" / "l0_and_losses.json"
DATA = json.loads(VECTORS.read_text())
TYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


def as_float64(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to(torch.float64).numpy()


def bit_pattern(tensor: Tensor) -> Tensor:
    words = {2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    return tensor.detach().contiguous().view(words)


def expected(tensor: Tensor, mask: np.ndarray) -> Tensor:
    """What a projection with this support leaves, as bit patterns: kept bits, else +0."""
    return torch.where(torch.from_numpy(mask), bit_pattern(tensor), 0)


@pytest.fixture
def threads() -> object:
    yield graphsparse.set_num_threads
    graphsparse.set_num_threads(0)


# Published vectors.


@pytest.mark.parametrize("case", DATA["ties"]["cases"], ids=lambda case: f"h={case['remove']}")
def test_worked_example(case: dict) -> None:
    theta = torch.tensor(DATA["ties"]["theta"])
    mask = np.isin(np.arange(len(theta)), case["kept"])
    want = expected(theta, mask)
    kept = project_l0(theta, num_weights=len(theta) - case["remove"])
    assert kept == {"0": len(case["kept"])}
    assert torch.equal(bit_pattern(theta), want)
    if case["kept"]:
        theta = torch.tensor(DATA["ties"]["theta"])
        project_l0([theta], keep=1.0 - case["remove"] / len(theta))
        assert torch.equal(bit_pattern(theta), want)


@pytest.mark.parametrize("dtype", TYPES[:2])
@pytest.mark.parametrize("case", DATA["multi"]["cases"], ids=lambda case: str(case["sparsity"]))
@pytest.mark.filterwarnings("ignore:the projection leaves no weight")
def test_multi_vector(case: dict, dtype: torch.dtype) -> None:
    names = DATA["multi"]["order"]

    def fresh() -> dict[str, Tensor]:
        return {name: torch.tensor(DATA["multi"]["tensors"][name], dtype=dtype) for name in names}

    start, keep = fresh(), max(1.0 - case["sparsity"], 1e-12)
    assert sum(t.numel() for t in start.values()) == case["P"]
    for scope, key in (
        ("global", "global_mask"),
        ("layer", "per_layer_mask"),
        ("row", "per_row_mask"),
    ):
        tensors = {name: t for name, t in fresh().items() if scope != "row" or t.dim() == 2}
        kept = project_l0(tensors, keep, scope=scope)
        for name, tensor in tensors.items():
            mask = np.array(case[key][name], dtype=bool)
            assert torch.equal(bit_pattern(tensor), expected(start[name], mask)), (scope, name)
            assert kept[name] == mask.sum()
    tensors = fresh()
    project_l0(tensors.items(), num_weights=case["P"] - case["n_removed_global"])
    gone = [
        abs(float(a))
        for n in names
        for a, b in zip(start[n].view(-1), tensors[n].view(-1), strict=True)
        if b == 0
    ]
    assert max(gone) == pytest.approx(case["threshold"], rel=1e-6)


@pytest.mark.parametrize("dtype", TYPES)
def test_n_of_m_vector(dtype: torch.dtype) -> None:
    for n, key in ((2, "mask_2_4"), (1, "mask_1_4")):
        weight = torch.tensor(DATA["n_m"]["weight"], dtype=dtype)
        mask = np.array(DATA["n_m"][key], dtype=bool)
        want, turned = expected(weight, mask), weight.t().contiguous()
        assert project_l0(weight, scope="nm", nm=(n, 4)) == {"0": int(mask.sum())}
        assert torch.equal(bit_pattern(weight), want)
        project_l0(turned, scope="nm", nm=(n, 4), input_axis=0)
        assert torch.equal(bit_pattern(turned.t()), want)


# Against the twin and brute force.


def draw_values(rng: np.random.Generator, size: int) -> np.ndarray:
    kind = rng.integers(6)
    values = rng.normal(size=size)
    if kind == 1:
        values = np.full(size, rng.choice([-0.5, 0.0, -0.0, 3.0]))
    elif kind == 2:
        values = rng.integers(-2, 3, size=size) * rng.choice([0.5, -0.5], size=size)  # has -0.0
    elif kind == 3:
        values = np.where(rng.random(size) < 0.8, rng.choice([0.0, -0.0], size=size), values)
    elif kind == 4:
        values = np.sort(np.exp2(rng.integers(-14, 15, size=size)) * values)
    elif kind == 5:
        values = values * 6e-8  # float16: subnormal
    return values


def draw_tensors(rng: np.random.Generator, dtype: torch.dtype, most: int) -> list[Tensor]:
    shapes = [
        tuple(rng.integers(0, most, size=rng.integers(0, 4))) for _ in range(rng.integers(1, 5))
    ]
    return [
        torch.from_numpy(np.asarray(draw_values(rng, math.prod(s))).reshape(s)).to(dtype)
        for s in shapes
    ]


@pytest.mark.parametrize("seed", range(240))
@pytest.mark.filterwarnings("ignore:the projection leaves no weight")
def test_global_equals_twin(seed: int, threads: object) -> None:
    rng = np.random.default_rng(9173 + seed)
    dtype = TYPES[seed % 4]
    tensors = draw_tensors(rng, dtype, 4 if seed % 3 else 14)
    total = sum(t.numel() for t in tensors)
    tenths = int(rng.integers(1, 1001))
    removed = oracle.removed_count(Fraction(1000 - tenths, 1000), total)
    masks = oracle.global_masks([as_float64(t) for t in tensors], total - removed)
    for count in (1, 2):
        threads(count)
        copies = [t.clone() for t in tensors]
        kept = project_l0(copies, tenths / 1000)
        assert list(kept.values()) == [int(m.sum()) for m in masks]
        for copy, tensor, mask in zip(copies, tensors, masks, strict=True):
            assert torch.equal(bit_pattern(copy), expected(tensor, mask))
        again = [t.clone() for t in copies]
        project_l0(again, tenths / 1000)
        assert all(
            torch.equal(bit_pattern(a), bit_pattern(b)) for a, b in zip(again, copies, strict=True)
        )


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.filterwarnings("ignore:the projection leaves no weight")
def test_other_scopes_equal_twin(seed: int, threads: object) -> None:
    rng = np.random.default_rng(5521 + seed)
    shape = tuple(rng.integers(1, 24 if seed % 2 else 70, size=2))
    dtype = TYPES[seed % 4]
    weight = torch.from_numpy(draw_values(rng, math.prod(shape)).reshape(shape)).to(dtype)
    values, keep = as_float64(weight), int(rng.integers(1, 101)) / 100
    sparsity = 1 - Fraction(round(keep * 100), 100)
    m = int(rng.integers(1, 33))
    n = int(rng.integers(1, m + 1))
    down, across = (int(x) for x in rng.integers(1, 9, size=2))
    blocks = -(-shape[0] // down) * -(-shape[1] // across)
    cases = [
        (
            {"scope": "layer"},
            oracle.global_masks(
                [values], weight.numel() - oracle.removed_count(sparsity, weight.numel())
            )[0],
        ),
        (
            {"scope": "row"},
            oracle.group_mask(
                values, shape[1], shape[1] - oracle.removed_count(sparsity, shape[1])
            ),
        ),
        ({"scope": "nm", "nm": (n, m)}, oracle.group_mask(values, m, n)),
        (
            {"scope": "block", "block": (down, across)},
            oracle.block_mask(
                values, down, across, blocks - oracle.removed_count(sparsity, blocks)
            ),
        ),
    ]
    for options, mask in cases:
        for count in (1, 2):
            threads(count)
            copy = weight.clone()
            kept = project_l0(copy, None if options["scope"] == "nm" else keep, **options)
            assert kept == {"0": int(mask.sum())}, options
            assert torch.equal(bit_pattern(copy), expected(weight, mask)), options


@pytest.mark.parametrize("seed", range(40))
def test_nearest_point_by_brute_force(seed: int) -> None:
    rng = np.random.default_rng(733 + seed)
    size = int(rng.integers(1, 13))
    theta = torch.from_numpy(draw_values(rng, size))
    start = theta.clone()
    count = int(rng.integers(0, size + 1))
    project_l0(theta, num_weights=count)
    assert int(theta.count_nonzero()) <= count
    away = sum(
        (Fraction(a) - Fraction(b)) ** 2
        for a, b in zip(start.tolist(), theta.tolist(), strict=True)
    )
    assert away == oracle.nearest_by_force(start.tolist(), count)


@pytest.mark.parametrize("seed", range(30))
def test_floor_per_layer_equals_twin(seed: int) -> None:
    rng = np.random.default_rng(60013 + seed)
    tensors = [
        torch.from_numpy(draw_values(rng, int(rng.integers(1, 40))) * 4.0**-i) for i in range(5)
    ]
    floor = int(rng.integers(1, 8))
    least = sum(min(floor, t.numel()) for t in tensors)
    total = sum(t.numel() for t in tensors)
    budget = int(rng.integers(least, total + 1))
    masks = oracle.global_masks([t.numpy() for t in tensors], budget, floor)
    copies = [t.clone() for t in tensors]
    kept = project_l0(copies, num_weights=budget, min_keep_per_layer=floor)
    assert sum(kept.values()) == budget
    for copy, tensor, mask in zip(copies, tensors, masks, strict=True):
        assert torch.equal(bit_pattern(copy), expected(tensor, mask))


# Large tensors take other paths: the sample, the digits, many threads.


def large_inputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4177)
    normal = rng.normal(size=200_003)
    return {
        "normal": normal,
        "sorted": np.sort(normal),
        "equal": np.full(200_003, -1.5),
        "few values": rng.integers(-3, 4, size=200_003).astype(np.float64),
        "mostly zero": np.where(rng.random(200_003) < 0.1, normal, -0.0),
        "one binade": 1.0 + rng.random(200_003) / 2,
        "two clusters": np.where(rng.random(200_003) < 0.5, 1.0, 1.0 + normal * 1e-9),
    }


@pytest.mark.filterwarnings("ignore:the projection leaves no weight")
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", large_inputs())
def test_large_equals_stable_sort(name: str, dtype: torch.dtype, threads: object) -> None:
    tensor = torch.from_numpy(large_inputs()[name]).to(dtype)
    order = np.argsort(-np.abs(as_float64(tensor)), kind="stable")
    for count in (1, 77, 24_319, 100_001, 200_002):
        mask = np.zeros(len(order), dtype=bool)
        mask[order[:count]] = True
        want = expected(tensor, mask)
        for used in (1, 2, 3):
            threads(used)
            copy = tensor.clone()
            parts = list(copy.tensor_split((5, 5, 70_000)))
            kept = project_l0(parts, num_weights=count)
            assert sum(kept.values()) == count
            assert torch.equal(bit_pattern(copy), want)


@pytest.mark.parametrize("k", [1, 2, 5_000, 123_456, 200_000])
def test_kth_largest_of_64_bit_keys(k: int) -> None:
    rng = np.random.default_rng(92821)
    for keys in (
        rng.integers(0, 2**64, size=200_000, dtype=np.uint64),
        rng.integers(2**64 - 40, 2**64, size=200_000, dtype=np.uint64),
        rng.integers(0, 2**20, size=200_000, dtype=np.uint64) << np.uint64(44),
    ):
        threshold, above, equal = native.kth_largest(keys, k, 2)
        assert threshold == np.sort(keys)[-k]
        assert (above, equal) == ((keys > threshold).sum(), (keys == threshold).sum())


# What counts as a weight.


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(37)
        self.first = nn.Linear(6, 5)
        self.norm = nn.LayerNorm(5)
        nn.init.normal_(self.norm.bias)
        self.attention = nn.Parameter(torch.randn(1, 2, 5))
        self.last = nn.Linear(5, 3)


def test_module_gives_its_matrices() -> None:
    model = Net()
    others = {n: p.detach().clone() for n, p in model.named_parameters() if p.dim() != 2}
    kept = project_l0(model, 0.4)
    assert set(kept) == {"first.weight", "last.weight"}
    assert sum(kept.values()) == 45 - 27
    for name, before in others.items():
        assert torch.equal(model.get_parameter(name), before)
    every = project_l0(Net(), 0.9, include="all")
    assert len(every) == 7
    assert project_l0(Net().named_parameters(), 0.9) == every
    assert len(project_l0(Net().parameters(), 0.4, include="matrices")) == 2


def test_tied_parameter_counts_once() -> None:
    model = nn.ModuleDict({"a": nn.Linear(4, 4, bias=False), "b": nn.Linear(4, 4, bias=False)})
    model["b"].weight = model["a"].weight
    assert project_l0(model, 0.25) == {"a.weight": 4}
    weight = nn.Parameter(torch.randn(5, 5))
    alias = nn.Parameter(weight.detach())  # another parameter over the same memory
    assert project_l0([weight, alias], 0.2) == {"0": 5}


def test_frozen_parameter_is_skipped() -> None:
    model = Net()
    model.first.weight.requires_grad_(False)
    before = model.first.weight.clone()
    assert set(project_l0(model, 0.2)) == {"last.weight"}
    assert torch.equal(before, model.first.weight)


@pytest.mark.parametrize("scope", ["global", "layer", "row"])
def test_non_contiguous_weights(scope: str) -> None:
    torch.manual_seed(91)
    base = torch.randn(7, 9)
    for view in (base.t(), base[:, ::2], base[1:5, 2:6], base.unfold(0, 2, 3).reshape(4, 9)):
        start, flat = view.clone(), view.contiguous().clone()
        kept = project_l0(view, 0.3, scope=scope)
        assert kept == project_l0(flat, 0.3, scope=scope)
        assert torch.equal(view, flat)
        view.copy_(start)


def test_module_says_where_its_inputs_lie() -> None:
    class Map(nn.Module):
        input_axis = 0

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.arange(1.0, 13.0).view(4, 3))

    model = Map()
    assert project_l0(model, 0.25, scope="row") == {"weight": 3}
    assert model.weight.tolist() == [[0.0] * 3] * 3 + [[10.0, 11.0, 12.0]]
    with pytest.warns(UserWarning, match="no weight"):
        assert project_l0(Map(), 0.25, scope="row", input_axis=1) == {"weight": 0}


def test_overrides() -> None:
    def fresh() -> dict[str, Tensor]:
        rng = np.random.default_rng(277)
        return {n: torch.from_numpy(rng.normal(size=(6, 8))) for n in ("a", "b", "c")}

    start, tensors = fresh(), fresh()
    kept = project_l0(tensors, 0.25, overrides={"a": 1.0, "b": 0.5})
    assert kept == {"a": 48, "b": 24, "c": 12}
    assert torch.equal(tensors["a"], start["a"])
    assert project_l0(fresh(), scope="nm", nm=(2, 4), overrides={"c": 1.0, "b": (1, 8)}) == {
        "a": 24,
        "b": 6,
        "c": 48,
    }
    assert project_l0(fresh(), 0.5, scope="row", overrides={"c": 0.25}) == {
        "a": 24,
        "b": 24,
        "c": 12,
    }


def test_emptied_layer_warns() -> None:
    tensors = {"big": torch.ones(4, 4), "small": torch.full((2, 2), 1e-3)}
    with pytest.warns(UserWarning, match="leaves no weight in small"):
        project_l0(tensors, 0.5)
    assert project_l0({"x": torch.ones(3)}, num_weights=0) == {"x": 0}


def test_autograd_sees_the_change() -> None:
    weight = nn.Parameter(torch.randn(4, 4))
    loss = (weight * weight).sum()
    project_l0(weight, 0.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


# Bad input.


@pytest.mark.parametrize("scope", ["global", "layer", "row", "block"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", TYPES)
def test_not_finite(bad: float, dtype: torch.dtype, scope: str) -> None:
    torch.manual_seed(5)
    tensors = {"fine": torch.randn(4, 4).to(dtype), "broken": torch.randn(60, 60).to(dtype)}
    tensors["broken"][7, 3] = bad
    before = {n: bit_pattern(t).clone() for n, t in tensors.items()}
    block = (2, 2) if scope == "block" else None
    for keep in (0.5, 1.0):
        with pytest.raises(
            ValueError, match=rf"broken must be finite, got {bad} at flat index 423"
        ):
            project_l0(tensors, keep, scope=scope, block=block)
    for name, tensor in tensors.items():
        assert torch.equal(bit_pattern(tensor), before[name])


def overlapping() -> list[Tensor]:
    base = torch.ones(10)
    return [base[:6], base[4:]]


@pytest.mark.parametrize(
    ("tensors", "options", "error", "match"),
    [
        ([], {"keep": 0.5}, ValueError, "no tensor to project"),
        (nn.LayerNorm(3), {"keep": 0.5}, ValueError, "no matrix to project"),
        ([torch.ones(3)], {"keep": 0.0}, ValueError, r"keep must be in \(0, 1\], got 0.0"),
        ([torch.ones(3)], {"keep": 1.5}, ValueError, r"got 1.5"),
        ([torch.ones(3)], {"keep": math.nan}, ValueError, "got nan"),
        ([torch.ones(3)], {}, ValueError, "needs keep, got None"),
        ([torch.ones(3)], {"keep": 0.5, "num_weights": 2}, ValueError, "stands alone"),
        (
            [torch.ones(3)],
            {"num_weights": 4},
            ValueError,
            r"num_weights must be in \[0, 3\], got 4",
        ),
        ([torch.ones(3)], {"num_weights": 2, "scope": "layer"}, ValueError, "stands alone"),
        ([torch.ones(3)], {"keep": 0.5, "scope": "rows"}, ValueError, "scope must be one of"),
        (
            [torch.ones(3)],
            {"keep": 0.5, "scope": "row"},
            ValueError,
            r"needs matrices, got 0 of shape",
        ),
        ([torch.ones(3, 3)], {"scope": "nm"}, ValueError, "go together"),
        (
            [torch.ones(3, 3)],
            {"scope": "nm", "nm": (5, 4)},
            ValueError,
            r"nm\[0\] must be in \[1, 4\]",
        ),
        ([torch.ones(3, 3)], {"scope": "nm", "nm": (0, 4)}, ValueError, "got 0"),
        (
            [torch.ones(3, 3)],
            {"keep": 0.5, "scope": "nm", "nm": (2, 4)},
            ValueError,
            "takes no keep",
        ),
        ([torch.ones(3, 3)], {"keep": 0.5, "scope": "block", "block": (0, 4)}, ValueError, "got 0"),
        ([torch.ones(3, 3)], {"keep": 0.5, "block": (2, 4)}, ValueError, "go together"),
        (
            [torch.ones(3, 3)],
            {"scope": "block", "keep": 0.5, "block": 4},
            TypeError,
            "pair of integers",
        ),
        (
            [torch.ones(3)],
            {"keep": 0.5, "overrides": {"x": 0.5}},
            ValueError,
            r"overrides names 'x'",
        ),
        ([torch.ones(3)], {"keep": 0.5, "overrides": {"0": 2.0}}, ValueError, r"overrides\['0'\]"),
        (
            [torch.ones(3)],
            {"keep": 0.5, "min_keep_per_layer": 3},
            ValueError,
            "needs 3 weights, but keep leaves 1",
        ),
        (
            [torch.ones(3)],
            {"keep": 0.5, "scope": "layer", "min_keep_per_layer": 1},
            ValueError,
            "scope='global'",
        ),
        ([torch.ones(3).to_sparse()], {"keep": 0.5}, ValueError, "must be dense, got layout"),
        ([torch.ones(3, dtype=torch.int64)], {"keep": 0.5}, TypeError, "got torch.int64"),
        ([np.ones(3)], {"keep": 0.5}, TypeError, "must be a torch tensor, got ndarray"),
        ([torch.ones(3, device="meta")], {"keep": 0.5}, BackendError, "0 is on meta"),
        (nn.LazyLinear(3), {"keep": 0.5}, ValueError, "weight is not initialised"),
        ([torch.ones(3), torch.ones(3).double()], {"keep": 0.5}, ValueError, "weights of one type"),
        (overlapping(), {"keep": 0.5}, ValueError, "0 and 1 share memory"),
        ([torch.ones(3)], {"keep": 0.5, "include": "some"}, ValueError, "include must be one of"),
        (
            [torch.ones(3, 3)],
            {"keep": 0.5, "input_axis": 2},
            ValueError,
            "input_axis must be 0 or 1, got 2",
        ),
    ],
)
def test_bad_input(tensors: object, options: dict, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        project_l0(tensors, **options)


def test_edges_of_the_range() -> None:
    theta = torch.tensor([-0.0, 1.0, -2.0])
    before = bit_pattern(theta).clone()
    assert project_l0(theta, keep=1.0) == {"0": 3}
    assert torch.equal(bit_pattern(theta), before)
    assert project_l0([torch.empty(0), theta], num_weights=0) == {"0": 0, "1": 0}
    assert torch.equal(bit_pattern(theta), torch.zeros(3, dtype=torch.int32))
    assert project_l0([torch.empty(0, 4)], 0.5) == {"0": 0}
    assert project_l0_ is project_l0
    layers = [torch.ones(4), torch.ones(4).double()]
    assert project_l0(layers, 0.5, scope="layer") == {"0": 2, "1": 2}
