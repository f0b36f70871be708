"""Rankings against networkx, groups against scikit-learn, probes and limits."""

from __future__ import annotations

import threading
import time
from typing import Any

import networkx as nx
import numpy as np
import pytest
from graphs import karate, random_graph

import graphsparse as gs
from graphsparse import Graph
from graphsparse.quality import compare, quality_report
from graphsparse.quality.community import ari, homophily, louvain, modularity
from graphsparse.quality.pair import Pair, Task
from graphsparse.quality.probe import probe_accuracy
from graphsparse.quality.ranking import _dependencies, _nearness, eigenvector_of
from graphsparse.quality.report import FIGURES


def net_of(graph: Graph) -> Any:
    net = nx.DiGraph()
    net.add_nodes_from(range(graph.num_nodes))
    w = np.ones(graph.num_arcs) if graph.weights is None else graph.weights
    net.add_weighted_edges_from(
        zip(graph.arc_rows().tolist(), graph.indices.tolist(), w.tolist(), strict=True)
    )
    return net


@pytest.mark.parametrize("seed", range(200))
def test_betweenness_of_pivots_by_networkx(seed: int) -> None:
    graph = random_graph(seed, n=3 + seed % 12, m=2 * (seed % 15), directed=seed % 2 == 0)
    graph = graph.coalesce().without_self_loops()
    sources = np.arange(0, graph.num_nodes, 1 + seed % 3, dtype=np.int32)
    found = _dependencies(graph, sources)
    net = net_of(graph)
    wanted = nx.betweenness_centrality_subset(net, sources.tolist(), list(net))
    assert found.sum(0) == pytest.approx([wanted[v] for v in net], abs=1e-12)
    alone = _dependencies(graph, sources[:1])[0]
    first = nx.betweenness_centrality_subset(net, [int(sources[0])], list(net))
    assert alone == pytest.approx([first[v] for v in net], abs=1e-12)


def test_path_counts_beyond_a_double_are_rescaled() -> None:
    # 1200 squares in a row: 2^1200 shortest paths from end to end.
    edges = []
    for k in range(1200):
        a, b = 3 * k, 3 * k + 3
        edges += [(a, a + 1), (a, a + 2), (a + 1, b), (a + 2, b)]
    graph = Graph.from_edges(edges)
    found = _dependencies(graph, np.array([0], np.int32)).sum(0)
    n = graph.num_nodes
    joints = np.arange(3, n - 1, 3)
    assert found[joints] == pytest.approx(n - 1.0 - joints)  # all later nodes lie behind a joint
    assert found[1] == pytest.approx((n - 3) / 2)


def test_threads_do_not_change_betweenness() -> None:
    rng = np.random.default_rng(3)
    graph = Graph.from_edges(rng.integers(0, 3000, (12_000, 2)), num_nodes=3000).coalesce()
    found = []
    try:
        for threads in (1, 2, 8):
            gs.set_num_threads(threads)
            found.append(_dependencies(graph, np.arange(40, dtype=np.int32)))
    finally:
        gs.set_num_threads(0)
    assert all((other == found[0]).all() for other in found)


@pytest.mark.parametrize("n", [12, 90])
def test_eigenvectors_by_networkx(n: int) -> None:
    for seed in range(10):
        graph = random_graph(seed, n=n, m=6 * n, weighted=True).coalesce("sum")
        graph = graph.without_self_loops()
        wanted = nx.eigenvector_centrality_numpy(net_of(graph).to_undirected(), weight="weight")
        found = eigenvector_of(graph)
        assert found / np.linalg.norm(found) == pytest.approx(
            [abs(wanted[v]) for v in range(n)], abs=1e-8
        )
    assert (eigenvector_of(Graph.from_edges([], num_nodes=n)) == 0).all()
    twins = Graph.from_edges([(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)], num_nodes=n)
    assert eigenvector_of(twins)[:6] == pytest.approx(np.ones(6) / np.sqrt(1 if n < 64 else 6))


def test_the_error_of_pivots_is_that_of_other_pivots() -> None:
    full = random_graph(4, n=300, m=1500).coalesce().without_self_loops()
    sparse = full.edge_subgraph(np.arange(full.num_edges) % 3 > 0)
    for name in ("betweenness", "closeness"):
        rows = [
            quality_report(full, sparse, [name], samples=64, seed=seed)[name] for seed in range(40)
        ]
        spread = float(np.std([row.value for row in rows], ddof=1))
        error = float(np.mean([row.error for row in rows]))
        assert 0.4 * spread < error < 2.5 * spread
        exact = quality_report(full, sparse, [name], samples=300)[name]
        assert exact.error == 0.0
        assert abs(np.mean([row.value for row in rows]) - exact.value) < 4 * spread
    near = _nearness(Pair(full, sparse, 300, 0).hops[0]).sum(0)
    wanted = nx.harmonic_centrality(net_of(full))
    assert near == pytest.approx([wanted[v] for v in range(300)])


def test_groups_by_scikit_learn_and_networkx() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(9)
    for _ in range(100):
        a, b = rng.integers(0, rng.integers(1, 6), 30), rng.integers(0, rng.integers(1, 6), 30)
        assert ari(a, b) == pytest.approx(metrics.adjusted_rand_score(a, b))
    graph = random_graph(2, n=40, m=200, weighted=True).coalesce("sum").without_self_loops()
    groups = louvain(graph, 0)
    sets = [set(np.flatnonzero(groups == k).tolist()) for k in range(groups.max() + 1)]
    net = net_of(graph).to_undirected()
    assert modularity(graph, groups) == pytest.approx(nx.community.modularity(net, sets))
    u, v = graph.edges()
    assert homophily(graph, groups) == np.mean(groups[u] == groups[v])
    assert homophily(Graph.from_edges([], num_nodes=3), np.zeros(3, int)) is None


def labelled() -> tuple[Graph, Graph, dict[str, Any]]:
    rng = np.random.default_rng(2)
    y = np.arange(150) % 3
    ends = rng.integers(0, 150, (2500, 2))
    good = ((y[ends[:, 0]] == y[ends[:, 1]]) | (rng.random(2500) < 0.1)) & (ends[:, 0] < ends[:, 1])
    full = Graph.from_edges(np.unique(ends[good], axis=0), num_nodes=150)
    x = rng.random((150, 8)) + 0.2 * np.eye(8)[y]
    masks = tuple(np.array_split(rng.permutation(150), [40, 80]))
    sparse = full.edge_subgraph(rng.random(full.num_edges) < 0.15)
    return full, sparse, {"features": x, "labels": y, "masks": masks}


def test_communities_tell_more_than_nmi() -> None:
    full, sparse, task = labelled()
    raw = quality_report(full, sparse, ["community"], **task)["community"].raw
    assert raw["ari"] <= raw["ari_floor"] == pytest.approx(1.0, abs=0.6)
    assert 0.0 < raw["modularity_ratio"] <= 1.0
    assert raw["label_homophily"][0] == pytest.approx(homophily(full, task["labels"]))
    assert raw["label_modularity"][1] == pytest.approx(modularity(sparse, task["labels"]))


def test_probes_are_tested_on_either_graph() -> None:
    full, sparse, task = labelled()
    on_sparse = quality_report(full, sparse, ["probe"], **task)["probe"]
    on_full = quality_report(full, sparse, ["probe"], test_on="full", **task)["probe"]
    assert on_full.raw["accuracy"] > on_sparse.raw["accuracy"]  # neighbours are there again
    assert on_full.raw["accuracy_full"] == on_sparse.raw["accuracy_full"]
    again = Task(task["features"], task["labels"], *task["masks"])
    assert probe_accuracy(full, again, full) == probe_accuracy(full, again)
    tables = [
        compare(full, [], [0.2], ["probe"], test_on=where, **task) for where in ("sparse", "full")
    ]
    assert tables[0].entries[0].value != tables[1].entries[0].value
    with pytest.raises(ValueError, match="test_on must be one of 'sparse', 'full', got 'both'"):
        quality_report(full, sparse, test_on="both")


def test_a_figure_that_takes_too_long_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    def sleepy(pair: Pair) -> Any:
        time.sleep(20.0)

    monkeypatch.setitem(FIGURES, "degree", sleepy)
    report = quality_report(karate(), karate(), ["degree", "connectivity"], max_seconds=0.05)
    assert report["degree"].value is None
    assert report["degree"].failure == "TimeoutError: not finished within 0.05 s"
    assert report["degree"].seconds < 10.0
    assert report["connectivity"].value == 1.0
    file = tmp_path / "table.jsonl"
    args = (karate(), [], [0.5], ["degree", "connectivity"])
    table = compare(*args, max_seconds=0.05, cache=file)
    assert "TimeoutError" in table.entries[0].note
    monkeypatch.undo()
    assert compare(*args, cache=file).entries[0].value is not None  # measured anew


def test_bad_limits_are_named() -> None:
    with pytest.raises(ValueError, match="max_seconds must be above 0, got 0"):
        quality_report(karate(), karate(), max_seconds=0)
    found = []
    thread = threading.Thread(
        target=lambda: found.append(quality_report(karate(), karate(), ["degree"], max_seconds=5.0))
    )
    thread.start()
    thread.join()
    assert "max_seconds needs the main thread, got 5.0" in found[0]["degree"].failure


@pytest.mark.parametrize("width", [8, 120])
def test_sparse_features_give_the_probe_of_dense_ones(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, sparse, task = labelled()
    rng = np.random.default_rng(1)
    x = (rng.random((150, width)) < 0.08) * (1.0 + rng.random((150, width)))
    x[:, :3] += np.eye(3)[task["labels"]] * (rng.random((150, 3)) < 0.3)
    found = []
    for share in (0.0, 1.0):  # of entries below which features are sparse
        monkeypatch.setattr("graphsparse.quality.probe._SPARSE", share)
        for where in ("sparse", "full"):
            given = {**task, "features": x, "test_on": where}
            found.append(quality_report(full, sparse, ["probe"], **given)["probe"].raw)
    assert found[0] == found[2]
    assert found[1] == found[3]
    assert found[0] != found[1]
