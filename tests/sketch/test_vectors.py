"""FastRP against the reference implementation's and the independent oracle's vectors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from graphsparse import FastRP, Graph, fastrp
from graphsparse.backend import native
from graphsparse.graph import build_csr
from graphsparse.operators.fastrp import run_fastrp
from graphsparse.sketch import FastRPOptions
from graphsparse.sketch.projection import Inputs, Projection

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "fastrp"
REFERENCE = sorted(VECTORS.glob("*_b*.json")) + sorted(VECTORS.glob("*nobeta.json"))
REFERENCE += [VECTORS / "directed6_adj_gauss.json"]
# absolute in float64, relative to the largest entry in float32
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}

pytestmark = pytest.mark.filterwarnings("ignore:.*have no signal")


def load(name: str):
    return json.loads((VECTORS / name).read_text())


def graph_of(n: int, edges, *, directed: bool = True) -> Graph:
    """A graph of stored entries, both directions of an undirected edge among them."""
    table = np.array(edges, dtype=np.float64).reshape(-1, 3)
    row, col = (np.ascontiguousarray(table[:, k].astype(np.int64)) for k in (0, 1))
    pattern, entry = build_csr(row, col, n, mirror=False)
    return Graph(pattern.indptr, pattern.indices, table[entry, 2], directed=directed)


def assert_close(got, want, dtype: str) -> None:
    want = np.array(want, dtype=np.float64)
    scale = 1.0 if dtype == "float64" else max(np.abs(want).max(), 1e-30)
    assert np.abs(got - want).max() <= TOLERANCE[dtype] * scale


def bfloat16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("file", REFERENCE, ids=lambda file: file.stem)
def test_reference_implementation(file: Path, dtype: str) -> None:
    case = json.loads(file.read_text())
    graph = graph_of(case["n"], case["edges"], directed=case["directed"])
    common = {
        "beta": case["beta"] or 0.0,
        "matrix": "transition" if case["matrix"] == "trans" else "adjacency",
        "weights": case["weights"],
        "dtype": dtype,
        "projection": np.array(case["R"]),
    }
    dim = len(case["R"][0])
    state = FastRP(dim, **common).fit(graph, keep_powers=True).state_
    assert np.allclose(state.degree, case["out_degree"], rtol=1e-12)
    for got, want in zip(state.powers, case["U"], strict=True):
        assert_close(got, want, dtype)
    for norm, kind in (("merge", "l2"), (None, "raw")):
        joined = fastrp(graph, dim, combine="concat", row_norm=norm, **common)
        assert_close(joined, case[f"concat_{kind}"], dtype)
        summed = fastrp(graph, dim, row_norm=norm, standardize=False, **common)
        assert_close(summed, case[f"sum_{kind}"], dtype)
        assert_close(fastrp(graph, dim, row_norm=norm, **common), case[f"zscore_{kind}"], dtype)


def test_philox_known_answers() -> None:
    vectors = load("hash_projection.json")
    for known in vectors["known_answers"]:
        c, k = known["counter"], known["key"]
        seed, row = k[0] | k[1] << 32, np.array([c[0] | c[1] << 32], np.uint64)
        first = int(native.draw_a(seed, row, c[2], c[3], 1)[0])
        assert [first % 2**32, first >> 32] == known["out"][:2]
        if c[2] == 0:
            out = np.empty((1, 4), np.uint32)
            native.projection_words(seed, c[3], row.view(np.int64), out)
            assert out[0].tolist() == known["out"]
    assert len(vectors["cases"]) >= 18


@pytest.mark.parametrize("number", range(18))
def test_hash_projection(number: int) -> None:
    case = load("hash_projection.json")["cases"][number]
    rows = np.array([r % 2**64 for r in case["rows"]], np.uint64).view(np.int64)
    dim, seed, tag = case["d"], case["seed"], case["tag"]
    words = np.empty((len(rows), dim), np.uint32)
    native.projection_words(seed % 2**64, tag, rows, words)
    assert words.tolist() == case["words"]
    filled = np.empty((len(rows), dim))
    native.projection_fill(seed % 2**64, case["T"], tag, rows, None, 1.0, 0, dim, filled, 0, 1)
    assert filled.astype(int).tolist() == case["signs"]
    assert FastRPOptions(dim=dim, s=case["s"]).threshold(len(rows)) == case["T"]
    if tag == 0:
        options = FastRPOptions(dim=dim, s=case["s"], seed=seed)
        source = Projection(options, Inputs(rows), np.ones(len(rows))).source()
        assert unpacked(source.x, dim).tolist() == case["signs"]


def unpacked(codes, dim: int):
    """Signs of packed codes."""
    columns = np.arange(dim)
    words = codes[:, columns // 128, columns % 16] >> (2 * (columns % 128 // 16)) & 3
    return np.array([0, 1, 9, -1])[words]


def test_gaussian_projection() -> None:
    case = load("gaussian_projection.json")
    ids = np.array(case["rows"], np.int64)
    options = FastRPOptions(
        dim=case["d"], projection="gaussian", seed=case["seed"], dtype="float64"
    )
    x = Projection(options, Inputs(ids), np.ones(len(ids))).dense()
    assert np.allclose(x * np.sqrt(case["d"]), case["values"], rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", load("dangling.json"), ids=lambda case: case["name"])
def test_dangling(case, dtype: str) -> None:
    graph = graph_of(case["n"], case["edges"])
    options = FastRPOptions(
        dim=case["dim"],
        weights=[1.0] * case["q"],
        **{name: case[name] for name in ("beta", "seed", "s", "dangling", "degree")},
        dtype=dtype,
        combine="concat",
    )
    state = run_fastrp(graph, options, keep_powers=True)
    assert np.allclose(state.ell, case["L"], rtol=1e-14)
    for got, want in zip(state.powers, case["U"], strict=True):
        assert_close(got, want, dtype)
    assert_close(state.embedding, np.concatenate(case["l2"], axis=1), dtype)
    assert state.num_zero_rows == (~np.concatenate(case["l2"], axis=1).any(1)).sum()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", load("inloop_variant.json"), ids=lambda case: case["name"])
def test_in_loop_variant(case, dtype: str) -> None:
    given = dict(case["params"])
    edges = np.array(case["edges"])
    pairs = {(int(i), int(j)): w for i, j, w in edges}
    symmetric = all(pairs.get((j, i)) == w for (i, j), w in pairs.items())
    graph = graph_of(case["n"], case["edges"], directed=not symmetric)
    options = FastRPOptions(
        dim=given["d"],
        weights=given["w"],
        beta=given["nu"],
        seed=given["seed"],
        self_influence=given["omega0"],
        row_norm="loop",
        standardize=False,
        feature_ratio=given.get("ratio", 0.0),
        dtype=dtype,
    )
    state = run_fastrp(graph, options, None, given.get("prop"), keep_powers=True)
    for got, want in zip(state.powers, case["U"], strict=True):
        assert_close(got, want, dtype)
    assert_close(state.embedding, case["out"], dtype)


@pytest.mark.parametrize("case", load("incremental.json"), ids=lambda case: case["name"])
def test_incremental_powers_by_rebuilding(case) -> None:
    after = {(i, j): w for i, j, w in case["edges"]}
    for op, u, v, *w in case["ops"]:
        for pair in ((u, v), (v, u)):
            if op == "set":
                after[pair] = w[0]
            else:
                after.pop(pair)
    options = FastRPOptions(
        dim=case["dim"],
        weights=[1.0] * case["q"],
        **{name: case[name] for name in ("beta", "seed", "s")},
        dtype="float64",
    )
    for edges, wanted in (
        (case["edges"], case["U_before"]),
        ([(i, j, w) for (i, j), w in after.items()], case["U_after"]),
    ):
        graph = graph_of(case["n"], edges, directed=False)
        state = run_fastrp(graph, options, keep_powers=True)
        for got, want in zip(state.powers, wanted, strict=True):
            assert_close(got, want, "float64")
