"""Training of graph neural networks with sparse graphs and sparse weights (extra ``gnn``)."""

from __future__ import annotations

from graphsparse.checks import require

require("torch", "gnn", "graphsparse.training")

from graphsparse.training.l0 import project_l0, project_l0_  # noqa: E402
from graphsparse.training.projection import L0Projection  # noqa: E402
from graphsparse.training.schedules import Schedule  # noqa: E402

__all__ = [
    "L0Projection",
    "Schedule",
    "project_l0",
    "project_l0_",
]
