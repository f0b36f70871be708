"""One self-contained HTML file from sections of pictures and tables."""

from __future__ import annotations

import base64
import dataclasses
import html
from collections.abc import Sequence
from pathlib import Path
from string import Template

import graphsparse

Row = dict[str, str]
_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
 body { font: 16px/1.5 system-ui, sans-serif; color: #20242c; background: #fff;
        max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
 img { width: 100%; height: auto; }
 table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
 th, td { padding: .35rem .9rem .35rem 0; text-align: right; border-bottom: 1px solid #dde1e8; }
 th:first-child, td:first-child { text-align: left; }
 footer { margin-top: 2rem; color: #667; font-size: .85rem; }
</style></head><body><h1>$title</h1>
$body
<footer>graphsparse $version</footer></body></html>
""")


@dataclasses.dataclass(frozen=True)
class Section:
    """A headline, pieces of HTML, and the rows of the table for the terminal."""

    title: str
    parts: Sequence[str]
    rows: Sequence[Row]

    def text(self) -> str:
        """Return the section for a terminal: the headline and the table."""
        header = list(self.rows[0])
        widths = [max(len(name), *(len(row[name]) for row in self.rows)) for name in header]
        lines = [self.title]
        for cells in (header, *(list(row.values()) for row in self.rows)):
            first, *rest = zip(cells, widths, strict=True)
            padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
            lines.append("  " + "  ".join(padded))
        return "\n".join(lines) + "\n"


def table(rows: Sequence[Row]) -> str:
    """Return rows as an HTML table; the keys of the first row are the header."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row.values()) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def image(file: Path) -> str:
    """Return a PNG as an HTML image that carries its bytes."""
    data = base64.b64encode(file.read_bytes()).decode("ascii")
    return f'<img alt="{html.escape(file.stem)}" src="data:image/png;base64,{data}">'


def write_report(file: Path, title: str, sections: Sequence[Section]) -> None:
    """Write the page."""
    body = "\n".join(f"<h2>{html.escape(s.title)}</h2>\n{''.join(s.parts)}" for s in sections)
    page = _PAGE.substitute(title=html.escape(title), body=body, version=graphsparse.__version__)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page, encoding="utf-8")
