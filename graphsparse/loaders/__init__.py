"""Mini-batches (needs the extra ``gnn``)."""

from __future__ import annotations

from graphsparse.checks import require

require("torch", "gnn", "graphsparse.loaders")

from graphsparse.loaders.incidence import IncidenceNeighborLoader  # noqa: E402

__all__ = ["IncidenceNeighborLoader"]
