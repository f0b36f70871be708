"""Slow, obvious twin of AMUD: every pattern as a dense matrix over all pairs."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

G2 = ("AA", "AAT", "ATA")


def simple_adjacency(n: int, arcs: Any) -> np.ndarray:
    """Return the 0/1 matrix without loops."""
    a = np.zeros((n, n), np.int64)
    for u, v in arcs:
        a[u, v] = u != v
    return a


def pattern_matrices(a: np.ndarray, chosen: np.ndarray, *, paths: bool) -> dict[str, np.ndarray]:
    """Return each pattern between chosen nodes, without its diagonal."""
    t = a.T
    products = {"A": a, "AT": t, "AA": a @ a, "ATAT": t @ t, "AAT": a @ t, "ATA": t @ a}
    found = {}
    for name, product in products.items():
        off = product * (1 - np.eye(len(a), dtype=np.int64))
        inner = off[np.ix_(chosen, chosen)]
        found[name] = inner if paths else (inner > 0).astype(np.int64)
    return found


def adjusted(pairs: float, matches: float, p: float) -> float:
    """Return the chance-corrected rate, with the jackknife's conventions."""
    h = matches / pairs if pairs else 0.0
    return (h - p) / (1.0 - p) if p < 1.0 else 0.0


def pearson(weights: np.ndarray, same: np.ndarray) -> float | None:
    """Return numpy's correlation over all ordered pairs of distinct nodes."""
    off = ~np.eye(len(weights), dtype=bool)
    u, s = weights[off].astype(float), same[off].astype(float)
    if not len(u) or u.std() == 0 or s.std() == 0:
        return None
    return float(np.corrcoef(u, s)[0, 1])


def jackknife_z(pattern: dict[str, np.ndarray], same: np.ndarray, d: str, e: str) -> float | None:
    """Leave each node out in turn and recompute everything."""
    size = len(same)

    def difference(keep: np.ndarray) -> float:
        s = same[np.ix_(keep, keep)]
        k = len(s)
        p = (s.sum() - np.trace(s)) / (k * (k - 1))
        rates = []
        for name in (d, e):
            w = pattern[name][np.ix_(keep, keep)]
            rates.append(adjusted(w.sum(), (w * s).sum(), p))
        return rates[0] - rates[1]

    everyone = np.arange(size)
    left = np.array([difference(np.delete(everyone, v)) for v in everyone])
    error = math.sqrt((size - 1) / size * ((left - left.mean()) ** 2).sum())
    return None if error <= 1e-12 else difference(everyone) / error


def verdict(a: np.ndarray, labels: np.ndarray, *, paths: bool, min_pairs: int) -> dict[str, Any]:
    """Return S_adj, Z, decision and reason from dense matrices; labels -1 are none."""
    chosen = np.flatnonzero(labels >= 0)
    y = labels[chosen]
    same = (y[:, None] == y[None, :]).astype(np.int64)
    size = len(y)
    pattern = pattern_matrices(a, chosen, paths=paths)
    total = int(same.sum()) - size
    symmetric = bool(a.any()) and np.array_equal(a, a.T)
    valid = [d for d in G2 if pattern[d].sum() >= min_pairs]
    score, z = None, 0.0
    if size >= 4 and len(valid) >= 2 and 0 < total < size * (size - 1):
        p = total / (size * (size - 1))
        rates = [adjusted(pattern[d].sum(), (pattern[d] * same).sum(), p) for d in valid]
        top = max(map(abs, rates))
        if top > 0:
            score = min(1.0, (max(rates) - min(rates)) / top)
            pairs = itertools.combinations(valid, 2)
            zs = [jackknife_z(pattern, same, d, e) for d, e in pairs]
            z = max((abs(value) for value in zs if value is not None), default=0.0)
    if symmetric:
        return {"score": 0.0, "z": z, "decision": "undirected", "reason": "symmetric_input"}
    if score is None:
        reason = "undetermined"
    elif score < 0.5:
        reason = "below_threshold"
    else:
        reason = "not_significant" if z < 2.0 else "score_and_significance"
    decision = "directed" if reason == "score_and_significance" else "undirected"
    return {"score": score, "z": z, "decision": decision, "reason": reason}
