"""TEDDY against published numbers, a slow twin and its closed forms."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import first_edges, kept_count, teddy_pair_scores, teddy_real_scores

import graphsparse
from graphsparse import Graph, sparsify, teddy, teddy_scores
from graphsparse.backend import native
from graphsparse.operators.teddy import TeddyMethod
from graphsparse.selection import degree_table

VECTORS = Path(__file__).parents[1] / "vectors" / "teddy"
SMALL = json.loads((VECTORS / "small_graphs.json").read_text())
CASES = {case["name"]: case for case in SMALL["cases"]}
UNDIRECTED = [name for name, case in CASES.items() if not case["directed"]]
DIRECTED = [name for name, case in CASES.items() if case["directed"]]


def case_graph(case: dict) -> Graph:
    row, col = np.array(case["edge_index"], dtype=np.int64)
    if not case["directed"]:
        row, col = row[row <= col], col[row <= col]
    return Graph.from_edges((row, col), num_nodes=case["num_nodes"], directed=case["directed"])


def pair_list(graph: Graph) -> list[list[int]]:
    u, v = graph.edges()
    return [[int(a), int(b)] for a, b in zip(u, v, strict=True)]


def kept_pairs(graph: Graph) -> set[tuple[int, int]]:
    return {(u, v) for u, v in pair_list(graph) if u != v}


@pytest.mark.parametrize("name", UNDIRECTED)
@pytest.mark.parametrize("mode", ["exclude", "count"])
def test_small_graphs_match_the_vectors_bit_for_bit(name, mode):
    case = CASES[name]
    expected = case.get(f"graphsparse_selfloop_{mode}")
    if expected is None:
        assert not case["self_loops"]
        expected = case["graphsparse_selfloop_exclude"]
    graph = case_graph(case)
    pairs = [tuple(pair) for pair in expected["pairs"]]
    edges = pair_list(graph)
    proper = [i for i, (u, v) in enumerate(edges) if u != v]
    scores = teddy_scores(graph, self_loops=mode)
    assert [tuple(edges[i]) for i in proper] == pairs
    assert scores[proper].tolist() == expected["pair_score"]
    assert np.isinf(np.delete(scores, proper)).all()
    for ratio in SMALL["ratios"]:
        for protect, key in (("none", "kept_pairs"), ("top1", "kept_pairs_top1")):
            want = {pairs[i] for i in expected[key][str(ratio)]["kept"]}
            count = kept_count(1 - ratio, len(pairs))
            assert len(want) == count
            got = teddy(graph, num_edges=count, self_loops=mode, protect=protect)
            assert kept_pairs(got) == want
            assert got.num_self_loops == graph.num_self_loops
            if ratio < 1 and kept_count(1 - ratio, len(pairs)) > 0:
                assert teddy(graph, keep=1 - ratio, self_loops=mode, protect=protect) == got


@pytest.mark.parametrize("name", UNDIRECTED)
def test_protected_edges_are_the_best_of_each_node(name):
    expected = CASES[name]["graphsparse_selfloop_exclude"]
    graph = case_graph(CASES[name])
    if not expected["pairs"]:
        return
    result = sparsify(graph, "teddy", num_edges=0, protect="top1")
    assert result.details["protected"] == len(expected["protected_top1"])
    assert result.details["protected_removed"] == len(expected["protected_top1"])
    protected = len(expected["protected_top1"])
    kept = kept_pairs(teddy(graph, num_edges=protected, protect="top1"))
    assert kept == {tuple(expected["pairs"][i]) for i in expected["protected_top1"]}


@pytest.mark.parametrize("name", UNDIRECTED)
def test_removal_order(name):
    expected = CASES[name]["graphsparse_selfloop_exclude"]
    graph = case_graph(CASES[name])
    pairs = [tuple(pair) for pair in expected["pairs"]]
    for removed in range(len(pairs) + 1):
        kept = teddy(graph, num_edges=len(pairs) - removed)
        gone = {pairs[i] for i in expected["removal_order"][:removed]}
        assert kept_pairs(kept) == set(pairs) - gone


@pytest.mark.parametrize("name", DIRECTED)
@pytest.mark.parametrize("mode", ["symmetrize", "in_out"])
def test_directed_modes_match_the_vectors(name, mode):
    case = CASES[name]
    graph = case_graph(case)
    expected = case["graphsparse_directed"][mode]
    assert teddy_scores(graph, directed=mode).tolist() == expected["arc_score"]
    arcs = np.array(case["edge_index"]).T.tolist()
    for ratio in SMALL["ratios"]:
        want = [arcs[i] for i in expected["kept_arcs"][str(ratio)]["kept"]]
        assert pair_list(teddy(graph, keep=1 - ratio, directed=mode)) == want


@pytest.mark.parametrize("name", sorted(CASES))
def test_scores_agree_with_the_authors_formula(name):
    case = CASES[name]
    graph = case_graph(case)
    row, col = np.array(case["edge_index"])
    entry = dict(zip(zip(row, col, strict=True), case["reference"]["entry_score_f64"], strict=True))
    scores = teddy_scores(graph, self_loops="reference", directed="reference")
    loop_score = max(entry.values(), default=0.0)
    for (u, v), score in zip(pair_list(graph), scores, strict=True):
        want = loop_score if u == v else entry[u, v]
        assert score == pytest.approx(want, rel=1e-9, abs=0)


def test_reference_self_loops_go_last_but_do_go():
    graph = case_graph(CASES["selfloops"])
    total = graph.num_edges
    for count in range(total + 1):
        kept = teddy(graph, num_edges=count, self_loops="reference")
        assert kept.num_edges == count
    assert teddy(graph, num_edges=0, self_loops="reference").num_self_loops == 0
    assert teddy(graph, num_edges=0).num_self_loops == graph.num_self_loops


def cora_graph(shared_data: Path) -> Graph:
    import sys

    sys.path.insert(0, str(shared_data))
    try:
        from stage import HERE

        raw = HERE / "pyg" / "Planetoid" / "Cora"
        path = next(p for p in raw.rglob("ind.cora.graph*"))
        import gzip
        import pickle

        blob = path.read_bytes()
        data = gzip.decompress(blob) if path.suffix == ".gz" else blob
        adjacency = pickle.loads(data, encoding="latin1")
    finally:
        sys.path.remove(str(shared_data))
    pairs = {(min(u, v), max(u, v)) for u, near in adjacency.items() for v in near if u != v}
    return Graph.from_edges(sorted(pairs), num_nodes=len(adjacency))


def test_cora_levels(shared_data):
    expected = json.loads((VECTORS / "cora.json").read_text())
    ours = expected["graphsparse_selfloop_exclude"]
    graph = cora_graph(shared_data)
    pairs = np.array(graph.edges(), dtype="<i8")
    assert hashlib.sha256(pairs.tobytes()).hexdigest() == expected["graph_sha256"]
    scores = teddy_scores(graph)
    assert scores.sum() == pytest.approx(ours["pair_score_sum"], rel=1e-10)
    assert len(np.unique(scores)) == ours["distinct_scores"]
    assert (scores == 1).sum() == ours["pairs_with_score_1"]
    number = {tuple(pair): i for i, pair in enumerate(pairs.T.tolist())}
    for entry in ours["lowest10"] + ours["highest10"] + ours["highest10_below_1"]:
        assert scores[number[tuple(entry["pair"])]] == entry["score"]
    for row in ours["rows"]:
        kept = teddy(graph, keep=1 - row["sparsity"])
        array = np.array(kept.edges(), dtype="<i8")
        assert array.shape[1] == row["n_kept"]
        assert hashlib.sha256(array.tobytes()).hexdigest() == row["kept_pairs_sha256"]
        assert (kept.degree == 0).sum() == row["isolated_nodes_after"]


@st.composite
def edge_lists(draw):
    n = draw(st.integers(1, 24))
    node = st.integers(0, n - 1)
    return n, draw(st.lists(st.tuples(node, node), max_size=60))


@settings(max_examples=300, deadline=None)
@given(edge_lists(), st.sampled_from([0, 1, 2, 3]), st.sampled_from(["index", "hash"]))
def test_equals_the_slow_twin(given_edges, hops, tie_break):
    n, edges = given_edges
    graph = Graph.from_edges(edges, num_nodes=n)
    pairs = sorted({(min(e), max(e)) for e in edges if e[0] != e[1]})
    if hops:
        want = teddy_pair_scores(pairs, hops=hops)
        simple = Graph.from_edges(pairs, num_nodes=n)
        assert teddy_scores(simple, hops=hops).tolist() == want
        codes = [u << 32 | v for u, v in pairs]
        for count in {0, len(pairs) // 3, len(pairs) // 2, len(pairs)}:
            got = teddy(graph, num_edges=count, hops=hops, tie_break=tie_break, seed=917)
            chosen = first_edges(want, codes, count, tie_break, 917)
            assert kept_pairs(got) == {pairs[i] for i in chosen}
            assert got.num_self_loops == graph.num_self_loops
    else:
        simple = Graph.from_edges(pairs, num_nodes=n)
        degree = simple.degree
        scores = teddy_scores(simple, hops=0)
        t = [d**-0.5 / d if d else 0.0 for d in degree.tolist()]
        assert scores == pytest.approx([t[u] * t[v] for u, v in pairs], rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(edge_lists())
def test_loops_counted_in_degrees(given_edges):
    n, edges = given_edges
    pairs = sorted({(min(e), max(e)) for e in edges if e[0] != e[1]})
    loops = {u for u, v in edges if u == v}
    graph = Graph.from_edges(pairs + [(v, v) for v in loops], num_nodes=n)
    scores = teddy_scores(graph, self_loops="count")
    want = teddy_pair_scores(pairs, loops)
    assert scores[np.isfinite(scores)].tolist() == want


def test_fixed_point_is_close_to_real_arithmetic():
    rng = np.random.default_rng(7919)
    pairs = sorted({(min(a, b), max(a, b)) for a, b in rng.integers(0, 60, (400, 2)) if a != b})
    pairs = [(int(u), int(v)) for u, v in pairs]
    scores = teddy_scores(Graph.from_edges(pairs, num_nodes=60))
    for got, want in zip(scores, teddy_real_scores(pairs), strict=True):
        assert abs(got / float(want) - 1) < 1e-9


@pytest.mark.parametrize("leaves", [1, 2, 5, 100, 5000])
def test_closed_form_of_a_star(leaves):
    star = Graph.from_edges([(0, i + 1) for i in range(leaves)])
    assert teddy_scores(star) == pytest.approx(np.full(leaves, leaves**-1.5), rel=1e-9)


@pytest.mark.parametrize("n", [3, 10, 101])
def test_closed_form_of_a_clique(n):
    clique = Graph.from_edges([(u, v) for u in range(n) for v in range(u)])
    assert teddy_scores(clique) == pytest.approx(np.full(n * (n - 1) // 2, (n - 1.0) ** -3))


def test_relabelling_and_disjoint_union_leave_scores_alone():
    rng = np.random.default_rng(3301)
    pairs = np.array(
        sorted({(min(a, b), max(a, b)) for a, b in rng.integers(0, 40, (150, 2)) if a != b})
    )
    scores = dict(
        zip(map(tuple, pairs.tolist()), teddy_scores(Graph.from_edges(pairs)), strict=True)
    )
    perm = rng.permutation(43)
    moved = Graph.from_edges(np.concatenate((perm[pairs], [[perm[40], perm[41]]])), num_nodes=43)
    back = np.argsort(perm)
    for (u, v), score in zip(pair_list(moved), teddy_scores(moved), strict=True):
        a, b = sorted((int(back[u]), int(back[v])))
        assert score == scores.get((a, b), 1.0)


def test_weighted_scores_scale_and_check_weights():
    graph = Graph.from_edges([(0, 1), (1, 2), (2, 0), (2, 3)], weights=[2.0, 1.0, 0.5, 4.0])
    d = {0: 2.5, 1: 3.0, 2: 5.5, 3: 4.0}
    w = {(0, 1): 2.0, (1, 2): 1.0, (0, 2): 0.5, (2, 3): 4.0}
    t = {
        v: sum(x / np.sqrt(d[a if b == v else b]) for (a, b), x in w.items() if v in (a, b))
        / d[v] ** 2
        for v in d
    }
    want = [t[0] * t[1], t[0] * t[2], t[1] * t[2], t[2] * t[3]]
    assert teddy_scores(graph, weighted=True) == pytest.approx(want, rel=1e-12)
    bad = Graph.from_edges([(0, 1), (1, 2)], weights=[1.0, 0.0])
    with pytest.raises(ValueError, match=r"weights > 0, got 0.0 on the arc \(1, 2\)"):
        teddy(bad, keep=0.5, weighted=True)
    with pytest.raises(ValueError, match="needs a weighted graph"):
        teddy(Graph.from_edges([(0, 1), (1, 2)]), keep=0.5, weighted=True)


def test_table_of_degree_weights_equals_the_named_one():
    graph = case_graph(CASES["karate"])
    table = np.zeros(40)
    table[1:] = 1 / np.arange(1, 40)
    assert np.array_equal(teddy_scores(graph, g=table), teddy_scores(graph, g="inv"))
    with pytest.raises(ValueError, match=r"g must be a table over the degrees 0 .. 17"):
        teddy(graph, keep=0.5, g=table[:5])
    with pytest.raises(ValueError, match=r"g must be positive and finite, got 0\.0 for degree 3"):
        teddy(graph, keep=0.5, g=np.where(np.arange(40) == 3, 0, 1.0))
    assert teddy_scores(graph, g="inv_log").min() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"g": "sqrt"}, "g must be one of 'inv_sqrt', 'inv', 'inv_log', got 'sqrt'"),
        ({"hops": -1}, "hops must be >= 0, got -1"),
        ({"self_loops": "drop"}, "self_loops must be one of"),
        ({"directed": "yes"}, "directed must be one of"),
        ({"protect": "all"}, "protect must be one of"),
        ({"tie_break": "random"}, "tie_break must be one of"),
        ({"seed": -5}, "seed must be in"),
        ({"weighted": True, "hops": 2}, "weighted=True needs hops=1"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        teddy(Graph.from_edges([(0, 1), (1, 2)]), keep=0.5, **options)


def test_protect_forest_is_connected():
    graph = case_graph(CASES["barbell_5_2"])
    assert teddy(graph, keep=0.6, protect="forest") == teddy(graph, keep=0.6, connected=True)


@pytest.mark.parametrize("threads", [1, 2, 16])
def test_threads_do_not_change_the_result(threads):
    rng = np.random.default_rng(40009)
    graph = Graph.from_edges(rng.zipf(1.6, (60_000, 2)) % 9001, num_nodes=9001)
    want = teddy(graph, keep=0.37, protect="top1")
    graphsparse.set_num_threads(threads)
    try:
        assert teddy(graph, keep=0.37, protect="top1") == want
    finally:
        graphsparse.set_num_threads(0)


def test_numbered_degrees_give_the_same_sums():
    rng = np.random.default_rng(311)
    graph = Graph.from_edges(rng.integers(0, 400, (3000, 2)), num_nodes=400).coalesce()
    graph = graph.without_self_loops()
    table, q = degree_table("inv_sqrt", int(graph.degree.max()))
    c = native.by_degree(graph.indptr, table)
    want = native.node_scores(graph.indptr, graph.indices, c, 2.0**-q, 1)
    for threads in (1, 3):
        got = native.node_scores_by_degree(graph.indptr, graph.indices, table, 2.0**-q, threads)
        assert np.array_equal(got[0], want[0])
        assert np.array_equal(got[1], want[1])


@pytest.mark.parametrize("threads", [1, 2, 16])
@pytest.mark.parametrize("shape", ["power law", "regular", "two classes"])
def test_one_pass_equals_stored_scores(shape, threads, monkeypatch):
    rng = np.random.default_rng(1301)
    if shape == "power law":
        pairs = (20_011 * rng.random((80_000, 2)) ** 2).astype(np.int64)
    elif shape == "regular":  # all scores tie
        ring = np.arange(20_000)
        pairs = np.concatenate([np.stack((ring, (ring + k) % 20_000), 1) for k in (1, 2, 5)])
    else:
        hubs = np.stack((rng.integers(0, 30, 60_000), rng.integers(30, 9000, 60_000)), 1)
        pairs = np.concatenate((hubs, rng.integers(9000, 20_000, (30_000, 2))))
    graph = Graph.from_edges(pairs, num_nodes=20_011).coalesce().without_self_loops()
    method = TeddyMethod()
    m = graph.num_edges
    assert m > 1 << 15
    t, _, upper = method._node_scores(graph)
    keys = method.keys(graph, graph)
    answered = 0
    for count in (1, 7, m // 100, m // 3, m // 2, m - m // 50, m - 1):
        mask = native.best_pairs(graph.indptr, graph.indices, t, upper, count, threads)
        if mask is not None:
            answered += 1
            assert np.array_equal(mask, native.select_largest(keys, count, 1))
    assert answered >= (0 if shape == "regular" else 6)
    monkeypatch.setattr("graphsparse.operators.teddy._ONE_PASS", 0)
    graphsparse.set_num_threads(threads)
    try:
        for count in (m // 4, m // 2):
            want = graph.edge_subgraph(native.select_largest(keys, count, 1))
            assert teddy(graph, num_edges=count) == want
    finally:
        graphsparse.set_num_threads(0)
