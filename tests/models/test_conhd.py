"""CoNHD: published vectors, training traces, invariants, degenerate cases."""

from __future__ import annotations

import json

import conhd_vectors
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from graphsparse import Hypergraph
from graphsparse.models import ISAB, SAB, UNB, CoNHD
from graphsparse.operators.groups import Groups
from graphsparse.operators.incidence_blocks import full_batch, incidence_blocks

EXACT = {"rtol": 1e-11, "atol": 1e-12}


@pytest.mark.parametrize("name", conhd_vectors.MODELS)
def test_published_vectors(name):
    arrays = conhd_vectors.load(name)
    model, h = conhd_vectors.build(arrays), conhd_vectors.hypergraph(arrays)
    x, pe = conhd_vectors.inputs(arrays)
    states = model.states(h, x, pe)
    for layer, state in enumerate(states[1:]):
        np.testing.assert_allclose(state.detach(), arrays[f"h_{layer}"], **EXACT)
    np.testing.assert_allclose(model(h, x, pe).detach(), arrays["logits"], **EXACT)
    np.testing.assert_allclose(
        model.co_representations(h, x, pe).detach(), arrays["h_final"], **EXACT
    )


@pytest.mark.parametrize("name", conhd_vectors.MODELS)
def test_published_messages_of_each_layer(name):
    arrays = conhd_vectors.load(name)
    model, h = conhd_vectors.build(arrays), conhd_vectors.hypergraph(arrays)
    x, pe = conhd_vectors.inputs(arrays)
    hop = full_batch(h, 1).hops[0]
    start = model.states(h, x, pe)[0]
    state = model._conv(0).begin(start)
    for layer in range(model.layers):
        conv = model._conv(layer)
        sides = [state[0], state[0]]
        if conv.mode == "admm":
            sides = [2 * state[0] - z for z in state[1:]]
        edge, node = conv.messages(*sides, pe, hop)
        np.testing.assert_allclose(edge.detach(), arrays[f"edge_msg_{layer}"], **EXACT)
        np.testing.assert_allclose(node.detach(), arrays[f"node_msg_{layer}"], **EXACT)
        state = conv(state, conv.source(start), pe, hop)
        for got, key in zip(state[1:], ("zE", "zV"), strict=False):
            np.testing.assert_allclose(got.detach(), arrays[f"{key}_{layer}"], **EXACT)


def worked_example(operator, mode, layers):
    conv = {"operator": operator, "mode": mode, "blocks": 1, "heads": 1, "inducing": 1}
    model = CoNHD(1, 2, 2, layers, dropout=0.0, **conv).double()
    eye = torch.eye(2, dtype=torch.float64)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.in_proj.weight.copy_(torch.tensor([[1.0], [2.0]]))
        one = model.convs[0]
        shares = (1.0, 0.5, 0.25, 0.1) if mode == "gd" else (0.5, 0.25, 0.1)
        one.update.weight.copy_(torch.cat([share * eye for share in shares], dim=1))
        for block, sign in ((one.edge_op[0], 1.0), (one.node_op[0], -1.0)):
            if operator == "unb":
                for layer in block.msg:
                    layer.weight.copy_(eye)
                block.upd[0].weight.copy_(torch.cat([eye, eye], dim=1))
                block.upd[1].weight.copy_(sign * eye)
            else:
                block.inducing.copy_(torch.tensor([[1.0, 0.0]]))
                for attention in (block.induce, block.read):
                    for layer in (attention.q, attention.k, attention.v):
                        layer.weight.copy_(eye)
    h = Hypergraph([0, 1, 1], [0, 0, 1])
    x = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    return model.co_representations(h, x).detach()


@pytest.mark.parametrize(
    ("operator", "mode", "layers", "want"),
    [
        ("unb", "gd", 1, [[1.85, 3.7], [2.95, 5.9], [3.2, 6.4]]),
        ("unb", "gd", 2, [[3.15, 6.3], [4.31875, 8.6375], [5.03125, 10.0625]]),
        ("unb", "admm", 1, [[0.85, 1.7], [0.95, 1.9], [1.2, 2.4]]),
        ("unb", "admm", 2, [[-1.6375, -3.275], [-2.775, -5.55], [-2.8375, -5.675]]),
        ("isab", "gd", 1, [[3.684881, 5.869762], [5.784881, 10.069762], [5.95, 10.4]]),
    ],
)
def test_worked_example(operator, mode, layers, want):
    got = worked_example(operator, mode, layers)
    np.testing.assert_allclose(got, want, atol=1e-6 if operator == "isab" else 1e-12)


@pytest.mark.parametrize("quirk", [False, True])
@pytest.mark.parametrize("name", conhd_vectors.TRACES)
def test_training_traces(name, quirk):
    arrays = conhd_vectors.load(name)
    model, h = conhd_vectors.build(arrays), conhd_vectors.hypergraph(arrays)
    x0, pe = conhd_vectors.inputs(arrays)
    x = torch.nn.Parameter(x0.clone())
    body = [p for n, p in model.named_parameters() if not n.startswith("head")]
    groups = [[x], body, list(model.head.parameters())]
    optimizer = torch.optim.Adam(
        [p for group in groups for p in group], lr=0.01, eps=1e-4, weight_decay=1e-4
    )
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    rows = torch.from_numpy(np.flatnonzero(np.isin(arrays["edge"], arrays["train_hyperedges"])))
    y = torch.from_numpy(arrays["y"]).long()
    key = "ref" if quirk else "plain"
    for step in range(8):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(h, x, pe)[rows], y[rows])
        np.testing.assert_allclose(loss.item(), arrays[f"{key}_loss"][step], rtol=1e-10)
        loss.backward()
        if quirk:
            x.grad[0] = 0.0
        norms = [float(torch.nn.utils.clip_grad_norm_(group, 1.0)) for group in groups]
        np.testing.assert_allclose(norms, arrays[f"{key}_grad_norms"][step], rtol=1e-9)
        optimizer.step()
        schedule.step()
    np.testing.assert_allclose(x.detach(), arrays[f"{key}_x_final"], atol=1e-10)
    np.testing.assert_allclose(
        model.head[0].weight.detach(), arrays[f"{key}_head_final"], atol=1e-10
    )


def random_case(rng, *, operator, mode="gd", pe_dim=2, dtype=torch.float64, **options):
    nodes, edges, n = int(rng.integers(1, 9)), int(rng.integers(1, 9)), int(rng.integers(1, 25))
    h = Hypergraph(rng.integers(0, nodes, n), rng.integers(0, edges, n), nodes, edges)
    torch.manual_seed(int(rng.integers(0, 2**31)))
    layers = options.pop("layers", 2)
    conv = {"operator": operator, "mode": mode, "heads": 2, "inducing": 3, "pe_dim": pe_dim}
    model = CoNHD(3, 8, 3, layers, dropout=0.0, **conv, **options).to(dtype).eval()
    x = torch.randn(nodes, 3, dtype=dtype)
    return h, model, x, torch.rand(n, pe_dim, dtype=dtype) if pe_dim else None


@pytest.mark.parametrize("mode", ["gd", "admm"])
@pytest.mark.parametrize("operator", ["unb", "isab", "sab"])
def test_relabelling_and_row_order_change_nothing(operator, mode):
    rng = np.random.default_rng(606)
    for _ in range(40):
        h, model, x, pe = random_case(rng, operator=operator, mode=mode)
        want = model(h, x, pe)
        node, edge = rng.permutation(h.num_nodes), rng.permutation(h.num_hyperedges)
        row = rng.permutation(h.num_incidences)
        other = Hypergraph(node[h.nodes][row], edge[h.hyperedges][row], h.num_nodes,
                           h.num_hyperedges)  # fmt: skip
        moved = torch.empty_like(x)
        moved[torch.from_numpy(node)] = x
        got = model(other, moved, pe[torch.from_numpy(row)])
        torch.testing.assert_close(got, want[torch.from_numpy(row)], rtol=0, atol=1e-12)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("mode", ["gd", "admm"])
@pytest.mark.parametrize("operator", ["unb", "isab"])
def test_batches_without_limits_equal_the_whole(operator, mode, layers):
    rng = np.random.default_rng(layers)
    for _ in range(20):
        means = {"within_edge_mean": bool(rng.integers(2)), "within_node_mean": False}
        h, model, x, pe = random_case(rng, operator=operator, mode=mode, layers=layers, **means)
        want = model(h, x, pe)
        for part in np.array_split(rng.permutation(h.num_hyperedges), 2):
            batch = incidence_blocks(h, part, layers)
            got = model(batch, x, pe)
            torch.testing.assert_close(got, want[batch.targets], rtol=0, atol=1e-12)


def test_receptive_sets_are_the_published_ones():
    facts = json.loads((conhd_vectors.FOLDER / "structure.json").read_text())
    nodes, edges = np.array(facts["incidences"]).T
    h = Hypergraph(nodes, edges)
    for case in facts["receptive_sets"]:
        batch = incidence_blocks(h, case["targets"], case["layers"])
        rows = batch.rows
        for hop, block in zip(batch.hops, case["blocks"], strict=False):
            assert rows[hop.edge.rows].tolist() == block["within_edge"]
            assert rows[hop.node.rows].tolist() == block["within_node"]
            rows = rows[hop.keep]
        assert rows.tolist() == batch.targets.tolist() == case["blocks"][-1]["within_edge"]


def test_sampling_respects_its_limits_and_its_seed():
    rng = np.random.default_rng(5)
    h = Hypergraph(rng.integers(0, 4, 300), rng.integers(0, 40, 300), 4, 40)
    limits = {"fan_members": 3, "fan_hyperedges": 5}
    a, b, c = (incidence_blocks(h, [3, 8], 1, **limits, seed=s) for s in (1, 1, 2))
    assert np.array_equal(a.rows, b.rows)
    assert not np.array_equal(a.rows, c.rows)
    wanted = np.isin(h.hyperedges, [3, 8])
    for v in range(4):
        beyond = (a.nodes == v) & ~wanted[a.rows]
        assert beyond.sum() <= 5
    sizes = np.zeros(300)
    for step in range(400):
        sizes[incidence_blocks(h, [3], 1, fan_hyperedges=2, seed=7, step=step).rows] += 1
    chosen = sizes[(h.nodes == h.nodes[h.hyperedges == 3][0]) & (h.hyperedges != 3)]
    assert chosen.max() < 4 * chosen.mean() + 6  # no row is favoured


@pytest.mark.parametrize("operator", [UNB(4), ISAB(4, 2, 3), SAB(4, 2)], ids=["unb", "isab", "sab"])
def test_operators_on_single_rows_equal_rows_and_unions(operator):
    operator = operator.double()
    generator = torch.Generator().manual_seed(9)
    u = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    whole = operator(u, Groups.from_ids(np.array([0, 1, 1, 2, 0]), 3))
    for rows in ([3], [0, 4], [1, 2]):
        alone = operator(u[rows], Groups.from_ids(np.zeros(len(rows), int), 1))
        torch.testing.assert_close(whole[rows], alone, rtol=0, atol=1e-13)
    twice = operator(u[[1, 1]], Groups.from_ids(np.zeros(2, int), 1))
    torch.testing.assert_close(twice[0], twice[1], rtol=0, atol=0)
    if isinstance(operator, UNB):
        own = operator.msg[1](F.relu(operator.msg[0](u[3])))
        want = operator.upd[1](F.relu(operator.upd[0](torch.cat([u[3], own]))))
        torch.testing.assert_close(whole[3], want)


def test_locality_of_one_layer():
    rng = np.random.default_rng(12)
    for _ in range(30):
        h, model, x, pe = random_case(rng, operator="isab", layers=1)
        v = int(rng.integers(0, h.num_nodes))
        changed = x.clone()
        changed[v] += 1.0
        differs = (model(h, x, pe) != model(h, changed, pe)).any(dim=1).numpy()
        mine = h.hyperedges[h.nodes == v]
        near = (h.nodes == v) | np.isin(h.hyperedges, mine)
        assert not (differs & ~near).any()


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"in_dim": 44, "operator": "unb", "pe_dim": 4}, 402_432),
        ({"in_dim": 44, "operator": "isab", "pe_dim": 4}, 603_136),
        ({"in_dim": 100, "operator": "unb"}, 395_392 + 128 * 100 + 128),
        ({"in_dim": 100, "operator": "isab"}, 596_096 + 128 * 100 + 128),
    ],
)
def test_parameter_counts(options, count):
    for layers in (1, 3):
        model = CoNHD(dim=128, num_classes=3, layers=layers, **options)
        total = sum(p.numel() for p in model.parameters())
        assert total == count + 387


def test_unshared_layers_with_copied_weights_equal_shared_ones():
    rng = np.random.default_rng(8)
    h, shared, x, pe = random_case(rng, operator="unb")
    conv = {"operator": "unb", "heads": 2, "inducing": 3, "pe_dim": 2}
    own = CoNHD(3, 8, 3, 2, share_layers=False, dropout=0.0, **conv).double()
    state = dict(shared.state_dict())
    for name in list(state):
        if name.startswith("convs.0."):
            state[name.replace("convs.0.", "convs.1.")] = state[name]
    own.load_state_dict(state)
    torch.testing.assert_close(own(h, x, pe), shared(h, x, pe), rtol=0, atol=1e-13)


def test_update_alone_is_affine_and_means_are_constant():
    rng = np.random.default_rng(21)
    h, model, x, pe = random_case(rng, operator="unb", layers=1, within_node_mean=True)
    start = model.states(h, x, pe)[0]
    conv = model._conv(0)
    node = conv.messages(start, start, pe, full_batch(h, 1).hops[0])[1]
    for v in np.unique(h.nodes):
        rows = node[torch.from_numpy(np.flatnonzero(h.nodes == v))]
        assert torch.equal(rows, rows[:1].expand_as(rows))
    with torch.no_grad():
        conv.update.weight[:, 8:24] = 0.0
    first, _, _, last = conv.update.weight.split(8, dim=1)
    want = start @ first.t() + start @ last.t() + conv.update.bias
    torch.testing.assert_close(model.states(h, x, pe)[1], want)


@pytest.mark.parametrize("mode", ["gd", "admm"])
@pytest.mark.parametrize("operator", ["unb", "isab", "sab"])
def test_gradcheck_and_recompute(operator, mode):
    rng = np.random.default_rng(33)
    h, model, x, pe = random_case(rng, operator=operator, mode=mode)
    x = x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: model(h, x, pe), (x,))
    want = torch.autograd.grad(model(h, x, pe).square().sum(), [x, *model.parameters()])
    for conv in model.convs:
        conv.recompute = True
    got = torch.autograd.grad(model(h, x, pe).square().sum(), [x, *model.parameters()])
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-13)


def test_hyperedge_features_are_part_of_the_input():
    rng = np.random.default_rng(2)
    h, model, x, _ = random_case(rng, operator="unb", edge_dim=2, pe_dim=0)
    edge_x = torch.randn(h.num_hyperedges, 2, dtype=torch.float64)
    joined = torch.cat([x[h.nodes.tolist()], edge_x[h.hyperedges.tolist()]], 1)
    want = F.relu(model.in_proj(joined))
    torch.testing.assert_close(model.states(h, x, None, edge_x)[0], want)
    batch = incidence_blocks(h, [h.num_hyperedges - 1], 2)
    torch.testing.assert_close(
        model(batch, x, None, edge_x), model(h, x, None, edge_x)[batch.targets]
    )


def test_empty_and_degenerate_hypergraphs():
    for operator in ("unb", "isab", "sab"):
        model = CoNHD(3, 8, 2, 2, operator=operator)
        assert model(Hypergraph([], []), torch.zeros(0, 3)).shape == (0, 2)
        lonely = Hypergraph([2, 2], [1, 1], 5, 3)  # a repeated membership, isolated nodes
        x = torch.randn(5, 3, requires_grad=True)
        model.eval()
        out = model(lonely, x)
        assert torch.equal(out[0], out[1])
        out.sum().backward()
        assert x.grad[[0, 1, 3, 4]].abs().sum() == 0


def test_float32_is_deterministic():
    rng = np.random.default_rng(17)
    h, model, x, pe = random_case(rng, operator="isab", dtype=torch.float32)
    runs = [torch.autograd.grad(model(h, x, pe).sum(), list(model.parameters())) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def test_predictions_become_weights():
    h = Hypergraph([0, 1, 1], [0, 0, 1])
    model = CoNHD(3, 8, 2, 1).train()
    found = model.predict(h, torch.randn(2, 3))
    assert model.training
    assert found.nodes.tolist() == [0, 1, 1]
    assert found.logits.shape == (3, 2)
    want = np.array([2.0, 0.5])[found.logits.argmax(1).numpy()]
    assert found.weights([2.0, 0.5]).tolist() == want.tolist()
    with pytest.raises(ValueError, match=r"of_class must hold 2 weights, got shape \(3,\)"):
        found.weights([1, 2, 3])


def test_errors():
    h, x = Hypergraph([0, 1, 1], [0, 0, 1]), torch.zeros(2, 3)
    model = CoNHD(3, 8, 2, 1, pe_dim=2)
    pe = torch.zeros(3, 2)
    for arguments, message in (
        ((h, torch.zeros(2, 4), pe), r"x must have shape \(2, 3\), got \(2, 4\)"),
        ((h, x.double(), pe), "x must be torch.float32 on cpu, got torch.float64"),
        ((h, x, None), r"pe must be \(3, 2\) for pe_dim=2, got None"),
        ((h, x, pe[:, :1]), r"pe must have shape \(3, 2\), got \(3, 1\)"),
        ((h, x, pe * float("nan")), r"pe must be finite, got nan at \(0, 0\)"),
        ((h, x, pe, torch.zeros(2, 1)), r"edge_x must be None for edge_x_dim=0, got shape"),
        ((incidence_blocks(h, [0], 2), x, pe), "data must have 1 hops, one per layer, got 2"),
    ):
        with pytest.raises(ValueError, match=message):
            model(*arguments)
    with pytest.raises(ValueError, match="dim must be a multiple of heads=4, got 6"):
        CoNHD(3, 6, 2, operator="isab")
    with pytest.raises(ValueError, match="operator must be one of"):
        CoNHD(3, 8, 2, operator="gat")
    with pytest.raises(ValueError, match="pair_limit must be at least the 5 pairs"):
        CoNHD(3, 8, 2, operator="sab", pair_limit=4)(h, x)
    with pytest.raises(ValueError, match=r"hyperedges must be in \[0, 2\), got 5"):
        incidence_blocks(h, [5], 1)
    with pytest.raises(ValueError, match="fan_members must be >= -1, got -2"):
        incidence_blocks(h, [0], 1, fan_members=-2)
