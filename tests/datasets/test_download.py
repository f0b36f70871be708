"""Downloads and guarded loaders: offline, checksums, whole files only, hostile pickles."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from graphsparse import GraphFormatError
from graphsparse.datasets import load_dataset, pickles
from graphsparse.datasets.download import fetch, is_offline
from graphsparse.errors import DownloadError, GraphsparseError

URL = "http://example.org/folder/set.npz?raw=1"
CONTENT = b"some bytes"


class Call:
    """A pickle that would run a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple:
        return os.system, (self.command,)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answer every request with CONTENT; return the list of addresses asked for."""
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> io.BytesIO:
        assert timeout > 0
        asked.append(url)
        return io.BytesIO(CONTENT)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def test_fetch_downloads_once_over_https(tmp_path: Path, network: list[str]) -> None:
    checksum = hashlib.sha256(CONTENT).hexdigest()
    for _ in range(2):
        path = fetch(URL, tmp_path / "new", sha256=checksum, offline=False)
        assert path == tmp_path / "new" / "set.npz"
        assert path.read_bytes() == CONTENT
    assert network == [URL.replace("http:", "https:")]


def test_wrong_checksum_keeps_nothing(tmp_path: Path, network: list[str]) -> None:
    with pytest.raises(DownloadError, match=f"must be {'0' * 64}, got .*; not kept"):
        fetch(URL, tmp_path, sha256="0" * 64, offline=False)
    assert list(tmp_path.iterdir()) == []


def test_broken_connection_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError("reset by peer")

    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Broken())
    with pytest.raises(DownloadError, match=r"reset by peer.*GRAPHSPARSE_DATA"):
        fetch(URL, tmp_path, sha256=None, offline=False)
    assert list(tmp_path.iterdir()) == []


def test_no_network_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(url: str, timeout: float) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    for name in ("cora", "ogbg-molbace", "telegram", "texas"):
        with pytest.raises(DownloadError, match=r"https://.* cannot be had \(Name or service"):
            load_dataset(name, root=tmp_path / "root", offline=False)
    left = list((tmp_path / "root").rglob("*")) if (tmp_path / "root").exists() else []
    assert [path for path in left if path.name != "telegram"] == []


@pytest.mark.parametrize("name", ["pubmed", "cora_ml", "actor", "ogbn-arxiv", "ogbl-ddi"])
def test_offline_asks_nobody(
    name: str, tmp_path: Path, network: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DownloadError, match=r"not there and the network is not to be used"):
        load_dataset(name, root=tmp_path, offline=True)
    monkeypatch.setenv("GRAPHSPARSE_OFFLINE", "1")
    with pytest.raises(GraphsparseError, match="GRAPHSPARSE_OFFLINE"):
        load_dataset(name, root=tmp_path)
    assert network == []
    assert list(tmp_path.iterdir()) == []


def test_offline_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, want in (("1", True), ("true", True), ("0", False), ("", False), ("no", False)):
        monkeypatch.setenv("GRAPHSPARSE_OFFLINE", value)
        assert is_offline(None) is want
    assert is_offline(True) is True


def test_root_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHSPARSE_DATA", str(tmp_path / "mine"))
    with pytest.raises(DownloadError, match=f"blogcatalog.mat must lie in {tmp_path}/mine"):
        load_dataset("blogcatalog")


def test_pickle_of_arrays_is_read(tmp_path: Path) -> None:
    matrix = sp.csr_matrix(np.eye(3))
    graph = {0: [1, 2], 1: [0]}
    for protocol in (2, 4):
        for value in (np.arange(6).reshape(2, 3), graph):
            got = pickles.load(io.BytesIO(pickle.dumps(value, protocol)))
            assert np.array_equal(got, value) if isinstance(value, np.ndarray) else got == value
        got = pickles.load(io.BytesIO(pickle.dumps(matrix, protocol)))
        assert (got != matrix).nnz == 0


def test_pickle_of_code_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    file = tmp_path / "ind.cora.graph"
    file.write_bytes(pickle.dumps(Call(f"touch {mark}")))
    with (
        file.open("rb") as stream,
        pytest.raises(GraphFormatError, match=r"ind\.cora\.graph: .* it asks for posix\.system"),
    ):
        pickles.load(stream)
    for content in (b"", b"garbage", b"\x80\x04.", b"(lp0\n"):
        with pytest.raises(GraphFormatError, match="is refused"):
            pickles.load(io.BytesIO(content))
    assert not mark.exists()


def hostile_planetoid(folder: Path, mark: Path) -> None:
    raw = folder / "Planetoid" / "Cora" / "raw"
    raw.mkdir(parents=True)
    for part in ("x", "tx", "allx", "y", "ty", "ally", "graph"):
        (raw / f"ind.cora.{part}").write_bytes(pickle.dumps(Call(f"touch {mark}")))
    (raw / "ind.cora.test.index").write_text("1\n2\n", encoding="utf-8")


def test_hostile_planetoid_files_do_not_run(tmp_path: Path) -> None:
    pytest.importorskip("torch_geometric")
    mark = tmp_path / "mark"
    hostile_planetoid(tmp_path, mark)
    with pytest.raises(GraphFormatError, match=r"ind\.cora\.x: .*posix\.system"):
        load_dataset("cora", root=tmp_path, offline=True)
    assert not mark.exists()


@pytest.mark.parametrize("file", ["data.pt", "pre_transform.pt"])
def test_hostile_processed_files_do_not_run(tmp_path: Path, file: str) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("torch_geometric")
    mark = tmp_path / "mark"
    hostile_planetoid(tmp_path, mark)
    processed = tmp_path / "Planetoid" / "Cora" / "processed"
    processed.mkdir()
    torch.save(Call(f"touch {mark}"), processed / "data.pt")
    torch.save(Call(f"touch {mark}"), processed / file)
    with pytest.raises(GraphFormatError, match="more than tensors"):
        load_dataset("cora", root=tmp_path, offline=True)
    assert not mark.exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


def test_guard_puts_everything_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planetoid = pytest.importorskip("torch_geometric.io.planetoid")
    webkb = pytest.importorskip("torch_geometric.datasets.webkb")
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    before = planetoid.pickle, planetoid.fs.cp if hasattr(planetoid, "fs") else None
    download = webkb.download_url
    with pytest.raises(DownloadError):
        load_dataset("texas", root=tmp_path, offline=True)
    assert planetoid.pickle is before[0]
    assert webkb.download_url is download
    assert os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"


def test_ogb_is_imported_without_its_version_check() -> None:
    pytest.importorskip("ogb")
    code = (
        "import sys, threading\n"
        "from graphsparse.datasets import compat\n"
        "compat.import_ogb('ogb.nodeproppred')\n"
        "import ogb.version\n"
        "print(ogb.version.check_outdated, 'outdated' in sys.modules, threading.active_count())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["None", "False", "1"]


def test_missing_extra_is_a_clear_error(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch_geometric'] = None; sys.modules['ogb'] = None\n"
        "from graphsparse.datasets import load_dataset\n"
        "for name in ('cora', 'ogbn-arxiv'):\n"
        "    try:\n"
        f"        load_dataset(name, root={str(tmp_path)!r}, offline=True)\n"
        "    except ImportError as error:\n"
        "        print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.count("pip install 'graphsparse[gnn]'") == 2
