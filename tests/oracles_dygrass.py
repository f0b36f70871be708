"""Slow twin of the dynamic sparsifier: lists and dicts, H peeled afresh after every change.

Edges are known by their pair.  Nothing is shared with the package but the random words, which
have their own known answers.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections import deque
from collections.abc import Iterable
from typing import Any

Pair = tuple[int, int]
MASK = 0xFFFFFFFF


def philox(counter: Iterable[int], key: Iterable[int]) -> list[int]:
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 & MASK, (p0 >> 32) ^ c[3] ^ k1, p0 & MASK]
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c


def pair(u: int, v: int) -> Pair:
    return (u, v) if u < v else (v, u)


@dataclasses.dataclass
class Rules:
    K: float
    seed: int
    space: str = "core"
    walkers: int = 32
    max_steps: int = 30
    both_ends: bool = True
    first_chunk: int = 0  # 0: no recheck
    sub_batch: int = 0  # 0: the default rule
    engine: str = "exact"
    recovery_walkers: int = 32
    recovery_steps: int = 20


class Twin:
    def __init__(self, n: int, graph: dict[Pair, float], sparse: set[Pair], rules: Rules) -> None:
        self.n, self.weight, self.sparse, self.rules = n, dict(graph), set(sparse), rules
        self.next_id = 0
        self.g: list[list[Pair]] = [[] for _ in range(n)]
        self.h: list[list[Pair]] = [[] for _ in range(n)]
        for edge in sorted(graph):
            for x in edge:
                self.g[x].append(edge)
                if edge in sparse:
                    self.h[x].append(edge)
        self.core: set[Pair] = set()
        if rules.space == "core":
            self.core = self.peeled()
            for row in self.h:
                row.sort(key=lambda e: e not in self.core)

    # -- the 2-core ---------------------------------------------------------------------------

    def peeled(self) -> set[Pair]:
        """Return the edges of the 2-core of H."""
        left = {x: set(self.h[x]) for x in range(self.n)}
        todo = [x for x in left if len(left[x]) == 1]
        while todo:
            x = todo.pop()
            if len(left[x]) != 1:
                continue
            edge = left[x].pop()
            y = sum(edge) - x
            left[y].discard(edge)
            if len(left[y]) == 1:
                todo.append(y)
        return {e for edges in left.values() for e in edges}

    def core_nodes(self) -> set[int]:
        return {x for e in self.core for x in e}

    def tree_path(self, start: int, goals: set[int]) -> list[Pair] | None:
        """Return the edges outside the core from a node to the nearest goal."""
        before: dict[int, Pair | None] = {start: None}
        queue = deque([start])
        while queue:
            x = queue.popleft()
            if x in goals:
                path = []
                while (edge := before[x]) is not None:
                    path.append(edge)
                    x = sum(edge) - x
                return path[::-1]
            for edge in self.h[x]:
                if edge not in self.core and sum(edge) - x not in before:
                    before[sum(edge) - x] = edge
                    queue.append(sum(edge) - x)
        return None

    def core_degree(self, x: int) -> int:
        return sum(e in self.core for e in self.h[x])

    def enter(self, edge: Pair) -> None:
        for x in edge:
            row, first = self.h[x], self.core_degree(x)
            at = row.index(edge)
            row[at], row[first] = row[first], row[at]
        self.core.add(edge)

    def leave(self, edge: Pair) -> None:
        for x in edge:
            row, last = self.h[x], self.core_degree(x) - 1
            at = row.index(edge)
            row[at], row[last] = row[last], row[at]
        self.core.discard(edge)

    def add_sparse(self, edge: Pair) -> None:
        p, q = edge
        entering: list[Pair] = []
        if self.rules.space == "core":
            nodes = self.core_nodes()
            up = [self.tree_path(x, nodes) for x in edge]
            inside = self.tree_path(p, {q})
            if up[0] is not None and up[1] is not None:
                entering = [edge, *up[0], *(e for e in up[1] if e not in up[0])]
            elif inside is not None:
                entering = [edge, *inside]
        self.sparse.add(edge)
        for x in edge:
            self.h[x].append(edge)
        for e in entering:
            self.enter(e)
        if self.rules.space == "core":
            assert self.core == self.peeled()

    def drop_sparse(self, edge: Pair) -> None:
        if edge in self.core:
            self.leave(edge)
            for x in edge:
                while self.core_degree(x) == 1:
                    last = self.h[x][0]
                    self.leave(last)
                    x = sum(last) - x
        self.sparse.discard(edge)
        for x in edge:
            remove_by_last(self.h[x], edge)
        if self.rules.space == "core":
            assert self.core == self.peeled()

    # -- walks --------------------------------------------------------------------------------

    def walk(
        self,
        rows: list[list[Pair]],
        start: int,
        goal: int,
        w: float,
        r0: float,
        how: dict[str, Any],
    ) -> tuple[float, list[Pair]] | None:
        """Run one walker; return (R, edges) if it arrives."""
        seed, ident = self.rules.seed, how["id"]
        core = rows is self.h and self.rules.space == "core"
        x, came, total, edges = start, None, r0, []
        for s in range(how["steps"]):
            row = rows[x][: self.core_degree(x)] if core else rows[x]
            choices = len(row) - (came is not None)
            if choices == 0:
                return None
            counter = (s >> 2, how["walker"], ident & MASK, ident >> 32 | how["phase"] << 28)
            word = philox(counter, (seed & MASK, seed >> 32))[s & 3]
            edge = row[word * choices >> 32]
            if edge == came:
                edge = row[-1]
            total += 1.0 / self.weight[edge]
            edges.append(edge)
            if not (total * w < how["K"] and total < how["bound"]):
                return None
            x = sum(edge) - x
            if x == goal:
                return total, edges
            came = edge
        return None

    def round(
        self,
        rows: list[list[Pair]],
        ends: Pair,
        w: float,
        r0: float,
        first: int,
        how: dict[str, Any],
    ) -> tuple[float, int, list[Pair]] | None:
        found = []
        for walker in range(first, first + 32):
            p, q = ends[::-1] if self.rules.both_ends and walker % 2 else ends
            hit = self.walk(rows, p, q, w, r0, {**how, "walker": walker})
            if hit:
                found.append((hit[0], walker, hit[1]))
        return min(found, default=None)

    # -- insertions ---------------------------------------------------------------------------

    def test(self, edge: Pair, ident: int, phase: int) -> dict[str, Any]:
        """Decide one insertion on H as it is."""
        w, K = self.weight[edge], self.rules.K
        out = {"id": ident, "edge": edge, "w": w, "accepted": True, "R": None, "walker": None}
        ends, r0 = edge, 0.0
        if self.rules.space == "core":
            nodes = self.core_nodes()
            up = [self.tree_path(x, nodes) for x in edge]
            inside = self.tree_path(edge[0], {edge[1]})
            if inside is not None:
                total = 0.0
                for e in inside:
                    total += 1.0 / self.weight[e]
                out["how"] = "tree"
                if total * w < K:
                    out |= {"accepted": False, "R": total}
                return out
            if up[0] is None or up[1] is None:
                return out | {"how": "component"}
            offs, tops = [], []
            for x, path in zip(edge, up, strict=True):
                off = 0.0
                for e in path:
                    off += 1.0 / self.weight[e]
                    x = sum(e) - x
                offs.append(off)
                tops.append(x)
            ends, r0 = (tops[0], tops[1]), offs[0] + offs[1]
        out["how"] = "walk"
        how = {
            "id": ident,
            "phase": phase,
            "steps": self.rules.max_steps,
            "K": K,
            "bound": math.inf,
        }
        for first in range(0, self.rules.walkers, 32):
            best = self.round(self.h, ends, w, r0, first, how)
            if best:
                return out | {"accepted": False, "R": best[0], "walker": best[1]}
        return out

    def insert_all(self, todo: list[tuple[Pair, int]]) -> list[dict[str, Any]]:
        results = []
        for part in pieces(todo, self.rules.sub_batch):
            tests = [self.test(edge, ident, 0) for edge, ident in part]
            results += tests
            waiting = [t for t in tests if t["accepted"]]
            chunk = self.rules.first_chunk or len(waiting)
            first = True
            while waiting:
                now, waiting = waiting[:chunk], waiting[chunk:]
                if not first:
                    for t in now:
                        t |= self.test(t["edge"], t["id"], 1)
                for t in now:
                    if t["accepted"]:
                        self.add_sparse(t["edge"])
                chunk, first = 2 * chunk, False
        return results

    # -- deletions ----------------------------------------------------------------------------

    def shortest(self, p: int, q: int) -> list[Pair] | None:
        dist, before, heap = {p: 0.0}, {}, [(0.0, p)]
        while heap:
            d, x = heapq.heappop(heap)
            if d > dist[x]:
                continue
            for edge in self.g[x]:
                y, far = sum(edge) - x, d + 1.0 / self.weight[edge]
                if far < dist.get(y, math.inf):
                    dist[y], before[y] = far, edge
                    heapq.heappush(heap, (far, y))
        if q not in dist:
            return None
        path = []
        while q != p:
            path.append(before[q])
            q = sum(before[q]) - q
        return path[::-1]

    def detour(self, edge: Pair, w: float, ident: int) -> tuple[int, float | None, int | None, Any]:
        """Return (start, R, walker, edges of the detour without loops)."""
        if self.rules.engine == "walk":
            best = None
            for first in range(0, self.rules.recovery_walkers, 32):
                how = {"id": ident, "phase": 2, "steps": self.rules.recovery_steps}
                how |= {"K": math.inf, "bound": math.inf}
                found = self.round(self.g, edge, w, 0.0, first, how)
                if found and (best is None or found < best):
                    best = found
            if best:
                start = edge[1] if self.rules.both_ends and best[1] % 2 else edge[0]
                return start, best[0], best[1], without_loops(start, best[2])
        path = self.shortest(*edge)
        if path is None:
            return edge[0], None, None, None
        return edge[0], math.fsum(1.0 / self.weight[e] for e in path), None, path

    def delete_all(self, todo: list[tuple[Pair, int]]) -> tuple[list[dict[str, Any]], list[Pair]]:
        log, repaired = [], []
        for part in pieces(todo, self.rules.sub_batch):
            gone = []
            for edge, ident in part:
                gone.append((edge, ident, self.weight.pop(edge), edge in self.sparse))
                if edge in self.sparse:
                    self.drop_sparse(edge)
                for x in edge:
                    remove_by_last(self.g[x], edge)
            found = [self.detour(e, w, k) if inside else None for e, k, w, inside in gone]
            failed = False
            for (edge, ident, _, inside), detour in zip(gone, found, strict=True):
                row: dict[str, Any] = {"id": ident, "edge": edge, "in_H": inside}
                log.append(row)
                if detour is None:
                    continue
                start, row["R"], row["walker"], path = detour
                failed |= path is None
                row["path"] = nodes_of(start, path)
                row["added"] = [e for e in path or [] if e not in self.sparse]
                for e in row["added"]:
                    self.add_sparse(e)
            if failed:
                repaired += self.repair()
        return log, repaired

    def repair(self) -> list[Pair]:
        parent = list(range(self.n))

        def find(x: int) -> int:
            while parent[x] != x:
                x = parent[x]
            return x

        for u, v in self.sparse:
            parent[find(u)] = find(v)
        added = []
        for edge in sorted(self.weight, key=lambda e: (-self.weight[e], e)):
            u, v = map(find, edge)
            if u != v:
                parent[u] = v
                self.add_sparse(edge)
                added.append(edge)
        return added

    # -- batches ------------------------------------------------------------------------------

    def update(self, ops: list[tuple[Any, ...]]) -> dict[str, Any]:
        """Apply operations ``(name, u, v, w)``."""
        after: dict[Pair, float] = {}
        last: dict[Pair, int] = {}
        for k, (name, u, v, w) in enumerate(ops):
            edge = pair(u, v)
            now = after.get(edge, self.weight.get(edge, 0.0))
            if u == v or (name == "insert" and w == 0) or (name == "delete" and now == 0):
                continue
            if name == "set" and w == 0 and now == 0:
                continue
            after[edge] = {"insert": now + w, "delete": 0.0, "set": w}[name]
            last[edge] = self.next_id + k
        net = sorted(
            (last[e], e, self.weight.get(e, 0.0), w)
            for e, w in after.items()
            if self.weight.get(e, 0.0) != w
        )
        self.next_id += len(ops)
        out: dict[str, Any] = {}
        out["deletions"], out["repaired"] = self.delete_all(
            [(e, k) for k, e, _, w in net if w == 0]
        )
        tested = []
        out["changes"] = []
        for ident, edge, before, w in net:
            if w == 0:
                continue
            if before == 0:
                for x in edge:
                    self.g[x].append(edge)
            else:
                out["changes"].append((ident, edge, before, w, edge in self.sparse))
            self.weight[edge] = w
            if before == 0 or (w > before and edge not in self.sparse):
                tested.append((edge, ident))
        out["tests"] = self.insert_all(tested)
        return out


def remove_by_last(row: list[Pair], edge: Pair) -> None:
    at = row.index(edge)
    row[at] = row[-1]
    row.pop()


def pieces(todo: list[Any], size: int) -> Iterable[list[Any]]:
    size = size or max(1024, -(-len(todo) // 10))
    return [todo[k : k + size] for k in range(0, len(todo), size)]


def nodes_of(start: int, path: list[Pair] | None) -> list[int]:
    if path is None:
        return []
    nodes = [start]
    for edge in path:
        nodes.append(sum(edge) - nodes[-1])
    return nodes


def without_loops(start: int, path: list[Pair]) -> list[Pair]:
    nodes, edges = [start], []
    for edge in path:
        y = sum(edge) - nodes[-1]
        if y in nodes:
            at = nodes.index(y)
            nodes, edges = nodes[: at + 1], edges[:at]
        else:
            nodes.append(y)
            edges.append(edge)
    return edges
