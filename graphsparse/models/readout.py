"""From incidences to nodes or hyperedges: mean, attention, the most confident incidence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphsparse.checks import check_choice
from graphsparse.graph import Hypergraph
from graphsparse.models.segment import segment_max, segment_mean, softmax_pool
from graphsparse.models.segment_torch import indices, row_groups
from graphsparse.models.set_operators import Attention
from graphsparse.operators.groups import Groups

HOW = ("mean", "attention", "max_confidence")


class Readout(nn.Module):
    """One output row per node or hyperedge of a hypergraph.

    Parameters
    ----------
    by : {"node", "hyperedge"}
        What gets a row.
    how : {"mean", "attention", "max_confidence"}
        Mean of the incidences; one learned query that attends to them; or the incidence whose
        largest softmax probability is highest.
    dim : int
        Width of the incidences' rows.
    heads : int
        Of the attention.
    out_dim : int, optional
        An MLP with one hidden layer follows; without it the pooled rows come out.
    """

    def __init__(
        self,
        by: str,
        how: str,
        dim: int,
        *,
        heads: int = 4,
        out_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.by = check_choice("by", by, ("node", "hyperedge"))
        self.how = check_choice("how", how, HOW)
        self.attention: Attention | None = None
        if how == "attention":
            self.attention = Attention(dim, heads)
            self.seed = nn.Parameter(torch.empty(1, dim))
            nn.init.xavier_uniform_(self.seed)
        self.mlp: nn.Module = nn.Identity()
        if out_dim is not None:
            self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, out_dim))

    def forward(self, h: Tensor, hypergraph: Hypergraph) -> Tensor:
        """Return rows of nodes or hyperedges from rows ``h`` of the incidences.

        A node or hyperedge without incidences gets what its pooled zeros give.
        """
        by_node = self.by == "node"
        groups = Groups.by_node(hypergraph) if by_node else Groups.by_hyperedge(hypergraph)
        if self.how == "mean":
            pooled = segment_mean(h, groups)
        elif self.how == "max_confidence":
            pooled = most_confident(h, groups)
        else:
            pooled = self._attend(h, groups)
        out: Tensor = self.mlp(pooled)
        return out

    def _attend(self, h: Tensor, groups: Groups) -> Tensor:
        a = self.attention
        assert a is not None
        query = a.q(self.seed)
        per_head = (query * a.scale).view(a.heads, -1)
        logits = torch.einsum("nhc,hc->nh", a.k(h).view(len(h), a.heads, -1), per_head)
        return a.finish(softmax_pool(logits, a.v(h), groups, a.heads) + query)


def most_confident(logits: Tensor, groups: Groups) -> Tensor:
    """Return for each group the logits of the row with the highest softmax probability.

    Of equal rows the first of the group counts; an empty group gets zeros.
    """
    with torch.no_grad():
        top = logits.softmax(dim=1).amax(dim=1, keepdim=True)
        best = segment_max(top, groups)[row_groups(groups, logits)]
        place = indices(groups.order, logits)
        group = row_groups(groups, logits)[place]
        hit = (top == best)[place, 0]
        first = torch.full((groups.num_groups,), len(logits), device=logits.device)
        at = torch.arange(len(place), device=logits.device)
        first = first.scatter_reduce(0, group[hit], at[hit], "amin")
    filled = first < len(logits)
    out = logits.new_zeros(groups.num_groups, logits.shape[1])
    chosen: Tensor = out.index_put((filled.nonzero()[:, 0],), logits[place[first[filled]]])
    return chosen
