"""The page about a run, also as a browser shows it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import graphs
import numpy as np
import pytest

from graphsparse import DynamicSparsifier, Graph, GraphFormatError, grass
from graphsparse.streaming.page import run_page


def lines(count: int) -> list[dict[str, object]]:
    karate = graphs.karate()
    stream = DynamicSparsifier(karate, grass(karate, alpha=0.2), K=4)
    rows = []
    for number in range(1, count + 1):
        report = stream.update(
            inserts=[(number % 34, (5 * number + 2) % 34)], deletes=[(0, number)]
        )
        rows.append({"batch": number, **report.summary(), "read": 2 * number, "rejected_rows": 0})
        rows[-1]["kappa"] = "inf" if number == 3 else stream.kappa().kappa
    return rows


def test_the_page_has_every_curve_and_both_drawings() -> None:
    karate = graphs.karate()
    page = run_page(lines(12), graph=karate, sparsifier=grass(karate, alpha=0.2))
    assert page.count("<polyline") == 4
    assert page.count("<circle") == 2 * 34
    assert "graph: 78 edges" in page
    assert "http" not in page
    large = Graph.from_edges((np.arange(500), np.arange(1, 501)))
    assert "501 nodes have edges; graphs are drawn up to 400" in run_page(
        lines(1), graph=large, sparsifier=large
    )


def test_lines_that_are_none() -> None:
    with pytest.raises(GraphFormatError, match="got none"):
        run_page([])
    row = lines(1)[0]
    short = {name: value for name, value in row.items() if name not in ("updates", "seconds")}
    with pytest.raises(GraphFormatError, match="line 2 of the metrics lacks seconds, updates"):
        run_page([row, short])


def test_a_browser_shows_it(tmp_path: Path) -> None:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs chromium (Debian: apt-get install chromium)")
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    karate = graphs.karate()
    file, shot = tmp_path / "page.html", tmp_path / "page.png"
    file.write_text(run_page(lines(12), graph=karate, sparsifier=grass(karate, alpha=0.2)))
    done = subprocess.run(
        [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--enable-logging=stderr", "--v=0", f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1100,1900", f"--screenshot={shot}", file.as_uri(),
        ],
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert shot.is_file(), done.stderr[-2000:]
    assert "CONSOLE" not in done.stderr
    pixels = np.asarray(image.open(shot).convert("RGB")).reshape(-1, 3).astype(int)
    blue = (np.abs(pixels - [0x26, 0x63, 0xA6]).sum(axis=1) < 40).sum()
    dark = (pixels.sum(axis=1) < 200).sum()
    assert blue > 1000
    assert dark > 1000


def test_the_command(call, tmp_path: Path) -> None:
    metrics, out = tmp_path / "m.jsonl", tmp_path / "page.html"
    metrics.write_text("".join(json.dumps(line) + "\n" for line in lines(5)))
    status, _, err = call("stream", "report", metrics, out)
    assert status == 0, err
    assert out.read_text().startswith("<!doctype html>")
    metrics.write_text("{}\nrubbish\n")
    status, _, err = call("stream", "report", metrics, out)
    assert status == 3
    assert "m.jsonl:2: expected a JSON object" in err
