"""One diffusion step of CoNHD on the incidences of a hypergraph."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from graphsparse.checks import check_choice, check_count, check_fraction
from graphsparse.models import segment_torch
from graphsparse.models.dropout import dropout
from graphsparse.models.segment import segment_mean
from graphsparse.models.set_operators import PAIR_LIMIT, SetOperator
from graphsparse.operators.incidence_blocks import Hop, Side

Array = np.ndarray[Any, np.dtype[Any]]
State = tuple[Tensor, ...]  # (h,) or, with ADMM, (h, z_edge, z_node)


class CoNHDConv(nn.Module):
    """One diffusion step: an equivariant map per hyperedge, one per node, an affine update.

    Parameters
    ----------
    dim : int
        Width ``d`` of the state.
    operator : {"unb", "isab", "sab"}
        Kind of the map within hyperedges, and within nodes unless ``node_operator`` differs.
    node_operator : {"unb", "isab", "sab"}, optional
        Kind of the map within nodes.
    blocks : int
        Blocks of each map.
    heads, inducing : int
        For SAB and ISAB.
    pe_dim : int
        Width of the positional encoding that is added to both maps' inputs; 0 for none.
    mode : {"gd", "admm"}
        Gradient descent, or the alternating direction method with a dual state per side.
    layer_norm : bool
        In the blocks and after the update.
    within_edge_mean, within_node_mean : bool
        Replace a map's results by their mean over the group.
    dropout : float
        On the maps' results.
    pair_limit : int
        Of SAB.
    recompute : bool
        Keep no intermediate result of the maps; compute them again in the backward pass.

    Notes
    -----
    GD: ``h <- U [h | edge_map(h) | node_map(h) | h0]``.  ADMM: ``z <- map(2h - z) + z - h`` on
    both sides, ``h <- U [z_edge | z_node | h0]``.  ``U`` is affine and absorbs step sizes.
    """

    def __init__(
        self,
        dim: int,
        operator: str = "unb",
        *,
        node_operator: str | None = None,
        blocks: int = 2,
        heads: int = 4,
        inducing: int = 4,
        pe_dim: int = 0,
        mode: str = "gd",
        layer_norm: bool = False,
        within_edge_mean: bool = False,
        within_node_mean: bool = False,
        dropout: float = 0.0,
        pair_limit: int = PAIR_LIMIT,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        check_choice("mode", mode, ("gd", "admm"))
        self.pe_dim = check_count("pe_dim", pe_dim)
        self.dropout = check_fraction("dropout", dropout, zero=True)
        options: dict[str, Any] = {
            "heads": heads,
            "inducing": inducing,
            "layer_norm": layer_norm,
            "pair_limit": pair_limit,
        }
        self.edge_op = SetOperator(operator, dim, blocks, **options)
        self.node_op = SetOperator(node_operator or operator, dim, blocks, **options)
        if pe_dim:
            self.pe_edge, self.pe_node = nn.Linear(pe_dim, dim), nn.Linear(pe_dim, dim)
        self.update = nn.Linear((4 if mode == "gd" else 3) * dim, dim)
        self.update_norm = nn.LayerNorm(dim) if layer_norm else None
        self.dim, self.mode, self.recompute = dim, mode, recompute
        self.within_edge_mean, self.within_node_mean = within_edge_mean, within_node_mean

    def begin(self, h0: Tensor) -> State:
        """Return the state before the first step."""
        return (h0,) if self.mode == "gd" else (h0, h0, h0)

    def source(self, h0: Tensor) -> Tensor:
        """Return the part of the update that the initial state adds in every step."""
        return F.linear(h0, self.update.weight[:, -self.dim :], self.update.bias)

    def forward(self, state: State, source: Tensor, pe: Tensor | None, hop: Hop) -> State:
        """Return the state after one step.

        Parameters
        ----------
        state : tuple of Tensor, each of shape (n, dim)
            As :meth:`begin` or the step before returned it.
        source : Tensor, shape (n, dim)
            What :meth:`source` returned.
        pe : Tensor, shape (n, pe_dim)
            With ``pe_dim`` above 0.
        hop : Hop
            Rows and groups of both sides.

        Returns
        -------
        tuple of Tensor
            Rows ``hop.keep`` of the new state.
        """
        source = take(source, hop.keep)
        if self.mode == "gd":
            edge, node = self.messages(state[0], state[0], pe, hop)
            parts: tuple[Tensor, ...] = (take(state[0], hop.keep), edge, node)
            duals: State = ()
        else:
            h, z_edge, z_node = state
            edge, node = self.messages(2.0 * h - z_edge, 2.0 * h - z_node, pe, hop)
            h, z_edge, z_node = (take(part, hop.keep) for part in state)
            duals = parts = (edge + z_edge - h, node + z_node - h)
        out = source
        for part, weight in zip(parts, self.update.weight.split(self.dim, dim=1), strict=False):
            out = torch.addmm(out, part, weight.t())
        if self.update_norm is not None:
            out = self.update_norm(out)
        return (out, *duals)

    def messages(
        self, edge_in: Tensor, node_in: Tensor, pe: Tensor | None, hop: Hop
    ) -> tuple[Tensor, Tensor]:
        """Return the results of both maps on the rows that go on."""
        edge_pe = node_pe = None
        if self.pe_dim:
            edge_pe, node_pe = self.pe_edge, self.pe_node
        edge = self._map(self.edge_op, edge_in, pe, edge_pe, hop.edge, self.within_edge_mean)
        node = self._map(self.node_op, node_in, pe, node_pe, hop.node, self.within_node_mean)
        return edge, node

    def _map(
        self,
        operator: SetOperator,
        x: Tensor,
        pe: Tensor | None,
        pe_map: nn.Linear | None,
        side: Side,
        mean: bool,
    ) -> Tensor:
        def run(x: Tensor) -> Tensor:
            u = take(x, side.rows)
            if pe is not None and pe_map is not None:
                shifted = u + pe_map.bias
                u = torch.addmm(shifted, take(pe, side.rows), pe_map.weight.t())
            out: Tensor = operator(u, side.groups)
            return out

        if self.recompute and torch.is_grad_enabled():
            y: Tensor = checkpoint(run, x, use_reentrant=False, preserve_rng_state=False)
        else:
            y = run(x)
        y = dropout(y, self.dropout, self.training)
        if mean:
            y = segment_mean(y, side.groups)[segment_torch.row_groups(side.groups, y)]
        return take(y, side.keep)


def take(x: Tensor, rows: Array | None) -> Tensor:
    """Return some rows of a matrix, all of them for None."""
    if rows is None:
        return x
    return F.embedding(segment_torch.indices(rows, x), x)
