"""Training at the size of ogbn-arxiv and ogbn-products, on synthetic graphs of that size.

    python benchmarks/ogb_scale.py epoch         # full-batch GCN against PyG's edge_index; TEDDY
    python benchmarks/ogb_scale.py thin          # epochs of GCN, SAGE, GAT on 40 % of the edges
    python benchmarks/ogb_scale.py heap          # epochs with and without freed memory kept
    python benchmarks/ogb_scale.py sampler       # sampled edges a second against torch operations
    python benchmarks/ogb_scale.py products      # make, load, TEDDY, one mini-batch epoch

Nothing is downloaded: ``graphsparse datasets make ogbn-like`` writes the folder and ogb's own
loader reads it.  ``epoch`` compares logits first; PyG's layers have their normalisation cached.
``products`` is one process: its peak is that of everything together.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from harness import measure, write_result
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

from graphsparse import load_dataset, set_num_threads, sparsify
from graphsparse.datasets.ogbn_like import NAME, ogbn_like, write_ogbn
from graphsparse.models import GAT, GCN, SAGE
from graphsparse.operators.neighbor_sampling import NeighborTable, sample_neighbors
from graphsparse.training import NodeData, adam, set_seed, train

ARXIV = (169_343, 1_166_243, 128, 40)
PRODUCTS = (2_449_029, 61_859_140, 100, 47)
FANOUTS, BATCH = [15, 10, 5], 1024
EPOCHS = 2
THIN_EPOCHS = 6
MODELS = {"gcn": GCN, "sage": SAGE, "gat": GAT}
THIN: dict[str, dict[str, Any]] = {
    "gcn 64": {"hidden": 64},
    "gcn 256": {"hidden": 256},
    "sage 64": {"hidden": 64},
    "gat 4 heads of 16": {"hidden": 16, "heads": 4},
}


def load(root: Path, sizes: tuple[int, int, int, int], **options: Any) -> Any:
    """Return a synthetic set through ogb's loader, made first where it is not there."""
    if not (root / NAME.replace("-", "_")).is_dir():
        write_ogbn(ogbn_like(*sizes, seed=0, **options), root)
    return load_dataset(NAME, root=root, offline=True)


def node_data(dataset: Any) -> NodeData:
    """Return the task on the graph without directions, as ogb's examples train it."""
    pyg = dataset.to_pyg()
    graph = dataset.graph.symmetrize("max") if dataset.graph.directed else dataset.graph
    return NodeData.from_pyg(pyg, normalize=False, graph=graph)


class PygNet(nn.Module):
    """GCN on PyG's layers with the weights of ours."""

    def __init__(self, ours: GCN) -> None:
        super().__init__()
        shapes = [conv.weight.shape for conv in ours.convs]
        self.convs = nn.ModuleList(GCNConv(a, b, bias=False, cached=True) for a, b in shapes)
        for mine, theirs in zip(ours.convs, self.convs, strict=True):
            theirs.lin.weight.data = mine.weight.data.t().clone()

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Return the logits."""
        for conv in self.convs[:-1]:
            x = F.dropout(F.relu(conv(x, edge_index)), 0.5, self.training)
        return self.convs[-1](x, edge_index)


def pyg_epoch(net: PygNet, data: NodeData, edge_index: Tensor) -> Callable[[], None]:
    """Return a function that runs a step and an evaluation as a PyG script does."""
    optimizer = adam(net)

    def run() -> None:
        for _ in range(EPOCHS):
            net.train()
            optimizer.zero_grad()
            F.cross_entropy(net(data.x, edge_index)[data.train], data.y[data.train]).backward()
            optimizer.step()
            net.eval()
            with torch.no_grad():
                hit = net(data.x, edge_index).argmax(1) == data.y
                [float(hit[ids].float().mean()) for ids in (data.val, data.test)]

    return run


def our_epoch(model: GCN, data: NodeData) -> Callable[[], None]:
    """Return a function that runs a step and an evaluation of ours, nothing shared between."""

    def run() -> None:
        train(model, data, epochs=EPOCHS, keep_weights=False)

    return run


def epoch(root: Path, hidden: int, pairs: int) -> dict[str, Any]:
    """Compare full-batch epochs: PyG's edge_index, ours, ours on 40 % of the edges."""
    data = node_data(load(root, (ARXIV[0], pairs, *ARXIV[2:])))
    set_seed(3)
    model = GCN(data.x.shape[1], hidden, data.num_classes, layers=3).eval()
    net = PygNet(model).eval()
    row, col = data.graph.arc_rows(), data.graph.indices
    edge_index = torch.stack([torch.from_numpy(a.astype("int64")) for a in (row, col)])
    with torch.no_grad():
        want = net(data.x, edge_index)
        torch.testing.assert_close(model(data.x, data.adjacency), want, rtol=1e-3, atol=1e-4)
    thin = data.with_graph(sparsify(data.graph, "teddy", 0.4).graph)
    runs = {
        "pyg_edge_index": pyg_epoch(net, data, edge_index),
        "ours": our_epoch(model, data),
        "ours_teddy_40": our_epoch(model, thin),
    }
    times = {name: measure(run, repeat=3, warmup=0) for name, run in runs.items()}
    ours = times["ours"].cpu_median
    return {
        "hidden": hidden,
        "epochs_of_a_run": EPOCHS,
        "arcs": {"all": data.graph.num_arcs, "teddy_40": thin.graph.num_arcs},
        **{name: t.as_dict() for name, t in times.items()},
        "times_faster_than_pyg": round(times["pyg_edge_index"].cpu_median / ours, 2),
        "times_faster_with_teddy_40": round(ours / times["ours_teddy_40"].cpu_median, 2),
    }


def thin(root: Path, pairs: int) -> dict[str, Any]:
    """Compare full-batch epochs of ours on all edges and on what TEDDY keeps."""
    data = node_data(load(root, (ARXIV[0], pairs, *ARXIV[2:])))
    fewer = data.with_graph(sparsify(data.graph, "teddy", 0.4).graph)
    figures: dict[str, Any] = {"pairs": pairs, "epochs_of_a_run": THIN_EPOCHS}
    for name, options in THIN.items():
        set_seed(3)
        width, classes = data.x.shape[1], data.num_classes
        model = MODELS[name.split()[0]](width, options.pop("hidden"), classes, layers=3, **options)
        times = {}
        for edges, task in (("all", data), ("teddy_40", fewer)):
            run = partial(train, model, task, epochs=THIN_EPOCHS, keep_weights=False)
            times[edges] = measure(run, repeat=3, warmup=0)
        ratio = times["all"].cpu_median / times["teddy_40"].cpu_median
        figures[name] = {edges: t.as_dict() for edges, t in times.items()}
        figures[name]["times_faster"] = round(ratio, 2)
        print(name, figures[name]["times_faster"], flush=True)
    return figures


def heap(root: Path, pairs: int, hidden: int) -> dict[str, Any]:
    """Compare full-batch epochs of a GCN with and without freed memory kept."""
    data = node_data(load(root, (ARXIV[0], pairs, *ARXIV[2:])))
    set_seed(3)
    model = GCN(data.x.shape[1], hidden, data.num_classes, layers=3)
    plain: Any = train.__wrapped__  # type: ignore[attr-defined]
    runs = {
        name: partial(run, model, data, epochs=THIN_EPOCHS, keep_weights=False)
        for name, run in (("given_back", plain), ("kept", train))
    }
    times = {name: measure(run, repeat=3, warmup=1) for name, run in runs.items()}
    ratio = times["given_back"].cpu_median / times["kept"].cpu_median
    shown = {name: t.as_dict() for name, t in times.items()}
    return {"hidden": hidden, "epochs_of_a_run": THIN_EPOCHS, **shown, "ratio": round(ratio, 2)}


def torch_sample(indptr: Tensor, indices: Tensor, seeds: Tensor, replace: bool) -> int:
    """Sample the same fan-outs by torch operations; return the number of edges."""
    nodes, frontier, edges = seeds, seeds, 0
    for fan in FANOUTS:
        start, degree = indptr[frontier], indptr[frontier + 1] - indptr[frontier]
        if replace:
            offset = (torch.rand(len(frontier), fan) * degree[:, None]).long()
            entry = (start[:, None] + offset)[degree > 0].reshape(-1)
        else:
            ends = degree.cumsum(0)
            row = torch.repeat_interleave(torch.arange(len(frontier)), degree)
            place = torch.arange(int(ends[-1])) - (ends - degree)[row]
            order = torch.argsort(row + torch.rand(len(row), dtype=torch.float64))
            entry = (start[row] + place)[order][place < fan]
        reached = indices[entry]
        edges += len(entry)
        known = nodes
        nodes, _ = torch.unique(torch.cat([known, reached]), return_inverse=True)
        frontier = nodes[~torch.isin(nodes, known)]
    return edges


def sampler(root: Path, batches: int) -> dict[str, Any]:
    """Time the sampler alone on one thread, and torch operations for the same job."""
    data = node_data(load(root, ARXIV))
    table = NeighborTable.from_graph(data.graph)
    seeds = data.train[torch.randperm(len(data.train), generator=torch.Generator().manual_seed(1))]
    parts = seeds.split(BATCH)[:batches]
    sample = sample_neighbors(table, parts[0].numpy(), FANOUTS, batch=0)
    assert np.array_equal(table.indices[sample.entries], sample.nodes[sample.row])
    counts = np.bincount(sample.col, minlength=len(sample.nodes))[:BATCH]
    degree = table.degree[sample.nodes[:BATCH]]
    assert np.array_equal(counts, np.minimum(degree, FANOUTS[0]))
    indptr = torch.from_numpy(table.indptr.copy())
    indices = torch.from_numpy(table.indices.astype(np.int64))

    def ours(replace: bool) -> int:
        return sum(
            len(sample_neighbors(table, p.numpy(), FANOUTS, replace=replace, batch=i).arcs)
            for i, p in enumerate(parts)
        )

    def theirs(replace: bool) -> int:
        return sum(torch_sample(indptr, indices, p, replace) for p in parts)

    figures: dict[str, Any] = {"fanouts": FANOUTS, "batch_size": BATCH, "batches": batches}
    for name, replace in (("without_replacement", False), ("with_replacement", True)):
        rates = {}
        for who, run in (("ours", ours), ("torch", theirs)):
            edges, timing = run(replace), measure(lambda run=run, r=replace: run(r), repeat=3)
            rates[who] = edges / timing.cpu_median
            figures[f"{name}_{who}"] = {"edges": edges, **timing.as_dict()}
        figures[f"{name}_million_edges_per_second"] = {
            who: round(rate / 1e6, 2) for who, rate in rates.items()
        }
        figures[f"{name}_times_faster"] = round(rates["ours"] / rates["torch"], 2)
    return figures


def products(root: Path, hidden: int, batches: int) -> dict[str, Any]:
    """Make, load, sparsify and train at the size of ogbn-products; seconds and peak memory."""
    seconds: dict[str, float] = {}
    peaks: dict[str, float] = {}

    def timed(name: str, run: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = run()
        seconds[name] = round(time.perf_counter() - start, 1)
        peaks[name] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
        print(name, seconds[name], "s, peak so far", peaks[name], "GiB", flush=True)
        return result

    def make() -> None:
        write_ogbn(ogbn_like(*PRODUCTS, directed=False, train_until=2011, seed=0), root)

    timed("make", make)
    data = timed("load", lambda: node_data(load(root, PRODUCTS)))
    total = data.graph.num_edges
    thin = timed("teddy_40", lambda: sparsify(data.graph, "teddy", 0.4).graph)
    data = data.with_graph(thin)
    data = timed("cut", lambda: NodeData(
        thin, data.x, data.y, data.train[: batches * BATCH or None], data.val, data.test,
        num_classes=data.num_classes,
    ))  # fmt: skip
    timed("adjacency", lambda: data.adjacency)
    set_seed(1)
    model = SAGE(data.x.shape[1], hidden, data.num_classes, layers=3, dropout=0.5)
    result = timed("epoch_and_evaluation", lambda: train(
        model, data, epochs=1, optimizer=adam(model, 0.003, 0.0), batch_size=BATCH,
        fanouts=FANOUTS, keep_weights=False,
    ))  # fmt: skip
    return {
        "nodes": data.graph.num_nodes, "edges": total, "edges_kept": thin.num_edges,
        "features": data.x.shape[1], "train_nodes": len(data.train), "hidden": hidden,
        "fanouts": FANOUTS, "batch_size": BATCH, "seconds": seconds, "peak_gib_so_far": peaks,
        "validation_accuracy": round(result.val, 4), "test_accuracy": round(result.test, 4),
    }  # fmt: skip


def main() -> None:
    """Run one part and write its result file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("epoch", "thin", "heap", "sampler", "products"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--edges", type=int, default=ARXIV[1], help="pairs, of epoch and thin")
    parser.add_argument("--name", default="", help="behind the name of the result file")
    parser.add_argument("--batches", type=int, default=0, help="batches of an epoch; 0: all")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if given.part == "epoch":
            figures = epoch(root, given.hidden, given.edges)
        elif given.part == "thin":
            figures = thin(root, given.edges)
        elif given.part == "heap":
            figures = heap(root, given.edges, given.hidden)
        elif given.part == "sampler":
            figures = sampler(root, given.batches or 10)
        else:
            figures = products(root, given.hidden, given.batches)
    write_result(f"ogb_scale_{given.part}{given.name}", {"threads": given.threads, **figures})


if __name__ == "__main__":
    main()
