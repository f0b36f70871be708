"""Losses: cross-entropy on the training nodes, and its sum with distillation from a teacher."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from graphsparse.training.data import NodeData

Loss = Callable[[Tensor, NodeData], Tensor]


def supervised_loss(logits: Tensor, data: NodeData) -> Tensor:
    """Return the mean cross-entropy over the training nodes."""
    return F.cross_entropy(logits[data.train], data.y[data.train])


class DistillationLoss:
    """Cross-entropy on the training nodes plus ``weight`` times the divergence from a teacher.

    Parameters
    ----------
    teacher_logits : Tensor, shape (n, classes)
        Logits of the dense model on the full graph, in evaluation mode.
    weight : float
        Factor of the divergence, ``lambda_dt``.
    nodes : Tensor of int64, optional
        Nodes that the divergence runs over; all of them when left out.  It reads no labels, so
        all nodes are fair in a transductive run; in an inductive one give the training nodes.

    Notes
    -----
    ``KL = 1/N sum_v sum_c p_T(c|v) (log p_T(c|v) - log p_S(c|v))`` at temperature 1.

    References
    ----------
    H. Seo, J. Yun, E. Yang, TEDDY, ICLR 2024, arXiv:2402.01261.
    """

    def __init__(
        self, teacher_logits: Tensor, weight: float = 10.0, nodes: Tensor | None = None
    ) -> None:
        if not math.isfinite(weight) or weight < 0:
            raise ValueError(f"weight must be finite and >= 0, got {weight!r}")
        if not bool(torch.isfinite(teacher_logits).all()):
            raise ValueError("teacher_logits must be finite, got NaN or infinity")
        self.weight, self.nodes = float(weight), nodes
        logits = teacher_logits.detach() if nodes is None else teacher_logits.detach()[nodes]
        self._target = F.log_softmax(logits, dim=1)

    def __call__(self, logits: Tensor, data: NodeData) -> Tensor:
        """Return the loss of the student's logits, shape (n, classes)."""
        return supervised_loss(logits, data) + self.weight * self.divergence(logits)

    def divergence(self, logits: Tensor) -> Tensor:
        """Return the mean divergence of the student from the teacher over the nodes."""
        student = logits if self.nodes is None else logits[self.nodes]
        if student.shape != self._target.shape:
            raise ValueError(
                f"logits must have the teacher's shape {tuple(self._target.shape)}, "
                f"got {tuple(student.shape)}"
            )
        return F.kl_div(
            F.log_softmax(student, dim=1), self._target, log_target=True, reduction="sum"
        ) / len(student)
