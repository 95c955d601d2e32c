"""A picture in pixels, with Pillow."""

from __future__ import annotations

import importlib.util
import io
import math
from pathlib import Path as FilePath
from typing import Any

from nacre.core.interop import optional_import
from nacre.models.drawing.canvas import FRAME_LINE, LINE, PAPER, Canvas, Shape, canvas_of
from nacre.models.drawing.diagram import Diagram
from nacre.models.drawing.layout import Path, Point

FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "gif": "GIF", "pdf": "PDF"}
# What viewers and formats of files still show, as Graphviz too has it; WebP holds no more than
# 16383. Larger pictures get fewer pixels per inch.
_MOST_PIXELS = {"webp": 16_383}
_MOST_PIXELS_ELSE = 32_767
_MOST_AREA = 80_000_000  # Pillow warns of more than 89 million when it opens a picture
_FINER = 2  # drawn so many times finer, then averaged: curves without steps
_MOST_AREA_FINER = 12_000_000  # in larger pictures nobody sees steps, and they would take seconds
_STRIP = 1024  # rows of pixels that are drawn at a time


def raster_of(diagram: Diagram, rankdir: str, dpi: float, form: str, who: str) -> bytes:
    """A diagram as the bytes of a file.

    Args:
        diagram: Boxes, frames, arrows.
        rankdir: Where arrows lead.
        dpi: Pixels per inch; fewer are taken for a picture that no viewer would open.
        form: One of `FORMATS`.
        who: Who draws, for messages.

    Raises:
        MissingPackageError: Pillow is not installed.
    """
    images = optional_import("PIL.Image", extra="plot", who=who)
    fonts = _Fonts(who)
    canvas = canvas_of(diagram, rankdir, fonts.width)
    largest = _MOST_PIXELS.get(form, _MOST_PIXELS_ELSE)
    scale = min(dpi / 72, largest / max(canvas.width, canvas.height))
    scale = min(scale, (_MOST_AREA / (canvas.width * canvas.height)) ** 0.5)
    width, height = max(int(canvas.width * scale), 1), max(int(canvas.height * scale), 1)
    finer = _FINER if width * height <= _MOST_AREA_FINER else 1
    picture = images.new("RGB", (width, height), PAPER)
    for top in range(0, height, _STRIP):
        rows = min(_STRIP, height - top)
        strip = images.new("RGB", (width * finer, rows * finer), PAPER)
        _draw(strip, canvas, scale * finer, top * finer, fonts, who)
        if finer > 1:
            strip = strip.resize((width, rows), images.Resampling.BOX)
        picture.paste(strip, (0, top))
    stream = io.BytesIO()
    options = {"quality": 92} if form in ("jpg", "jpeg") else {}
    shown_dpi = (scale * 72, scale * 72)
    picture.save(stream, FORMATS[form], dpi=shown_dpi, resolution=shown_dpi[0], **options)
    return stream.getvalue()


class _Fonts:
    """Fonts by size: DejaVu Sans where matplotlib brings it, which has the signs of most alphabets;
    else the one in Pillow."""

    def __init__(self, who: str) -> None:
        self._fonts: dict[tuple[float, bool], Any] = {}
        self._module = optional_import("PIL.ImageFont", extra="plot", who=who)
        found = importlib.util.find_spec("matplotlib")
        places = list(found.submodule_search_locations or ()) if found is not None else []
        self._folder = FilePath(places[0], "mpl-data", "fonts", "ttf") if places else None

    def at(self, size: float, bold: bool) -> Any:
        """The font of a size in pixels."""
        key = (round(size, 2), bold)
        if key not in self._fonts:
            self._fonts[key] = self._load(*key)
        return self._fonts[key]

    def _load(self, size: float, bold: bool) -> Any:
        if self._folder is not None:
            file = self._folder / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
            if file.is_file():
                # DejaVu's letters are large for their size.
                return self._module.truetype(str(file), size * 0.92)
        return self._module.load_default(size)

    def width(self, text: str, size: float, bold: bool) -> float:
        """How wide a text is, in points; measured in large letters, which are hinted least."""
        return self.at(size * 8, bold).getlength(text) / 8 + 0.5 * bold


def _draw(strip: Any, canvas: Canvas, scale: float, offset: float, fonts: _Fonts, who: str) -> None:
    """What of the canvas lies within a strip that begins `offset` pixels below its top."""
    pen = optional_import("PIL.ImageDraw", extra="plot", who=who).Draw(strip)
    low, high = offset / scale - 30.0, (offset + strip.height) / scale + 30.0
    line = max(round(1.3 * scale), 1)

    def at(point: Point) -> Point:
        return point[0] * scale, point[1] * scale - offset

    for shape in canvas.frames:
        _rectangle(pen, shape, at, line)
    for arrow in canvas.arrows:
        ys = [y for _, y in arrow.path]
        if max(ys) >= low and min(ys) <= high:
            pen.line([at(p) for p in _sampled(arrow.path)], LINE, line, joint="curve")
            pen.polygon([at(p) for p in arrow.head], LINE)
    for shape in canvas.boxes:
        if shape.at.top + shape.at.height >= low and shape.at.top <= high:
            _rectangle(pen, shape, at, line)
    for text in canvas.texts:
        if low <= text.y <= high:
            font = fonts.at(text.size * scale, text.bold)
            pen.text(at((text.x, text.y)), text.text, text.color, font, anchor="ls")


def _rectangle(pen: Any, shape: Shape, at: Any, line: int) -> None:
    one = shape.at
    corners = [at((one.left, one.top)), at((one.left + one.width, one.top + one.height))]
    if not shape.dashed:
        pen.rectangle(corners, shape.fill, shape.line, line)
        return
    pen.rectangle(corners, shape.fill)
    (left, top), (right, bottom) = corners
    for begin, end in (
        ((left, top), (right, top)),
        ((right, top), (right, bottom)),
        ((left, bottom), (right, bottom)),
        ((left, top), (left, bottom)),
    ):
        _dashes(pen, begin, end, line)


def _dashes(pen: Any, begin: Point, end: Point, line: int) -> None:
    length = abs(end[0] - begin[0]) + abs(end[1] - begin[1])
    step, dash = 7.0 * line, 4.5 * line
    dx, dy = ((e - b) / max(length, 1.0) for b, e in zip(begin, end, strict=True))
    place = 0.0
    while place < length:
        stop = min(place + dash, length)
        points = [(begin[0] + dx * s, begin[1] + dy * s) for s in (place, stop)]
        pen.line(points, FRAME_LINE, line)
        place += step


def _sampled(path: Path) -> list[Point]:
    """Points on a path (cubic curves)."""
    found = [path[0]]
    for place in range(1, len(path), 3):
        a, b, c, d = found[-1], *path[place : place + 3]
        is_straight = math.isclose(_turn(a, b, d), 0, abs_tol=1e-6) and math.isclose(
            _turn(a, c, d), 0, abs_tol=1e-6
        )
        steps = 1 if is_straight else 24
        for step in range(1, steps + 1):
            t = step / steps
            u = 1 - t
            weights = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
            xy = [sum(w * p[i] for w, p in zip(weights, (a, b, c, d), strict=True)) for i in (0, 1)]
            found.append((xy[0], xy[1]))
    return found


def _turn(a: Point, b: Point, c: Point) -> float:
    """0 for three points on a line."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


__all__ = ["FORMATS", "raster_of"]
