"""Operators as PyTorch Geometric transforms: ``Teddy(keep=0.5)`` in any ``Compose``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graphsparse.checks import require
from graphsparse.operators.amud_estimator import AmudEstimator
from graphsparse.operators.baswana_sen import baswana_sen
from graphsparse.operators.degree_resistance import degree_resistance
from graphsparse.operators.disparity import disparity
from graphsparse.operators.fastrp import FastRP
from graphsparse.operators.forest_fire import forest_fire
from graphsparse.operators.heaviest import heaviest
from graphsparse.operators.jaccard import jaccard, local_similarity
from graphsparse.operators.k_neighbors import k_neighbors
from graphsparse.operators.local_degree import local_degree
from graphsparse.operators.noise_corrected import noise_corrected
from graphsparse.operators.random_edges import random_edges
from graphsparse.operators.random_nodes import random_node_edges, random_nodes
from graphsparse.operators.rank_degree import rank_degree
from graphsparse.operators.scan import scan
from graphsparse.operators.simmelian import simmelian
from graphsparse.operators.spanner import spanner
from graphsparse.operators.spanning_forests import spanning_forests
from graphsparse.operators.teddy import teddy
from graphsparse.quality.sparsify import takes_auto

if TYPE_CHECKING:
    from torch_geometric.transforms import BaseTransform
else:
    BaseTransform = require(
        "torch_geometric.transforms", "gnn", "graphsparse.transforms"
    ).BaseTransform


def as_transform(
    operator: Callable[..., Any], *, name: str | None = None, module: str | None = None
) -> type[BaseTransform]:
    """Return the PyG transform class of an operator.

    Parameters
    ----------
    operator : callable
        ``f(graph, ...) -> graph`` that takes a ``Data`` or ``HeteroData`` and leaves it as it is.
    name : str, optional
        Name of the class; ``random_edges`` becomes ``RandomEdges`` when left out.
    module : str, optional
        Module that holds the class under its name, so that it can be pickled; the operator's.

    Returns
    -------
    type
        Takes the operator's parameters but the first, refuses others when it is made, and shows
        the value of each of them in its ``repr``.

    Examples
    --------
    >>> as_transform(random_edges)(keep=0.5, seed=7)
    RandomEdges(keep=0.5, num_edges=None, weighted=False, connected=False, tie_break='hash', seed=7)
    """
    whole = inspect.signature(operator)
    own = whole.replace(
        parameters=list(whole.parameters.values())[1:], return_annotation=inspect.Signature.empty
    )

    class Transform(BaseTransform):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            bound = own.bind(*args, **kwargs)
            bound.apply_defaults()
            self.parameters: dict[str, Any] = dict(bound.arguments)

        def forward(self, data: Any) -> Any:
            return operator(data, **self.parameters)

        def __repr__(self) -> str:
            values = ", ".join(f"{key}={value!r}" for key, value in self.parameters.items())
            return f"{type(self).__name__}({values})"

    summary = (inspect.getdoc(operator) or operator.__name__).split("\n")[0]
    Transform.__name__ = Transform.__qualname__ = name or _camel_case(operator.__name__)
    Transform.__module__ = module or operator.__module__
    Transform.__doc__ = (
        f"{summary}\n\nPyG transform of :func:`{operator.__module__}.{operator.__name__}`, with "
        "its parameters.  PyG counts both\ndirections of an edge; a pair is kept or dropped as "
        "one.  The data given is not changed."
    )
    Transform.__signature__ = own
    return Transform


def _camel_case(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _sparsifier(operator: Callable[..., Any], method: str) -> type[BaseTransform]:
    return as_transform(takes_auto(operator, method), module=__name__)


Teddy = _sparsifier(teddy, "teddy")
RandomEdges = _sparsifier(random_edges, "random")
BaswanaSen = _sparsifier(baswana_sen, "baswana_sen")
DegreeResistance = _sparsifier(degree_resistance, "degree_resistance")
Disparity = _sparsifier(disparity, "disparity")
ForestFire = _sparsifier(forest_fire, "forest_fire")
Heaviest = _sparsifier(heaviest, "heaviest")
Jaccard = _sparsifier(jaccard, "jaccard")
LocalSimilarity = _sparsifier(local_similarity, "local_similarity")
KNeighbors = _sparsifier(k_neighbors, "k_neighbors")
LocalDegree = _sparsifier(local_degree, "local_degree")
NoiseCorrected = _sparsifier(noise_corrected, "noise_corrected")
RandomNodeEdges = _sparsifier(random_node_edges, "random_node_edges")
RandomNodes = _sparsifier(random_nodes, "random_nodes")
RankDegree = _sparsifier(rank_degree, "rank_degree")
Scan = _sparsifier(scan, "scan")
Simmelian = _sparsifier(simmelian, "simmelian")
Spanner = _sparsifier(spanner, "spanner")
SpanningForests = _sparsifier(spanning_forests, "spanning_forests")


class AMUD(AmudEstimator, BaseTransform):
    """Symmetrise the arcs of a ``Data``, or keep them, as its training labels suggest.

    PyG transform of :func:`graphsparse.amud`, with its options; ``fit`` and ``transform`` apart
    apply one decision to many graphs.

    Examples
    --------
    >>> AMUD(z_min=3.0)
    AMUD(z_min=3.0)
    """

    def forward(self, data: Any) -> Any:
        """Decide by ``data.y[data.train_mask]`` and return the graph to train on."""
        return self.fit(data).transform(data)


class AddFastRP(BaseTransform):
    """Add FastRP vectors to the nodes of a ``Data`` object.

    Parameters
    ----------
    dim : int
        Columns added.
    attr_name : str, optional
        Attribute that gets them.  Left out, they are put behind the columns of ``x``, or become
        ``x`` where there is none.
    **options
        Options of :func:`graphsparse.fastrp`; with ``feature_ratio`` the properties are ``x``.

    Examples
    --------
    >>> AddFastRP(dim=64, seed=7)
    AddFastRP(dim=64, attr_name=None, seed=7)
    """

    def __init__(self, dim: int = 256, attr_name: str | None = None, **options: Any) -> None:
        self.dim, self.attr_name, self.options = dim, attr_name, options
        FastRP(dim, **options)  # refuses what is wrong at once

    def forward(self, data: Any) -> Any:
        """Return a copy of ``data`` with the vectors."""
        import torch

        options = dict(self.options)
        if options.get("feature_ratio") and "features" not in options:
            options["features"] = data.x
        vectors = torch.from_numpy(FastRP(self.dim, **options).fit_transform(data))
        name = self.attr_name or "x"
        before = data.x if self.attr_name is None and "x" in data else None
        if before is not None:
            vectors = torch.cat([before.to(vectors.dtype), vectors], dim=-1)
        data[name] = vectors
        return data

    def __repr__(self) -> str:
        values = "".join(f", {key}={value!r}" for key, value in self.options.items())
        return f"AddFastRP(dim={self.dim}, attr_name={self.attr_name!r}{values})"
