"""Training of graph neural networks with sparse graphs and sparse weights (extra ``gnn``)."""

from __future__ import annotations

from graphsparse.checks import require

require("torch", "gnn", "graphsparse.training")

from graphsparse.training.callbacks import (  # noqa: E402
    Checkpoint,
    EarlyStopping,
    JsonLog,
    TensorBoardLog,
)
from graphsparse.training.checkpoint import (  # noqa: E402
    CheckpointError,
    load_weights,
    save_weights,
)
from graphsparse.training.compact import CompactReport, MapReport, compact  # noqa: E402
from graphsparse.training.data import NodeData  # noqa: E402
from graphsparse.training.distill import DistillationLoss, supervised_loss  # noqa: E402
from graphsparse.training.distributed import ReplicaError, Replicas, launched  # noqa: E402
from graphsparse.training.edge_plan import EdgePlan  # noqa: E402
from graphsparse.training.graph_loop import GraphTrainResult, train_graphs  # noqa: E402
from graphsparse.training.graphs import GraphBatch, GraphTask  # noqa: E402
from graphsparse.training.l0 import project_l0, project_l0_  # noqa: E402
from graphsparse.training.link_loop import train_links  # noqa: E402
from graphsparse.training.links import LinkTask, RankedPairs  # noqa: E402
from graphsparse.training.loop import TrainResult, adam, set_seed, train  # noqa: E402
from graphsparse.training.projection import L0Projection  # noqa: E402
from graphsparse.training.registry import register_model  # noqa: E402
from graphsparse.training.schedules import Schedule  # noqa: E402
from graphsparse.training.state import Callback, TrainState  # noqa: E402

__all__ = [
    "Callback",
    "Checkpoint",
    "CheckpointError",
    "CompactReport",
    "DistillationLoss",
    "EarlyStopping",
    "EdgePlan",
    "GraphBatch",
    "GraphTask",
    "GraphTrainResult",
    "JsonLog",
    "L0Projection",
    "LinkTask",
    "MapReport",
    "NodeData",
    "RankedPairs",
    "ReplicaError",
    "Replicas",
    "Schedule",
    "TensorBoardLog",
    "TrainResult",
    "TrainState",
    "adam",
    "compact",
    "launched",
    "load_weights",
    "project_l0",
    "project_l0_",
    "register_model",
    "save_weights",
    "set_seed",
    "supervised_loss",
    "train",
    "train_graphs",
    "train_links",
]
