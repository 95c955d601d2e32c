"""Pieces of HTML; whatever text is given is escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from nacre.core.errors import printable


def text(value: Any) -> str:
    """Any text, as HTML shows it."""
    return html.escape(printable(str(value)), quote=True)


def number(value: Any) -> str:
    """A number with few digits, a comma between thousands; whole ones with all their digits."""
    if isinstance(value, int):
        return f"{value:,}"
    value = float(value)
    if value != value:
        return "NaN"
    if abs(value) >= 1e6:
        return f"{value:.3e}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def table(
    caption: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    right: Sequence[int] = (),
    styles: Sequence[Sequence[str]] | None = None,
) -> str:
    """A table whose first column names its rows.

    Args:
        caption: What it shows.
        heads: Of the columns.
        rows: Of cells, any values.
        right: The columns of numbers.
        styles: CSS of each cell, where cells are shaded.
    """
    kind = lambda column: ' class="number"' if column in right else ""
    head = "".join(f'<th scope="col"{kind(i)}>{text(h)}</th>' for i, h in enumerate(heads))
    body: list[str] = []
    for place, row in enumerate(rows):
        cells = [f'<th scope="row">{text(row[0])}</th>']
        for column, cell in enumerate(row[1:], 1):
            style = f' style="{styles[place][column]}"' if styles and styles[place][column] else ""
            cells.append(f"<td{kind(column)}{style}>{text(cell)}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll"><table><caption>{text(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def section(title: str, *parts: str) -> str:
    """A part of the page under a heading."""
    name = "".join(c if c.isalnum() else "-" for c in title.lower())
    return (
        f'<section aria-labelledby="{text(name)}"><h2 id="{text(name)}">{text(title)}</h2>'
        f"{''.join(parts)}</section>"
    )


def tiles(pairs: Sequence[tuple[str, str]]) -> str:
    """Figures at a glance, each with its name."""
    found = "".join(f"<div><dt>{text(n)}</dt><dd>{text(v)}</dd></div>" for n, v in pairs)
    return f'<dl class="tiles">{found}</dl>'


def note(sentence: str) -> str:
    """A sentence beside the figures."""
    return f'<p class="note">{text(sentence)}</p>'


def folded(title: str, content: str) -> str:
    """What is shown when somebody asks for it."""
    return f"<details><summary>{text(title)}</summary>{content}</details>"


STYLE = """
:root{color-scheme:light dark;--ink:#1d2530;--soft:#5a6675;--line:#d9dee5;--page:#fbfcfd;
--card:#fff;--first:#1f6fb2;--second:#c2500a;--shade:31,111,178}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#a3aebd;--line:#343d4a;
--page:#12161c;--card:#1a2029;--first:#6db3ee;--second:#f09a5b;--shade:109,179,238}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1040px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:1.7rem;margin:0 0 4px}h2{font-size:1.2rem;margin:36px 0 12px}
h3{font-size:1rem;margin:20px 0 8px}
.sub,.note{color:var(--soft);margin:4px 0 12px}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin:20px 0}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 16px}
.tiles dt{color:var(--soft);font-size:.85rem}.tiles dd{margin:0;font-size:1.25rem;font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(320px,1fr));gap:16px}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px}
figcaption{font-weight:600;margin:0 0 4px 4px}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font:12px system-ui,sans-serif}
.grid{stroke:var(--line);stroke-width:1}.axis{stroke:var(--soft);stroke-width:1}
.first{stroke:var(--first);fill:none;stroke-width:2}
.second{stroke:var(--second);fill:none;stroke-width:2;stroke-dasharray:6 3}
.dot1{fill:var(--first)}.dot2{fill:var(--second)}
.bar{fill:var(--first)}.point{fill:var(--first);fill-opacity:.45}
.even{stroke:var(--second);stroke-width:1.5;stroke-dasharray:5 4}
.scroll{overflow-x:auto;margin:8px 0 16px}
table{border-collapse:collapse;font-size:.92rem;background:var(--card)}
caption{text-align:left;font-weight:600;padding:4px 0 6px}
th,td{border:1px solid var(--line);padding:4px 10px;text-align:left;vertical-align:top}
thead th{background:rgba(var(--shade),.12)}
tbody th{font-weight:500}.number{text-align:right;font-variant-numeric:tabular-nums}
details{margin:10px 0}summary{cursor:pointer;color:var(--soft)}
@media print{figure,.tiles div{break-inside:avoid}}
"""

__all__ = ["STYLE", "folded", "note", "number", "section", "table", "text", "tiles"]
