"""The public sets, read from the shared test data: counts, splits, layouts; nothing downloaded."""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from graphsparse.datasets import describe_dataset, load_dataset

pytest.importorskip("torch_geometric")

NODE_SETS = [
    "Cora",
    "CiteSeer",
    "texas",
    "cornell",
    "actor",
    "chameleon",
    "minesweeper",
    "cora_ml",
    "citeseer_directed",
    "telegram",
    "chameleon_filtered_directed",
    "europe_airports",
    "brazil_airports",
    "blogcatalog",
]


@pytest.fixture(scope="session")
def stager(shared_data: Path) -> ModuleType:
    """Return the module that lays the shared sets out; it must not write beside them."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec = importlib.util.spec_from_file_location("stage", shared_data / "stage.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


@pytest.fixture
def stage(stager: ModuleType, tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """Return a function that stages a set under tmp_path and returns its facts."""

    def put(name: str) -> dict[str, Any]:
        stager.stage(name, tmp_path, link=True)
        return dict(stager.INDEX[name])

    return put


@pytest.mark.parametrize("name", NODE_SETS)
def test_counts(name: str, stage: Callable[[str], dict[str, Any]], tmp_path: Path) -> None:
    facts = stage(name)
    dataset = load_dataset(name, root=tmp_path, offline=True)
    graph = dataset.graph
    assert graph.num_nodes == facts["nodes"]
    assert graph.directed == facts["directed"]
    assert graph.num_self_loops == facts["loops"]
    pairs = graph.without_self_loops().symmetrize("max")
    assert pairs.num_edges == facts["edges"]
    if "airports" in name:  # each edge is stored once; both directions are added
        assert graph.num_edges == facts["arcs"]
    else:
        assert graph.num_arcs == facts["arcs"]
    assert (graph.weights is not None) == facts["weighted"]
    data = dataset.to_pyg()
    assert data.num_nodes == facts["nodes"]
    assert data.num_edges == graph.num_arcs
    assert data.num_node_features == facts["features"]
    if name == "blogcatalog":
        assert data.y.shape == (facts["nodes"], facts["classes"])
        assert int(data.y.sum()) == facts["multi_label"]
        return
    assert dataset.num_classes == facts["classes"]
    assert data.y.shape == (facts["nodes"],)
    if "label_counts" in facts:
        assert np.bincount(data.y.numpy()).tolist() == facts["label_counts"]
    assert len(dataset.splits) == (1 if name in ("Cora", "CiteSeer") else 10)
    assert data.train_mask.sum() == len(dataset.splits[0].train) > 0
    assert dataset.metric == ("roc_auc" if name == "minesweeper" else "accuracy")


@pytest.mark.parametrize(("name", "train"), [("Cora", 140), ("CiteSeer", 120)])
def test_planetoid_splits(
    name: str, train: int, stage: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    stage(name)
    (public,) = load_dataset(name, root=tmp_path, offline=True).splits
    assert (len(public.train), len(public.val), len(public.test)) == (train, 500, 1000)
    ten = load_dataset(name, root=tmp_path, split="geom-gcn", offline=True).splits
    assert [split.name for split in ten] == [f"geom-gcn/{i}" for i in range(10)]
    drawn = load_dataset(name, root=tmp_path, split="random", offline=True).splits
    assert len(drawn) == 10
    assert (len(drawn[0].train), len(drawn[0].val)) == (train, 500)
    assert describe_dataset(name).splits == ("public", "geom-gcn", "random")


def test_folder_of_pyg_is_used_as_it_is(
    stage: Callable[[str], dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage("texas")
    first = load_dataset("texas", root=tmp_path / "pyg" / "WebKB", offline=True)
    assert (tmp_path / "pyg" / "WebKB" / "texas" / "processed" / "data.pt").is_file()
    raw = tmp_path / "pyg" / "WebKB" / "texas" / "raw" / "out1_node_feature_label.txt"
    stamp = raw.stat().st_mtime_ns
    again = load_dataset("Texas", root=tmp_path / "pyg", offline=True)
    assert again.graph == first.graph
    assert raw.stat().st_mtime_ns == stamp
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "name",
    ["ogbg-molbace", "ogbg-molesol", pytest.param("ogbg-molhiv", marks=pytest.mark.slow)],
)
def test_ogb_graph_sets(
    name: str,
    stage: Callable[[str], dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    facts = stage(name)
    for _ in range(2):  # the second time from ogb's own processed file
        dataset = load_dataset(name, root=tmp_path, offline=True)
        graphs = dataset.content
        assert len(graphs) == facts["graphs"]
        assert graphs._data.num_nodes == facts["nodes"]
        assert graphs._data.edge_index.shape == (2, facts["arcs"])
        assert graphs[0].x.shape[1] == facts["features"]
        assert graphs[0].edge_attr.shape[1] == facts["edge_features"]
        (split,) = dataset.splits
        sizes = {"train": len(split.train), "valid": len(split.val), "test": len(split.test)}
        assert sizes == facts["split"]
    assert dataset.metric == ("rmse" if name == "ogbg-molesol" else "roc_auc")
    assert dataset.num_classes == (None if name == "ogbg-molesol" else 2)
    assert capsys.readouterr().out == ""
    with pytest.raises(TypeError, match=f"holds {facts['graphs']} graphs, not one"):
        _ = dataset.graph


def test_ogb_link_set(stage: Callable[[str], dict[str, Any]], tmp_path: Path) -> None:
    facts = stage("ogbl-ddi")
    dataset = load_dataset("ogbl-ddi", root=tmp_path / "ogb", offline=True)
    assert (dataset.graph.num_nodes, dataset.graph.num_arcs) == (facts["nodes"], facts["arcs"])
    assert dataset.metric == "hits@20"
    shapes = {
        part: {key: list(array.shape) for key, array in arrays.items()}
        for part, arrays in dataset.edge_splits.items()
    }
    assert shapes == facts["split"]
    u, v = dataset.edge_splits["train"]["edge"].T
    assert len(u) == dataset.graph.num_edges
    assert np.array_equal(np.sort(np.minimum(u, v)), np.sort(dataset.graph.edges()[0]))


def write_arxiv(folder: Path) -> None:
    """Write a set of six nodes in the layout of ogbn-arxiv."""
    tables = {
        "raw/edge": "0,1\n1,2\n4,3\n",
        "raw/num-node-list": "6\n",
        "raw/num-edge-list": "3\n",
        "raw/node-feat": "".join(f"{u}.5,-{u}.0\n" for u in range(6)),
        "raw/node_year": "".join(f"{2010 + u}\n" for u in range(6)),
        "raw/node-label": "0\n1\n2\n0\n1\n39\n",
        "split/time/train": "3\n0\n",
        "split/time/valid": "1\n",
        "split/time/test": "2\n4\n5\n",
    }
    for name, text in tables.items():
        path = folder / f"{name}.csv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()))
    (folder / "RELEASE_v1.txt").touch()


def test_ogb_node_set(tmp_path: Path) -> None:
    write_arxiv(tmp_path / "ogb" / "ogbn_arxiv")
    for _ in range(2):
        dataset = load_dataset("ogbn-arxiv", root=tmp_path, offline=True)
        assert dataset.graph.directed
        assert [e.tolist() for e in dataset.graph.edges()] == [[0, 1, 4], [1, 2, 3]]
        data = dataset.to_pyg()
        assert data.y.tolist() == [0, 1, 2, 0, 1, 39]
        assert data.x[5].tolist() == [5.5, -5.0]
        assert data.node_year.shape == (6, 1)
        (split,) = dataset.splits
        assert (split.train.tolist(), split.val.tolist()) == ([0, 3], [1])
        assert data.test_mask.tolist() == [False, False, True, False, True, True]
        assert (dataset.num_classes, dataset.metric) == (40, "accuracy")


def test_ogb_asks_no_question(
    stage: Callable[[str], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage("ogbg-molesol")
    folder = tmp_path / "ogb" / "ogbg_molesol"
    for release in folder.glob("RELEASE*"):
        release.unlink()
    monkeypatch.setattr("sys.stdin", io.StringIO(""))  # a question would meet the end of file
    with contextlib.redirect_stderr(io.StringIO()):
        dataset = load_dataset("ogbg-molesol", root=tmp_path, offline=True)
    assert len(dataset.content) == 1128
    assert folder.is_dir()


def test_index_and_list_agree(shared_data: Path) -> None:
    index = json.loads((shared_data / "index.json").read_text(encoding="utf-8"))
    for name, facts in index.items():
        if facts["kind"] in ("pyg", "ogb", "npz"):
            assert describe_dataset(name).name.lower() == name.lower()
