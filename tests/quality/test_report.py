"""The quality report against exact figures of independent scripts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from graphs import TOYS, karate, path, random_graph

from graphsparse import Graph
from graphsparse.linalg import effective_resistance
from graphsparse.quality import QualityReport, quality_report
from graphsparse.quality.community import nmi
from graphsparse.quality.pair import Pair, hop_distances
from graphsparse.quality.probe import probe_accuracy
from graphsparse.quality.report import FIGURES, MONOTONE
from graphsparse.quality.spectral import conducting, smooth_twice

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "static-family"
QUALITY = json.loads((FOLDER / "quality.json").read_text())
CASES = [(graph, name) for graph in QUALITY for name in QUALITY[graph]]


def graphs_of(name: str, kept: list[int]) -> tuple[Graph, Graph]:
    case = json.loads((FOLDER / f"{name}.json").read_text())
    full = Graph.from_edges(
        case["edges"], num_nodes=case["n"], weights=case["weights"], directed=case["directed"]
    )
    mask = np.zeros(full.num_edges, bool)
    mask[kept] = True
    return full, full.edge_subgraph(mask)


def close(found: Any, wanted: Any) -> None:
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_exact_figures(name: str, case: str) -> None:
    wanted = QUALITY[name][case]
    full, sparse = graphs_of(name, wanted["kept_ids"])
    names = ["connectivity", "degree", "distance", "spectral", "clustering", "pagerank"]
    report = quality_report(full, sparse, names, samples=1000, directed=full.directed)
    connectivity = report["connectivity"]
    close(connectivity.value, wanted["connectivity"])
    assert connectivity.raw["components"] == wanted["components"]
    assert connectivity.raw["new_isolated"] == wanted["new_isolated"]
    close(connectivity.raw["largest_component"], wanted["largest_component"])
    degree = report["degree"]
    close(1 - degree.value, wanted["degree_ks_shape"])
    close(degree.raw["degree_ks"], wanted["degree_ks"])
    close(degree.raw["degree_spearman"], wanted["degree_spearman"])
    close(degree.raw["weight_kept"], wanted["weight_kept"])
    distance = report["distance"]
    close(distance.value, wanted["distance_figure"])
    assert distance.error == 0
    close(distance.raw["unreachable"], wanted["unreachable"])
    close(distance.raw["stretch_mean"], wanted["stretch_mean"])
    close(distance.raw["stretch_max"], wanted["stretch_max"])
    spectral = report["spectral"]
    if wanted["kappa"] is None:
        assert (spectral.value, spectral.raw["kappa"]) == (0.0, None)
        close(spectral.raw["kappa_within"], wanted["kappa_within"])
    else:
        assert spectral.value == pytest.approx(1 / wanted["kappa"], rel=1e-6)
        low, high = wanted["lambda"]
        assert spectral.raw["lambda_min"] == pytest.approx(low, rel=1e-6)
        assert spectral.raw["lambda_max"] == pytest.approx(high, rel=1e-6)
    close(report["clustering"].raw["clustering"], wanted["clustering"])
    close(report["clustering"].raw["transitivity"], wanted["transitivity"])
    close(report["pagerank"].raw["spearman"], wanted["pagerank_spearman"])
    close(report["pagerank"].value, max(0.0, wanted["pagerank_spearman"]))
    close(report["pagerank"].raw["top"], wanted["pagerank_top"])


@pytest.mark.parametrize(("name", "case"), CASES)
def test_sampled_figures_by_their_exact_form(name: str, case: str) -> None:
    wanted = QUALITY[name][case]
    pair = Pair(*graphs_of(name, wanted["kept_ids"]), samples=64, seed=0)
    g, h = (conducting(part) for part in pair.undirected)
    every = np.array([(u, v) for u in range(pair.n) for v in range(u)])
    above, below = effective_resistance(g, every), effective_resistance(h, every)
    joined = np.isfinite(above)
    close((above[joined] / below[joined]).mean(), wanted["resistance_figure"])
    first, second = (smooth_twice(part, np.eye(pair.n)) for part in pair.undirected)
    error = math.sqrt(((first - second) ** 2).sum() / (first**2).sum())
    close(error, wanted["propagation_error"])
    row = FIGURES["quadratic"](pair)
    spread = row.parts.std(ddof=1) / math.sqrt(len(row.parts))
    assert abs(row.raw["mean"] - wanted["quadratic_smooth_ratio_expected"]) < 0.2 + 6 * spread


@pytest.mark.parametrize("name", TOYS)
def test_a_graph_is_as_good_as_itself(name: str) -> None:
    graph = TOYS[name]()
    report = quality_report(graph, graph, "all", directed=graph.directed)
    for row in report.rows:
        assert row.failure == ""
        assert row.value == pytest.approx(1.0, abs=1e-6), row
    assert QualityReport.to_text(report).count("\n") == len(FIGURES) - 1
    assert json.loads(json.dumps(report.to_dict()))["num_nodes"] == graph.num_nodes


@pytest.mark.parametrize("seed", range(200))
def test_distances_and_components_against_networkx(seed: int) -> None:
    graph = random_graph(seed, n=3 + seed % 12, m=2 * (seed % 15), directed=seed % 2 == 0)
    arcs = zip(graph.arc_rows().tolist(), graph.indices.tolist(), strict=True)
    net = nx.DiGraph(arcs)
    net.add_nodes_from(range(graph.num_nodes))
    sources = np.arange(graph.num_nodes, dtype=np.int32)
    found = hop_distances(graph, sources)
    for source in range(graph.num_nodes):
        lengths = nx.single_source_shortest_path_length(net, source)
        assert found[source].tolist() == [lengths.get(v, -1) for v in range(graph.num_nodes)]


def test_monotone_figures_do_not_fall() -> None:
    full = karate()
    order = np.random.default_rng(3).permutation(full.num_edges)
    for name in MONOTONE:
        last = 0.0
        for count in range(5, 78, 9):
            mask = np.zeros(78, bool)
            mask[order[:count]] = True
            value = quality_report(full, full.edge_subgraph(mask), [name], samples=20)[name].value
            assert value >= last - 1e-9
            last = value


def test_sampled_distances_cover_the_exact_value() -> None:
    full = random_graph(4, n=300, m=900)
    mask = np.random.default_rng(1).random(full.num_edges) < 0.6
    sparse = full.edge_subgraph(mask)
    exact = quality_report(full, sparse, ["distance"], samples=300)["distance"]
    inside = 0
    for seed in range(60):
        row = quality_report(full, sparse, ["distance"], samples=40, seed=seed)["distance"]
        assert row.error > 0
        inside += abs(row.value - exact.value) < 1.96 * row.error
    assert inside >= 50


def test_the_probe_reads_neighbours() -> None:
    rng = np.random.default_rng(2)
    y = np.arange(120) % 3
    ends = rng.integers(0, 120, (4000, 2))
    good = (y[ends[:, 0]] == y[ends[:, 1]]) & (ends[:, 0] != ends[:, 1])
    full = Graph.from_edges(np.unique(np.sort(ends[good], 1), axis=0), num_nodes=120)
    x = rng.random((120, 8)) + 0.3 * np.eye(8)[y]
    masks = tuple(np.array_split(rng.permutation(120), [30, 60]))
    none = full.edge_subgraph(np.zeros(full.num_edges, bool))
    report = quality_report(full, none, features=x, labels=y, masks=masks)
    assert report["probe"].value == 0.0
    assert report["probe"].raw["accuracy_full"] > report["probe"].raw["accuracy_no_edges"] + 0.2
    wide = np.concatenate([x, rng.random((120, 60))], axis=1)  # fewer rows than features
    from graphsparse.quality.pair import Task

    assert 0.3 < probe_accuracy(full, Task(wide, y, *masks)) <= 1.0


def test_groupings_agree_by_information() -> None:
    a = np.array([0, 0, 1, 1, 2, 2])
    assert nmi(a, a[::-1]) == pytest.approx(1.0)
    assert nmi(a, np.zeros(6, int)) == 0.0
    assert nmi(a, np.array([0, 1, 0, 1, 0, 1])) == pytest.approx(0.0, abs=1e-12)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="sparse must have the 34 nodes of graph, got 5"):
        quality_report(karate(), path(5))
    with pytest.raises(ValueError, match="figures must be one of .*, got 'speed'"):
        quality_report(karate(), karate(), ["speed"])
    with pytest.raises(ValueError, match="probe needs features, labels and masks"):
        quality_report(karate(), karate(), ["probe"])
    with pytest.raises(ValueError, match="give features, labels and masks together"):
        quality_report(karate(), karate(), labels=np.zeros(34))
    with pytest.raises(ValueError, match=r"features must have shape \(34, f\)"):
        quality_report(karate(), karate(), features=np.zeros((3, 2)), labels=np.zeros(34),
                       masks=([0], [1], [2]))  # fmt: skip
    with pytest.raises(KeyError, match="the report has no figure 'probe'"):
        quality_report(karate(), karate())["probe"]


def test_a_failing_figure_says_why() -> None:
    negative = Graph.from_edges([(0, 1), (1, 2)], weights=[1.0, -1.0])
    row = quality_report(negative, negative, ["spectral", "degree"])["spectral"]
    assert row.value is None
    assert "weights" in row.failure


def test_resistances_by_solves_where_a_factor_fills_in(monkeypatch: pytest.MonkeyPatch) -> None:
    full = random_graph(8, n=80, m=300)
    sparse = full.edge_subgraph(np.arange(full.num_edges) % 4 > 0)
    exact = quality_report(full, sparse, ["resistance"])["resistance"]
    monkeypatch.setattr("graphsparse.quality.spectral._DENSE", 0)
    monkeypatch.setattr("graphsparse.quality.spectral._OPERATIONS", 0.0)
    solved = quality_report(full, sparse, ["resistance"])["resistance"]
    assert solved.value == pytest.approx(exact.value, rel=1e-6)
    assert solved.value != exact.value  # another way to it
