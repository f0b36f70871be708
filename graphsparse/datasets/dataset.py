"""What ``load_dataset`` returns: a graph (or many), what belongs to it, and how it is judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsparse.convert import from_pyg, is_data, is_hetero, to_pyg
from graphsparse.datasets.splits import PARTS, Split
from graphsparse.graph import Graph, Hypergraph

if TYPE_CHECKING:
    from torch_geometric.data import Data

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A data set: content, arrays beside it, splits, and the measure it is judged by.

    Attributes
    ----------
    name : str
        As in ``list_datasets()``.
    task : str
        ``"node classification"``, ``"graph classification"``, ``"graph regression"``,
        ``"link prediction"``, ``"edge-dependent node classification"``, ``"edge stream"``,
        ``"sparsification"``, ...
    content : Graph, Hypergraph, PyG Data or HeteroData, or sequence of Data
        What was stored.  :attr:`graph` and :meth:`to_pyg` give the form that is wanted.
    arrays : mapping of str to array
        What belongs to a Graph or Hypergraph: features ``x``, labels ``y``, points ``pos``, ...
    splits : tuple of Split
        Divisions of the nodes, graphs or hyperedges; empty where there are none.
    edge_splits : mapping
        Of a link prediction set: part (``"train"``, ``"valid"``, ``"test"``) -> name
        (``"edge"``, ``"edge_neg"``, ...) -> array.
    num_classes : int or None
        Classes of the labels.
    metric : str or None
        ``"accuracy"``, ``"roc_auc"``, ``"rmse"``, ``"hits@20"``, ...
    card : mapping
        Source, licence, and what else there is to know.
    """

    name: str
    task: str
    content: Any
    arrays: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    splits: tuple[Split, ...] = ()
    edge_splits: Mapping[str, Mapping[str, Array]] = dataclasses.field(default_factory=dict)
    num_classes: int | None = None
    metric: str | None = None
    card: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @cached_property
    def graph(self) -> Graph:
        """The structure as a :class:`Graph`.

        Raises
        ------
        TypeError
            If the set holds a hypergraph, several graphs or several edge types.
        """
        if isinstance(self.content, Graph):
            return self.content
        if isinstance(self.content, Hypergraph) or is_hetero(self.content):
            kind = type(self.content).__name__
            raise TypeError(f"data set {self.name!r} holds a {kind}, not one graph; see .content")
        if not is_data(self.content):
            raise TypeError(
                f"data set {self.name!r} holds {len(self.content)} graphs, not one; see .content"
            )
        return from_pyg(self.content)

    def to_pyg(self, split: int | None = 0) -> Data:
        """Return a PyG ``Data`` with the masks of one split.

        Parameters
        ----------
        split : int or None
            Number of the split whose ``train_mask``, ``val_mask`` and ``test_mask`` are set;
            None, or a set without splits: no masks.

        Returns
        -------
        Data
            ``x`` as dense float32, ``y`` as stored.  PyG counts both directions of an edge.
        """
        data = self._data()
        if split is None or not self.splits:
            return data
        import torch

        if not 0 <= split < len(self.splits):
            raise ValueError(f"split must be in [0, {len(self.splits)}), got {split}")
        for part in PARTS:
            mask = self.splits[split].mask(part, int(data.num_nodes or 0))
            data[f"{part}_mask"] = torch.from_numpy(mask)
        return data

    def _data(self) -> Data:
        import copy

        if not isinstance(self.content, Graph):
            _ = self.graph  # says what is wrong with sets that are not one graph
            data: Data = copy.copy(self.content)
            return data
        data = to_pyg(self.content)
        import torch

        for key, array in self.arrays.items():
            values = array.astype(np.float32) if key == "x" else array
            data[key] = torch.tensor(values)
        return data

    def __repr__(self) -> str:
        content = self.content if isinstance(self.content, Graph | Hypergraph) else None
        shown = repr(content) if content is not None else type(self.content).__name__
        return (
            f"Dataset({self.name!r}, task={self.task!r}, {shown}, splits={len(self.splits)}, "
            f"num_classes={self.num_classes}, metric={self.metric!r})"
        )
