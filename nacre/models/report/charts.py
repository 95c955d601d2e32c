"""Pictures as SVG within the page: curves, bars and points. Each says in words what it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nacre.callbacks.curves import Curve
from nacre.models.report.elements import number, text

WIDTH, HEIGHT = 420, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 26, 38


class _Axes:
    """Places of values in a picture."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x, self.y = _wide(*x), _wide(*y)

    def across(self, value: float) -> float:
        """Pixels from the left."""
        low, high = self.x
        return _LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)

    def up(self, value: float) -> float:
        """Pixels from the top."""
        low, high = self.y
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    def drawn(self, x_name: str, y_name: str, *, whole_x: bool = False) -> str:
        """Lines, numbers and names of both axes."""
        parts: list[str] = []
        for tick in ticks(*self.y):
            y = f"{self.up(tick):.1f}"
            parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
            )
            parts.append(
                f'<text x="{_LEFT - 6}" y="{y}" dy="4" text-anchor="end">{number(tick)}</text>'
            )
        base = HEIGHT - _BOTTOM
        for tick in ticks(*self.x, most=7):
            if whole_x and tick != int(tick):
                continue
            x = f"{self.across(tick):.1f}"
            shown = number(int(tick) if whole_x else tick)
            parts.append(f'<text x="{x}" y="{base + 16}" text-anchor="middle">{shown}</text>')
        parts.append(
            f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>'
        )
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        parts.append(
            f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{text(x_name)}</text>'
        )
        parts.append(f'<text x="4" y="14">{text(y_name)}</text>')
        return "".join(parts)


def _wide(low: float, high: float) -> tuple[float, float]:
    """A range that is not empty."""
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers of a range.

    Example:
        >>> ticks(0.0, 10.0)
        [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    rough = (high - low) / most
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.85)
    first = math.ceil(low / step - 1e-9)
    return [float(index * step) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _picture(title: str, description: str, content: str) -> str:
    return (
        f"<figure><figcaption>{text(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(description)}">'
        f"<title>{text(description)}</title>{content}</svg></figure>"
    )


def curve_chart(curve: Curve) -> str:
    """A metric over the epochs, validation beside it."""
    lines = [
        ("training", "first", *curve.training),
        ("validation", "second", *curve.validation),
    ]
    lines = [line for line in lines if any(map(math.isfinite, line[3]))]
    if not lines:
        return ""
    values = [v for _, _, _, numbers in lines for v in numbers if math.isfinite(v)]
    epochs = [e for _, _, numbers, _ in lines for e in numbers]
    axes = _Axes((min(epochs), max(epochs)), (min(values), max(values)))
    parts = [axes.drawn("epoch", "", whole_x=True)]
    words: list[str] = []
    legend = _LEFT
    for name, style, places, numbers in lines:
        known = [(e, v) for e, v in zip(places, numbers, strict=True) if math.isfinite(v)]
        at = [f"{axes.across(e):.1f},{axes.up(v):.1f}" for e, v in known]
        parts.append(f'<polyline class="{style}" points="{" ".join(at)}"/>')
        if len(at) < 25:
            dot = "dot1" if style == "first" else "dot2"
            spots = (point.split(",") for point in at)
            parts.extend(f'<circle class="{dot}" cx="{x}" cy="{y}" r="2.5"/>' for x, y in spots)
        parts.append(
            f'<line class="{style}" x1="{legend}" x2="{legend + 22}" y1="12" y2="12"/>'
            f'<text x="{legend + 27}" y="16">{name}</text>'
        )
        legend += 110
        words.append(f"{name} from {number(known[0][1])} to {number(known[-1][1])}")
    description = f"{curve.name} over {max(epochs)} epochs: {'; '.join(words)}"
    return _picture(curve.name, description, "".join(parts))


def bar_chart(title: str, x_name: str, edges: Sequence[float], counts: Sequence[float]) -> str:
    """Bars between edges, one more than there are counts."""
    axes = _Axes((edges[0], edges[-1]), (0.0, max([*counts, 1e-12])))
    parts = [axes.drawn(x_name, "")]
    for left, right, count in zip(edges, edges[1:], counts, strict=False):
        x, top = axes.across(left), axes.up(count)
        width = max(axes.across(right) - x - 1, 0.5)
        height = HEIGHT - _BOTTOM - top
        parts.append(
            f'<rect class="bar" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}"/>'
        )
    description = f"{title}: {len(counts)} bars, the highest {number(max(counts))}"
    return _picture(title, description, "".join(parts))


def point_chart(
    title: str, x_name: str, y_name: str, x: Sequence[float], y: Sequence[float]
) -> str:
    """Points, and the line on which both numbers are equal."""
    low, high = min(min(x), min(y)), max(max(x), max(y))
    axes = _Axes((low, high), (low, high))
    ends = [(axes.across(v), axes.up(v)) for v in (low, high)]
    parts = [
        axes.drawn(x_name, y_name),
        f'<line class="even" x1="{ends[0][0]:.1f}" y1="{ends[0][1]:.1f}" '
        f'x2="{ends[1][0]:.1f}" y2="{ends[1][1]:.1f}"/>',
    ]
    parts.extend(
        f'<circle class="point" cx="{axes.across(a):.1f}" cy="{axes.up(b):.1f}" r="2.5"/>'
        for a, b in zip(x, y, strict=True)
    )
    description = f"{title}: {len(x)} points, from {number(low)} to {number(high)}"
    return _picture(title, description, "".join(parts))


__all__ = ["bar_chart", "curve_chart", "point_chart", "ticks"]
