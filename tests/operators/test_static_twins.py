"""Every method of the static family against its slow twin."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import first_edges
from oracles_static import EXACT, TWINS, Case, forests, spanner_levels
from static_graphs import pairs, simple

from graphsparse import sparsify
from graphsparse.operators.scored import scores_of
from graphsparse.operators.sparsify import make_method

UNDIRECTED = {"baswana_sen", "random_node_edges", "spanner", "spanning_forests"}
SLOW = {"spanner", "spanner hops"}


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("directed", [False, True], ids=["pairs", "arcs"])
def test_scores_and_selections(twin: str, directed: bool) -> None:
    method, options, slow = TWINS[twin]
    if directed and method in UNDIRECTED:
        with pytest.raises(ValueError, match="needs an undirected graph"):
            sparsify(simple(0, directed=True), method, 0.5)
        return
    for seed in range(60 if twin in SLOW else 110):
        graph = simple(seed, directed=directed)
        if method == "noise_corrected" and graph.edge_weights().sum() < 2:
            continue
        case = Case(graph, seed)
        wanted = slow(case)
        found = scores_of(make_method(method, {**options, "seed": seed}), graph)
        if twin in EXACT:
            assert found.tolist() == wanted, seed
        else:
            assert found == pytest.approx(np.array(wanted), rel=1e-11, abs=1e-13), seed
        count = len(wanted) // 2
        kept = sparsify(graph, method, num_edges=count, seed=seed, **options).graph
        # Of scores with rounding errors the selection is checked by the scores found.
        order = first_edges(found.tolist(), case.code, count, "hash", seed)
        assert pairs(kept) == [case.edges[e] for e in order]


def test_forests_and_levels_by_number() -> None:
    for seed in range(60):
        graph = simple(seed)
        case = Case(graph, seed)
        union: list[int] = []
        for number, forest in enumerate(forests(case), 1):
            union += forest
            kept = sparsify(graph, "spanning_forests", num_forests=number, seed=seed).graph
            assert pairs(kept) == [case.edges[e] for e in sorted(union)]
        union = []
        parts = spanner_levels(case)
        for t, part in zip([None, 15, 9, 7, 5, 3, 2, 1], parts, strict=False):
            union += part
            if t is not None:
                kept = sparsify(graph, "spanner", t=t, seed=seed).graph
                assert pairs(kept) == [case.edges[e] for e in sorted(union)]
