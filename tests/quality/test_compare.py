"""Comparisons, fronts, and budgets that are found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import karate, path, random_graph

from graphsparse import Graph, sparsify
from graphsparse.quality import Comparison, Entry, auto_keep, compare, quality_report

FILE = Path(__file__).resolve().parents[1] / "vectors" / "static-family" / "auto_keep.json"
AUTO = json.loads(FILE.read_text())["cases"]
NAMES = {
    "local_degree": ("local_degree", {}),
    "spanner_hops": ("spanner", {"lengths": "hops"}),
    "random_edges": ("random", {}),
    "k_neighbors": ("k_neighbors", {}),
}


@pytest.mark.parametrize("case", AUTO)
def test_budgets_that_reach_a_target(case: str) -> None:
    method, target = case.split(" target ")
    name, options = NAMES[method]
    found = auto_keep(karate(), name, target=float(target), samples=100, **options)
    assert found.num_edges == AUTO[case]["num_edges"] == found.result.graph.num_edges
    counts, values = zip(*AUTO[case]["evaluations"], strict=True)
    assert [count for count, _ in found.evaluations[: len(counts)]] == list(counts)
    assert [v for _, v in found.evaluations[: len(counts)]] == pytest.approx(values, rel=1e-9)
    assert found.value >= float(target)
    assert found.monotone


def test_budgets_of_figures_that_may_fall() -> None:
    found = auto_keep(karate(), "random", figures=("pagerank", "degree"), target=0.8, seed=2)
    assert not found.monotone
    assert found.value >= 0.8
    sure = auto_keep(karate(), "random", target=0.8, samples=12, confident=True)
    plain = auto_keep(karate(), "random", target=0.8, samples=12)
    assert sure.num_edges >= plain.num_edges
    tied = auto_keep(karate(), "random", target=0.2, samples=40, connected=True)
    assert tied.num_edges >= 33
    assert 0.0 < tied.check <= 1.0


def test_bad_searches_are_named() -> None:
    with pytest.raises(ValueError, match="needs a method with nested masks, got 'grass'"):
        auto_keep(karate(), "grass")
    with pytest.raises(ValueError, match=r"target must be in \(0, 1\], got 2"):
        auto_keep(karate(), target=2)
    with pytest.raises(ValueError, match="figures must be one of"):
        auto_keep(karate(), figures="speed")


def test_a_comparison_holds_what_single_runs_give() -> None:
    graph = random_graph(3, n=60, m=240, weighted=True).coalesce("sum").without_self_loops()
    table = compare(graph, ["spanner", "grass"], [0.4, 0.8], ["distance", "degree"], seeds=(0, 1))
    assert len(table.entries) == 3 * 2 * 2 * 2
    for entry in table.entries:
        sparse = sparsify(graph, entry.method, entry.keep, seed=entry.seed)
        row = quality_report(graph, sparse.graph, [entry.figure])[entry.figure]
        assert (entry.num_edges, entry.value) == (sparse.num_kept, row.value)
        assert entry.error == row.error
    assert "| spanner |" in table.to_markdown()
    assert table.to_csv().count("\n") == 1 + len(table.entries)
    assert json.loads(json.dumps(table.to_dict()))["num_edges"] == graph.num_edges


def test_a_comparison_goes_on_where_it_stopped(tmp_path: Path) -> None:
    file = tmp_path / "table.jsonl"
    args: tuple[Any, ...] = (karate(), {"k_neighbors": {"by": "weight"}}, [0.5], ["degree"])
    first = compare(*args, cache=file)
    text = file.read_text()
    file.write_text(text[:-20])  # killed while it wrote the last line
    again = compare(*args, cache=file)
    assert [e.value for e in again.entries] == [e.value for e in first.entries]
    assert again.entries[0] == first.entries[0]  # read, times and all
    assert again.entries[1] != first.entries[1]  # measured anew: another time
    other = compare(path(9), *args[1:], cache=file)
    assert other.num_nodes == 9


def test_a_budget_below_the_forest_says_so() -> None:
    table = compare(karate(), {"jaccard": {"connected": True}}, [0.2], ["degree"])
    entry = table.entries[-1]
    assert entry.value is None
    assert "needs at least the 33 edges" in entry.note
    assert table.mean("jaccard", 0.2, "degree") is None


def test_training_is_a_figure() -> None:
    table = compare(karate(), [], [0.5, 1.0], ["degree"], train=lambda h: h.num_edges / 78)
    assert table.mean("random", 1.0, "train") == (1.0, 0.0)
    assert table.mean("random", 0.5, "train") == (0.5, 0.0)


def entry(method: str, keep: float, value: float, error: float = 0.0) -> Entry:
    return Entry(method, keep, 0, "f", int(100 * keep), value, error, 0.0, 0.0, 0.0, 0)


def test_fronts_and_what_random_edges_beat() -> None:
    table = Comparison(
        (
            entry("random", 0.2, 0.5, 0.01), entry("random", 0.5, 0.7, 0.01),
            entry("a", 0.2, 0.6, 0.01), entry("a", 0.5, 0.71, 0.01),
            entry("b", 0.2, 0.59, 0.01), entry("b", 0.5, 0.6, 0.001),
        ),
        10, 100,
    )  # fmt: skip
    assert table.pareto("f") == [("random", 0.5), ("a", 0.2), ("a", 0.5), ("b", 0.2)]
    assert table.below_random("f") == [("b", 0.5)]
    text = table.to_markdown()
    assert "| b | **0.590 ± 0.010** | 0.600 ± 0.001 ! |" in text


def test_bad_comparisons_are_named() -> None:
    with pytest.raises(ValueError, match="methods must be one of .*, got 'magic'"):
        compare(karate(), ["magic"], [0.5])
    with pytest.raises(ValueError, match=r"keeps must be in \(0, 1\], got 1.5"):
        compare(karate(), ["scan"], [1.5])


def test_directed_graphs_keep_their_arcs() -> None:
    rng = np.random.default_rng(0)
    graph = Graph.from_edges(rng.integers(0, 30, (200, 2)), num_nodes=30, directed=True).coalesce()
    table = compare(graph, ["local_degree", "spanner"], [0.5], ["pagerank", "clustering"])
    by = {(e.method, e.figure): e for e in table.entries}
    assert by["local_degree", "pagerank"].value is not None
    assert "undirected" in by["spanner", "pagerank"].note
