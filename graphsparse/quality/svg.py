"""Small charts as SVG text, without any plotting package."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from graphsparse.graph import Graph
from graphsparse.quality.pair import Array

COLOURS = ("#3366aa", "#cc6633", "#449966", "#884499", "#aa8822", "#447788", "#bb4466", "#667711")
_LEFT, _TOP, _BOTTOM = 46, 12, 34


class Plot:
    """A frame with axes; x and y in data units, y upwards.

    Parameters
    ----------
    x, y : tuple of float
        Ranges.
    title, x_label : str
        Texts.
    size : tuple of int
        Width and height in pixels.
    """

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        title: str,
        x_label: str,
        size: tuple[int, int] = (360, 240),
    ) -> None:
        self._x, self._y = _widened(x), _widened(y)
        self._width, self._height = size
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1] + 20}" '
            f'viewBox="0 -20 {size[0]} {size[1] + 20}" font-family="sans-serif" font-size="11" '
            f'role="img" aria-label="{html.escape(title)}">',
            f'<text x="{_LEFT}" y="-6" font-size="13">{html.escape(title)}</text>',
            f'<rect x="{_LEFT}" y="{_TOP}" width="{size[0] - _LEFT - 8}" '
            f'height="{size[1] - _TOP - _BOTTOM}" fill="none" stroke="#999"/>',
            f'<text x="{size[0] / 2}" y="{size[1] - 4}" text-anchor="middle">'
            f"{html.escape(x_label)}</text>",
        ]
        for at, value in enumerate(np.linspace(*self._x, 5)):
            anchor = "end" if at == 4 else "middle"
            self._parts.append(
                f'<text x="{self._px(value):.1f}" y="{size[1] - 20}" text-anchor="{anchor}" '
                f'fill="#555">{value:.3g}</text>'
            )
        for value in np.linspace(*self._y, 5):
            self._parts.append(
                f'<text x="{_LEFT - 4}" y="{self._py(value) + 4:.1f}" text-anchor="end" '
                f'fill="#555">{value:.3g}</text>'
            )

    def _px(self, x: float) -> float:
        low, high = self._x
        return _LEFT + (x - low) / (high - low) * (self._width - _LEFT - 8)

    def _py(self, y: float) -> float:
        low, high = self._y
        return self._height - _BOTTOM - (y - low) / (high - low) * (self._height - _TOP - _BOTTOM)

    def line(self, x: Sequence[float], y: Sequence[float], colour: str, dots: bool = False) -> Plot:
        """Add a polyline, with dots if asked for."""
        points = [(self._px(a), self._py(b)) for a, b in zip(x, y, strict=True)]
        text = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        self._parts.append(
            f'<polyline points="{text}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
        )
        if dots:
            self._parts += [
                f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.6" fill="{colour}"/>' for a, b in points
            ]
        return self

    def band(self, x: Sequence[float], low: Sequence[float], high: Sequence[float],
             colour: str) -> Plot:  # fmt: skip
        """Add a shaded band between two lines."""
        there = zip(x, low, strict=True)
        back = zip(reversed(x), reversed(high), strict=True)
        text = " ".join(f"{self._px(a):.1f},{self._py(b):.1f}" for a, b in [*there, *back])
        self._parts.append(f'<polygon points="{text}" fill="{colour}" opacity="0.18"/>')
        return self

    def bars(self, x: Sequence[float], heights: Sequence[float], colour: str) -> Plot:
        """Add bars around the given places."""
        step = (self._width - _LEFT - 8) / max(len(x), 1) * 0.8
        floor = self._py(self._y[0])
        for a, h in zip(x, heights, strict=True):
            top = self._py(h)
            self._parts.append(
                f'<rect x="{self._px(a) - step / 2:.1f}" y="{top:.1f}" width="{step:.1f}" '
                f'height="{max(floor - top, 0):.1f}" fill="{colour}"/>'
            )
        return self

    def whisker(self, x: float, low: float, high: float, colour: str) -> Plot:
        """Add an upright bar."""
        at = self._px(x)
        self._parts.append(
            f'<line x1="{at:.1f}" y1="{self._py(low):.1f}" x2="{at:.1f}" y2="{self._py(high):.1f}" '
            f'stroke="{colour}" stroke-opacity="0.6"/>'
        )
        return self

    def ring(self, x: float, y: float, colour: str) -> Plot:
        """Add a circle round a point."""
        self._parts.append(
            f'<circle cx="{self._px(x):.1f}" cy="{self._py(y):.1f}" r="6" fill="none" '
            f'stroke="{colour}"/>'
        )
        return self

    def names(self, names: Sequence[str], colours: Sequence[str]) -> Plot:
        """Add names in colours at the lower right."""
        for at, (name, colour) in enumerate(zip(names, colours, strict=True)):
            y = self._height - _BOTTOM - 8 - 14 * (len(names) - 1 - at)
            self._parts.append(
                f'<text x="{self._width - 14}" y="{y}" text-anchor="end" fill="{colour}">'
                f"{html.escape(name)}</text>"
            )
        return self

    def svg(self) -> str:
        """Return the finished text."""
        return "".join(self._parts) + "</svg>"


def legend(names: Sequence[str]) -> str:
    """Return coloured names in the order of ``COLOURS``."""
    return " ".join(
        f'<span style="color:{COLOURS[k % len(COLOURS)]}">&#9632; {html.escape(name)}</span>'
        for k, name in enumerate(names)
    )


def drawing(graph: Graph, places: Array, title: str) -> str:
    """Return a drawing of a small graph; places in the unit square, shape (n, 2)."""
    size = 340
    at = 10 + (size - 20) * places
    u, v = graph.edges()
    lines = "".join(
        f'<line x1="{at[a, 0]:.1f}" y1="{at[a, 1]:.1f}" x2="{at[b, 0]:.1f}" y2="{at[b, 1]:.1f}"/>'
        for a, b in zip(u.tolist(), v.tolist(), strict=True)
    )
    radius = 3 if graph.num_nodes < 200 else 1.6
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>' for x, y in at)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size + 20}" '
        f'viewBox="0 -20 {size} {size + 20}" font-family="sans-serif" role="img" '
        f'aria-label="{html.escape(title)}"><text x="10" y="-6" font-size="13">'
        f'{html.escape(title)}</text><g stroke="#3366aa" stroke-opacity="0.55">{lines}</g>'
        f'<g fill="#222">{dots}</g></svg>'
    )


def _widened(interval: tuple[float, float]) -> tuple[float, float]:
    low, high = interval
    return (low, high) if high > low else (low, low + 1.0)
