"""The static family against vectors of slow scripts written from the definitions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsparse import Graph, sparsify
from graphsparse.operators.noise_corrected import lift_and_deviation
from graphsparse.operators.scored import scores_of
from graphsparse.operators.similarity import triangles
from graphsparse.operators.sparsify import make_method

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "static-family"
GRAPHS = ("toy6", "toy6w", "karate", "lesmis", "dir8")
# Name in the vectors -> name and options here.
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "random_edges": ("random", {}),
    "random_edges_weighted": ("random", {"weighted": True}),
    "random_nodes": ("random_nodes", {}),
    "random_node_edges": ("random_node_edges", {}),
    "heaviest": ("heaviest", {}),
    "local_degree": ("local_degree", {}),
    "degree_resistance": ("degree_resistance", {}),
    "degree_resistance_weighted": ("degree_resistance", {"weighted": True}),
    "disparity": ("disparity", {}),
    "noise_corrected": ("noise_corrected", {}),
    "k_neighbors": ("k_neighbors", {}),
    "k_neighbors_weight": ("k_neighbors", {"by": "weight"}),
    "jaccard": ("jaccard", {}),
    "jaccard_weighted": ("jaccard", {"weighted": True}),
    "scan": ("scan", {}),
    "scan_weighted": ("scan", {"weighted": True}),
    "simmelian": ("simmelian", {}),
    "local_similarity": ("local_similarity", {}),
    "local_similarity_linear": ("local_similarity", {"mode": "linear"}),
    "forest_fire": ("forest_fire", {}),
    "rank_degree": ("rank_degree", {}),
    "rank_degree_rho0.5_seeds2": ("rank_degree", {"rho": 0.5, "num_seeds": 2}),
    "spanning_forests": ("spanning_forests", {}),
    "spanner": ("spanner", {}),
    "spanner_hops": ("spanner", {"lengths": "hops"}),
    "local_scan_min": ("local_similarity", {"similarity": "scan", "combine": "min"}),
}
EXACT = (
    "random_edges", "random_nodes", "k_neighbors", "k_neighbors_weight", "forest_fire",
    "rank_degree", "rank_degree_rho0.5_seeds2", "spanning_forests", "spanner", "spanner_hops",
)  # fmt: skip


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def graph_of(case: dict[str, Any]) -> Graph:
    return Graph.from_edges(
        case["edges"], num_nodes=case["n"], weights=case["weights"], directed=case["directed"]
    )


def cases() -> list[Any]:
    found = []
    for name in GRAPHS:
        for seed, part in load(name)["seeds"].items():
            for method in part["scores"]:
                if not method.startswith("_"):
                    found.append(
                        pytest.param(name, int(seed), method, id=f"{name}-{seed}-{method}")
                    )
    return found


@pytest.mark.parametrize(("name", "seed", "method"), cases())
def test_scores_and_kept_edges(name: str, seed: int, method: str) -> None:
    case = load(name)
    part, graph = case["seeds"][str(seed)], graph_of(case)
    kind, options = METHODS[method]
    wanted = part["scores"][method]
    found = scores_of(make_method(kind, {**options, "seed": seed}), graph)
    if method in EXACT:
        assert found.tolist() == wanted
    else:
        assert found == pytest.approx(np.array(wanted), rel=1e-12, abs=1e-14)
    for budget, ids in part["kept_ids"][method].items():
        keep, connected = float(budget.split()[0]), budget.endswith("connected")
        if ids == "budget below n-c":
            with pytest.raises(ValueError, match="connected=True needs at least"):
                sparsify(graph, kind, keep, connected=True, seed=seed, **options)
            continue
        kept = sparsify(graph, kind, keep, connected=connected, seed=seed, **options).graph
        u, v = (np.array(case["edges"])[ids]).T
        assert [e.tolist() for e in kept.edges()] == [u.tolist(), v.tolist()], budget


@pytest.mark.parametrize("name", GRAPHS)
def test_intermediate_values(name: str) -> None:
    case = load(name)
    graph, scores = graph_of(case), case["seeds"]["0"]["scores"]
    if not graph.directed:
        assert triangles(graph).tolist() == scores["_triangles"]
        forests = make_method("spanning_forests", {})
        assert forests.levels(graph)[1].tolist() == scores["_forest_level"]
        for lengths, key in (("inverse", "_spanner_sizes"), ("hops", "_spanner_hops_sizes")):
            parts = make_method("spanner", {"lengths": lengths}).parts(graph)
            sizes = np.cumsum([len(part) for _, part in parts])
            assert sizes[:-1].tolist() == scores[key]
            key = "_greedy_spanner_t3" + ("_hops" if lengths == "hops" else "")
            greedy = sparsify(graph, "spanner", t=3, start="empty", lengths=lengths).graph
            ids = np.array(case["edges"])[scores[key]]
            assert np.stack(greedy.edges(), 1).tolist() == ids.tolist()
    fires = make_method("forest_fire", {}).fires(graph)
    assert fires[1] == scores["_forest_fire_fires"]
    for chunk in (1, 7):
        other = make_method("forest_fire", {"chunk": chunk}).fires(graph)
        assert (other[0] == fires[0]).all()
        assert other[1] == fires[1]
    lift, deviation = lift_and_deviation(graph)
    assert lift == pytest.approx(np.array(scores["_noise_corrected_lift"]), rel=1e-12, abs=1e-14)
    sdev = np.array(scores["_noise_corrected_sdev"])
    assert deviation == pytest.approx(sdev, rel=1e-10, abs=1e-14)
