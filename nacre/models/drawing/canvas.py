"""How boxes look: what is written where in them, for whatever draws it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nacre.models.drawing.diagram import Box, Diagram
from nacre.models.drawing.layout import Path, Point, Rectangle, layout_of

TITLE_SIZE, CELL_SIZE, FRAME_SIZE = 12.0, 10.5, 11.0  # of letters, in points
INK, PAPER, FRAME = "#1d2530", "#ffffff", "#f3f6f9"
LINE, FRAME_LINE = "#5a6675", "#9aa5b1"
_TONES = {"plain": PAPER, "trainable": "#1d7a3c", "frozen": "#a33030"}
_HEAD = 8.0  # length of an arrow's head
_PAD = 9.0

Measure = Callable[[str, float, bool], float]  # text, size, whether bold -> width


@dataclass(frozen=True)
class Text:
    """A line of text: where its base line begins, and its width."""

    x: float
    y: float
    text: str
    size: float
    bold: bool
    color: str
    width: float


@dataclass(frozen=True)
class Shape:
    """A rectangle."""

    at: Rectangle
    fill: str
    line: str
    dashed: bool = False


@dataclass(frozen=True)
class Arrow:
    """A path that ends where its head begins, and the head's three corners."""

    path: Path
    head: tuple[Point, Point, Point]


@dataclass(frozen=True)
class Canvas:
    """Everything that is drawn, in points, back to front: frames, arrows, boxes, texts."""

    width: float
    height: float
    frames: list[Shape]
    arrows: list[Arrow]
    boxes: list[Shape]
    texts: list[Text]


@dataclass(frozen=True)
class _Plan:
    """A box by itself: widths and height of its rows."""

    width: float
    heights: list[float]
    columns: list[list[float]]


def canvas_of(diagram: Diagram, rankdir: str, measure: Measure) -> Canvas:
    """A diagram, laid out and put into shapes.

    Args:
        diagram: Boxes, frames, arrows.
        rankdir: Where arrows lead.
        measure: Tells how wide a text is.
    """
    ends = [0] * len(diagram.boxes)
    for _source, target in diagram.arrows:
        ends[target] += 1
    plans = [_plan(box, measure, count) for box, count in zip(diagram.boxes, ends, strict=True)]
    titles = [measure(frame.name, FRAME_SIZE, False) for frame in diagram.frames]
    sizes = [(plan.width, sum(plan.heights)) for plan in plans]
    found = layout_of(diagram, sizes, titles, rankdir)
    canvas = Canvas(found.width, found.height, [], [], [], [])
    for frame, at, width in zip(diagram.frames, found.frames, titles, strict=True):
        canvas.frames.append(Shape(at, FRAME, FRAME_LINE, dashed=True))
        x, y = at.left + 10.0, at.top + 16.0
        canvas.texts.append(Text(x, y, frame.name, FRAME_SIZE, False, INK, width))
    canvas.arrows.extend(_arrow(path) for path in found.paths)
    for box, plan, at in zip(diagram.boxes, plans, found.boxes, strict=True):
        _draw_box(canvas, box, plan, at, measure)
    return canvas


def _title(box: Box) -> list[tuple[str, bool]]:
    """The pieces of a title, and whether they are bold."""
    return [(box.name, True), (f" ({box.kind})", False)] if box.name else [(box.kind, True)]


def _plan(box: Box, measure: Measure, arrows: int) -> _Plan:
    title = sum(measure(text, TITLE_SIZE, bold) for text, bold in _title(box)) + 2 * _PAD
    columns = [
        [
            measure(cell.label + ": " if cell.label else "", CELL_SIZE, False)
            + max(measure(line, CELL_SIZE, True) for line in cell.lines)
            + 2 * _PAD
            for cell in row
        ]
        for row in box.rows
    ]
    width = max([title, 12.0 * arrows + 24.0, *(sum(row) for row in columns)])
    # What is left of a row is shared, so that the cells fill the box.
    columns = [[w + (width - sum(row)) / len(row) for w in row] for row in columns]
    heights = [TITLE_SIZE + 13.0]
    heights += [max(len(cell.lines) for cell in row) * 13.5 + 9.0 for row in box.rows]
    return _Plan(width, heights, columns)


def _draw_box(canvas: Canvas, box: Box, plan: _Plan, at: Rectangle, measure: Measure) -> None:
    y = at.top
    canvas.boxes.append(Shape(Rectangle(at.left, y, at.width, plan.heights[0]), INK, INK))
    pieces = [(text, bold, measure(text, TITLE_SIZE, bold)) for text, bold in _title(box)]
    x = at.left + (at.width - sum(width for _, _, width in pieces)) / 2
    for text, bold, width in pieces:
        base = y + plan.heights[0] / 2 + TITLE_SIZE * 0.35
        canvas.texts.append(Text(x, base, text, TITLE_SIZE, bold, PAPER, width))
        x += width
    y += plan.heights[0]
    for row, widths, height in zip(box.rows, plan.columns, plan.heights[1:], strict=True):
        x = at.left
        for cell, width in zip(row, widths, strict=True):
            canvas.boxes.append(Shape(Rectangle(x, y, width, height), _TONES[cell.tone], INK))
            color = INK if cell.tone == "plain" else PAPER
            label = cell.label + ": " if cell.label else ""
            label_width = measure(label, CELL_SIZE, False)
            lines = [(line, measure(line, CELL_SIZE, True)) for line in cell.lines]
            left = x + (width - label_width - max(w for _, w in lines)) / 2
            first = y + height / 2 - (len(lines) - 1) * 6.75 + CELL_SIZE * 0.35
            if label:
                text = Text(left, first, label, CELL_SIZE, False, color, label_width)
                canvas.texts.append(text)
            for number, (line, line_width) in enumerate(lines):
                base = first + number * 13.5
                text = Text(left + label_width, base, line, CELL_SIZE, True, color, line_width)
                canvas.texts.append(text)
            x += width
        y += height


def _arrow(path: Sequence[Point]) -> Arrow:
    (x, y), tip = path[-2], path[-1]
    length = math.hypot(tip[0] - x, tip[1] - y) or 1.0
    dx, dy = (tip[0] - x) / length, (tip[1] - y) / length
    base = (tip[0] - _HEAD * dx, tip[1] - _HEAD * dy)
    side = (-dy * _HEAD * 0.42, dx * _HEAD * 0.42)
    head = (tip, (base[0] + side[0], base[1] + side[1]), (base[0] - side[0], base[1] - side[1]))
    # The line ends within the head, or its corners would show beside the tip.
    inside = (tip[0] - 0.6 * _HEAD * dx, tip[1] - 0.6 * _HEAD * dy)
    return Arrow([*path[:-1], inside], head)


__all__ = [
    "FRAME_LINE",
    "INK",
    "LINE",
    "PAPER",
    "Arrow",
    "Canvas",
    "Measure",
    "Shape",
    "Text",
    "canvas_of",
]
