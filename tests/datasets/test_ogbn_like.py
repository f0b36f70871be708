"""The synthetic ogbn set: what was asked for is met, and ogb's own loader reads the folder."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from graphsparse import DownloadError, load_dataset
from graphsparse.datasets.block_model import BlockModel
from graphsparse.datasets.ogbn_like import ogbn_like, write_ogbn


@pytest.mark.parametrize("seed", range(200))
def test_pairs_are_distinct_and_homophily_is_exact(seed: int) -> None:
    rng = np.random.default_rng(seed + 1000)
    n, k = int(rng.integers(20, 300)), int(rng.integers(2, 6))
    m, homophily = int(rng.integers(0, 2 * n)), float(rng.uniform(0.0, 1.0))
    model = BlockModel(n, k, float(rng.uniform(2.1, 4.0)), seed)
    u, v = model.edges(m, homophily)
    assert len(u) == m
    assert bool((u < v).all())
    assert len(set(zip(u.tolist(), v.tolist(), strict=True))) == m
    assert int((model.blocks[u] == model.blocks[v]).sum()) == round(homophily * m)
    assert np.ptp(np.bincount(model.blocks, minlength=k)) <= 1


def test_seed_names_one_set() -> None:
    one, two = (ogbn_like(200, 500, 4, 3, seed=7) for _ in range(2))
    other = ogbn_like(200, 500, 4, 3, seed=8)
    for name in ("edge_index", "x", "y", "year"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
        assert not np.array_equal(getattr(one, name), getattr(other, name))


def test_degrees_follow_the_exponent() -> None:
    heavy, light = (
        np.bincount(BlockModel(3000, 3, exponent, 11).edges(9000, 0.5)[0], minlength=3000).max()
        for exponent in (2.2, 6.0)
    )
    assert heavy > 4 * light


def test_features_tell_classes_apart_and_years_direct_arcs() -> None:
    made = ogbn_like(3000, 9000, 16, 4, signal=3.0, homophily=0.8, seed=17)
    means = np.stack([made.x[made.y == c].mean(axis=0) for c in range(4)])
    assert np.allclose(np.linalg.norm(means, axis=1), 3.0, atol=0.3)
    assert abs(float((made.x - means[made.y]).std()) - 1.0) < 0.02
    u, v = made.edge_index
    assert bool((made.year[u] >= made.year[v]).all())
    sizes = {part: len(ids) for part, ids in made.split.items()}
    assert sum(sizes.values()) == 3000
    assert sizes["train"] > sizes["test"] > sizes["valid"] > 0
    assert made.year[made.split["train"]].max() < made.year[made.split["valid"]].min()


def test_undirected_set_has_both_arcs() -> None:
    made = ogbn_like(100, 200, 4, 3, directed=False, seed=3)
    u, v = made.edge_index
    arcs = set(zip(u.tolist(), v.tolist(), strict=True))
    assert len(arcs) == 400
    assert all((b, a) in arcs for a, b in arcs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_nodes": 1}, "num_nodes must be in"),
        ({"num_classes": 60}, "num_blocks must be in"),
        ({"homophily": 1.5}, "homophily must be in"),
        ({"exponent": 2.0}, "exponent must be above 2, got 2.0"),
        ({"num_edges": 5000}, "the blocks have room for"),
        ({"train_until": 2019}, r"train_until must be in \[2001, 2018\], got 2019"),
        ({"num_features": 0}, "num_features must be >= 1, got 0"),
    ],
)
def test_wrong_arguments(change: dict[str, object], message: str) -> None:
    given = {"num_nodes": 100, "num_edges": 200, "num_features": 4, "num_classes": 3, **change}
    with pytest.raises(ValueError, match=message):
        ogbn_like(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("directed", [True, False])
def test_ogb_reads_the_folder(tmp_path: Path, directed: bool) -> None:
    pytest.importorskip("ogb")
    made = ogbn_like(300, 900, 8, 5, directed=directed, seed=2)
    folder = write_ogbn(made, tmp_path)
    with pytest.raises(FileExistsError, match="folder must not hold"):
        write_ogbn(made, tmp_path)
    for _ in range(2):  # from raw files, then from what the loader cached
        with contextlib.redirect_stderr(io.StringIO()):
            dataset = load_dataset("synthetic-ogbn-like", root=tmp_path, offline=True)
        data = dataset.to_pyg()
        assert np.array_equal(data.edge_index.numpy(), made.edge_index)
        assert np.array_equal(data.x.numpy(), made.x)
        assert np.array_equal(data.y.numpy(), made.y)
        assert np.array_equal(data.node_year.numpy()[:, 0], made.year)
        assert dataset.graph.directed is directed
        assert dataset.graph.num_edges == 900
        assert np.array_equal(dataset.splits[0].train, made.split["train"])
        assert dataset.num_classes == 5
    assert "Synthetic" in (folder / "RELEASE_v1.txt").read_text()


def test_missing_folder_tells_how_to_make_it(tmp_path: Path) -> None:
    pytest.importorskip("ogb")
    with pytest.raises(DownloadError, match="graphsparse datasets make ogbn-like"):
        load_dataset("synthetic-ogbn-like", root=tmp_path, offline=True)


def test_meta_names_the_set_synthetic(tmp_path: Path) -> None:
    folder = write_ogbn(ogbn_like(50, 60, 2, 2, seed=1), tmp_path)
    meta = json.loads((folder / "meta_dict.json").read_text())
    assert meta["name"].startswith("synthetic")
    assert "synthetic" in meta["url"]
