"""Neighbour sampling: equal to the slow twin, on any number of threads, in every mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graphs import TOYS, random_graph, star
from oracles_sampling import neighbor_sample

from graphsparse import Graph
from graphsparse.operators.neighbor_sampling import (
    NeighborSample,
    NeighborTable,
    induced_sample,
    sample_neighbors,
)


def random_case(seed: int) -> tuple[NeighborTable, dict[str, Any]]:
    """A random table and random options of every kind."""
    rng = np.random.default_rng(seed + 7000)
    n = int(rng.integers(1, 40))
    m = int(rng.integers(0, 6 * n))
    source, target = rng.integers(0, n, (2, m))
    mode = int(rng.integers(0, 4))
    weights = rng.integers(0, 4, m).astype(float) if mode == 1 else None
    times = rng.integers(0, 9, m) if mode == 2 else None
    direction = ("in", "out", "both")[int(rng.integers(0, 3))]
    table = NeighborTable.from_arcs(
        source, target, n, direction=direction, weights=weights, times=times
    )
    count = int(rng.integers(0, min(n, 8) + 1))
    options: dict[str, Any] = {
        "seeds": rng.permutation(n)[:count],
        "fanouts": rng.choice([-1, 0, 1, 2, 3, 70], int(rng.integers(0, 4))).tolist(),
        "replace": bool(rng.integers(0, 2)),
        "disjoint": bool(rng.integers(0, 2)),
        "seed": int(rng.integers(0, 2**63)),
        "batch": int(rng.integers(0, 2**32)),
    }
    if times is not None:
        options["seed_times"] = rng.integers(-1, 10, count)
        options["strategy"] = ("uniform", "last")[int(rng.integers(0, 2))]
    return table, options


def check_against_twin(table: NeighborTable, options: dict[str, Any]) -> NeighborSample:
    got = sample_neighbors(table, **options)
    twin = {k: v for k, v in options.items() if k not in ("strategy", "seeds", "seed_times")}
    times = options.get("seed_times")
    nodes, arcs, node_hops, arc_hops = neighbor_sample(
        table,
        options["seeds"].tolist(),
        seed_times=None if times is None else times.tolist(),
        last=options.get("strategy") == "last",
        **twin,
    )
    assert got.nodes.tolist() == [u for u, _ in nodes]
    if got.trees is not None:
        assert got.trees.tolist() == [tree for _, tree in nodes]
    assert got.entries.tolist() == [entry for _, _, entry in arcs]
    assert (got.nodes_of_hop, got.arcs_of_hop) == (node_hops, arc_hops)
    far, near = (np.array([arc[i] for arc in arcs], np.int64) for i in (0, 1))
    leaves = np.full(len(arcs), table.outward)
    if table.backward is not None:
        leaves = table.backward[got.entries]
    assert got.row.tolist() == np.where(leaves, near, far).tolist()
    assert got.col.tolist() == np.where(leaves, far, near).tolist()
    return got


@pytest.mark.parametrize("seed", range(240))
def test_equals_the_twin(seed: int) -> None:
    check_against_twin(*random_case(seed))


@pytest.mark.parametrize("name", TOYS)
@pytest.mark.parametrize("direction", ["in", "out", "both"])
def test_toys(name: str, direction: str) -> None:
    graph = TOYS[name]()
    table = NeighborTable.from_graph(graph, direction=direction)
    seeds = np.arange(graph.num_nodes)[::2]
    for fanouts in ([], [2], [-1, 1], [3, 3, 3]):
        check_against_twin(table, {"seeds": seeds, "fanouts": fanouts, "seed": 11})


def test_long_lists_are_scanned() -> None:
    table = NeighborTable.from_graph(star(300))
    options = {"seeds": np.array([0]), "fanouts": [100], "seed": 3}
    got = check_against_twin(table, options)
    assert len(got.arcs) == 100


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_matter(threads: int) -> None:
    graph = random_graph(5, 3000, 60_000)
    table = NeighborTable.from_graph(graph)
    seeds = np.arange(500)
    one, other = (
        sample_neighbors(table, seeds, [15, 10], seed=9, batch=4, threads=count)
        for count in (1, threads)
    )
    for name in ("nodes", "row", "col", "entries", "arcs"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


def test_arcs_are_those_of_the_caller() -> None:
    rng = np.random.default_rng(31)
    source, target = rng.integers(0, 30, (2, 200))
    for direction in ("in", "out", "both"):
        table = NeighborTable.from_arcs(source, target, 30, direction=direction)
        got = sample_neighbors(table, [1, 2, 3], [4, 4], seed=1)
        assert np.array_equal(got.nodes[got.row], source[got.arcs])
        assert np.array_equal(got.nodes[got.col], target[got.arcs])


def test_draws_are_uniform_over_arcs_and_follow_weights() -> None:
    leaves = 6
    weights = np.arange(1, leaves + 1, dtype=float)
    target = np.zeros(leaves, np.int64)
    source = np.arange(1, leaves + 1)
    plain = NeighborTable.from_arcs(source, target, leaves + 1)
    biased = NeighborTable.from_arcs(source, target, leaves + 1, weights=weights)
    runs = 6000
    for table, replace, share in (
        (plain, False, np.full(leaves, 1 / leaves)),
        (plain, True, np.full(leaves, 1 / leaves)),
        (biased, True, weights / weights.sum()),
        (biased, False, weights / weights.sum()),
    ):
        count = np.zeros(leaves)
        for batch in range(runs):
            got = sample_neighbors(table, [0], [1], replace=replace, seed=2, batch=batch)
            count[got.arcs[0]] += 1
        expected = runs * share
        assert float(((count - expected) ** 2 / expected).sum()) < 20.5  # 99.9 % of chi2, 5 d.f.


def test_two_of_a_pair_are_equally_likely() -> None:
    table = NeighborTable.from_graph(star(4))
    seen: dict[tuple[int, ...], int] = {}
    for batch in range(6000):
        got = sample_neighbors(table, [0], [2], seed=8, batch=batch)
        key = tuple(got.arcs.tolist())
        seen[key] = seen.get(key, 0) + 1
    assert len(seen) == 6
    assert sum((v - 1000) ** 2 / 1000 for v in seen.values()) < 20.5


def test_batches_and_seeds_differ() -> None:
    table = NeighborTable.from_graph(random_graph(1, 200, 4000))
    base = sample_neighbors(table, np.arange(50), [5], seed=1, batch=0).arcs
    for changed in ({"seed": 2}, {"batch": 1}):
        other = sample_neighbors(table, np.arange(50), [5], **{"seed": 1, "batch": 0, **changed})
        assert not np.array_equal(base, other.arcs)


@pytest.mark.parametrize("seed", range(200))
def test_induced_is_all_arcs_between(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(seed, int(rng.integers(1, 30)), int(rng.integers(0, 90)), directed=True)
    nodes = rng.permutation(graph.num_nodes)[: int(rng.integers(0, graph.num_nodes + 1))]
    got = induced_sample(NeighborTable.from_graph(graph), nodes)
    u, v = graph.edges()
    inside = np.isin(u, nodes) & np.isin(v, nodes)
    assert np.array_equal(np.sort(got.arcs), np.flatnonzero(inside))
    assert np.array_equal(got.nodes[got.row], u[got.arcs])
    assert np.array_equal(got.nodes[got.col], v[got.arcs])


def table(**options: Any) -> NeighborTable:
    return NeighborTable.from_arcs([0, 1], [1, 2], 3, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: sample_neighbors(table(), [3], [1]),
            r"seeds must hold node ids in \[0, 3\), got 3",
        ),
        (lambda: sample_neighbors(table(), [0], [-2]), "fanouts must be >= -1, got -2"),
        (lambda: sample_neighbors(table(), [0, 0], [1]), "seeds must be distinct unless disjoint"),
        (lambda: sample_neighbors(table(), [0], [1], seed_times=[1]), "seed_times must be given"),
        (lambda: sample_neighbors(table(times=[1, 2]), [0], [1]), "seed_times must be given"),
        (
            lambda: sample_neighbors(table(), [0], [1], strategy="last"),
            "strategy must be 'uniform'",
        ),
        (lambda: sample_neighbors(table(), [0], [1], strategy="new"), "strategy must be one of"),
        (lambda: sample_neighbors(table(), [0], [1], batch=-1), "batch must be in"),
        (lambda: table(direction="up"), "direction must be one of"),
        (lambda: table(weights=[1.0, -1.0]), "weights must not be negative to draw by them"),
        (lambda: table(times=[1]), r"times must have shape \(2,\), got \(1,\)"),
        (lambda: NeighborTable.from_arcs([0], [5], 3), r"target must hold node ids in \[0, 3\)"),
        (lambda: induced_sample(table(direction="both"), [0]), "table must have one direction"),
    ],
)
def test_wrong_arguments(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_graph_without_nodes() -> None:
    empty = NeighborTable.from_graph(Graph.from_edges([], num_nodes=0))
    got = sample_neighbors(empty, [], [3, 3])
    assert (got.nodes_of_hop, got.arcs_of_hop) == ([0, 0, 0], [0, 0])
