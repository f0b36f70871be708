"""Reports and comparisons as one self-contained HTML page."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from graphsparse.convert import as_border
from graphsparse.graph import Graph
from graphsparse.quality.compare import Comparison
from graphsparse.quality.pair import Array, Pair
from graphsparse.quality.report import QualityReport
from graphsparse.quality.svg import COLOURS, Plot, drawing, legend

DRAWN = 600  # nodes up to which graphs are drawn
SPECTRUM = 1500  # nodes up to which all eigenvalues are found
_STYLE = (
    "body{font-family:sans-serif;max-width:1160px;margin:24px auto;padding:0 16px;color:#222}"
    "table{border-collapse:collapse;margin:12px 0}td,th{padding:4px 10px;border-bottom:1px solid "
    "#ddd;text-align:left;vertical-align:top}td.n{text-align:right}"
    ".bar{background:#3366aa;height:10px}"
    ".row{display:flex;flex-wrap:wrap;gap:18px}small{color:#555}"
)


def report_page(report: QualityReport, graph: Any, sparse: Any, title: str = "") -> str:
    """Return a page with every figure, its error and what lies behind it.

    Parameters
    ----------
    report : QualityReport
        Of these graphs.
    graph, sparse
        As given to :func:`quality_report`.
    title : str
        Heading; a plain one when left out.

    Notes
    -----
    Graphs of up to 600 nodes are drawn; spectra of the normalised Laplacian need up to 1500.
    """
    full = as_border(graph, directed=report.directed).graph.to("cpu")
    part = as_border(sparse, directed=report.directed).graph.to("cpu")
    pair = Pair(full, part, report.samples, report.seed)
    charts = [_degrees(pair), _stretches(pair)]
    if 0 < pair.n <= SPECTRUM and pair.g.num_edges:
        charts.append(_spectrum(pair))
    if 0 < pair.n <= DRAWN:
        places = _places(pair.undirected[0])
        charts += [drawing(pair.g, places, "before"), drawing(pair.h, places, "after")]
    rows = "".join(_figure_row(row) for row in report.rows)
    sizes = f"{report.num_nodes:,} nodes, {report.num_edges[1]:,} of {report.num_edges[0]:,} edges"
    body = (
        f"<p>{sizes}; {'directed' if report.directed else 'undirected'}; {report.samples} samples, "
        f"seed {report.seed}. Every figure lies between 0 and 1, and 1 is as good as the full "
        "graph.</p><table><tr><th>figure</th><th></th><th>value</th><th>standard error</th>"
        f"<th>samples</th><th>seconds</th><th>behind it</th></tr>{rows}</table>"
        f'<p>{legend(["before", "after"])}</p><div class="row">{"".join(charts)}</div>'
    )
    return _page(title or "What the sparse graph kept", body)


def comparison_page(table: Comparison, title: str = "") -> str:
    """Return a page with one chart and one table per figure."""
    parts = []
    rows = list(table.table())
    for figure in dict.fromkeys(f for _, _, f, _, _ in rows):
        here = [(m, k, v, e) for m, k, f, v, e in rows if f == figure]
        methods = list(dict.fromkeys(m for m, _, _, _ in here))
        keeps = sorted({k for _, k, _, _ in here})
        plot = Plot((keeps[0], keeps[-1]), (0.0, 1.0), figure, "edges kept", (520, 320))
        for number, method in enumerate(methods):
            line = sorted((k, v, e) for m, k, v, e in here if m == method)
            x, y, error = (list(column) for column in zip(*line, strict=True))
            colour = COLOURS[number % len(COLOURS)]
            low = [max(0.0, a - 2 * b) for a, b in zip(y, error, strict=True)]
            high = [min(1.0, a + 2 * b) for a, b in zip(y, error, strict=True)]
            plot.band(x, low, high, colour).line(x, y, colour, dots=True)
        parts.append(f"<p>{legend(methods)}</p>{plot.svg()}{_table(table, figure, methods, keeps)}")
    sizes = f"{table.num_nodes:,} nodes, {table.num_edges:,} edges"
    note = (
        f"<p>{sizes}. Bands are two standard errors; bold: no other is better with as few edges; "
        "!: random edges do better.</p>"
    )
    return _page(title or "Sparsifiers compared", note + "".join(parts))


def _table(table: Comparison, figure: str, methods: list[str], keeps: list[float]) -> str:
    front, worse = set(table.pareto(figure)), set(table.below_random(figure))
    lines = ["<table><tr><th>method</th>" + "".join(f"<th>{k:g}</th>" for k in keeps) + "</tr>"]
    for method in methods:
        cells = []
        for keep in keeps:
            found = table.mean(method, keep, figure)
            text = "–" if found is None else f"{found[0]:.3f}"
            text = f"<b>{text}</b>" if (method, keep) in front else text
            cells.append(f'<td class="n">{text}{" !" if (method, keep) in worse else ""}</td>')
        lines.append(f"<tr><td>{html.escape(method)}</td>{''.join(cells)}</tr>")
    return "".join(lines) + "</table>"


def _figure_row(row: Any) -> str:
    if row.value is None:
        return (
            f"<tr><td>{html.escape(row.name)}</td><td></td><td colspan=5>failed: "
            f"{html.escape(row.failure)}</td></tr>"
        )
    raw = ", ".join(f"{key} {_short(value)}" for key, value in row.raw.items())
    error = f"± {row.error:.4f}" if row.error else "exact" if not row.samples else "0"
    return (
        f'<tr><td>{html.escape(row.name)}</td><td style="width:120px"><div class="bar" '
        f'style="width:{100 * row.value:.0f}%"></div></td><td class="n">{row.value:.4f}</td>'
        f'<td>{error}</td><td class="n">{row.samples or ""}</td><td class="n">{row.seconds:.2f}'
        f"</td><td><small>{html.escape(raw)}</small></td></tr>"
    )


def _degrees(pair: Pair) -> str:
    """Share of nodes of at least each degree, both axes logarithmic."""
    curves = []
    for graph in (pair.g, pair.h):
        degrees = np.sort(graph.degree[graph.degree > 0])
        values, first = np.unique(degrees, return_index=True)
        shares = 1.0 - first / max(len(degrees), 1)
        curves.append((np.log10(values), np.log10(np.maximum(shares, 1e-9))))
    top = max((float(x.max(initial=0.0)) for x, _ in curves), default=1.0)
    low = min((float(y.min(initial=0.0)) for _, y in curves), default=-1.0)
    plot = Plot(
        (0.0, top),
        (low, 0.0),
        "log10 of the share of nodes with so many edges or more",
        "log10 degree",
    )
    for (x, y), colour in zip(curves, COLOURS, strict=False):
        plot.line(x.tolist(), y.tolist(), colour, dots=True)
    return plot.svg()


def _stretches(pair: Pair) -> str:
    first, second = pair.hops
    both = (first > 0) & (second > 0)
    stretch = second[both] / first[both]
    if not len(stretch):
        return ""
    top = float(np.quantile(stretch, 0.995))
    counts, edges = np.histogram(np.minimum(stretch, top), bins=20, range=(1.0, max(top, 1.001)))
    shares = counts / len(stretch)
    plot = Plot(
        (1.0, float(edges[-1])), (0.0, float(shares.max())), "stretch of distances", "times"
    )
    return plot.bars(((edges[1:] + edges[:-1]) / 2).tolist(), shares.tolist(), COLOURS[1]).svg()


def _spectrum(pair: Pair) -> str:
    from graphsparse.linalg import laplacian

    plot = Plot((0.0, 1.0), (0.0, 2.0), "spectrum of the normalised Laplacian", "rank / n")
    for graph, colour in zip(pair.undirected, COLOURS, strict=False):
        values = np.linalg.eigvalsh(laplacian(graph, normalized=True).toarray())
        plot.line(np.linspace(0, 1, len(values)).tolist(), values.tolist(), colour)
    return plot.svg()


def _places(graph: Graph) -> Array:
    """Return where to draw the nodes, in the unit square."""
    import networkx as nx

    net = nx.Graph()
    net.add_nodes_from(range(graph.num_nodes))
    net.add_edges_from(zip(*(ends.tolist() for ends in graph.edges()), strict=True))
    found = nx.spring_layout(net, seed=1, iterations=60)
    at = np.array([found[v] for v in range(graph.num_nodes)]).reshape(-1, 2)
    low, span = at.min(0), np.maximum(np.ptp(at, axis=0), 1e-9)
    places: Array = (at - low) / span
    return places


def _page(title: str, body: str) -> str:
    name = html.escape(title)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{name}</h1>{body}</body></html>\n"
    )


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " / ".join(_short(part) for part in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
