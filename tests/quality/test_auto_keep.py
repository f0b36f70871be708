"""keep="auto" wherever a budget is given, and methods by goal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from graphs import karate, random_graph
from torch_geometric.data import Data, HeteroData

import graphsparse.transforms
from graphsparse import Graph, recommend, sparsify
from graphsparse.operators.sparsify import METHODS
from graphsparse.quality import quality_report
from graphsparse.quality.goals import GOALS
from graphsparse.transforms import LocalDegree, NoiseCorrected, Teddy

NESTED = sorted(set(METHODS) - {"er", "grass"})


def small(seed: int = 5) -> Graph:
    graph = random_graph(seed, n=18, m=60, weighted=True).coalesce("sum").without_self_loops()
    weights = np.ceil(graph.edge_weights())
    return Graph.from_edges(graph.edges(), num_nodes=18, weights=weights)


def pyg(graph: Graph) -> Data:
    u, v = graph.edges()
    w = torch.from_numpy(graph.edge_weights())
    ends = torch.from_numpy(np.stack([np.append(u, v), np.append(v, u)]).astype(np.int64))
    return Data(edge_index=ends, edge_weight=torch.cat([w, w]), num_nodes=graph.num_nodes)


@pytest.mark.parametrize("method", NESTED)
def test_the_budget_is_the_least_of_a_full_scan(method: str) -> None:
    graph = small()
    result = sparsify(graph, method, keep="auto", target=0.8, samples=50, seed=3)
    for count in range(1, graph.num_edges + 1):
        kept = sparsify(graph, method, num_edges=count, seed=3).graph
        value = quality_report(graph, kept, ["distance"], samples=50, seed=3)["distance"].value
        if value >= 0.8:
            break
    assert result.num_kept == count == result.graph.num_edges
    assert result.graph == kept
    search = result.details["auto"]
    assert (search["value"], search["target"], search["figures"]) == (value, 0.8, ["distance"])
    assert search["evaluations"][-1][0] > 0
    assert search["fresh_samples"] == pytest.approx(value)  # all nodes are sources anyway
    assert set(result.seconds) == {"score", "select"}
    same = sparsify(graph, method, num_edges=count, seed=3)
    assert {k: v for k, v in result.details.items() if k != "auto"} == same.details
    assert (result.parameters, result.num_candidates) == (same.parameters, same.num_candidates)


@pytest.mark.parametrize("method", NESTED)
def test_transforms_take_auto(method: str) -> None:
    name = {"random": "RandomEdges"}.get(method, "".join(p.capitalize() for p in method.split("_")))
    transform = getattr(graphsparse.transforms, name)
    data = pyg(small())
    want = sparsify(data, method, keep="auto", target=0.7, figure="connectivity").graph
    found = transform(keep="auto", target=0.7, figure="connectivity")
    assert torch.equal(found(data).edge_index, want.edge_index)
    assert torch.equal(found(data).edge_weight, want.edge_weight)
    assert found(data).num_edges < data.num_edges == 2 * small().num_edges
    assert "keep='auto'" in repr(found)


def test_other_containers_directed_graphs_and_figures() -> None:
    graph = small()
    matrix = graph.to_scipy()
    kept = sparsify(matrix, "local_degree", "auto", figure=("distance", "connectivity")).graph
    assert type(kept) is type(matrix)
    rng = np.random.default_rng(0)
    arcs = Graph.from_edges(rng.integers(0, 20, (90, 2)), num_nodes=20, directed=True).coalesce()
    found = sparsify(arcs, "local_degree", "auto", target=0.6)
    assert found.directed
    assert found.graph.num_self_loops == arcs.num_self_loops
    falling = sparsify(graph, "random", "auto", figure="degree", target=0.7)
    assert not falling.details["auto"]["monotone"]
    sure = sparsify(graph, "random", "auto", confident=True, samples=9, target=0.8)
    plain = sparsify(graph, "random", "auto", samples=9, target=0.8)
    assert sure.num_kept >= plain.num_kept


def test_nothing_to_remove() -> None:
    for edges in ([], [(1, 1)]):
        graph = Graph.from_edges(edges, num_nodes=3)
        assert sparsify(graph, "jaccard", keep="auto").graph == graph


@pytest.mark.parametrize("goal", GOALS)
def test_goals_name_a_method_and_a_figure(goal: str) -> None:
    advice = recommend(goal)
    graph = small()
    fixed = sparsify(graph, goal=goal, keep=0.6, seed=2)
    assert fixed.method == advice.method
    assert fixed.graph == sparsify(graph, advice.method, 0.6, seed=2, **advice.options).graph
    found = sparsify(graph, goal=goal)
    assert found.method == advice.method
    assert found.details["auto"]["value"] >= advice.target
    assert found.details["auto"]["figures"] == [advice.figure]
    higher = sparsify(graph, goal=goal, target=0.99)
    assert higher.num_kept >= found.num_kept
    assert sparsify(graph, goal=goal, num_edges=30).num_kept == 30


def test_bad_calls_are_named() -> None:
    graph = karate()
    wrong: list[tuple[dict[str, Any], str]] = [
        (
            {"method": "grass", "keep": "auto"},
            "got 'grass'; such are baswana_sen, degree",
        ),
        ({"method": "er", "keep": "auto"}, "nested masks, got 'er'"),
        ({"keep": "auto", "num_edges": 3}, "keep='auto' finds the budget, got num_edges=3 beside"),
        ({"keep": "auto", "target": 1.5}, r"target must be in \(0, 1\], got 1.5"),
        ({"keep": "auto", "figure": "speed"}, "figures must be one of .*, got 'speed'"),
        ({"keep": "auto", "figure": "probe"}, "figures must do without labels .* got 'probe'"),
        ({"keep": "auto", "figure": ()}, "figures must name one of .*, got none"),
        ({"keep": 0.5, "target": 0.5}, "target can only be given with keep='auto', got keep=0.5"),
        ({"keep": 0.5, "figure": "degree"}, "figures can only be given with keep='auto'"),
        ({"goal": "speed"}, "goal must be one of 'distances', .*, got 'speed'"),
        ({"goal": "gnn", "method": "scan"}, "give a method or a goal, got both"),
        (
            {"method": "jaccard", "keep": "auto", "threshold": 0.2},
            "exactly one of keep, num_edges and threshold, got keep='auto'",
        ),
        ({"method": "spanner", "keep": "auto", "t": 3, "start": "empty"}, "start='empty' takes t"),
    ]
    for options, message in wrong:
        with pytest.raises(ValueError, match=message):
            sparsify(graph, **options)
    with pytest.raises(TypeError, match="keep must be a number, got str 'much'"):
        sparsify(graph, keep="much")
    hetero = HeteroData()
    hetero["a"].num_nodes = 4
    hetero["a", "to", "a"].edge_index = torch.tensor([[0, 1], [1, 2]])
    with pytest.raises(ValueError, match="keep='auto' takes one graph, got HeteroData"):
        Teddy(keep="auto")(hetero)
    with pytest.raises(ValueError, match="target and figure only go with keep='auto', got keep"):
        LocalDegree(keep=0.5, target=0.9)(pyg(small()))
    assert NoiseCorrected()(pyg(small())).num_edges <= 2 * small().num_edges
