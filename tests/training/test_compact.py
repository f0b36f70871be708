"""Compact models: same outputs, true byte counts, choices that follow the clock."""

from __future__ import annotations

import importlib
import json

import pytest
import torch
from torch import Tensor, nn

from graphsparse import BackendError, Graph
from graphsparse.models import GAT, GCN, GIN, SAGE, Adjacency, CsrLinear, SparseMatrix
from graphsparse.training import compact, project_l0

module = importlib.import_module("graphsparse.training.compact")  # its function has its name


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(83)
        self.first, self.last = nn.Linear(40, 60), nn.Linear(60, 5, bias=False)
        self.unused = nn.Linear(3, 3)
        nn.init.ones_(self.unused.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(x)))


def ring(n: int) -> Adjacency:
    return Adjacency(Graph.from_edges([(i, (i + 1) % n) for i in range(n)], num_nodes=n))


def clock(monkeypatch: pytest.MonkeyPatch, dense: float, csr: float) -> None:
    """Let the clock show what a test wants; both forms still run."""

    def medians(_: object, first: object, second: object) -> tuple[float, float]:
        first()
        second()
        return dense, csr

    monkeypatch.setattr(module._Clock, "medians", medians)


def test_outputs_and_bytes() -> None:
    model, x = Net(), torch.randn(30, 40)
    project_l0(model, 0.4)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    report = compact(model, x, layout="csr", repeat=3, warmup=0)
    assert all(isinstance(m, CsrLinear) for m in (report.model.first, report.model.last))
    torch.testing.assert_close(report.model(x), model.eval()(x).detach())
    assert report.max_difference == float((report.model(x) - model(x)).detach().abs().max())
    assert all(torch.equal(p, before[n]) for n, p in model.named_parameters())
    kept = {m.name: m.kept for m in report.maps}
    assert set(kept) == {"first.weight", "last.weight", "unused.weight"}
    sizes = {m.name: m.csr_bytes for m in report.maps}
    assert sizes == {n: 8 * kept[n] + 4 * (len(before[n]) + 1) for n in kept}
    biases = 4 * (60 + 3)
    assert report.bytes_before == 4 * sum(p.numel() for p in before.values())
    assert report.bytes_after == sum(sizes.values()) + biases
    assert report.seconds_before > 0
    assert report.seconds_after > 0
    assert report.maps[0].density == kept["first.weight"] / 2400
    assert json.loads(json.dumps(report.as_dict()))["maps"][0]["layout"] == "csr"
    assert "first.weight: 40 -> 60" in str(report)
    assert "ms ->" in str(report)


@pytest.mark.parametrize(("dense", "csr", "chosen"), [(2.0, 1.0, "csr"), (1.0, 2.0, "dense")])
def test_the_clock_decides(
    dense: float, csr: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(monkeypatch, dense, csr)
    report = compact(Net(), torch.randn(4, 40))
    layouts = {m.name: (m.layout, m.reason) for m in report.maps}
    faster = "faster" if chosen == "csr" else "slower"
    reason = f"csr is {faster}: {1e3 * csr:.3f} against {1e3 * dense:.3f} ms"
    assert layouts["first.weight"] == layouts["last.weight"] == (chosen, reason)
    assert layouts["unused.weight"] == ("dense", "the example does not call it")
    assert isinstance(report.model.first, CsrLinear) == (chosen == "csr")


def test_without_example_every_map_is_timed() -> None:
    report = compact(Net(), rows=10, repeat=1, warmup=0)
    assert all(m.dense_seconds > 0 and m.csr_seconds > 0 for m in report.maps)
    assert report.seconds_before is report.seconds_after is report.max_difference is None
    assert compact(Net(), layout="dense").maps[0].reason == "asked for"


def test_sparse_wins_when_almost_nothing_is_left() -> None:
    torch.manual_seed(7)
    layer = nn.Linear(1200, 600)
    project_l0(layer.weight, 0.02)
    report = compact(layer, torch.randn(500, 1200), repeat=7, warmup=1)
    assert isinstance(report.model, CsrLinear)  # the model itself is the map; 5 times faster
    assert report.bytes_after < 0.06 * report.bytes_before


@pytest.mark.parametrize("kind", [GCN, GIN, SAGE, GAT])
@pytest.mark.parametrize("sparse_features", [False, True])
def test_graph_models(kind: type, sparse_features: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(19)
    model, adjacency = kind(30, 24, 4).eval(), ring(50)
    dense = torch.randn(50, 30) * (torch.rand(50, 30) < 0.2)
    x = SparseMatrix.from_dense(dense) if sparse_features else dense
    project_l0(model, 0.2)
    want = model(x, adjacency).detach()
    forced = compact(model, x, adjacency, layout="csr", repeat=1, warmup=0)
    assert len(forced.maps) == sum(1 for _ in model.maps())
    assert forced.bytes_after < forced.bytes_before
    torch.testing.assert_close(forced.model(x, adjacency).detach(), want)
    clock(monkeypatch, 2.0, 1.0)
    layouts = [(m.layout, m.reason) for m in compact(model, x, adjacency).maps]
    sparse_input = ("dense", "its input is sparse")
    assert (sparse_input in layouts) == sparse_features
    assert any(layout == "csr" for layout, _ in layouts)


def test_torch_geometric_layers() -> None:
    from torch_geometric.nn import GCNConv

    torch.manual_seed(11)
    conv = GCNConv(20, 12)
    project_l0(conv, 0.1)
    x, edges = torch.randn(9, 20), torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
    report = compact(conv, x, edges, layout="csr", repeat=1, warmup=0)
    assert isinstance(report.model.lin, CsrLinear)
    with torch.no_grad():
        torch.testing.assert_close(report.model(x, edges), conv(x, edges))


def test_layers_that_reach_into_children_stay() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    with pytest.raises(ValueError, match="TransformerEncoderLayer has no linear map"):
        compact(layer)


def test_other_types_stay_dense() -> None:
    report = compact(nn.Linear(8, 8).bfloat16(), repeat=1)
    assert report.maps[0].reason == "no sparse kernel for torch.bfloat16"
    assert type(report.model) is nn.Linear


def test_two_of_four_needs_pattern_and_gpu() -> None:
    layer = nn.Linear(10, 6)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.weight[0].fill_(0.0)
    with pytest.raises(
        ValueError, match=r"got 4 at output 1, inputs 0 to 3: train with scope='nm'"
    ):
        compact(layer, layout="2:4")
    project_l0(layer, scope="nm", nm=(2, 4))
    with pytest.raises(BackendError, match=r"needs a CUDA GPU .* weight is on cpu"):
        compact(layer, layout="2:4")


@pytest.mark.parametrize(
    ("model", "options", "match"),
    [
        (nn.ReLU(), {}, "ReLU has no linear map"),
        (nn.Linear(2, 2), {"layout": "coo"}, "layout must be one of"),
        (nn.Linear(2, 2), {"rows": 0}, "rows must be >= 1, got 0"),
        (nn.Linear(2, 2), {"repeat": 0}, "repeat must be >= 1, got 0"),
        (nn.Linear(2, 2), {"warmup": -1}, "warmup must be >= 0, got -1"),
    ],
)
def test_bad_input(model: nn.Module, options: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        compact(model, **options)
