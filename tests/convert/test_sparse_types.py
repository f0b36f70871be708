"""Sparse matrices of SciPy and torch: formats, dtypes, order, shapes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from graphsparse import Graph, GraphFormatError
from graphsparse.convert import (
    as_border,
    from_networkx,
    from_scipy,
    from_torch_sparse,
    to_torch_sparse,
)

PATH = np.array([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
MIDDLE = np.array([False, True, False])
LAYOUTS = [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc]


def tensor(layout: torch.layout, values: torch.Tensor) -> torch.Tensor:
    coo = torch.sparse_coo_tensor(torch.from_numpy(PATH), values, (5, 5))
    return {
        torch.sparse_coo: lambda: coo,
        torch.sparse_csr: coo.to_sparse_csr,
        torch.sparse_csc: coo.to_sparse_csc,
    }[layout]()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.int64])
def test_torch_sparse(layout: torch.layout, dtype: torch.dtype) -> None:
    given = tensor(layout, torch.tensor([4, 4, 5, 5, 6, 6]).to(dtype))
    border = as_border(given)
    assert (border.graph.num_nodes, border.graph.directed) == (5, False)
    assert border.graph.edge_weights().tolist() == [4.0, 5.0, 6.0]
    kept = border.restore(MIDDLE)
    assert (kept.layout, kept.dtype, kept.shape) == (layout, dtype, given.shape)
    want = np.zeros((5, 5))
    want[1, 2] = want[2, 1] = 5
    np.testing.assert_array_equal(kept.to_dense().double().numpy(), want)
    assert given._nnz() == 6


def test_uncoalesced_copies_share_their_fate() -> None:
    ends = torch.tensor([[0, 0, 1, 2], [1, 1, 0, 0]])
    given = torch.sparse_coo_tensor(ends, torch.tensor([1.0, 2.0, 3.0, 4.0]), (3, 3))
    border = as_border(given)
    assert border.graph.directed  # 2 -> 0 has no reverse
    assert border.graph.weights.tolist() == [3.0, 3.0, 4.0]
    kept = border.restore(np.array([True, False, True]))
    assert not kept.is_coalesced()
    assert kept._values().tolist() == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("weights", [None, [1.5, 2.5, 3.5]])
def test_torch_sparse_round_trip(weights: list[float] | None) -> None:
    graph = Graph.from_edges([(0, 1), (2, 2), (3, 1)], num_nodes=6, weights=weights)
    assert from_torch_sparse(to_torch_sparse(graph)) == graph


@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("build", [sp.csr_array, sp.csr_matrix])
def test_scipy_formats_come_back(layout: str, build: type) -> None:
    weights = np.array([4, 4, 5, 5, 6, 6], np.float32)
    given = build((weights, PATH), shape=(5, 5)).asformat(layout)
    before = given.toarray()
    kept = as_border(given).restore(MIDDLE)
    assert type(kept) is type(given)
    assert kept.dtype == np.float32
    assert kept.toarray().nonzero()[0].tolist() == [1, 2]
    np.testing.assert_array_equal(given.toarray(), before)


def test_scipy_order_of_entries_stays() -> None:
    given = sp.csr_array((np.array([1.0, 2.0, 3.0]), [2, 0, 1], [0, 2, 3, 3]), shape=(3, 3))
    kept = as_border(given).restore(np.array([True, True, False]))
    assert kept.indices.tolist() == [2, 0]
    assert kept.data.tolist() == [1.0, 2.0]
    assert kept.indptr.dtype == given.indptr.dtype


def test_stored_zeros_are_edges_and_ones_no_weights() -> None:
    zero = sp.coo_array((np.array([0.0, 2.0]), ([0, 1], [1, 0])), shape=(2, 2))
    assert from_scipy(zero).num_arcs == 2
    for dtype in (bool, np.int8, np.float64):
        ones = sp.csr_array((np.ones(6, dtype), PATH), shape=(4, 4))
        assert as_border(ones).graph.weights is None


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (sp.csr_array((2, 3)), ValueError, r"square, got shape \(2, 3\)"),
        (torch.zeros(2, 3).to_sparse(), ValueError, r"square, got shape \(2, 3\)"),
        (sp.csr_array(np.array([[0, 1j], [0, 0]])), TypeError, "complex128"),
        (sp.csr_array(np.array([[0, np.nan], [0, 0]])), ValueError, "finite, got nan"),
        (torch.eye(4).to_sparse_bsr((2, 2)), TypeError, "sparse_bsr"),
        (np.eye(4), TypeError, "float64"),
    ],
)
def test_errors_say_what_came(given: object, error: type, message: str) -> None:
    if isinstance(given, np.ndarray):
        given = given[:2]
    with pytest.raises(error, match=message):
        as_border(given)


def test_from_functions_take_their_own_type_only() -> None:
    for read in (from_scipy, from_torch_sparse, from_networkx):
        with pytest.raises(TypeError, match="got ndarray"):
            read(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="num_nodes must be 4, the rows of adjacency, got 7"):
        as_border(sp.csr_array((4, 4)), num_nodes=7)
    with pytest.raises(GraphFormatError, match="both directions"):
        from_scipy(sp.csr_array(np.triu(np.ones((3, 3)))), directed=False)


def test_foreign_packages_are_not_imported() -> None:
    code = (
        "import sys, numpy as np\n"
        "from graphsparse.convert import as_border\n"
        "as_border(np.array([[0], [1]])).restore([True])\n"
        "print({'torch', 'networkx', 'torch_geometric'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_graph_border() -> None:
    graph = Graph.from_edges([(0, 1), (1, 2), (0, 1)], num_nodes=4, weights=[1.0, 2.0, 3.0])
    border = as_border(graph)
    assert border.graph.edge_weights().tolist() == [4.0, 2.0]
    assert (border.num_merged, border.directed_detected) == (1, False)
    kept = border.restore([True, False])
    assert kept.edge_weights().tolist() == [1.0, 3.0]
    simple = graph.coalesce()
    assert as_border(simple).graph is simple
    assert "num_entries=2" in repr(as_border(simple))
    with pytest.raises(ValueError, match="directed=True, but the graph is undirected"):
        as_border(graph, directed=True)
    with pytest.raises(ValueError, match="num_nodes must be 4, as in the graph, got 5"):
        as_border(graph, num_nodes=5)
    with pytest.raises(TypeError, match="directed must be True, False or None, got 'no'"):
        as_border(graph, directed="no")
    arcs = Graph.from_edges([(0, 1), (1, 0), (1, 2)], directed=True)
    both = as_border(arcs, directed=False)
    assert both.graph.num_edges == 2
    assert both.restore([True, False]) == arcs.edge_subgraph([True, True, False])
