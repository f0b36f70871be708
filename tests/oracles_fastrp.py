"""Slow twins of FastRP: plain NumPy in float64, written from the equations."""

from __future__ import annotations

import math

import numpy as np
from oracles import philox

from graphsparse import Graph


def word(seed: int, row: int, column: int, tag: int) -> int:
    """One word of the projection."""
    row, seed = row % 2**64, seed % 2**64
    counter = (row % 2**32, row // 2**32, column // 4, tag)
    return philox(counter, (seed % 2**32, seed // 2**32))[column % 4]


def sign(u: int, threshold: int) -> int:
    """+1, -1 or 0."""
    return 1 if u < threshold else -1 if u < 2 * threshold else 0


def sign_matrix(seed: int, rows, dim: int, s: float, tag: int = 0, scale_dim: int = 0):
    """The sparse projection with its amplitude."""
    threshold = round(2**31 / s)
    size = math.sqrt(2**31 / threshold) / math.sqrt(scale_dim or dim)
    signs = [[sign(word(seed, int(i), k, tag), threshold) for k in range(dim)] for i in rows]
    return size * np.array(signs, dtype=np.float64).reshape(len(rows), dim)


def normal_matrix(seed: int, rows, dim: int):
    """Standard normals of Box and Muller."""
    out = np.empty((len(rows), dim))
    for r, i in enumerate(rows):
        for k in range(dim):
            first = k // 2 * 2
            a, b = ((word(seed, int(i), c, 2) + 0.5) / 2**32 for c in (first, first + 1))
            radius = math.sqrt(-2 * math.log(a))
            angle = 2 * math.pi * b
            out[r, k] = radius * (math.sin(angle) if k % 2 else math.cos(angle))
    return out


def dense(n: int, edges):
    """Adjacency of entries (i, j, weight); equal ones add up."""
    a = np.zeros((n, n))
    for i, j, w in edges:
        a[int(i), int(j)] += w
    return a


def adjacency(graph: Graph):
    """Dense adjacency of a graph; parallel arcs add up."""
    weights = np.ones(graph.num_arcs) if graph.weights is None else graph.weights
    return dense(graph.num_nodes, zip(graph.arc_rows(), graph.indices, weights, strict=True))


def factors(degree, beta: float):
    """Degree factors; 1 where the degree is 0."""
    return np.array([d**beta if d else 1.0 for d in degree])


def transition(a, dangling: str = "zero"):
    """D^-1 A with a rule for rows without arcs."""
    m = np.zeros_like(a)
    for i, row in enumerate(a):
        if row.sum():
            m[i] = row / row.sum()
        elif dangling == "self":
            m[i, i] = 1.0
    return m


def directions(x):
    """Rows of length 1; zero rows stay."""
    length = np.sqrt((x * x).sum(1, keepdims=True))
    return np.divide(x, length, out=np.zeros_like(x), where=length > 0)


def powers(m, x, q: int):
    """M x, M^2 x, ... M^q x."""
    out = []
    for _ in range(q):
        x = m @ x
        out.append(x)
    return out


def standard(x):
    """Columns of mean 0 and population deviation 1; constant ones become 0."""
    std = x.std(0)
    std[std <= 1e-12 * np.abs(x).max(0)] = 1.0
    return (x - x.mean(0)) / std


def embedding(graph: Graph, start, weights, beta: float, *, standardize: bool = True, omega=0.0):
    """FastRP with the defaults of the rest."""
    a = adjacency(graph)
    x = factors(a.sum(1), beta)[:, None] * start
    out = omega * directions(x)
    for alpha, u in zip(weights, powers(transition(a), x, len(weights)), strict=True):
        out = out + alpha * directions(u)
    return standard(out) if standardize else out


def in_loop(a, start, weights, omega: float):
    """The variant that normalises after each step."""
    m, x = transition(a), start
    out, iterates = omega * directions(start), []
    for alpha in weights:
        x = directions(m @ x)
        iterates.append(x)
        out = out + alpha * x
    return out, iterates
