"""Draw a graph before and after sparsification; ``dev.py demo`` and the README use the picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from graphsparse import Graph

INK, GHOST, PAPER, BETWEEN = "#20242c", "#c6cbd4", "#ffffff", "#3a3f4a"
SIDE = 0.27  # of an inset, as a part of its panel


def layout(graph: Graph, start: np.ndarray, rounds: int = 150) -> np.ndarray:
    """Return positions of the nodes, shape (n, 2): springs along edges, repulsion between all.

    Fruchterman and Reingold's forces from the positions ``start``, and a little gravity; each
    round moves a node by at most a step that shrinks.
    """
    u, v = (ends.astype(np.int64) for ends in graph.edges())
    xy = (start / np.abs(start).max()).astype(np.float32)
    rest = 1.6 / np.sqrt(len(xy))  # length of an edge where its two forces are equal
    for step in np.geomspace(0.1, 0.002, rounds):
        gap_x, gap_y = (part[:, None] - part[None, :] for part in xy.T)
        weight = rest**2 / (gap_x**2 + gap_y**2 + np.float32(1e-5))
        force = np.stack([(gap_x * weight).sum(1), (gap_y * weight).sum(1)], axis=1)
        force -= 0.6 * xy * np.linalg.norm(xy, axis=1, keepdims=True)
        gap = xy[v] - xy[u]
        pull = gap * np.linalg.norm(gap, axis=1, keepdims=True) / rest
        for axis in (0, 1):
            force[:, axis] += np.bincount(u, pull[:, axis], len(xy))
            force[:, axis] -= np.bincount(v, pull[:, axis], len(xy))
        length = np.linalg.norm(force, axis=1, keepdims=True) + 1e-12
        xy += (force / length * np.minimum(length, step)).astype(np.float32)
    return xy


class Picture:
    """One graph with fixed positions and colours, to be drawn whole or in part.

    Parameters
    ----------
    graph : Graph
        All edges.
    xy : array, shape (n, 2)
        Positions.
    labels : array of int, shape (n,)
        Classes; each has a colour.
    """

    def __init__(self, graph: Graph, xy: np.ndarray, labels: np.ndarray) -> None:
        self.graph, self.xy, self.labels = graph, xy, labels
        colors = [matplotlib.colormaps["tab10"](i) for i in range(int(labels.max()) + 1)]
        self.palette = np.array(colors)

    def before(self, axes: Axes, scale: float = 1.0) -> None:
        """Draw every edge."""
        self._edges(axes, self.graph, self._colors(self.graph), 0.4 * scale, 0.7)
        self._nodes(axes, scale)

    def after(self, axes: Axes, sparse: Graph, scale: float = 1.0) -> None:
        """Draw the kept edges, over the ghosts of the dropped ones."""
        self._edges(axes, self.graph, GHOST, 0.3 * scale, 0.6)
        self._edges(axes, sparse, self._colors(sparse), 0.6 * scale, 1.0)
        self._nodes(axes, scale)

    def names(self, axes: Axes) -> None:
        """Write the name of each class at the middle of its nodes."""
        for label in np.unique(self.labels):
            x, y = np.median(self.xy[self.labels == label], axis=0)
            box = {"boxstyle": "circle,pad=0.22", "fc": PAPER, "ec": self.palette[label], "lw": 1.5}
            style = {"ha": "center", "va": "center", "fontsize": 12, "weight": "bold"}
            axes.text(x, y, str(label), color=INK, bbox=box, zorder=4, **style)

    def _edges(self, axes: Axes, graph: Graph, colors: object, width: float, alpha: float) -> None:
        u, v = graph.edges()
        ends = np.stack([self.xy[u], self.xy[v]], axis=1)
        axes.add_collection(LineCollection(ends, colors=colors, linewidths=width, alpha=alpha))

    def _colors(self, graph: Graph) -> np.ndarray:
        """Return the colour of the class of each edge, dark where its ends differ."""
        u, v = graph.edges()
        colors = self.palette[self.labels[u]].copy()
        colors[self.labels[u] != self.labels[v]] = matplotlib.colors.to_rgba(BETWEEN)
        return colors

    def _nodes(self, axes: Axes, scale: float) -> None:
        style = {"edgecolors": PAPER, "linewidths": 0.25, "zorder": 3}
        axes.scatter(*self.xy.T, s=7 * scale**2, c=self.palette[self.labels], **style)


def emptiest_corner(xy: np.ndarray) -> tuple[float, float]:
    """Return the corner of the unit square in which an inset covers the fewest nodes."""
    unit = (xy - xy.min(axis=0)) / np.ptp(xy, axis=0)
    corners = [(x, y) for x in (0.0, 1 - SIDE) for y in (0.0, 1 - SIDE)]
    covered = [((unit >= c) & (unit <= np.add(c, SIDE))).all(axis=1).sum() for c in corners]
    return corners[int(np.argmin(covered))]


def before_after(
    graph: Graph, sparse: Graph, xy: np.ndarray, labels: np.ndarray, title: str, file: Path
) -> None:
    """Write the picture: all edges on the left, the kept ones on the right, a class enlarged."""
    picture = Picture(graph, xy, labels)
    share = sparse.num_edges / graph.num_edges
    panels = (
        (f"before: {graph.num_edges:,} edges", picture.before),
        (
            f"after: {sparse.num_edges:,} edges ({share:.0%}), dropped ones in grey",
            lambda axes, scale=1.0: picture.after(axes, sparse, scale),
        ),
    )
    figure = Figure(figsize=(14, 7.8), facecolor=PAPER)
    middle, corner = np.median(xy[labels == 0], axis=0), emptiest_corner(xy)
    window = 0.055 * float(np.ptp(xy, axis=0).max())
    for axes, (name, draw) in zip(figure.subplots(1, 2), panels, strict=True):
        draw(axes)
        picture.names(axes)
        axes.set_title(name, fontsize=15, color=INK, loc="left", pad=4)
        (left, bottom), (right, top) = xy.min(axis=0), xy.max(axis=0)
        axes.set(aspect="equal", xlim=(left, right), ylim=(bottom, top))
        axes.axis("off")
        inset = axes.inset_axes((*corner, SIDE, SIDE))
        draw(inset, scale=1.5)
        inset.set(xlim=middle[0] + np.array([-window, window]), xticks=[], yticks=[])
        inset.set(ylim=middle[1] + np.array([-window, window]), aspect="equal")
        axes.indicate_inset_zoom(inset, edgecolor=INK, alpha=0.9)
    figure.suptitle(title, x=0.012, ha="left", fontsize=17, weight="bold", color=INK)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.015, top=0.88, wspace=0.03)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    with Image.open(file) as image:  # 256 colours are enough: a third of the bytes
        image.convert("RGB").quantize(256).save(file, optimize=True)
