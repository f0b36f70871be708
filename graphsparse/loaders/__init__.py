"""Mini-batches (needs the extra ``gnn``)."""

from __future__ import annotations

from graphsparse.checks import require

require("torch", "gnn", "graphsparse.loaders")

from graphsparse.loaders.incidence import IncidenceNeighborLoader  # noqa: E402
from graphsparse.loaders.neighbor import LinkNeighborLoader, NeighborLoader  # noqa: E402
from graphsparse.loaders.sampler import NeighborSampler  # noqa: E402
from graphsparse.loaders.subgraphs import ClusterLoader, RandomWalkLoader  # noqa: E402

__all__ = [
    "ClusterLoader",
    "IncidenceNeighborLoader",
    "LinkNeighborLoader",
    "NeighborLoader",
    "NeighborSampler",
    "RandomWalkLoader",
]
