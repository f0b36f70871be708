"""Slow, obvious twins of GIN-attention: loops over receivers, heads and edges in NumPy float64."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
VECTORS = Path(__file__).resolve().parent / "vectors" / "gin-attention"


def load(name: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read a vector file: its arrays and its description."""
    with np.load(VECTORS / f"{name}.npz", allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files if key != "meta"}
        return arrays, json.loads(str(file["meta"]))


def softmax(scores: list[float]) -> list[float]:
    """Softmax of a list; of nothing, or of -inf only, zeros."""
    finite = [s for s in scores if s > -math.inf]
    if not finite:
        return [0.0] * len(scores)
    top = max(finite)
    weights = [math.exp(s - top) for s in scores]
    return [w / sum(weights) for w in weights]


def edge_attention(
    sender: Array, receiver: Array, q: Array, k: Array, v: Array, bias: Array, heads: int, kind: str
) -> tuple[Array, Array]:
    """Weighted sums (receivers, width) and coefficients (edges, heads), edge by edge."""
    dim = q.shape[1] // heads
    out, att = np.zeros_like(q, dtype=np.float64), np.zeros((len(sender), heads))
    for i in range(len(q)):
        mine = [e for e in range(len(sender)) if receiver[e] == i]
        for h in range(heads):
            part = slice(h * dim, (h + 1) * dim)
            scores = [float(q[i, part] @ k[sender[e], part]) + bias[e, h] for e in mine]
            if kind == "softmax":
                weights = softmax(scores)
            else:
                weights = [1.0 / (1.0 + math.exp(-s)) for s in scores]
            for e, weight in zip(mine, weights, strict=True):
                att[e, h] = weight
                out[i, part] += weight * v[sender[e], part]
    return out, att


def top_share(sender: Array, receiver: Array, att: Array, keep: float) -> Array:
    """Mask of the largest coefficients of each receiver and head; ties to the lower sender."""
    mask = np.zeros(att.shape, dtype=bool)
    for i in set(receiver.tolist()):
        mine = [e for e in range(len(sender)) if receiver[e] == i]
        quota = max(1, len(mine) - math.floor((1 - keep) * len(mine) + 1e-6))
        for h in range(att.shape[1]):
            ranked = sorted(mine, key=lambda e, h=h: (-att[e, h], sender[e]))
            mask[ranked[:quota], h] = True
    return mask


def isomorphic(z: Array, w1: Array, b1: Array, gain: Array, w2: Array, b2: Array) -> Array:
    """One head's MLP with rms normalisation."""
    y = z @ w1.T + b1
    y = y / np.sqrt((y**2).mean(-1, keepdims=True) + 1e-6) * gain
    return (y / (1 + np.exp(-y))) @ w2.T + b2


def true_maximum(a: Array, v: Array) -> Array:
    """Largest value of every column among the neighbours of positive weight; without any, 0."""
    out = np.zeros((a.shape[0], v.shape[1]))
    for i in range(a.shape[0]):
        near = [j for j in range(a.shape[1]) if a[i, j] > 0]
        for c in range(v.shape[1]):
            out[i, c] = max((v[j, c] for j in near), default=0.0)
    return out
