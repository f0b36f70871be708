"""CoNHD in plain torch operations, as its definition reads: what benchmarks/conhd.py compares with.

Messages are gathered and added up by index, keys and values of the induced points are copied to
the incidences, nothing is folded or fused.  Weights are those of a ``CoNHD`` in mode ``gd`` without
layer norm.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from graphsparse import Hypergraph
from graphsparse.models import ISAB, UNB, CoNHD


def group_softmax(logits: Tensor, index: Tensor, count: int) -> Tensor:
    """Softmax of each column over the rows of each group."""
    spread = index[:, None].expand_as(logits)
    top = logits.new_full((count, logits.shape[1]), -math.inf)
    top = top.scatter_reduce(0, spread, logits.detach(), "amax")
    shifted = (logits - top[index]).exp()
    total = logits.new_zeros(count, logits.shape[1]).index_add(0, index, shifted)
    return shifted / total[index]


def unb(block: UNB, u: Tensor, index: Tensor, count: int) -> Tensor:
    """Mean of messages, then an MLP of the joined rows."""
    message = block.msg[1](F.relu(block.msg[0](u)))
    sizes = torch.bincount(index, minlength=count).clamp(min=1).to(u)
    mean = u.new_zeros(count, u.shape[1]).index_add(0, index, message) / sizes[:, None]
    return block.upd[1](F.relu(block.upd[0](torch.cat([u, mean[index]], dim=1))))


def isab(block: ISAB, u: Tensor, index: Tensor, count: int) -> Tensor:
    """Points attend to the rows of a group, rows to the points."""
    n, dim = u.shape
    heads, points = block.induce.heads, len(block.inducing)
    a = block.induce
    queries = a.q(block.inducing)
    per_head = queries.view(points, heads, -1)
    logits = torch.einsum("nhc,jhc->njh", a.k(u).view(n, heads, -1), per_head) * a.scale
    att = group_softmax(logits.reshape(n, -1), index, count).view(n, points, heads, 1)
    weighted = (att * a.v(u).view(n, 1, heads, -1)).reshape(n, points * dim)
    pooled = u.new_zeros(count, points * dim).index_add(0, index, weighted)
    o = pooled.view(count, points, dim) + queries
    induced = o + F.relu(a.out(o))
    b = block.read
    keys = b.k(induced)[index].view(n, points, heads, -1)
    values = b.v(induced)[index].view(n, points, heads, -1)
    q = b.q(u)
    logits = torch.einsum("nhc,njhc->njh", q.view(n, heads, -1), keys) * b.scale
    o = q + torch.einsum("njh,njhc->nhc", logits.softmax(dim=1), values).reshape(n, dim)
    return o + F.relu(b.out(o))


def forward(model: CoNHD, hypergraph: Hypergraph, x: Tensor, pe: Tensor) -> Tensor:
    """Return the logits of all incidences, dropout as in the model."""
    node, edge = torch.tensor(hypergraph.nodes), torch.tensor(hypergraph.hyperedges)
    start = F.relu(model.in_proj(x[node]))
    start = F.dropout(start, model.input_dropout, model.training)
    conv, h = model.convs[0], start
    for _ in range(model.layers):
        sides = []
        for blocks, encode, index, count in (
            (conv.edge_op, conv.pe_edge, edge, hypergraph.num_hyperedges),
            (conv.node_op, conv.pe_node, node, hypergraph.num_nodes),
        ):
            u = h + encode(pe)
            for block in blocks:
                step = unb if isinstance(block, UNB) else isab
                u = step(block, u, index, count)
            sides.append(F.dropout(u, conv.dropout, model.training))
        h = conv.update(torch.cat([h, *sides, start], dim=1))
    return model.head[0](h)
