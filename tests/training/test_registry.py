"""Networks of users in recipes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from graphsparse.graph import Graph
from graphsparse.models import Adjacency
from graphsparse.training import NodeData, register_model
from graphsparse.training import registry as module
from graphsparse.training.experiment import Experiment
from graphsparse.training.recipe import Recipe, RecipeError


class OneHop(nn.Module):
    """A map of the mean over the neighbours."""

    def __init__(self, in_dim: int, hidden: int, out_dim: int, *, layers: int, gain: float) -> None:
        super().__init__()
        assert layers == 1
        self.gain = gain
        self.maps_in, self.maps_out = nn.Linear(in_dim, hidden), nn.Linear(hidden, out_dim)

    def forward(self, x: Tensor, adjacency: Adjacency) -> Tensor:
        near = adjacency.mean(x.dtype).matmul(x)
        return self.maps_out(torch.relu(self.maps_in(self.gain * near)))


@pytest.fixture
def _clean() -> Iterator[None]:
    before = dict(module._registered)
    yield
    module._registered.clear()
    module._registered.update(before)


def recipe(**model: object) -> Recipe:
    model = {"name": "one_hop", "hidden": 8, "layers": 1, **model}
    return Recipe.from_dict({"model": model, "train": {"epochs": 30}, "weights": {"keep": 0.5}})


@pytest.mark.usefixtures("_clean")
def test_a_registered_network_trains_with_sparse_weights() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    graph = Graph.from_edges([(v, (v + 3) % 90) for v in range(90)], num_nodes=90)
    x = torch.from_numpy((np.eye(3)[y] + 0.3 * rng.normal(size=(90, 3))).astype(np.float32))
    ids = torch.from_numpy(rng.permutation(90))
    data = NodeData(graph, x, torch.from_numpy(y), ids[:30], ids[30:60], ids[60:], 3)
    register_model("one_hop", OneHop)
    run = Experiment(data).run(recipe(options={"gain": 2.0}), seed=1)
    assert run["test"] > 0.9
    assert (run["weights_kept"], run["weights_total"]) == (24, 48)
    assert run["macs"] is None


@pytest.mark.usefixtures("_clean")
def test_names_and_builders_are_checked() -> None:
    with pytest.raises(RecipeError, match="model.name must be one of .*'gcn'.*, got 'one_hop'"):
        recipe()
    with pytest.raises(ValueError, match="name must not be one of gcn, .*, got 'gcn'"):
        register_model("gcn", OneHop)
    with pytest.raises(ValueError, match="name must be a text that is not empty, got ''"):
        register_model("", OneHop)
    with pytest.raises(TypeError, match="build must be callable, got int"):
        register_model("one_hop", 3)
    register_model("one_hop", OneHop)
    assert recipe(options={"gain": 1.0}).model.options == {"gain": 1.0}
