"""Slow twins of the spectral functions: dense matrices and literal loops."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from oracles import tie_hash

from graphsparse import Graph


def conductance_edges(graph: Graph) -> dict[tuple[int, int], float]:
    """Return ``{(u, v): w}``, u < v, edges in order, parallel ones summed, loops dropped."""
    weights = graph.edge_weights()
    total: dict[tuple[int, int], float] = {}
    for e, (u, v) in enumerate(zip(*(x.tolist() for x in graph.edges()), strict=True)):
        if u != v:
            key = (min(u, v), max(u, v))
            total[key] = total.get(key, 0.0) + (1.0 if weights is None else float(weights[e]))
    return dict(sorted(total.items()))


def dense_laplacian(graph: Graph) -> np.ndarray:
    """Return the Laplacian edge by edge."""
    matrix = np.zeros((graph.num_nodes, graph.num_nodes))
    for (u, v), w in conductance_edges(graph).items():
        matrix[u, u] += w
        matrix[v, v] += w
        matrix[u, v] -= w
        matrix[v, u] -= w
    return matrix


def components(graph: Graph) -> list[set[int]]:
    """Return the connected components, by smallest node."""
    adjacency: dict[int, set[int]] = {x: set() for x in range(graph.num_nodes)}
    for u, v in conductance_edges(graph):
        adjacency[u].add(v)
        adjacency[v].add(u)
    found, seen = [], set()
    for x in range(graph.num_nodes):
        if x in seen:
            continue
        part, stack = {x}, [x]
        while stack:
            for y in adjacency[stack.pop()] - part:
                part.add(y)
                stack.append(y)
        seen |= part
        found.append(part)
    return found


def resistances(graph: Graph) -> np.ndarray:
    """Return the resistance of all pairs from the pseudo-inverse; inf across components."""
    inverse = np.linalg.pinv(dense_laplacian(graph), hermitian=True)
    diagonal = np.diag(inverse)
    matrix = diagonal[:, None] + diagonal[None, :] - 2 * inverse
    label = {x: i for i, part in enumerate(components(graph)) for x in part}
    for u in range(graph.num_nodes):
        for v in range(graph.num_nodes):
            if label[u] != label[v]:
                matrix[u, v] = np.inf
    return matrix


def pencil_eigenvalues(graph: Graph, sparsifier: Graph) -> np.ndarray:
    """Return all finite eigenvalues of ``(L_G, L_H)``, ascending; equal components assumed.

    On the complement of the null space, by the root of the pseudo-inverse of L_H.
    """
    values, vectors = np.linalg.eigh(dense_laplacian(sparsifier))
    keep = values > 1e-9 * max(values.max(initial=0.0), 1e-300)
    half = vectors[:, keep] / np.sqrt(values[keep])
    return np.linalg.eigvalsh(half.T @ dense_laplacian(graph) @ half)


def neighbour_sets(n: int, pairs: list[tuple[int, int]]) -> list[set[int]]:
    """Return the neighbours of each node."""
    out: list[set[int]] = [set() for _ in range(n)]
    for u, v in pairs:
        out[u].add(v)
        out[v].add(u)
    return out


def bfs_layers(n: int, nbr: list[set[int]]) -> list[int]:
    """Return hop distances from the node of largest degree of each component."""
    layer = [-1] * n
    for root in sorted(range(n), key=lambda x: (-len(nbr[x]), x)):
        if layer[root] >= 0:
            continue
        layer[root] = 0
        queue = deque([root])
        while queue:
            x = queue.popleft()
            for y in nbr[x]:
                if layer[y] < 0:
                    layer[y] = layer[x] + 1
                    queue.append(y)
    return layer


def slow_tree(graph: Graph, kind: str, seed: int) -> tuple[list[int], list[float]]:
    """Return the tree edges in Kruskal's order and the stretch of every edge."""
    edges = conductance_edges(graph)
    pairs, w, n = list(edges), list(edges.values()), graph.num_nodes
    nbr = neighbour_sets(n, pairs)
    layer = bfs_layers(n, nbr)
    keys = list(w)
    if kind == "effective":
        keys = [
            w[e] * math.log(max(len(nbr[u]), len(nbr[v]))) / (layer[u] + layer[v])
            for e, (u, v) in enumerate(pairs)
        ]
    label = list(range(n))
    tree = []
    for e in sorted(range(len(pairs)), key=lambda e: (-keys[e], tie_hash(seed, e), e)):
        a, b = (label[x] for x in pairs[e])
        if a != b:
            tree.append(e)
            label = [a if x == b else x for x in label]
    skeleton = Graph.from_edges([pairs[e] for e in tree], num_nodes=n, weights=[w[e] for e in tree])
    along = resistances(skeleton)
    # rounded: what ties in exact arithmetic ties here
    return tree, [round(w[e] * along[u, v], 9) for e, (u, v) in enumerate(pairs)]


def ball(start: int, nbr: list[set[int]], radius: int, cap: int) -> list[int]:
    """Return the first ``cap`` nodes of a BFS that reaches ``radius`` hops."""
    order, hops = [start], {start: 0}
    for x in order:
        if hops[x] == radius:
            continue
        for y in sorted(nbr[x]):
            if y not in hops and len(order) < cap:
                hops[y] = hops[x] + 1
                order.append(y)
    return order


def slow_recovery(
    graph: Graph, tree: list[int], stretch: list[float], budget: int, alpha: float, radius: int,
    seed: int,
) -> list[int]:  # fmt: skip
    """Return the recovered edges, scanning the whole list pass by pass."""
    pairs, n = list(conductance_edges(graph)), graph.num_nodes
    cap = max(2, math.floor(0.6 / alpha + 1e-6))
    order = sorted(
        set(range(len(pairs))) - set(tree), key=lambda e: (-stretch[e], tie_hash(seed, e), e)
    )
    nbr = neighbour_sets(n, [pairs[e] for e in tree])
    mark, taken, number = [0] * n, [], 0
    while len(taken) < min(budget, len(order)):
        number += 1
        for e in order:
            u, v = pairs[e]
            if len(taken) == budget or e in taken or mark[u] >= number or mark[v] >= number:
                continue
            for x in {*ball(u, nbr, radius, cap), *ball(v, nbr, radius, cap)}:
                mark[x] += 1
            nbr[u].add(v)
            nbr[v].add(u)
            taken.append(e)
    return taken
