"""What FastRP promises whatever the graph: the ten invariants, on random graphs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from graphs import TOYS, random_graph
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles_fastrp import (
    adjacency,
    directions,
    embedding,
    factors,
    in_loop,
    normal_matrix,
    powers,
    sign_matrix,
    transition,
)

from graphsparse import FastRP, Graph, fastrp
from graphsparse.backend import native
from graphsparse.operators.fastrp import run_fastrp
from graphsparse.sketch import FastRPOptions
from graphsparse.sketch.projection import Inputs, Projection
from graphsparse.sketch.rows import Rows, Sink, Source, fresh, multiply

pytestmark = pytest.mark.filterwarnings("ignore:.*have no signal")
many = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
kinds = st.tuples(
    st.integers(0, 10**6),
    st.integers(1, 25),
    st.integers(0, 80),
    st.booleans(),
    st.booleans(),
    st.integers(1, 40),
)


def make(kind) -> tuple[Graph, int, np.random.Generator]:
    seed, n, m, directed, weighted, dim = kind
    graph = random_graph(seed, n, m, directed=directed, weighted=weighted)
    return graph, dim, np.random.default_rng(seed)


def kept_powers(graph: Graph, dim: int, start, q: int = 4, **options):
    model = FastRP(dim, weights=[1.0] * q, projection=start, dtype="float64", **options)
    return model.fit(graph, keep_powers=True).state_.powers


@many
@given(kinds, st.sampled_from([-1.0, -0.5, 0.0, 0.25]))
def test_powers_equal_dense_products(kind, beta: float) -> None:
    graph, dim, rng = make(kind)
    start = rng.standard_normal((graph.num_nodes, dim))
    a = adjacency(graph)
    x = factors(a.sum(1), beta)[:, None] * start
    want = powers(transition(a), x, 4)
    for got, u in zip(kept_powers(graph, dim, start, beta=beta), want, strict=True):
        assert np.abs(got - u).max() <= 1e-12 * max(np.abs(u).max(), 1.0)


@many
@given(kinds)
def test_embedding_equals_the_twin(kind) -> None:
    graph, dim, _ = make(kind)
    start = sign_matrix(7, range(graph.num_nodes), dim, 3.0)
    weights = (0.5, 0, 1, 2)
    want = embedding(graph, start, weights, -0.5, standardize=False, omega=0.25)
    # Rounding moves a row by its share of the largest one, hence the direction of a short row far.
    a = adjacency(graph)
    x = factors(a.sum(1), -0.5)[:, None] * start
    share = np.zeros(graph.num_nodes)
    for alpha, u in zip(weights, powers(transition(a), x, 4), strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):
            short = np.linalg.norm(x, axis=1).max(initial=0.0) / np.linalg.norm(u, axis=1)
        share += alpha * np.nan_to_num(short, posinf=np.inf) if alpha else 0.0
    options = {"weights": weights, "self_influence": 0.25, "seed": 7}
    for dtype, tolerance in (("float64", 1e-10), ("float32", 2e-5)):
        got = fastrp(graph, dim, standardize=False, dtype=dtype, **options)
        assert (np.abs(got - want).max(axis=1) <= tolerance * (1 + share)).all()


@many
@given(kinds)
def test_linear_in_the_projection(kind) -> None:
    graph, dim, rng = make(kind)
    one, two = rng.standard_normal((2, graph.num_nodes, dim))
    parts = (kept_powers(graph, dim, start) for start in (one, two, one + two))
    for a, b, both in zip(*parts, strict=True):
        assert np.allclose(a + b, both, rtol=1e-10, atol=1e-12)
    same = {"weights": (1, 2, 3), "standardize": False, "dtype": "float64"}
    scaled = fastrp(graph, dim, projection=7.5 * one, **same)
    assert np.allclose(scaled, fastrp(graph, dim, projection=one, **same), atol=1e-10)


@many
@given(kinds)
def test_permutation_equivariance(kind) -> None:
    graph, dim, rng = make(kind)
    n = graph.num_nodes
    order = rng.permutation(n)  # old node order[i] becomes node i
    place = np.argsort(order)
    u, v = graph.edges()
    moved = Graph.from_edges(
        (place[u], place[v]), num_nodes=n, weights=graph.edge_weights(), directed=graph.directed
    )
    ids = rng.permutation(10 * n)[:n] - 3
    # rows that are zero but for rounding have no direction: merge the powers as they are
    same = {"dtype": "float64", "standardize": False, "weights": (1, 1, 2), "row_norm": None}
    before = fastrp(graph, dim, node_ids=ids, **same)
    after = fastrp(moved, dim, node_ids=ids[order], **same)
    assert np.allclose(after, before[order], atol=1e-12)


@many
@given(kinds, kinds)
def test_disjoint_union_changes_nothing(first, second) -> None:
    one, dim, _ = make(first)
    two = random_graph(second[0], second[1], second[2], directed=one.directed)
    if one.weights is not None:
        one = Graph(one.indptr, one.indices, None, one.directed)
    n = one.num_nodes
    (a, b), (c, d) = one.edges(), two.edges()
    union = Graph.from_edges(
        (np.r_[a, c + n], np.r_[b, d + n]), num_nodes=n + two.num_nodes, directed=one.directed
    )
    ids = np.arange(union.num_nodes) * 17
    whole = fastrp(union, dim, node_ids=ids, standardize=False)
    parts = [
        fastrp(part, dim, node_ids=own, standardize=False)
        for part, own in ((one, ids[:n]), (two, ids[n:]))
    ]
    assert np.array_equal(whole, np.concatenate(parts))


@many
@given(kinds)
def test_no_row_grows(kind) -> None:
    graph, dim, _ = make(kind)
    state = FastRP(dim, weights=[1] * 5, dtype="float64").fit(graph, keep_powers=True).state_
    start = Projection(state.options, Inputs(), state.ell).dense()
    bound = np.linalg.norm(start, axis=1).max() * (1 + 1e-12)
    for power in state.powers:
        assert np.linalg.norm(power, axis=1).max() <= bound


def test_johnson_lindenstrauss() -> None:
    graph = random_graph(11, 40, 160)
    a = adjacency(graph)
    matrix = np.linalg.matrix_power(transition(a), 2) * factors(a.sum(1), -0.5)
    pairs = np.random.default_rng(5).integers(0, 40, (60, 2))
    exact = ((matrix[pairs[:, 0]] - matrix[pairs[:, 1]]) ** 2).sum(1)
    pairs, exact = pairs[exact > 1e-12], exact[exact > 1e-12]
    spread = []
    for dim in (16, 64, 256):
        means, errors = [], []
        for seed in range(200):
            model = FastRP(dim, weights=(0, 1), seed=seed, dtype="float64")
            u = model.fit(graph, keep_powers=True).state_.powers[1]
            got = ((u[pairs[:, 0]] - u[pairs[:, 1]]) ** 2).sum(1)
            error = got / exact - 1
            means.append(error.mean())
            errors.append(error)
        assert abs(np.mean(means)) < 3 * np.std(means, ddof=1) / math.sqrt(200)
        spread.append(np.var(errors))
    assert 3 < spread[0] / spread[1] < 5.3
    assert 3 < spread[1] / spread[2] < 5.3


@pytest.mark.parametrize("s", [1.0, 3.0, 50.0])
def test_sign_statistics(s: float) -> None:
    from scipy.stats import chi2_contingency

    rows, dim, threshold = 4000, 64, round(2**31 / s)
    signs = np.empty((rows, dim))
    native.projection_fill(991, threshold, 0, None, None, 1.0, 0, dim, signs, 0, 2)
    share = 2 * threshold / 2**32
    count = rows * dim
    assert abs(np.mean(signs != 0) - share) <= 4 * math.sqrt(share * (1 - share) / count)
    assert abs(signs.mean()) < 4 * math.sqrt(share / count)
    for a, b in (
        (signs[:, 0], signs[:, 1]),  # columns of one counter
        (signs[:, 3], signs[:, 4]),  # columns of two counters
        (signs[:-1].ravel(), signs[1:].ravel()),  # rows
    ):
        table = np.array([[np.sum((a == x) & (b == y)) for y in set(b)] for x in set(a)])
        assert chi2_contingency(table).pvalue > 1e-4


@many
@given(kinds, st.sampled_from(["sparse", "gaussian"]), st.sampled_from([None, "bfloat16"]))
def test_threads_and_index_types_leave_the_bits(kind, projection: str, storage) -> None:
    graph, dim, _ = make(kind)
    options = {"projection": projection, "storage_dtype": storage, "self_influence": 0.5}
    want = fastrp(graph, dim, n_threads=1, **options)
    assert np.array_equal(want, fastrp(graph, dim, n_threads=2, **options))
    assert np.array_equal(want, fastrp(graph, dim, n_threads=8, **options))
    wide = Graph._trusted(
        graph.indptr, graph.indices.astype(np.int64), graph.weights, graph.directed
    )
    assert np.array_equal(want, fastrp(wide, dim, **options))


@many
@given(kinds)
def test_coo_input_equals_csr(kind) -> None:
    import scipy.sparse as sp

    graph, dim, rng = make(kind)
    csr = graph.to_scipy()
    coo = csr.tocoo()
    order = rng.permutation(len(coo.data))
    shuffled = sp.coo_array((coo.data[order], (coo.row[order], coo.col[order])), coo.shape)
    a, b = fastrp(csr, dim, standardize=False), fastrp(shuffled, dim, standardize=False)
    assert np.allclose(a, b, atol=1e-5)
    if not graph.has_parallel_edges:
        assert np.array_equal(a, b)


def big_hub(n: int = 20_000) -> Graph:
    """A star whose centre has five pieces, and some more arcs."""
    rng = np.random.default_rng(3)
    spokes = np.stack((np.zeros(n - 1, np.int64), np.arange(1, n)), 1)
    return Graph.from_edges(np.concatenate((spokes, rng.integers(0, n, (60_000, 2)))), num_nodes=n)


@pytest.mark.parametrize("dim", [5, 16, 72, 150])
@pytest.mark.parametrize("options", [{}, {"projection": "gaussian"}, {"storage_dtype": "bfloat16"}])
def test_hubs_are_cut_the_same_way_by_all_threads(dim: int, options) -> None:
    graph = big_hub()
    assert graph.degree.max() > 4 * 4096
    want = fastrp(graph, dim, n_threads=1, **options)
    for threads in (2, 8):
        assert np.array_equal(want, fastrp(graph, dim, n_threads=threads, **options))


def test_a_hub_is_summed_right() -> None:
    graph = big_hub(9_000)
    start = np.random.default_rng(8).standard_normal((9_000, 24))
    csr = graph.to_scipy()
    x = (csr.sum(1) ** -0.5)[:, None] * start
    for power in kept_powers(graph, 24, start, q=3):
        x = (csr @ x) / csr.sum(1)[:, None]
        assert np.abs(power - x).max() < 1e-12


@many
@given(kinds, st.sampled_from([4, 8, 12, 64]), st.sampled_from(["merge", None]))
def test_column_shards_equal_one_machine(tmp_path_factory, kind, shard: int, norm) -> None:
    graph, dim, _ = make(kind)
    options = {"row_norm": norm, "standardize": False, "self_influence": 0.5, "dtype": "float64"}
    options["projection"] = "gaussian" if dim % 2 else "sparse"
    whole = fastrp(graph, dim, **options)
    out = np.empty_like(whole)
    fastrp(graph, dim, out=out, shard_dim=shard, **options)
    assert np.abs(out - whole).max() <= 1e-12 * max(1.0, np.abs(whole).max())


@many
@given(kinds)
def test_row_shards_equal_one_machine(kind) -> None:
    graph, dim, rng = make(kind)
    n = graph.num_nodes
    x = fresh(n, dim, np.float32)
    x[:] = rng.standard_normal((n, dim))
    values = None if graph.weights is None else graph.weights.astype(np.float32)
    rows = Rows(graph.indptr[:-1], graph.indptr[1:], graph.indices, values, np.full(n, 0.5))
    whole = fresh(n, dim, np.float32)
    multiply(rows, Source(x), dim, Sink(power=whole), 1, dtype=np.float32)
    for part in np.array_split(rng.permutation(n), 3):
        block = fresh(len(part), dim, np.float32)
        sink = Sink(power=block)
        multiply(rows, Source(x), dim, sink, 1, dtype=np.float32, subset=part)
        assert np.array_equal(block, whole[part])


@many
@given(kinds, st.floats(0, 1))
def test_in_loop_and_properties_equal_the_twin(kind, ratio: float) -> None:
    graph, dim, rng = make(kind)
    n = graph.num_nodes
    features = rng.standard_normal((n, 3))
    base = dim - math.floor(ratio * dim)
    count = (adjacency(Graph(graph.indptr, graph.indices, None, graph.directed)) > -1).sum(1) * 0.0
    count += np.diff(graph.indptr)
    start = np.empty((n, dim))
    if base:
        signs = sign_matrix(5, range(n), base, 3.0)
        start[:, :base] = factors(count, -0.25)[:, None] * signs
    if base < dim:
        start[:, base:] = features @ sign_matrix(5, range(3), dim - base, 3.0, tag=1)
    a = adjacency(graph)
    options = FastRPOptions(
        dim=dim, weights=(1, 0.5), beta=-0.25, seed=5, row_norm="loop", feature_ratio=ratio,
        self_influence=0.3, dtype="float64", standardize=False,
    )  # fmt: skip
    state = run_fastrp(graph, options, features=features)
    want, iterates = in_loop(a, start, (1, 0.5), 0.3)
    # a row that is zero but for rounding has no direction
    raw = [transition(a) @ x for x in (start, iterates[0])]
    lengths = [np.linalg.norm(x, axis=1) for x in raw]
    clear = np.logical_and.reduce([(x == 0) | (x > 1e-9) for x in lengths])
    if clear.all():
        assert np.allclose(state.embedding, want, atol=1e-9)


def test_gaussian_equals_the_twin() -> None:
    graph = TOYS["karate"]()
    start = normal_matrix(3, range(34), 7) / math.sqrt(7)
    want = embedding(graph, start, (1, 2), -1.0)
    got = fastrp(
        graph, 7, weights=(1, 2), beta=-1.0, projection="gaussian", seed=3, dtype="float64"
    )
    assert np.abs(got - want).max() < 1e-10


def test_signs_do_not_depend_on_dimension_or_graph() -> None:
    ell = np.ones(9)
    small = Projection(FastRPOptions(dim=20, seed=-4), Inputs(), ell).dense()
    large = Projection(FastRPOptions(dim=300, seed=2**64 - 4), Inputs(), np.ones(30)).dense()
    assert np.array_equal(np.sign(small), np.sign(large[:9, :20]))
    some = Projection(FastRPOptions(dim=300, seed=-4), Inputs(), np.ones(30))
    assert np.array_equal(some.dense(rows=np.array([7, 2])), large[[7, 2]])
    assert np.array_equal(some.dense(64, 132), large[:, 64:132])


@pytest.mark.parametrize("dim", [1, 3, 15, 16, 17, 31, 64, 127, 129, 200, 260])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_width(dim: int, dtype: str) -> None:
    graph = TOYS["karate"]()
    start = sign_matrix(42, range(34), dim, 3.0)
    want = embedding(graph, start, (1, 2, 3), -0.5, standardize=False)
    got = fastrp(graph, dim, weights=(1, 2, 3), standardize=False, dtype=dtype)
    assert np.abs(got - want).max() < (1e-12 if dtype == "float64" else 2e-5)
    half = fastrp(graph, dim, weights=(1, 2, 3), standardize=False, storage_dtype="bfloat16")
    sizes = np.linalg.norm(half - want, axis=1)
    assert sizes.max() < (0.2 if dim > 3 else 1.0)


def test_directions_of_tiny_and_huge_rows() -> None:
    for size in (1e-42, 1e-30, 1e30, 3e37):
        graph = Graph.from_edges([(0, 1), (1, 2), (0, 2)])
        start = size * np.array([[1.0, 0, 2], [0, 3, 0], [1, 1, 1]])
        got = fastrp(graph, 3, weights=(1,), beta=0, projection=start, standardize=False)
        want = directions(transition(adjacency(graph)) @ (start / size))
        assert np.abs(got - want).max() < (1e-2 if size < 1e-40 else 1e-6)
    for size in (1e-300, 1e300):
        start = size * np.array([[1.0, 0, 2], [0, 3, 0], [1, 1, 1]])
        got = fastrp(
            graph, 3, weights=(1,), beta=0, projection=start, standardize=False, dtype="float64"
        )
        assert np.abs(got - want).max() < 1e-12
