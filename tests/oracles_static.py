"""Slow twins of the static family: plain loops over edge lists, one function per method."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any

import networkx as nx
from oracles import philox, tie_hash

from graphsparse import Graph

LEVELS = (15, 9, 7, 5, 3, 2, 1)


def draws(seed: int, item: int, step: int, domain: int) -> tuple[int, int]:
    """Both 64-bit words of a draw."""
    low = 2**32 - 1
    counter = (item & low, item >> 32, step, domain)
    x = philox(counter, (seed & low, seed >> 32))
    return x[1] << 32 | x[0], x[3] << 32 | x[2]


def unit(bits: int) -> float:
    """A draw in [0, 1)."""
    return (bits >> 11) * 2.0**-53


class Case:
    """A simple graph as lists; ``near[u]`` maps each neighbour (head) to its edge."""

    def __init__(self, graph: Graph, seed: int = 0) -> None:
        u, v = graph.edges()
        self.n, self.directed, self.seed = graph.num_nodes, graph.directed, seed
        self.edges = list(zip(u.tolist(), v.tolist(), strict=True))
        w = graph.edge_weights()
        self.w = [1.0] * len(self.edges) if w is None else [float(x) for x in w]
        self.near: list[dict[int, int]] = [{} for _ in range(self.n)]
        self.into: list[dict[int, int]] = [{} for _ in range(self.n)]
        for e, (a, b) in enumerate(self.edges):
            self.near[a][b] = e
            self.into[b][a] = e
        if not self.directed:
            for a in range(self.n):
                self.near[a] = dict(sorted((self.near[a] | self.into[a]).items()))
            self.into = self.near
        self.code = [a << 32 | b for a, b in self.edges]
        self.tie = [tie_hash(seed, code) for code in self.code]

    def strength(self, rows: list[dict[int, int]], weighted: bool = True) -> list[float]:
        return [sum((self.w[e] if weighted else 1.0) for e in row.values()) for row in rows]

    def support(self) -> list[dict[int, float]]:
        """Neighbours in either direction and the weight of the pair."""
        rows: list[dict[int, float]] = [{} for _ in range(self.n)]
        for (a, b), w in zip(self.edges, self.w, strict=True):
            rows[a][b] = rows[a].get(b, 0.0) + w
            rows[b][a] = rows[b].get(a, 0.0) + w
        return rows


def common(case: Case) -> list[int]:
    near = case.support()
    return [len(near[a].keys() & near[b].keys()) for a, b in case.edges]


def jaccard(case: Case, weighted: bool = False) -> list[float]:
    near = case.support()
    if weighted:
        found = []
        for a, b in case.edges:
            every = near[a].keys() | near[b].keys()
            values = [(near[a].get(x, 0.0), near[b].get(x, 0.0)) for x in every]
            found.append(sum(map(min, values)) / sum(map(max, values)))
        return found
    return [
        t / (len(near[a]) + len(near[b]) - t)
        for t, (a, b) in zip(common(case), case.edges, strict=True)
    ]


def scan(case: Case, weighted: bool = False) -> list[float]:
    near = case.support()
    if weighted:
        size = [1.0 + sum(w * w for w in row.values()) for row in near]
        return [
            (2 * near[a][b] + sum(near[a][x] * near[b][x] for x in near[a].keys() & near[b].keys()))
            / math.sqrt(size[a] * size[b])
            for a, b in case.edges
        ]
    return [
        (t + 2) / math.sqrt((len(near[a]) + 1) * (len(near[b]) + 1))
        for t, (a, b) in zip(common(case), case.edges, strict=True)
    ]


def simmelian(case: Case) -> list[float]:
    near = case.support()
    tri = {(a, b): len(near[a].keys() & near[b].keys()) for a in range(case.n) for b in near[a]}
    rank = {
        (a, b): sum(tri[a, x] > tri[a, b] for x in near[a]) for a in range(case.n) for b in near[a]
    }
    found = []
    for a, b in case.edges:
        best = 0.0
        for rho in range(case.n):
            first = {x for x in near[a] if x != b and rank[a, x] <= rho}
            second = {x for x in near[b] if x != a and rank[b, x] <= rho}
            if first | second:
                best = max(best, len(first & second) / len(first | second))
        found.append(best)
    return found


def local(case: Case, order_at: Callable[[int, int, bool], Any], mode: str = "log",
          pick: Any = max) -> list[float]:  # fmt: skip
    """``order_at(node, edge, inward)`` sorts a node's edges, best first."""
    values: list[list[float]] = [[] for _ in case.edges]
    rows = [(case.near, False), (case.into, True)] if case.directed else [(case.near, False)]
    for table, inward in rows:
        for node, row in enumerate(table):
            d = len(row)
            for r, e in enumerate(sorted(row.values(), key=lambda e: order_at(node, e, inward)), 1):
                if mode == "linear":
                    values[e].append(1 - (r - 1) / (d - 1) if d > 1 else 1.0)
                else:
                    values[e].append(1 - math.log(r) / math.log(d) if d > 1 else 1.0)
    return [pick(both) for both in values]


def local_degree(case: Case) -> list[float]:
    def order(node: int, e: int, inward: bool) -> Any:
        a, b = case.edges[e]
        other = a if b == node else b
        # Tails rank their heads by in-degree, heads their tails by out-degree.
        degree = len(case.near[other]) if inward else len(case.into[other])
        return -degree, case.tie[e], e

    return local(case, order)


def local_similarity(case: Case, similarity: str = "jaccard", mode: str = "log",
                     combine: str = "max") -> list[float]:  # fmt: skip
    # Ranked on the undirected support, whose edges have ties of their own.
    pairs = sorted({(min(e), max(e)) for e in case.edges})
    graph = (
        Graph.from_edges(pairs, num_nodes=case.n)
        if pairs
        else Graph.from_edges([], num_nodes=case.n)
    )
    whole = Case(graph, case.seed)
    score = jaccard(whole) if similarity == "jaccard" else scan(whole)
    pick = {"max": max, "min": min}[combine]
    found = local(whole, lambda node, e, inward: (-score[e], whole.tie[e], e), mode, pick)
    by_pair = dict(zip(whole.edges, found, strict=True))
    return [by_pair[min(e), max(e)] for e in case.edges]


def disparity(case: Case) -> list[float]:
    out, into = case.strength(case.near), case.strength(case.into)
    found = []
    for (a, b), w in zip(case.edges, case.w, strict=True):
        best = 0.0
        for k, s in ((len(case.near[a]), out[a]), (len(case.into[b]), into[b])):
            if k > 1:
                best = max(best, -(k - 1) * math.log1p(-w / s))
        found.append(best)
    return found


def noise_corrected(case: Case, delta: float = 1.64) -> list[float]:
    out, into = case.strength(case.near), case.strength(case.into)
    total = sum(case.w) * (1 if case.directed else 2)
    found = []
    for (a, b), w in zip(case.edges, case.w, strict=True):
        p, q = out[a] * into[b], (total - out[a]) * (total - into[b])
        mu, kap = p / total**2, total / p
        x = kap * w
        post = mu
        if q > 0:
            m = (1 - mu) * (total - 1) * total**2 / q - 1
            post = (mu * m + w) / (m + total)
        slope = 1 / p - total * (out[a] + into[b]) / p**2
        spread = math.sqrt(total * post * max(1 - post, 0.0))
        sd = spread * abs(2 * (kap + w * slope) / (x + 1) ** 2)
        found.append((x - 1) / (x + 1) - delta * sd)
    return found


def degree_resistance(case: Case, weighted: bool = False) -> list[float]:
    out, into = (case.strength(rows, weighted) for rows in (case.near, case.into))
    return [
        (w if weighted else 1.0) * (1 / out[a] + 1 / into[b])
        for (a, b), w in zip(case.edges, case.w, strict=True)
    ]


def random_edges(case: Case) -> list[int]:
    return [draws(case.seed, code, 0, 1)[0] for code in case.code]


def random_nodes(case: Case) -> list[int]:
    bits = [draws(case.seed, v, 0, 2)[0] for v in range(case.n)]
    return [min(bits[a], bits[b]) for a, b in case.edges]


def random_node_edges(case: Case, share: float = 0.8) -> list[float]:
    used = sum(bool(row) for row in case.near)
    found = []
    for (a, b), code in zip(case.edges, case.code, strict=True):
        q = share / used * (1 / len(case.near[a]) + 1 / len(case.near[b]))
        q += (1 - share) / len(case.edges)
        found.append(math.log(unit(draws(case.seed, code, 0, 3)[0]) + 2.0**-54) / q)
    return found


def k_neighbors(case: Case, by: str = "random") -> list[float]:
    found = [-math.inf] * len(case.edges)
    for a, row in enumerate(case.near):

        def order(x: int, a: int = a, row: dict[int, int] = row) -> Any:
            if by == "weight":
                return -case.w[row[x]], case.tie[row[x]], row[x]
            return draws(case.seed, a << 32 | x, 0, 4)[0]

        for r, x in enumerate(sorted(row, key=order), 1):
            found[row[x]] = max(found[row[x]], -float(r))
    return found


def forest_fire(case: Case, p: float = 0.6, ratio: float = 5.0) -> list[float]:
    count = [0] * len(case.edges)
    nodes = [v for v in range(case.n) if case.near[v]]
    burnt = fire = 0
    while nodes:
        start = nodes[draws(case.seed, fire, 0, 5)[0] * len(nodes) >> 64]
        seen, queue, t = {start}, [start], 0
        for v in queue:
            left = [x for x in case.near[v] if x not in seen]
            while left:
                t += 1
                a, b = draws(case.seed, fire, t, 5)
                if unit(a) >= p:
                    break
                j = b * len(left) >> 64
                count[case.near[v][left[j]]] += 1
                burnt += 1
                seen.add(left[j])
                queue.append(left[j])
                left[j] = left[-1]
                left.pop()
        fire += 1
        if burnt >= ratio * len(case.edges):
            break
    return [float(c) for c in count]


def arrivals(order: list[int]) -> list[float]:
    found = [0.0] * len(order)
    for place, e in enumerate(order):
        found[e] = -float(place)
    return found


def rank_degree(case: Case, rho: float = 0.1, num_seeds: int = 10) -> list[float]:
    left = [dict(row) for row in case.near]
    cycle = sorted(range(case.n), key=lambda v: (tie_hash(case.seed, v), v))
    order: list[int] = []
    at = 0
    seeds: list[int] = []
    while len(order) < len(case.edges):
        seeds = [v for v in seeds if left[v]]
        if not seeds:
            for step in range(case.n):
                v = cycle[(at + step) % case.n]
                if left[v]:
                    seeds.append(v)
                if len(seeds) == num_seeds:
                    break
            at = (at + step + 1) % case.n
        best: dict[int, int] = {}
        ends = []
        for v in seeds:
            row = sorted(
                left[v], key=lambda x: (-len(case.into[x]), case.tie[left[v][x]], left[v][x])
            )
            for place, x in enumerate(row[: max(1, int(rho * len(row)))]):
                e = left[v][x]
                best[e] = min(best.get(e, place), place)
                ends.append(x)
        for e in sorted(best, key=lambda e: (best[e], case.tie[e], e)):
            order.append(e)
            a, b = case.edges[e]
            left[a].pop(b)
            if not case.directed:
                left[b].pop(a)
        seeds = list(dict.fromkeys(ends))
    return arrivals(order)


def forests(case: Case) -> list[list[int]]:
    """Edges of each forest in Kruskal's order."""
    left = sorted(range(len(case.edges)), key=lambda e: (-case.w[e], case.tie[e], e))
    found = []
    while left:
        sets = nx.utils.UnionFind(range(case.n))
        forest = []
        for e in left:
            a, b = case.edges[e]
            if sets[a] != sets[b]:
                sets.union(a, b)
                forest.append(e)
        found.append(forest)
        left = [e for e in left if e not in set(forest)]
    return found


def spanning_forests(case: Case) -> list[float]:
    return arrivals([e for forest in forests(case) for e in forest])


def distances(case: Case, root: int, length: list[float]) -> dict[int, float]:
    dist, heap = {root: 0.0}, [(0.0, root)]
    while heap:
        d, v = heapq.heappop(heap)
        if d > dist[v]:
            continue
        for x, e in case.near[v].items():
            if d + length[e] < dist.get(x, math.inf):
                dist[x] = d + length[e]
                heapq.heappush(heap, (dist[x], x))
    return dist


def spanner_forest(case: Case, length: list[float]) -> list[int]:
    degree = [len(row) for row in case.near]
    found, seen = [], set()
    for root in sorted(range(case.n), key=lambda v: (-degree[v], v)):
        if root in seen:
            continue
        dist = distances(case, root, length)
        seen |= dist.keys()
        for x, d in dist.items():
            ways = [
                (-degree[y], case.tie[e], e)
                for y, e in case.near[x].items()
                if dist[y] + length[e] == d
            ]
            if ways and x != root:
                e = min(ways)[2]
                found.append((d, case.tie[e], e))
    return [e for _, _, e in sorted(found)]


def spanner_levels(case: Case, lengths: str = "inverse") -> list[list[int]]:
    length = [1 / w if lengths == "inverse" else w for w in case.w]
    if lengths == "hops":
        length = [1.0] * len(case.w)
    parts = [spanner_forest(case, length)]
    taken = set(parts[0])
    rest = sorted(set(range(len(case.w))) - taken, key=lambda e: (length[e], case.tie[e], e))
    net = nx.Graph()
    net.add_nodes_from(range(case.n))
    net.add_edges_from((*case.edges[e], {"l": length[e]}) for e in taken)
    for t in LEVELS:
        part = []
        for e in rest:
            a, b = case.edges[e]
            near = nx.single_source_dijkstra_path_length(net, a, t * length[e], weight="l")
            if b not in near:
                net.add_edge(a, b, l=length[e])
                part.append(e)
        parts.append(part)
        rest = [e for e in rest if e not in set(part)]
    return [*parts, rest]


def spanner(case: Case, lengths: str = "inverse") -> list[float]:
    return arrivals([e for part in spanner_levels(case, lengths) for e in part])


def growth(case: Case, k: int) -> tuple[list[int], list[int]]:
    """Edges of a Baswana-Sen spanner by the phase that adds them, and the rest (lengths 1/w)."""
    length = [1 / w for w in case.w]
    rank = {e: (length[e], case.tie[e], e) for e in range(len(case.edges))}
    used = sum(bool(row) for row in case.near)
    cluster = {v: v for v in range(case.n)}
    left, phases = set(rank), {}

    def groups(v: int) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for x, e in case.near[v].items():
            if e in left:
                found.setdefault(cluster[x], []).append(e)
        return found

    def add(e: int, phase: int) -> None:
        phases[e] = min(phases.get(e, phase), phase)

    for phase in range(1, k):
        kept = {
            c for c in cluster.values()
            if unit(draws(case.seed, c, phase, 6)[0]) < used ** (-1 / k)
        }  # fmt: skip
        dropped: set[int] = set()
        new = {}
        for v, c in cluster.items():
            if c in kept:
                new[v] = c
                continue
            near = groups(v)
            least = {d: min(edges, key=rank.__getitem__) for d, edges in near.items()}
            ways = [d for d in near if d in kept]
            if not ways:
                for d, e in least.items():
                    add(e, phase)
                    dropped |= set(near[d])
                continue
            home = min(ways, key=lambda d: rank[least[d]])
            new[v] = home
            for d, e in least.items():
                if rank[e] <= rank[least[home]]:
                    add(e, phase)
                    dropped |= set(near[d])
        cluster = new
        left -= dropped
        left -= {
            e for e in left
            if cluster.get(case.edges[e][0], -1) == cluster.get(case.edges[e][1], -2)
        }  # fmt: skip
    for v in range(case.n):
        for edges in groups(v).values():
            add(min(edges, key=rank.__getitem__), k)
    inside = sorted(phases, key=lambda e: (phases[e], rank[e]))
    return inside, sorted(set(rank) - phases.keys(), key=rank.__getitem__)


def baswana_sen(case: Case, k: int = 2) -> list[float]:
    return arrivals([e for part in growth(case, k) for e in part])


# Name in METHODS, options -> twin with the same options.
TWINS: dict[str, tuple[str, dict[str, Any], Callable[[Case], list[Any]]]] = {
    "baswana_sen": ("baswana_sen", {}, baswana_sen),
    "baswana_sen 5": ("baswana_sen", {"t": 5}, lambda c: baswana_sen(c, 3)),
    "degree_resistance": ("degree_resistance", {}, degree_resistance),
    "degree_resistance weighted": (
        "degree_resistance", {"weighted": True}, lambda c: degree_resistance(c, True)),
    "disparity": ("disparity", {}, disparity),
    "forest_fire": ("forest_fire", {}, forest_fire),
    "forest_fire small": (
        "forest_fire", {"burn_probability": 0.3, "burnt_ratio": 2.0},
        lambda c: forest_fire(c, 0.3, 2.0)),
    "heaviest": ("heaviest", {}, lambda c: c.w),
    "jaccard": ("jaccard", {}, jaccard),
    "jaccard weighted": ("jaccard", {"weighted": True}, lambda c: jaccard(c, True)),
    "k_neighbors": ("k_neighbors", {}, k_neighbors),
    "k_neighbors by weight": ("k_neighbors", {"by": "weight"}, lambda c: k_neighbors(c, "weight")),
    "local_degree": ("local_degree", {}, local_degree),
    "local_similarity": ("local_similarity", {}, local_similarity),
    "local_similarity scan min": (
        "local_similarity", {"similarity": "scan", "combine": "min", "mode": "linear"},
        lambda c: local_similarity(c, "scan", "linear", "min")),
    "noise_corrected": ("noise_corrected", {}, noise_corrected),
    "random": ("random", {}, random_edges),
    "random_node_edges": ("random_node_edges", {}, random_node_edges),
    "random_nodes": ("random_nodes", {}, random_nodes),
    "rank_degree": ("rank_degree", {}, rank_degree),
    "rank_degree few seeds": (
        "rank_degree", {"rho": 0.5, "num_seeds": 2}, lambda c: rank_degree(c, 0.5, 2)),
    "scan": ("scan", {}, scan),
    "scan weighted": ("scan", {"weighted": True}, lambda c: scan(c, True)),
    "simmelian": ("simmelian", {}, simmelian),
    "spanner": ("spanner", {}, spanner),
    "spanner hops": ("spanner", {"lengths": "hops"}, lambda c: spanner(c, "hops")),
    "spanning_forests": ("spanning_forests", {}, spanning_forests),
}  # fmt: skip
EXACT = {
    "baswana_sen", "baswana_sen 5",
    "forest_fire", "forest_fire small", "heaviest", "k_neighbors", "k_neighbors by weight",
    "random", "random_nodes", "rank_degree", "rank_degree few seeds", "spanner", "spanner hops",
    "spanning_forests", "jaccard",
}  # fmt: skip
