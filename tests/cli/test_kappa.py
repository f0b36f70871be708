"""``graphsparse sparsify -m grass|er`` and ``graphsparse kappa`` as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import graphs
import pytest

from graphsparse import Graph, condition_number, grass, sample_by_resistance
from graphsparse.cli import main
from graphsparse.io import read_graph, write_graph


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
def karate(tmp_path: Path) -> Path:
    file = tmp_path / "karate.npz"
    write_graph(graphs.karate(), file)
    return file


def test_sparsify_and_kappa(call, karate, tmp_path):
    part = tmp_path / "part.npz"
    status, out, _ = call("sparsify", karate, part, "-m", "grass", "--set", "alpha=0.2", "--json")
    assert status == 0
    facts = json.loads(out)
    assert facts["num_kept"] == 33 + 6
    assert facts["candidates"]["asked"] is None
    assert facts["details"]["off_tree_edges"] == 6
    assert read_graph(part) == grass(graphs.karate(), alpha=0.2)
    status, out, _ = call("kappa", karate, part, "--json", "--components")
    number = json.loads(out)
    want = condition_number(graphs.karate(), read_graph(part))
    assert status == 0
    assert number["kappa"] == pytest.approx(want.kappa, rel=1e-12)
    assert number["method"] == "dense"
    assert len(number["components"]) == 1
    status, out, _ = call("kappa", karate, part, "-m", "iterative", "--components")
    assert status == 0
    assert f"kappa        {want.kappa:.6g}" in out
    assert "iterative (residual " in out
    assert "component 0  kappa " in out


def test_er_writes_its_weights(call, karate, tmp_path):
    part = tmp_path / "part.npz"
    status, out, _ = call(
        "sparsify", karate, part, "-m", "er", "--keep", 0.5, "--seed", 7, "--connected", "--json"
    )
    assert status == 0
    assert json.loads(out)["details"]["resistances"] == "exact"
    want = sample_by_resistance(graphs.karate(), keep=0.5, seed=7, connected=True)
    assert read_graph(part) == want


def test_infinite_and_missing_numbers(call, tmp_path):
    whole, part, none = (tmp_path / name for name in ("g.npz", "h.npz", "none.npz"))
    write_graph(Graph.from_edges([(0, 1), (1, 2)]), whole)
    write_graph(Graph.from_edges([(0, 1)], num_nodes=3), part)
    write_graph(Graph.from_edges([], num_nodes=3), none)
    status, out, _ = call("kappa", whole, part, "--json")
    assert (status, json.loads(out)["kappa"], json.loads(out)["lambda_max"]) == (0, "inf", None)
    status, out, _ = call("kappa", none, none)
    assert status == 0
    assert "kappa        1" in out


def test_wrong_use(call, karate, tmp_path):
    part = tmp_path / "part.npz"
    for arguments, message in (
        (("sparsify", karate, part, "-m", "grass"), "keep and num_edges, or alpha, got none"),
        (
            ("sparsify", karate, part, "-m", "grass", "--keep", 0.5, "--set", "alpha=0.1"),
            "exactly one of keep, num_edges and alpha",
        ),
        (("kappa", karate, karate, "-m", "lobpcg"), "method must be one of 'auto'"),
        (("kappa", karate, karate, "--tol", 2), "tol must be in (0, 1), got 2.0"),
    ):
        status, out, err = call(*arguments)
        assert (status, out) == (2, "")
        assert message in err
    directed = tmp_path / "directed.npz"
    write_graph(graphs.TOYS["directed cycle"](), directed)
    status, _, err = call("kappa", directed, directed)
    assert status == 2
    assert "graph must be undirected" in err
