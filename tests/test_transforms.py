"""Operators as PyG transforms: signature, repr, copies, pickles, missing package."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys

import pytest
import torch
from graphs import karate
from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import BaseTransform, Compose, ToUndirected

from graphsparse import fastrp, random_edges, teddy
from graphsparse.transforms import AddFastRP, RandomEdges, Teddy, as_transform


def karate_data() -> Data:
    u, v = karate().edges()
    edge_index = torch.tensor([[*u, *v], [*v, *u]])
    return Data(edge_index=edge_index, edge_attr=torch.arange(156), num_nodes=34)


@pytest.mark.parametrize(("transform", "operator"), [(Teddy, teddy), (RandomEdges, random_edges)])
def test_does_what_the_operator_does(transform: type, operator) -> None:
    data = karate_data()
    kept = transform(keep=0.5)(data)
    want = operator(data, keep=0.5)
    assert torch.equal(kept.edge_attr, want.edge_attr)
    assert kept.num_edges == 78
    assert data.num_edges == 156


@pytest.mark.parametrize(("transform", "operator"), [(Teddy, teddy), (RandomEdges, random_edges)])
def test_signature_and_repr_are_the_operators(transform: type, operator) -> None:
    parameters = [*list(inspect.signature(operator).parameters)[1:], "target", "figure"]
    assert list(inspect.signature(transform).parameters) == parameters
    text = repr(transform(0.25, seed=7))
    assert text.startswith(f"{transform.__name__}(keep=0.25, ")
    assert "seed=7" in text
    assert [part.split("=")[0] for part in text[:-1].split("(", 1)[1].split(", ")] == parameters
    assert (
        eval(text, {transform.__name__: transform}).parameters == transform(0.25, seed=7).parameters
    )
    assert operator.__name__ in transform.__doc__


def test_unknown_parameters_are_refused_at_once() -> None:
    with pytest.raises(TypeError, match="'sparsity'"):
        Teddy(sparsity=0.5)


def test_composes_pickles_and_takes_hetero_data() -> None:
    steps = pickle.loads(pickle.dumps(Compose([ToUndirected(), RandomEdges(keep=0.5, seed=5)])))
    data = HeteroData()
    data["a"].num_nodes, data["b"].num_nodes = 4, 4
    data["a", "to", "b"].edge_index = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
    kept = steps(data)
    assert kept["a", "to", "b"].num_edges == kept["b", "rev_to", "a"].num_edges == 2


def test_any_operator_becomes_a_transform() -> None:
    def first_arcs(graph: Data, count: int, *, again: bool = True) -> Data:
        """Keep the first arcs."""
        kept = graph.clone()
        kept.edge_index = graph.edge_index[:, :count]
        return kept

    transform = as_transform(first_arcs)
    assert issubclass(transform, BaseTransform)
    assert repr(transform(3)) == "FirstArcs(count=3, again=True)"
    assert transform(3)(karate_data()).edge_index.shape == (2, 3)
    assert as_transform(first_arcs, name="Head").__name__ == "Head"
    assert transform.__doc__.startswith("Keep the first arcs.")


def test_missing_package_is_a_clear_error() -> None:
    code = (
        "import sys; sys.modules['torch_geometric'] = None\n"
        "sys.modules['torch_geometric.transforms'] = None\n"
        "import graphsparse.transforms"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'graphsparse[gnn]'" in run.stderr


def test_fastrp_vectors_are_added() -> None:
    data = karate_data()
    want = torch.from_numpy(fastrp(karate(), 8, seed=3))
    assert torch.equal(AddFastRP(dim=8, seed=3)(data).x, want)
    assert "x" not in data
    data.x = torch.ones(34, 2)
    both = AddFastRP(dim=8, seed=3)(data).x
    assert both.shape == (34, 10)
    assert torch.equal(both[:, 2:], want)
    named = AddFastRP(dim=8, attr_name="pe", seed=3)(data)
    assert torch.equal(named.pe, want)
    assert torch.equal(named.x, data.x)
    properties = AddFastRP(dim=8, attr_name="pe", seed=3, feature_ratio=0.5)(data)
    assert properties.pe.shape == (34, 8)
    again = pickle.loads(pickle.dumps(AddFastRP(dim=8, seed=3)))
    assert torch.equal(again(karate_data()).x, want)
    assert repr(again) == "AddFastRP(dim=8, attr_name=None, seed=3)"
    with pytest.raises(TypeError, match="got colour"):
        AddFastRP(colour=1)
    with pytest.raises(ValueError, match="dim must be"):
        AddFastRP(dim=0)
