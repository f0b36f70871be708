"""One diffusion step of CoNHD on the incidences of a hypergraph."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from graphsparse.checks import check_choice, check_count, check_fraction
from graphsparse.models import segment_torch
from graphsparse.models.dropout import dropout
from graphsparse.models.segment import segment_mean
from graphsparse.models.set_operators import PAIR_LIMIT, SetOperator
from graphsparse.models.shared_rows import Matrix, SharedRows, choose, dense, take
from graphsparse.models.tall_products import affine, sum_of_products
from graphsparse.operators.incidence_blocks import Hop, Side

State = tuple[Matrix, ...]  # (h,) or, with ADMM, (h, z_edge, z_node)
Step = tuple[Tensor, tuple[Tensor, ...]]  # new h; new z_edge and z_node with ADMM


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

    def begin(self, h0: Matrix) -> State:
        """Return the state before the first step."""
        if self.mode == "gd":
            return (h0,)
        h0 = dense(h0)
        return (h0, h0, h0)

    def source(self, h0: Matrix) -> Matrix:
        """Return the part of the update that the initial state adds in every step."""
        weight: Tensor = self.update.weight[:, -self.dim :]
        bias: Tensor = self.update.bias
        if self._folds():
            for op, part in self._mixing():
                bias = torch.addmv(bias, part, op.exit()[1])
        if isinstance(h0, SharedRows):
            return SharedRows(F.linear(h0.base, weight, bias), h0.index)
        return F.linear(h0, weight, bias)

    def forward(self, state: State, source: Matrix, pe: Tensor | None, hop: Hop) -> State:
        """Return the state after one step.

        Parameters
        ----------
        state : tuple of Tensor or SharedRows, each of shape (n, dim)
            As :meth:`begin` or the step before returned it.
        source : Tensor or SharedRows, shape (n, dim)
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
        source = choose(source, hop.keep)
        out, duals = (self._gd if self.mode == "gd" else self._admm)(state, source, pe, hop)
        if self.update_norm is not None:
            out = self.update_norm(out)
        return (out, *duals)

    def _gd(self, state: State, source: Matrix, pe: Tensor | None, hop: Hop) -> Step:
        h, own = state[0], self.update.weight[:, : self.dim]
        parts = self._parts(h, pe, hop)
        if isinstance(h, SharedRows) and isinstance(source, SharedRows):
            source = SharedRows(torch.addmm(source.base, h.base, own.t()), source.index)
        else:
            parts = [(dense(choose(h, hop.keep)), own), *parts]
        return sum_of_products(parts, base=source), ()

    def _admm(self, state: State, source: Matrix, pe: Tensor | None, hop: Hop) -> Step:
        h, z_edge, z_node = (dense(part) for part in state)
        edge, node = self.messages(2.0 * h - z_edge, 2.0 * h - z_node, pe, hop)
        h, z_edge, z_node = (take(part, hop.keep) for part in (h, z_edge, z_node))
        duals = (edge + z_edge - h, node + z_node - h)
        first, second, _ = self.update.weight.split(self.dim, dim=1)
        return sum_of_products([(duals[0], first), (duals[1], second)], base=source), duals

    def messages(
        self, edge_in: Matrix, node_in: Matrix, pe: Tensor | None, hop: Hop
    ) -> tuple[Tensor, Tensor]:
        """Return the results of both maps on the rows that go on."""
        edge = self._message("edge", edge_in, pe, hop.edge)
        node = self._message("node", node_in, pe, hop.node)
        return edge, node

    def _folds(self) -> bool:
        """Whether nothing stands between the last maps of both operators and the update."""
        drops = self.training and self.dropout > 0.0
        ends = self.edge_op.ends_affine and self.node_op.ends_affine
        means = self.within_edge_mean or self.within_node_mean
        return self.mode == "gd" and ends and not drops and not means

    def _mixing(self) -> list[tuple[SetOperator, Tensor]]:
        """Both operators with their blocks of the update."""
        _, edge, node, _ = self.update.weight.split(self.dim, dim=1)
        return [(self.edge_op, edge), (self.node_op, node)]

    def _parts(self, h: Matrix, pe: Tensor | None, hop: Hop) -> list[tuple[Tensor, Tensor]]:
        """What the update adds: matrices and the weights that multiply them."""
        (edge_op, edge_part), (node_op, node_part) = self._mixing()
        if not self._folds():
            edge, node = self.messages(h, h, pe, hop)
            return [(edge, edge_part), (node, node_part)]
        edge = take(self._map("edge", h, pe, hop.edge), hop.edge.keep)
        node = take(self._map("node", h, pe, hop.node), hop.node.keep)
        return [(edge, edge_part @ edge_op.exit()[0]), (node, node_part @ node_op.exit()[0])]

    def _message(self, name: str, x: Matrix, pe: Tensor | None, side: Side) -> Tensor:
        operator: SetOperator = getattr(self, f"{name}_op")
        mean: bool = getattr(self, f"within_{name}_mean")
        keep = None if mean else side.keep
        y = take(self._map(name, x, pe, side), keep)
        if operator.ends_affine:
            y = affine(y, *operator.exit())
        y = dropout(y, self.dropout, self.training)
        if mean:
            y = segment_mean(y, side.groups)[segment_torch.row_groups(side.groups, y)]
            y = take(y, side.keep)
        return y

    def _map(self, name: str, x: Matrix, pe: Tensor | None, side: Side) -> Tensor:
        """Rows of an operator before its last affine map, if it ends with one."""
        operator: SetOperator = getattr(self, f"{name}_op")
        shift: nn.Linear | None = getattr(self, f"pe_{name}") if self.pe_dim else None
        own_pe = None if pe is None else take(pe, side.rows)

        def run() -> Tensor:
            if not operator.starts_affine:
                u = take(dense(x), side.rows)
                u = u if shift is None else u + shift(own_pe)
                y: Tensor = operator(u, side.groups)
                return y
            return operator.after_entry(
                self._entered(operator, shift, x, own_pe, side), side.groups
            )

        if self.recompute and torch.is_grad_enabled():
            y: Tensor = checkpoint(run, use_reentrant=False, preserve_rng_state=False)
            return y
        return run()

    @staticmethod
    def _entered(
        operator: SetOperator, shift: nn.Linear | None, x: Matrix, pe: Tensor | None, side: Side
    ) -> Tensor:
        """The rows with their encoding after an operator's first affine map."""
        weight, bias = operator.entry()
        extra = []
        if shift is not None and pe is not None:
            bias = torch.addmv(bias, weight, shift.bias)
            extra = [(pe, weight @ shift.weight)]
        x = choose(x, side.rows)
        if isinstance(x, Tensor):
            return sum_of_products([(x, weight), *extra], bias)
        z = SharedRows(F.linear(x.base, weight, bias), x.index)
        return sum_of_products(extra, base=z) if extra else z.dense()
