"""A run as one HTML file that needs nothing else: curves over time, a small graph twice."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphsparse.errors import GraphFormatError
from graphsparse.graph import Graph

Array = np.ndarray[Any, np.dtype[Any]]
Row = Mapping[str, Any]

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640.0, 200.0, 64.0, 26.0
_MOST_POINTS = 1000
_MOST_DRAWN = 400  # nodes
_INK, _LINE, _GREY = "#20242c", "#2663a6", "#c3c8d0"
_CURVES = (
    ("kappa", "condition number of graph and sparsifier"),
    ("edges_per_node", "sparsifier edges per node"),
    ("accept_rate", "share of the tested insertions that was needed"),
    ("updates_per_second", "updates per second of computing time"),
)
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#20242c;background:#fff;max-width:1000px;
margin:2rem auto;padding:0 1rem}
figure{margin:1.5rem 0}figcaption{font-weight:600}svg{width:100%;height:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td{padding:.2rem 1.2rem .2rem 0;border-bottom:1px solid #dde1e8}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}
"""


def run_page(
    rows: Sequence[Row], *, graph: Graph | None = None, sparsifier: Graph | None = None
) -> str:
    """Return an HTML page about a run.

    Parameters
    ----------
    rows : sequence of dict
        The JSON line of every batch, as ``graphsparse stream`` writes them.
    graph, sparsifier : Graph, optional
        Drawn beside each other if they have no more than 400 nodes with edges.

    Raises
    ------
    GraphFormatError
        If there are no rows, or they are no lines of a stream.
    """
    if not rows:
        raise GraphFormatError("a report needs the line of one batch or more, got none")
    for at, row in enumerate(rows, 1):
        missing = sorted({"batch", "updates", "accepted", "rejected", "seconds"} - row.keys())
        if missing:
            raise GraphFormatError(f"line {at} of the metrics lacks {', '.join(missing)}")
    parts = [_table(rows)]
    for name, title in _CURVES:
        x, y = _series(rows, name)
        if len(x):
            parts.append(_figure(title, _curve(x, y)))
    if graph is not None and sparsifier is not None:
        parts.append(_drawings(graph, sparsifier))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>graphsparse stream'
        f'</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head><body>'
        f"<h1>A stream of {sum(row['updates'] for row in rows):,} updates</h1>"
        f"{''.join(parts)}</body></html>\n"
    )


def _table(rows: Sequence[Row]) -> str:
    last = rows[-1]
    tests = sum(row["accepted"] + row["rejected"] for row in rows)
    accepted = sum(row["accepted"] for row in rows)
    facts = {
        "batches": f"{len(rows):,} ({rows[0]['batch']:,} to {last['batch']:,})",
        "rows read, rejected": f"{last.get('read', 0):,}, {last.get('rejected_rows', 0):,}",
        "insertions tested, needed": f"{tests:,}, {accepted:,}",
        "nodes, edges": f"{last.get('nodes', 0):,}, {last.get('edges', 0):,}",
        "sparsifier edges": f"{last.get('sparsifier_edges', 0):,}",
        "kept": f"{last.get('keep', 1.0):.1%}",
    }
    cells = (
        f"<tr><td>{html.escape(n)}</td><td>{html.escape(v)}</td></tr>" for n, v in facts.items()
    )
    return f"<table>{''.join(cells)}</table>"


def _series(rows: Sequence[Row], name: str) -> tuple[Array, Array]:
    """Return batches and values of a curve, without gaps and infinities, thinned out."""
    points = []
    for row in rows:
        value = _value(row, name)
        if value is not None and math.isfinite(value):
            points.append((float(row["batch"]), value))
    table = np.array(points, np.float64).reshape(-1, 2)
    table = table[:: max(1, math.ceil(len(table) / _MOST_POINTS))]
    return table[:, 0], table[:, 1]


def _value(row: Row, name: str) -> float | None:
    if name == "accept_rate":
        tests = row["accepted"] + row["rejected"]
        return row["accepted"] / tests if tests else None
    if name == "updates_per_second":
        return row["updates"] / row["seconds"] if row["seconds"] > 0 else None
    value = row.get(name)
    return float(value) if value is not None else None


def _figure(title: str, inside: str) -> str:
    return f"<figure><figcaption>{html.escape(title)}</figcaption>{inside}</figure>"


def _curve(x: Array, y: Array) -> str:
    """Return a line over the batches as SVG, from 0 up."""
    top = float(y.max()) or 1.0
    left, right = float(x.min()), float(x.max())
    across = _LEFT + (x - left) / max(right - left, 1e-9) * (_WIDTH - _LEFT - 12)
    down = 8 + (1 - y / top) * (_HEIGHT - _BOTTOM - 8)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, down, strict=True))
    floor = _HEIGHT - _BOTTOM
    most = f"{top:,.0f}" if top >= 1000 else f"{top:.4g}"
    marks = [
        (_LEFT - 8, 14.0, "end", most), (_LEFT - 8, floor, "end", "0"),
        (_LEFT, _HEIGHT - 6, "start", f"batch {left:,.0f}"),
        (_WIDTH - 12, _HEIGHT - 6, "end", f"{right:,.0f}"),
    ]  # fmt: skip
    texts = "".join(
        f'<text x="{a:.0f}" y="{b:.0f}" text-anchor="{how}" font-size="12" fill="{_INK}">{t}</text>'
        for a, b, how, t in marks
    )
    dot = ""
    if len(x) == 1:
        dot = f'<circle cx="{across[0]:.1f}" cy="{down[0]:.1f}" r="3" fill="{_LINE}"/>'
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img">'
        f'<path d="M{_LEFT} 8V{floor}H{_WIDTH - 12}" fill="none" stroke="{_GREY}"/>'
        f'<polyline points="{points}" fill="none" stroke="{_LINE}" stroke-width="1.8"/>'
        f"{dot}{texts}</svg>"
    )


def _drawings(graph: Graph, sparsifier: Graph) -> str:
    """Return both graphs at the same places; a remark instead if they are too large."""
    used = np.flatnonzero(graph.degree)
    if not 0 < len(used) <= _MOST_DRAWN:
        return f"<p>{len(used):,} nodes have edges; graphs are drawn up to {_MOST_DRAWN} nodes.</p>"
    place = _places(graph, used)
    pair = [
        _figure(f"{title}: {part.num_edges:,} edges", _drawing(part, used, place))
        for title, part in (("graph", graph), ("sparsifier", sparsifier))
    ]
    return f'<div class="pair">{"".join(pair)}</div>'


def _places(graph: Graph, used: Array) -> Array:
    """Return points in the unit square, by node, from a spring layout."""
    import networkx as nx

    drawn = nx.Graph()
    drawn.add_nodes_from(used.tolist())
    u, v = graph.edges()
    drawn.add_edges_from(zip(u.tolist(), v.tolist(), strict=True))
    found = nx.spring_layout(drawn, seed=1, iterations=60)
    points = np.array([found[node] for node in used.tolist()])
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    place = np.zeros((graph.num_nodes, 2))
    place[used] = (points - low) / np.where(span > 0, span, 1.0)
    return place


def _drawing(graph: Graph, used: Array, place: Array) -> str:
    side = 400.0
    at = 10 + place * (side - 20)
    u, v = graph.edges()
    lines = "".join(
        f"M{a:.0f} {b:.0f}L{c:.0f} {d:.0f}" for (a, b), (c, d) in zip(at[u], at[v], strict=True)
    )
    dots = "".join(f'<circle cx="{a:.0f}" cy="{b:.0f}" r="2.4"/>' for a, b in at[used])
    return (
        f'<svg viewBox="0 0 {side:.0f} {side:.0f}" role="img">'
        f'<path d="{lines}" stroke="{_LINE}" stroke-width="1" fill="none" opacity="0.6"/>'
        f'<g fill="{_INK}">{dots}</g></svg>'
    )
