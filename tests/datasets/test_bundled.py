"""Bundled sets: counts of the cards, checksums, the same arrays again from the script."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from graphsparse import Graph, GraphFormatError, Hypergraph
from graphsparse.backend import bundled_data
from graphsparse.datasets import bundled, describe_dataset, list_datasets, load_dataset

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["delaunay", "digits", "hypergraph", "planted_partition", "stream"]


def test_all_are_listed_first_and_small() -> None:
    assert bundled.names() == NAMES
    assert list_datasets()[:5] == NAMES
    total = sum(file.stat().st_size for file in bundled_data().rglob("*") if file.is_file())
    assert total < 1.5e6


@pytest.mark.parametrize("name", NAMES)
def test_meta_tells_the_truth(name: str) -> None:
    dataset = load_dataset(name)
    meta = bundled.read_meta(name)
    assert meta["name"] == dataset.name == name
    assert dataset.content.num_nodes == meta["num_nodes"]
    if isinstance(dataset.content, Graph):
        assert dataset.graph.num_edges == meta["num_edges"]
        assert dataset.graph.directed == meta["directed"]
    assert describe_dataset(name).splits == (("stored",) if dataset.splits else ())
    assert dataset.card["text"].startswith(f"# {name}\n")
    assert name in repr(dataset)
    readme = (bundled_data() / "README.md").read_text(encoding="utf-8")
    assert f"({name}/card.md)" in readme
    for split in dataset.splits:
        parts = np.concatenate((split.train, split.val, split.test))
        assert len(np.unique(parts)) == len(parts)


def test_digits() -> None:
    digits = load_dataset("Digits")
    graph, x, y = digits.graph, digits.arrays["x"], digits.arrays["y"]
    assert (graph.num_nodes, graph.num_arcs, graph.directed) == (1797, 17970, True)
    assert graph.num_self_loops == 0
    assert set(graph.degree.tolist()) == {10}
    assert (digits.num_classes, digits.metric, len(digits.splits)) == (10, "accuracy", 10)
    for split in digits.splits:
        assert np.bincount(y[split.train]).tolist() == [20] * 10
        assert (len(split.val), len(split.test)) == (500, 1097)
    # One row by hand: the ten nearest, ties to the lower number.
    node = 1_234
    distance = ((x.astype(int) - x[node].astype(int)) ** 2).sum(axis=1)
    others = sorted((d, v) for v, d in enumerate(distance.tolist()) if v != node)
    row = graph.indices[graph.indptr[node] : graph.indptr[node + 1]]
    assert sorted(v for _, v in others[:10]) == row.tolist()


def test_stream_starts_on_the_mesh() -> None:
    stream, mesh = load_dataset("stream"), load_dataset("delaunay")
    assert stream.graph == mesh.graph
    op, u, v, batch = (stream.arrays[key] for key in ("op", "u", "v", "batch"))
    assert (np.count_nonzero(op == 0), np.count_nonzero(op == 1)) == (500, 20)
    assert (np.diff(batch) >= 0).all()
    edges = set(zip(*(e.tolist() for e in mesh.graph.edges()), strict=True))
    ends = list(zip(np.minimum(u, v).tolist(), np.maximum(u, v).tolist(), strict=True))
    assert not edges & set(ends[:500])
    assert len(set(ends)) == 520
    assert set(ends[500:]) <= edges


def test_hypergraph_labels_belong_to_rows() -> None:
    dataset = load_dataset("hypergraph")
    assert isinstance(dataset.content, Hypergraph)
    labels, papers = dataset.arrays["y"], dataset.content.hyperedges
    assert labels.shape == (dataset.content.num_incidences,)
    for label in (0, 2):  # each paper with authors has one first and one last
        assert np.unique(np.bincount(papers[labels == label], minlength=900)).tolist() == [0, 1]
    with pytest.raises(TypeError, match="holds a Hypergraph, not one graph"):
        _ = dataset.graph


def test_script_makes_the_same_arrays(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("maker", ROOT / "tools" / "make_datasets.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    maker.main(tmp_path)
    for name in NAMES:
        with (
            np.load(tmp_path / name / "arrays.npz", allow_pickle=False) as made,
            np.load(bundled_data() / name / "arrays.npz", allow_pickle=False) as kept,
        ):
            assert made.files == kept.files
            for key in kept.files:
                np.testing.assert_array_equal(made[key], kept[key])
        facts = json.loads((tmp_path / name / "meta.json").read_text(encoding="utf-8"))
        assert {**facts, "files": 0} == {**bundled.read_meta(name), "files": 0}


def test_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(bundled_data() / "stream", tmp_path / "stream")
    shutil.copytree(bundled_data() / "delaunay", tmp_path / "delaunay")
    monkeypatch.setattr(bundled, "bundled_data", lambda: tmp_path)
    assert bundled.load("stream").arrays["u"].shape == (520,)
    file = tmp_path / "delaunay" / "arrays.npz"
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    with pytest.raises(
        GraphFormatError, match=r"arrays.npz: its SHA-256 must be [0-9a-f]{64}, got"
    ):
        bundled.load("stream")


def test_needs_no_extra() -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'torch_geometric', 'ogb', 'sklearn', 'pandas'):\n"
        "    sys.modules[name] = None\n"
        "from graphsparse.datasets import list_datasets, load_dataset\n"
        "print(len(list_datasets()), load_dataset('digits').graph.num_edges)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split()[1] == "17970"


def test_to_pyg_sets_the_masks_of_a_split() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("torch_geometric")
    digits = load_dataset("digits")
    data = digits.to_pyg(split=3)
    assert (data.num_nodes, data.num_edges) == (1797, 17970)
    assert (data.x.dtype, data.y.dtype) == (torch.float32, torch.int64)
    assert torch.equal(data.train_mask.nonzero().view(-1), torch.tensor(digits.splits[3].train))
    assert "train_mask" not in digits.to_pyg(split=None)
    with pytest.raises(ValueError, match=r"split must be in \[0, 10\), got 10"):
        digits.to_pyg(split=10)
    assert "pos" in load_dataset("delaunay").to_pyg()


def test_unknown_names_and_splits() -> None:
    with pytest.raises(ValueError, match="no data set is called 'digit'; did you mean digits"):
        load_dataset("digit")
    with pytest.raises(
        ValueError, match=r"split of 'digits' must be one of: 'stored'; got 'public'"
    ):
        load_dataset("digits", split="public")
    with pytest.raises(ValueError, match="must be one of: none; got 'public'"):
        load_dataset("delaunay", split="public")
    assert describe_dataset("OGBN_ARXIV").name == "ogbn-arxiv"
    assert set(list_datasets("link prediction")) >= {"ogbl-ddi", "ogbl-collab"}
    assert len(set(list_datasets())) == len(list_datasets())
