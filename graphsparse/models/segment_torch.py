"""The group reductions of :mod:`graphsparse.models.segment` in plain torch operations.

They run on any device, and judge the native kernels in the tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphsparse.operators.groups import Groups

Array = np.ndarray[Any, np.dtype[Any]]


def indices(array: Array, like: Tensor) -> Tensor:
    """Return an array of ids as a tensor on the device of ``like``."""
    # Arrays of a Hypergraph are read-only, which torch tensors cannot be.
    return torch.from_numpy(array if array.flags.writeable else array.copy()).to(like.device)


def row_groups(groups: Groups, like: Tensor) -> Tensor:
    """Return the group of each row, on the device of ``like``."""
    return indices(groups.ids, like)


def mean(x: Tensor, groups: Groups) -> Tensor:
    """Return the mean of each group, 0 for an empty one; shape (groups, dim)."""
    sums = x.new_zeros(groups.num_groups, x.shape[1]).index_add(0, row_groups(groups, x), x)
    sizes = torch.from_numpy(groups.sizes).to(x)
    return sums / sizes.clamp(min=1.0)[:, None]


def largest(x: Tensor, groups: Groups) -> Tensor:
    """Return the largest entry of each group by column, 0 for an empty one."""
    index = row_groups(groups, x)[:, None].expand(-1, x.shape[1])
    zeros = x.new_zeros(groups.num_groups, x.shape[1])
    return zeros.scatter_reduce(0, index, x, "amax", include_self=False)


def update(z: Tensor, weight: Tensor, bias: Tensor, groups: Groups) -> Tensor:
    """Return ``relu(z2 + (mean(relu(z1)) @ weight.T + bias)[group])`` for ``z = [z1 | z2]``."""
    dim = weight.shape[0]
    pooled = mean(F.relu(z[:, :dim]), groups)
    return F.relu(z[:, dim:] + F.linear(pooled, weight, bias)[row_groups(groups, z)])


def softmax(logits: Tensor, groups: Groups) -> Tensor:
    """Return the softmax of each column over the rows of each group."""
    index = row_groups(groups, logits)
    shifted = (logits - largest(logits, groups).detach()[index]).exp()
    total = logits.new_zeros(groups.num_groups, logits.shape[1]).index_add(0, index, shifted)
    return shifted / total[index]


def softmax_pool(logits: Tensor, values: Tensor, groups: Groups, heads: int) -> Tensor:
    """See :func:`graphsparse.models.segment.softmax_pool`."""
    (n, dim), points = values.shape, logits.shape[1] // heads
    att = softmax(logits, groups).view(n, points, heads, 1)
    weighted = (att * values.reshape(n, 1, heads, dim // heads)).reshape(n, points * dim)
    pooled = weighted.new_zeros(groups.num_groups, points * dim)
    pooled = pooled.index_add(0, row_groups(groups, values), weighted)
    return pooled.view(groups.num_groups * points, dim)


def group_read(
    q: Tensor, keys: Tensor, values: Tensor, groups: Groups, heads: int, scale: float
) -> Tensor:
    """See :func:`graphsparse.models.segment.group_read`."""
    n, dim = q.shape
    points = len(keys) // max(groups.num_groups, 1)
    index = row_groups(groups, q)
    per_head = (groups.num_groups, points, heads, dim // heads)
    own_keys, own_values = keys.reshape(per_head)[index], values.reshape(per_head)[index]
    logits = torch.einsum("nhc,njhc->njh", q.reshape(n, heads, dim // heads), own_keys) * scale
    att = logits.softmax(dim=1)
    return q + torch.einsum("njh,njhc->nhc", att, own_values).reshape(n, dim)
