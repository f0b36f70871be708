"""UGS: iterative pruning of edges and weights by trained masks, the lottery-ticket baseline.

Chen et al., ICML 2021, arXiv 2102.06790, with the faults of its code mended: one mask value per
pair, exact counts, ties by index, dropout on in every epoch, no weight decay on masks, O(m)
memory.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from graphsparse.checks import check_count, check_fraction
from graphsparse.graph import Graph
from graphsparse.models.adjacency import MaskedAdjacency
from graphsparse.training.data import NodeData
from graphsparse.training.distill import supervised_loss
from graphsparse.training.loop import TrainResult, adam, train
from graphsparse.training.metrics import accuracy

NOISE = 1e-5


@dataclasses.dataclass(frozen=True)
class UgsOptions:
    """Settings of :func:`ugs`.

    Attributes
    ----------
    edge_rate, weight_rate : float
        Share of what remains that each round removes.
    edge_penalty, weight_penalty : float
        Factors of the l1 norms of the masks.
    mask_epochs, epochs : int
        Epochs of mask training and of retraining in each round.
    lr, weight_decay : float
        Of Adam; masks have no weight decay.
    """

    edge_rate: float = 0.05
    weight_rate: float = 0.2
    edge_penalty: float = 1e-2
    weight_penalty: float = 1e-2
    mask_epochs: int = 200
    epochs: int = 200
    lr: float = 0.01
    weight_decay: float = 5e-4

    def __post_init__(self) -> None:
        for name in ("edge_rate", "weight_rate"):
            check_fraction(name, getattr(self, name), zero=True)
        for name in ("mask_epochs", "epochs"):
            check_count(name, getattr(self, name), low=1)


@dataclasses.dataclass(frozen=True, eq=False)
class UgsRound:
    """What one round left.

    Attributes
    ----------
    graph : Graph
        The remaining edges.
    masks : dict of str to Tensor of bool
        The remaining weights of every matrix.
    edges, weights : int
        How many those are.
    result : TrainResult
        The retraining with fixed masks from the initial weights.
    seconds : float
        Wall time of the round.
    """

    graph: Graph
    masks: dict[str, Tensor]
    edges: int
    weights: int
    result: TrainResult
    seconds: float


def ugs(
    model: nn.Module, data: NodeData, rounds: int = 20, options: UgsOptions | None = None
) -> Iterator[UgsRound]:
    """Yield the sparse graph, the sparse weights and the scores of each round.

    A round trains masks and weights together, removes the smallest masks, rewinds the weights
    and retrains with what is left.

    Parameters
    ----------
    model : nn.Module
        Its weights at the call are those that every round starts from.  Matrices are masked.
    data : NodeData
        Self-loops are outside the mask and stay.
    rounds : int
        Each costs ``mask_epochs + epochs`` epochs.
    options : UgsOptions, optional
        Rates, penalties, epochs.

    Yields
    ------
    UgsRound

    Notes
    -----
    Of ``m`` remaining edges ``floor(edge_rate * m + 1e-6)`` go, of ``w`` remaining weights
    ``ceil(weight_rate * w - 1e-6)``, counted over all matrices; of equal masks the later one.
    Masks multiply messages; degrees are those of the round's graph.

    References
    ----------
    T. Chen et al., A unified lottery ticket hypothesis for graph neural networks, ICML 2021,
    arXiv:2102.06790.
    """
    check_count("rounds", rounds, low=1)
    options = UgsOptions() if options is None else options
    initial = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    masks = {n: torch.ones_like(p, dtype=torch.bool) for n, p in _matrices(model).items()}
    for _ in range(rounds):
        start = time.perf_counter()
        model.load_state_dict(initial)
        edge_mask, weight_masks = _train_masks(model, data, masks, options)
        data = data.with_graph(_prune_edges(data.graph, edge_mask, options.edge_rate))
        masks = _prune_weights(weight_masks, masks, options.weight_rate)
        model.load_state_dict(initial)
        result = _retrain(model, data, masks, options)
        weights = sum(int(mask.sum()) for mask in masks.values())
        seconds = time.perf_counter() - start
        yield UgsRound(data.graph, masks, data.graph.num_edges, weights, result, seconds)


def _matrices(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.dim() >= 2}


def _noisy_ones(like: Tensor) -> nn.Parameter:
    return nn.Parameter(1.0 + (2.0 * torch.rand_like(like) - 1.0) * NOISE)


def _train_masks(
    model: nn.Module, data: NodeData, masks: dict[str, Tensor], options: UgsOptions
) -> tuple[Tensor, dict[str, Tensor]]:
    """Masks of the first best validation epoch of joint training; removed weights stay at 0."""
    edge_mask = _noisy_ones(torch.empty(data.graph.num_edges, dtype=data.x.dtype))
    noisy = {name: _noisy_ones(p) for name, p in _matrices(model).items()}
    groups: list[dict[str, Any]] = [
        {"params": list(model.parameters()), "weight_decay": options.weight_decay},
        {"params": [edge_mask, *noisy.values()]},
    ]
    optimizer = torch.optim.Adam(groups, lr=options.lr)

    def forward() -> Tensor:
        sparse: dict[str, Any] = {
            name: p * (noisy[name] * masks[name]) for name, p in _matrices(model).items()
        }
        return functional_call(model, sparse, (data.x, MaskedAdjacency(data.adjacency, edge_mask)))

    best = -math.inf
    kept: tuple[Tensor, dict[str, Tensor]] | None = None
    for _ in range(options.mask_epochs):
        model.train()
        optimizer.zero_grad()
        penalty = options.edge_penalty * edge_mask.abs().sum()
        for name, mask in noisy.items():
            penalty = penalty + options.weight_penalty * (mask * masks[name]).abs().sum()
        (supervised_loss(forward(), data) + penalty).backward()
        optimizer.step()
        model.eval()
        with torch.no_grad():
            score = accuracy(forward()[data.val], data.y[data.val])
        if kept is None or score > best:
            best = score
            copies = {name: mask.detach().clone() for name, mask in noisy.items()}
            kept = edge_mask.detach().clone(), copies
    assert kept is not None
    return kept


def _smallest(magnitude: Tensor, count: int) -> Tensor:
    """Positions of the ``count`` smallest values; of equal ones the later."""
    order = torch.argsort(magnitude.flip(0), stable=True)
    return len(magnitude) - 1 - order[:count]


def _prune_edges(graph: Graph, mask: Tensor, rate: float) -> Graph:
    u, v = (torch.from_numpy(end.copy()) for end in graph.edges())
    prunable = (u != v).nonzero()[:, 0]
    count = math.floor(rate * len(prunable) + 1e-6)
    keep = torch.ones(graph.num_edges, dtype=torch.bool)
    keep[prunable[_smallest(mask[prunable].abs(), count)]] = False
    return graph.edge_subgraph(keep.numpy())


def _prune_weights(
    trained: dict[str, Tensor], masks: dict[str, Tensor], rate: float
) -> dict[str, Tensor]:
    alive = torch.cat([masks[name].reshape(-1) for name in masks])
    values = torch.cat([trained[name].reshape(-1) for name in masks]).abs()
    places = alive.nonzero()[:, 0]
    count = math.ceil(rate * len(places) - 1e-6)
    alive = alive.clone()
    alive[places[_smallest(values[places], count)]] = False
    parts = alive.split([mask.numel() for mask in masks.values()])
    return {name: part.view_as(masks[name]) for name, part in zip(masks, parts, strict=True)}


def _retrain(
    model: nn.Module, data: NodeData, masks: dict[str, Tensor], options: UgsOptions
) -> TrainResult:
    optimizer = adam(model, options.lr, options.weight_decay)

    def mask_weights(*_: Any) -> None:
        with torch.no_grad():
            for name, parameter in _matrices(model).items():
                parameter.mul_(masks[name])

    mask_weights()
    optimizer.register_step_post_hook(mask_weights)
    return train(model, data, epochs=options.epochs, optimizer=optimizer)
