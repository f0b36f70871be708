"""Sets larger than memory: arrays stay in files, and what does not fit is refused beforehand."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ogb")
if not Path("/proc/self/maps").exists():
    pytest.skip("the kernel does not list its mappings", allow_module_level=True)

from graphsparse import DownloadError, GraphFormatError, load_dataset
from graphsparse.datasets import describe_dataset, memory, ogb_mapped
from graphsparse.datasets.ogbn_like import OgbnLike, ogbn_like, write_ogbn
from graphsparse.errors import DatasetTooLargeError
from graphsparse.models import SAGE
from graphsparse.training import NodeData, train

NAME = "ogbn-papers100M"


@pytest.fixture
def made() -> OgbnLike:
    return ogbn_like(400, 1500, 8, 5, seed=4)


@pytest.fixture
def folder(made: OgbnLike, tmp_path: Path) -> Path:
    """A small set in the layout of ogbn-papers100M, half of its labels unknown."""
    place = tmp_path / "ogb" / NAME.replace("-", "_")
    place.parent.mkdir()
    write_ogbn(made, tmp_path).rename(place)
    labels = made.y[:, None].astype(np.float32)
    labels[1::2] = np.nan
    np.savez(place / "raw" / "node-label.npz", node_label=labels)
    return place


def load(folder: Path, **options: Any) -> Any:
    """Load the small set; the published size would be refused."""
    return load_dataset(NAME, root=folder.parents[1], check_memory=False, **options)


def is_mapped(array: np.ndarray[Any, Any]) -> bool:
    """Tell whether an array lies in a file, by the kernel's list of mappings."""
    at = array.ctypes.data
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(end, 16) for end in line.split()[0].split("-"))
        if first <= at < last:
            return line.endswith(".npy")
    return False


def test_arrays_lie_in_files_and_equal_what_was_written(made: OgbnLike, folder: Path) -> None:
    for _ in range(2):  # unpacked, then as it is
        dataset = load(folder, offline=True)
        data = dataset.content
        for key, want in (("edge_index", made.edge_index), ("x", made.x)):
            assert is_mapped(data[key].numpy())
            assert np.array_equal(data[key].numpy(), want)
        assert np.array_equal(data.y.numpy()[::2], made.y[::2])
        assert set(data.y.numpy()[1::2]) == {-1}
        assert np.array_equal(data.node_year.numpy()[:, 0], made.year)
        assert np.array_equal(dataset.splits[0].val, made.split["valid"])
        assert dataset.graph.num_edges == 1500
    assert {path.name for path in (folder / "mapped").iterdir()} == {
        "edge_index.npy", "node_feat.npy", "node_year.npy",
        "num_edges_list.npy", "num_nodes_list.npy",
    }  # fmt: skip


def test_a_file_that_was_cut_short_is_written_again(made: OgbnLike, folder: Path) -> None:
    load(folder)
    path = folder / "mapped" / "node_feat.npy"
    path.write_bytes(path.read_bytes()[:1000])
    assert np.array_equal(load(folder).content.x.numpy(), made.x)


def test_mini_batches_train_on_mapped_features(folder: Path) -> None:
    before = (folder / "raw" / "data.npz").read_bytes()
    data = NodeData.from_pyg(load(folder).to_pyg(), normalize=False)
    known = data.y[data.train] >= 0
    data = NodeData(data.graph, data.x, data.y, data.train[known], data.val, data.test, 172)
    assert is_mapped(data.x.numpy())  # type: ignore[union-attr]
    result = train(SAGE(8, 16, 172), data, epochs=8, batch_size=64, fanouts=[5, 5])
    assert result.history["loss"][-1] < result.history["loss"][0]
    assert (folder / "raw" / "data.npz").read_bytes() == before


def drop(folder: Path) -> None:
    with np.load(folder / "raw" / "data.npz") as arrays:
        kept = {key: arrays[key] for key in arrays if key != "node_feat"}
    np.savez(folder / "raw" / "data.npz", **kept)


def shorten(folder: Path) -> None:
    np.savez(folder / "raw" / "node-label.npz", node_label=np.zeros((3, 1)))


def misplace(folder: Path) -> None:
    np.savetxt(folder / "split" / "time" / "test.csv.gz", [400], fmt="%d")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop, "must hold 'node_feat', got"),
        (shorten, "there must be 400 labels"),
        (misplace, r"must hold node ids in \[0, 400\), got 400"),
    ],
)
def test_damaged_sets_are_refused(
    folder: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(folder)
    with pytest.raises(GraphFormatError, match=message):
        load(folder)


def test_the_archive_is_fetched_and_unpacked(
    made: OgbnLike, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, remote = folder.parent / "papers100M-bin.zip", folder.parents[1] / "remote.zip"
    with zipfile.ZipFile(remote, "w") as packed:
        for path in folder.rglob("*"):
            packed.write(path, Path("papers100M-bin") / path.relative_to(folder))
    shutil.rmtree(folder)
    asked: list[str] = []

    def fetch(url: str, *_: Any, **__: Any) -> Path:
        asked.append(url)
        return archive if archive.exists() else Path(shutil.copy(remote, archive))

    with pytest.raises(DownloadError, match="papers100M-bin.zip"):
        load(folder.with_name("elsewhere") / "deeper", offline=True)
    monkeypatch.setattr(ogb_mapped, "fetch", fetch)
    assert np.array_equal(load(folder).content.x.numpy(), made.x)
    assert len(asked) == 1
    assert asked[0].endswith("papers100M-bin.zip")
    assert not archive.exists()
    shutil.rmtree(folder)
    shutil.copy(remote, archive)
    assert np.array_equal(load(folder).content.x.numpy(), made.x)
    assert archive.exists()  # the user put it there


def test_what_does_not_fit_is_refused_beforehand(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = describe_dataset(NAME).memory
    assert needed is not None
    assert 35 << 30 < needed < 50 << 30  # mapped: the arcs of the graph and of its making
    monkeypatch.setattr(memory, "free_memory", lambda: 8 << 30)
    with pytest.raises(DatasetTooLargeError, match=r"takes about 3\d\.\d GiB .* 8\.0 GiB are free"):
        load_dataset(NAME, root=folder.parents[1])
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    assert load_dataset(NAME, root=folder.parents[1]).graph.num_nodes == 400
    assert describe_dataset("ogbn-arxiv").memory is None
    assert describe_dataset("digits").memory is None
    found = memory.free_memory()
    assert found is None or found > 0


def test_new_raw_files_replace_the_copies(made: OgbnLike, folder: Path) -> None:
    load(folder)
    with np.load(folder / "raw" / "data.npz") as arrays:
        changed = {key: arrays[key] for key in arrays}
    changed["node_feat"] = made.x + 1
    np.savez(folder / "raw" / "data.npz", **changed)
    assert np.array_equal(load(folder).content.x.numpy(), made.x + 1)


def test_containers_count_and_cached_pages_are_free(tmp_path: Path) -> None:
    assert memory._free_of_container(77, tmp_path) == 77
    for name, text in (("memory.max", "max"), ("memory.current", "600"), ("memory.stat", "anon 5")):
        (tmp_path / name).write_text(text + "\n")
    assert memory._free_of_container(77, tmp_path) == 77
    (tmp_path / "memory.max").write_text("1000\n")
    assert memory._free_of_container(77, tmp_path) == 400
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 250\n")
    assert memory._free_of_container(77, tmp_path) == 650


def test_free_memory_is_below_the_whole() -> None:
    free = memory.free_memory()
    assert free is None or 0 < free < 1 << 50
