"""Training with the projection as an optimiser hook: trajectories, invariants, resume."""

from __future__ import annotations

import copy
import itertools
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from graphsparse.training import L0Projection, Schedule, project_l0

pytestmark = pytest.mark.usefixtures("place")
VECTORS = Path(__file__).parents[1] / "vectors" / "teddy" / "l0_and_losses.json"
PGD = json.loads(VECTORS.read_text())["pgd"]
Optimiser = Callable[[Any], torch.optim.Optimizer]
OPTIMISERS: dict[str, Optimiser] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, weight_decay=1e-3),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=1e-3),
    "adam": lambda p: torch.optim.Adam(p, lr=0.05, weight_decay=5e-4),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.05, amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5),
}


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Steps this small are slower on two threads, much slower on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pgd_optimiser(weight: Tensor, config: dict) -> torch.optim.Optimizer:
    options = {k: tuple(v) if k == "betas" else v for k, v in config.items() if k != "opt"}
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[config["opt"]]
    return kind([weight], **options)


@pytest.mark.parametrize("run", PGD["runs"], ids=lambda run: f"{run['config']}"[:40])
def test_published_trajectory(run: dict) -> None:
    x, y = (torch.tensor(PGD[key], dtype=torch.float64) for key in ("X", "y"))
    weight = nn.Parameter(torch.tensor(PGD["w0"], dtype=torch.float64))
    optimiser = pgd_optimiser(weight, run["config"])
    projection = L0Projection([weight], 1.0 - PGD["sparsity"]).attach(optimiser)
    before = None
    changes = 0
    for loss_want, w_want, support in zip(
        run["loss_before_step"], run["w_after_step"], run["support"], strict=True
    ):
        optimiser.zero_grad()
        loss = 0.5 * (x @ weight - y).square().sum()
        assert loss.item() == pytest.approx(loss_want, abs=1e-10, rel=1e-10)
        loss.backward()
        optimiser.step()
        np.testing.assert_allclose(weight.detach().numpy(), w_want, rtol=1e-10, atol=1e-10)
        found = weight.detach().nonzero().view(-1).tolist()
        assert found == support
        changes += before is not None and found != before
        before = found
    assert changes == run["support_changes"]
    assert projection.step_count == len(run["support"])


class Net(nn.Module):
    def __init__(self, seed: int = 29) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.last = nn.Linear(11, 13), nn.Linear(13, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(x)))


def train(
    model: nn.Module, optimiser: torch.optim.Optimizer, steps: int, first: int = 0
) -> list[dict[str, Tensor]]:
    """Train on a fixed stream of batches; return the parameters after each step."""
    seen = []
    for step in range(first, first + steps):
        batch = torch.Generator().manual_seed(1000 + step)
        x = torch.randn(20, 11, generator=batch)
        optimiser.zero_grad()
        (model(x) - x[:, :4].abs()).square().mean().backward()
        optimiser.step()
        seen.append({n: p.detach().clone() for n, p in model.named_parameters()})
    return seen


def alive(state: dict[str, Tensor]) -> int:
    return sum(int(t.count_nonzero()) for n, t in state.items() if n.endswith("weight"))


W = 11 * 13 + 13 * 4


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("moments", ["keep", "zero"])
def test_on_the_ball_after_every_step(name: str, moments: str) -> None:
    model = Net()
    optimiser = OPTIMISERS[name](model.parameters())
    projection = L0Projection(model, 0.2, optimizer_state=moments).attach(optimiser)
    history = train(model, optimiser, 15)
    budget = W - math.ceil(0.8 * W - 1e-6)
    assert all(0 < alive(state) <= budget for state in history)
    assert projection.density() == pytest.approx(alive(history[-1]) / W)
    supports = [torch.cat([s[n].view(-1) != 0 for n in projection.names]) for s in history]
    if "adam" in name:
        assert any(not torch.equal(a, b) for a, b in itertools.pairwise(supports))


@pytest.mark.parametrize("name", OPTIMISERS)
def test_keep_one_changes_nothing(name: str) -> None:
    plain, projected = Net(), Net()
    first, second = OPTIMISERS[name](plain.parameters()), OPTIMISERS[name](projected.parameters())
    L0Projection(projected, 1.0).attach(second)
    for a, b in zip(train(plain, first, 6), train(projected, second, 6), strict=True):
        assert all(torch.equal(a[n], b[n]) for n in a)


def test_step_then_project_equals_projected_plain_step() -> None:
    plain, projected = Net(), Net()
    optimiser = OPTIMISERS["sgd"](projected.parameters())
    L0Projection(projected, 0.3).attach(optimiser)
    train(plain, OPTIMISERS["sgd"](plain.parameters()), 1)
    train(projected, optimiser, 1)
    project_l0(plain, 0.3)
    for a, b in zip(plain.parameters(), projected.parameters(), strict=True):
        assert torch.equal(a, b)


def test_zeroed_moments() -> None:
    model = Net()
    optimiser = OPTIMISERS["adam"](model.parameters())
    L0Projection(model, 0.2, optimizer_state="zero").attach(optimiser)
    train(model, optimiser, 4)
    for weight in (model.first.weight, model.last.weight):
        state, gone = optimiser.state[weight], weight == 0
        assert gone.any()
        assert not state["exp_avg"][gone].any()
        assert not state["exp_avg_sq"][gone].any()
        assert state["exp_avg"][~gone].all()
        assert state["step"].item() == 4


@pytest.mark.parametrize("name", OPTIMISERS)
def test_frozen_support_stays(name: str) -> None:
    model = Net()
    optimiser = OPTIMISERS[name](model.parameters())
    projection = L0Projection(model, 0.2, freeze_after=5).attach(optimiser)
    train(model, optimiser, 5)
    assert not projection.frozen
    train(model, optimiser, 1, 5)
    assert projection.frozen
    masks = projection.export_mask()
    assert sum(int(m.sum()) for m in masks.values()) == W - math.ceil(0.8 * W - 1e-6)
    for state in train(model, optimiser, 8, 6):
        for weight, mask in masks.items():
            assert not state[weight][~mask].any()
            assert not torch.signbit(state[weight][~mask]).any()
    for weight, mask in masks.items():
        assert not model.get_parameter(weight).grad[~mask].any()
        for value in optimiser.state[model.get_parameter(weight)].values():
            if isinstance(value, Tensor) and value.shape == mask.shape:
                assert not value[~mask].any()
    assert projection.finish() == {n: int(m.sum()) for n, m in masks.items()}


def test_frozen_support_counts_kept_zeros() -> None:
    weight = nn.Parameter(torch.zeros(6))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    projection = L0Projection([weight], 0.5, freeze_after=0).attach(optimiser)
    optimiser.zero_grad()
    (weight * 0.0).sum().backward()
    optimiser.step()
    assert projection.export_mask()["0"].tolist() == [True] * 3 + [False] * 3
    optimiser.zero_grad()
    weight.sum().backward()
    optimiser.step()
    assert weight.tolist() == [-1.0] * 3 + [0.0] * 3


def test_frozen_support_needs_dense_gradients() -> None:
    table = nn.Embedding(5, 3, sparse=True)
    optimiser = torch.optim.SGD(table.parameters(), lr=0.1)
    L0Projection(table, 0.5, freeze_after=0).attach(optimiser)
    table(torch.tensor([1])).sum().backward()
    optimiser.step()
    with pytest.raises(ValueError, match="the gradient of weight must be dense"):
        optimiser.step()


@pytest.mark.parametrize("stop", [3, 9])
@pytest.mark.parametrize("name", ["adam", "momentum"])
def test_resume_equals_uninterrupted_run(name: str, stop: int) -> None:
    options = {"schedule": "cubic", "end": 6, "every": 2, "freeze_after": 7}
    model = Net()
    optimiser = OPTIMISERS[name](model.parameters())
    L0Projection(model, 0.2, **options).attach(optimiser)
    want = train(model, optimiser, 14)

    model = Net()
    optimiser = OPTIMISERS[name](model.parameters())
    projection = L0Projection(model, 0.2, **options).attach(optimiser)
    train(model, optimiser, stop)
    saved = json.dumps(projection.state_dict())  # JSON can hold it
    weights, moments = copy.deepcopy(model.state_dict()), copy.deepcopy(optimiser.state_dict())

    model = Net(seed=31)
    optimiser = OPTIMISERS[name](model.parameters())
    projection = L0Projection(model, 0.2, **options).attach(optimiser)
    model.load_state_dict(weights)
    optimiser.load_state_dict(moments)
    projection.load_state_dict(json.loads(saved))
    for a, b in zip(train(model, optimiser, 14 - stop, stop), want[stop:], strict=True):
        assert all(torch.equal(a[n], b[n]) for n in a)


def test_scheduled_counts() -> None:
    model = Net()
    optimiser = OPTIMISERS["adam"](model.parameters())
    L0Projection(model, 0.1, schedule=Schedule("linear", start=2, end=6, every=2)).attach(optimiser)
    counts = [alive(state) for state in train(model, optimiser, 10)]
    # Dense up to step 3, half of the cut at 4; every second step is free to grow back.
    assert counts[0] == counts[1] == counts[2] == W
    assert counts[4] == W - math.ceil(0.45 * W - 1e-6)
    assert counts[6] == counts[8] == W - math.ceil(0.9 * W - 1e-6)
    assert counts[5] > counts[4]
    assert counts[7] > counts[6]


def test_scheduled_overrides() -> None:
    model = Net()
    optimiser = OPTIMISERS["adam"](model.parameters())
    projection = L0Projection(
        model, 0.5, schedule="linear", end=2, overrides={"last.weight": 1.0, "first.weight": 0.1}
    ).attach(optimiser)
    history = train(model, optimiser, 3)
    assert [int(s["last.weight"].count_nonzero()) for s in history] == [52] * 3
    want = [143 - math.ceil(s * 143 - 1e-6) for s in (0.0, 0.45, 0.9)]
    assert [int(s["first.weight"].count_nonzero()) for s in history] == want
    assert projection.names == ["first.weight", "last.weight"]


def test_finish_after_free_growth() -> None:
    model = Net()
    optimiser = OPTIMISERS["adam"](model.parameters())
    projection = L0Projection(model, 0.2, every=4).attach(optimiser)
    train(model, optimiser, 7)
    assert projection.density() > 0.2
    kept = projection.finish()
    assert sum(kept.values()) == W - math.ceil(0.8 * W - 1e-6)
    assert projection.finish() == kept


@pytest.mark.parametrize("scope", ["row", "nm", "block", "layer"])
def test_other_scopes_and_freezing(scope: str) -> None:
    options: dict[str, Any] = {"nm": (2, 4)} if scope == "nm" else {}
    options |= {"block": (2, 3)} if scope == "block" else {}
    model = Net()
    optimiser = OPTIMISERS["adam"](model.parameters())
    keep = None if scope == "nm" else 0.4
    projection = L0Projection(model, keep, scope=scope, freeze_after=2, **options).attach(optimiser)
    train(model, optimiser, 6)
    masks, copied = projection.export_mask(), copy.deepcopy(model)
    project_l0(copied, keep, scope=scope, **options)  # on the ball already: nothing to do
    for a, b in zip(model.parameters(), copied.parameters(), strict=True):
        assert torch.equal(a, b)
    for name, mask in masks.items():
        assert torch.equal(mask, model.get_parameter(name) != 0)


def test_weights_stored_in_out() -> None:
    weight = nn.Parameter(torch.randn(8, 3, generator=torch.Generator().manual_seed(3)))
    optimiser = torch.optim.SGD([weight], lr=0.1)
    projection = L0Projection([weight], scope="nm", nm=(1, 4), input_axis=0, freeze_after=0)
    projection.attach(optimiser)
    for _ in range(3):
        optimiser.zero_grad()
        weight.sum().backward()
        optimiser.step()
    mask = projection.export_mask()["0"]
    assert mask.view(2, 4, 3).sum(1).eq(1).all()
    assert torch.equal(mask, weight != 0)


def test_to_torch_prune() -> None:
    model = Net()
    optimiser = OPTIMISERS["adam"](model.parameters())
    projection = L0Projection(model, 0.2).attach(optimiser)
    train(model, optimiser, 3)
    x = torch.randn(5, 11)
    want, count = model(x), alive(dict(model.named_parameters()))
    projection.to_torch_prune(model)
    assert prune.is_pruned(model)
    assert torch.equal(model(x), want)
    assert set(dict(model.named_buffers())) == {"first.weight_mask", "last.weight_mask"}
    train(model, OPTIMISERS["sgd"](model.parameters()), 3)
    kept = int(model.first.weight.count_nonzero() + model.last.weight.count_nonzero())
    assert kept == count
    with pytest.raises(ValueError, match=r"no parameter 'first.weight'"):
        projection.to_torch_prune(model)


def test_to_torch_prune_of_tied_weights() -> None:
    model = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)})
    model["b"].weight = model["a"].weight
    L0Projection(model, 0.25).to_torch_prune(model)
    assert torch.equal(model["a"].weight_mask, model["b"].weight_mask)


def test_attach_and_detach() -> None:
    model, other = Net(), Net()
    optimiser = OPTIMISERS["adam"](model.parameters())
    projection = L0Projection(model, 0.2)
    with pytest.raises(ValueError, match=r"does not train first.weight"):
        projection.attach(OPTIMISERS["adam"](other.parameters()))
    projection.attach(optimiser)
    with pytest.raises(RuntimeError, match="attached to an optimiser already"):
        projection.attach(optimiser)
    projection.detach()
    assert alive(train(model, optimiser, 1)[0]) == W
    projection.step()  # by hand, for optimisers without hooks
    assert projection.density() == pytest.approx(0.2, abs=0.01)
    assert repr(projection) == (
        "L0Projection(keep=0.2, scope='global', schedule='constant', weights=195, step=1, "
        "support=free)"
    )


def test_emptied_layer_warns_once() -> None:
    model = Net()
    with torch.no_grad():
        model.last.weight.mul_(1e-6)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-9)
    projection = L0Projection(model, 0.2).attach(optimiser)
    with pytest.warns(UserWarning, match=r"leaves no weight in last.weight") as caught:
        train(model, optimiser, 3)
    assert len(caught) == 1
    assert projection.density() > 0


def test_nan_names_parameter_and_step() -> None:
    model = Net()
    optimiser = OPTIMISERS["sgd"](model.parameters())
    L0Projection(model, 0.2).attach(optimiser)
    train(model, optimiser, 2)
    model.last.weight.grad[1, 2] = math.nan
    with pytest.raises(ValueError, match=r"step 2: last.weight must be finite, got nan"):
        optimiser.step()


NM = {"keep": None, "scope": "nm", "nm": (2, 4)}


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"keep": None}, ValueError, "needs keep"),
        ({"scope": "nm", "nm": (2, 4)}, ValueError, "takes no keep"),
        (NM | {"schedule": "linear", "end": 5}, ValueError, "constant schedule"),
        ({"freeze_after": -1}, ValueError, "freeze_after must be >= 0"),
        ({"schedule": "cubic", "end": 9, "freeze_after": 8}, ValueError, "at least end=9"),
        ({"schedule": "linear", "end": 9, "initial_keep": 0.1}, ValueError, "at least keep=0.2"),
        ({"optimizer_state": "reset"}, ValueError, "optimizer_state must be one of"),
        ({"schedule": Schedule(every=2), "every": 2}, ValueError, "already says when"),
        ({"overrides": {"norm": 0.5}}, ValueError, "overrides names 'norm'"),
    ],
)
def test_bad_options(options: dict, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        L0Projection(Net(), **{"keep": 0.2, **options})


def test_bad_state() -> None:
    model = Net()
    optimiser = OPTIMISERS["sgd"](model.parameters())
    projection = L0Projection(model, 0.2, freeze_after=0).attach(optimiser)
    train(model, optimiser, 1)
    state = projection.state_dict()
    other = L0Projection(nn.Linear(11, 13), 0.2)
    with pytest.raises(ValueError, match=r"the state is of \['first.weight'"):
        other.load_state_dict(state)
    with pytest.raises(ValueError, match=r"shape \(13, 11\), the weight has \(3, 11\)"):
        L0Projection(
            {"first.weight": torch.ones(3, 11), "last.weight": torch.ones(4, 13)}, 0.2
        ).load_state_dict(state)
    state["masks"]["first.weight"]["bits"] = "AAAA"
    with pytest.raises(ValueError, match=r"3 bytes for first.weight, a mask of 143 bits"):
        L0Projection(model, 0.2).load_state_dict(state)


def test_a_step_on_the_gpu_does_not_wait(torch_gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = []
    monkeypatch.setattr(torch_gpu.Event, "done", property(lambda self: bool(arrived)))
    monkeypatch.setattr(torch_gpu.Event, "record", lambda self: None)
    monkeypatch.setattr(torch_gpu.Event, "synchronize", lambda self: None)
    weight = nn.Parameter(torch.randn(50))
    projection = L0Projection([weight], keep=0.2)
    projection.step()
    assert len(projection._pending) == 1
    assert int(weight.count_nonzero()) == 10
    weight.data[3] = math.nan
    projection.step()  # refused, and nobody has heard of it yet
    assert weight.isnan().any()
    assert len(projection._pending) == 2
    arrived.append(True)
    with pytest.raises(ValueError, match="step 1: 0 must be finite, got nan at flat index 3"):
        projection.step()
    weight.data[3] = 9.0
    assert projection.finish() == {"0": 10}
    assert not projection._pending


def test_weights_on_several_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphsparse import BackendError
    from graphsparse.training import weights

    monkeypatch.setattr(weights, "_check", lambda *_, **__: None)
    mixed = [torch.ones(3), torch.ones(3, device="meta")]
    with pytest.raises(BackendError, match="one device, got 0 on cpu and 1 on meta"):
        L0Projection(mixed, keep=0.5)


def test_cupy_arrays_are_projected_in_place(torch_gpu: Any) -> None:
    values = np.random.default_rng(6).normal(0, 1, (30, 7))
    array, want = torch_gpu.asarray(values), torch.from_numpy(values.copy())
    assert project_l0(array, keep=0.3) == project_l0(want, keep=0.3) == {"0": 63}
    assert np.array_equal(array.get(), want.numpy())
    assert project_l0({"w": array}, keep=0.1) == {"w": 21}
