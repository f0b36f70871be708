"""Loaders with PyG's signatures: batches against the data, workers, threads, forks, PyG itself."""

from __future__ import annotations

import multiprocessing
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Data, HeteroData
from torch_geometric.loader import NodeLoader
from torch_geometric.sampler import NegativeSampling, NodeSamplerInput

from graphsparse.loaders import LinkNeighborLoader, NeighborLoader, NeighborSampler


def data(seed: int, n: int = 60, m: int = 400) -> Data:
    rng = np.random.default_rng(seed)
    return Data(
        x=torch.arange(n, dtype=torch.float32)[:, None],
        y=torch.arange(n),
        edge_index=torch.from_numpy(rng.integers(0, n, (2, m))),
        edge_attr=torch.arange(m, dtype=torch.float32),
        weight=torch.from_numpy(rng.uniform(0.0, 1.0, m)),
        node_time=torch.from_numpy(rng.integers(0, 20, n)),
        arc_time=torch.from_numpy(rng.integers(0, 20, m)),
    )


def same(one: Data, two: Data) -> bool:
    keys = ("n_id", "e_id", "x", "edge_index", "edge_attr")
    return all(torch.equal(one[key], two[key]) for key in keys)


def check_batch(whole: Data, batch: Data) -> None:
    """Everything in a batch is what the whole set says of its nodes and arcs."""
    assert torch.equal(batch.x[:, 0].long(), batch.n_id)
    assert torch.equal(batch.edge_attr.long(), batch.e_id)
    assert torch.equal(batch.n_id[batch.edge_index], whole.edge_index[:, batch.e_id])


@pytest.mark.parametrize("seed", range(40))
def test_batches_hold_what_the_set_holds(seed: int) -> None:
    rng = np.random.default_rng(seed + 50)
    whole = data(seed)
    mode = int(rng.integers(0, 5))
    extra: dict[str, Any] = [
        {},
        {"weight_attr": "weight"},
        {"time_attr": "node_time"},
        {"time_attr": "arc_time", "input_time": torch.full((60,), 12)},
        {"sample_direction": "both"},
    ][mode]
    loader = NeighborLoader(
        whole, [3, 2], batch_size=16, shuffle=True, replace=bool(rng.integers(0, 2)),
        disjoint=bool(rng.integers(0, 2)), seed=seed, **extra,
    )  # fmt: skip
    seen = []
    for batch in loader:
        check_batch(whole, batch)
        seeds = batch.n_id[: batch.batch_size]
        seen.append(seeds)
        assert torch.equal(seeds, batch.input_id)
        assert sum(batch.num_sampled_nodes) == len(batch.n_id)
        assert sum(batch.num_sampled_edges) == batch.edge_index.shape[1]
        if mode == 2:
            bound = whole.node_time[seeds][batch.batch]
            source = batch.edge_index[0]
            assert bool((whole.node_time[batch.n_id[source]] <= bound[source]).all())
        if mode == 3:
            assert bool((whole.arc_time[batch.e_id] <= 12).all())
    assert torch.equal(torch.cat(seen).sort().values, torch.arange(60))


def test_epochs_differ_and_a_seed_repeats_them() -> None:
    whole = data(1)
    one, two = (NeighborLoader(whole, [4, 4], batch_size=7, shuffle=True, seed=5) for _ in "ab")
    first, second = list(one), list(one)
    assert all(map(same, first, list(two)))
    assert not all(map(same, first, second))
    fixed = NeighborLoader(whole, [2], batch_size=60)
    assert not same(next(iter(fixed)), next(iter(fixed)))


@pytest.mark.parametrize("options", [{"num_workers": 2}, {"prefetch_threads": 3}])
def test_workers_and_threads_change_nothing(options: dict[str, int]) -> None:
    whole = data(2, 200, 3000)
    plain = list(NeighborLoader(whole, [5, 5], batch_size=32, shuffle=True, seed=3))
    if "num_workers" in options:
        options = {**options, "multiprocessing_context": "fork"}  # type: ignore[dict-item]
    other = list(NeighborLoader(whole, [5, 5], batch_size=32, shuffle=True, seed=3, **options))
    assert len(plain) == len(other)
    assert all(map(same, plain, other))


def _count_in_child(loader: NeighborLoader, queue: Any) -> None:
    queue.put(sum(1 for _ in loader))


def test_threads_work_in_a_forked_child() -> None:
    loader = NeighborLoader(data(3, 500, 8000), [5, 5], batch_size=50, prefetch_threads=2)
    iterator = iter(loader)
    next(iterator)  # threads are alive now
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_count_in_child, args=(loader, queue))
    child.start()
    assert queue.get(timeout=60) == 10
    child.join(timeout=60)
    assert len(list(iterator)) == 9


def test_what_threads_raise_comes_up() -> None:
    def broken(batch: Data) -> Data:
        raise RuntimeError("from a thread")

    loader = NeighborLoader(data(4), [2], batch_size=30, prefetch_threads=2, transform=broken)
    with pytest.raises(RuntimeError, match="from a thread"):
        next(iter(loader))


def test_a_pyg_loader_takes_our_sampler() -> None:
    whole = data(5)
    sampler = NeighborSampler(whole, [-1, -1])
    for batch in NodeLoader(whole, sampler, batch_size=20):
        check_batch(whole, batch)
    inputs = NodeSamplerInput(None, torch.tensor([1, 2]))
    assert torch.equal(
        sampler.sample_from_nodes(inputs).edge, sampler.sample_from_nodes(inputs).edge
    )


def test_full_fanout_is_the_whole_neighbourhood() -> None:
    whole = data(6)
    batch = next(iter(NeighborLoader(whole, [-1], input_nodes=torch.tensor([7, 9]), batch_size=2)))
    into = torch.isin(whole.edge_index[1], torch.tensor([7, 9])).nonzero()[:, 0]
    assert torch.equal(batch.e_id.sort().values, into)
    out = next(iter(NeighborLoader(
        whole, [-1], input_nodes=torch.tensor([7]), sample_direction="backward"
    )))  # fmt: skip
    assert torch.equal(out.e_id.sort().values, (whole.edge_index[0] == 7).nonzero()[:, 0])


def test_subgraph_types() -> None:
    whole = data(7)
    induced = next(iter(NeighborLoader(whole, [3, 3], batch_size=5, subgraph_type="induced")))
    inside = torch.isin(whole.edge_index, induced.n_id).all(dim=0).nonzero()[:, 0]
    assert torch.equal(induced.e_id.sort().values, inside)
    both = next(iter(NeighborLoader(whole, [3, 3], batch_size=5, subgraph_type="bidirectional")))
    arcs = set(map(tuple, both.edge_index.T.tolist()))
    assert all((b, a) in arcs for a, b in arcs)


@pytest.mark.parametrize("mode", ["binary", "triplet"])
@pytest.mark.parametrize("disjoint", [False, True])
def test_link_batches(mode: str, disjoint: bool) -> None:
    whole = data(8)
    options: dict[str, Any] = {"neg_sampling": NegativeSampling(mode, 2), "disjoint": disjoint}
    loader = LinkNeighborLoader(whole, [3, 3], batch_size=50, shuffle=True, seed=4, **options)
    again = LinkNeighborLoader(
        whole, [3, 3], batch_size=50, shuffle=True, seed=4, prefetch_threads=2, **options
    )
    for batch, other in zip(loader, again, strict=True):
        assert torch.equal(batch.n_id, other.n_id)
        check_batch(whole, batch)
        true = whole.edge_index[:, batch.input_id]
        if mode == "binary":
            assert torch.equal(batch.n_id[batch.edge_label_index[:, :50]], true)
            assert batch.edge_label.tolist() == [1.0] * 50 + [0.0] * 100
        else:
            assert torch.equal(batch.n_id[batch.src_index], true[0])
            assert torch.equal(batch.n_id[batch.dst_pos_index], true[1])
            assert batch.dst_neg_index.shape == (50, 2)


def test_negatives_follow_weights_and_labels_make_room() -> None:
    whole = data(9)
    weight = torch.zeros(60)
    weight[11] = 1.0
    false = NegativeSampling("binary", 1, src_weight=weight, dst_weight=weight)
    label = torch.zeros(400, dtype=torch.long)
    loader = LinkNeighborLoader(
        whole, [1], batch_size=10, neg_sampling=false, edge_label=label, edge_label_index=None
    )
    batch = next(iter(loader))
    assert batch.edge_label.tolist() == [1] * 10 + [0] * 10
    assert set(batch.n_id[batch.edge_label_index[:, 10:]].flatten().tolist()) == {11}


def test_temporal_links_see_no_later_arc() -> None:
    whole = data(10)
    loader = LinkNeighborLoader(
        whole, [4, 4], batch_size=25, time_attr="arc_time", edge_label_time=whole.arc_time
    )
    for batch in loader:
        bound = batch.edge_label_time[batch.batch % 25]
        assert bool((whole.arc_time[batch.e_id] <= bound[batch.edge_index[1]]).all())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: NeighborLoader(d, [2], prefetch_threads=1, num_workers=1), "prefetch_threads"),
        (lambda d: NeighborLoader(d, [2], batch_sampler=[[0]]), "batch_sampler must be left out"),
        (lambda d: NeighborLoader(d, [2], input_time=d.node_time), "time_attr must be given"),
        (lambda d: NeighborLoader(d, [2], time_attr="when"), "time_attr must name an attribute"),
        (lambda d: NeighborLoader(d, [2], subgraph_type="some"), "subgraph_type must be one of"),
        (lambda d: NeighborLoader(d, [2], batch_size=0), "batch_size must be >= 1, got 0"),
        (lambda d: LinkNeighborLoader(d, [2], time_attr="arc_time"), "must be given together"),
        (
            lambda d: NeighborSampler(d, [2], "induced", sample_direction="both"),
            "sample_direction must be 'forward' or 'backward'",
        ),
    ],
)
def test_wrong_arguments(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(data(11))


def test_node_types_are_refused_in_words() -> None:
    with pytest.raises(TypeError, match="data must be a torch_geometric Data, got HeteroData"):
        NeighborSampler(HeteroData(), [2])  # type: ignore[arg-type]
