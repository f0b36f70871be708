"""``report``, ``compare`` and ``sparsify --keep auto`` as a person calls them."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import graphs
import numpy as np
import pytest

from graphsparse import sparsify
from graphsparse.cli import main
from graphsparse.io import read_graph, write_graph
from graphsparse.quality import quality_report


@pytest.fixture
def call(capsys):
    """Run a command in this process; returns status, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    full, part = tmp_path / "karate.npz", tmp_path / "part.npz"
    write_graph(graphs.karate(), full)
    write_graph(sparsify(graphs.karate(), "spanner", 0.6).graph, part)
    return full, part


class Tags(HTMLParser):
    """Counts tags and remembers what is fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.links += [v or "" for k, v in attrs if k in ("src", "href")]


def test_report(call, files, tmp_path):
    page = tmp_path / "report.html"
    status, out, _ = call("report", *files, "--json", "--html", page, "-q", "-f", "all")
    assert status == 0
    facts = json.loads(out)
    want = quality_report(read_graph(files[0]), read_graph(files[1]), "all")
    assert {r["name"]: r["value"] for r in facts["rows"]} == {r.name: r.value for r in want.rows}
    tags = Tags()
    text = page.read_text()
    tags.feed(text)
    assert tags.count["svg"] == 5  # degrees, stretch, spectrum, before, after
    assert tags.links == []
    assert tags.count["line"] == 78 + 47
    assert all(f"<td>{row.name}</td>" in text for row in want.rows)
    status, out, _ = call("report", *files, "-q")
    assert status == 0
    assert re.search(r"^distance +0\.\d{3}", out, re.M)
    status, _, err = call("report", *files, "-f", "speed", "-q")
    assert status == 2
    assert "figures must be one of" in err


def test_compare(call, files, tmp_path):
    page, table, cache = (tmp_path / name for name in ("c.html", "c.csv", "c.jsonl"))
    line = ("compare", files[0], "-m", "spanner,jaccard", "-k", "0.5,0.8", "-f", "distance,degree",
            "--html", page, "--csv", table, "--cache", cache, "-q")  # fmt: skip
    status, out, _ = call(*line)
    assert status == 0
    assert "| spanner |" in out
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 3 * 2 * 2
    assert len(cache.read_text().splitlines()) == len(rows)
    assert call(*line)[1] == out  # from the cache
    tags = Tags()
    tags.feed(page.read_text())
    assert tags.count["svg"] == 2
    assert tags.links == []
    assert tags.count["polyline"] == 6
    status, out, _ = call(*line, "--json")
    assert json.loads(out)["num_edges"] == 78
    status, _, err = call("compare", files[0], "-k", "half")
    assert status == 2
    assert "numbers apart by commas" in err


def test_a_browser_shows_the_pages(call, files, tmp_path):
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs chromium (Debian: apt-get install chromium)")
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    report, table = tmp_path / "report.html", tmp_path / "table.html"
    call("report", *files, "--html", report, "-q")
    call("compare", files[0], "-m", "spanner", "-k", "0.5,0.8", "-f", "distance",
         "--html", table, "-q")  # fmt: skip
    for page in (report, table):
        shot = page.with_suffix(".png")
        done = subprocess.run(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
             "--v=0", f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1200,1300",
             f"--screenshot={shot}", page.as_uri()],
            capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert shot.is_file(), done.stderr[-2000:]
        assert "CONSOLE" not in done.stderr
        pixels = np.asarray(image.open(shot).convert("RGB")).reshape(-1, 3).astype(int)
        assert (np.abs(pixels - [0x33, 0x66, 0xAA]).sum(axis=1) < 30).sum() > 300
        assert (pixels.sum(axis=1) < 200).sum() > 1000


def test_keep_auto(call, files, tmp_path):
    out_file = tmp_path / "out.npz"
    status, out, _ = call("sparsify", files[0], out_file, "-m", "local_degree", "--keep", "auto",
                          "--target", "0.9", "--json", "-q")  # fmt: skip
    assert status == 0
    facts = json.loads(out)
    assert facts["num_kept"] == 39
    assert facts["candidates"]["asked"] == "auto"
    assert facts["details"]["auto"]["value"] == pytest.approx(0.902049910873)
    assert read_graph(out_file).num_edges == 39
    status, out, _ = call("sparsify", files[0], out_file, "--goal", "distances", "--json", "-q")
    assert status == 0
    assert (json.loads(out)["method"], json.loads(out)["num_kept"]) == ("spanner", 41)
    for wrong, message in (
        (("--keep", "half"), "must be a number or auto, got 'half'"),
        (("--keep", "auto", "--num-edges", "3"), "got num_edges=3 beside it"),
        (("--keep", "auto", "-m", "grass"), "needs a method with nested masks"),
        (("--keep", "0.5", "--target", "0.8"), "target can only be given with keep='auto'"),
        (("--goal", "speed"), "goal must be one of 'distances'"),
        (("--goal", "gnn", "-m", "scan"), "give a method or a goal, got both"),
    ):
        status, _, err = call("sparsify", files[0], out_file, *wrong, "-q")
        assert status == 2
        assert message in " ".join(err.split())
