"""Many small graphs as one task, in flat arrays, and batches cut out of them."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphsparse.checks import check_choice
from graphsparse.quality.sparsify import sparsify

Array = np.ndarray[Any, np.dtype[Any]]
GRAPH_METRICS = ("roc_auc", "rmse")


@dataclasses.dataclass(frozen=True, eq=False)
class GraphBatch:
    """Some graphs as one: nodes and edges one after another.

    Attributes
    ----------
    x : Tensor, shape (n, columns)
        Node features or codes.
    edge_index : Tensor of int64, shape (2, m)
        Senders, receivers.
    edge_attr : Tensor, shape (m, columns), or None
        Edge features or codes.
    ptr : Tensor of int64, shape (graphs + 1,)
        First node of each graph.
    y : Tensor, shape (graphs, tasks)
        Targets; NaN where there is none.
    """

    x: Tensor
    edge_index: Tensor
    edge_attr: Tensor | None
    ptr: Tensor
    y: Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class GraphTask:
    """A set of graphs with targets and splits.

    Parameters
    ----------
    whole : GraphBatch
        All graphs; edges lie in the order of their graphs.
    train, val, test : Tensor of int64
        Numbers of the graphs of each split.
    metric : {"roc_auc", "rmse"}
        Mean ROC AUC over the tasks, of binary targets; or root mean squared error.
    """

    whole: GraphBatch
    train: Tensor
    val: Tensor
    test: Tensor
    metric: str

    def __post_init__(self) -> None:
        check_choice("metric", self.metric, GRAPH_METRICS)
        sender = self._edge_graph
        if len(sender) and bool((sender.diff() < 0).any()):
            raise ValueError("edge_index must be in the order of the graphs")

    @classmethod
    def from_dataset(cls, dataset: Any, split: int = 0) -> GraphTask:
        """Build from what :func:`graphsparse.load_dataset` returns for a set of graphs.

        Parameters
        ----------
        dataset : Dataset
            Its content is a sequence of PyG ``Data`` with ``x``, ``edge_index`` and ``y``.
        split : int
            Which of its splits.
        """
        graphs = list(dataset.content)
        ptr = torch.tensor([0, *(int(g.num_nodes) for g in graphs)]).cumsum(0)
        index = [g.edge_index + start for g, start in zip(graphs, ptr[:-1], strict=True)]
        attr = None
        if graphs and graphs[0].edge_attr is not None:
            attr = torch.cat([g.edge_attr for g in graphs])
        y = torch.stack([g.y.view(-1).to(torch.float32) for g in graphs])
        x = torch.cat([g.x for g in graphs])
        parts = dataset.splits[split]
        ids = {n: torch.from_numpy(np.array(getattr(parts, n))) for n in ("train", "val", "test")}
        whole = GraphBatch(x, torch.cat(index, dim=1), attr, ptr, y)
        return cls(whole, **ids, metric=dataset.metric)

    @property
    def _edge_graph(self) -> Tensor:
        return torch.bucketize(self.whole.edge_index[0], self.whole.ptr, right=True) - 1

    @cached_property
    def _edge_ptr(self) -> Array:
        counts = torch.bincount(self._edge_graph, minlength=len(self.whole.ptr) - 1)
        return np.concatenate([[0], counts.cumsum(0).numpy()])

    def batch(self, ids: Tensor) -> GraphBatch:
        """Return the graphs ``ids`` (int64, (graphs,)) as one batch, in that order."""
        numbers, whole = ids.numpy(), self.whole
        nodes, ptr = _ranges(whole.ptr.numpy(), numbers)
        edges, edge_ptr = _ranges(self._edge_ptr, numbers)
        shift = np.repeat(ptr[:-1] - whole.ptr.numpy()[numbers], np.diff(edge_ptr))
        take = torch.from_numpy(edges)
        return GraphBatch(
            whole.x[torch.from_numpy(nodes)],
            whole.edge_index[:, take] + torch.from_numpy(shift),
            None if whole.edge_attr is None else whole.edge_attr[take],
            torch.from_numpy(ptr),
            whole.y[ids],
        )

    def sparsified(self, method: str, keep: float, **options: Any) -> GraphTask:
        """Return the task with fewer edges: one budget over the edges of all graphs.

        Parameters
        ----------
        method, keep, **options
            As in :func:`graphsparse.sparsify`.
        """
        from torch_geometric.data import Data

        whole = self.whole
        data = Data(edge_index=whole.edge_index, num_nodes=int(whole.ptr[-1]))
        data.edge_attr = torch.arange(whole.edge_index.shape[1])
        kept = sparsify(data, method, keep, **options).graph.edge_attr.sort().values
        attr = None if whole.edge_attr is None else whole.edge_attr[kept]
        index = whole.edge_index[:, kept]
        return dataclasses.replace(
            self, whole=dataclasses.replace(whole, edge_index=index, edge_attr=attr)
        )


def _ranges(ptr: Array, ids: Array) -> tuple[Array, Array]:
    """Members of the ranges ``ptr[i]:ptr[i + 1]`` of some i, and where each range begins."""
    sizes = ptr[ids + 1] - ptr[ids]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    members = np.arange(starts[-1]) + np.repeat(ptr[ids] - starts[:-1], sizes)
    return members, starts
