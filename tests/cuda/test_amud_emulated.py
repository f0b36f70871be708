"""Path statistics on the (emulated) GPU: the CPU's integers."""

from __future__ import annotations

import numpy as np
import pytest

from graphsparse import BackendError, Graph, amud
from graphsparse.patterns.counts import Arcs, ClassCodes, path_counts, path_totals

pytestmark = pytest.mark.filterwarnings("ignore::graphsparse.operators.amud_result.AmudWarning")


def case(seed: int, classes: int) -> tuple[Graph, np.ndarray]:
    rng = np.random.default_rng(seed)
    arcs = rng.zipf(1.6, (900, 2)) % 140
    graph = Graph.from_edges(arcs, num_nodes=150, directed=True).coalesce().without_self_loops()
    return graph, rng.integers(-1, classes, 150)


@pytest.mark.parametrize(("seed", "classes"), [(2, 1), (3, 5), (4, 300)])
def test_same_integers(gpu, seed, classes):
    graph, y = case(seed, classes)
    arcs, labels = Arcs.of(graph), ClassCodes.of(y, classes)
    assert path_totals(arcs.to("cuda"), labels) == path_totals(arcs, labels)
    mine, want = path_counts(arcs.to("cuda"), labels), path_counts(arcs, labels)
    for name, counts in want.items():
        assert (mine[name].pairs, mine[name].matches) == (counts.pairs, counts.matches)
        assert np.array_equal(mine[name].node_pairs, counts.node_pairs), name
        assert np.array_equal(mine[name].node_matches, counts.node_matches), name


@pytest.mark.parametrize("weighting", ["paths", "support"])
def test_result_lies_where_the_graph_lay(gpu, weighting):
    graph, y = case(5, 3)
    want = amud(graph, y, weighting=weighting)
    got = amud(graph.to("cuda"), y, weighting=weighting)
    assert got.graph.device == "cuda"
    assert got.graph.to("cpu") == want.graph
    assert got.to_dict() == want.to_dict()


def test_no_graph_and_too_many_classes(gpu):
    empty = Graph.from_edges([], num_nodes=0, directed=True)
    assert amud(empty.to("cuda"), [], weighting="paths").reason == "undetermined"
    graph, _ = case(6, 2)
    arcs, labels = Arcs.of(graph).to("cuda"), ClassCodes.of(np.arange(150) * 4 % 600, 600)
    with pytest.raises(BackendError, match=r"at most 511 classes, got 600: .*to\('cpu'\)"):
        path_counts(arcs, labels)
