"""What a sparse run costs and keeps: multiply-accumulates, weights, edges."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import nn

from graphsparse.graph import Graph
from graphsparse.models.backbones import Backbone
from graphsparse.models.graph_level import GraphNet
from graphsparse.models.links import LinkModel
from graphsparse.models.rows import RowModel


def weights_kept(model: nn.Module) -> tuple[int, int]:
    """Return the weights that are not zero and all weights, over the model's matrices.

    Those are ``model.maps()``, or every parameter of two or more dimensions where it has none.
    """
    if isinstance(model, Backbone | RowModel | LinkModel):
        matrices = [weight for weight, _ in model.maps()]
    else:
        matrices = [weight for weight in model.parameters() if weight.dim() >= 2]
    kept = sum(int(torch.count_nonzero(weight)) for weight in matrices)
    return kept, sum(weight.numel() for weight in matrices)


def num_parameters(model: nn.Module) -> int:
    """Return the number of trained parameters, zeros included."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(model: Backbone | RowModel, graph: Graph) -> int:
    """Return the multiply-accumulates of one forward pass, transforming before aggregating.

    Parameters
    ----------
    model : Backbone
        Its weights count as far as they are not zero.
    graph : Graph
        ``n`` nodes; an undirected edge is two arcs.

    Returns
    -------
    int
        ``sum_l [n * nnz(W_l) + (arcs + n) * width_l]``, the second term for maps whose output
        is aggregated only.  Features count as dense, as papers count them.
    """
    return count_macs_of(model, graph.num_nodes, graph.num_arcs)


def count_macs_of(model: Backbone | RowModel | GraphNet, n: int, arcs: int) -> int:
    """Return the same from the numbers of nodes and arcs."""
    total = 0
    for weight, aggregated in model.maps():
        total += n * int(torch.count_nonzero(weight))
        total += (arcs + n) * weight.shape[1] if aggregated else 0
    return total


def run_figures(
    result: Any,
    model: nn.Module,
    metric: str,
    *,
    edges: tuple[int, int],
    macs: int | None,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Return what the file of a run tells of it.

    Parameters
    ----------
    result
        With ``test``, ``val``, ``best_epoch`` and ``epochs``.
    model : nn.Module
        As it was trained.
    metric : str
        Name of the scores.
    edges : (int, int)
        Edges kept, of how many.
    macs : int or None
        Multiply-accumulates of a pass.
    seconds : dict of str to float
        What :class:`Clock` says.
    """
    kept, total = weights_kept(model)
    return {
        "test": result.test,
        "val": result.val,
        "metric": metric,
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        "edges_kept": edges[0],
        "edges_total": edges[1],
        "weights_kept": kept,
        "weights_total": total,
        "parameters": num_parameters(model),
        "macs": macs,
        "teacher_test": None,
        "seconds": seconds,
    }


class Clock:
    """Seconds of a run from now on, and of its epochs before it was resumed."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def seconds(self, history: dict[str, list[float]]) -> dict[str, float]:
        """Return those of training and of an epoch; CPU seconds are those of this process."""
        epochs = history["seconds"]
        wall = max(time.perf_counter() - self._wall, sum(epochs))
        cpu = time.process_time() - self._cpu
        return {"train": wall, "train_cpu": cpu, "epoch": wall / len(epochs)}
