"""What follows a stream equals what is computed anew from its graph."""

from __future__ import annotations

import io

import numpy as np
import pytest

from graphsparse import AmudTracker, EdgeBatch, FastRPStream, Graph, fastrp, grass, teddy
from graphsparse.streaming import (
    DegreeStatistics,
    Directions,
    DynamicSparsifier,
    Embedding,
    InMemory,
    Refresh,
    StreamRun,
    TeddyStream,
    open_source,
)


def random_stream(seed: int, nodes: int, grow: bool) -> tuple[DynamicSparsifier, list[EdgeBatch]]:
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, nodes, (2, int(rng.integers(0, 3 * nodes))))
    graph = Graph.from_edges((pairs[0], pairs[1]), num_nodes=nodes)
    graph = graph.without_self_loops().coalesce()
    batches = []
    for k in range(5):
        size = int(rng.integers(0, 25))
        top = nodes + (3 * k if grow else 0)
        ends = rng.integers(0, top, (2, size))
        hub = rng.random(size) < 0.4
        ends[0, hub] = 0
        op = rng.choice(3, size, p=[0.6, 0.3, 0.1])
        batches.append(EdgeBatch(op, ends[0], ends[1], np.where(op == 1, 0.0, 1.5)))
    return DynamicSparsifier(graph, grass(graph, alpha=0.3), K=4, grow=grow), batches


@pytest.mark.parametrize("seed", range(200))
def test_teddy_and_degrees_equal_a_rebuild(seed: int) -> None:
    nodes = int(np.random.default_rng(seed).integers(1, 25))
    stream, batches = random_stream(seed, nodes, grow=seed % 2 == 0)
    follower = TeddyStream(stream.graph(), g=("inv_sqrt", "inv", "inv_log")[seed % 3])
    degrees = DegreeStatistics(stream.graph())
    for batch in batches:
        report = stream.update(batch)
        follower.update(batch, report)
        degrees.update(batch, report)
        graph = stream.graph()
        again = TeddyStream(graph, g=follower._g)
        assert np.array_equal(follower.node_scores(), again.node_scores())
        assert np.array_equal(degrees.degree, graph.degree)
        assert degrees.num_edges == follower.num_edges == graph.num_edges
        for keep in (0.3, 1.0):
            kept = teddy(graph, keep, g=follower._g)
            ours = graph.edge_subgraph(follower.mask(keep))
            assert np.array_equal(ours.indptr, kept.indptr)
            assert np.array_equal(ours.indices, kept.indices)


def test_a_larger_degree_makes_the_unit_coarser() -> None:
    graph = Graph.from_edges([(0, 1), (1, 2)], num_nodes=5000)
    follower = TeddyStream(graph, g="inv")
    spokes = np.arange(3, 4900)
    follower.change(np.zeros(len(spokes), int), spokes, [], [])
    again = TeddyStream(follower.graph(), g="inv")
    assert np.array_equal(follower.node_scores(), again.node_scores())
    follower.change([], [], np.zeros(len(spokes), int), spokes)
    assert np.array_equal(follower.node_scores(), TeddyStream(graph, g="inv").node_scores())
    with pytest.raises(ValueError, match="graph must be undirected"):
        TeddyStream(Graph.from_edges([(0, 1)], directed=True))


@pytest.mark.parametrize("seed", range(10))
def test_vectors_and_directions_equal_a_rebuild(seed: int) -> None:
    stream, batches = random_stream(seed, 30, grow=False)
    start = stream.graph()
    vectors = Embedding(FastRPStream(start, 8, standardize=False))
    labels = np.arange(30) % 3
    arcs = Graph.from_edges([], num_nodes=30, directed=True)
    directions = Directions(AmudTracker(arcs, labels))
    for batch in batches:
        report = stream.update(batch)
        vectors.update(batch, report)
        directions.update(batch, report)
    again = fastrp(stream.graph(), 8, standardize=False)
    np.testing.assert_allclose(vectors.vectors.embedding, again, rtol=1e-5, atol=1e-5)
    want: set[tuple[int, int]] = set()
    for batch in batches:
        for op, u, v in zip(batch.op.tolist(), batch.u.tolist(), batch.v.tolist(), strict=True):
            if op == 0 and u != v:
                want.add((u, v))
            elif op == 1:
                want.discard((u, v))
    assert directions.facts()["arcs"] == len(want)
    assert vectors.facts()["changed"] >= 0


def test_a_model_is_refreshed_every_so_many_batches() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("torch_geometric")
    from torch_geometric.nn import GCNConv

    from graphsparse.convert import to_pyg

    graph = Graph.from_edges([(k, k + 1) for k in range(19)], num_nodes=20)
    target = InMemory(DynamicSparsifier(graph, graph, K=3))
    layer = GCNConv(4, 2)

    def infer(sparsifier: Graph) -> tuple[int, int]:
        data = to_pyg(sparsifier)
        with torch.no_grad():
            out = layer(torch.ones(data.num_nodes, 4), data.edge_index)
        return tuple(out.shape)

    hook = Refresh(target.stream, 2, infer)
    text = "".join(f"insert,{k},{(k + 7) % 20}\n" for k in range(10))
    source = open_source(io.BytesIO(text.encode()), format="csv")
    list(StreamRun(target, source, batch_size=2, consumers=[hook]).steps())
    assert hook.results == [(20, 2), (20, 2)]
    assert hook.facts()["calls"] == 2
    with pytest.raises(ValueError, match="every must be >= 1"):
        Refresh(target.stream, 0, infer)


def test_degrees_of_nothing() -> None:
    assert DegreeStatistics(Graph.from_edges([], num_nodes=0)).facts()["max"] == 0
    facts = DegreeStatistics(Graph.from_edges([(0, 1), (1, 2)], num_nodes=4)).facts()
    assert facts == {"mean": 1.0, "max": 2, "median": 1.0, "isolated": 1, "density": 4 / 12}
