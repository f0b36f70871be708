"""Public functions on a graph of the (emulated) GPU: a result there, or the way out in words."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import karate

import graphsparse
from graphsparse import BackendError, Graph, convert, linalg, streaming
from graphsparse.models import Adjacency

# What else each function needs, and which of them give something back on the GPU.
RUN = {"amud", "fastrp", "teddy", "teddy_scores", "random_edges", "sparsify", "DynamicSparsifier"}
EXTRA: dict[str, Callable[[Graph], tuple[Any, ...]]] = {
    "amud": lambda graph: (np.arange(34) % 2,),
    "AmudTracker": lambda graph: (np.arange(34) % 2,),
    "fastrp": lambda graph: (8,),
    "teddy": lambda graph: (0.5,),
    "random_edges": lambda graph: (0.5,),
    "sparsify": lambda graph: ("teddy", 0.5),
    "grass": lambda graph: (0.9,),
    "keep_by_scores": lambda graph: (np.ones(graph.num_arcs), 0.5),
    "sample_by_resistance": lambda graph: (0.9,),
    "condition_number": lambda graph: (graph,),
    "compare_spectra": lambda graph: (graph,),
    "compare_quadratic_forms": lambda graph: (graph,),
    "quadratic_form": lambda graph: (np.zeros(34),),
    "pcg": lambda graph: (np.zeros(34),),
    "write_graph": lambda graph: (Path("never-written.npz"),),
    "DynamicSparsifier": lambda graph: (graph,),
}


def graph_functions() -> dict[str, Callable[..., Any]]:
    """Return the public functions whose first argument is a graph, by name."""
    found: dict[str, Callable[..., Any]] = {}
    for module in (graphsparse, linalg, convert, streaming):
        for name in module.__all__:
            value = getattr(module, name)
            if not callable(value) or name in ("Graph", "Hypergraph"):
                continue
            if dataclasses.is_dataclass(value) or name.startswith("from_"):
                continue  # results, and ways from a foreign type
            if inspect.isclass(value) and issubclass(value, BaseException):
                continue
            parameters = list(inspect.signature(value).parameters.values())
            if (parameters and parameters[0].annotation == "Graph") or (
                parameters and parameters[0].name == "graph"
            ):
                found[name] = value
    return found


FUNCTIONS = graph_functions()


def lies_on_gpu(value: Any, gpu: Any) -> bool:
    value = getattr(value, "graph", value)
    value = value() if callable(value) else value
    return isinstance(value, gpu.ndarray) or getattr(value, "device", "cpu") == "cuda"


def test_the_list_is_whole() -> None:
    assert FUNCTIONS.keys() >= RUN | EXTRA.keys()


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_result_on_the_gpu_or_the_way_out(gpu: Any, name: str) -> None:
    graph = karate().to("cuda")
    arguments = EXTRA.get(name, lambda graph: ())(graph)
    if name in RUN:
        assert lies_on_gpu(FUNCTIONS[name](graph, *arguments), gpu)
        return
    with pytest.raises(BackendError, match=r"GPU.*to\('cpu'\)"):
        FUNCTIONS[name](graph, *arguments)


@pytest.mark.parametrize(
    "verb", ["reverse", "symmetrize", "coalesce", "is_symmetric", "arc_edges", "to_scipy"]
)
def test_methods_of_a_graph(gpu: Any, verb: str) -> None:
    arcs = Graph.from_edges([(0, 1), (0, 1), (2, 1)], directed=True).to("cuda")
    with pytest.raises(BackendError, match=rf"{verb} runs on the CPU only.*to\('cpu'\)"):
        getattr(arcs, verb)()


def test_masks_lie_with_their_graph(gpu: Any) -> None:
    graph = karate()
    mask = np.ones(graph.num_edges, bool)
    assert graph.to("cuda").edge_subgraph(gpu.asarray(mask)).to("cpu") == graph
    with pytest.raises(BackendError, match="mask must lie where the graph lies, got numpy"):
        graph.to("cuda").edge_subgraph(mask)
    with pytest.raises(BackendError, match="got fake_cupy for a graph on 'cpu'"):
        graph.edge_subgraph(gpu.asarray(mask))


def test_an_adjacency_lives_where_its_graph_does(gpu: Any) -> None:
    graph = karate()
    adjacency = Adjacency(graph.to("cuda"))
    assert (adjacency.device.type, adjacency.graph.device) == ("cuda", "cpu")
    assert Adjacency(graph).device.type == "cpu"
    assert Adjacency(graph.to("cuda"), "cpu").mean().to_dense().sum() == 34
