"""Sampled adjacencies: full fan-outs give the whole graph's rows, samples are right in the mean."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from graphs import TOYS, random_graph

from graphsparse import Graph
from graphsparse.models import GAT, GCN, GIN, SAGE, Adjacency, Backbone, GINAttentionNet
from graphsparse.models.layerwise import infer_by_layers
from graphsparse.models.sampled import SampledAdjacency, part_of, table_of
from graphsparse.models.sparse import SparseMatrix
from graphsparse.operators.neighbor_sampling import NeighborSample, sample_neighbors

MODELS: dict[str, Callable[[int], Backbone]] = {
    "gcn": lambda layers: GCN(5, 4, 3, layers=layers),
    "gcn wide": lambda layers: GCN(5, 9, 7, layers=layers),
    "sage": lambda layers: SAGE(5, 4, 3, layers=layers),
    "sage wide": lambda layers: SAGE(5, 9, 7, layers=layers),
    "gin": lambda layers: GIN(5, 4, 3, layers=layers),
    "gat": lambda layers: GAT(5, 4, 3, layers=layers, heads=2),
    "gin_attention": lambda layers: GINAttentionNet(5, 8, 3, layers=layers, heads=2),
}


def graph_of(seed: int) -> Graph:
    rng = np.random.default_rng(seed + 300)
    n = int(rng.integers(2, 40))
    return random_graph(
        seed, n, int(rng.integers(0, 5 * n)),
        directed=bool(rng.integers(0, 2)), weighted=bool(rng.integers(0, 2)),
    ).coalesce()  # fmt: skip


def seed_rows(
    model: Backbone, graph: Graph, x: torch.Tensor, seeds: np.ndarray, fanouts: list[int]
) -> torch.Tensor:
    whole = Adjacency(graph)
    sample = sample_neighbors(table_of(whole), seeds, fanouts, seed=1)
    batch = SampledAdjacency(whole, sample)
    assert batch.num_seeds == len(seeds)
    return model(x[torch.from_numpy(sample.nodes)], batch)[: len(seeds)]


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("seed", range(30))
def test_full_fanout_equals_the_whole_graph(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = int(rng.integers(1, 4))
    graph = graph_of(seed)
    torch.manual_seed(seed)
    model = MODELS[kind](layers).eval()
    x = torch.randn(graph.num_nodes, 5)
    seeds = rng.permutation(graph.num_nodes)[: int(rng.integers(1, graph.num_nodes + 1))]
    want = model(x, Adjacency(graph))[torch.from_numpy(seeds)]
    got = seed_rows(model, graph, x, seeds, [-1] * layers)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in TOYS if TOYS[name]().num_nodes])
def test_toys_at_full_fanout(name: str) -> None:
    graph = TOYS[name]().coalesce()
    torch.manual_seed(4)
    x = torch.randn(graph.num_nodes, 5)
    seeds = np.arange(graph.num_nodes)[::2]
    for kind in ("gcn", "sage", "gin", "gat"):
        model = MODELS[kind](2).eval()
        want = model(x, Adjacency(graph))[::2]
        torch.testing.assert_close(
            seed_rows(model, graph, x, seeds, [-1, -1]), want, rtol=1e-4, atol=1e-5
        )


def test_gradients_equal_those_of_the_whole_graph() -> None:
    graph = random_graph(5, 30, 120).coalesce()
    x = torch.randn(30, 5, dtype=torch.float64)
    seeds = np.array([3, 8, 21])
    for kind in MODELS:
        torch.manual_seed(6)
        model = MODELS[kind](2).eval().double()
        model(x, Adjacency(graph))[torch.from_numpy(seeds)].square().sum().backward()
        want = [p.grad.clone() for p in model.parameters()]
        model.zero_grad()
        seed_rows(model, graph, x, seeds, [-1, -1]).square().sum().backward()
        for parameter, gradient in zip(model.parameters(), want, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", ["sum", "mean", "gcn"])
def test_samples_are_right_in_the_mean(name: str) -> None:
    graph = random_graph(7, 20, 120).coalesce().without_self_loops()
    whole = Adjacency(graph)
    x = torch.randn(20, 3, dtype=torch.float64)
    want = getattr(whole, name)(torch.float64) @ x
    total, runs = torch.zeros_like(want), 4000
    room = 5.0 * float(graph.degree.max()) / runs**0.5 if name == "sum" else 0.05
    for batch in range(runs):
        sample = sample_neighbors(table_of(whole), np.arange(20), [2], seed=3, batch=batch)
        drawn = getattr(SampledAdjacency(whole, sample), name)(torch.float64)
        total += drawn @ x[torch.from_numpy(sample.nodes)][: drawn.shape[1]]
    torch.testing.assert_close(total[:20] / runs, want, rtol=0.05, atol=room)


def test_sparse_features() -> None:
    graph = random_graph(8, 25, 100).coalesce()
    dense = torch.randn(25, 5) * (torch.rand(25, 5) < 0.3)
    sparse = SparseMatrix.from_dense(dense)
    rows = np.array([4, 4, 0, 24])
    assert torch.equal(sparse.select_rows(rows).to_dense(), dense[torch.from_numpy(rows)])
    whole = Adjacency(graph)
    sample = sample_neighbors(table_of(whole), rows[1:], [-1, -1])
    for kind in ("gcn", "sage", "gin"):
        torch.manual_seed(9)
        model = MODELS[kind](2).eval()
        want = model(sparse, whole)[torch.from_numpy(rows[1:])]
        batch = SampledAdjacency(whole, sample)
        got = model(sparse.select_rows(sample.nodes), batch)[:3]
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


def test_kept_arcs_only() -> None:
    graph = random_graph(2, 15, 60).coalesce()
    whole = Adjacency(graph)
    sample = sample_neighbors(table_of(whole), [0, 1], [-1])
    kept = np.arange(len(sample.row)) % 2 == 0
    assert SampledAdjacency(whole, sample, kept).pattern.nnz == int(kept.sum())


def test_errors() -> None:
    graph = random_graph(2, 15, 60).coalesce()
    whole = Adjacency(graph)
    trees = sample_neighbors(table_of(whole), [0, 1], [2], disjoint=True)
    with pytest.raises(ValueError, match="sample must not have disjoint trees"):
        SampledAdjacency(whole, trees)
    two = SampledAdjacency(whole, sample_neighbors(table_of(whole), [0], [2, 2]))
    with pytest.raises(ValueError, match="a network of 3 layers needs 3 fan-outs, got 2"):
        GCN(5, 4, 3, layers=3)(torch.randn(two.num_nodes, 5), two)


@pytest.mark.parametrize("kind", [kind for kind in MODELS if kind != "gin_attention"])
@pytest.mark.parametrize("seed", range(10))
def test_inference_by_layers_is_exact(kind: str, seed: int) -> None:
    graph = graph_of(seed)
    torch.manual_seed(seed)
    model = MODELS[kind](1 + seed % 3)
    x = torch.randn(graph.num_nodes, 5)
    got = infer_by_layers(model, x, Adjacency(graph), rows=7)
    torch.testing.assert_close(got, model(x, Adjacency(graph)), rtol=1e-4, atol=1e-5)


def test_inference_by_layers_refuses_other_models() -> None:
    graph = Adjacency(random_graph(2, 15, 60).coalesce())
    with pytest.raises(TypeError, match="model must be a GCN, SAGE, GAT or GIN, got GINAtt"):
        infer_by_layers(MODELS["gin_attention"](2), torch.randn(15, 5), graph)


def slow_part(sample: NeighborSample, seeds: list[int]) -> tuple[list[set[int]], set[int]]:
    """Nodes that each hop reaches first from some seeds, and the arcs on the way."""
    hops, arcs = [set(seeds)], set()
    for _ in sample.arcs_of_hop:
        found = set()
        for arc in range(len(sample.col)):
            if int(sample.col[arc]) in hops[-1]:
                arcs.add(arc)
                found.add(int(sample.row[arc]))
        hops.append(found - set().union(*hops))
    return hops, arcs


@pytest.mark.parametrize("seed", range(200))
def test_part_of_a_sample_is_what_its_seeds_need(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = graph_of(seed)
    whole = Adjacency(graph)
    count = int(rng.integers(1, graph.num_nodes + 1))
    seeds = rng.permutation(graph.num_nodes)[:count]
    layers = int(rng.integers(1, 4))
    sample = sample_neighbors(table_of(whole), seeds, [2] * layers, seed=seed)
    start, stop = sorted(rng.integers(0, count + 1, 2).tolist())
    part = part_of(sample, start, stop)
    hops, arcs = slow_part(sample, list(range(start, stop)))
    assert part.nodes_of_hop == [len(hop) for hop in hops]
    assert part.nodes[: stop - start].tolist() == seeds[start:stop].tolist()
    assert set(part.nodes.tolist()) == {int(sample.nodes[at]) for hop in hops for at in hop}
    assert sorted(part.arcs.tolist()) == sorted(sample.arcs[list(arcs)].tolist())
    ends = {(int(sample.nodes[sample.row[a]]), int(sample.nodes[sample.col[a]])) for a in arcs}
    nodes = part.nodes
    assert set(zip(nodes[part.row].tolist(), nodes[part.col].tolist(), strict=True)) == ends
    if start == stop:
        return
    torch.manual_seed(seed)
    model = SAGE(5, 4, 3, layers=layers).eval()
    x = torch.randn(graph.num_nodes, 5)
    both = [model(x[torch.from_numpy(s.nodes)], SampledAdjacency(whole, s)) for s in (sample, part)]
    torch.testing.assert_close(both[0][start:stop], both[1][: stop - start])
