"""Published statistics of AMUD: toys here, Texas and the table of real sets beside the tree."""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsparse import AmudWarning, Graph, amud, load_dataset

pytestmark = pytest.mark.filterwarnings("ignore::graphsparse.operators.amud_result.AmudWarning")
TOYS = Path(__file__).resolve().parents[1] / "vectors" / "amud-adpa" / "amud_toys.json"


def cases(path: Path) -> list[Any]:
    return json.loads(path.read_text())["cases"]


def near(want: float | None) -> Any:
    """Equal to nine digits, or None."""
    return None if want is None else pytest.approx(want, rel=1e-9, abs=1e-14)


def check(case: dict[str, Any]) -> None:
    graph = Graph.from_edges(
        np.array(case["edges"]).reshape(-1, 2), num_nodes=case["n"], directed=True
    )
    mask = np.array(case["label_mask"], bool) if "label_mask" in case else None
    want = case["expected"]
    results = {
        w: amud(graph, case["labels"], mask=mask, min_pairs=1, weighting=w)
        for w in ("support", "paths")
    }
    support, paths = results["support"], results["paths"]
    assert (support.n_labelled, support.n_pairs) == (want["n_labelled"], want["N"])
    assert support.reciprocity * len(case["edges"]) == case["reciprocated_edges"]
    for name, row in want["patterns"].items():
        got, walked = support.patterns[name], paths.patterns[name]
        assert (got.pairs, got.matches) == (row["E"], row["M"])
        assert (walked.pairs, walked.matches) == (row["paths"]["S"], row["paths"]["M"])
        for field, value in (("h", "h"), ("adjusted", "adj"), ("r", "r"), ("R2", "R2"), ("z", "z")):
            assert getattr(got, field) == near(row[value]), field
        for field, value in (("h", "h"), ("adjusted", "adj")):
            assert getattr(walked, field) == near(row["paths"][value])
        assert (walked.r, walked.R2, walked.z) == (None, None, None)
    assert support.score == near(want["S_adj"])
    assert support.score_r2 == near(want["S_r2"])
    assert paths.score == near(want["S_adj_paths"])
    assert paths.score_r2 is None
    assert support.z_jack == {pair: near(z) for pair, z in want["z_jack"].items()}
    assert (support.decision, support.reason) == (want["decision"], want["reason"])


@pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in cases(TOYS)])
def test_toys(case: dict[str, Any]) -> None:
    check(case)


def test_worked_example_needs_pairs() -> None:
    case = cases(TOYS)[0]
    graph = Graph.from_edges(case["edges"], directed=True)
    with pytest.warns(AmudWarning, match="do not decide"):
        assert amud(graph, case["labels"]).reason == "undetermined"


def test_texas(shared_data: Path) -> None:
    path = shared_data.parent / "vectors" / "amud-adpa" / "amud_texas.json"
    if not path.is_file():
        pytest.skip(f"the vectors of Texas are not at {path}")
    (case,) = cases(path)
    check(case)


# Spec 8.2, to the printed digits: a of AA, AAT, ATA; R2 of A and those; S_adj, S by paths, S_r2, Z,
# S by features.
REAL: dict[str, tuple[Any, ...]] = {
    "cora_ml": (
        (2995, 8416, 0.792), (0.621, 0.638, 0.590), (2.5e-3, 4.2e-3, 3.6e-2, 6.4e-3),
        (0.074, 0.054, 0.685, 1.5), 0.254, "below_threshold"),
    "citeseer_directed": (
        (3312, 4591, 0.739), (0.624, 0.590, 0.750), (9.0e-4, 6.2e-4, 1.3e-3, 6.6e-3),
        (0.213, 0.174, 0.707, 4.3), 0.281, "below_threshold"),
    "cornell": (
        (183, 295, 0.122), (-0.173, 0.194, 0.160), (1.1e-3, 6.8e-4, 1.3e-3, 2.4e-2),
        (1.0, 1.0, 0.897, 2.5), 0.828, "score_and_significance"),
    "texas": (
        (183, 309, 0.061), (-0.147, 0.268, 0.317), (3.8e-3, 3.8e-4, 2.7e-3, 8.3e-2),
        (1.0, 1.0, 0.960, 3.6), 0.481, "score_and_significance"),
    "actor": (
        (7600, 29926, 0.216), (-0.002, -0.006, 0.000), None,
        (1.0, 1.0, 0.982, 1.5), None, "not_significant"),
    "chameleon": (
        (2277, 36051, 0.234), (0.056, 0.030, 0.105), (4.6e-5, 3.9e-4, 1.1e-3, 3.5e-4),
        (0.710, 0.535, 0.422, 4.1), 0.334, "score_and_significance"),
    "chameleon_filtered_directed": (
        (890, 13534, 0.245), (0.050, 0.105, 0.095), (1.3e-4, 6.9e-4, 7.3e-3, 1.8e-3),
        (0.521, 0.509, 0.670, 3.7), 0.848, "score_and_significance"),
    "telegram": (
        (245, 8912, 0.322), (-0.024, -0.026, 0.083), (5.5e-4, 1.1e-3, 1.6e-3, 2.5e-2),
        (1.0, 0.940, 0.864, 4.1), None, "score_and_significance"),
}  # fmt: skip


@pytest.fixture(scope="module")
def stage(shared_data: Path) -> Any:
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec = importlib.util.spec_from_file_location("stage", shared_data / "stage.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module.stage


def load(stage: Any, name: str, folder: Path) -> tuple[Graph, Any]:
    pytest.importorskip("torch_geometric")
    stage(name, folder, link=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = load_dataset(name, root=folder, offline=True)
        return dataset.graph, dataset.to_pyg(None)


@pytest.mark.parametrize("name", REAL)
def test_real_sets(name: str, stage: Any, tmp_path: Path) -> None:
    size, rates, squares, scores, by_features, reason = REAL[name]
    graph, data = load(stage, name, tmp_path)
    got, walked = amud(graph, data.y), amud(graph, data.y, weighting="paths")
    arcs = graph.coalesce().without_self_loops().num_arcs
    assert (graph.num_nodes, arcs) == size[:2]
    assert got.patterns["A"].h == pytest.approx(size[2], abs=6e-4)
    found = [got.patterns[d].adjusted for d in ("AA", "AAT", "ATA")]
    assert found == pytest.approx(rates, abs=6e-4)
    correlations = [got.patterns[d].R2 for d in ("A", "AA", "AAT", "ATA")]
    if squares is None:
        assert max(correlations) < 5e-6
    else:  # one unit of the second digit: some stand half way between two
        for r2, printed in zip(correlations, squares, strict=True):
            unit = 10.0 ** (np.floor(np.log10(printed)) - 1)
            assert r2 == pytest.approx(printed, abs=0.51 * unit)
    assert (got.score, walked.score, got.score_r2) == pytest.approx(scores[:3], abs=6e-4)
    assert got.z == pytest.approx(scores[3], abs=0.06)
    assert got.reason == reason
    if by_features is not None:
        other = amud(graph, features=data.x.numpy(), profile="features")
        assert other.score == pytest.approx(by_features, abs=6e-4)


def test_minesweeper_stored_once(stage: Any, tmp_path: Path) -> None:
    graph, data = load(stage, "minesweeper", tmp_path)
    once = Graph.from_edges(graph.edges(), num_nodes=graph.num_nodes, directed=True)
    with pytest.warns(AmudWarning, match="stored once"):
        got = amud(once, data.y)
    walked = amud(once, data.y, weighting="paths")
    assert (got.score, walked.score, got.score_r2) == pytest.approx((0.499, 0.297, 0.379), abs=6e-4)
    assert got.z == pytest.approx(0.2, abs=0.06)
    assert got.reason == "below_threshold"
    assert amud(graph, data.y).reason == "symmetric_input"


def test_few_labels_of_citeseer_do_not_decide(stage: Any, tmp_path: Path) -> None:
    """With 20 labels a class AA has next to no pairs: ``min_pairs`` must leave it out."""
    graph, data = load(stage, "citeseer_directed", tmp_path)
    splits = load_dataset("citeseer_directed", root=tmp_path, offline=True).splits
    for split in splits:
        mask = split.mask("train", graph.num_nodes)
        got = amud(graph, data.y, mask=mask)
        assert got.patterns["AA"].pairs < 30
        assert got.decision == "undirected" or got.z >= 2.0
