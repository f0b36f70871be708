"""Readouts of nodes and hyperedges: loops, attention by hand, empty groups."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphsparse import Hypergraph
from graphsparse.models import Readout

DIM = 4


def rows_of(h: Hypergraph, by: str, number: int) -> np.ndarray:
    return np.flatnonzero((h.nodes if by == "node" else h.hyperedges) == number)


@pytest.mark.parametrize("how", ["mean", "attention", "max_confidence"])
@pytest.mark.parametrize("by", ["node", "hyperedge"])
def test_agrees_with_a_loop(by, how):
    rng = np.random.default_rng(55)
    torch.manual_seed(1)
    readout = Readout(by, how, DIM, heads=1).double()
    for _ in range(40):
        n = int(rng.integers(1, 20))
        h = Hypergraph(rng.integers(0, 6, n), rng.integers(0, 5, n), 6, 5)
        x = torch.from_numpy(rng.standard_normal((n, DIM)))
        got = readout(x, h)
        for g in range(6 if by == "node" else 5):
            rows = rows_of(h, by, g)
            if len(rows) == 0:
                assert how == "attention" or not got[g].any()
                continue
            group = x[rows]
            if how == "mean":
                want = group.mean(0)
            elif how == "max_confidence":
                want = group[group.softmax(1).amax(1).argmax()]
            else:
                a = readout.attention
                weights = (a.q(readout.seed) @ a.k(group).t() * a.scale).softmax(1)
                o = a.q(readout.seed) + weights @ a.v(group)
                want = (o + torch.relu(a.out(o)))[0]
            torch.testing.assert_close(got[g], want)


def test_the_mlp_follows_and_gradients_flow():
    h = Hypergraph([0, 1, 1], [0, 0, 1], 3, 2)
    x = torch.randn(3, DIM, requires_grad=True)
    for how in ("mean", "attention", "max_confidence"):
        out = Readout("node", how, DIM, out_dim=2)(x, h)
        assert out.shape == (3, 2)
        assert torch.autograd.grad(out.sum(), x)[0].abs().sum() > 0


def test_errors():
    with pytest.raises(ValueError, match="by must be one of"):
        Readout("graph", "mean", DIM)
    with pytest.raises(ValueError, match="how must be one of"):
        Readout("node", "sum", DIM)
