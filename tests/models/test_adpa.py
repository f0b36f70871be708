"""ADPA against the published vectors, explicit operators, and itself in other batches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from graphs import random_graph

import graphsparse as gs
from graphsparse import Graph
from graphsparse.models import ADPA, SparseMatrix
from graphsparse.models.adpa_attention import HOP_MODES, PATTERN_MODES, soft_weights
from graphsparse.models.adpa_features import (
    PATTERNS,
    Propagation,
    beta,
    cached_features,
    propagate,
)
from graphsparse.models.adpa_operators import Operators
from graphsparse.models.hop_attention import (
    composed_scores,
    composed_sum,
    hop_scores,
    hop_sum,
)

FILE = Path(__file__).resolve().parents[1] / "vectors" / "amud-adpa" / "adpa_forward.json"
CASES = json.loads(FILE.read_text())["cases"]
CHANNELS = ("a", "at", "aa", "aat", "ata", "atat")
DIRECTED = random_graph(5, n=14, m=40, directed=True)


def graph_of(case: dict[str, Any]) -> Graph:
    return Graph.from_edges(case["edges"], num_nodes=case["n"], directed=True)


def features_of(case: dict[str, Any], norm: str = "reference") -> np.ndarray:
    options = Propagation(case["K"], case["r"], norm)
    return propagate(graph_of(case), np.array(case["X"]), options, dtype=np.float64)


def model_of(case: dict[str, Any], **options: Any) -> ADPA:
    """Return the model of a case with the parameters that it names."""
    model = ADPA(
        len(case["X"][0]), case["hidden"], case["classes"], num_hops=case["K"],
        num_layers=case["L"], r=case["r"], norm="reference",
        hop_attention=case["hop_attention"], dp_attention=case["dp_attention"], **options,
    ).double().eval()  # fmt: skip
    given = {name: torch.tensor(v, dtype=torch.float64) for name, v in case["params"].items()}
    state = model.state_dict()
    for mine, theirs in (("weight", "weight"), ("bias", "bias"), ("logits", "logits")):
        if f"hop.{mine}" in state:
            values = [given[f"hop.{d}.{theirs}"].reshape(-1) for d in CHANNELS]
            state[f"hop.{mine}"] = torch.cat(values)
    for at, channel in enumerate(("o", *CHANNELS)):
        for layer in range(case["L"]):
            for part in ("weight", "bias"):
                state[f"mlps.{at}.{layer}.{part}"] = given[f"mlp.{channel}.{layer}.{part}"]
    if case["dp_attention"] == "original":
        scales = [given[f"dp.{c}.scale"].reshape(()) for c in ("o", *CHANNELS)]
        state["head.scale"] = torch.stack(scales)
    elif case["dp_attention"] == "gate":
        state["head.weight"] = given["dp.weight"].reshape(-1)
        state["head.bias"] = given["dp.bias"].reshape(-1)
    else:
        state["head.map.weight"], state["head.map.bias"] = given["dp.weight"], given["dp.bias"]
    state["head.out.weight"], state["head.out.bias"] = given["out.weight"], given["out.bias"]
    model.load_state_dict(state)
    return model


def all_cases(key: str | None = None) -> pytest.MarkDecorator:
    """Run a test on the cases that hold ``key``: some fields are there for small graphs only."""
    held = [c for c in CASES if key is None or c.get(key)]
    assert len(held) >= 5
    return pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in held])


@all_cases()
def test_hop_features(case: dict[str, Any]) -> None:
    found = features_of(case)
    hops = case["K"]
    for hop in range(1, hops + 1):
        assert beta(hop) == pytest.approx(case["beta"][hop - 1], abs=1e-12)
    for d, name in enumerate(CHANNELS):
        mine = np.stack([found[:, 0], *(found[:, 1 + d * hops + k] for k in range(hops))])
        sums = case["hop_feature_sums"][name]
        assert mine.sum(axis=(1, 2)) == pytest.approx(np.array(sums), abs=2e-5)
        if case["hop_features"]:
            assert mine == pytest.approx(np.array(case["hop_features"][name]), abs=2e-6)


@all_cases("operators")
def test_operators(case: dict[str, Any]) -> None:
    for key, norm in (("operators", "reference"), ("operators_rowcol", "row_col")):
        options = Propagation(1, case["r"], norm)
        found = propagate(graph_of(case), np.eye(case["n"]), options, dtype=np.float64)
        for d, name in enumerate(CHANNELS):
            explicit = np.array(case[key][name])
            assert found[:, 1 + d] / beta(1) == pytest.approx(explicit, abs=2e-6), (key, name)


@all_cases()
def test_logits(case: dict[str, Any]) -> None:
    features = torch.from_numpy(features_of(case))
    compat = model_of(case, reference_compat=True)(features)
    assert compat.detach().numpy() == pytest.approx(np.array(case["logits_reference"]), abs=2e-6)
    mine = model_of(case)(features).detach().numpy()
    if "logits_per_node" in case:
        assert mine == pytest.approx(np.array(case["logits_per_node"]), abs=2e-6)
        assert mine != pytest.approx(np.array(case["logits_reference"]), abs=2e-4)
    else:
        assert mine == pytest.approx(np.array(case["logits_reference"]), abs=2e-6)


@all_cases("hop_weights_per_node")
def test_hop_weights(case: dict[str, Any]) -> None:
    features = torch.from_numpy(features_of(case))
    weights = model_of(case).hop.weights(features).detach().numpy()
    for d, name in enumerate(CHANNELS):
        want = np.array(case["hop_weights_per_node"][name])
        assert weights[:, d] == pytest.approx(want, abs=2e-6)


@all_cases("aggregated_reference")
def test_aggregation_of_the_reference(case: dict[str, Any]) -> None:
    features = torch.from_numpy(features_of(case))
    aggregated = model_of(case, reference_compat=True).hop(features).detach().numpy()
    for d, name in enumerate(CHANNELS):
        want = np.array(case["aggregated_reference"][name])
        assert aggregated[:, d] == pytest.approx(want, abs=2e-6)


def worked_example(norm: str, *, compat: bool) -> list[float]:
    graph = Graph.from_edges([(0, 1), (1, 2), (0, 2)], num_nodes=3, directed=True)
    model = ADPA(
        1, 1, 1, num_hops=1, num_layers=1, norm=norm, reference_compat=compat
    ).double().eval()  # fmt: skip
    with torch.no_grad():
        model.hop.weight.copy_(torch.tensor([0.5, -0.25, 1.0]).repeat(6))
        model.hop.bias.fill_(0.1)
        for stack in model.mlps:
            stack[0].weight.fill_(1.0)
            stack[0].bias.fill_(0.5)
        model.head.scale.copy_(torch.tensor([1.0] + [0.5] * 6))
        model.head.out.weight.fill_(1.0)
        model.head.out.bias.fill_(0.0)
    x = np.array([[1.0], [2.0], [-1.0]])
    features = propagate(graph, x, model.propagation, dtype=np.float64)
    return model(torch.from_numpy(features))[:, 0].tolist()


def test_worked_example_of_the_spec() -> None:
    printed = {
        ("reference", False): (5.341997, 8.164173, 0.523657),
        ("reference", True): (5.220354, 7.528531, 0.183973),
        ("row_col", False): (5.184159, 8.153814, 0.684456),
        ("row_col", True): (4.981124, 7.550684, 0.276807),
    }
    for (norm, compat), logits in printed.items():
        assert worked_example(norm, compat=compat) == pytest.approx(logits, abs=2e-6)


def explicit_operators(graph: Graph, r: float, norm: str) -> dict[str, np.ndarray]:
    a = graph.without_self_loops().coalesce().to_scipy().toarray().astype(float)
    t, eye = a.T, np.eye(len(a))
    products = {"A": a + eye, "AT": t + eye, "AA": a @ a, "AAT": a @ t, "ATA": t @ a, "ATAT": t @ t}

    def power(s: np.ndarray, e: float) -> np.ndarray:
        return np.ones_like(s) if e == 0 else np.where(s > 0, np.where(s > 0, s, 1.0) ** e, 0.0)

    found = {}
    for name, q in products.items():
        right = q.sum(axis=1) if norm == "reference" else q.sum(axis=0)
        found[name] = power(q.sum(axis=1), r - 1)[:, None] * q * power(right, -r)
    return found


@pytest.mark.filterwarnings("ignore:the graph is symmetric")
def test_chained_products_equal_explicit_ones() -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n, m = int(rng.integers(1, 18)), int(rng.integers(0, 50))
        graph = random_graph(seed, n=n, m=m, directed=True, weighted=bool(seed % 2))
        r, norm = float(rng.choice([0.0, 0.3, 1.0])), ("row_col", "reference")[seed % 2]
        x = rng.normal(size=(graph.num_nodes, 5))
        found = propagate(graph, x, Propagation(3, r, norm), dtype=np.float64, columns=2)
        for d, (name, q) in enumerate(explicit_operators(graph, r, norm).items()):
            assert name == PATTERNS[d]
            want = x
            for hop in range(1, 4):
                want = q @ (beta(hop) * want)
                assert found[:, d * 3 + hop] == pytest.approx(want, rel=1e-9, abs=1e-9)
        single = propagate(graph, x, Propagation(3, r, norm))
        assert single == pytest.approx(found, rel=1e-4, abs=1e-5)


def test_rows_sum_to_one_without_exponent() -> None:
    ones = np.ones((14, 1))
    found = propagate(DIRECTED, ones, Propagation(1, 0.0), dtype=np.float64)[:, 1:, 0] / beta(1)
    assert np.all(np.isclose(found, 1.0) | (found == 0.0))
    assert np.allclose(found[:, :2], 1.0), "one step has a self-loop everywhere"


def test_the_norms_agree_on_symmetric_graphs() -> None:
    graph, x = DIRECTED.symmetrize(), np.random.default_rng(3).normal(size=(14, 3))
    with pytest.warns(UserWarning, match="the graph is symmetric"):
        both = [propagate(graph, x, Propagation(2, 0.4, norm)) for norm in ("row_col", "reference")]
    assert both[0] == pytest.approx(both[1], abs=1e-6)
    two = propagate(graph, x, Propagation(2, 0.4, patterns=("A", "AA")))
    assert np.array_equal(two[:, 1:3], both[0][:, 1:3])
    assert np.array_equal(two[:, 3:], both[0][:, 5:7])


def test_kinds_of_features_and_places_of_results(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    x = (rng.random((14, 9)) * (rng.random((14, 9)) < 0.4)).astype(np.float32)
    want = propagate(DIRECTED, x)
    for given in (
        torch.from_numpy(x),
        sp.csr_array(x),
        SparseMatrix.from_dense(torch.from_numpy(x)),
    ):
        assert np.array_equal(propagate(DIRECTED, given, columns=4), want)
    rows = [3, 0, 11]
    assert np.array_equal(propagate(DIRECTED, x, rows=rows), want[rows])
    file = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", np.float32, (14, 13, 9))
    assert propagate(DIRECTED, x, out=file) is file
    assert np.array_equal(file, want)


def test_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import graphsparse.models.adpa_features as module

    x = np.random.default_rng(2).random((14, 4)).astype(np.float32)
    first = cached_features(tmp_path, DIRECTED, x)
    assert np.array_equal(first, propagate(DIRECTED, x))
    with monkeypatch.context() as patch:
        patch.setattr(module, "propagate", None)
        assert np.array_equal(cached_features(tmp_path, DIRECTED, x), first)
    model = ADPA(4, 3, 2)
    assert torch.equal(model.precompute(DIRECTED, x, cache=tmp_path), model.precompute(DIRECTED, x))
    other = random_graph(6, n=14, m=40, directed=True)
    changed = [
        (DIRECTED, x + 1, None),
        (other, x, None),
        (DIRECTED, x, Propagation(r=0.4)),
        (DIRECTED, x, Propagation(num_hops=1)),
        (DIRECTED, x, Propagation(norm="reference")),
    ]
    for graph, features, options in changed:
        cached_features(tmp_path, graph, features, options)
    assert len(list(tmp_path.iterdir())) == 1 + len(changed)
    with pytest.raises(ValueError, match="x must be finite"):
        cached_features(tmp_path, DIRECTED, np.full((14, 1), np.nan))
    assert len(list(tmp_path.iterdir())) == 1 + len(changed), "a failed run leaves no file"
    with pytest.raises(ValueError, match="out and rows cannot be given with cache"):
        model.precompute(DIRECTED, x, cache=tmp_path, rows=[1])


@pytest.mark.parametrize("hop", HOP_MODES)
@pytest.mark.parametrize("dp", PATTERN_MODES)
def test_batches_and_node_order_do_not_matter(hop: str, dp: str) -> None:
    torch.manual_seed(4)
    x = torch.randn(14, 5, dtype=torch.float64)
    model = ADPA(5, 6, 3, hop_attention=hop, dp_attention=dp).double().eval()
    features = torch.from_numpy(propagate(DIRECTED, x, model.propagation, dtype=np.float64))
    whole = model(features)
    ids = torch.randperm(14)
    parts = torch.cat([model(features, ids[:5]), model(features, ids[5:])])
    assert torch.allclose(parts, whole[ids], atol=1e-12)
    order = np.random.default_rng(1).permutation(14)
    place = np.argsort(order)
    u, v = DIRECTED.edges()
    moved = Graph.from_edges((place[u], place[v]), num_nodes=14, directed=True)
    turned = propagate(moved, x[order], model.propagation, dtype=np.float64)
    assert torch.allclose(model(torch.from_numpy(turned)), whole[order], atol=1e-10)


@pytest.mark.parametrize("references", [0, 1, 4])
def test_fused_attention_equals_composed(references: int) -> None:
    for seed, (rows, patterns, width) in enumerate([(1, 1, 1), (5, 2, 17), (9, 6, 600), (0, 3, 4)]):
        torch.manual_seed(seed)
        features = torch.randn(rows, 1 + 3 * patterns, width, dtype=torch.float64)
        vectors = torch.randn(patterns, references + 1, width, dtype=torch.float64)
        alpha = torch.randn(rows, patterns, 4, dtype=torch.float64)
        upper = [torch.randn(rows, patterns, 4), torch.randn(rows, patterns, width)]
        found = []
        for scores, total in ((hop_scores, hop_sum), (composed_scores, composed_sum)):
            v, a = vectors.clone().requires_grad_(), alpha.clone().requires_grad_()
            outs = [scores(features, v), total(features, a)]
            sum((o * u.double()).sum() for o, u in zip(outs, upper, strict=True)).backward()
            found.append([*outs, v.grad, a.grad])
        for mine, want in zip(*found, strict=True):
            assert torch.allclose(mine, want, atol=1e-9)


def test_fused_attention_has_the_same_bits_with_any_number_of_threads() -> None:
    torch.manual_seed(1)
    features, vectors = torch.randn(300, 13, 700), torch.randn(6, 4, 700, requires_grad=True)
    found = []
    try:
        for threads in (1, 3):
            gs.set_num_threads(threads)
            vectors.grad = None
            scores = hop_scores(features, vectors)
            hop_sum(features, soft_weights(scores)).square().sum().backward()
            found.append((scores.detach(), vectors.grad))
    finally:
        gs.set_num_threads(0)
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_every_parameter_learns() -> None:
    for hop in HOP_MODES:
        for dp in PATTERN_MODES:
            torch.manual_seed(7)
            model = ADPA(5, 6, 3, hop_attention=hop, dp_attention=dp, dropout=0.0)
            features = model.precompute(DIRECTED, torch.randn(14, 5))
            torch.nn.functional.cross_entropy(model(features), torch.arange(14) % 3).backward()
            for name, parameter in model.named_parameters():
                assert parameter.grad is not None, (hop, dp, name)
                assert parameter.grad.abs().sum() > 0, (hop, dp, name)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(1)
    model = ADPA(5, 16, 3)
    features = model.precompute(DIRECTED, torch.randn(14, 5))
    assert not torch.equal(model(features), model(features))
    model.eval()
    assert torch.equal(model(features), model(features))


def test_compat_mixes_nodes_and_refuses_batches() -> None:
    torch.manual_seed(2)
    model = ADPA(5, 6, 3, reference_compat=True).eval()
    features = model.precompute(DIRECTED, torch.randn(14, 5))
    assert model.needs_all_rows
    with pytest.raises(ValueError, match="rows must be None with reference_compat=True"):
        model(features, torch.arange(3))
    assert not ADPA(5, 6, 3, hop_attention="gate", reference_compat=True).needs_all_rows


def test_edge_cases() -> None:
    empty = propagate(Graph.from_edges([], num_nodes=0, directed=True), np.zeros((0, 3)))
    assert empty.shape == (0, 13, 3)
    bare = Graph.from_edges([], num_nodes=3, directed=True)
    x = np.arange(6.0).reshape(3, 2)
    alone = propagate(bare, x, Propagation(1), dtype=np.float64)
    assert alone[:, 1] / beta(1) == pytest.approx(x)
    assert not alone[:, 3:].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"r": 1.2}, "r must be in [0, 1], got 1.2"),
        ({"num_hops": 0}, "num_hops must be >= 1, got 0"),
        ({"num_layers": 0}, "num_layers must be >= 1, got 0"),
        ({"norm": "sym"}, "norm must be one of 'row_col', 'reference', got 'sym'"),
        ({"hop_attention": "x"}, "hop_attention must be one of"),
        ({"dp_attention": "x"}, "dp_attention must be one of"),
        ({"dropout": 2.0}, "dropout must be in [0, 1], got 2.0"),
        ({"patterns": ("A", "A")}, "patterns must be one or more, each once, got ('A', 'A')"),
        ({"patterns": ("AAA",)}, "patterns must be one of"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        ADPA(3, 4, 2, **options)
    assert str(error.value).startswith(message)


def test_wrong_inputs() -> None:
    x = np.ones((14, 2))
    with pytest.raises(ValueError, match=r"x must have shape \(14, features\), got \(13, 2\)"):
        propagate(DIRECTED, x[:13])
    with pytest.raises(ValueError, match="x must be finite, got inf at node 0, feature 1"):
        propagate(DIRECTED, x * [[1.0, np.inf]])
    with pytest.raises(ValueError, match=r"out must be float32 or float64 of shape \(14, 13, 2\)"):
        propagate(DIRECTED, x, out=np.zeros((14, 12, 2)))
    with pytest.raises(ValueError, match=r"rows must be in \[0, 14\), got 14"):
        propagate(DIRECTED, x, rows=[14])
    negative = Graph.from_edges([(0, 1)], weights=[-1.0], directed=True)
    with pytest.raises(ValueError, match=r"weights that are not negative, got -1.0 at arc 0"):
        Operators(negative)
    with pytest.raises(ValueError, match=r"features must have shape \(n, 13, 2\)"):
        ADPA(2, 3, 2)(torch.zeros(4, 12, 2))


def test_hops_without_the_published_factor() -> None:
    x = np.random.default_rng(3).normal(size=(DIRECTED.num_nodes, 2))
    plain = propagate(DIRECTED, x, Propagation(3, hop_scale="one"), dtype=np.float64)
    scaled = propagate(DIRECTED, x, Propagation(3), dtype=np.float64)
    factors = np.cumprod([beta(hop) for hop in (1, 2, 3)])
    for d in range(len(PATTERNS)):
        for k, factor in enumerate(factors):
            at = 1 + 3 * d + k
            assert scaled[:, at] == pytest.approx(factor * plain[:, at], abs=1e-12)
    with pytest.raises(ValueError, match="hop_scale must be one of 'log', 'one', got 'log2'"):
        Propagation(hop_scale="log2")


def test_input_dropout_acts_in_training_only() -> None:
    model = ADPA(3, 4, 2, num_hops=1, dropout=0.0, input_dropout=0.5)
    features = model.precompute(DIRECTED, np.ones((DIRECTED.num_nodes, 3)))
    first, second = model(features), model(features)
    assert not torch.equal(first, second)
    model.eval()
    assert torch.equal(model(features), model(features))
    with pytest.raises(ValueError, match=r"input_dropout must be in \[0, 1\], got 1.5"):
        ADPA(3, 4, 2, input_dropout=1.5)
