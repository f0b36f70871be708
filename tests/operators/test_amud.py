"""AMUD against its dense twin, its invariants, its edge cases."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from oracles_amud import G2, pattern_matrices, pearson, verdict

import graphsparse as gs
from graphsparse import AmudWarning, Graph, amud
from graphsparse.operators.amud_estimator import AmudEstimator
from graphsparse.patterns.counts import Arcs, ClassCodes, path_counts, support_counts
from graphsparse.patterns.features import feature_counts, feature_population, unit_rows

pytestmark = pytest.mark.filterwarnings("ignore::graphsparse.operators.amud_result.AmudWarning")
NUM_GRAPHS = 220


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return arcs (n, n) and labels of a small digraph, from empty to dense to symmetric."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 25))
    a = (rng.random((n, n)) < rng.choice([0.0, 0.05, 0.15, 0.4])).astype(np.int64)
    np.fill_diagonal(a, 0)
    if seed % 11 == 0:
        a |= a.T
    if seed % 13 == 0:
        a = np.triu(a)
    labels = rng.integers(0, int(rng.integers(1, 5)), n)
    labels[rng.random(n) < rng.choice([0.0, 0.4])] = -1
    return a, labels


def graph_of(a: np.ndarray) -> Graph:
    return Graph.from_edges(np.argwhere(a), num_nodes=len(a), directed=True)


def counts_of(a: np.ndarray, labels: np.ndarray, *, paths: bool) -> dict:
    codes = ClassCodes.of(labels, int(labels.max(initial=-1)) + 1)
    return (path_counts if paths else support_counts)(Arcs.of(graph_of(a)), codes)


@pytest.mark.parametrize("paths", [False, True])
def test_counts_equal_explicit_products(paths: bool) -> None:
    for seed in range(NUM_GRAPHS):
        a, labels = random_case(seed)
        chosen = np.flatnonzero(labels >= 0)
        same = labels[chosen][:, None] == labels[chosen][None, :]
        found = counts_of(a, labels, paths=paths)
        for name, w in pattern_matrices(a, chosen, paths=paths).items():
            if name not in found:
                continue
            got = found[name]
            assert (got.pairs, got.matches) == (w.sum(), (w * same).sum()), (seed, name)
            if name in G2:
                ends = w.sum(axis=0) + w.sum(axis=1)
                assert np.array_equal(got.node_pairs, ends), (seed, name)
                ends = (w * same).sum(axis=0) + (w * same).sum(axis=1)
                assert np.array_equal(got.node_matches, ends), (seed, name)
            if not paths:
                assert got.returned == ((w > 0) & (w.T > 0)).sum(), (seed, name)


@pytest.mark.parametrize("weighting", ["support", "paths"])
def test_verdict_equals_the_twin(weighting: str) -> None:
    reasons = set()
    for seed in range(NUM_GRAPHS):
        a, labels = random_case(seed)
        got = amud(graph_of(a), labels, weighting=weighting, min_pairs=3)
        want = verdict(a, labels, paths=weighting == "paths", min_pairs=3)
        assert (got.decision, got.reason) == (want["decision"], want["reason"]), seed
        near = None if want["score"] is None else pytest.approx(want["score"], abs=1e-12)
        assert got.score == near, seed
        assert got.z == pytest.approx(want["z"], rel=1e-6, abs=1e-9), seed
        reasons.add(got.reason)
    assert len(reasons) == 5, "the graphs must show every reason"


def test_correlation_is_pearson() -> None:
    checked = 0
    for seed in range(NUM_GRAPHS):
        a, labels = random_case(seed)
        chosen = np.flatnonzero(labels >= 0)
        same = labels[chosen][:, None] == labels[chosen][None, :]
        got = amud(graph_of(a), labels)
        for name, w in pattern_matrices(a, chosen, paths=False).items():
            want, r = pearson(w, same), got.patterns[name].r
            if want is None:
                assert r is None, (seed, name)
            else:
                checked += 1
                assert r == pytest.approx(want, abs=1e-10), (seed, name)
    assert checked > 200


def test_invariants() -> None:
    for seed in range(NUM_GRAPHS):
        a, labels = random_case(seed)
        rng = np.random.default_rng(1000 + seed)
        first = amud(graph_of(a), labels, min_pairs=3)
        order = rng.permutation(len(a))
        renamed = np.where(labels >= 0, 7 - 2 * labels, -1)
        other = amud(graph_of(a[np.ix_(order, order)]), renamed[order], min_pairs=3)
        turned = amud(graph_of(a.T), labels, min_pairs=3)
        both = amud(graph_of(a | a.T), labels, min_pairs=3)
        for moved in (other, turned):
            assert (moved.decision, moved.reason) == (first.decision, first.reason), seed
            known = first.score is not None
            assert moved.score == (pytest.approx(first.score, abs=1e-12) if known else None)
            assert moved.z == pytest.approx(first.z, rel=1e-6, abs=1e-9)
        assert (turned.patterns["AAT"], turned.patterns["ATA"]) == (
            first.patterns["ATA"],
            first.patterns["AAT"],
        )
        assert first.patterns["A"] == first.patterns["AT"] == turned.patterns["A"]
        assert first.patterns["AA"] == first.patterns["ATAT"] == turned.patterns["AA"]
        if a.any():
            assert (both.score, both.reason) == (0.0, "symmetric_input")


def test_threads_do_not_matter() -> None:
    rng = np.random.default_rng(5)
    arcs = rng.integers(0, 3000, (60_000, 2))
    graph = Graph.from_edges(arcs, num_nodes=3000, directed=True).coalesce().without_self_loops()
    labels = rng.integers(-1, 300, 3000)  # more classes than a byte holds
    try:
        results = []
        for threads in (1, 4):
            gs.set_num_threads(threads)
            results.append(
                [amud(graph, labels, weighting=w).to_dict() for w in ("support", "paths")]
            )
    finally:
        gs.set_num_threads(0)
    assert results[0] == results[1]


def test_sampled_rows_estimate_the_whole() -> None:
    rng = np.random.default_rng(9)
    n = 1500
    labels = rng.integers(0, 3, n)
    arcs = rng.integers(0, n, (40_000, 2))
    arcs = arcs[(labels[arcs[:, 1]] == (labels[arcs[:, 0]] + 1) % 3) | (rng.random(40_000) < 0.2)]
    graph = Graph.from_edges(arcs, num_nodes=n, directed=True)
    whole = amud(graph, labels)
    wedges = sum(Arcs.of(graph.coalesce().without_self_loops()).wedges().values())
    part = amud(graph, labels, weighting="support", max_wedges=wedges // 4, seed=3)
    assert part.n_rows == int(n * ((wedges // 4) / wedges)) < whole.n_rows == n
    assert (part.decision, part.reason) == (whole.decision, whole.reason)
    assert "sampled rows" in part.report()
    for name in G2:
        assert part.patterns[name].pairs == pytest.approx(whole.patterns[name].pairs, rel=0.05)
        assert part.patterns[name].adjusted == pytest.approx(
            whole.patterns[name].adjusted, abs=0.03
        )
        assert part.patterns[name].z is None
    assert part.z == pytest.approx(whole.z, rel=0.3)
    again = amud(graph, labels, weighting="support", max_wedges=wedges // 4, seed=3)
    assert again.to_dict() == part.to_dict()
    other = amud(graph, labels, weighting="support", max_wedges=wedges // 4, seed=4)
    assert other.patterns["AA"] != part.patterns["AA"]
    assert amud(graph, labels, max_wedges=wedges // 4).weighting_used == "paths"


def test_features_equal_explicit_products() -> None:
    for seed in range(60):
        a, labels = random_case(seed)
        n = len(a)
        rng = np.random.default_rng(seed)
        raw = rng.random((n, 6)) * (rng.random((n, 6)) < 0.5)
        nodes = np.flatnonzero(labels >= 0)
        x = unit_rows(raw, nodes)
        dense = x.toarray()[nodes]
        similar = dense @ dense.T
        off = ~np.eye(len(nodes), dtype=bool)
        population = feature_population(x, nodes)
        assert population.total == pytest.approx(similar[off].sum(), abs=1e-9)
        assert population.squares == pytest.approx((similar[off] ** 2).sum(), abs=1e-9)
        assert population.own == pytest.approx((similar * off).sum(axis=1), abs=1e-9)
        for support in (True, False):
            found = feature_counts(Arcs.of(graph_of(a)), x, nodes, support=support)
            for name, w in pattern_matrices(a, nodes, paths=not support).items():
                if name not in G2:
                    continue
                sums = w * similar
                assert found[name].pairs == w.sum()
                assert found[name].matches == pytest.approx(sums.sum(), abs=1e-9)
                ends = sums.sum(axis=0) + sums.sum(axis=1)
                assert found[name].node_matches == pytest.approx(ends, abs=1e-9)


def test_feature_correlation_is_pearson() -> None:
    a, _ = random_case(8)
    raw = np.random.default_rng(8).random((len(a), 4))
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    got = amud(graph_of(a), features=raw, profile="features")
    matrices = pattern_matrices(a, np.arange(len(a)), paths=False)
    for name in ("A", *G2):
        want = pearson(matrices[name], unit @ unit.T)
        assert got.patterns[name].r == pytest.approx(want, abs=1e-10)


def test_half_samples() -> None:
    case = np.random.default_rng(3)
    n = 120
    labels = case.integers(0, 3, n)
    arcs = case.integers(0, n, (6000, 2))
    arcs = arcs[labels[arcs[:, 1]] == (labels[arcs[:, 0]] + 1) % 3]
    sure = amud(Graph.from_edges(arcs, num_nodes=n, directed=True), labels, n_boot=10)
    assert (sure.decision, sure.confidence) == ("directed", 1.0)
    noise = Graph.from_edges(case.integers(0, n, (500, 2)), num_nodes=n, directed=True)
    unsure = [amud(noise, labels, n_boot=40, seed=s).confidence for s in (1, 1, 2)]
    assert unsure[0] == unsure[1]
    assert 0.0 < unsure[0] <= 1.0


CHAIN = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)]


def test_input_kinds_give_their_own_kind_back() -> None:
    import networkx as nx

    matrix = sp.coo_array((np.ones(5), np.array(CHAIN).T), shape=(4, 4))
    labels = [0, 1, 0, 1]
    for given in (matrix, matrix.tocsc(), np.array(CHAIN).T, np.array(CHAIN)):
        result = amud(given, labels)
        assert result.decision == "undirected"
        assert type(result.graph) is type(given)
        assert gs.convert.as_border(result.graph).graph.num_edges == 5
    assert amud(matrix, labels).graph.format == "coo"
    assert type(amud(nx.DiGraph(CHAIN), labels).graph) is nx.Graph
    kept = amud(Graph.from_edges(CHAIN, directed=True), labels)
    assert not kept.graph.directed


def test_pyg_data_and_masks() -> None:
    torch = pytest.importorskip("torch")
    geometric = pytest.importorskip("torch_geometric.data")
    from graphsparse.transforms import AMUD

    rng = np.random.default_rng(2)
    n = 60
    y = torch.from_numpy(rng.integers(0, 2, n))
    index = torch.from_numpy(rng.integers(0, n, (2, 400)))
    masks = torch.from_numpy(rng.permutation(np.repeat(np.arange(3), 20)))
    data = geometric.Data(
        x=torch.rand(n, 3), y=y, edge_index=index, edge_attr=torch.rand(400, 2),
        train_mask=masks == 0, val_mask=masks == 1, test_mask=masks == 2,
    )  # fmt: skip
    before = data.edge_index.clone()
    result = amud(data)
    assert result.n_labelled == 20
    assert (result.decision, result.graph.is_undirected()) == ("undirected", True)
    assert result.graph.edge_attr.shape == (result.graph.num_edges, 2)
    assert torch.equal(data.edge_index, before)
    with pytest.warns(AmudWarning, match="20 labels of val_mask help"):
        everything = amud(data, mask="all")
    assert everything.n_labelled == n
    alone = amud(gs.convert.from_pyg(data), y, mask=data.train_mask)
    assert alone.patterns == result.patterns
    transform = AMUD(z_min=1.5)
    assert transform(data).is_undirected()
    assert transform.decision_ == "undirected"
    assert repr(transform) == "AMUD(z_min=1.5)"


def test_estimator_applies_one_decision() -> None:
    labels = np.arange(90) % 3
    arcs = np.random.default_rng(1).integers(0, 90, (3000, 2))
    step = (arcs[:, 1] - arcs[:, 0]) % 3
    arcs = np.unique(arcs[(step == 1) | (arcs[:, 0] < 9)], axis=0)
    graph = Graph.from_edges(arcs, num_nodes=90, directed=True)
    fitted = AmudEstimator().fit(graph, labels)
    assert (fitted.decision_, fitted.reason_) == ("directed", "score_and_significance")
    assert fitted.transform(graph) is graph
    assert fitted.report().startswith("directed: ")
    loose = AmudEstimator(z_min=1e9).fit(graph, labels)
    assert not loose.transform(graph).directed
    assert loose.n_labelled_ == 90
    with pytest.raises(AttributeError, match="after fit"):
        _ = AmudEstimator().decision_
    with pytest.raises(TypeError, match=r"options must be among .* got \['thresh'\]"):
        AmudEstimator(thresh=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.5}, "threshold must be in [0, 1], got 1.5"),
        ({"z_min": -1.0}, "z_min must be finite and >= 0, got -1.0"),
        ({"min_pairs": 0}, "min_pairs must be >= 1, got 0"),
        ({"score": "r"}, "score must be one of 'adjusted', 'r2', got 'r'"),
        ({"weighting": "path"}, "weighting must be one of"),
        ({"profile": "x"}, "profile must be one of"),
        ({"score": "r2", "weighting": "paths"}, "weighting must be 'support' or 'auto'"),
        ({"score": "r2", "max_wedges": 1}, "weighting must be 'support' for score='r2'"),
        ({"mask": [True]}, "mask must be bool of shape (4,), or 'all', got bool (1,)"),
        ({"mask": "val"}, "mask must be one of 'all', got 'val'"),
        ({"labels": [0, 1]}, "labels must have shape (4,), got (2,)"),
        ({"profile": "features"}, "features must be given for profile='features', got None"),
        ({"features": np.ones((3, 2)), "profile": "features"}, "features must have 4 rows"),
        ({"features": np.full((4, 1), np.inf), "profile": "features"}, "features must be finite"),
    ],
)
def test_wrong_arguments(options: dict, message: str) -> None:
    given = {"labels": [0, 1, 0, 1], **options}
    with pytest.raises(ValueError) as error:
        amud(Graph.from_edges(CHAIN, directed=True), **given)
    assert str(error.value).startswith(message)


def test_edge_cases() -> None:
    empty = amud(Graph.from_edges([], num_nodes=0, directed=True), [])
    assert (empty.decision, empty.reason, empty.score) == ("undirected", "undetermined", None)
    bare = amud(Graph.from_edges([], num_nodes=5, directed=True), [0, 0, 1, 1, 1])
    assert (bare.reason, bare.reciprocity) == ("undetermined", 0.0)
    two = amud(Graph.from_edges([(0, 1), (1, 0), (2, 0)], directed=True), [0, 0, -1])
    assert all(row.z is None for row in two.patterns.values())
    floats = amud(Graph.from_edges(CHAIN, directed=True), [0.0, np.nan, 1.0, -1.0])
    assert floats.n_labelled == 2
    star = amud(Graph.from_edges([(v, 0) for v in range(1, 9)], directed=True), [0, 1] * 4 + [0])
    assert (star.patterns["AA"].pairs, star.patterns["AA"].h) == (0, None)
    assert star.reason == "undetermined"
    faint = amud(graph_of(random_case(6)[0]), random_case(6)[1], min_pairs=1, min_effect=1.0)
    assert faint.reason == "undetermined"


def test_features_stand_in_for_missing_labels() -> None:
    graph = Graph.from_edges(CHAIN, directed=True)
    x = np.eye(4)[[0, 0, 1, 1]]
    assert amud(graph, features=x).profile_used == "features"
    assert amud(graph, [-1] * 4, features=x).profile_used == "features"
    assert amud(graph, [0, 1, 0, 1], features=x).profile_used == "labels"
    assert amud(graph, features=x, mask=[True, True, True, False]).n_labelled == 3


def test_warnings() -> None:
    with pytest.warns(AmudWarning, match=r"all 3 arcs u -> v have u < v .* stored once"):
        amud(Graph.from_edges([(0, 1), (1, 2), (0, 3)], directed=True), [0, 1, 0, 1])
    with pytest.warns(AmudWarning, match="do not decide"):
        amud(Graph.from_edges(CHAIN, directed=True), [0, 1, 0, 1])
    weighted = Graph.from_edges([*CHAIN, (1, 1)], directed=True, weights=[1, 2, 3, 4, 5, 6])
    notes = amud(weighted, [0, 1, 0, 1]).warnings
    assert any("weights" in note for note in notes)
    assert any("1 self-loops" in note for note in notes)
    assert any("every label given was used" in note for note in notes)
