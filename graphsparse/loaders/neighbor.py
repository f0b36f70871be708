"""``NeighborLoader`` and ``LinkNeighborLoader`` with PyG's signatures, without pyg-lib."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Data
from torch_geometric.loader import LinkLoader, NodeLoader
from torch_geometric.loader.utils import get_edge_label_index, get_input_nodes
from torch_geometric.sampler import EdgeSamplerInput, NegativeSampling, NodeSamplerInput

from graphsparse.checks import check_count
from graphsparse.loaders.numbered import NumberedBatches, Places, in_threads, split_items
from graphsparse.loaders.sampler import NeighborSampler

_OWN = ("batch_size", "shuffle", "drop_last", "sampler")


class _Numbered:
    """What both loaders share: numbered batches, made by threads if asked for."""

    data: Any
    filter_per_worker: bool
    prefetch_threads: int
    collate_fn: Callable[[Any], Any]
    filter_fn: Callable[[Any], Any]

    def _begin(self, size: int, seed: int, threads: int, options: dict[str, Any]) -> None:
        self.prefetch_threads = check_count("prefetch_threads", threads)
        if threads and options.get("num_workers", 0):
            raise ValueError("prefetch_threads must be 0 with num_workers, "
                             f"got {threads} and {options['num_workers']}")  # fmt: skip
        for name in ("dataset", "collate_fn"):
            options.pop(name, None)
        own = {name: options.pop(name) for name in _OWN if name in options}
        if "batch_sampler" in options:
            raise ValueError("batch_sampler must be left out: batches are numbered by the loader; "
                             "give sampler, batch_size and drop_last")  # fmt: skip
        batches = NumberedBatches(
            size,
            own.get("batch_size", 1),
            bool(own.get("shuffle", False)),
            bool(own.get("drop_last", False)),
            seed,
            own.get("sampler"),
        )
        DataLoader.__init__(
            self,  # type: ignore[arg-type]
            Places(size),
            batch_sampler=batches,
            collate_fn=self.collate_fn,
            **options,
        )

    def __iter__(self) -> Iterator[Any]:
        if self.prefetch_threads:
            return self._threaded()
        inherited: Iterator[Any] = super().__iter__()  # type: ignore[misc]
        return inherited

    def _threaded(self) -> Iterator[Any]:
        batches: Any = iter(self.batch_sampler)  # type: ignore[attr-defined]

        def make(items: Any) -> Any:
            out = self.collate_fn(items)
            return out if self.filter_per_worker else self.filter_fn(out)

        return in_threads(make, batches, self.prefetch_threads, 2)


class NeighborLoader(_Numbered, NodeLoader):
    """Mini-batches of nodes with sampled neighbours, as ``torch_geometric.loader.NeighborLoader``.

    Parameters
    ----------
    data : torch_geometric.data.Data
        Graph, features, labels.
    num_neighbors, replace, subgraph_type, disjoint, temporal_strategy, time_attr, weight_attr
        As in :class:`~graphsparse.loaders.NeighborSampler`.
    input_nodes : Tensor, optional
        Seeds as ids or mask; all nodes when left out.
    input_time : Tensor, optional
        Times of the seeds.
    transform, transform_sampler_output, filter_per_worker, is_sorted, neighbor_sampler
        As in PyG.
    sample_direction : {"forward", "backward", "both"}
        As in :class:`~graphsparse.loaders.NeighborSampler`.
    seed : int
        Of order and samples: an epoch depends on the seed and its number only.
    prefetch_threads : int
        Threads that make batches ahead; instead of ``num_workers`` processes.
    **kwargs
        Of the torch ``DataLoader``: ``batch_size``, ``shuffle``, ``num_workers``, ...

    Examples
    --------
    >>> from torch_geometric.data import Data
    >>> ring = Data(x=torch.eye(4), edge_index=torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]]))
    >>> batch = next(iter(NeighborLoader(ring, [1, 1], batch_size=2)))
    >>> batch.n_id.tolist(), batch.batch_size
    ([0, 1, 3, 2], 2)
    """

    def __init__(
        self,
        data: Data,
        num_neighbors: Sequence[int],
        input_nodes: Any = None,
        input_time: Tensor | None = None,
        replace: bool = False,
        subgraph_type: Any = "directional",
        disjoint: bool = False,
        temporal_strategy: str = "uniform",
        time_attr: str | None = None,
        weight_attr: str | None = None,
        transform: Callable[[Any], Any] | None = None,
        transform_sampler_output: Callable[[Any], Any] | None = None,
        is_sorted: bool = False,
        filter_per_worker: bool | None = None,
        neighbor_sampler: NeighborSampler | None = None,
        *,
        sample_direction: str = "forward",
        seed: int = 0,
        prefetch_threads: int = 0,
        **kwargs: Any,
    ) -> None:
        if input_time is not None and time_attr is None:
            raise ValueError("time_attr must be given with input_time, got None")
        self.node_sampler = neighbor_sampler or NeighborSampler(
            data,
            num_neighbors,
            subgraph_type,
            replace,
            disjoint,
            temporal_strategy,
            time_attr,
            weight_attr,
            is_sorted,
            sample_direction=sample_direction,
            seed=seed,
        )
        _, nodes, input_id = get_input_nodes(data, input_nodes)
        self.data, self.input_nodes, self.input_time = data, input_nodes, input_time
        self.transform, self.transform_sampler_output = transform, transform_sampler_output
        self.filter_per_worker = (
            not data.is_cuda if filter_per_worker is None else filter_per_worker
        )
        self.custom_cls, self.input_id = None, None
        self.input_data = NodeSamplerInput(input_id=input_id, node=nodes, time=input_time)
        self._begin(len(nodes), seed, prefetch_threads, kwargs)

    def collate_fn(self, index: Any) -> Any:
        """Return the sample of some places, with its features if workers add them."""
        batch, places = split_items(index)
        inputs = self.input_data[places]
        out = self.node_sampler.sample_from_nodes(inputs, batch=batch)
        return self.filter_fn(out) if self.filter_per_worker else out


class LinkNeighborLoader(_Numbered, LinkLoader):
    """Mini-batches of pairs, as ``torch_geometric.loader.LinkNeighborLoader``.

    Parameters
    ----------
    data, num_neighbors, replace, subgraph_type, disjoint, temporal_strategy, time_attr, weight_attr
        As in :class:`NeighborLoader`.
    edge_label_index : Tensor, optional
        Pairs, shape (2, pairs); all arcs when left out.
    edge_label, edge_label_time : Tensor, optional
        Labels and times of the pairs.
    neg_sampling, neg_sampling_ratio
        False pairs, as in PyG; they are drawn from the seed and the number of the batch.
    seed, prefetch_threads, sample_direction, **kwargs
        As in :class:`NeighborLoader`.
    """

    def __init__(
        self,
        data: Data,
        num_neighbors: Sequence[int],
        edge_label_index: Tensor | None = None,
        edge_label: Tensor | None = None,
        edge_label_time: Tensor | None = None,
        replace: bool = False,
        subgraph_type: Any = "directional",
        disjoint: bool = False,
        temporal_strategy: str = "uniform",
        neg_sampling: Any = None,
        neg_sampling_ratio: float | None = None,
        time_attr: str | None = None,
        weight_attr: str | None = None,
        transform: Callable[[Any], Any] | None = None,
        transform_sampler_output: Callable[[Any], Any] | None = None,
        is_sorted: bool = False,
        filter_per_worker: bool | None = None,
        neighbor_sampler: NeighborSampler | None = None,
        *,
        sample_direction: str = "forward",
        seed: int = 0,
        prefetch_threads: int = 0,
        **kwargs: Any,
    ) -> None:
        if (edge_label_time is None) != (time_attr is None):
            given = "time_attr" if time_attr else "edge_label_time"
            raise ValueError(
                f"edge_label_time and time_attr must be given together, got only {given}"
            )
        self.link_sampler = neighbor_sampler or NeighborSampler(
            data,
            num_neighbors,
            subgraph_type,
            replace,
            disjoint,
            temporal_strategy,
            time_attr,
            weight_attr,
            is_sorted,
            sample_direction=sample_direction,
            seed=seed,
        )
        if neg_sampling_ratio:
            neg_sampling = NegativeSampling("binary", neg_sampling_ratio)
        self.neg_sampling = NegativeSampling.cast(neg_sampling)
        label = _labels(self.neg_sampling, edge_label)
        _, pairs = get_edge_label_index(data, edge_label_index)
        self.data, self.edge_label_index = data, edge_label_index
        self.transform, self.transform_sampler_output = transform, transform_sampler_output
        self.filter_per_worker = (
            not data.is_cuda if filter_per_worker is None else filter_per_worker
        )
        self.custom_cls = None
        self.input_data = EdgeSamplerInput(None, pairs[0], pairs[1], label, edge_label_time)
        self._begin(pairs.shape[1], seed, prefetch_threads, kwargs)

    def collate_fn(self, index: Any) -> Any:
        """Return the sample of some places, with its features if workers add them."""
        batch, places = split_items(index)
        inputs = self.input_data[places]
        out = self.link_sampler.sample_from_edges(inputs, self.neg_sampling, batch=batch)
        return self.filter_fn(out) if self.filter_per_worker else out


def _labels(false: NegativeSampling | None, label: Tensor | None) -> Tensor | None:
    """Return the labels with 0 kept free for false pairs."""
    if false is None or label is None:
        return label
    if false.is_triplet():
        raise ValueError("edge_label must be left out with triplets of pairs, got labels")
    return label + 1 if int(torch.min(label)) == 0 else label
