"""Our neighbour sampling behind PyG's interface of samplers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.sampler import (
    BaseSampler,
    EdgeSamplerInput,
    NegativeSampling,
    NodeSamplerInput,
    SamplerOutput,
)
from torch_geometric.sampler.neighbor_sampler import edge_sample

from graphsparse.checks import check_choice, check_seed
from graphsparse.operators.neighbor_sampling import (
    NeighborSample,
    NeighborTable,
    induced_sample,
    sample_neighbors,
)
from graphsparse.rng import NEGATIVE_PAIRS, draw, tie_hash, uniform

Array = np.ndarray[Any, np.dtype[Any]]
SUBGRAPHS = ("directional", "bidirectional", "induced")
_DIRECTIONS = {"forward": "in", "backward": "out", "both": "both"}


class NeighborSampler(BaseSampler):
    """Samples neighbours in the native core; takes the place of PyG's ``NeighborSampler``.

    Parameters
    ----------
    data : torch_geometric.data.Data
        With ``edge_index``; sets with node types are not supported.
    num_neighbors : sequence of int
        Arcs drawn per node in each hop; -1 takes all.
    subgraph_type : {"directional", "bidirectional", "induced"}
        Only the arcs drawn, these in both directions, or all arcs between the nodes reached.
    replace, disjoint, temporal_strategy
        As in :func:`~graphsparse.operators.neighbor_sampling.sample_neighbors`.
    time_attr : str, optional
        Integer times of nodes or arcs: a tree holds nothing later than its seed, whose time is
        given or, with times of nodes, its own.
    weight_attr : str, optional
        Arcs are drawn in proportion to it.
    sample_direction : {"forward", "backward", "both"}
        Against the arcs that enter a node, along those that leave it, or both together.
    seed : int
        Same seed and batch number, same sample: with any number of threads or workers.

    Notes
    -----
    Called through a loader of PyG, which numbers no batches, a batch is numbered by a hash of its
    seeds; our loaders number them.
    """

    def __init__(
        self,
        data: Data,
        num_neighbors: Sequence[int],
        subgraph_type: Any = "directional",
        replace: bool = False,
        disjoint: bool = False,
        temporal_strategy: str = "uniform",
        time_attr: str | None = None,
        weight_attr: str | None = None,
        is_sorted: bool = False,
        share_memory: bool = False,
        sample_direction: str = "forward",
        *,
        seed: int = 0,
    ) -> None:
        super().__init__()
        del is_sorted, share_memory  # the table is made once; forked workers share its pages
        if not isinstance(data, Data):
            raise TypeError(f"data must be a torch_geometric Data, got {type(data).__name__}")
        kind = str(getattr(subgraph_type, "value", subgraph_type))
        self.subgraph_type = check_choice("subgraph_type", kind, SUBGRAPHS)
        check_choice("sample_direction", sample_direction, _DIRECTIONS)
        direction = _DIRECTIONS[sample_direction]
        if direction == "both" and kind == "induced":
            raise ValueError("sample_direction must be 'forward' or 'backward' for induced "
                             "subgraphs, got 'both'")  # fmt: skip
        self.num_neighbors, self.replace = list(num_neighbors), replace
        self.num_nodes, self.temporal_strategy = int(data.num_nodes or 0), temporal_strategy
        self.node_time, times = _times(data, time_attr)
        self._disjoint, self.seed = disjoint, check_seed(seed)
        source, target = data.edge_index.cpu().numpy()
        weights = None if weight_attr is None else data[weight_attr].cpu().numpy()
        if times is None and self.node_time is not None:
            times = self.node_time.numpy()[source if direction == "in" else target]
            if direction == "both":
                raise ValueError("sample_direction must not be 'both' with times of nodes")
        self.table = NeighborTable.from_arcs(
            source, target, self.num_nodes, direction=direction, weights=weights, times=times
        )

    @property
    def disjoint(self) -> bool:
        """Whether every seed grows a tree of its own."""
        return self._disjoint or self.table.times is not None

    @property
    def edge_permutation(self) -> None:
        """None: samples name arcs by their place in ``edge_index``."""
        return None

    def sample_from_nodes(
        self, inputs: NodeSamplerInput, *, batch: int | None = None
    ) -> SamplerOutput:
        """Return the sample of some nodes.

        Parameters
        ----------
        inputs : NodeSamplerInput
            Nodes, and their times where there are times.
        batch : int, optional
            Number of the batch.
        """
        number = _hashed(self.seed, inputs.node) if batch is None else batch
        out = self._sampler(number)(inputs.node, inputs.time)
        out.metadata = (inputs.input_id, inputs.time)
        return self._finished(out)

    def sample_from_edges(
        self,
        inputs: EdgeSamplerInput,
        neg_sampling: NegativeSampling | None = None,
        *,
        batch: int | None = None,
    ) -> SamplerOutput:
        """Return the sample of the ends of some pairs, and of false pairs if they are asked for.

        Parameters
        ----------
        inputs : EdgeSamplerInput
            Pairs, labels, times.
        neg_sampling : NegativeSampling, optional
            As in PyG; the draws are those of the seed and the batch number.
        batch : int, optional
            Number of the batch.
        """
        number = batch
        if number is None:
            number = _hashed(self.seed, torch.cat([inputs.row, inputs.col]))
        false = None if neg_sampling is None else _SeededNegatives(neg_sampling, self.seed, number)
        sampler = self._sampler(number)
        out: SamplerOutput = edge_sample(
            inputs, sampler, self.num_nodes, self.disjoint, self.node_time, false
        )
        return self._finished(out)

    def _sampler(self, batch: int) -> Callable[..., SamplerOutput]:
        def sample(seeds: Tensor, times: Tensor | None = None) -> SamplerOutput:
            if times is None and self.node_time is not None:
                times = self.node_time[seeds]
            got = sample_neighbors(
                self.table,
                seeds.numpy(),
                self.num_neighbors,
                replace=self.replace,
                disjoint=self.disjoint,
                seed_times=None if times is None else times.numpy(),
                strategy=self.temporal_strategy,
                seed=self.seed,
                batch=batch,
            )
            return _output(got)

        return sample

    def _finished(self, out: SamplerOutput) -> SamplerOutput:
        if self.subgraph_type == "bidirectional":
            return out.to_bidirectional()
        if self.subgraph_type == "directional":
            return out
        if out.batch is not None:
            raise ValueError("subgraph_type must not be 'induced' where trees are disjoint")
        got = induced_sample(self.table, out.node.numpy())
        out.row, out.col, out.edge = map(torch.from_numpy, (got.row, got.col, got.arcs))
        out.num_sampled_edges = None
        return out


class _SeededNegatives(NegativeSampling):
    """PyG's negative sampling with draws of one seed and batch number."""

    def __init__(self, given: NegativeSampling, seed: int, batch: int) -> None:
        super().__init__(given.mode, given.amount, given.src_weight, given.dst_weight)
        self._seed, self._batch, self._drawn = seed, batch, 0

    def sample(self, num_samples: int, endpoint: str, num_nodes: int | None = None) -> Tensor:
        """Return nodes, uniform or in proportion to the weights of the endpoint."""
        items = np.arange(self._drawn, self._drawn + num_samples, dtype=np.uint64)
        self._drawn += num_samples
        weight = self.src_weight if endpoint == "src" else self.dst_weight
        x = uniform(self._seed, items, self._batch, NEGATIVE_PAIRS)
        if weight is None:
            n = 0 if num_nodes is None else num_nodes
            return torch.from_numpy(np.minimum((x * n).astype(np.int64), n - 1))
        if num_nodes is not None and weight.numel() != num_nodes:
            raise ValueError(f"weights of negatives must have shape ({num_nodes},), "
                             f"got ({weight.numel()},)")  # fmt: skip
        sums = np.cumsum(weight.numpy().astype(np.float64))
        return torch.from_numpy(np.searchsorted(sums, x * sums[-1], side="right"))


def _output(got: NeighborSample) -> SamplerOutput:
    row, col, node, arcs = map(torch.from_numpy, (got.row, got.col, got.nodes, got.arcs))
    return SamplerOutput(
        node=node,
        row=row,
        col=col,
        edge=arcs,
        batch=None if got.trees is None else torch.from_numpy(got.trees),
        num_sampled_nodes=got.nodes_of_hop,
        num_sampled_edges=got.arcs_of_hop,
    )


def _times(data: Data, name: str | None) -> tuple[Tensor | None, Array | None]:
    """Return the times of the nodes or of the arcs that an attribute holds."""
    if name is None:
        return None, None
    if name not in data:
        raise ValueError(f"time_attr must name an attribute of data, got {name!r}")
    values = data[name].cpu().view(-1).to(torch.int64)
    if data.is_node_attr(name):
        return values, None
    return None, values.numpy()


def _hashed(seed: int, ids: Tensor) -> int:
    """Return a batch number that depends on the seeds and their order."""
    nodes = ids.numpy().astype(np.uint64)
    place = draw(seed, np.arange(len(nodes), dtype=np.uint64), 0, NEGATIVE_PAIRS)
    return int(np.bitwise_xor.reduce(tie_hash(seed, nodes ^ place), initial=np.uint64(0)) >> 32)
