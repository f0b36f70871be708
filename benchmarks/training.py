"""One full-batch training epoch (step + evaluation) on Cora: our layers against PyG's.

    python benchmarks/training.py            # GCN-512 and GAT-8x64, one thread

Three forms of the same network with the same weights: PyG layers on ``edge_index`` with dense
features, ours with dense features, ours with sparse features.  First the logits are compared,
then epochs are timed in turn; CPU seconds are the figure to quote on a busy machine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F
from harness import measure, write_result
from teddy_accuracy import load
from torch import Tensor, nn
from torch_geometric.nn import GATConv, GCNConv

from graphsparse.models import GAT, GCN
from graphsparse.training import NodeData, adam, set_seed, train

EPOCHS = 5


class PygNet(nn.Module):
    """The reference network on PyG layers, with the weights of ours."""

    def __init__(self, ours: nn.Module, kind: str, heads: int) -> None:
        super().__init__()
        first, second = ours.convs
        (a, b), (_, c) = first.weight.shape, second.weight.shape
        self.kind = kind
        if kind == "gcn":
            self.one, self.two = GCNConv(a, b, bias=False), GCNConv(b, c, bias=False)
        else:
            self.one = GATConv(a, b // heads, heads=heads, dropout=0.6, bias=False)
            self.two = GATConv(b, c, bias=False)
        for mine, theirs in ((first, self.one), (second, self.two)):
            theirs.lin.weight.data = mine.weight.data.t().clone()
            if kind == "gat":
                theirs.att_src.data = mine.att_src.data.view_as(theirs.att_src).clone()
                theirs.att_dst.data = mine.att_dst.data.view_as(theirs.att_dst).clone()

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Return the logits."""
        if self.kind == "gcn":
            hidden = F.dropout(F.relu(self.one(x, edge_index)), 0.5, self.training)
        else:
            x = F.dropout(x, 0.6, self.training)
            hidden = F.dropout(F.elu(self.one(x, edge_index)), 0.6, self.training)
        return self.two(hidden, edge_index)


def pyg_epochs(net: PygNet, data: NodeData, x: Tensor, edge_index: Tensor) -> Callable[[], None]:
    """Return a function that runs epochs as a PyG script does."""
    optimizer = adam(net)

    def run() -> None:
        for _ in range(EPOCHS):
            net.train()
            optimizer.zero_grad()
            F.cross_entropy(net(x, edge_index)[data.train], data.y[data.train]).backward()
            optimizer.step()
            net.eval()
            with torch.no_grad():
                hit = net(x, edge_index).argmax(1) == data.y
                [float(hit[ids].float().mean()) for ids in (data.val, data.test)]

    return run


def compare(kind: str, data: NodeData) -> dict[str, object]:
    """Check that the three forms agree, then time them."""
    set_seed(3)
    make, hidden, heads = (GCN, 512, 1) if kind == "gcn" else (GAT, 64, 8)
    x = data.x.to_dense()
    row, col = data.graph.arc_rows(), data.graph.indices
    edge_index = torch.stack([torch.from_numpy(a.astype("int64")) for a in (row, col)])
    model = make(data.x.shape[1], hidden, data.num_classes)
    net = PygNet(model, kind, heads)
    dense = dataclasses.replace(data, x=x)
    model.eval(), net.eval()
    with torch.no_grad():
        want = net(x, edge_index)
        for task in (data, dense):
            torch.testing.assert_close(model(task.x, task.adjacency), want, rtol=1e-4, atol=1e-5)
    runs = {
        "pyg_edge_index": pyg_epochs(net, data, x, edge_index),
        "ours_dense_features": lambda: train(model, dense, epochs=EPOCHS, keep_weights=False),
        "ours_sparse_features": lambda: train(model, data, epochs=EPOCHS, keep_weights=False),
    }
    times = {name: measure(run, repeat=5) for name, run in runs.items()}
    slow = times["pyg_edge_index"].cpu_median
    return {
        name: {
            "epoch_cpu_ms": round(1000 * time.cpu_median / EPOCHS, 2),
            "epoch_wall_ms": round(1000 * time.median / EPOCHS, 2),
            "times_faster_cpu": round(slow / time.cpu_median, 2),
        }
        for name, time in times.items()
    }


def main() -> None:
    """Time both networks on one thread."""
    torch.set_num_threads(1)
    data = load("Cora")
    write_result("training", {"threads": 1, **{k: compare(k, data) for k in ("gcn", "gat")}})


if __name__ == "__main__":
    main()
