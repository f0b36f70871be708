"""The contract of the static family, all methods on the same 210 graphs (numbers: the spec's)."""

from __future__ import annotations

import itertools
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import draw_a, kept_count
from oracles_static import TWINS, Case, jaccard
from static_graphs import every, pairs, simple

import graphsparse as gs
from graphsparse import Graph, sparsify
from graphsparse.operators.scored import ScoreMethod, scores_of
from graphsparse.operators.sparsify import METHODS, make_method
from graphsparse.selection import select

NAMES = sorted(name for name in METHODS if name not in ("er", "grass", "teddy"))
ALL = pytest.mark.parametrize("method", NAMES)
UNDIRECTED = {"baswana_sen", "random_node_edges", "spanner", "spanning_forests"}
DRAWN = {
    "baswana_sen", "forest_fire", "k_neighbors", "random", "random_node_edges", "random_nodes",
    "rank_degree",
}  # fmt: skip
# Ties enter the score: local ranks and orders of arrival.
TIED = {"local_degree", "local_similarity", "rank_degree", "spanner", "spanning_forests"}
# The whole graph enters the score of an edge, or fires and seeds are numbered through.
UNION = {"baswana_sen", "forest_fire", "noise_corrected", "random_node_edges", "rank_degree"}
EQUIVARIANT = ("degree_resistance", "disparity", "heaviest", "jaccard", "noise_corrected", "scan",
               "simmelian")  # fmt: skip
LOCAL = ("k_neighbors", "local_degree", "local_similarity")


def usable(method: str, graph: Graph) -> bool:
    """Tell whether a method takes a graph."""
    if method == "noise_corrected":
        w = graph.edge_weights()
        loops = graph.num_self_loops
        total = graph.num_edges - loops if w is None else float(w.sum())
        if total < 2 or (w is not None and loops):
            return False
    return not (graph.directed and method in UNDIRECTED)


def check_nested(method: ScoreMethod, graph: Graph) -> None:
    """Make every selection there is: each has all edges of the one before."""
    pool = method.candidates(graph).graph
    keys, m = method.keys(graph, pool), pool.num_edges
    before = np.zeros(m, bool)
    for count in range(1, m + 1):
        mask = select(pool, keys, count, tie_break=method.tie_break, seed=method.seed)
        assert int(mask.sum()) == count
        assert not (before & ~mask).any(), f"not nested at {count}"
        before = mask


@ALL
def test_1_exact_parts_of_the_graph(method: str) -> None:
    done = 0
    for number, (name, graph) in enumerate(every()):
        if not usable(method, graph):
            continue
        arrays = (graph.indptr, graph.indices, graph.weights)
        before = [None if a is None else a.copy() for a in arrays]
        for keep in (0.13, 0.5, 0.77):
            result = sparsify(graph, method, keep, seed=number)
            kept = result.graph
            assert result.num_kept == kept_count(keep, result.num_candidates), name
            assert (kept.num_nodes, kept.directed) == (graph.num_nodes, graph.directed)
            assert kept.num_self_loops == graph.num_self_loops
            assert kept.directed or kept.is_symmetric()
            edges, weights = pairs(graph), graph.edge_weights()
            if graph.has_parallel_edges:
                assert set(pairs(kept)) <= set(edges)
                continue
            position = {edge: e for e, edge in enumerate(edges)}
            chosen = [position[edge] for edge in pairs(kept)]
            assert chosen == sorted(set(chosen))
            if weights is not None:
                assert kept.edge_weights().tobytes() == weights[chosen].tobytes()
        for old, new in zip(before, arrays, strict=True):
            assert old is new is None or (old == new).all()
        done += 1
    assert done >= 120


@ALL
def test_1_containers_and_their_attributes(method: str) -> None:
    for seed in range(6):
        graph = simple(seed)
        if not usable(method, graph):
            continue
        wanted = pairs(sparsify(graph, method, 0.5, seed=seed).graph)
        net = nx.Graph()
        net.add_nodes_from(range(graph.num_nodes))
        for (a, b), w in zip(pairs(graph), graph.edge_weights().tolist(), strict=True):
            net.add_edge(a, b, weight=w, name=f"{a}-{b}")
        kept = sparsify(net, method, 0.5, seed=seed).graph
        assert sorted((min(e), max(e)) for e in kept.edges()) == wanted
        assert all(kept.edges[e] == net.edges[e] for e in kept.edges())
        matrix = graph.to_scipy()
        sparse = sparsify(matrix, method, 0.5, seed=seed).graph
        assert type(sparse) is type(matrix)
        assert sparse.nnz == 2 * len(wanted)
        assert all(sparse[a, b] == matrix[a, b] for a, b in wanted)


@ALL
def test_2_all_is_all_and_masks_are_nested(method: str) -> None:
    for number, (_, graph) in enumerate(every()):
        if usable(method, graph):
            assert sparsify(graph, method, 1.0, seed=number).graph == graph
            check_nested(make_method(method, {"seed": number}), graph)


@ALL
def test_3_seeds(method: str) -> None:
    differ = 0
    for seed in range(60):
        graph = simple(seed)
        first = sparsify(graph, method, 0.5, seed=seed).graph
        assert sparsify(graph, method, 0.5, seed=seed).graph == first
        differ += sparsify(graph, method, 0.5, seed=seed + 1000).graph != first
        if method not in DRAWN | TIED:
            found = [scores_of(make_method(method, {"seed": s}), graph) for s in (0, seed)]
            assert (found[0] == found[1]).all()
            # Masks of two seeds differ inside the tie class at the cut alone.
            cut = np.sort(found[0])[::-1][max(first.num_edges - 1, 0)]
            for s in (seed, seed + 1):
                kept = set(pairs(sparsify(graph, method, 0.5, seed=s).graph))
                for edge, value in zip(pairs(graph), found[0], strict=True):
                    assert (edge in kept) == (value > cut) or value == cut
    if method in DRAWN:
        assert differ > 30


@pytest.mark.parametrize("method", EQUIVARIANT)
@pytest.mark.parametrize("directed", [False, True], ids=["pairs", "arcs"])
def test_4_names_of_nodes(method: str, directed: bool) -> None:
    for seed in range(50):
        graph = simple(seed, directed=directed)
        if not usable(method, graph):
            continue
        name = np.random.default_rng(seed).permutation(graph.num_nodes)
        u, v = graph.edges()
        other = Graph.from_edges(
            (name[u], name[v]), num_nodes=graph.num_nodes, weights=graph.edge_weights(),
            directed=directed,
        )  # fmt: skip
        made = make_method(method, {})
        wanted = {}
        for a, b, s in zip(name[u].tolist(), name[v].tolist(), scores_of(made, graph), strict=True):
            wanted[(a, b) if directed or a < b else (b, a)] = s
        found = dict(zip(pairs(other), scores_of(made, other), strict=True))
        assert found == wanted  # weights are integers: sums are exact


@ALL
def test_4_order_of_entries_and_isolated_nodes(method: str) -> None:
    for seed in range(50):
        graph = simple(seed)
        if not usable(method, graph):
            continue
        mixed = np.random.default_rng(seed).permutation(graph.num_edges)
        u, v = (ends[mixed] for ends in graph.edges())
        n = graph.num_nodes
        same = Graph.from_edges((v, u), num_nodes=n, weights=graph.edge_weights()[mixed])
        wide = Graph.from_edges(graph.edges(), num_nodes=n + 7, weights=graph.edge_weights())
        wanted = pairs(sparsify(graph, method, 0.5, seed=seed).graph)
        assert pairs(sparsify(same, method, 0.5, seed=seed).graph) == wanted
        if method != "rank_degree":  # whose seeds walk a cycle of all nodes
            assert pairs(sparsify(wide, method, 0.5, seed=seed).graph) == wanted


@pytest.mark.parametrize("method", sorted(set(NAMES) - UNION))
def test_4_disjoint_unions(method: str) -> None:
    for seed in range(40):
        first, second = simple(seed), simple(seed + 500)
        n = first.num_nodes
        ends = [np.append(a, b + n) for a, b in zip(first.edges(), second.edges(), strict=True)]
        both = Graph.from_edges(
            tuple(ends), num_nodes=n + second.num_nodes,
            weights=np.append(first.edge_weights(), second.edge_weights()),
        )  # fmt: skip
        made = make_method(method, {"seed": seed})
        alone, joined = scores_of(made, first), scores_of(made, both)
        if method in ("spanner", "spanning_forests"):  # arrivals: their order is what stays
            inside = joined[: len(alone)]
            assert (np.argsort(alone) == np.argsort(inside)).all()
        else:
            assert (alone == joined[: len(alone)]).all()


@pytest.mark.parametrize("method", sorted(set(NAMES) - {"noise_corrected"}))
def test_5_powers_of_two_of_all_weights(method: str) -> None:
    options: dict[str, Any] = {
        "random": {"weighted": True}, "k_neighbors": {"by": "weight"},
        "jaccard": {"weighted": True}, "degree_resistance": {"weighted": True},
    }.get(method, {})  # fmt: skip
    for seed in range(40):
        graph = simple(seed)
        wanted = pairs(sparsify(graph, method, 0.4, seed=seed, **options).graph)
        for factor in (0.25, 8.0):
            scaled = Graph(graph.indptr, graph.indices, graph.weights * factor)
            assert pairs(sparsify(scaled, method, 0.4, seed=seed, **options).graph) == wanted


@ALL
def test_6_forests_in_front(method: str) -> None:
    for seed in range(25):
        graph = simple(seed)
        if not usable(method, graph):
            continue
        net = nx.Graph(pairs(graph))
        net.add_nodes_from(range(graph.num_nodes))
        parts = nx.number_connected_components(net)
        forest = graph.num_nodes - parts
        for count in range(forest, graph.num_edges + 1):
            kept = sparsify(graph, method, num_edges=count, connected=True, seed=seed).graph
            near = nx.Graph(pairs(kept))
            near.add_nodes_from(range(graph.num_nodes))
            assert kept.num_edges == count
            assert nx.number_connected_components(near) == parts
            if count == forest and count:
                assert nx.is_forest(near)
        if 0 < forest < graph.num_edges:
            with pytest.raises(ValueError, match=f"the {forest} edges of a spanning forest"):
                sparsify(graph, method, num_edges=forest - 1, connected=True)


@pytest.mark.parametrize("method", LOCAL)
def test_7_nobody_is_left_alone(method: str) -> None:
    for seed in range(100):
        graph = simple(seed)
        best = scores_of(make_method(method, {"seed": seed}), graph) == (
            -1.0 if method == "k_neighbors" else 1.0
        )
        assert best.sum() <= graph.num_nodes
        for count in range(int(best.sum()), graph.num_edges + 1):
            kept = sparsify(graph, method, num_edges=count, seed=seed).graph
            assert ((kept.degree > 0) == (graph.degree > 0)).all()


def by_the_rule(case: Case, method: str, value: float) -> set[Any]:
    """Return the edges that the published rule keeps."""
    scores = TWINS[method][2](case)
    if method == "disparity":
        return {e for e, s in zip(case.edges, scores, strict=True) if np.exp(-s) < value}
    if method == "noise_corrected":
        return {e for e, s in zip(case.edges, scores, strict=True) if s > 0}
    return {e for e, s in zip(case.edges, scores, strict=True) if s >= value}


@pytest.mark.parametrize(
    ("method", "own", "values"),
    [
        ("jaccard", "threshold", (0.0, 0.1, 0.25, 1.0)),
        ("scan", "epsilon", (0.3, 0.55, 0.8)),
        ("simmelian", "threshold", (0.2, 0.5)),
        ("heaviest", "threshold", (3, 8.5)),
        ("disparity", "alpha", (0.05, 0.31)),
        ("noise_corrected", "delta", (1.64,)),
    ],
)
def test_8_thresholds(method: str, own: str, values: tuple[float, ...]) -> None:
    for seed in range(60):
        graph = simple(seed)
        if not usable(method, graph):
            continue
        for value in values:
            kept = sparsify(graph, method, **{own: value}).graph
            assert set(pairs(kept)) == by_the_rule(Case(graph), method, value)


def test_8_counts_per_node() -> None:
    for seed in range(60):
        graph = simple(seed)
        case = Case(graph, seed)
        index = jaccard(case)

        def named(size: Any, order: Any, case: Any = case) -> set[Any]:
            found = set()
            for node, row in enumerate(case.near):
                chosen = sorted(row, key=lambda x: order(node, x))[: size(len(row))]
                found |= {case.edges[row[x]] for x in chosen}
            return found

        for k in (0, 1, 3):
            kept = sparsify(graph, "k_neighbors", k=k, seed=seed).graph
            assert set(pairs(kept)) == named(
                lambda d, k=k: k, lambda a, x, seed=seed: draw_a(seed, a << 32 | x, 0, 4)
            )
        for exponent in (0.0, 0.4, 0.5, 1.0):

            def size(d: int, exponent: float = exponent) -> int:
                return int(d**exponent + 1e-9) if d else 0

            kept = sparsify(graph, "local_degree", exponent=exponent, seed=seed).graph
            assert set(pairs(kept)) == named(
                size, lambda a, x, c=case: (-len(c.near[x]), c.tie[c.near[a][x]])
            )
            kept = sparsify(graph, "local_similarity", exponent=exponent, seed=seed).graph
            assert set(pairs(kept)) == named(
                size, lambda a, x, c=case, i=index: (-i[c.near[a][x]], c.tie[c.near[a][x]])
            )
        draws = [draw_a(seed, v, 0, 2) for v in range(graph.num_nodes)]
        inside = set(sorted(range(graph.num_nodes), key=lambda v: -draws[v])[:5])
        kept = sparsify(graph, "random_nodes", num_nodes=min(5, graph.num_nodes), seed=seed).graph
        assert set(pairs(kept)) == {e for e in case.edges if set(e) <= inside}


def test_9_cycles_closed_at_a_level_are_long() -> None:
    for seed in range(80):
        graph = simple(seed, weighted=False)
        levels = make_method("spanner", {"seed": seed}).parts(graph)
        edges, taken = pairs(graph), nx.Graph()
        for t, part in levels:
            for e in part.tolist():
                a, b = edges[e]
                if t not in (0.0, float("inf")) and a in taken and b in taken:
                    near = nx.single_source_shortest_path_length(taken, a)
                    assert near.get(b, np.inf) + 1 > t + 1  # the cycle has more than t + 1 edges
                taken.add_edge(a, b)
            if 0.0 < t < float("inf"):
                for a, b in edges:
                    assert nx.shortest_path_length(taken, a, b) <= t


def test_10_all_cuts_keep_an_edge_of_each_forest() -> None:
    for seed in range(12):
        graph = simple(seed + 40, weighted=seed % 2 == 0)
        n = min(graph.num_nodes, 12)
        graph = graph.edge_subgraph(np.maximum(*graph.edges()) < n)
        edges = np.array(pairs(graph)).reshape(-1, 2)
        for count in (1, 2, 3):
            kept = sparsify(graph, "spanning_forests", num_forests=count, seed=seed).graph
            there = np.isin(edges[:, 0] * n + edges[:, 1], [a * n + b for a, b in pairs(kept)])
            side = (np.arange(1, 2 ** (n - 1))[:, None] >> np.arange(n)) & 1
            across = side[:, edges[:, 0]] != side[:, edges[:, 1]]
            full = across.sum(1)
            assert ((across & there).sum(1) >= np.minimum(full, count)).all()


def test_11_pairs_of_edges_are_kept_together_as_often_as_chance() -> None:
    graph = simple(4)
    m, k, runs = graph.num_edges, graph.num_edges // 2, 20_000
    edges = {edge: e for e, edge in enumerate(pairs(graph))}
    kept = np.zeros((runs, m), bool)
    for seed in range(runs):
        chosen = sparsify(graph, "random", num_edges=k, seed=seed).graph
        kept[seed, [edges[e] for e in pairs(chosen)]] = True
    joint = kept.T.astype(float) @ kept
    counts = np.array([joint[a, b] for a, b in itertools.combinations(range(m), 2)])
    p = k * (k - 1) / (m * (m - 1))
    # Counts of one run depend on each other; the spread of one pair is p (1 - p) runs.
    z = (counts - runs * p) / np.sqrt(runs * p * (1 - p))
    assert (z**2).mean() < 1.6
    assert np.abs(z).max() < 5.0


def test_12_chunks_of_fires_do_not_matter() -> None:
    for seed in range(100):
        graph = simple(seed, directed=seed % 2 == 0)
        found = [
            make_method("forest_fire", {"chunk": chunk, "seed": seed}).fires(graph)
            for chunk in (1, 7, 64)
        ]
        for counts, fires in found[1:]:
            assert (counts == found[0][0]).all()
            assert fires == found[0][1]


@ALL
def test_13_threads(method: str) -> None:
    rng = np.random.default_rng(8)
    ends = (rng.random((40_000, 2)) ** 2 * 3_000).astype(np.int64)
    graph = Graph.from_edges(ends, num_nodes=3_000).coalesce().without_self_loops()
    graph = Graph(graph.indptr, graph.indices)
    found = []
    try:
        for threads in (1, 2, 8):
            gs.set_num_threads(threads)
            found.append([sparsify(graph, method, keep, seed=3).graph for keep in (0.2, 0.6)])
    finally:
        gs.set_num_threads(0)
    assert found[0] == found[1] == found[2]


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "burn_probability": st.floats(0.05, 1.0),
        "burnt_ratio": st.floats(0.1, 9.0),
        "rho": st.floats(0.01, 1.0),
        "num_seeds": st.integers(1, 30),
        "delta": st.floats(-3.0, 9.0),
        "node_share": st.floats(0.0, 1.0),
        "by": st.sampled_from(["random", "weight"]),
        "similarity": st.sampled_from(["jaccard", "scan"]),
        "mode": st.sampled_from(["log", "linear"]),
        "combine": st.sampled_from(["max", "min"]),
        "weighted": st.booleans(),
        "offset": st.integers(0, 2),
        "lengths": st.sampled_from(["inverse", "weight", "hops"]),
        "tie_break": st.sampled_from(["hash", "index"]),
        "connected": st.booleans(),
    },
)


@ALL
@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), options=OPTIONS, keep=st.floats(0.01, 1.0),
       number=st.integers(0, 2**64 - 1))  # fmt: skip
def test_14_any_options(
    method: str, seed: int, options: dict[str, Any], keep: float, number: int
) -> None:
    graph = simple(seed)
    known = make_method(method, {}).__dict__
    chosen = {name: value for name, value in options.items() if name in known}
    if not usable(method, graph):
        return
    try:
        result = sparsify(graph, method, keep, seed=number, **chosen)
    except ValueError as error:
        assert "spanning forest" in str(error)  # noqa: PT017
        assert chosen.get("connected")
        return
    assert result.num_kept == kept_count(keep, graph.num_edges) == result.graph.num_edges
    assert set(pairs(result.graph)) <= set(pairs(graph))
    again = sparsify(graph, method, keep, seed=number, **chosen)
    assert again.graph == result.graph
