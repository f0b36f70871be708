"""Permutation-equivariant maps of the rows of each group: UNB, SAB and ISAB blocks."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.checks import check_choice, check_count
from graphsparse.models import segment_torch
from graphsparse.models.induced import Shape, induced_attention
from graphsparse.models.segment import group_read, segment_mean, segment_update, softmax_pool
from graphsparse.models.tall_products import affine, is_native
from graphsparse.operators.groups import Groups

OPERATORS = ("unb", "sab", "isab")
PAIR_LIMIT = 1 << 22


class UNB(nn.Module):
    """Unweighted block: a row gets an MLP of itself and of the mean message of its group.

    Parameters
    ----------
    dim : int
        Width ``d`` of the rows.
    layer_norm : bool
        Normalise the input and the hidden rows of both MLPs.

    Notes
    -----
    ``m = mean_j msg(u_j)``, ``y_i = upd([u_i | m])``, both affine, ReLU, affine.  Without layer
    norm the second map of ``msg`` and the half of ``upd`` that sees ``m`` become one matrix that
    is applied once per group, not once per row.

    References
    ----------
    P. Wang et al., Equivariant hypergraph diffusion neural operators, ICLR 2023.
    """

    def __init__(self, dim: int, *, layer_norm: bool = False) -> None:
        super().__init__()
        check_count("dim", dim, low=1)
        self.msg = nn.ModuleList([nn.Linear(dim, dim), nn.Linear(dim, dim)])
        self.upd = nn.ModuleList([nn.Linear(2 * dim, dim), nn.Linear(dim, dim)])
        self.layer_norm = layer_norm
        if layer_norm:
            self.msg_norm_in, self.msg_norm_mid = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.upd_norm_in, self.upd_norm_mid = nn.LayerNorm(2 * dim), nn.LayerNorm(dim)

    def forward(self, u: Tensor, groups: Groups) -> Tensor:
        """Return one row per row of ``u``, shape (n, dim)."""
        if self.layer_norm:
            return self._normed(u, groups)
        return affine(self.hidden(affine(u, *self.entry()), groups), *self.exit())

    def entry(self) -> tuple[Tensor, Tensor]:
        """Return weight (2 * dim, dim) and bias of all that reads the input."""
        first, _, own, _ = self._maps()
        weight = torch.cat([first.weight, own.weight[:, : len(first.bias)]])
        return weight, torch.cat([first.bias, torch.zeros_like(first.bias)])

    def hidden(self, z: Tensor, groups: Groups) -> Tensor:
        """Return the hidden rows of ``upd`` from what :meth:`entry` made of the input."""
        _, message, joined, _ = self._maps()
        from_mean = joined.weight[:, z.shape[1] // 2 :]
        weight = from_mean @ message.weight
        bias = torch.addmv(joined.bias, from_mean, message.bias)
        return segment_update(z, weight, bias, groups)

    def exit(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the last map."""
        last = self._maps()[-1]
        return last.weight, last.bias

    def _maps(self) -> tuple[nn.Linear, nn.Linear, nn.Linear, nn.Linear]:
        return (*self.msg, *self.upd)

    def _normed(self, u: Tensor, groups: Groups) -> Tensor:
        hidden = self.msg_norm_mid(F.relu(self.msg[0](self.msg_norm_in(u))))
        mean = segment_mean(self.msg[1](hidden), groups)
        joined = torch.cat([u, mean[segment_torch.row_groups(groups, u)]], dim=1)
        hidden = self.upd_norm_mid(F.relu(self.upd[0](self.upd_norm_in(joined))))
        output: Tensor = self.upd[1](hidden)
        return output


class Attention(nn.Module):
    """The maps of a multi-head attention block: q, k, v, output, two optional layer norms."""

    def __init__(self, dim: int, heads: int, *, layer_norm: bool = False) -> None:
        super().__init__()
        check_count("dim", dim, low=1)
        check_count("heads", heads, low=1)
        if dim % heads:
            raise ValueError(f"dim must be a multiple of heads={heads}, got {dim}")
        self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))
        self.out = nn.Linear(dim, dim)
        self.heads, self.layer_norm = heads, layer_norm
        # The full width, not that of a head, as in the published code.
        self.scale = 1.0 / math.sqrt(dim)
        if layer_norm:
            self.norm0, self.norm1 = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def finish(self, o: Tensor) -> Tensor:
        """Return ``o + relu(out(o))``, normalised before and after if asked for."""
        if self.layer_norm:
            o = self.norm0(o)
        o = o + F.relu(self.out(o), inplace=True)
        return self.norm1(o) if self.layer_norm else o


class SAB(nn.Module):
    """Set attention block: every row attends to all rows of its group.

    Parameters
    ----------
    dim : int
        Width; a multiple of ``heads``.
    heads : int
        Attention heads.
    layer_norm : bool
        Normalise before and after the output map.
    pair_limit : int
        Most ordered pairs of rows; each costs about ``12 * dim`` bytes.

    References
    ----------
    J. Lee et al., Set transformer, ICML 2019, arXiv:1810.00825.
    """

    def __init__(
        self,
        dim: int,
        heads: int = 4,
        *,
        layer_norm: bool = False,
        pair_limit: int = PAIR_LIMIT,
    ) -> None:
        super().__init__()
        self.attn = Attention(dim, heads, layer_norm=layer_norm)
        self.pair_limit = check_count("pair_limit", pair_limit, low=1)

    def forward(self, u: Tensor, groups: Groups) -> Tensor:
        """Return one row per row of ``u``, shape (n, dim)."""
        return self.after_entry(affine(u, *self.entry()), groups)

    def entry(self) -> tuple[Tensor, Tensor]:
        """Return weight (3 * dim, dim) and bias of queries, keys and values."""
        maps = (self.attn.q, self.attn.k, self.attn.v)
        return torch.cat([m.weight for m in maps]), torch.cat([m.bias for m in maps])

    def after_entry(self, z: Tensor, groups: Groups) -> Tensor:
        """Return the result from what :meth:`entry` made of the input."""
        if groups.num_pairs > self.pair_limit:
            raise ValueError(
                f"pair_limit must be at least the {groups.num_pairs:,} pairs of rows of one group, "
                f"got {self.pair_limit:,}; ISAB needs no pairs"
            )
        a = self.attn
        n, dim = len(z), z.shape[1] // 3
        q, k, v = (part.reshape(n, a.heads, dim // a.heads) for part in z.split(dim, dim=1))
        left, right = (segment_torch.indices(side, z) for side in groups.pairs())
        logits = (q[left] * k[right]).sum(-1) * a.scale
        by_row = Groups.from_ids(left.cpu().numpy(), n)
        att = segment_torch.softmax(logits, by_row)
        o = q.index_add(0, left, att[:, :, None] * v[right])
        return a.finish(o.reshape(n, dim))


class ISAB(nn.Module):
    """Induced set attention block: a few learned points attend to the group, rows to the points.

    Parameters
    ----------
    dim : int
        Width; a multiple of ``heads``.
    heads, inducing : int
        Attention heads and learned points.
    layer_norm : bool
        Normalise before and after the output maps.

    Notes
    -----
    The points' queries are the same for every group, so logits are one affine map of the rows.
    Keys and values of the points are read where they lie, once per group.

    References
    ----------
    J. Lee et al., Set transformer, ICML 2019, arXiv:1810.00825.
    """

    def __init__(
        self, dim: int, heads: int = 4, inducing: int = 4, *, layer_norm: bool = False
    ) -> None:
        super().__init__()
        self.inducing = nn.Parameter(torch.empty(check_count("inducing", inducing, low=1), dim))
        self.induce = Attention(dim, heads, layer_norm=layer_norm)
        self.read = Attention(dim, heads, layer_norm=layer_norm)
        nn.init.xavier_uniform_(self.inducing)

    def forward(self, u: Tensor, groups: Groups) -> Tensor:
        """Return one row per row of ``u``, shape (n, dim)."""
        return self.after_entry(affine(u, *self.entry()), groups)

    def after_entry(self, z: Tensor, groups: Groups) -> Tensor:
        """Return the result from what :meth:`entry` made of the input."""
        induce, read, dim = self.induce, self.read, self.inducing.shape[1]
        points = induce.q(self.inducing)
        weight = torch.cat([read.k.weight, read.v.weight])
        bias = torch.cat([read.k.bias, read.v.bias])
        if is_native(z) and not induce.layer_norm:
            outs = [(a.out.weight, a.out.bias) for a in (induce, read)]
            shape = Shape(len(points), induce.heads, dim, read.scale)
            maps = [outs[0], (weight, bias), outs[1]]
            return induced_attention(z, points, maps, groups, shape)
        logits, values, q = z.split([z.shape[1] - 2 * dim, dim, dim], dim=1)
        pooled = softmax_pool(logits, values, groups, induce.heads)
        seen = pooled.view(-1, len(points), dim) + points
        pairs = affine(induce.finish(seen.view(-1, dim)), weight, bias)
        keys, values = pairs.split(dim, dim=1)
        return read.finish(group_read(q, keys, values, groups, read.heads, read.scale))

    def entry(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the logits, the values and the queries."""
        a, points, dim = self.induce, self.induce.q(self.inducing), self.inducing.shape[1]
        per_head = (points * a.scale).view(len(points), a.heads, dim // a.heads)
        keys = a.k.weight.view(a.heads, dim // a.heads, dim)
        logits = torch.einsum("jhc,hcd->jhd", per_head, keys).reshape(-1, dim)
        shift = torch.einsum("jhc,hc->jh", per_head, a.k.bias.view(a.heads, -1)).reshape(-1)
        weight = torch.cat([logits, a.v.weight, self.read.q.weight])
        return weight, torch.cat([shift, a.v.bias, self.read.q.bias])


class SetOperator(nn.ModuleList):
    """Blocks in sequence, each with its own weights.

    Parameters
    ----------
    kind : {"unb", "sab", "isab"}
        Of every block.
    dim, blocks : int
        Width and number of blocks.
    heads, inducing : int
        For SAB and ISAB.
    layer_norm : bool
        In every block.
    pair_limit : int
        Of SAB.
    """

    def __init__(
        self,
        kind: str,
        dim: int,
        blocks: int = 2,
        *,
        heads: int = 4,
        inducing: int = 4,
        layer_norm: bool = False,
        pair_limit: int = PAIR_LIMIT,
    ) -> None:
        check_choice("operator", kind, OPERATORS)
        check_count("blocks", blocks, low=1)

        def block() -> nn.Module:
            if kind == "unb":
                return UNB(dim, layer_norm=layer_norm)
            if kind == "sab":
                return SAB(dim, heads, layer_norm=layer_norm, pair_limit=pair_limit)
            return ISAB(dim, heads, inducing, layer_norm=layer_norm)

        super().__init__([block() for _ in range(blocks)])
        self.starts_affine = kind != "unb" or not layer_norm
        self.ends_affine = kind == "unb" and not layer_norm

    def forward(self, u: Tensor, groups: Groups) -> Tensor:
        """Return one row per row of ``u``, shape (n, dim)."""
        if not self.starts_affine:
            for block in self:
                u = block(u, groups)
            return u
        y = self.after_entry(affine(u, *self.entry()), groups)
        return affine(y, *self.exit()) if self.ends_affine else y

    def entry(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the affine map that alone reads the input."""
        weight, bias = self[0].entry()  # type: ignore[operator]
        return weight, bias

    def exit(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the affine map that ends UNB blocks without layer norm."""
        weight, bias = self[-1].exit()  # type: ignore[operator]
        return weight, bias

    def after_entry(self, z: Tensor, groups: Groups) -> Tensor:
        """Return the rows before :meth:`exit`, if there is one, from what :meth:`entry` made."""
        if self.ends_affine:
            return self._folded(z, groups)
        first, *others = self
        u: Tensor = first.after_entry(z, groups)  # type: ignore[operator]
        for block in others:
            u = block(u, groups)
        return u

    def _folded(self, z: Tensor, groups: Groups) -> Tensor:
        """UNB blocks, the last map of each multiplied into the first of the next."""
        first, *others = list(self)
        u, last = first.hidden(z, groups), first  # type: ignore[operator]
        for block in others:
            (entry, shift), (weight, bias) = block.entry(), last.exit()  # type: ignore[operator]
            z = affine(u, entry @ weight, torch.addmv(shift, entry, bias))
            u, last = block.hidden(z, groups), block  # type: ignore[operator]
        return u
