"""A picture as SVG, with nothing but text: any browser shows it, and any size is sharp."""

from __future__ import annotations

import html

from nacre.models.drawing.canvas import FRAME_LINE, INK, LINE, PAPER, Shape, Text, canvas_of
from nacre.models.drawing.diagram import Diagram

# Widths of the signs from space to ~ in 1/1000 of the size, from the metrics of Helvetica and
# Helvetica-Bold that Adobe published (Core 14 AFM files). Fonts that stand in for it (Arial,
# Liberation Sans, Nimbus Sans) have the same; any other is drawn as wide by `textLength`.
_PLAIN = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 "
    "556 556 556 278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 "
    "722 778 667 778 722 667 611 722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 "
    "556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 278 556 500 722 500 500 500 334 "
    "260 334 584"
)
_BOLD = (
    "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 "
    "556 556 556 333 333 584 584 584 611 975 722 722 722 722 667 611 778 722 278 556 722 611 833 "
    "722 778 667 778 722 667 611 722 667 944 667 667 611 333 278 333 584 556 333 556 611 556 611 "
    "556 333 611 611 278 278 556 278 889 611 611 611 611 389 556 333 611 556 778 556 556 500 389 "
    "280 389 584"
)
_WIDTHS = {
    bold: {chr(32 + place): int(width) / 1000 for place, width in enumerate(text.split())}
    for bold, text in ((False, _PLAIN), (True, _BOLD))
}


def text_width(text: str, size: float, bold: bool) -> float:
    """How wide a text is in Helvetica; other signs than those of ASCII are taken for wide ones."""
    widths = _WIDTHS[bold]
    return size * sum(widths.get(sign, 0.65 if ord(sign) < 0x1100 else 1.0) for sign in text)


def svg_of(diagram: Diagram, rankdir: str) -> bytes:
    """A diagram as the bytes of an SVG file (SVG 1.1)."""
    canvas = canvas_of(diagram, rankdir, text_width)
    width, height = f"{canvas.width:.1f}", f"{canvas.height:.1f}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt" '
        f'viewBox="0 0 {width} {height}" role="img" '
        "font-family=\"Helvetica, Arial, 'Liberation Sans', sans-serif\">",
        f"<title>{_text(diagram.name)}</title>",
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        *(_shape(shape) for shape in canvas.frames),
        f'<g fill="none" stroke="{LINE}" stroke-width="1.3">',
        *(f'<path d="{_path(arrow.path)}"/>' for arrow in canvas.arrows),
        "</g>",
        f'<g fill="{LINE}">',
        *(f'<polygon points="{_points(arrow.head)}"/>' for arrow in canvas.arrows),
        "</g>",
        *(_shape(shape) for shape in canvas.boxes),
        *(_text_line(text) for text in canvas.texts),
        "</svg>\n",
    ]
    return "\n".join(parts).encode()


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def _points(points: object) -> str:
    assert isinstance(points, list | tuple)
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)


def _path(path: list[tuple[float, float]]) -> str:
    pieces = (path[place : place + 3] for place in range(1, len(path), 3))
    return f"M{_points(path[:1])}" + "".join(f"C{_points(piece)}" for piece in pieces)


def _shape(shape: Shape) -> str:
    at = shape.at
    more = ' stroke-dasharray="5 3" rx="4"' if shape.dashed else ""
    line = FRAME_LINE if shape.dashed else INK
    return (
        f'<rect x="{at.left:.2f}" y="{at.top:.2f}" width="{at.width:.2f}" '
        f'height="{at.height:.2f}" fill="{shape.fill}" stroke="{line}"{more}/>'
    )


def _text_line(text: Text) -> str:
    weight = ' font-weight="bold"' if text.bold else ""
    lead = len(text.text) - len(text.text.lstrip())  # SVG drops spaces at both ends
    x = text.x + text_width(text.text[:lead], text.size, text.bold)
    shown = text.text.strip()
    width = text_width(shown, text.size, text.bold)
    return (
        f'<text x="{x:.2f}" y="{text.y:.2f}" font-size="{text.size:g}"{weight} '
        f'fill="{text.color}" textLength="{width:.2f}" lengthAdjust="spacingAndGlyphs">'
        f"{_text(shown)}</text>"
    )


__all__ = ["svg_of", "text_width"]
